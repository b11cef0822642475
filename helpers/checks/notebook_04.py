"""Checks of notebook 04: Latent priors."""

from functools import partial

import numpy as np
from scipy.special import logsumexp

from helpers.checks.comparing import LOG_2_PI, Function, check, then


def sample_laplace(mean, log_scale, u, exponential=lambda u: -np.log1p(-u)):
    return mean + np.exp(log_scale) * (exponential(u[0]) - exponential(u[1]))


SAMPLE_LAPLACE = {
    "u may be 0, and ln 0 is not finite: 1 - u is as uniform as u": (
        partial(sample_laplace, exponential=lambda u: -np.log(u))
    ),
    "the sign: Exponential(1) is -ln(1 - u), never negative": (
        partial(sample_laplace, exponential=lambda u: np.log1p(-u))
    ),
    "it is the logarithm of the scale: exponentiate it": (
        lambda m, s, u: m + s * (np.log1p(-u[1]) - np.log1p(-u[0]))
    ),
    "a scale is no variance: no factor 1/2 in the exponent": (
        lambda m, s, u: sample_laplace(m, 0.5 * s, u)
    ),
    "the difference of two exponentials, not their sum": (
        lambda m, s, u: m - np.exp(s) * (np.log1p(-u[0]) + np.log1p(-u[1]))
    ),
    "one exponential alone is never negative: subtract the second": (
        lambda m, s, u: m - np.exp(s) * np.log1p(-u[0])
    ),
    "the noise must be different in every latent: keep the shape (n, d)": (
        lambda m, s, u: sample_laplace(m, s, u[:, :1, :1])
    ),
}


def check_sample_laplace(attempt: Function) -> str:
    """Check ``sample_laplace(z_mean, z_log_scale, u)``: u (2, n, d), others (n, d)."""
    rng = np.random.default_rng(0)
    mean, log_scale = rng.normal(size=(2, 4, 3))
    u = rng.random((2, 4, 3))
    u[0, 0, 0] = 0.0  # generators return it
    return check(attempt, sample_laplace, [(mean, log_scale, u)], SAMPLE_LAPLACE)


def kl_laplace(mean, log_scale, one=1.0, reduce=np.sum, axis=-1):
    distance, scale = np.abs(mean), np.exp(log_scale)
    terms = distance + scale * np.exp(-distance / scale) - one - log_scale
    return reduce(terms, axis=axis)


def kl_laplace_signed(mean, log_scale):
    scale = np.exp(log_scale)
    return np.sum(mean + scale * np.exp(-mean / scale) - 1 - log_scale, axis=-1)


def kl_laplace_of_scales(m, b):
    return np.sum(
        np.abs(m) + b * np.exp(-np.abs(m) / b) - 1 - np.log(np.abs(b)), axis=-1
    )


KL_LAPLACE = {
    "|mu|: the distance counts, whichever side": kl_laplace_signed,
    "b is the exponential of the logarithm that comes in": kl_laplace_of_scales,
    "where q is the prior it must be 0: the -1 is missing": partial(
        kl_laplace, one=0.0
    ),
    "the sign of ln b: a sharp posterior (a small b) is dear": (
        lambda m, s: kl_laplace(m, s) + 2 * np.sum(s, axis=-1)
    ),
    "b is missing before the exponential": lambda m, s: np.sum(
        np.abs(m) + np.exp(-np.abs(m) / np.exp(s)) - 1 - s, axis=-1
    ),
    "that is the normal's": lambda m, s: (
        0.5 * np.sum(m**2 + np.exp(2 * s) - 1 - 2 * s, axis=-1)
    ),
    "sum over the latents; their mean is a hidden beta of 1/d": (
        partial(kl_laplace, reduce=np.mean)
    ),
    "one value per picture: sum over the last axis only": partial(
        kl_laplace, axis=None
    ),
    "sum over the latents, the last axis": partial(
        kl_laplace, reduce=lambda x, axis: x
    ),
}


def check_kl_laplace(attempt: Function) -> str:
    """Check ``kl_laplace(z_mean, z_log_scale)``: nats per picture, (n, d) to (n,)."""
    inputs = [tuple(np.random.default_rng(0).normal(size=(2, 4, 3)))]
    return check(attempt, kl_laplace, inputs, KL_LAPLACE)


def gumbel(
    u, mode, log_scale, noise=lambda u: -np.log(-np.log(u)), known=1.0, sign=1.0
):
    y = noise(u)
    log_q = -known * log_scale - sign * y - np.exp(-sign * y)
    return np.stack([mode + np.exp(log_scale) * y, log_q])


GUMBEL = {
    "the density of z, not of y: the scale's logarithm is missing": (
        partial(gumbel, known=0.0)
    ),
    "the sign of ln s: a wider density is lower": partial(gumbel, known=-1.0),
    "two minus signs: y = -ln(-ln u)": (
        partial(gumbel, noise=lambda u: np.log(-np.log(u)), sign=-1.0)
    ),
    "z was computed with y, and ln q(z) with -y": partial(gumbel, sign=-1.0),
    "that is the logistic's y, ln u - ln(1 - u)": (
        partial(gumbel, noise=lambda u: np.log(u) - np.log1p(-u))
    ),
    "the scale is the exponential of the logarithm that comes in": (
        lambda u, m, s: np.stack([m + s * gumbel(u, 0, 0)[0], gumbel(u, m, s)[1]])
    ),
    "return z first, then ln q(z)": then(gumbel, np.flipud),
    "return the logarithm of the density": (
        then(gumbel, lambda both: np.stack([both[0], np.exp(both[1])]))
    ),
}


def check_gumbel(attempt: Function) -> str:
    """Check ``gumbel(u, z_mode, z_log_scale)``: (n, d) to z and ln q(z), (2, n, d)."""
    rng = np.random.default_rng(0)
    inputs = [(rng.uniform(0.02, 0.98, size=(4, 3)), *rng.normal(size=(2, 4, 3)))]
    return check(attempt, gumbel, inputs, GUMBEL)


def log_normals(z, means):
    return -0.5 * (z[:, np.newaxis] - means) ** 2 - 0.5 * LOG_2_PI  # (n, K, d)


def log_mixture(z, means, log_weights, over_components=logsumexp):
    return over_components(log_normals(z, means).sum(axis=2) + log_weights, axis=1)


def mixture_per_latent(z, means, log_weights):
    parts = log_normals(z, means) + log_weights[:, np.newaxis]
    return logsumexp(parts, axis=1).sum(axis=1)


LOG_MIXTURE = {
    "a component belongs to the whole vector: sum over latents first, then logsumexp "
    "over components": mixture_per_latent,
    "far away every density is 0 in floating point: scipy.special.logsumexp": (
        partial(
            log_mixture, over_components=lambda x, axis: np.log(np.exp(x).sum(axis))
        )
    ),
    "the weights are missing: add ln w_k": lambda z, m, w: log_mixture(z, m, 0 * w),
    "the weights come as logarithms: add them": (
        lambda z, m, w: log_mixture(z, m, np.exp(w))
    ),
    "a mixture is a sum of densities, not of their logarithms": (
        lambda z, m, w: np.sum(np.exp(w) * log_normals(z, m).sum(axis=2), axis=1)
    ),
    "the normal's constant is missing: -ln(2 pi) / 2 per latent": (
        lambda z, m, w: log_mixture(z, m, w) + 0.5 * LOG_2_PI * z.shape[1]
    ),
    "the best component alone is not the mixture": (
        partial(log_mixture, over_components=np.max)
    ),
}


def check_log_mixture(attempt: Function) -> str:
    """Check ``log_mixture(z, means, log_weights)``: (n, d), (K, d), (K,) to (n,)."""
    rng = np.random.default_rng(0)
    log_weights = np.log(rng.dirichlet(np.ones(4)))
    means = rng.normal(size=(4, 3))
    far = np.array([[60.0, 0.0, 0.0]])  # exp of -1800 is 0
    inputs = [(z, means, log_weights) for z in (rng.normal(size=(5, 3)), far)]
    return check(attempt, log_mixture, inputs, LOG_MIXTURE)


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
    "the sign: the negative log-likelihood comes in": lambda nats, n: bits(-nats, n),
    "divide by the number of values": lambda nats, values: bits(nats, 1),
    "256 values, not 255 steps": partial(bits, steps=255),
    "add ln 256 to every value, once the nats are divided among them": (
        lambda nats, values: bits(nats, 1) / values
    ),
}


def check_bits(attempt: Function) -> str:
    """Check ``bits(nats, values)``: nats per picture to bits per value of 8 bits."""
    inputs = [(np.array([-11_000.0, 0.0, 500.0]), 12_288), (np.array([-90.0]), 784)]
    return check(attempt, bits, inputs, BITS)
