"""Checks of notebook 03: The variational autoencoder."""

import numpy as np

from helpers.checks.comparing import Function, check


def check_sample(attempt: Function) -> str:
    """Check ``sample(z_mean, z_log_var, noise)``: z ~ N(z_mean, exp(z_log_var))."""
    rng = np.random.default_rng(0)
    return check(
        attempt,
        lambda mean, log_var, noise: mean + np.exp(0.5 * log_var) * noise,
        [tuple(rng.normal(size=(3, 4, 2)))],
        {
            "exp(z_log_var) is the variance; the noise is scaled by its square root": (
                lambda mean, log_var, noise: mean + np.exp(log_var) * noise
            ),
            "z_log_var is a logarithm: exponentiate it": (
                lambda mean, log_var, noise: mean + log_var * noise
            ),
            "half of the logarithm is the logarithm of the root: exponentiate it": (
                lambda mean, log_var, noise: mean + 0.5 * log_var * noise
            ),
            "the mean is missing": lambda mean, log_var, noise: (
                np.exp(0.5 * log_var) * noise
            ),
            "the mean is added, not multiplied": (
                lambda mean, log_var, noise: mean * np.exp(0.5 * log_var) * noise
            ),
        },
    )


def check_kl_normal(attempt: Function) -> str:
    """Check ``kl_normal(z_mean, z_log_var)``: KL to N(0, I) in nats, (n, d) to (n,)."""

    def kl(mean, log_var, sign=1.0, reduce=np.sum):
        return sign * 0.5 * reduce(mean**2 + np.exp(log_var) - 1 - log_var, axis=-1)

    return check(
        attempt,
        kl,
        [tuple(np.random.default_rng(0).normal(size=(2, 4, 3)))],
        {
            "the sign: a KL divergence is never negative": lambda m, v: kl(
                m, v, sign=-1
            ),
            "the factor 1/2 is missing": lambda m, v: kl(m, v, sign=2),
            "sum over the latents; their mean is a hidden beta of 1/d": (
                lambda m, v: kl(m, v, reduce=np.mean)
            ),
            "z_log_var is ln sigma^2, not ln sigma": lambda m, v: kl(m, 2 * v),
            "one value a picture: sum over the last axis only": lambda m, v: np.sum(
                kl(m, v)
            ),
            "one value a picture: the mean over the batch comes later": (
                lambda m, v: np.mean(kl(m, v))
            ),
            "square the mean": lambda m, v: (
                0.5 * np.sum(m + np.exp(v) - 1 - v, axis=-1)
            ),
            "sum over the latents, the last axis": (
                lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v)
            ),
        },
    )


def check_bernoulli(attempt: Function) -> str:
    """Check ``bernoulli_nll(x, logits)``: -ln p(x|z) in nats, (n, h, w, c) to (n,)."""

    def nll(x, logits, reduce=np.sum):
        return reduce(np.logaddexp(0, logits) - x * logits, axis=(1, 2, 3))

    def from_probabilities(x, p):
        return -np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=(1, 2, 3))

    def naive(x, logits):
        return from_probabilities(x, 1 / (1 + np.exp(-logits)))

    rng = np.random.default_rng(0)
    x, logits = (
        (rng.random((2, 3, 3, 1)) < 0.5).astype(float),
        rng.normal(size=(2, 3, 3, 1)),
    )
    return check(
        attempt,
        nll,
        [(x, logits), (x, 1000 * np.where(x > 0, -1.0, 1.0))],
        {
            "the logarithm of a saturated sigmoid is infinite: stay with the logits, and use "
            "np.logaddexp(0, logits) for ln(1 + exp(logits))": naive,
            "sum over the pixels; their mean makes the loss 784 times smaller, and the KL as much "
            "heavier": lambda x, o: nll(x, o, np.mean),
            "the sign: this is the negative log-likelihood": lambda x, o: -nll(x, o),
            "one value a picture: sum over axes 1, 2 and 3": lambda x, o: np.sum(
                nll(x, o)
            ),
            "these are logits: their sigmoid is the probability": from_probabilities,
            "the roles of 0 and 1 are swapped": lambda x, o: nll(1 - x, o),
        },
    )


def check_iwae(attempt: Function) -> str:
    """Check ``iwae(log_weights)``: ln of the mean weight, (n, K) to (n,)."""

    def iwae(log_weights):
        top = log_weights.max(axis=1, keepdims=True)
        return top[:, 0] + np.log(np.mean(np.exp(log_weights - top), axis=1))

    rng = np.random.default_rng(0)
    mild = rng.normal(size=(3, 4))
    return check(
        attempt,
        iwae,
        [(mild,), (mild - 1000,)],
        {
            "that is the ELBO: the mean belongs inside the logarithm": (
                lambda log_weights: log_weights.mean(axis=1)
            ),
            "divide by K: the mean of the weights, not their sum": (
                lambda log_weights: iwae(log_weights) + np.log(log_weights.shape[1])
            ),
            "exp(-1000) is 0 and its logarithm infinite: subtract the largest log weight first "
            "(log-sum-exp)": lambda log_weights: np.log(
                np.mean(np.exp(log_weights), axis=1)
            ),
            "one value a picture: the samples stand along axis 1": (
                lambda log_weights: iwae(log_weights.T)
            ),
        },
    )


def check_active_units(attempt: Function) -> str:
    """Check ``active_units(z_mean, threshold)``: latents whose mean varies, (n, d) to a number."""
    rng = np.random.default_rng(0)
    # eight latents, of which 2 vary enough, 4 have a large deviation, 5 a large second moment
    scales = np.array([1.0, 0.3, 0.095, 0.05, 0.004, 0.004, 0.004, 0.004])
    z_mean = rng.normal(size=(5000, 8)) * scales + np.array([0, 0, 0, 2, 0.5, 1, 0, 0])

    def count(statistic):
        return lambda z_mean, threshold: int(np.sum(statistic(z_mean) > threshold))

    return check(
        attempt,
        count(lambda z: z.var(axis=0)),
        [(z_mean, 0.01)],
        {
            "the variance, not the standard deviation": count(lambda z: z.std(axis=0)),
            "the variance around the mean: a constant code is not active": (
                count(lambda z: np.mean(z**2, axis=0))
            ),
            "over the pictures (axis 0): one variance a latent": count(
                lambda z: z.var(axis=1)
            ),
            "how many latents are above the threshold, not below": (
                lambda z, threshold: int(np.sum(z.var(axis=0) <= threshold))
            ),
        },
    )
