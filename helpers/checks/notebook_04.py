"""Checks of notebook 04: Latent priors; its samplers have a file of their own."""

from functools import partial

import numpy as np
from scipy.special import logsumexp

from helpers.checks.comparing import LOG_2_PI, Function, check, right_on, then


def kl_laplace(mean, log_scale, one=1.0, reduce=np.sum, axis=-1):
    distance, scale = np.abs(mean), np.exp(log_scale)
    terms = distance + scale * np.exp(-distance / scale) - one - log_scale
    return reduce(terms, axis=axis)


def kl_of(terms):
    """Return a KL that is the sum of ``terms`` of |mu|, b and ln b."""
    return lambda m, s: np.sum(terms(np.abs(m), np.exp(s), s), axis=-1)


KL_LAPLACE = {
    "the sign: a KL divergence is never negative": then(kl_laplace, np.negative),
    "|mu|: the distance counts, whichever side": (
        lambda m, s: np.sum(m + np.exp(s - m / np.exp(s)) - 1 - s, axis=-1)
    ),
    "b is the exponential of the logarithm that comes in": (
        kl_of(lambda a, b, s: a + s * np.exp(-a / s) - 1 - np.log(s)),
        kl_of(lambda a, b, s: a + s * np.exp(-a / s) - 1 - np.log(np.abs(s))),
        kl_of(lambda a, b, s: a + s * np.exp(-a / s) - 1 - s),
    ),
    "z_log_scale is ln b already: no second logarithm": (
        kl_of(lambda a, b, s: a + b * np.exp(-a / b) - 1 - np.log(s))
    ),
    "a scale is no variance: no factor 1/2 in the exponent": (
        lambda m, s: kl_laplace(m, s / 2),
        lambda m, s: kl_laplace(m, s / 2) - np.sum(s, axis=-1) / 2,
    ),
    "where q is the prior it must be 0: the -1 is missing": partial(
        kl_laplace, one=0.0
    ),
    "the -1 counts once per latent: d times, inside the sum": (
        lambda m, s: kl_laplace(m, s) + m.shape[1] - 1
    ),
    "the sign of ln b: a sharp posterior (a small b) is dear": (
        lambda m, s: kl_laplace(m, s) + 2 * np.sum(s, axis=-1)
    ),
    "b is missing before the exponential": (
        kl_of(lambda a, b, s: a + np.exp(-a / b) - 1 - s)
    ),
    "in the exponent the distance is divided by b, not multiplied": (
        kl_of(lambda a, b, s: a + b * np.exp(-a * b) - 1 - s)
    ),
    "in the exponent the distance is counted in scales: divide it by b": (
        kl_of(lambda a, b, s: a + b * np.exp(-a) - 1 - s)
    ),
    "the sign in the exponent: far from 0 that term must vanish": (
        kl_of(lambda a, b, s: a + b * np.exp(a / b) - 1 - s)
    ),
    "the exponential is missing: b counts only as far as q reaches across 0": (
        kl_of(lambda a, b, s: a + b - 1 - s)
    ),
    "that is ln q - ln p at z = mu; the KL is its mean over q": (
        kl_of(lambda a, b, s: a - s)
    ),
    "a distance, not its square: Laplace's logarithm is a tent": (
        kl_of(lambda a, b, s: a**2 + b * np.exp(-a / b) - 1 - s)
    ),
    "the other way round: that is the KL of the prior from q": (
        kl_of(lambda a, b, s: a / b + np.exp(-a) / b - 1 + s)
    ),
    "the factor 1/2 belongs to the normal's": then(kl_laplace, lambda kl: 0.5 * kl),
    "that is the normal's": (
        kl_of(lambda a, b, s: 0.5 * (a**2 + b**2 - 1) - s),
        kl_of(lambda a, b, s: 0.5 * (a**2 + b - 1 - s)),
    ),
    "sum over the latents; their mean is a hidden beta of 1/d": (
        partial(kl_laplace, reduce=np.mean)
    ),
    "one value per picture: sum over the last axis only": partial(
        kl_laplace, axis=None
    ),
    "one value per picture: the mean over the batch comes later": (
        then(kl_laplace, np.mean)
    ),
    "sum over the latents, the last axis": partial(
        kl_laplace, reduce=lambda x, axis: x
    ),
    "the sum over the latents runs along axis 1; axis 0 holds the pictures": partial(
        kl_laplace, axis=0
    ),
}


def check_kl_laplace(attempt: Function) -> str:
    """Check ``kl_laplace(z_mean, z_log_scale)``: nats per picture, (n, d) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [
        (rng.normal(size=shape), rng.uniform(low, 0.8, size=shape))
        for shape, low in (((4, 3), -1.5), ((2, 5), 0.1))
    ]
    return check(attempt, kl_laplace, inputs, KL_LAPLACE, tolerance=1e-4)


def log_normals(z, means, half=0.5, power=2):
    distances = np.abs(z[:, np.newaxis] - means)
    return -half * distances**power - 0.5 * LOG_2_PI  # (n, K, d)


def log_mixture(z, means, log_weights, over_components=logsumexp, **changes):
    parts = log_normals(z, means, **changes).sum(axis=2) + log_weights
    return over_components(parts, axis=1)


def mixture_per_latent(z, means, log_weights):
    parts = log_normals(z, means) + log_weights[:, np.newaxis]
    return logsumexp(parts, axis=1).sum(axis=1)


def of_distance(z, means, log_weights):
    distances = np.sqrt(np.sum((z[:, np.newaxis] - means) ** 2, axis=2))
    constant = 0.5 * LOG_2_PI * z.shape[1]
    return logsumexp(-0.5 * distances - constant + log_weights, axis=1)


def of_mean_square(z, means, log_weights):
    squares = np.mean((z[:, np.newaxis] - means) ** 2, axis=2)
    constant = 0.5 * LOG_2_PI * z.shape[1]
    return logsumexp(-0.5 * squares - constant + log_weights, axis=1)


LOG_MIXTURE = {
    "a component belongs to the whole vector: sum over latents first, then logsumexp "
    "over components": mixture_per_latent,
    "far away every density is 0 in floating point: scipy.special.logsumexp": (
        partial(
            log_mixture, over_components=lambda x, axis: np.log(np.exp(x).sum(axis))
        )
    ),
    "the weights are missing: add ln w_k": (
        lambda z, m, w: log_mixture(z, m, 0 * w),
        lambda z, m, w: log_mixture(z, m, 0 * w - np.log(len(w))),
    ),
    "the weights come as logarithms: add them": (
        lambda z, m, w: log_mixture(z, m, np.exp(w)),
        lambda z, m, w: log_mixture(z, m, np.log(w)),
        lambda z, m, w: log_mixture(z, m, np.log(np.abs(w))),
        lambda z, m, w: logsumexp(log_normals(z, m).sum(2), axis=1, b=w),
    ),
    "a logarithm is added to ln p, not multiplied with it": (
        lambda z, m, w: logsumexp(log_normals(z, m).sum(axis=2) * w, axis=1),
        lambda z, m, w: logsumexp(log_normals(z, m).sum(axis=2) * np.exp(w), axis=1),
    ),
    "the weights add up to one: no division by K": (
        lambda z, m, w: log_mixture(z, m, w) - np.log(len(w))
    ),
    "a mixture is a sum of densities, not of their logarithms": (
        lambda z, m, w: log_normals(z, m).sum(axis=2) @ np.exp(w),
        partial(log_mixture, over_components=np.sum),
    ),
    "many bells are not one: not the normal around the mean of the means": (
        lambda z, m, w: log_normals(z, (np.exp(w) @ m)[np.newaxis]).sum(axis=(1, 2))
    ),
    "the normal's constant is missing: -ln(2 pi) / 2 per latent": (
        lambda z, m, w: log_mixture(z, m, w) + 0.5 * LOG_2_PI * z.shape[1]
    ),
    "the constant counts once per latent, d times": (
        lambda z, m, w: log_mixture(z, m, w) + 0.5 * LOG_2_PI * (z.shape[1] - 1)
    ),
    "the constant is half of ln(2 pi) per latent": (
        lambda z, m, w: log_mixture(z, m, w) - 0.5 * LOG_2_PI * z.shape[1]
    ),
    "the factor 1/2 before the square is missing": partial(log_mixture, half=1.0),
    "the exponent is the squared distance, not the distance": of_distance,
    "sum the squares over the latents; their mean widens every bell": of_mean_square,
    "the best component alone is not the mixture": (
        partial(log_mixture, over_components=np.max)
    ),
    "the sign: ln p(z), not its negative": then(log_mixture, np.negative),
    "that is the density: its logarithm was asked for": then(log_mixture, np.exp),
    "one value per code: add up the components' densities": partial(
        log_mixture, over_components=lambda x, axis: x
    ),
    "one value per code: the sum or mean over codes comes later": (
        then(log_mixture, np.sum),
        then(log_mixture, np.mean),
    ),
    "the components stand along axis 1: one value per code, not per component": partial(
        log_mixture, over_components=lambda x, axis: logsumexp(x, axis=0)
    ),
}
TINY = (
    "right near the components, and wrong far away: a small number added before the "
    "logarithm hides how improbable a far code is; scipy.special.logsumexp"
)


def check_log_mixture(attempt: Function) -> str:
    """Check ``log_mixture(z, means, log_weights)``: (n, d), (K, d), (K,) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = []
    for count, latents in ((4, 3), (3, 2)):
        log_weights = np.log(rng.dirichlet(np.ones(count)))
        inputs.append((rng.normal(size=(5, latents)), log_weights))
    inputs.append((inputs[0][0][:2] + np.array([60.0, 0, 0]), inputs[0][1]))
    means = rng.normal(size=(4, 3))  # at 60 the density, exp(-1800), is 0
    cases = [(z, means[: len(w), : z.shape[1]], w) for z, w in inputs]
    tiny = right_on(lambda z, m, w: np.abs(z).max() < 10, attempt, log_mixture)
    return check(attempt, log_mixture, cases, LOG_MIXTURE | {TINY: tiny})


def bits(nats, values, steps=256, base=2):
    return (nats / values + np.log(steps)) / np.log(base)


BITS = {
    "the pictures' values stand 1/256 apart: ln 256 per value is missing": (
        partial(bits, steps=1)
    ),
    "the sign of ln 256: a step of 1/256 holds less probability than a step of 1": (
        partial(bits, steps=1 / 256)
    ),
    "these are nats: divide by ln 2": partial(bits, base=np.e),
    "divide by ln 2: a bit is less than a nat, so there are more bits than nats": (
        lambda nats, values: (nats / values + np.log(256)) * np.log(2)
    ),
    "bits belong to the logarithm to base 2, not 10": partial(bits, base=10),
    "the sign: the negative log-likelihood comes in": (
        lambda nats, values: bits(-nats, values)
    ),
    "a negative log-density may be negative itself: no absolute value": (
        lambda nats, values: bits(np.abs(nats), values)
    ),
    "the sign: bits are what a picture costs": then(bits, np.negative),
    "divide by the number of values": lambda nats, values: bits(nats, 1),
    "divide by the number of values, not by that of pictures": (
        lambda nats, values: bits(nats, len(nats))
    ),
    "one value's share: divide by the number of values, don't multiply": (
        lambda nats, values: bits(nats * values, 1)
    ),
    "bits per value, not per picture": lambda nats, values: bits(nats, values) * values,
    "256 values, not 255 steps": partial(bits, steps=255),
    "add the logarithm of 256, not 256": (
        lambda nats, values: (nats / values + 256) / np.log(2),
        lambda nats, values: nats / values / np.log(2) + 256,
    ),
    "8 is log2 of 256, in bits already; in nats it is ln 256": (
        lambda nats, values: (nats / values + 8) / np.log(2)
    ),
    "ln 256 is in nats: change the unit of both, or add 8 bits": (
        lambda nats, values: nats / values / np.log(2) + np.log(256)
    ),
    "a density times 1/256 is a probability: in logarithms ln 256 is added, nothing is "
    "divided": (
        lambda nats, values: nats / values / np.log(2) / 8,
        lambda nats, values: nats / values / np.log(2) / 256,
    ),
    "add ln 256 to every value, once the nats are divided among them": (
        lambda nats, values: bits(nats, 1) / values
    ),
    "one value per picture: the mean over pictures comes later": (
        then(bits, np.mean),
        then(bits, np.sum),
    ),
}


def check_bits(attempt: Function) -> str:
    """Check ``bits(nats, values)``: nats per picture to bits per value of 8 bits."""
    inputs = [
        (np.array([-11_000.0, 0.0, 500.0]), 12_288),
        (np.array([-90.0, 640.0]), 784),
    ]
    return check(attempt, bits, inputs, BITS)
