"""The self-checks behind the exercises: each says "not attempted", "not yet: ..." or "correct".

A check runs the reader's function beside the right one on inputs that tell them apart, and beside
the typical wrong ones, so that a hint can name the mistake that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from itertools import pairwise

import numpy as np

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
