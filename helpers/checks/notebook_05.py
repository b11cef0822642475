"""Checks of notebook 05: The latent space."""

from functools import partial

import numpy as np
from scipy.special import xlogy

from helpers.checks.comparing import Function, check, then


def overlap(p, q, dz, shared=np.minimum):
    return np.sum(shared(p, q)) * dz


OVERLAP = {
    "the smaller of the two densities, not their product": (
        partial(overlap, shared=np.multiply)
    ),
    "the smaller of the two, not the larger": partial(overlap, shared=np.maximum),
    "an integral: the sum times dz": lambda p, q, dz: overlap(p, q, 1.0),
    "an integral: the sum times dz, not the mean": (
        lambda p, q, dz: np.mean(np.minimum(p, q))
    ),
    "that is what they do not share; the overlap is 1 minus it": (
        partial(overlap, shared=lambda p, q: 0.5 * np.abs(p - q))
    ),
    "one number: add up over the grid": lambda p, q, dz: np.minimum(p, q) * dz,
}


def check_overlap(attempt: Function) -> str:
    """Check ``overlap(p, q, dz)``: what two densities on a grid, (n,), share."""
    z = np.linspace(-6, 8, 57)
    p = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    q = np.exp(-0.5 * ((z - 1) / 1.5) ** 2) / np.sqrt(4.5 * np.pi)
    inputs = [(p, q, z[1] - z[0]), (p, p, z[1] - z[0])]
    return check(attempt, overlap, inputs, OVERLAP, tolerance=1e-4)


def uncertainty(p, times_log=xlogy, reduce=np.sum, axis=(1, 2, 3)):
    return -reduce(times_log(p, p) + times_log(1 - p, 1 - p), axis=axis)


UNCERTAINTY = {
    "0 ln 0 is 0, and NumPy says nan: use scipy.special.xlogy(p, p)": (
        partial(uncertainty, times_log=lambda p, q: p * np.log(q))
    ),
    "a coin has two sides: add -(1 - p) ln(1 - p)": (
        lambda p: -np.sum(xlogy(p, p), axis=(1, 2, 3))
    ),
    "nats: the natural logarithm, not log2": lambda p: uncertainty(p) / np.log(2),
    "the sign: an entropy is never negative": then(uncertainty, np.negative),
    "add up the pixels; their mean is 784 times smaller": (
        partial(uncertainty, reduce=np.mean)
    ),
    "one value per picture: add up axes 1, 2 and 3 only": partial(
        uncertainty, axis=None
    ),
    "one value per picture: add up the pixels": (
        partial(uncertainty, reduce=lambda x, axis: x)
    ),
    "that is the coin's variance, another measure of doubt": (
        lambda p: np.sum(p * (1 - p), axis=(1, 2, 3))
    ),
}


def check_uncertainty(attempt: Function) -> str:
    """Check ``uncertainty(p)``: pictures of coins, (n, h, w, c), to entropies (n,)."""
    p = np.random.default_rng(0).uniform(0.01, 0.99, size=(3, 4, 4, 1))
    sure = p.copy()
    sure[:, 0, 0], sure[:, 1, 1] = 0.0, 1.0
    return check(attempt, uncertainty, [(p,), (sure,)], UNCERTAINTY)


def unit(code):
    return code / np.linalg.norm(code)


def angle(first, last):
    return np.arccos(unit(first) @ unit(last))


def slerp(first, last, weights, angle=angle, sine=np.sin):
    theta, w = angle(first, last), np.asarray(weights)[:, np.newaxis]
    way = np.sin((1 - w) * theta) * first + np.sin(w * theta) * last
    return way / sine(theta)


SLERP = {
    "that is the straight line": lambda a, b, w: np.outer(1 - w, a) + np.outer(w, b),
    "divide by both lengths before the arccos: it wants the cosine of the angle": (
        partial(slerp, angle=lambda a, b: np.arccos(a @ b))
    ),
    "divide by sin(theta), or the ends are not the two codes": (
        partial(slerp, sine=lambda theta: 1.0)
    ),
    "radians: np.sin takes no degrees": partial(slerp, angle=then(angle, np.degrees)),
    "the path runs backwards: weight 0 is the first code": lambda a, b, w: slerp(
        b, a, w
    ),
    "the codes keep their own lengths: do not normalise them": (
        lambda a, b, w: slerp(unit(a), unit(b), w)
    ),
    "one row per code: the shape should be (n, d)": then(slerp, np.transpose),
}


def check_slerp(attempt: Function) -> str:
    """Check ``slerp(first, last, weights)``: two (d,) and (n,) to an arc, (n, d)."""
    first = np.array([0.9, 0.2, -0.1, 0.4])
    others = np.array([[-0.3, 0.8, 0.5, 0.1], [-0.7, -0.5, 0.6, 0.2]])
    inputs = [(first, last, np.linspace(0, 1, 5)) for last in others]
    return check(attempt, slerp, inputs, SLERP)


def traverse(code, latent, values):
    codes = np.repeat(code[np.newaxis], len(values), axis=0)
    codes[:, latent] = values
    return codes


TRAVERSE = {
    "the latent takes the values; they are not added to it": (
        lambda code, j, values: traverse(code, j, code[j] + values)
    ),
    "the others keep the code's values: start from copies of the code, not zeros": (
        lambda code, j, values: traverse(0 * code, j, values)
    ),
    "every row is the same array, and so all show the last value: copy the code": (
        lambda code, j, values: traverse(code, j, np.repeat(values[-1:], len(values)))
    ),
    "only the one latent changes": (
        lambda code, j, values: np.outer(values, np.ones_like(code))
    ),
    "one row per value: the shape should be (n, d)": then(traverse, np.transpose),
}


def check_traverse(attempt: Function) -> str:
    """Check ``traverse(code, latent, values)``: (d,), an index and (n,) to (n, d)."""
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=4), j, rng.normal(size=3)) for j in (2, 0)]
    return check(attempt, traverse, inputs, TRAVERSE)


def densities(z, mean, log_var, power=0.5):
    squared = (z[:, np.newaxis] - mean) ** 2 / np.exp(log_var)  # (m, n)
    return np.exp(-0.5 * squared) / (2 * np.pi * np.exp(log_var)) ** power


def aggregate_density(*arguments, mean=np.mean, axis=1, **changes):
    return mean(densities(*arguments, **changes), axis=axis)


AGGREGATE_DENSITY = {
    "every picture has an equal share: the mean of the densities, not their sum": (
        partial(aggregate_density, mean=np.sum)
    ),
    "average the densities, not the parameters: many narrow bells are not one": (
        lambda z, m, v: densities(z, m.mean(), v.mean())[:, 0]
    ),
    "that is the geometric mean: average the densities, not their logarithms": (
        lambda *args: np.exp(np.log(densities(*args)).mean(axis=1))
    ),
    "exp(z_log_var) is the variance, and not a standard deviation": (
        lambda z, m, v: aggregate_density(z, m, 2 * v)
    ),
    "each bell must integrate to one: divide by sqrt(2 pi) sigma": (
        partial(aggregate_density, power=0.0)
    ),
    "one value for each z: average over the pictures": densities,
    "one value for each z: average over the pictures, not over the z": (
        partial(aggregate_density, axis=0)
    ),
}


def check_aggregate_density(attempt: Function) -> str:
    """Check ``aggregate_density(z, z_mean, z_log_var)``: (m,), (n,), (n,) to (m,)."""
    rng = np.random.default_rng(0)
    inputs = [(np.linspace(-2, 2, 7), rng.normal(size=6), rng.normal(-2, 0.5, size=6))]
    return check(attempt, aggregate_density, inputs, AGGREGATE_DENSITY)
