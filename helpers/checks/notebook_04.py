"""Checks of notebook 04: Latent priors."""

import numpy as np
from scipy.special import logsumexp

from helpers.checks.comparing import LOG_2_PI, Function, check


def check_sample_laplace(attempt: Function) -> str:
    """Check ``sample_laplace(z_mean, z_log_scale, u)``: (n, d) twice and (2, n, d) to (n, d)."""
    rng = np.random.default_rng(0)
    mean, log_scale = rng.normal(size=(2, 4, 3))
    u = rng.random((2, 4, 3))
    u[0, 0, 0] = 0.0  # generators return it

    def laplace(mean, log_scale, u, exponential=lambda u: -np.log1p(-u)):
        return mean + np.exp(log_scale) * (exponential(u[0]) - exponential(u[1]))

    return check(
        attempt,
        laplace,
        [(mean, log_scale, u)],
        {
            "u may be 0, and ln 0 is not finite: 1 - u is as uniform as u": (
                lambda m, s, u: laplace(m, s, u, lambda u: -np.log(u))
            ),
            "the sign: Exponential(1) is -ln(1 - u), never negative": (
                lambda m, s, u: laplace(m, s, u, lambda u: np.log1p(-u))
            ),
            "it is the logarithm of the scale: exponentiate it": (
                lambda m, s, u: m + s * (np.log1p(-u[1]) - np.log1p(-u[0]))
            ),
            "a scale is no variance: no factor 1/2 in the exponent": (
                lambda m, s, u: laplace(m, 0.5 * s, u)
            ),
            "the difference of two exponentials, not their sum": (
                lambda m, s, u: m - np.exp(s) * (np.log1p(-u[0]) + np.log1p(-u[1]))
            ),
            "one exponential alone is never negative: subtract the second": (
                lambda m, s, u: m - np.exp(s) * np.log1p(-u[0])
            ),
            "the noise must be different in every latent: keep the shape (n, d)": (
                lambda m, s, u: laplace(m, s, u[:, :1, :1])
            ),
        },
    )


def check_kl_laplace(attempt: Function) -> str:
    """Check ``kl_laplace(z_mean, z_log_scale)``: nats a picture, (n, d) to (n,)."""

    def terms(mean, log_scale, one=1.0):
        distance, scale = np.abs(mean), np.exp(log_scale)
        return distance + scale * np.exp(-distance / scale) - one - log_scale

    def kl(mean, log_scale, **changes):
        return np.sum(terms(mean, log_scale, **changes), axis=-1)

    return check(
        attempt,
        kl,
        [tuple(np.random.default_rng(0).normal(size=(2, 4, 3)))],
        {
            "|mu|: the distance counts, whichever side": lambda m, s: np.sum(
                m + np.exp(s) * np.exp(-m / np.exp(s)) - 1 - s, axis=-1
            ),
            "b is the exponential of the logarithm that comes in": lambda m, s: np.sum(
                np.abs(m) + s * np.exp(-np.abs(m) / s) - 1 - np.log(np.abs(s)), axis=-1
            ),
            "where q is the prior it must be 0: the -1 is missing": lambda m, s: kl(
                m, s, one=0.0
            ),
            "the sign of ln b: a sharp posterior (a small b) is dear": (
                lambda m, s: np.sum(terms(m, s) + 2 * s, axis=-1)
            ),
            "b is missing before the exponential": lambda m, s: np.sum(
                np.abs(m) + np.exp(-np.abs(m) / np.exp(s)) - 1 - s, axis=-1
            ),
            "that is the normal's": lambda m, s: (
                0.5 * np.sum(m**2 + np.exp(2 * s) - 1 - 2 * s, axis=-1)
            ),
            "sum over the latents; their mean is a hidden beta of 1/d": (
                lambda m, s: np.mean(terms(m, s), axis=-1)
            ),
            "one value a picture: sum over the last axis only": lambda m, s: np.sum(
                terms(m, s)
            ),
            "sum over the latents, the last axis": terms,
        },
    )


def check_gumbel(attempt: Function) -> str:
    """Check ``gumbel(u, z_mode, z_log_scale)``: z and ln q(z), stacked, (n, d) to (2, n, d)."""
    rng = np.random.default_rng(0)

    def gumbel(
        u, mode, log_scale, noise=lambda u: -np.log(-np.log(u)), known=1.0, sign=1.0
    ):
        y = noise(u)
        return np.stack(
            [
                mode + np.exp(log_scale) * y,
                -known * log_scale - sign * y - np.exp(-sign * y),
            ]
        )

    return check(
        attempt,
        gumbel,
        [(rng.uniform(0.02, 0.98, size=(4, 3)), *rng.normal(size=(2, 4, 3)))],
        {
            "the density of z, not of y: the scale's logarithm is missing": (
                lambda u, m, s: gumbel(u, m, s, known=0.0)
            ),
            "the sign of ln s: a wider density is lower": (
                lambda u, m, s: gumbel(u, m, s, known=-1.0)
            ),
            "two minus signs: y = -ln(-ln u)": (
                lambda u, m, s: gumbel(u, m, s, lambda u: np.log(-np.log(u)), sign=-1.0)
            ),
            "z was computed with y, and ln q(z) with -y": lambda u, m, s: gumbel(
                u, m, s, sign=-1.0
            ),
            "that is the logistic's y, ln u - ln(1 - u)": (
                lambda u, m, s: gumbel(u, m, s, lambda u: np.log(u) - np.log1p(-u))
            ),
            "the scale is the exponential of the logarithm that comes in": (
                lambda u, m, s: np.stack(
                    [m + s * gumbel(u, 0, 0)[0], gumbel(u, m, s)[1]]
                )
            ),
            "return z first, then ln q(z)": lambda u, m, s: gumbel(u, m, s)[::-1],
            "return the logarithm of the density": lambda u, m, s: np.stack(
                [gumbel(u, m, s)[0], np.exp(gumbel(u, m, s)[1])]
            ),
        },
    )


def check_log_mixture(attempt: Function) -> str:
    """Check ``log_mixture(z, means, log_weights)``: (n, d), (K, d) and (K,) to nats, (n,)."""
    rng = np.random.default_rng(0)
    log_weights = np.log(rng.dirichlet(np.ones(4)))
    near = rng.normal(size=(4, 3))
    far = (np.array([[60.0, 0.0, 0.0]]), near, log_weights)  # exp of -1800 is 0

    def parts(z, means):
        return -0.5 * (z[:, np.newaxis] - means) ** 2 - 0.5 * LOG_2_PI  # (n, K, d)

    def mixture(z, means, log_weights):
        return logsumexp(parts(z, means).sum(axis=2) + log_weights, axis=1)

    def per_latent(z, means, log_weights):
        return logsumexp(parts(z, means) + log_weights[:, np.newaxis], axis=1).sum(
            axis=1
        )

    def overflowing(z, means, log_weights):
        return np.log(np.sum(np.exp(parts(z, means).sum(axis=2) + log_weights), axis=1))

    return check(
        attempt,
        mixture,
        [(rng.normal(size=(5, 3)), near, log_weights), far],
        {
            "a component belongs to the whole vector: sum over latents first, then logsumexp over "
            "components": per_latent,
            "far away every density is 0 in floating point: scipy.special.logsumexp": overflowing,
            "the weights are missing: add ln w_k": lambda z, m, w: mixture(z, m, 0 * w),
            "the weights come as logarithms: add them": lambda z, m, w: mixture(
                z, m, np.exp(w)
            ),
            "a mixture is a sum of densities, not of their logarithms": lambda z, m, w: (
                np.sum(np.exp(w) * parts(z, m).sum(axis=2), axis=1)
            ),
            "the normal's constant is missing: -ln(2 pi) / 2 a latent": (
                lambda z, m, w: mixture(z, m, w) + 0.5 * LOG_2_PI * z.shape[1]
            ),
            "the best component alone is not the mixture": lambda z, m, w: np.max(
                parts(z, m).sum(axis=2) + w, axis=1
            ),
        },
    )


def check_bits(attempt: Function) -> str:
    """Check ``bits(nats, values)``: nats a picture in [0, 1] to bits a value of 8-bit pictures."""

    def bits(nats, values, steps=256, base=2):
        return (nats / values + np.log(steps)) / np.log(base)

    return check(
        attempt,
        bits,
        [(np.array([-11_000.0, 0.0, 500.0]), 12_288), (np.array([-90.0]), 784)],
        {
            "the pictures' values stand 1/256 apart: ln 256 a value is missing": (
                lambda nats, values: bits(nats, values, steps=1)
            ),
            "the sign of ln 256: a step of 1/256 holds less probability than a step of 1": (
                lambda nats, values: bits(nats, values, steps=1 / 256)
            ),
            "these are nats: divide by ln 2": lambda nats, values: bits(
                nats, values, base=np.e
            ),
            "the sign: the negative log-likelihood comes in": (
                lambda nats, values: bits(-nats, values)
            ),
            "divide by the number of values": lambda nats, values: bits(nats, 1),
            "256 values, not 255 steps": lambda nats, values: bits(
                nats, values, steps=255
            ),
            "add ln 256 to every value, once the nats are divided among them": (
                lambda nats, values: bits(nats, 1) / values
            ),
        },
    )
