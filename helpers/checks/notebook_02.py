"""Checks of notebook 02: The autoencoder."""

from functools import partial
from itertools import pairwise

import numpy as np

from helpers.checks.comparing import Function, check, then


def psnr(x, y, factor=-10, log=np.log10, mean=np.mean, power=2, axis=(1, 2, 3)):
    return factor * log(mean(np.abs(x - y) ** power, axis=axis))


PSNR = {
    "the sign: a smaller error means more decibels": partial(psnr, factor=10),
    "decibels use the logarithm to base 10": partial(psnr, log=np.log),
    "20 belongs to a root mean squared error; to a mean squared error belongs 10": (
        partial(psnr, factor=-20)
    ),
    "the mean over pixels, not the sum": partial(psnr, mean=np.sum),
    "one value per picture: take the mean over axes 1, 2 and 3 only": (
        partial(psnr, axis=None)
    ),
    "square the differences": partial(psnr, power=1),
}


def check_psnr(attempt: Function) -> str:
    """Check ``psnr(x, y)``: dB of pictures (n, h, w, c) in [0, 1], (n,)."""
    x, y = np.random.default_rng(0).random((2, 3, 4, 4, 1))
    return check(attempt, psnr, [(x, y)], PSNR)


def count_parameters(sizes, biases=True):
    return sum(a * b + (b if biases else 0) for a, b in pairwise(sizes))


COUNT_PARAMETERS = {
    "every output has a bias too": partial(count_parameters, biases=False),
    "biases belong to outputs: the input layer has none": (
        lambda sizes: count_parameters(sizes) + sizes[0]
    ),
    "count the decoder as well as the encoder": (
        lambda sizes: count_parameters(sizes[: len(sizes) // 2 + 1])
    ),
}


def check_count_parameters(attempt: Function) -> str:
    """Check ``count_parameters(sizes)``: weights and biases of dense layers."""
    inputs = [([784, 32, 784],), ([784, 512, 2, 512, 784],)]
    return check(attempt, count_parameters, inputs, COUNT_PARAMETERS)


def line(first, last, weights):
    weights = np.asarray(weights)[:, np.newaxis]
    return (1 - weights) * first + weights * last


def interpolate(first, last, count):
    return line(first, last, np.linspace(0, 1, count))


INTERPOLATE = {
    "the last code is missing: the weights must reach 1": (
        lambda a, b, n: line(a, b, np.arange(n) / n)
    ),
    "the path runs backwards": lambda a, b, n: interpolate(b, a, n),
    "both ends are missing: the weights run from 0 to 1": (
        lambda a, b, n: interpolate(a, b, n + 2)[1:-1]
    ),
    "one row per code: the shape should be (count, d)": then(interpolate, np.transpose),
}


def check_interpolate(attempt: Function) -> str:
    """Check ``interpolate(first, last, count)``: codes (count, d) of a line."""
    first, last = np.random.default_rng(0).normal(size=(2, 3))
    return check(attempt, interpolate, [(first, last, 5)], INTERPOLATE)


def add_noise(x, sigma, noise):
    return np.clip(x + sigma * noise, 0, 1)


ADD_NOISE = {
    "pixels must stay in [0, 1]: clip the sum": lambda x, s, e: x + s * e,
    "sigma is a standard deviation, not a variance": (
        lambda x, s, e: add_noise(x, np.sqrt(s), e)
    ),
    "sigma multiplies the noise once; it is not squared": (
        lambda x, s, e: add_noise(x, s**2, e)
    ),
    "clip the sum, not the noise": lambda x, s, e: x + np.clip(s * e, 0, 1),
}


def check_add_noise(attempt: Function) -> str:
    """Check ``add_noise(x, sigma, noise)``: pictures in [0, 1]; noise from N(0, 1)."""
    rng = np.random.default_rng(0)
    inputs = [(rng.random((2, 5, 5, 1)), 0.5, rng.normal(size=(2, 5, 5, 1)))]
    return check(attempt, add_noise, inputs, ADD_NOISE)
