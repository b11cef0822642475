"""Checks of notebook 03: The variational autoencoder."""

from functools import partial

import numpy as np

from helpers.checks.comparing import Function, check, then


def sample(mean, log_var, noise):
    return mean + np.exp(0.5 * log_var) * noise


SAMPLE = {
    "exp(z_log_var) is the variance; the noise is scaled by its square root": (
        lambda mean, log_var, noise: mean + np.exp(log_var) * noise
    ),
    "z_log_var is a logarithm: exponentiate it": (
        lambda mean, log_var, noise: mean + log_var * noise
    ),
    "half of the logarithm is the logarithm of the root: exponentiate it": (
        lambda mean, log_var, noise: mean + 0.5 * log_var * noise
    ),
    "the mean is missing": lambda mean, log_var, noise: sample(0.0, log_var, noise),
    "the mean is added, not multiplied": (
        lambda mean, log_var, noise: mean * np.exp(0.5 * log_var) * noise
    ),
}


def check_sample(attempt: Function) -> str:
    """Check ``sample(z_mean, z_log_var, noise)``: z ~ N(z_mean, exp(z_log_var))."""
    inputs = [tuple(np.random.default_rng(0).normal(size=(3, 4, 2)))]
    return check(attempt, sample, inputs, SAMPLE)


def kl_normal(mean, log_var, half=0.5, power=2, reduce=np.sum, axis=-1):
    return half * reduce(mean**power + np.exp(log_var) - 1 - log_var, axis=axis)


KL_NORMAL = {
    "the sign: a KL divergence is never negative": partial(kl_normal, half=-0.5),
    "the factor 1/2 is missing": partial(kl_normal, half=1.0),
    "sum over the latents; their mean is a hidden beta of 1/d": (
        partial(kl_normal, reduce=np.mean)
    ),
    "z_log_var is ln sigma^2, not ln sigma": lambda m, v: kl_normal(m, 2 * v),
    "one value per picture: sum over the last axis only": partial(kl_normal, axis=None),
    "one value per picture: the mean over the batch comes later": then(
        kl_normal, np.mean
    ),
    "square the mean": partial(kl_normal, power=1),
    "sum over the latents, the last axis": partial(kl_normal, reduce=lambda x, axis: x),
}


def check_kl_normal(attempt: Function) -> str:
    """Check ``kl_normal(z_mean, z_log_var)``: KL to N(0, I) in nats, (n, d) to (n,)."""
    inputs = [tuple(np.random.default_rng(0).normal(size=(2, 4, 3)))]
    return check(attempt, kl_normal, inputs, KL_NORMAL)


def bernoulli_nll(x, logits, reduce=np.sum, axis=(1, 2, 3)):
    return reduce(np.logaddexp(0, logits) - x * logits, axis=axis)


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=(1, 2, 3))


BERNOULLI = {
    "the logarithm of a saturated sigmoid is infinite: stay with the logits, and use "
    "np.logaddexp(0, logits) for ln(1 + exp(logits))": (
        lambda x, o: nll_of_probabilities(x, 1 / (1 + np.exp(-o)))
    ),
    "sum over the pixels; their mean makes the loss 784 times smaller, and the KL as "
    "much heavier": partial(bernoulli_nll, reduce=np.mean),
    "the sign: this is the negative log-likelihood": then(bernoulli_nll, np.negative),
    "one value per picture: sum over axes 1, 2 and 3": partial(
        bernoulli_nll, axis=None
    ),
    "these are logits: their sigmoid is the probability": nll_of_probabilities,
    "the roles of 0 and 1 are swapped": lambda x, o: bernoulli_nll(1 - x, o),
}


def check_bernoulli(attempt: Function) -> str:
    """Check ``bernoulli_nll(x, logits)``: -ln p(x|z) in nats, (n, h, w, c) to (n,)."""
    rng = np.random.default_rng(0)
    x = (rng.random((2, 3, 3, 1)) < 0.5).astype(float)
    saturated = 1000 * np.where(x > 0, -1.0, 1.0)
    inputs = [(x, rng.normal(size=(2, 3, 3, 1))), (x, saturated)]
    return check(attempt, bernoulli_nll, inputs, BERNOULLI)


def iwae(log_weights):
    top = log_weights.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(np.mean(np.exp(log_weights - top), axis=1))


IWAE = {
    "that is the ELBO: the mean belongs inside the logarithm": lambda w: w.mean(axis=1),
    "divide by K: the mean of the weights, not their sum": (
        lambda w: iwae(w) + np.log(w.shape[1])
    ),
    "exp(-1000) is 0 and its logarithm infinite: subtract the largest log weight first "
    "(log-sum-exp)": lambda w: np.log(np.mean(np.exp(w), axis=1)),
    "one value per picture: the samples stand along axis 1": lambda w: iwae(w.T),
}


def check_iwae(attempt: Function) -> str:
    """Check ``iwae(log_weights)``: ln of the mean weight, (n, K) to (n,)."""
    mild = np.random.default_rng(0).normal(size=(3, 4))
    return check(attempt, iwae, [(mild,), (mild - 1000,)], IWAE)


def active_units(z_mean, threshold, axis=0, spread=np.var):
    return np.sum(spread(z_mean, axis=axis) > threshold)


ACTIVE_UNITS = {
    "the variance, not the standard deviation": partial(active_units, spread=np.std),
    "the variance around the mean: a constant code is not active": (
        partial(active_units, spread=lambda z, axis: np.mean(z**2, axis=axis))
    ),
    "over the pictures (axis 0): one variance per latent": partial(
        active_units, axis=1
    ),
    "how many latents are above the threshold, not below": (
        lambda z, threshold: z.shape[1] - active_units(z, threshold)
    ),
}


def check_active_units(attempt: Function) -> str:
    """Check ``active_units(z_mean, threshold)``: how many vary, of (n, d)."""
    # of eight latents 2 vary enough, 4 have a large deviation, 5 a large second moment
    scales = np.array([1.0, 0.3, 0.095, 0.05, 0.004, 0.004, 0.004, 0.004])
    middles = np.array([0, 0, 0, 2, 0.5, 1, 0, 0])
    z_mean = np.random.default_rng(0).normal(size=(5000, 8)) * scales + middles
    return check(attempt, active_units, [(z_mean, 0.01)], ACTIVE_UNITS)
