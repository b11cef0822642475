"""Checks of notebook 02: The autoencoder."""

from itertools import pairwise

import numpy as np

from helpers.checks.comparing import Function, check


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
            "the sign: a smaller error means more decibels": lambda x, y: decibels(
                x, y, factor=10
            ),
            "decibels use the logarithm to base 10": lambda x, y: decibels(
                x, y, log=np.log
            ),
            "20 belongs to a root mean squared error; to a mean squared error belongs 10": (
                lambda x, y: decibels(x, y, factor=-20)
            ),
            "the mean over pixels, not the sum": lambda x, y: decibels(
                x, y, mean=np.sum
            ),
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
