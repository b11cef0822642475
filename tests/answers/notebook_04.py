"""Right and wrong answers to the exercises of notebook 04: Latent priors."""

import numpy as np
import scipy.special
import scipy.stats

from answers.notebook_03 import kl


def laplace_by_quantile(mean, log_scale, u):
    return mean - np.exp(log_scale) * (np.log1p(-u[0]) - np.log1p(-u[1]))


def kl_laplace_by_parts(mean, log_scale):
    b, distance = np.exp(log_scale), np.abs(mean)
    cross_entropy = np.log(2) + distance + b * np.exp(-distance / b)
    return np.sum(cross_entropy - (1 + np.log(2 * b)), axis=1)


def gumbel_by_scipy(u, mode, log_scale):
    q = scipy.stats.gumbel_r(mode, np.exp(log_scale))
    return np.stack([q.ppf(u), q.logpdf(q.ppf(u))])


def log_mixture_by_loop(z, means, log_weights):
    parts = [
        w + scipy.stats.norm(mean, 1).logpdf(z).sum(axis=1)
        for mean, w in zip(means, log_weights, strict=True)
    ]
    return np.logaddexp.reduce(parts, axis=0)


def log_normals(z, means):
    return scipy.stats.norm(means, 1).logpdf(z[:, np.newaxis])


CORRECT = {
    "sample_laplace": laplace_by_quantile,
    "kl_laplace": kl_laplace_by_parts,
    "gumbel": gumbel_by_scipy,
    "log_mixture": log_mixture_by_loop,
    "bits": lambda nats, values: nats / (values * np.log(2)) + 8,
}

MISTAKES = {
    "sample_laplace": {
        "1 - u is as uniform": lambda m, s, u: (
            m + np.exp(s) * (np.log(u[1]) - np.log(u[0]))
        ),
        "sign": lambda m, s, u: 2 * m - laplace_by_quantile(m, s, u),
        "exponentiate": lambda m, s, u: m + s * np.log((1 - u[1]) / (1 - u[0])),
        "no factor 1/2": lambda m, s, u: (
            m + np.exp(s / 2) * np.log((1 - u[1]) / (1 - u[0]))
        ),
        "not their sum": lambda m, s, u: m - np.exp(s) * np.log1p(-u).sum(axis=0),
        "subtract the second": lambda m, s, u: m - np.exp(s) * np.log1p(-u[0]),
        "every latent": lambda m, s, u: (
            m + np.exp(s) * np.log((1 - u[1, 0, 0]) / (1 - u[0, 0, 0]))
        ),
    },
    "kl_laplace": {
        "whichever side": lambda m, s: np.sum(
            m + np.exp(s - m * np.exp(-s)) - 1 - s, axis=1
        ),
        "exponential of the logarithm": lambda m, s: (
            abs(m) + s * np.exp(-abs(m) / s) - 1 - np.log(abs(s))
        ).sum(axis=1),
        "-1 is missing": lambda m, s: kl_laplace_by_parts(m, s) + m.shape[1],
        "sharp posterior": lambda m, s: kl_laplace_by_parts(m, s) + 2 * s.sum(axis=1),
        "before the exponential": lambda m, s: (
            abs(m) + np.exp(-abs(m) * np.exp(-s)) - 1 - s
        ).sum(axis=1),
        "the normal's": lambda m, s: kl(m, 2 * s),
        "hidden beta": lambda m, s: kl_laplace_by_parts(m, s) / m.shape[1],
        "last axis only": lambda m, s: kl_laplace_by_parts(m, s).sum(),
        "sum over the latents, the last axis": lambda m, s: (
            abs(m) + np.exp(s - abs(m) * np.exp(-s)) - 1 - s
        ),
    },
    "gumbel": {
        "logarithm is missing": lambda u, m, s: (
            gumbel_by_scipy(u, m, s) + np.stack([0 * s, s])
        ),
        "a wider density": lambda u, m, s: (
            gumbel_by_scipy(u, m, s) + np.stack([0 * s, 2 * s])
        ),
        "two minus signs": lambda u, m, s: np.stack(
            [m + np.exp(s) * np.log(-np.log(u)), gumbel_by_scipy(u, m, s)[1]]
        ),
        "and ln q(z) with -y": lambda u, m, s: np.stack(
            [gumbel_by_scipy(u, m, s)[0], -np.log(-np.log(u)) - s + 1 / np.log(u)]
        ),
        "logistic": lambda u, m, s: np.stack(
            [
                m + np.exp(s) * scipy.special.logit(u),
                scipy.stats.gumbel_r(0, 1).logpdf(scipy.special.logit(u)) - s,
            ]
        ),
        "exponential of the logarithm": lambda u, m, s: np.stack(
            [m - s * np.log(-np.log(u)), gumbel_by_scipy(u, m, s)[1]]
        ),
        "z first": lambda u, m, s: gumbel_by_scipy(u, m, s)[[1, 0]],
        "logarithm of the density": lambda u, m, s: np.stack(
            [gumbel_by_scipy(u, m, s)[0], np.exp(gumbel_by_scipy(u, m, s)[1])]
        ),
    },
    "log_mixture": {
        "whole vector": lambda z, m, w: np.logaddexp.reduce(
            log_normals(z, m) + w[:, np.newaxis], axis=1
        ).sum(1),
        "scipy.special.logsumexp": lambda z, m, w: np.log(
            (np.exp(log_normals(z, m).sum(2)) * np.exp(w)).sum(1)
        ),
        "weights are missing": lambda z, m, w: np.logaddexp.reduce(
            log_normals(z, m).sum(2), axis=1
        ),
        "come as logarithms": lambda z, m, w: np.logaddexp.reduce(
            log_normals(z, m).sum(2) + np.exp(w), axis=1
        ),
        "not of their logarithms": lambda z, m, w: log_normals(z, m).sum(2) @ np.exp(w),
        "constant": lambda z, m, w: (
            log_mixture_by_loop(z, m, w) + z.shape[1] * np.log(2 * np.pi) / 2
        ),
        "best component": lambda z, m, w: (log_normals(z, m).sum(2) + w).max(1),
    },
    "bits": {
        "ln 256 per value is missing": lambda nats, values: nats / values / np.log(2),
        "sign of ln 256": lambda nats, values: nats / values / np.log(2) - 8,
        "divide by ln 2": lambda nats, values: nats / values + np.log(256),
        "negative log-likelihood": lambda nats, values: -nats / values / np.log(2) + 8,
        "number of values": lambda nats, values: nats / np.log(2) + 8,
        "not 255": lambda nats, values: nats / values / np.log(2) + np.log2(255),
        "divided among them": lambda nats, values: (nats / np.log(2) + 8) / values,
    },
}
