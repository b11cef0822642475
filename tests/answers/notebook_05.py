"""Right and wrong answers to the exercises of notebook 05: The latent space."""

import numpy as np
import scipy.special
import scipy.stats

from answers.notebook_03 import nll_of_probabilities


def bernoulli_entropy(p):
    return scipy.special.entr(p).sum(axis=(1, 2, 3)) + scipy.special.entr(1 - p).sum(
        axis=(1, 2, 3)
    )


def slerp_by_loop(first, last, weights):
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    theta = np.arccos(np.dot(first, last) / (lengths[0] * lengths[1]))
    parts = [
        np.sin(theta * (1 - w)) / np.sin(theta) * first
        + np.sin(theta * w) / np.sin(theta) * last
        for w in weights
    ]
    return np.array(parts)


def slerp_at(theta, first, last, weights):
    w = weights[:, np.newaxis]
    return (np.sin((1 - w) * theta) * first + np.sin(w * theta) * last) / np.sin(theta)


def unit(code):
    return code / np.linalg.norm(code)


def angle(first, last):
    return np.arccos(unit(first) @ unit(last))


def traverse_by_loop(code, latent, values):
    return np.array(
        [[v if j == latent else c for j, c in enumerate(code)] for v in values]
    )


def density_by_loop(z, mean, log_var):
    bells = [
        scipy.stats.norm(m, np.exp(v / 2)).pdf(z)
        for m, v in zip(mean, log_var, strict=True)
    ]
    return np.mean(bells, axis=0)


def bells(z, mean, log_var):
    """Normal densities, (m, n)."""
    return scipy.stats.norm(mean, np.exp(log_var / 2)).pdf(z[:, np.newaxis])


CORRECT = {
    "overlap": lambda p, q, dz: np.where(p < q, p, q).sum() * dz,
    "uncertainty": bernoulli_entropy,
    "slerp": slerp_by_loop,
    "traverse": traverse_by_loop,
    "aggregate_density": density_by_loop,
}

MISTAKES = {
    "overlap": {
        "not their product": lambda p, q, dz: (p * q).sum() * dz,
        "not the larger": lambda p, q, dz: np.where(p < q, q, p).sum() * dz,
        "the sum times dz": lambda p, q, dz: np.where(p < q, p, q).sum(),
        "not the mean": lambda p, q, dz: np.where(p < q, p, q).mean(),
        "1 minus it": lambda p, q, dz: abs(p - q).sum() * dz / 2,
        "one number": lambda p, q, dz: np.where(p < q, p, q) * dz,
    },
    "uncertainty": {
        "0 ln 0 is 0": lambda p: nll_of_probabilities(p, p),
        "two sides": lambda p: scipy.special.entr(p).sum(axis=(1, 2, 3)),
        "not log2": lambda p: bernoulli_entropy(p) / np.log(2),
        "sign": lambda p: -bernoulli_entropy(p),
        "784 times": lambda p: bernoulli_entropy(p) / p[0].size,
        "axes 1, 2 and 3": lambda p: bernoulli_entropy(p).sum(),
        "add up the pixels": lambda p: (
            scipy.special.entr(p) + scipy.special.entr(1 - p)
        ),
        "variance": lambda p: (p - p**2).sum(axis=(1, 2, 3)),
    },
    "slerp": {
        "straight line": lambda a, b, w: a + w[:, np.newaxis] * (b - a),
        "both lengths": lambda a, b, w: slerp_at(np.arccos(a @ b), a, b, w),
        "sin(theta)": lambda a, b, w: (
            slerp_at(angle(a, b), a, b, w) * np.sin(angle(a, b))
        ),
        "radians": lambda a, b, w: slerp_at(np.degrees(angle(a, b)), a, b, w),
        "backwards": lambda a, b, w: slerp_by_loop(b, a, w),
        "do not normalise": lambda a, b, w: slerp_by_loop(unit(a), unit(b), w),
        "one row per code": lambda a, b, w: slerp_by_loop(a, b, w).T,
    },
    "traverse": {
        "not added": lambda c, j, v: traverse_by_loop(c, j, c[j] + v),
        "not zeros": lambda c, j, v: traverse_by_loop(np.zeros(len(c)), j, v),
        "the last value": lambda c, j, v: traverse_by_loop(c, j, [v[-1]] * len(v)),
        "only the one latent": lambda c, j, v: np.outer(v, np.ones(len(c))),
        "one row per value": lambda c, j, v: traverse_by_loop(c, j, v).T,
    },
    "aggregate_density": {
        "not their sum": lambda z, m, v: bells(z, m, v).sum(axis=1),
        "not the parameters": lambda z, m, v: scipy.stats.norm(
            m.mean(), np.exp(v.mean() / 2)
        ).pdf(z),
        "geometric mean": lambda z, m, v: scipy.stats.gmean(bells(z, m, v), axis=1),
        "not a standard deviation": lambda z, m, v: density_by_loop(z, m, 2 * v),
        "integrate to one": lambda z, m, v: (
            bells(z, m, v) * np.sqrt(2 * np.pi) * np.exp(v / 2)
        ).mean(axis=1),
        "average over the pictures": lambda z, m, v: bells(z, m, v),
        "not over the z": lambda z, m, v: bells(z, m, v).mean(axis=0),
    },
}
