"""Checks of notebook 09: Your own data."""

from functools import partial
from itertools import product

import numpy as np

from helpers.checks.comparing import LOG_2_PI, Function, check


def scaled(train, new, centre=np.mean, spread=np.std, axis=0, guard=1.0):
    unit = spread(train, axis=axis, keepdims=True)
    unit = np.where(unit > 0, unit, guard)
    return (new - centre(train, axis=axis, keepdims=True)) / unit


def by_one_fewer(rows, **options):
    return np.std(rows, ddof=1, **options)


def unit_range(train, new):
    low, high = train.min(axis=0), train.max(axis=0)
    return (new - low) / np.where(high > low, high - low, 1)


STANDARDISE = {
    "by the training rows' own mean and deviation, not by the new rows'": (
        lambda t, n: scaled(n, n)
    ),
    "new rows must not be seen: the mean and deviation of the training rows alone": (
        lambda t, n: scaled(np.concatenate([t, n]), n)
    ),
    "each column by its own: here one mean and one deviation serve all": (
        partial(scaled, axis=None)
    ),
    "subtract the mean too": partial(scaled, centre=lambda rows, **_: 0.0),
    "divide by the standard deviation too": lambda t, n: n - t.mean(axis=0),
    "divide by the deviation, not by the variance": partial(scaled, spread=np.var),
    "that divides by n - 1 under the root; here it is n, ddof=0, NumPy's own": partial(
        scaled, spread=by_one_fewer
    ),
    "the new rows are wanted, and these are the training rows": (
        lambda t, n: scaled(t, t)
    ),
    "that scales to [0, 1]: here mean 0 and deviation 1 are wanted": unit_range,
    "a column that never changes has the deviation 0: divide it by 1": (
        partial(scaled, guard=0.0),
        partial(scaled, guard=1e-8),
    ),
}


def check_standardise(attempt: Function) -> str:
    """Check ``standardise(train, new)``: new rows (m, k) in training units."""
    rng = np.random.default_rng(0)
    train = rng.normal(size=(12, 3)) * [1, 20, 0.3] + [0, 50, -2]
    new = train[:5] + rng.normal(size=(5, 3)) * [0.5, 8, 0.2] + 0.3
    still = train.copy(), new.copy()
    still[0][:, 1], still[1][:, 1] = 7.0, [7.0, 7.0, 8.0, 7.0, 6.0]
    return check(attempt, scaled, [(train, new), still], STANDARDISE)


def deviation(values):
    return np.sqrt(values / 2)


SIGMA = {
    "that is its square, the variance: take the root": lambda d: d / 2,
    "that is for (x - m)^2 / (2 D): of this loss nothing is halved yet": np.sqrt,
    "a mean is a sum over values *divided* by D, so sigma grows with D": (
        lambda d: np.sqrt(2 / d),
        lambda d: np.sqrt(1 / d),
        lambda d: np.sqrt(1 / (2 * d)),
    ),
    "the factor 2 stands below: (x - m)^2 / (2 sigma^2)": lambda d: np.sqrt(2 * d),
    "sigma of the sum of squares, without the mean: it knows no D": (
        lambda d: np.sqrt(0.5) + 0 * np.asarray(d)
    ),
    "that is the beta of a sum of squares; here sigma was asked": lambda d: d + 0.0,
    "that is its logarithm": lambda d: 0.5 * np.log(d / 2),
    "that is the precision, one over the variance": lambda d: 2 / d,
}


def check_hidden_sigma(attempt: Function) -> str:
    """Check ``hidden_sigma(values)``: what the mean squared error + KL takes it for."""
    inputs = [(784.0,), (64.0,), (30.0,)]
    return check(attempt, deviation, inputs, SIGMA)


def loss(x, logits, z_mean, z_log_var, over=(np.sum, np.sum, np.mean), kl=1.0):
    """Return nats per picture: distortion plus KL, reduced as ``over`` says."""
    coins = np.logaddexp(0, logits) - x * logits
    each = 0.5 * (z_mean**2 + np.exp(z_log_var) - 1 - z_log_var)
    pixels, latents, rows = over
    return rows(pixels(coins, axis=1) + kl * latents(each, axis=1))


def squashed(x, logits, z_mean, z_log_var):
    return loss(x, 1 / (1 + np.exp(-logits)), z_mean, z_log_var)


def left_broken(*parts):
    """Return the losses in which one part at least is left, and others may be."""
    ways = {"pixels": (np.sum, np.mean), "latents": (np.sum, np.mean), "kl": (1.0, -1)}
    ways |= {part: options[1:] for part, options in ways.items() if part in parts}
    return tuple(
        partial(loss, over=(pixels, latents, np.mean), kl=kl)
        for pixels, latents, kl in product(*ways.values())
    )


LOSS = {
    "the sign of the KL is still wrong: it must be positive": left_broken("kl"),
    "pixels are still averaged: beside a KL in nats their sum belongs": (
        left_broken("pixels")
    ),
    "latents are still averaged: their sum belongs": left_broken("latents"),
    "what is averaged is the batch, and only that: here it is summed": (
        partial(loss, over=(np.sum, np.sum, np.sum))
    ),
    "one number: the mean over the batch": (
        partial(loss, over=(np.sum, np.sum, lambda nats: nats))
    ),
    "that is the distortion alone": partial(loss, kl=0.0),
    "that is the KL alone": lambda x, logits, *q: loss(0 * x, 0 * logits - 99, *q),
    "the half before the KL is lost": partial(loss, kl=2.0),
    "logits go through one sigmoid; here it is two": squashed,
    "z_log_var is the variance's logarithm, not the deviation's": (
        lambda x, logits, z_mean, z_log_var: loss(x, logits, z_mean, 2 * z_log_var)
    ),
}


def check_repaired(attempt: Function) -> str:
    """Check ``repaired(x, logits, z_mean, z_log_var)``: nats per picture."""
    rng = np.random.default_rng(7)
    inputs = []
    for rows, pixels, latents in ((5, 12, 3), (4, 9, 6)):
        x = np.float64(rng.random((rows, pixels)) < 0.4)
        logits = rng.normal(0, 2, (rows, pixels))
        inputs.append((x, logits, *rng.normal(size=(2, rows, latents))))
    return check(attempt, loss, inputs, LOSS)


def distances(known, new):
    return np.sqrt(np.sum((new[:, np.newaxis] - known) ** 2, axis=-1))


def share(known, new, ratio=0.5, strict=False, power=1.0, reduce=np.mean):
    first, second = np.sort(distances(known, new) ** power, axis=1)[:, :2].T
    near = first < ratio * second if strict else first <= ratio * second
    return reduce(near)


def within(known, new):
    """Return the share among the known rows themselves."""
    first, second = np.sort(distances(known, known), axis=1)[:, 1:3].T
    return np.mean(first <= 0.5 * second)


COPIED = {
    "for each new row, and not for each known one": lambda k, n: share(n, k),
    "those are the known rows among themselves": within,
    "half as far, and these are squared distances: a quarter of them": (
        partial(share, power=2.0)
    ),
    "equal rows are copies, but near ones too": lambda k, n: np.mean(
        distances(k, n).min(axis=1) == 0
    ),
    "a row that stands twice among the known has two distances of 0: it is a copy": (
        partial(share, strict=True)
    ),
    "known rows that are the same count each, also near them: leave none out": (
        lambda k, n: share(np.unique(k, axis=0), n)
    ),
    "a share: divide by the number of new rows": partial(share, reduce=np.sum),
    "those are the rows that are *not* copies": lambda k, n: 1 - share(k, n),
    "one answer for each row; their mean is the share": (
        partial(share, reduce=lambda near: near)
    ),
    "at most as far as the second nearest is every row: half as far": (
        partial(share, ratio=1.0)
    ),
    "near by what measure? Compare with the second nearest, not with the median": (
        lambda k, n: np.mean(
            distances(k, n).min(axis=1) <= 0.5 * np.median(distances(k, n).min(axis=1))
        )
    ),
}


def check_copied(attempt: Function) -> str:
    """Check ``copied(known, new)``: the share of new rows (m, D) with a near copy."""
    rng = np.random.default_rng(8)
    known = rng.normal(size=(40, 3))
    known[1] = known[0]
    new = rng.normal(size=(25, 3))
    new[:6] = known[10:16] + 0.01 * rng.normal(size=(6, 3))
    new[6], new[7], new[8] = known[0], known[20], known[0] + 0.01
    other = rng.normal(size=(30, 4)), rng.normal(size=(10, 4))
    other[1][:2] = other[0][:2] + 0.02
    return check(attempt, share, [(known, new), other], COPIED)


def log_normal(z, mean, covariance):
    apart = z - mean
    squared = np.sum(apart * np.linalg.solve(covariance, apart.T).T, axis=1)
    size = np.linalg.slogdet(covariance)[1]
    return -0.5 * (z.shape[1] * LOG_2_PI + size + squared)


def fitted(z):
    return z.mean(axis=0), np.cov(z, rowvar=False, ddof=0)


def gain(z_train, z, own=fitted, sign=1.0, reduce=np.mean):
    d = z.shape[1]
    prior = log_normal(z, np.zeros(d), np.eye(d))
    return sign * reduce(log_normal(z, *own(z_train)) - prior)


def independent(z):
    return z.mean(axis=0), np.diag(z.var(axis=0))


GAIN = {
    "fit it to the training codes, and ask it about the others": (
        lambda t, z: gain(z, z),
        lambda t, z: gain(t, t),
        lambda t, z: gain(z, t),
    ),
    "the sign: what is won is the fitted density's logarithm less the prior's": (
        partial(gain, sign=-1.0)
    ),
    "latents hang together: take the whole covariance, not each latent's variance": (
        partial(gain, own=independent)
    ),
    "in nats per code: the mean over codes, not their sum": partial(
        gain, reduce=np.sum
    ),
    "one number: the mean over the codes": partial(gain, reduce=lambda nats: nats),
    "the mean may move too": partial(
        gain, own=lambda z: (0 * z.mean(axis=0), np.cov(z, rowvar=False, ddof=0))
    ),
    "the spread may change too": partial(
        gain, own=lambda z: (z.mean(axis=0), np.eye(z.shape[1]))
    ),
    "np.cov divides by n - 1, the likeliest covariance by n: ddof=0": partial(
        gain, own=lambda z: (z.mean(axis=0), np.cov(z, rowvar=False))
    ),
    "nats are natural logarithms; these are bits": lambda t, z: gain(t, z) / np.log(2),
    "that is the fitted density alone: the prior's logarithm is to be subtracted": (
        lambda t, z: np.mean(log_normal(z, *fitted(t)))
    ),
}


def check_prior_gain(attempt: Function) -> str:
    """Check ``prior_gain(z_train, z)``: nats that a fitted normal wins over N(0, I)."""
    rng = np.random.default_rng(5)
    turn = rng.normal(size=(3, 3))
    codes = rng.normal(size=(400, 3)) @ turn + [1.0, 0.0, -0.5]
    tilt = rng.normal(size=(300, 2)) @ np.array([[1.0, 0.8], [0.0, 0.4]])
    inputs = [(codes[:300], codes[300:]), (tilt[:200], tilt[200:] + 0.1)]
    return check(attempt, gain, inputs, GAIN)
