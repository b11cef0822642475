"""Checks of notebook 01, second half: gradients, samples, likelihoods, minibatches.

On inputs on which every sound method agrees.
"""

from functools import partial

import numpy as np

from helpers.checks.comparing import LOG_2_PI, Function, check, then


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
    "a log-variance may be any number: don't clip it, not even to -2 and 2": (
        lambda m, v, e: pathwise_gradient(m, np.clip(v, -2, 2), e)
    ),
    "the sign: these are the gradients of E[z^2], not of its negative": (
        then(pathwise_gradient, np.negative)
    ),
}


def check_pathwise_gradient(attempt: Function) -> str:
    """Check ``pathwise_gradient(mu, log_var, noise)`` of E[z^2]: noise (L,) to (2,)."""
    rng = np.random.default_rng(0)
    cases = (0.7, -1.2, 50), (-1.5, 0.4, 20), (0.3, -6.0, 10), (-0.2, 6.0, 10)
    inputs = [(mu, log_var, rng.normal(size=n)) for mu, log_var, n in cases]
    return check(attempt, pathwise_gradient, inputs, PATHWISE_GRADIENT)


def sample_logistic(u, mu, s):
    return mu + s * np.log(u / (1 - u))


SAMPLE_LOGISTIC = {
    "that is the CDF; the sampler needs its inverse": (
        lambda u, mu, s: 1 / (1 + np.exp(-(u - mu) / s))
    ),
    "these are right samples too, by symmetry; but F of your z is 1 - u, and F(z) = u "
    "was asked for": (lambda u, mu, s: sample_logistic(1 - u, mu, s)),
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
    """Check ``sample_logistic(u, mu, s)``: the z, (n,), with F(z) = u, (n,)."""
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


def gaussian_nll_constants_once(x, mean, log_var):
    others = x.shape[-1] - 1
    log_volume = LOG_2_PI + np.mean(log_var, axis=-1)
    return gaussian_nll(x, mean, log_var) - 0.5 * others * log_volume


def gaussian_nll_of_one_variance(x, mean, log_var):
    return gaussian_nll(x, mean, np.mean(log_var, axis=-1, keepdims=True))


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
        lambda x, m, v: gaussian_nll(x, m, v) - 0.5 * np.sum(v, axis=-1)
    ),
    "divide by the variance, exp(log_var), not by sigma": partial(
        gaussian_nll, scale=0.5
    ),
    "sum over the D dimensions; their mean is a hidden beta of D": (
        partial(gaussian_nll, reduce=np.mean)
    ),
    "the constants count once per dimension: D times, inside the sum": (
        gaussian_nll_constants_once
    ),
    "each dimension has a log-variance of its own: don't average them": (
        gaussian_nll_of_one_variance
    ),
    "a log-variance may be any number: don't clip it, not even to -1 and 1": (
        lambda x, m, v: gaussian_nll(x, m, np.clip(v, -1, 1))
    ),
    "one value per data point: sum over the last axis only": (
        partial(gaussian_nll, axis=None)
    ),
}


def check_gaussian_nll(attempt: Function) -> str:
    """Check ``gaussian_nll(x, mean, log_var)``: -ln p(x|z) in nats, (n, D) to (n,)."""
    rng, inputs = np.random.default_rng(0), []
    for shape, middle in (((3, 4), -0.8), ((2, 5), 0.6), ((1, 3), -6.0), ((1, 3), 6.0)):
        mean, noise = rng.normal(size=(2, *shape))
        log_var = middle + rng.uniform(-0.5, 0.5, size=shape)
        inputs.append((mean + np.exp(log_var / 2) * noise, mean, log_var))
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
    "N / M need not be whole: divide by /, not by //": (
        lambda bounds, kl, size: size // len(bounds) * np.sum(bounds) - kl
    ),
    "N / M need not be whole: don't round it": (
        lambda bounds, kl, size: round(size / len(bounds)) * np.sum(bounds) - kl
    ),
    "that counts the minibatches of an epoch, N / M rounded up; N / M itself scales": (
        lambda bounds, kl, size: -(-size // len(bounds)) * np.sum(bounds) - kl
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
    inputs = [(rng.normal(size=5) - 3, 1.7, 43), (rng.normal(size=8) - 1, 0.4, 1003)]
    return check(attempt, minibatch_bound, inputs, MINIBATCH_BOUND)
