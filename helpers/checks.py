"""The self-checks behind the exercises: each says "not attempted", "not yet: ..." or "correct".

A check runs the reader's function beside the right one on inputs that tell them apart, and beside
the typical wrong ones, so that a hint can name the mistake that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np

Function = Callable[..., np.ndarray]


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
    try:
        results = [attempt(*arguments) for arguments in inputs]
    except NotImplementedError:
        return "not attempted"
    except Exception as error:
        return f"not yet: the function raised {type(error).__name__}: {error}"
    expected = [correct(*arguments) for arguments in inputs]
    for result, right in zip(results, expected, strict=True):
        if result is None:
            return "not yet: the function returned None; does it end with `return`?"
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
    scales = np.array([1.0, 0.3, 0.095, 0.05, 0.004])
    z_mean = rng.normal(size=(5000, 5)) * scales + np.array([0, 0, 0, 2, 0.5])

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
