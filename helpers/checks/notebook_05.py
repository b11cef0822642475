"""Checks of notebook 05: The latent space; its walks have a file of their own."""

from functools import partial

import numpy as np
from scipy.special import ndtr, xlogy

from helpers.checks.comparing import Function, check, right_on, then


def overlap(p, q, dz, shared=np.minimum):
    return np.sum(shared(p, q)) * dz


def cosine(p, q):
    return p @ q / np.sqrt((p @ p) * (q @ q))


OVERLAP = {
    "the smaller of the two densities, not their product": (
        partial(overlap, shared=np.multiply)
    ),
    "the smaller of the two, not the larger": partial(overlap, shared=np.maximum),
    "the smaller of the two, not the root of their product": (
        partial(overlap, shared=lambda p, q: np.sqrt(p * q))
    ),
    "an integral: the sum times dz": lambda p, q, dz: overlap(p, q, 1.0),
    "an integral: the sum times dz, not the mean": (
        lambda p, q, dz: np.mean(np.minimum(p, q)),
        lambda p, q, dz: np.mean(np.minimum(p, q)) * dz,
    ),
    "the sum is multiplied by the step, not divided": (
        lambda p, q, dz: overlap(p, q, 1 / dz)
    ),
    "one step per sum: dz counts once": lambda p, q, dz: overlap(p, q, dz**2),
    "that is what they do not share; the overlap is 1 minus it": (
        partial(overlap, shared=lambda p, q: 0.5 * np.abs(p - q))
    ),
    "what is not shared lies in |p - q| twice: take half of it": (
        lambda p, q, dz: 1 - overlap(p, q, dz, lambda p, q: np.abs(p - q)),
        partial(overlap, shared=lambda p, q: np.abs(p - q)),
    ),
    "the absolute difference, not its square": (
        lambda p, q, dz: 1 - overlap(p, q, dz, lambda p, q: (p - q) ** 2),
        lambda p, q, dz: 1 - 0.5 * overlap(p, q, dz, lambda p, q: (p - q) ** 2),
    ),
    "that is 1 for any two densities: their areas are alike, and signed differences "
    "cancel; compare place by place": (
        lambda p, q, dz: min(np.sum(p), np.sum(q)) * dz,
        lambda p, q, dz: 1 - 0.5 * overlap(p, q, dz, np.subtract),
    ),
    "where q lies above p, p still shares all it has": (
        lambda p, q, dz: np.sum(q[p > q]) * dz,
        lambda p, q, dz: np.sum(p[q > p]) * dz,
    ),
    "that is the share of their union: don't divide by the larger": (
        lambda p, q, dz: np.sum(np.minimum(p, q)) / np.sum(np.maximum(p, q))
    ),
    "that is the best judge's error; the overlap is twice as much": (
        partial(overlap, shared=lambda p, q: np.minimum(p, q) / 2)
    ),
    "that is how often the best judge is right; the overlap is twice its error": (
        partial(overlap, shared=lambda p, q: np.maximum(p, q) / 2)
    ),
    "that is a cosine: it asks how alike the curves are, not what they share": (
        lambda p, q, dz: cosine(p, q),
        lambda p, q, dz: cosine(p - p.mean(), q - q.mean()),
    ),
    "that is a KL divergence, which has no upper bound": (
        partial(overlap, shared=lambda p, q: p * np.log(p / q)),
        partial(overlap, shared=lambda p, q: q * np.log(q / p)),
    ),
    "one number: add up over the grid": (
        lambda p, q, dz: np.minimum(p, q) * dz,
        lambda p, q, dz: np.minimum(p, q),
    ),
    "add up over the grid: the highest place alone is no probability": (
        lambda p, q, dz: np.max(np.minimum(p, q)),
        lambda p, q, dz: np.max(np.minimum(p, q)) * dz,
    ),
}


def check_overlap(attempt: Function) -> str:
    """Check ``overlap(p, q, dz)``: what two densities on a grid, (n,), share.

    The grids are fine, and the densities vanish at their ends, so that every rule of
    integration gives the same.
    """

    def normal(z, mean, sigma):
        return np.exp(-0.5 * ((z - mean) / sigma) ** 2) / np.sqrt(2 * np.pi) / sigma

    inputs = []
    for low, high, count, mean, sigma in (
        (-7, 9, 2001, 1, 1.5),
        (-6, 6, 3001, -1, 0.5),
    ):
        z = np.linspace(low, high, count)
        inputs.append((normal(z, 0, 1), normal(z, mean, sigma), z[1] - z[0]))
    same = inputs[0][0], inputs[0][0].copy(), inputs[0][2]
    return check(attempt, overlap, [*inputs, same], OVERLAP, tolerance=1e-4)


def uncertainty(p, times_log=xlogy, reduce=np.sum, axis=(1, 2, 3)):
    return -reduce(times_log(p, p) + times_log(1 - p, 1 - p), axis=axis)


def of_pixels(each):
    """Return what adds up ``each`` of the pixels' probabilities."""
    return lambda p: np.sum(each(p), axis=(1, 2, 3))


def over_the_picture(p):
    shares = p / p.sum(axis=(1, 2, 3), keepdims=True)
    return -np.sum(xlogy(shares, shares), axis=(1, 2, 3))


def of_mean_pixel(p, count=1):
    mean = p.mean(axis=(1, 2, 3))
    return -count * (xlogy(mean, mean) + xlogy(1 - mean, 1 - mean))


UNCERTAINTY = {
    "0 ln 0 is 0, and NumPy says nan: use scipy.special.xlogy(p, p)": (
        partial(uncertainty, times_log=lambda p, q: p * np.log(q))
    ),
    "one nan makes the whole sum nan, and nan_to_num the whole picture 0: mend each "
    "pixel": lambda p: np.nan_to_num(
        uncertainty(p, times_log=lambda p, q: p * np.log(q))
    ),
    "a coin has two sides: add -(1 - p) ln(1 - p)": of_pixels(lambda p: -xlogy(p, p)),
    "both sides of the coin add to the doubt: the signs are the same": (
        of_pixels(lambda p: xlogy(1 - p, 1 - p) - xlogy(p, p)),
        of_pixels(lambda p: xlogy(p, p) - xlogy(1 - p, 1 - p)),
    ),
    "nats: the natural logarithm, not log2": lambda p: uncertainty(p) / np.log(2),
    "the sign: an entropy is never negative": then(uncertainty, np.negative),
    "add up the pixels; their mean is 784 times smaller": (
        partial(uncertainty, reduce=np.mean)
    ),
    "one value per picture: add up axes 1, 2 and 3 only": partial(
        uncertainty, axis=None
    ),
    "one value per picture: the mean over pictures comes later": (
        then(uncertainty, np.mean)
    ),
    "one value per picture: add up the pixels": (
        partial(uncertainty, reduce=lambda x, axis: x)
    ),
    "channels count as pixels do: add up axis 3 too": partial(uncertainty, axis=(1, 2)),
    "axis 0 holds the pictures, and stays": partial(uncertainty, axis=0),
    "that is the coin's variance, another measure of doubt": (
        of_pixels(lambda p: p * (1 - p)),
        of_pixels(lambda p: np.sqrt(p * (1 - p))),
    ),
    "that is the surprise at the likelier side; the entropy is its mean over both": (
        of_pixels(lambda p: -np.log(np.maximum(p, 1 - p)))
    ),
    "each logarithm is weighed by the probability of its own side": (
        of_pixels(lambda p: -p * np.log(1 - p) - (1 - p) * np.log(p)),
        of_pixels(lambda p: -np.log(p) - np.log(1 - p)),
    ),
    "log1p(x) is ln(1 + x): ln(1 - p) is log1p(-p)": (
        of_pixels(lambda p: -xlogy(p, p) - (1 - p) * np.log1p(p)),
        of_pixels(lambda p: -p * np.log1p(p) - (1 - p) * np.log1p(1 - p)),
    ),
    "every pixel is a coin of its own: the pixels are not one distribution": (
        over_the_picture
    ),
    "the entropy of the mean pixel is larger: add up those of the pixels": (
        of_mean_pixel,
        lambda p: of_mean_pixel(p, p[0].size),
    ),
}
CLIPPED = (
    "right for pixels in doubt; for sure ones it adds something: clip by far less, "
    "such as 1e-7, or use scipy.special.xlogy(p, p)"
)


def check_uncertainty(attempt: Function) -> str:
    """Check ``uncertainty(p)``: pictures of coins, (n, h, w, c), to entropies (n,)."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.05, 0.95, size=(3, 4, 4, 1))
    sure = rng.uniform(0.05, 0.95, size=(2, 3, 4, 2))
    sure[:, 0, 0], sure[:, 1, 1] = 0.0, 1.0
    clipped = right_on(lambda p: p.min() > 0, attempt, uncertainty)
    mistakes = UNCERTAINTY | {CLIPPED: clipped}
    return check(attempt, uncertainty, [(p,), (sure,)], mistakes, tolerance=1e-4)


def densities(z, mean, log_var, half=0.5, power=0.5, spread=1.0, constant=2 * np.pi):
    squared = (z[:, np.newaxis] - mean) ** 2 / np.exp(spread * log_var)  # (m, n)
    return np.exp(-half * squared) / (constant * np.exp(log_var)) ** power


def aggregate_density(*arguments, mean=np.mean, axis=1, **changes):
    return mean(densities(*arguments, **changes), axis=axis)


def one_bell(z, mean, variance):
    return densities(z, np.array([mean]), np.log([variance]))[:, 0]


def raw_variance(z, mean, log_var):
    squared = (z[:, np.newaxis] - mean) ** 2 / log_var
    return np.mean(np.exp(-0.5 * squared) / np.sqrt(2 * np.pi * log_var), axis=1)


def raw_sigma(z, mean, log_var):
    squared = ((z[:, np.newaxis] - mean) / log_var) ** 2
    bells = np.exp(-0.5 * squared) / np.sqrt(2 * np.pi) / log_var
    return np.mean(np.where(log_var > 0, bells, np.nan), axis=1)


AGGREGATE_DENSITY = {
    "every picture has an equal share: the mean of the densities, not their sum": (
        partial(aggregate_density, mean=np.sum)
    ),
    "the share of a picture is 1 / n: divide by the pictures, not by the grid": (
        lambda z, m, v: aggregate_density(z, m, v) * len(m) / len(z)
    ),
    "average the densities, not the parameters: many narrow bells are not one": (
        lambda z, m, v: one_bell(z, m.mean(), np.exp(v.mean())),
        lambda z, m, v: one_bell(z, m.mean(), np.exp(v).mean()),
        lambda z, m, v: one_bell(z, m.mean(), np.exp(v / 2).mean() ** 2),
    ),
    "right mean and variance, and still one bell: the mixture has many": (
        lambda z, m, v: one_bell(z, m.mean(), m.var() + np.exp(v).mean())
    ),
    "the means alone are not the codes: each picture's bell adds its own variance": (
        lambda z, m, v: one_bell(z, m.mean(), m.var()),
        lambda z, m, v: one_bell(z, m.mean(), m.var(ddof=1)),
    ),
    "every picture has its own variance: not one for all": (
        lambda z, m, v: aggregate_density(z, m, 0 * v),
        lambda z, m, v: aggregate_density(z, m, 0 * v + v.mean()),
        lambda z, m, v: aggregate_density(z, m, 0 * v + np.log(np.exp(v).mean())),
        lambda z, m, v: aggregate_density(
            z, m, 0 * v + 2 * np.log(np.exp(v / 2).mean())
        ),
    ),
    "that is the geometric mean: average the densities, not their logarithms": (
        lambda *args: np.exp(np.log(densities(*args)).mean(axis=1))
    ),
    "that is the mean of the logarithms: average the densities": (
        lambda *args: np.log(densities(*args)).mean(axis=1)
    ),
    "the density itself, not its logarithm": then(aggregate_density, np.log),
    "a mixture adds its bells; it does not multiply them": (
        partial(aggregate_density, mean=np.prod)
    ),
    "the mean of all bells, not the highest": partial(aggregate_density, mean=np.max),
    "exp(z_log_var) is the variance, and not a standard deviation": (
        lambda z, m, v: aggregate_density(z, m, 2 * v)
    ),
    "z_log_var is a logarithm: exponentiate it": (
        raw_variance,
        raw_sigma,
        lambda z, m, v: aggregate_density(z, m, np.log(np.abs(v))),
        lambda z, m, v: aggregate_density(z, m, 2 * np.log(np.abs(v))),
    ),
    "the sign in the exponent: exp(-z_log_var) is the precision": (
        lambda z, m, v: aggregate_density(z, m, -v)
    ),
    "each bell must integrate to one: divide by sqrt(2 pi) sigma": (
        partial(aggregate_density, power=0.0),
        partial(aggregate_density, constant=1.0),
        lambda z, m, v: np.mean(
            densities(z, m, v, power=0.0) / np.sqrt(2 * np.pi), axis=1
        ),
    ),
    "the root of 2 pi sigma^2: sigma comes out of it once, 2 pi stays inside": (
        partial(aggregate_density, power=1.0),
        lambda z, m, v: aggregate_density(z, m, v, power=1.0) * np.sqrt(2 * np.pi),
        lambda z, m, v: aggregate_density(z, m, v) / np.sqrt(2 * np.pi),
    ),
    "the factor 1/2 in the exponent is missing": partial(aggregate_density, half=1.0),
    "in the exponent the square is divided by the variance, not by sigma": (
        partial(aggregate_density, spread=0.5)
    ),
    "the sign in the exponent: far from its mean a bell must vanish": (
        partial(aggregate_density, half=-0.5)
    ),
    "that is the share below z; its slope is the density": (
        lambda z, m, v: ndtr((z[:, np.newaxis] - m) / np.exp(v / 2)).mean(axis=1)
    ),
    "that is the prior; the aggregate is what the pictures' codes make of it": (
        lambda z, m, v: one_bell(z, 0.0, 1.0)
    ),
    "a density integrates to one over z; it does not add up to one on the grid": (
        then(aggregate_density, lambda q: q / q.sum())
    ),
    "one value for each z: average over the pictures": densities,
    "one value for each z: average over the pictures, not over the z": (
        partial(aggregate_density, axis=0),
        partial(aggregate_density, axis=None),
    ),
}


def check_aggregate_density(attempt: Function) -> str:
    """Check ``aggregate_density(z, z_mean, z_log_var)``: (m,), (n,), (n,) to (m,)."""
    rng, inputs = np.random.default_rng(0), []
    for points, pictures, low, high in ((7, 6, -3.0, -1.0), (5, 9, -1.0, 0.6)):
        log_var = rng.uniform(low, high, size=pictures)
        inputs.append((np.linspace(-2, 2, points), rng.normal(size=pictures), log_var))
    return check(attempt, aggregate_density, inputs, AGGREGATE_DENSITY)
