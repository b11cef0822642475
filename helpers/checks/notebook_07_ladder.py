"""Checks of notebook 07, the ladder: an estimator, a flow's density, two gradients."""

from functools import partial

import numpy as np

from helpers.checks.comparing import LOG_2_PI, Function, check, then


def log_mean(log_weights, axis=1, count=None):
    top = log_weights.max(axis=axis, keepdims=True)
    total = np.exp(log_weights - top).sum(axis=axis)
    count = log_weights.shape[axis] if count is None else count
    return np.squeeze(top, axis) + np.log(total) - np.log(count)


def estimate(log_weights, likelihood=log_mean, error=None):
    each = likelihood(log_weights)
    if error is None:
        return np.array([-each.mean(), each.std(ddof=1) / np.sqrt(len(each))])
    return np.array([-each.mean(), error(each, log_weights)])


def naive_likelihood(log_weights):
    return np.log(np.exp(log_weights).mean(axis=1))


ESTIMATE = {
    "average the weights, not their logarithms: this is the ELBO": partial(
        estimate, likelihood=partial(np.mean, axis=1)
    ),
    "a mean over K codes: subtract ln K": partial(
        estimate, likelihood=partial(log_mean, count=1)
    ),
    "K codes belong to a digit: the mean goes along axis 1": partial(
        estimate, likelihood=partial(log_mean, axis=0)
    ),
    "the logarithm of each digit's mean, then their average, not one mean of all": (
        lambda w: np.array(
            [-log_mean(w.reshape(1, -1))[0], log_mean(w).std(ddof=1) / len(w) ** 0.5]
        )
    ),
    "exp(-2000) is 0 and its logarithm infinite: take the largest out first": (
        partial(estimate, likelihood=naive_likelihood)
    ),
    "the best code alone is no mean": partial(
        estimate, likelihood=partial(np.max, axis=1)
    ),
    "NLL: minus the logarithm": then(estimate, lambda pair: pair * [-1, 1]),
    "the error of a mean: divide the deviation by the root of the number of digits": (
        partial(estimate, error=lambda each, w: each.std(ddof=1))
    ),
    "the root of the number of digits, not the number": partial(
        estimate, error=lambda each, w: each.std(ddof=1) / len(each)
    ),
    "the mean of each digit was taken from these digits: ddof=1": partial(
        estimate, error=lambda each, w: each.std() / len(each) ** 0.5
    ),
    "a deviation is the root of a variance": partial(
        estimate, error=lambda each, w: each.var(ddof=1) / len(each)
    ),
    "the digits differ, and there are n of them, not n K": (
        partial(estimate, error=lambda each, w: each.std(ddof=1) / w.size**0.5),
        partial(estimate, error=lambda each, w: w.std(ddof=1) / w.size**0.5),
        partial(estimate, error=lambda each, w: w.std(ddof=1) / len(w) ** 0.5),
    ),
    "the error first, then the NLL? It is the other way round": then(
        estimate, lambda pair: pair[::-1]
    ),
}


def check_estimate(attempt: Function) -> str:
    """Check ``estimate(log_weights)``: (n, K) to [NLL, its standard error], nats."""
    rng = np.random.default_rng(0)
    inputs = [
        (rng.normal(size=(n, k)) * 3 - deep + rng.normal(size=(n, 1)),)
        for n, k, deep in ((40, 30, 5.0), (25, 60, 90.0), (12, 9, 2000.0))
    ]
    return check(attempt, estimate, inputs, ESTIMATE)


def flow_density(z, shift, log_scale, slope=-1, constant=1, move=None, half=0.5):
    """Return ln r(z) if the first half is kept and the second one moved."""
    kept, moved = np.split(z, 2, axis=1)
    move = move or (lambda m, t, s: (m - t) * np.exp(-s))
    u = np.concatenate([kept, move(moved, shift, log_scale)], axis=1)
    normal = -np.sum(half * u**2 + constant * LOG_2_PI / 2, axis=1)
    return normal + slope * np.sum(log_scale, axis=1)


FLOW_DENSITY = {
    "a density changes with the volume: ln |det f'| is missing": partial(
        flow_density, slope=0
    ),
    "f divides by the scale, so its slope is 1 / scale: minus the sum of log_scale": (
        partial(flow_density, slope=1)
    ),
    "the determinant is a product: its logarithm is a sum, not a mean": (
        lambda z, t, s: flow_density(z, t, s, 0) - s.mean(axis=1)
    ),
    "the logarithm of the product of scales, not the product": (
        lambda z, t, s: flow_density(z, t, s, 0) - np.exp(s).prod(axis=1),
        lambda z, t, s: flow_density(z, t, s, 0) + np.exp(-s).prod(axis=1),
        lambda z, t, s: flow_density(z, t, s, 0) - np.exp(s).sum(axis=1),
    ),
    "f undoes the shift first, and then the scale: (moved - shift) * exp(-log_scale)": (
        partial(flow_density, move=lambda m, t, s: m * np.exp(-s) - t),
    ),
    "to N(0, I), f takes the shift away and divides; this is the way back": (
        partial(flow_density, move=lambda m, t, s: t + m * np.exp(s)),
        partial(flow_density, move=lambda m, t, s: t + m * np.exp(s), slope=1),
        partial(flow_density, move=lambda m, t, s: (m + t) * np.exp(s), slope=1),
        partial(flow_density, move=lambda m, t, s: (m - t) * np.exp(s), slope=1),
    ),
    "the half that is kept is part of the draw from N(0, I) too": (
        lambda z, t, s: (
            flow_density(z, t, s)
            + np.sum(z[:, : t.shape[1]] ** 2 + LOG_2_PI, axis=1) / 2
        ),
        lambda z, t, s: (
            flow_density(z, t, s) + np.sum(z[:, : t.shape[1]] ** 2, axis=1) / 2
        ),
    ),
    "the first half is kept, the second one moved": (
        lambda z, t, s: flow_density(np.roll(z, t.shape[1], axis=1), t, s)
    ),
    "a normal density has ln 2 pi, once for every number": (
        partial(flow_density, constant=0),
        partial(flow_density, constant=0.5),
        partial(flow_density, constant=2),
    ),
    "a normal density has a half of the square": partial(flow_density, half=1),
    "the logarithm of the density": then(flow_density, np.exp),
    "a log scale: its exponential divides": (
        lambda z, t, s: flow_density(z, t, np.log(np.abs(s))),
        partial(flow_density, move=lambda m, t, s: (m - t) / s),
    ),
    "one value per code: the mean over codes comes later": then(flow_density, np.mean),
}


def check_flow_density(attempt: Function) -> str:
    """Check ``flow_density(z, shift, log_scale)``: (n, d), (n, d/2) twice to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [
        (rng.normal(size=(n, 2 * half)), *rng.normal(size=(2, n, half)) * wide)
        for n, half, wide in ((6, 1, 0.5), (5, 3, 1.0))
    ]
    return check(attempt, flow_density, inputs, FLOW_DENSITY)


def shares_of(log_weights, axis=0):
    weights = np.exp(log_weights - log_weights.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def doubly_factor(log_weights):
    return shares_of(log_weights) ** 2


DOUBLY_FACTOR = {
    "that is the share itself; what reaches the encoder is weighed by its square": (
        shares_of
    ),
    "normalise, then square: (w / sum w)^2, not w^2 / sum w^2": (
        lambda w: shares_of(2 * w)
    ),
    "the codes stand along axis 0: a picture's shares add up to one": (
        lambda w: shares_of(w, axis=1) ** 2
    ),
    "exp(-1000) is 0: take each picture's largest out first": (
        lambda w: (np.exp(w) / np.exp(w).sum(axis=0)) ** 2
    ),
    "each picture has shares of its own: sum over its codes, not over all": (
        lambda w: (np.exp(w - w.max()) / np.exp(w - w.max()).sum()) ** 2
    ),
    "the weights are shares of their sum": (
        lambda w: np.exp(w - w.max(axis=0)) ** 2,
        lambda w: np.exp(2 * w),
        np.exp,
    ),
    "K codes share unequally: it is not 1 / K": (
        lambda w: np.full(w.shape, 1 / len(w)),
        lambda w: np.full(w.shape, 1 / len(w) ** 2),
    ),
    "that is the softmax's own slope; the square of the share is asked for": (
        lambda w: shares_of(w) * (1 - shares_of(w))
    ),
    "a square is positive: the sign belongs to the loss": (
        lambda w: -(shares_of(w) ** 2)
    ),
    "each code has a factor of its own: don't add them up": (
        lambda w: np.sum(shares_of(w) ** 2, axis=0)
    ),
    "squares, and no K before them": (
        lambda w: len(w) * shares_of(w) ** 2,
        lambda w: shares_of(w) ** 2 / len(w),
    ),
    "the square of the share, not its root": then(shares_of, np.sqrt),
}


def check_doubly_factor(attempt: Function) -> str:
    """Check ``doubly_factor(log_weights)``: (K, n) to factors of the same shape."""
    rng = np.random.default_rng(0)
    mild = 0.7 * rng.normal(size=(5, 4))
    inputs = [(mild,), (mild[:3] - 1000 * rng.random(4),), (mild[:, :2] - 5000,)]
    apart = mild[:, :2] * [1, 2000] - [0, 5000]  # pictures far from each other
    inputs.append((apart,))
    return check(attempt, doubly_factor, inputs, DOUBLY_FACTOR)
