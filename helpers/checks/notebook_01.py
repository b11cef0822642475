"""Checks of notebook 01, first half: the posterior, the bound, the KL terms.

On inputs on which every sound method agrees.
"""

from functools import partial

import numpy as np

from helpers.checks.comparing import Function, check, then


def posterior(prior, likelihood, dz):
    return prior * likelihood / (np.sum(prior * likelihood) * dz)


def posterior_as_normal(prior, likelihood, dz):
    """The normal with the mean and the variance of the posterior."""
    z, density = dz * np.arange(len(prior)), posterior(prior, likelihood, dz)
    mean = np.sum(z * density) * dz
    variance = np.sum((z - mean) ** 2 * density) * dz
    return np.exp(-0.5 * (z - mean) ** 2 / variance) / np.sqrt(2 * np.pi * variance)


POSTERIOR = {
    "this is p(x, z): divide by its integral over z, p(x)": lambda p, k, dz: p * k,
    "that sums to one, but a density must integrate to one: the sum times dz": (
        lambda p, k, dz: posterior(p, k, 1.0)
    ),
    "the likelihood alone was normalised: multiply it by the prior first": (
        lambda p, k, dz: posterior(1.0, k, dz)
    ),
    "dz multiplies the sum; it was divided by": lambda p, k, dz: posterior(
        p, k, 1 / dz
    ),
    "the integral runs over the joint, not over the likelihood alone": (
        lambda p, k, dz: p * k / (np.sum(k) * dz)
    ),
    "normalise the product, not each factor": (
        lambda p, k, dz: p * k / (np.sum(p) * np.sum(k) * dz**2)
    ),
    "divide by the integral, not by the largest value": (
        lambda p, k, dz: p * k / np.max(p * k)
    ),
    "Bayes' rule multiplies prior and likelihood; only logarithms are added": (
        lambda p, k, dz: posterior(p + k, 1.0, dz)
    ),
    "that is the normal with the posterior's mean and variance; this posterior has two "
    "peaks": posterior_as_normal,
}


def check_posterior(attempt: Function) -> str:
    """Check ``posterior(prior, likelihood, dz)``: p(z|x) on a grid, all (n,)."""
    inputs = []
    for low, high, n, peaks in ((-6, 6, 121, (1.0, -0.8)), (-4, 2, 100, (-1.5,))):
        z, dz = np.linspace(low, high, n, retstep=True)
        likelihood = sum(0.3 * np.exp(-4 * (z - peak) ** 2) for peak in peaks)
        inputs.append((np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi), likelihood, dz))
    return check(attempt, posterior, inputs, POSTERIOR)


def elbo(log_joint, log_q, mean=np.mean, axis=1):
    return mean(log_joint - log_q, axis=axis)


ELBO = {
    "the sign of the entropy: ln q is subtracted": lambda j, q: elbo(j, -q),
    "the entropy is missing: subtract ln q": lambda j, q: elbo(j, 0 * q),
    "the sign: this is the negative of the bound, which serves as a loss": (
        then(elbo, np.negative)
    ),
    "an expectation is a mean over the samples, not their sum": partial(
        elbo, mean=np.sum
    ),
    "divide by the number of samples, L, not by L - 1: that is for variances": (
        lambda j, q: elbo(j, q, np.sum) / (j.shape[1] - 1)
    ),
    "the samples come from q already: average them, don't weight them by q again": (
        lambda j, q: np.sum(np.exp(q) * (j - q), axis=1)
    ),
    "the logarithm belongs inside the mean; ln of the mean weight is IWAE's bound": (
        lambda j, q: np.log(np.mean(np.exp(j - q), axis=1))
    ),
    "one value per data point: the mean over the samples (axis 1) only": (
        partial(elbo, axis=None)
    ),
    "the samples stand along axis 1": partial(elbo, axis=0),
}


def check_elbo(attempt: Function) -> str:
    """Check ``elbo(log_joint, log_q)``: nats from L samples, (n, L) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.normal(size=(2, *shape))) for shape in ((3, 4), (2, 7))]
    return check(attempt, elbo, inputs, ELBO)


def kl_normals(a, u, b, v, half=0.5, one=1.0, mean=np.sum, axis=-1):
    ratio = (np.exp(u) + (a - b) ** 2) / np.exp(v)
    return half * mean(ratio - one + v - u, axis=axis)


def kl_normals_of_variances(a, u, b, v):
    return 0.5 * np.sum((u + (a - b) ** 2) / v - 1 + np.log(v / u), axis=-1)


KL_NORMALS = {
    "the wrong direction: q and p have changed places": (
        lambda a, u, b, v: kl_normals(b, v, a, u)
    ),
    "the factor 1/2 is missing": partial(kl_normals, half=1.0),
    "the sign: a KL divergence is never negative": partial(kl_normals, half=-0.5),
    "these are logarithms of variances, not of standard deviations: exp(log_var) is "
    "already the variance": lambda a, u, b, v: kl_normals(a, 2 * u, b, 2 * v),
    "these are logarithms of variances: exponentiate them": kl_normals_of_variances,
    "where q equals p it must be 0: the -1 is missing": partial(kl_normals, one=0.0),
    "that is the KL to N(0, 1): p has a mean and a variance of its own": (
        lambda a, u, b, v: kl_normals(a, u, 0, 0 * v)
    ),
    "the log-variances are missing: without them an ever narrower q costs nothing": (
        lambda a, u, b, v: kl_normals(a, u, b, v) - 0.5 * np.sum(v - u, axis=-1)
    ),
    "the mean of (z - mean_p)^2 under q holds the variance of q too": (
        lambda a, u, b, v: kl_normals(a, u, b, v) - 0.5 * np.sum(np.exp(u - v), axis=-1)
    ),
    "sum over the latents; their mean is a hidden beta of 1/d": (
        partial(kl_normals, mean=np.mean)
    ),
    "one value per data point: sum over the last axis only": partial(
        kl_normals, axis=None
    ),
    "sum over the latents, the last axis": partial(kl_normals, mean=lambda x, axis: x),
    "a log-variance may be negative: that is a variance below one, so don't cut it at "
    "zero": lambda a, u, b, v: kl_normals(a, np.maximum(u, 0), b, np.maximum(v, 0)),
    "a log-variance may be negative: without its sign a narrow normal becomes a wide "
    "one": lambda a, u, b, v: kl_normals(a, np.abs(u), b, np.abs(v)),
    "a log-variance may be any number: don't clip it, not even to -2 and 2": (
        lambda a, u, b, v: kl_normals(a, np.clip(u, -2, 2), b, np.clip(v, -2, 2))
    ),
    "the means may have either sign, and their distance is taken with the signs": (
        lambda a, u, b, v: kl_normals(np.abs(a), u, np.abs(b), v)
    ),
}


def check_kl_normals(attempt: Function) -> str:
    """Check ``kl_normals(mean_q, log_var_q, mean_p, log_var_p)``: (n, d) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.uniform(0.5, 2, size=(4, 3, 2)))]
    inputs.append(tuple(rng.uniform(-2, 2, size=(4, 2, 4))))  # both signs
    for q, p in ((6, 0), (-6, 0), (0, 6), (0, -6)):  # far out, one at a time
        a, b = rng.uniform(-0.5, 0.5, size=(2, 1, 2))
        inputs.append((a, np.array([[q, 0.3]]), b, np.array([[p, -0.4]])))
    return check(attempt, kl_normals, inputs, KL_NORMALS)


def kl_exponential(s, t):
    return np.log(t / s) + s / t - 1


KL_EXPONENTIAL = {
    "the wrong direction, or rates in place of means: s and t have changed places": (
        lambda s, t: kl_exponential(t, s)
    ),
    "the sign: a KL divergence is never negative": then(kl_exponential, np.negative),
    "where s equals t it must be 0: the -1 is missing": lambda s, t: (
        np.log(t / s) + s / t
    ),
    "the sign of the logarithm: -ln s comes from ln q, and + ln t from -ln p": (
        lambda s, t: np.log(s / t) + s / t - 1
    ),
    "the constants 1/s and 1/t of the densities don't cancel: they leave ln t - ln s": (
        lambda s, t: s / t - 1
    ),
    "the terms with z don't cancel: -z/s + z/t has a mean": lambda s, t: np.log(t / s),
    "the average is over q, under which z has the mean s, not t": (
        lambda s, t: np.log(t / s) - t / s + 1
    ),
    "that is the KL to Exponential(1): the prior's mean is t": (
        lambda s, t: kl_exponential(s, 1.0)
    ),
    "no factor 1/2 here: that belongs to the normal": (
        lambda s, t: 0.5 * kl_exponential(s, t)
    ),
    "one value per pair: no sum": then(kl_exponential, np.sum),
}


def check_kl_exponential(attempt: Function) -> str:
    """Check ``kl_exponential(s, t)``: of exponentials with means s and t, all (n,)."""
    inputs = [
        (np.array([0.5, 1.0, 3.0, 2.0]), np.array([1.0, 2.0, 0.7, 2.0])),
        (np.array([1.7, 0.4]), np.array([0.6, 1.2])),
    ]
    return check(attempt, kl_exponential, inputs, KL_EXPONENTIAL)
