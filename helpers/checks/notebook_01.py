"""Checks of notebook 01, on inputs on which every sound method agrees."""

from functools import partial

import numpy as np

from helpers.checks.comparing import LOG_2_PI, Function, check, then


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
    "the means may have either sign, and their distance is taken with the signs": (
        lambda a, u, b, v: kl_normals(np.abs(a), u, np.abs(b), v)
    ),
}


def check_kl_normals(attempt: Function) -> str:
    """Check ``kl_normals(mean_q, log_var_q, mean_p, log_var_p)``: (n, d) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.uniform(0.5, 2, size=(4, 3, 2)))]
    inputs.append(tuple(rng.uniform(-2, 2, size=(4, 2, 4))))  # both signs
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


def pathwise_gradient(mu, log_var, noise, inner=0.5, scale=0.5, mean=np.mean):
    sigma = np.exp(scale * log_var)
    z = mu + sigma * noise
    return np.array([mean(2 * z), mean(2 * z * inner * sigma * noise)])


def score_gradient(mu, log_var, noise):
    z = mu + np.exp(0.5 * log_var) * noise
    weights = [noise * np.exp(-0.5 * log_var), 0.5 * (noise**2 - 1)]
    return np.array([np.mean(z**2 * weight) for weight in weights])


def gradient_in_sigma(mu, log_var, noise):
    z = mu + np.exp(0.5 * log_var) * noise
    return np.array([np.mean(2 * z), np.mean(2 * z * noise)])


PATHWISE_GRADIENT = {
    "the factor 1/2 is missing: the derivative of exp(log_var / 2) is half of it": (
        partial(pathwise_gradient, inner=1.0)
    ),
    "log_var is the logarithm of the variance: sigma = exp(log_var / 2)": (
        partial(pathwise_gradient, scale=1.0)
    ),
    "an expectation is a mean over the samples, not their sum": (
        partial(pathwise_gradient, mean=np.sum)
    ),
    "this is the score-function estimator: unbiased; but let gradients go through z": (
        score_gradient
    ),
    "the chain rule: multiply by the derivative of z with respect to log_var": (
        lambda m, v, e: np.full(2, np.mean(2 * (m + np.exp(0.5 * v) * e)))
    ),
    "the second is the derivative in sigma; go on to log_var by the chain rule": (
        gradient_in_sigma
    ),
    "these are the exact values, which a real f does not have: estimate them from the "
    "noise": lambda m, v, e: np.array([2 * m, np.exp(v)]),
    "the slope of z^2 is 2 z: the 2 is missing": (
        lambda m, v, e: 0.5 * pathwise_gradient(m, v, e)
    ),
    "the sign: these are the gradients of E[z^2], not of its negative": (
        then(pathwise_gradient, np.negative)
    ),
}


def check_pathwise_gradient(attempt: Function) -> str:
    """Check ``pathwise_gradient(mu, log_var, noise)`` of E[z^2]: noise (L,) to (2,)."""
    rng = np.random.default_rng(0)
    inputs = [(0.7, -1.2, rng.normal(size=50)), (-1.5, 0.4, rng.normal(size=20))]
    return check(attempt, pathwise_gradient, inputs, PATHWISE_GRADIENT)


def sample_logistic(u, mu, s):
    return mu + s * np.log(u / (1 - u))


SAMPLE_LOGISTIC = {
    "that is the CDF; the sampler needs its inverse": (
        lambda u, mu, s: 1 / (1 + np.exp(-(u - mu) / s))
    ),
    "the sign: a larger u must give a larger z": (
        lambda u, mu, s: sample_logistic(1 - u, mu, s)
    ),
    "z - mu is multiplied by the scale, not divided": (
        lambda u, mu, s: sample_logistic(u, mu, 1 / s)
    ),
    "the location mu is missing": lambda u, mu, s: sample_logistic(u, 0.0, s),
    "-ln(1 - u) belongs to the exponential; solve u = 1 / (1 + exp(-(z - mu) / s))": (
        lambda u, mu, s: mu - s * np.log(1 - u)
    ),
    "ln u - ln(1 - u) is a difference; you divided the logarithms": (
        lambda u, mu, s: mu + s * np.log(u) / np.log(1 - u)
    ),
    "the logarithm is the natural one": (
        lambda u, mu, s: mu + s * np.log10(u / (1 - u))
    ),
    "s is the scale in the formula, not the standard deviation, which is larger": (
        lambda u, mu, s: sample_logistic(u, mu, s * np.sqrt(3) / np.pi)
    ),
    "the scale is missing": lambda u, mu, s: sample_logistic(u, mu, 1.0),
    "mu is added after the scaling": lambda u, mu, s: s * sample_logistic(u, mu, 1.0),
    "each sample belongs to its own u: leave them in the order in which they came": (
        then(sample_logistic, np.sort)
    ),
    "u near 0 and 1 makes the tails: don't clip it": (
        lambda u, mu, s: sample_logistic(np.clip(u, 0.01, 0.99), mu, s)
    ),
}


def check_sample_logistic(attempt: Function) -> str:
    """Check ``sample_logistic(u, mu, s)``: uniform u (n,) to Logistic(mu, s), (n,)."""
    inputs = [
        (np.array([0.9, 0.3, 1e-4, 0.5, 0.05]), 1.5, 2.0),
        (np.array([0.999, 0.2]), -0.7, 0.4),
    ]
    return check(attempt, sample_logistic, inputs, SAMPLE_LOGISTIC)


def noise_variance(x, mean, variance, theta, spread=1.0):
    return np.mean((x - theta * mean) ** 2 + spread * theta**2 * variance)


NOISE_VARIANCE = {
    "z is uncertain under q: E[(x - theta z)^2] exceeds the square at the mean of z": (
        partial(noise_variance, spread=0.0)
    ),
    "theta multiplies z, so theta^2 multiplies its variance": (
        lambda x, m, v, w: noise_variance(x, m, v, w, 1 / w**2)
    ),
    "theta multiplies z, so its variance is multiplied by theta^2, not theta": (
        lambda x, m, v, w: noise_variance(x, m, v, w, 1 / w)
    ),
    "variances add, whatever the sign in x - theta z": (
        partial(noise_variance, spread=-1.0)
    ),
    "the decoder's weight is missing: the residual is x - theta z": (
        lambda x, m, v, w: noise_variance(x, m, v, 1.0)
    ),
    "that is sigma; its square was asked for": then(noise_variance, np.sqrt),
    "a sum where a mean belongs: the log-determinant counts every point too": (
        lambda x, m, v, w: len(x) * noise_variance(x, m, v, w)
    ),
    "E[x^2] - theta^2 E[z^2] is right only at the M step's own theta": (
        lambda x, m, v, w: np.mean(x**2 - w**2 * (m**2 + v))
    ),
    "the 1/2 cancels: it stands before both terms of the bound": (
        lambda x, m, v, w: 0.5 * noise_variance(x, m, v, w)
    ),
    "that is the variance of x, to which theta z contributes: only its noise is asked "
    "for": lambda x, m, v, w: np.mean(x**2),
    "one number, averaged over the data": (
        lambda x, m, v, w: (x - w * m) ** 2 + w**2 * v
    ),
}


def check_noise_variance(attempt: Function) -> str:
    """Check ``noise_variance(x, mean, variance, theta)``: (n,) each to a number."""
    rng, inputs = np.random.default_rng(0), []
    for theta, n in ((1.3, 6), (-0.6, 9)):
        x, mean = rng.normal(size=(2, n))
        inputs.append((x, mean, rng.uniform(0.2, 0.9, size=n), theta))
    return check(attempt, noise_variance, inputs, NOISE_VARIANCE)


def gaussian_nll(
    x, mean, log_var, half=0.5, scale=1.0, constant=LOG_2_PI, reduce=np.sum, axis=-1
):
    squares = (x - mean) ** 2 / np.exp(scale * log_var)
    return half * reduce(constant + log_var + squares, axis=axis)


GAUSSIAN_NLL = {
    "the factor 1/2 is missing": partial(gaussian_nll, half=1.0),
    "log_var is ln sigma^2: exp(log_var) is the variance already": (
        lambda x, m, v: gaussian_nll(x, m, 2 * v)
    ),
    "the sign: this is the negative log-likelihood": partial(gaussian_nll, half=-0.5),
    "ln 2 pi is missing: a loss may drop it, a log-likelihood may not": (
        partial(gaussian_nll, constant=0.0)
    ),
    "the log_var term is missing: without it an infinite variance is best": (
        lambda x, m, v: gaussian_nll(x, m, v) - 0.5 * x.shape[-1] * v
    ),
    "divide by the variance, exp(log_var), not by sigma": partial(
        gaussian_nll, scale=0.5
    ),
    "sum over the D dimensions; their mean is a hidden beta of D": (
        partial(gaussian_nll, reduce=np.mean)
    ),
    "the constants count once per dimension: D times, inside the sum": (
        lambda x, m, v: gaussian_nll(x, m, v) - (x.shape[-1] - 1) / 2 * (LOG_2_PI + v)
    ),
    "one value per data point: sum over the last axis only": (
        partial(gaussian_nll, axis=None)
    ),
}


def check_gaussian_nll(attempt: Function) -> str:
    """Check ``gaussian_nll(x, mean, log_var)``: -ln p(x|z) in nats, (n, D) to (n,)."""
    rng = np.random.default_rng(0)
    cases = ((3, 4), -0.8), ((2, 5), 0.6)
    inputs = [(*rng.normal(size=(2, *shape)), log_var) for shape, log_var in cases]
    return check(attempt, gaussian_nll, inputs, GAUSSIAN_NLL)


def minibatch_bound(bounds, kl_theta, size):
    return size * np.mean(bounds) - kl_theta


MINIBATCH_BOUND = {
    "the sum over the minibatch is M / N of the answer: scale it by N / M": (
        lambda bounds, kl, size: np.sum(bounds) - kl
    ),
    "one point's bound on average: the data set has N of them, and theta's KL once": (
        lambda bounds, kl, size: np.mean(bounds) - kl
    ),
    "that is the bound per data point; the bound of all data was asked for": (
        lambda bounds, kl, size: np.mean(bounds) - kl / size
    ),
    "theta's KL is there once: it is not scaled by N / M": (
        lambda bounds, kl, size: size / len(bounds) * (np.sum(bounds) - kl)
    ),
    "theta's KL is there once: it does not count for every point": (
        lambda bounds, kl, size: size * (np.mean(bounds) - kl)
    ),
    "the KL of theta is missing": lambda bounds, kl, size: size * np.mean(bounds),
    "the sign of theta's KL: it lowers the bound": (
        lambda bounds, kl, size: minibatch_bound(bounds, -kl, size)
    ),
    "a sum where a mean belongs: N times the sum counts every point M times": (
        lambda bounds, kl, size: size * np.sum(bounds) - kl
    ),
    "the scale is N / M, not M / N": (
        lambda bounds, kl, size: np.sum(bounds) * len(bounds) / size - kl
    ),
    "the sign: the bound is maximised; its negative is the loss": (
        then(minibatch_bound, np.negative)
    ),
}


def check_minibatch_bound(attempt: Function) -> str:
    """Check ``minibatch_bound(bounds, kl_theta, data_size)``: (M,) to a number."""
    rng = np.random.default_rng(0)
    inputs = [(rng.normal(size=5) - 3, 1.7, 40), (rng.normal(size=8) - 1, 0.4, 1000)]
    return check(attempt, minibatch_bound, inputs, MINIBATCH_BOUND)
