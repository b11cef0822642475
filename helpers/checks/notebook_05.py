"""Checks of notebook 05: The latent space."""

import numpy as np
from scipy.special import xlogy

from helpers.checks.comparing import Function, check


def check_overlap(attempt: Function) -> str:
    """Check ``overlap(p, q, dz)``: what two densities on a grid, (n,), have in common, a number."""
    z = np.linspace(-6, 8, 57)
    p = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    q = np.exp(-0.5 * ((z - 1) / 1.5) ** 2) / np.sqrt(4.5 * np.pi)
    return check(
        attempt,
        lambda p, q, dz: np.sum(np.minimum(p, q)) * dz,
        [(p, q, z[1] - z[0]), (p, p, z[1] - z[0])],
        {
            "the smaller of the two densities, not their product": (
                lambda p, q, dz: np.sum(p * q) * dz
            ),
            "the smaller of the two, not the larger": (
                lambda p, q, dz: np.sum(np.maximum(p, q)) * dz
            ),
            "an integral: the sum times dz": lambda p, q, dz: np.sum(np.minimum(p, q)),
            "an integral: the sum times dz, not the mean": (
                lambda p, q, dz: np.mean(np.minimum(p, q))
            ),
            "that is what they do not share; the overlap is 1 minus it": (
                lambda p, q, dz: 0.5 * np.sum(np.abs(p - q)) * dz
            ),
            "one number: add up over the grid": lambda p, q, dz: np.minimum(p, q) * dz,
        },
        tolerance=1e-4,
    )


def check_uncertainty(attempt: Function) -> str:
    """Check ``uncertainty(p)``: entropy of pictures of coins, (n, h, w, c) to nats, (n,)."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.01, 0.99, size=(3, 4, 4, 1))
    sure = p.copy()
    sure[:, 0, 0], sure[:, 1, 1] = 0.0, 1.0

    def entropy(p, reduce=np.sum, axis=(1, 2, 3)):
        return -reduce(xlogy(p, p) + xlogy(1 - p, 1 - p), axis=axis)

    return check(
        attempt,
        entropy,
        [(p,), (sure,)],
        {
            "0 ln 0 is 0, and NumPy says nan: use scipy.special.xlogy(p, p)": (
                lambda p: (
                    -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p), axis=(1, 2, 3))
                )
            ),
            "a coin has two sides: add -(1 - p) ln(1 - p)": (
                lambda p: -np.sum(xlogy(p, p), axis=(1, 2, 3))
            ),
            "nats: the natural logarithm, not log2": lambda p: entropy(p) / np.log(2),
            "the sign: an entropy is never negative": lambda p: -entropy(p),
            "add up the pixels; their mean is 784 times smaller": (
                lambda p: entropy(p, reduce=np.mean)
            ),
            "one value a picture: add up axes 1, 2 and 3 only": lambda p: entropy(
                p, axis=None
            ),
            "one value a picture: add up the pixels": lambda p: (
                -xlogy(p, p) - xlogy(1 - p, 1 - p)
            ),
            "that is the coin's variance, another measure of doubt": (
                lambda p: np.sum(p * (1 - p), axis=(1, 2, 3))
            ),
        },
    )


def check_slerp(attempt: Function) -> str:
    """Check ``slerp(first, last, weights)``: (d,), (d,) and (n,) to codes on an arc, (n, d)."""
    first = np.array([0.9, 0.2, -0.1, 0.4])
    others = np.array([[-0.3, 0.8, 0.5, 0.1], [-0.7, -0.5, 0.6, 0.2]])
    weights = np.linspace(0, 1, 5)

    def angle_between(a, b):
        return np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def arc(a, b, weights, angle=angle_between, sine=np.sin):
        theta, w = angle(a, b), np.asarray(weights)[:, np.newaxis]
        return (np.sin((1 - w) * theta) * a + np.sin(w * theta) * b) / sine(theta)

    return check(
        attempt,
        arc,
        [(first, last, weights) for last in others],
        {
            "that is the straight line": lambda a, b, w: (
                np.outer(1 - w, a) + np.outer(w, b)
            ),
            "divide by both lengths before the arccos: it wants the cosine of the angle": (
                lambda a, b, w: arc(a, b, w, angle=lambda a, b: np.arccos(a @ b))
            ),
            "divide by sin(theta), or the ends are not the two codes": (
                lambda a, b, w: arc(a, b, w, sine=lambda theta: 1.0)
            ),
            "radians: np.sin takes no degrees": (
                lambda a, b, w: arc(
                    a, b, w, angle=lambda a, b: np.degrees(angle_between(a, b))
                )
            ),
            "the path runs backwards: weight 0 is the first code": lambda a, b, w: arc(
                b, a, w
            ),
            "the codes keep their own lengths: do not normalise them": (
                lambda a, b, w: arc(a / np.linalg.norm(a), b / np.linalg.norm(b), w)
            ),
            "one row a code: the shape should be (n, d)": lambda a, b, w: (
                arc(a, b, w).T
            ),
        },
    )


def check_traverse(attempt: Function) -> str:
    """Check ``traverse(code, latent, values)``: (d,), an index and (n,) to codes (n, d)."""
    rng = np.random.default_rng(0)

    def varied(code, latent, values):
        codes = np.repeat(code[np.newaxis], len(values), axis=0)
        codes[:, latent] = values
        return codes

    return check(
        attempt,
        varied,
        [
            (rng.normal(size=4), 2, rng.normal(size=3)),
            (rng.normal(size=4), 0, rng.normal(size=3)),
        ],
        {
            "the latent takes the values; they are not added to it": (
                lambda code, j, values: varied(code, j, code[j] + values)
            ),
            "the others keep the code's values: start from copies of the code, not from zeros": (
                lambda code, j, values: varied(0 * code, j, values)
            ),
            "every row is the same array, and so all show the last value: copy the code": (
                lambda code, j, values: varied(
                    code, j, np.full(len(values), values[-1])
                )
            ),
            "only the one latent changes": (
                lambda code, j, values: np.repeat(
                    values[:, np.newaxis], len(code), axis=1
                )
            ),
            "one row a value: the shape should be (n, d)": (
                lambda code, j, values: varied(code, j, values).T
            ),
        },
    )


def check_aggregate_density(attempt: Function) -> str:
    """Check ``aggregate_density(z, z_mean, z_log_var)``: one latent's q(z), (m,), from (n,)."""
    rng = np.random.default_rng(0)
    z_mean, z_log_var = rng.normal(size=6), rng.normal(-2, 0.5, size=6)

    def parts(z, mean, log_var, power=0.5):
        squared = (z[:, np.newaxis] - mean) ** 2 / np.exp(log_var)
        return np.exp(-0.5 * squared) / (2 * np.pi * np.exp(log_var)) ** power

    def mixture(*arguments, **changes):
        return parts(*arguments, **changes).mean(axis=1)

    return check(
        attempt,
        mixture,
        [(np.linspace(-2, 2, 7), z_mean, z_log_var)],
        {
            "every picture has an equal share: the mean of the densities, not their sum": (
                lambda *args: parts(*args).sum(axis=1)
            ),
            "average the densities, not the parameters: many narrow bells are not one": (
                lambda z, m, v: mixture(z, m.mean(keepdims=True), v.mean(keepdims=True))
            ),
            "that is the geometric mean: average the densities, not their logarithms": (
                lambda *args: np.exp(np.log(parts(*args)).mean(axis=1))
            ),
            "exp(z_log_var) is the variance, and not a standard deviation": (
                lambda z, m, v: mixture(z, m, 2 * v)
            ),
            "each bell must integrate to one: divide by sqrt(2 pi) sigma": (
                lambda *args: mixture(*args, power=0.0)
            ),
            "one value for each z: average over the pictures": parts,
            "one value for each z: average over the pictures, not over the z": (
                lambda *args: parts(*args).mean(axis=0)
            ),
        },
    )
