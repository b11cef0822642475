"""The self-checks behind the exercises: each says "not attempted", "not yet: ..." or "correct".

A check runs the reader's function beside the right one on inputs that tell them apart, and beside
the typical wrong ones, so that a hint can name the mistake that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise

import numpy as np
from scipy.special import logsumexp, xlogy

Function = Callable[..., np.ndarray]
LOG_2_PI = float(np.log(2 * np.pi))


def check(
    attempt: Function,
    correct: Function,
    inputs: Sequence[tuple],
    mistakes: Mapping[str, Function],
    tolerance: float = 1e-5,
) -> str:
    """Return what the attempt's outputs say.

    Args:
        attempt: the reader's function; one that raises NotImplementedError was not attempted.
        correct: the right function.
        inputs: argument tuples on which both are called.
        mistakes: hint to a function that makes the mistake; the first that agrees with the attempt
            on every input gives the hint.
        tolerance: of the largest difference, relative above 1.
    """
    expected = [correct(*arguments) for arguments in inputs]
    try:
        results = [attempt(*deepcopy(arguments)) for arguments in inputs]
        if any(result is None for result in results):
            return "not yet: the function returned None; does it end with `return`?"
        results = [np.asarray(result, np.float64) for result in results]
    except NotImplementedError:
        return "not attempted"
    except Exception as error:
        return f"not yet: your function raised, or its answer did: {type(error).__name__}: {error}"
    for result, right in zip(results, expected, strict=True):
        if np.shape(result) != np.shape(right):
            wrong = matching_hint(results, inputs, mistakes, tolerance)
            return wrong or (
                f"not yet: the shape should be {np.shape(right)}, and is {np.shape(result)}"
            )
    difference = max(map(largest_difference, results, expected))
    if difference <= tolerance:
        return f"correct (largest difference {difference:.1g})"
    return matching_hint(results, inputs, mistakes, tolerance) or (
        f"not yet: the largest difference from the right answer is {difference:.3g}"
    )


def matching_hint(results, inputs, mistakes, tolerance) -> str | None:
    """Return the hint of the first mistake whose outputs are the attempt's."""
    for hint, mistaken in mistakes.items():
        with np.errstate(all="ignore"):
            outputs = [mistaken(*arguments) for arguments in inputs]
        if all(
            np.shape(result) == np.shape(output) and largest_difference(result, output) <= tolerance
            for result, output in zip(results, outputs, strict=True)
        ):
            return f"not yet: {hint}"
    return None


def largest_difference(result, right) -> float:
    """Return the largest |a - b| / max(1, |b|); infinite where only one of them is finite."""
    a, b = np.asarray(result, np.float64), np.asarray(right, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b) / np.maximum(1, np.abs(b)))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


# 01 The paper's mathematics


def check_posterior(attempt: Function) -> str:
    """Check ``posterior(prior, likelihood, dz)``: the density p(z|x) on a grid, all (n,)."""
    z = np.linspace(-3, 3, 13)
    prior, likelihood = np.exp(-0.5 * z**2), np.exp(-2 * (z - 1) ** 2)

    def bayes(prior, likelihood, dz):
        return prior * likelihood / (np.sum(prior * likelihood) * dz)

    return check(
        attempt,
        bayes,
        [(prior / np.sqrt(2 * np.pi), likelihood, z[1] - z[0])],
        {
            "this is p(x, z): divide by its integral over z, p(x)": lambda p, k, dz: p * k,
            "that sums to one, but a density must integrate to one: the sum times dz": (
                lambda p, k, dz: bayes(p, k, 1.0)
            ),
            "the likelihood alone was normalised: multiply it by the prior first": (
                lambda p, k, dz: bayes(np.ones_like(p), k, dz)
            ),
            "dz multiplies the sum; it was divided by": lambda p, k, dz: bayes(p, k, 1 / dz),
            "the integral runs over the joint, not over the likelihood alone": (
                lambda p, k, dz: p * k / (np.sum(k) * dz)
            ),
            "divide by the integral, not by the largest value": (
                lambda p, k, dz: p * k / np.max(p * k)
            ),
        },
    )


def check_elbo(attempt: Function) -> str:
    """Check ``elbo(log_joint, log_q)``: the bound in nats from L samples, (n, L) to (n,)."""
    rng = np.random.default_rng(0)

    def bound(log_joint, log_q, mean=np.mean):
        return mean(log_joint - log_q, axis=1)

    return check(
        attempt,
        bound,
        [tuple(rng.normal(size=(2, 3, 4)))],
        {
            "the sign of the entropy: ln q is subtracted": lambda j, q: bound(j, -q),
            "the entropy is missing: subtract ln q": lambda j, q: bound(j, 0 * q),
            "the sign: this is the negative of the bound, which serves as a loss": (
                lambda j, q: -bound(j, q)
            ),
            "an expectation is a mean over the samples, not their sum": (
                lambda j, q: bound(j, q, np.sum)
            ),
            "the logarithm belongs inside the mean; ln of the mean weight is the bound of IWAE": (
                lambda j, q: np.log(np.mean(np.exp(j - q), axis=1))
            ),
            "one value a data point: the mean over the samples (axis 1) only": (
                lambda j, q: np.mean(j - q)
            ),
            "the samples stand along axis 1": lambda j, q: np.mean(j - q, axis=0),
        },
    )


def check_kl_normals(attempt: Function) -> str:
    """Check ``kl_normals(mean_q, log_var_q, mean_p, log_var_p)``: nats, (n, d) to (n,)."""

    def kl(a, u, b, v, half=0.5, one=1.0, reduce=np.sum):
        ratio = (np.exp(u) + (a - b) ** 2) / np.exp(v)
        return half * reduce(ratio - one + v - u, axis=-1)

    return check(
        attempt,
        kl,
        [tuple(np.random.default_rng(0).uniform(0.5, 2, size=(4, 3, 2)))],
        {
            "the wrong direction: q and p have changed places": (lambda a, u, b, v: kl(b, v, a, u)),
            "the factor 1/2 is missing": lambda *args: kl(*args, half=1.0),
            "the sign: a KL divergence is never negative": lambda *args: kl(*args, half=-0.5),
            "these are logarithms of variances, not of standard deviations: exp(log_var) is "
            "already the variance": lambda a, u, b, v: kl(a, 2 * u, b, 2 * v),
            "these are logarithms of variances: exponentiate them": (
                lambda a, u, b, v: 0.5 * np.sum((u + (a - b) ** 2) / v - 1 + np.log(v / u), axis=-1)
            ),
            "where q equals p it must be 0: the -1 is missing": (lambda *args: kl(*args, one=0.0)),
            "sum over the latents; their mean is a hidden beta of 1/d": (
                lambda *args: kl(*args, reduce=np.mean)
            ),
            "one value a data point: sum over the last axis only": lambda *args: np.sum(kl(*args)),
            "sum over the latents, the last axis": (
                lambda *args: kl(*args, reduce=lambda values, axis: values)
            ),
        },
    )


def check_kl_exponential(attempt: Function) -> str:
    """Check ``kl_exponential(s, t)``: KL between exponentials with means s and t, (n,) to (n,)."""

    def kl(s, t):
        return np.log(t / s) + s / t - 1

    return check(
        attempt,
        kl,
        [(np.array([0.5, 1.0, 3.0, 2.0]), np.array([1.0, 2.0, 0.7, 2.0]))],
        {
            "the wrong direction, or rates in the place of means: s and t have changed places": (
                lambda s, t: kl(t, s)
            ),
            "the sign: a KL divergence is never negative": lambda s, t: -kl(s, t),
            "where s equals t it must be 0: the -1 is missing": lambda s, t: kl(s, t) + 1,
            "the sign of the logarithm: -ln s comes from ln q, and + ln t from -ln p": (
                lambda s, t: np.log(s / t) + s / t - 1
            ),
            "that is the KL to Exponential(1): the prior's mean is t": lambda s, t: kl(s, 1.0),
            "no factor 1/2 here: that belongs to the normal": lambda s, t: 0.5 * kl(s, t),
            "one value a pair: no sum": lambda s, t: np.sum(kl(s, t)),
        },
    )


def check_pathwise_gradient(attempt: Function) -> str:
    """Check ``pathwise_gradient(mu, log_var, noise)`` of E[z^2]: two numbers, noise (L,)."""

    def gradient(mu, log_var, noise, inner=0.5, scale=0.5, mean=np.mean):
        sigma = np.exp(scale * log_var)
        z = mu + sigma * noise
        return np.array([mean(2 * z), mean(2 * z * inner * sigma * noise)])

    def score(mu, log_var, noise):
        z = mu + np.exp(0.5 * log_var) * noise
        weights = [noise * np.exp(-0.5 * log_var), 0.5 * (noise**2 - 1)]
        return np.array([np.mean(z**2 * weight) for weight in weights])

    def without_path(mu, log_var, noise):
        z = mu + np.exp(0.5 * log_var) * noise
        return np.array([np.mean(2 * z), np.mean(2 * z)])

    return check(
        attempt,
        gradient,
        [(0.7, -1.2, np.random.default_rng(0).normal(size=50))],
        {
            "the factor 1/2 is missing: the derivative of exp(log_var / 2) is half of it": (
                lambda m, v, e: gradient(m, v, e, inner=1.0)
            ),
            "log_var is the logarithm of the variance: sigma = exp(log_var / 2)": (
                lambda m, v, e: gradient(m, v, e, scale=1.0)
            ),
            "log_var is the logarithm of the variance: sigma = exp(log_var / 2), with the "
            "derivative sigma / 2": lambda m, v, e: gradient(m, v, e, inner=1.0, scale=1.0),
            "an expectation is a mean over the samples, not their sum": (
                lambda m, v, e: gradient(m, v, e, mean=np.sum)
            ),
            "this is the score-function estimator: unbiased, but let the gradient pass through z": (
                score
            ),
            "the chain rule: multiply by the derivative of z with respect to log_var": (
                without_path
            ),
            "the sign: these are the gradients of E[z^2], not of its negative": (
                lambda m, v, e: -gradient(m, v, e)
            ),
        },
    )


def check_sample_logistic(attempt: Function) -> str:
    """Check ``sample_logistic(u, mu, s)``: uniform u (n,) to Logistic(mu, s)."""

    def inverse(u, mu, s):
        return mu + s * np.log(u / (1 - u))

    return check(
        attempt,
        inverse,
        [(np.array([0.05, 0.3, 0.5, 0.9]), 1.5, 2.0)],
        {
            "that is the CDF; the sampler needs its inverse": (
                lambda u, mu, s: 1 / (1 + np.exp(-(u - mu) / s))
            ),
            "the sign: a larger u must give a larger z": lambda u, mu, s: inverse(1 - u, mu, s),
            "z - mu is multiplied by the scale, not divided": lambda u, mu, s: inverse(
                u, mu, 1 / s
            ),
            "the location mu is missing": lambda u, mu, s: inverse(u, 0.0, s),
            "-ln(1 - u) belongs to the exponential; solve u = 1 / (1 + exp(-(z - mu) / s))": (
                lambda u, mu, s: mu - s * np.log(1 - u)
            ),
            "the scale is missing": lambda u, mu, s: inverse(u, mu, 1.0),
            "mu is added after the scaling": lambda u, mu, s: s * inverse(u, mu, 1.0),
        },
    )


def check_minibatch_bound(attempt: Function) -> str:
    """Check ``minibatch_bound(bounds, data_size)``: a data set's bound from a minibatch's (M,)."""
    return check(
        attempt,
        lambda bounds, size: size * np.mean(bounds),
        [(np.random.default_rng(0).normal(size=5) - 3, 40)],
        {
            "the sum over the minibatch is M / N of the answer: scale it by N / M": (
                lambda bounds, size: np.sum(bounds)
            ),
            "that is the bound a data point; the data set has N of them": (
                lambda bounds, size: np.mean(bounds)
            ),
            "a sum where a mean belongs: N times the sum counts every point M times": (
                lambda bounds, size: size * np.sum(bounds)
            ),
            "the scale is N / M, not M / N": (
                lambda bounds, size: np.sum(bounds) * len(bounds) / size
            ),
            "the sign: the bound is maximised; its negative is the loss": (
                lambda bounds, size: -size * np.mean(bounds)
            ),
        },
    )


def check_gaussian_nll(attempt: Function) -> str:
    """Check ``gaussian_nll(x, mean, log_var)``: -ln p(x|z) in nats, x (n, D), to (n,)."""

    def nll(x, mean, log_var, half=0.5, scale=1.0, constant=LOG_2_PI, reduce=np.sum):
        return half * reduce(
            constant + log_var + (x - mean) ** 2 / np.exp(scale * log_var), axis=-1
        )

    rng = np.random.default_rng(0)
    return check(
        attempt,
        nll,
        [(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), -0.8)],
        {
            "the factor 1/2 is missing": lambda *args: nll(*args, half=1.0),
            "log_var is ln sigma^2: exp(log_var) is the variance already": (
                lambda x, m, v: nll(x, m, 2 * v)
            ),
            "the sign: this is the negative log-likelihood": lambda *args: nll(*args, half=-0.5),
            "ln 2 pi is missing: a loss may drop it, a log-likelihood may not": (
                lambda *args: nll(*args, constant=0.0)
            ),
            "the log_var term is missing: without it an infinite variance is best": (
                lambda x, m, v: nll(x, m, v) - 0.5 * x.shape[-1] * v
            ),
            "divide by the variance, exp(log_var), not by sigma": (
                lambda *args: nll(*args, scale=0.5)
            ),
            "sum over the D dimensions; their mean is a hidden beta of D": (
                lambda *args: nll(*args, reduce=np.mean)
            ),
            "the constants count once a dimension: D times, inside the sum": (
                lambda x, m, v: (
                    0.5 * (np.log(2 * np.pi) + v + np.sum((x - m) ** 2, axis=-1) / np.exp(v))
                )
            ),
            "one value a data point: sum over the last axis only": lambda *args: np.sum(nll(*args)),
        },
    )


# 02 The autoencoder


def check_psnr(attempt: Function) -> str:
    """Check ``psnr(x, y)``: dB of pictures (n, h, w, c) in [0, 1], shape (n,)."""
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 3, 4, 4, 1))

    def decibels(x, y, factor=-10, log=np.log10, mean=np.mean, power=2):
        return factor * log(mean(np.abs(x - y) ** power, axis=(1, 2, 3)))

    return check(
        attempt,
        decibels,
        [(x, y)],
        {
            "the sign: a smaller error means more decibels": lambda x, y: decibels(x, y, factor=10),
            "decibels use the logarithm to base 10": lambda x, y: decibels(x, y, log=np.log),
            "20 belongs to a root mean squared error; to a mean squared error belongs 10": (
                lambda x, y: decibels(x, y, factor=-20)
            ),
            "the mean over pixels, not the sum": lambda x, y: decibels(x, y, mean=np.sum),
            "one value a picture: take the mean over axes 1, 2 and 3 only": (
                lambda x, y: -10 * np.log10(np.mean((x - y) ** 2))
            ),
            "square the differences": lambda x, y: decibels(x, y, power=1),
        },
    )


def check_count_parameters(attempt: Function) -> str:
    """Check ``count_parameters(sizes)``: weights and biases of dense layers of these sizes."""

    def count(sizes, biases=True):
        return sum(a * b + (b if biases else 0) for a, b in pairwise(sizes))

    return check(
        attempt,
        count,
        [([784, 32, 784],), ([784, 512, 2, 512, 784],)],
        {
            "every output has a bias too": lambda sizes: count(sizes, biases=False),
            "biases belong to outputs: the input layer has none": (
                lambda sizes: count(sizes) + sizes[0]
            ),
            "count the decoder as well as the encoder": (
                lambda sizes: count(sizes[: len(sizes) // 2 + 1])
            ),
        },
    )


def check_interpolate(attempt: Function) -> str:
    """Check ``interpolate(first, last, count)``: codes (count, d) on a line, both ends included."""

    def line(first, last, weights):
        weights = np.asarray(weights)[:, np.newaxis]
        return (1 - weights) * first + weights * last

    rng = np.random.default_rng(0)
    return check(
        attempt,
        lambda first, last, count: line(first, last, np.linspace(0, 1, count)),
        [(rng.normal(size=3), rng.normal(size=3), 5)],
        {
            "the last code is missing: the weights must reach 1": (
                lambda a, b, n: line(a, b, np.arange(n) / n)
            ),
            "the path runs backwards": lambda a, b, n: line(a, b, np.linspace(1, 0, n)),
            "both ends are missing: the weights run from 0 to 1": (
                lambda a, b, n: line(a, b, np.linspace(0, 1, n + 2)[1:-1])
            ),
            "one row a code: the shape should be (count, d)": (
                lambda a, b, n: line(a, b, np.linspace(0, 1, n)).T
            ),
        },
    )


def check_add_noise(attempt: Function) -> str:
    """Check ``add_noise(x, sigma, noise)``: noisy pictures in [0, 1]; noise is standard normal."""
    rng = np.random.default_rng(0)
    return check(
        attempt,
        lambda x, sigma, noise: np.clip(x + sigma * noise, 0, 1),
        [(rng.random((2, 5, 5, 1)), 0.5, rng.normal(size=(2, 5, 5, 1)))],
        {
            "pixels must stay in [0, 1]: clip the sum": lambda x, s, e: x + s * e,
            "sigma is a standard deviation, not a variance": (
                lambda x, s, e: np.clip(x + np.sqrt(s) * e, 0, 1)
            ),
            "sigma multiplies the noise once; it is not squared": (
                lambda x, s, e: np.clip(x + s**2 * e, 0, 1)
            ),
            "clip the sum, not the noise": lambda x, s, e: x + np.clip(s * e, 0, 1),
        },
    )


# 03 The variational autoencoder


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
            "the mean is missing": lambda mean, log_var, noise: np.exp(0.5 * log_var) * noise,
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
            "the sign: a KL divergence is never negative": lambda m, v: kl(m, v, sign=-1),
            "the factor 1/2 is missing": lambda m, v: kl(m, v, sign=2),
            "sum over the latents; their mean is a hidden beta of 1/d": (
                lambda m, v: kl(m, v, reduce=np.mean)
            ),
            "z_log_var is ln sigma^2, not ln sigma": lambda m, v: kl(m, 2 * v),
            "one value a picture: sum over the last axis only": lambda m, v: np.sum(kl(m, v)),
            "one value a picture: the mean over the batch comes later": (
                lambda m, v: np.mean(kl(m, v))
            ),
            "square the mean": lambda m, v: 0.5 * np.sum(m + np.exp(v) - 1 - v, axis=-1),
            "sum over the latents, the last axis": (lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v)),
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
    x, logits = (rng.random((2, 3, 3, 1)) < 0.5).astype(float), rng.normal(size=(2, 3, 3, 1))
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
            "one value a picture: sum over axes 1, 2 and 3": lambda x, o: np.sum(nll(x, o)),
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
            "(log-sum-exp)": lambda log_weights: np.log(np.mean(np.exp(log_weights), axis=1)),
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
            "over the pictures (axis 0): one variance a latent": count(lambda z: z.var(axis=1)),
            "how many latents are above the threshold, not below": (
                lambda z, threshold: int(np.sum(z.var(axis=0) <= threshold))
            ),
        },
    )


# 04 Latent priors


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
            "where q is the prior it must be 0: the -1 is missing": lambda m, s: kl(m, s, one=0.0),
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
            "one value a picture: sum over the last axis only": lambda m, s: np.sum(terms(m, s)),
            "sum over the latents, the last axis": terms,
        },
    )


def check_gumbel(attempt: Function) -> str:
    """Check ``gumbel(u, z_mode, z_log_scale)``: z and ln q(z), stacked, (n, d) to (2, n, d)."""
    rng = np.random.default_rng(0)

    def gumbel(u, mode, log_scale, noise=lambda u: -np.log(-np.log(u)), known=1.0, sign=1.0):
        y = noise(u)
        return np.stack(
            [mode + np.exp(log_scale) * y, -known * log_scale - sign * y - np.exp(-sign * y)]
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
                lambda u, m, s: np.stack([m + s * gumbel(u, 0, 0)[0], gumbel(u, m, s)[1]])
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
        return logsumexp(parts(z, means) + log_weights[:, np.newaxis], axis=1).sum(axis=1)

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
            "the weights come as logarithms: add them": lambda z, m, w: mixture(z, m, np.exp(w)),
            "a mixture is a sum of densities, not of their logarithms": lambda z, m, w: np.sum(
                np.exp(w) * parts(z, m).sum(axis=2), axis=1
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
            "these are nats: divide by ln 2": lambda nats, values: bits(nats, values, base=np.e),
            "the sign: the negative log-likelihood comes in": (
                lambda nats, values: bits(-nats, values)
            ),
            "divide by the number of values": lambda nats, values: bits(nats, 1),
            "256 values, not 255 steps": lambda nats, values: bits(nats, values, steps=255),
            "add ln 256 to every value, once the nats are divided among them": (
                lambda nats, values: bits(nats, 1) / values
            ),
        },
    )


# 05 The latent space


def check_overlap(attempt: Function) -> str:
    """Check ``overlap(p, q, dz)``: what two densities on a grid, (n,), have in common, a number."""
    z = np.linspace(-6, 8, 57)
    p = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    q = np.exp(-0.5 * ((z - 1) / 1.5) ** 2) / np.sqrt(4.5 * np.pi)
    return check(
        attempt,
        lambda p, q, dz: np.sum(np.minimum(p, q)) * dz,
        [(p, q, z[1] - z[0]), (p, p, z[1] - z[0])],
        {
            "the smaller of the two densities, not their product": (
                lambda p, q, dz: np.sum(p * q) * dz
            ),
            "the smaller of the two, not the larger": (
                lambda p, q, dz: np.sum(np.maximum(p, q)) * dz
            ),
            "an integral: the sum times dz": lambda p, q, dz: np.sum(np.minimum(p, q)),
            "an integral: the sum times dz, not the mean": (
                lambda p, q, dz: np.mean(np.minimum(p, q))
            ),
            "that is what they do not share; the overlap is 1 minus it": (
                lambda p, q, dz: 0.5 * np.sum(np.abs(p - q)) * dz
            ),
            "one number: add up over the grid": lambda p, q, dz: np.minimum(p, q) * dz,
        },
        tolerance=1e-4,
    )


def check_uncertainty(attempt: Function) -> str:
    """Check ``uncertainty(p)``: entropy of pictures of coins, (n, h, w, c) to nats, (n,)."""
    rng = np.random.default_rng(0)
    p = rng.uniform(0.01, 0.99, size=(3, 4, 4, 1))
    sure = p.copy()
    sure[:, 0, 0], sure[:, 1, 1] = 0.0, 1.0

    def entropy(p, reduce=np.sum, axis=(1, 2, 3)):
        return -reduce(xlogy(p, p) + xlogy(1 - p, 1 - p), axis=axis)

    return check(
        attempt,
        entropy,
        [(p,), (sure,)],
        {
            "0 ln 0 is 0, and NumPy says nan: use scipy.special.xlogy(p, p)": (
                lambda p: -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p), axis=(1, 2, 3))
            ),
            "a coin has two sides: add -(1 - p) ln(1 - p)": (
                lambda p: -np.sum(xlogy(p, p), axis=(1, 2, 3))
            ),
            "nats: the natural logarithm, not log2": lambda p: entropy(p) / np.log(2),
            "the sign: an entropy is never negative": lambda p: -entropy(p),
            "add up the pixels; their mean is 784 times smaller": (
                lambda p: entropy(p, reduce=np.mean)
            ),
            "one value a picture: add up axes 1, 2 and 3 only": lambda p: entropy(p, axis=None),
            "one value a picture: add up the pixels": lambda p: -xlogy(p, p) - xlogy(1 - p, 1 - p),
            "that is the coin's variance, another measure of doubt": (
                lambda p: np.sum(p * (1 - p), axis=(1, 2, 3))
            ),
        },
    )


def check_slerp(attempt: Function) -> str:
    """Check ``slerp(first, last, weights)``: (d,), (d,) and (n,) to codes on an arc, (n, d)."""
    first = np.array([0.9, 0.2, -0.1, 0.4])
    others = np.array([[-0.3, 0.8, 0.5, 0.1], [-0.7, -0.5, 0.6, 0.2]])
    weights = np.linspace(0, 1, 5)

    def angle_between(a, b):
        return np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    def arc(a, b, weights, angle=angle_between, sine=np.sin):
        theta, w = angle(a, b), np.asarray(weights)[:, np.newaxis]
        return (np.sin((1 - w) * theta) * a + np.sin(w * theta) * b) / sine(theta)

    return check(
        attempt,
        arc,
        [(first, last, weights) for last in others],
        {
            "that is the straight line": lambda a, b, w: np.outer(1 - w, a) + np.outer(w, b),
            "divide by both lengths before the arccos: it wants the cosine of the angle": (
                lambda a, b, w: arc(a, b, w, angle=lambda a, b: np.arccos(a @ b))
            ),
            "divide by sin(theta), or the ends are not the two codes": (
                lambda a, b, w: arc(a, b, w, sine=lambda theta: 1.0)
            ),
            "radians: np.sin takes no degrees": (
                lambda a, b, w: arc(a, b, w, angle=lambda a, b: np.degrees(angle_between(a, b)))
            ),
            "the path runs backwards: weight 0 is the first code": lambda a, b, w: arc(b, a, w),
            "the codes keep their own lengths: do not normalise them": (
                lambda a, b, w: arc(a / np.linalg.norm(a), b / np.linalg.norm(b), w)
            ),
            "one row a code: the shape should be (n, d)": lambda a, b, w: arc(a, b, w).T,
        },
    )


def check_traverse(attempt: Function) -> str:
    """Check ``traverse(code, latent, values)``: (d,), an index and (n,) to codes (n, d)."""
    rng = np.random.default_rng(0)

    def varied(code, latent, values):
        codes = np.repeat(code[np.newaxis], len(values), axis=0)
        codes[:, latent] = values
        return codes

    return check(
        attempt,
        varied,
        [(rng.normal(size=4), 2, rng.normal(size=3)), (rng.normal(size=4), 0, rng.normal(size=3))],
        {
            "the latent takes the values; they are not added to it": (
                lambda code, j, values: varied(code, j, code[j] + values)
            ),
            "the others keep the code's values: start from copies of the code, not from zeros": (
                lambda code, j, values: varied(0 * code, j, values)
            ),
            "every row is the same array, and so all show the last value: copy the code": (
                lambda code, j, values: varied(code, j, np.full(len(values), values[-1]))
            ),
            "only the one latent changes": (
                lambda code, j, values: np.repeat(values[:, np.newaxis], len(code), axis=1)
            ),
            "one row a value: the shape should be (n, d)": (
                lambda code, j, values: varied(code, j, values).T
            ),
        },
    )


def check_aggregate_density(attempt: Function) -> str:
    """Check ``aggregate_density(z, z_mean, z_log_var)``: one latent's q(z), (m,), from (n,)."""
    rng = np.random.default_rng(0)
    z_mean, z_log_var = rng.normal(size=6), rng.normal(-2, 0.5, size=6)

    def parts(z, mean, log_var, power=0.5):
        squared = (z[:, np.newaxis] - mean) ** 2 / np.exp(log_var)
        return np.exp(-0.5 * squared) / (2 * np.pi * np.exp(log_var)) ** power

    def mixture(*arguments, **changes):
        return parts(*arguments, **changes).mean(axis=1)

    return check(
        attempt,
        mixture,
        [(np.linspace(-2, 2, 7), z_mean, z_log_var)],
        {
            "every picture has an equal share: the mean of the densities, not their sum": (
                lambda *args: parts(*args).sum(axis=1)
            ),
            "average the densities, not the parameters: many narrow bells are not one": (
                lambda z, m, v: mixture(z, m.mean(keepdims=True), v.mean(keepdims=True))
            ),
            "that is the geometric mean: average the densities, not their logarithms": (
                lambda *args: np.exp(np.log(parts(*args)).mean(axis=1))
            ),
            "exp(z_log_var) is the variance, and not a standard deviation": (
                lambda z, m, v: mixture(z, m, 2 * v)
            ),
            "each bell must integrate to one: divide by sqrt(2 pi) sigma": (
                lambda *args: mixture(*args, power=0.0)
            ),
            "one value for each z: average over the pictures": parts,
            "one value for each z: average over the pictures, not over the z": (
                lambda *args: parts(*args).mean(axis=0)
            ),
        },
    )


# 06 Applications


def check_auc(attempt: Function) -> str:
    """Check ``auc(normal, foreign)``: how often a foreign score is the higher, (n,), (m,)."""
    normal = np.array([0.2, 1.0, 1.0, 3.0, 2.0, 0.5])
    foreign = np.array([1.0, 4.0, 2.0, 1.0, 0.1, 5.0])

    def share(normal, foreign, tie=0.5):
        against = foreign[:, np.newaxis]
        return np.mean((against > normal) + tie * (against == normal))

    return check(
        attempt,
        share,
        [(normal, foreign), (np.repeat(foreign, 2), normal)],
        {
            "the other way round: a foreign picture should have the higher score": (
                lambda n, f: share(f, n)
            ),
            "a tie counts half; here it counts nothing": lambda n, f: share(n, f, tie=0.0),
            "a tie counts half; here it counts whole": lambda n, f: share(n, f, tie=1.0),
            "a share of the pairs: divide by their number": (
                lambda n, f: share(n, f) * len(n) * len(f)
            ),
            "the share of foreign scores above the normal mean: compare with every normal one": (
                lambda n, f: np.mean(f > n.mean())
            ),
            "from 0 to 1: this runs from -1 to 1": lambda n, f: 2 * share(n, f) - 1,
        },
    )


def check_importance_weights(attempt: Function) -> str:
    """Check ``importance_weights(x, logits, visible)``: (D,), (K, D), (D,) to weights (K,)."""
    rng = np.random.default_rng(0)
    x, visible = (rng.random(8) < 0.5).astype(float), np.arange(8) < 5
    mild = rng.normal(size=(4, 8))
    wild = mild - 4000 * np.where(x > 0, 1, -1)  # every coin is against every pixel

    def log_weights(x, logits, visible, reduce=np.sum):
        nats = x * logits - np.logaddexp(0, logits)
        return reduce(nats[:, visible], axis=1)

    def weights(*arguments, sign=1.0, **changes):
        log_w = sign * log_weights(*arguments, **changes)
        return np.exp(log_w - logsumexp(log_w))

    def naive(x, logits, visible):
        unnormalised = np.exp(log_weights(x, logits, visible))
        return unnormalised / unnormalised.sum()

    return check(
        attempt,
        weights,
        [(x, mild, visible), (x, wild, visible)],
        {
            "only the visible pixels are known": lambda x, o, v: weights(x, o, np.full_like(v, 1)),
            "the visible pixels, not the hidden ones": lambda x, o, v: weights(x, o, ~v),
            "exp(-1000) is 0, and 0 / 0 is nan: scipy.special.softmax takes the largest out": naive,
            "the sum over pixels; their mean makes all candidates alike": (
                lambda *args: weights(*args, reduce=np.mean)
            ),
            "they must add up to one: divide by their sum": (
                lambda *args: np.exp(log_weights(*args))
            ),
            "these are logarithms of weights: exponentiate them": (
                lambda *args: log_weights(*args) - logsumexp(log_weights(*args))
            ),
            "the sign: the more probable candidate weighs more": (
                lambda *args: weights(*args, sign=-1.0)
            ),
        },
    )


def check_covered_share(attempt: Function) -> str:
    """Check ``covered_share(points, centres, k)``: (n, d) and (n, d) to a share of the points."""
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(40, 2)), 0.3 + 0.7 * rng.normal(size=(40, 2))

    def distances(a, b):
        return np.linalg.norm(a[:, np.newaxis] - b, axis=2)

    def inside(points, centres, k, own=1):
        radii = np.sort(distances(centres, centres), axis=1)[:, k - 1 + own]
        return distances(points, centres) <= radii

    def nearest(points, centres, k):
        closest = distances(points, centres).argmin(axis=1)
        return np.mean(inside(points, centres, k)[np.arange(len(points)), closest])

    return check(
        attempt,
        lambda *args: np.mean(inside(*args).any(axis=1)),
        [(points, centres, 3), (points, centres, 5)],
        {
            "each centre is its own nearest neighbour: leave it out": (
                lambda *args: np.mean(inside(*args, own=0).any(axis=1))
            ),
            "the balls stand around the centres, and the points are counted": (
                lambda p, c, k: np.mean(inside(c, p, k).any(axis=1))
            ),
            "one ball is enough for a point: any over the centres, then the mean": (
                lambda *args: np.mean(inside(*args))
            ),
            "a ball further away may be larger: ask all of them, not the nearest alone": nearest,
            "how many of the points, as a share of them": (
                lambda *args: np.sum(inside(*args).any(axis=1))
            ),
        },
    )


def check_code_length(attempt: Function) -> str:
    """Check ``code_length(symbols)``: bits a picture, from integers (pictures, coefficients)."""
    rng = np.random.default_rng(0)
    symbols = np.round(rng.normal(size=(50, 3)) * [0.4, 1.0, 3.0]).astype(int)

    def entropies(symbols, log=np.log2):
        shares = [np.unique(c, return_counts=True)[1] / len(c) for c in symbols.T]
        return np.array([-np.sum(p * log(p)) for p in shares])

    def pooled(symbols):
        return entropies(symbols.reshape(-1, 1))[0] * symbols.shape[1]

    return check(
        attempt,
        lambda symbols: entropies(symbols).sum(),
        [(symbols,), (symbols[:, :2],)],
        {
            "bits: the logarithm to base 2": lambda s: entropies(s, np.log).sum(),
            "a picture needs all its coefficients: add them up": lambda s: entropies(s).mean(),
            "each coefficient has its own table of counts; here all share one": pooled,
            "frequent values get shorter words: not log2 of how many different ones there are": (
                lambda s: sum(np.log2(len(np.unique(c))) for c in s.T)
            ),
            "the sign: a length is positive": lambda s: -entropies(s).sum(),
            "bits a picture, not for all pictures": lambda s: entropies(s).sum() * len(s),
            "one number: add up the coefficients": entropies,
        },
    )


def check_directions(attempt: Function) -> str:
    """Check ``directions(codes, attributes)``: (n, d) and (n, k) to slopes (k, d)."""
    rng = np.random.default_rng(0)
    attributes = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + 2  # correlated, off centre
    codes = attributes @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)) - 1

    def slopes(codes, attributes, centre=True):
        moved = [a - a.mean(axis=0) if centre else a for a in (attributes, codes)]
        return np.linalg.lstsq(*moved)[0]

    def one_by_one(codes, attributes):
        centred = attributes - attributes.mean(axis=0)
        return centred.T @ codes / np.sum(centred**2, axis=0)[:, np.newaxis]

    return check(
        attempt,
        slopes,
        [(codes, attributes)],
        {
            "an intercept is missing: take the means out of codes and attributes first": (
                lambda z, a: slopes(z, a, centre=False)
            ),
            "one attribute at a time drags the correlated ones along: one regression for all": (
                one_by_one
            ),
            "the codes are explained by the attributes, not the attributes by the codes": (
                lambda z, a: slopes(a, z).T
            ),
            "one row an attribute: the shape should be (k, d)": lambda z, a: slopes(z, a).T,
            "a covariance is no slope yet": lambda z, a: (
                (a - a.mean(axis=0)).T @ (z - z.mean(axis=0)) / len(z)
            ),
        },
    )
