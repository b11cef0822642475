"""Checks of notebook 02: The autoencoder."""

import math
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
    "10 belongs to the mean squared error, 20 to its root: that halves the decibels": (
        partial(psnr, factor=-5)
    ),
    "the mean over pixels, not the sum": partial(psnr, mean=np.sum),
    "one value per picture, not one for all: take the mean over axes 1, 2 and 3": (
        partial(psnr, axis=None)
    ),
    "axis 0 holds the pictures, and stays; the mean is over axes 1, 2 and 3": (
        partial(psnr, axis=0)
    ),
    "channels count as pixels do: the mean is over axis 3 too": (
        partial(psnr, axis=(1, 2))
    ),
    "square the differences": partial(psnr, power=1),
    "square each difference before the mean: errors of both signs cancel": (
        lambda x, y: -10 * np.log10(np.mean(x - y, axis=(1, 2, 3)) ** 2)
    ),
    "pixels lie in [0, 1], so the peak is 1 and not 255": (
        then(psnr, lambda decibels: decibels + 20 * np.log10(255))
    ),
    "that is the mean squared error: its decibels are -10 times its logarithm": (
        lambda x, y: np.mean((x - y) ** 2, axis=(1, 2, 3))
    ),
}


def check_psnr(attempt: Function) -> str:
    """Check ``psnr(x, y)``: dB of pictures (n, h, w, c) in [0, 1], (n,)."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.random((2, 3, 4, 5, 1))), tuple(rng.random((2, 2, 6, 4, 3)))]
    return check(attempt, psnr, inputs, PSNR)


def count_parameters(sizes, biases=True):
    return sum(a * b + (b if biases else 0) for a, b in pairwise(sizes))


def count_encoder(sizes):
    return count_parameters(sizes[: sizes.index(min(sizes)) + 1])


def count_half(sizes):
    return count_parameters(sizes[: len(sizes) // 2 + 1])


def count_by_first_place(sizes):
    """Look each size up by its value, which finds the first of equal ones."""
    places = [sizes.index(size) for size in sizes[:-1]]
    return sum(sizes[place] * sizes[place + 1] + sizes[place + 1] for place in places)


COUNT_PARAMETERS = {
    "every output has a bias too": partial(count_parameters, biases=False),
    "biases belong to outputs: the input layer has none": (
        lambda sizes: count_parameters(sizes) + sizes[0]
    ),
    "a layer has as many biases as outputs, not as inputs": (
        lambda sizes: sum(a * b + a for a, b in pairwise(sizes))
    ),
    "one bias per output, not one per layer": (
        lambda sizes: sum(a * b + 1 for a, b in pairwise(sizes))
    ),
    "the last layer is linear, and has biases all the same": (
        lambda sizes: count_parameters(sizes) - sizes[-1]
    ),
    "the code is a layer too, with one bias per number": (
        lambda sizes: count_parameters(sizes) - min(sizes)
    ),
    "count the decoder as well as the encoder": count_encoder,
    "the decoder is not the encoder again: go on through all pairs of sizes": (
        lambda sizes: 2 * count_encoder(sizes)
    ),
    "the code need not stand in the middle of the list: take all pairs of sizes": (
        lambda sizes: 2 * count_half(sizes)
    ),
    "the last layer, up to the pixels, is missing": (
        lambda sizes: count_parameters(sizes[:-1])
    ),
    "layers between equal sizes have weights of their own: count each of them": (
        lambda sizes: sum(a * b + b for a, b in set(pairwise(sizes)))
    ),
    "a residual layer has weights and biases as well": (
        lambda sizes: sum(a * b + b for a, b in pairwise(sizes) if a != b)
    ),
    "`sizes.index` finds the first of equal sizes: go through places, not values": (
        count_by_first_place
    ),
    "those are the biases: a layer from a to b units has a x b weights as well": (
        lambda sizes: sum(sizes[1:])
    ),
    "only neighbouring layers are connected: multiply each size by the next": (
        lambda sizes: float(math.prod(sizes))
    ),
}


def check_count_parameters(attempt: Function) -> str:
    """Check ``count_parameters(sizes)``: weights and biases of dense layers, exactly.

    The exercise's own list is asked too; sizes repeat and the code stands off the
    middle, so that no shortcut is right by chance.
    """
    lists = ([784, 512, 256, 32, 256, 512, 512, 512, 784], [6, 5, 5, 2, 5, 5, 3])
    inputs = [(sizes,) for sizes in lists]
    return check(attempt, count_parameters, inputs, COUNT_PARAMETERS, tolerance=0)


def line(first, last, weights):
    weights = np.asarray(weights)[:, np.newaxis]
    return (1 - weights) * first + weights * last


def interpolate(first, last, count):
    return line(first, last, np.linspace(0, 1, count))


def arc(first, last, count):
    """Return codes on an arc, which keeps the distance from the origin."""
    weights = np.linspace(0, 1, count)[:, np.newaxis]
    lengths = np.linalg.norm(first) * np.linalg.norm(last)
    angle = np.arccos(first @ last / lengths)
    ends = np.sin((1 - weights) * angle) * first + np.sin(weights * angle) * last
    return ends / np.sin(angle)


INTERPOLATE = {
    "the last code is missing: the weights must reach 1": (
        lambda a, b, n: line(a, b, np.arange(n) / n)
    ),
    "the first code is missing: the weights must begin at 0": (
        lambda a, b, n: line(a, b, np.arange(1, n + 1) / n)
    ),
    "both ends are missing: the weights run from 0 to 1": (
        lambda a, b, n: interpolate(a, b, n + 2)[1:-1]
    ),
    "that is one code too many: `count` includes both ends": (
        lambda a, b, n: interpolate(a, b, n + 1)
    ),
    "`count` includes both ends: don't add them to it": (
        lambda a, b, n: interpolate(a, b, n + 2)
    ),
    "the path runs backwards": lambda a, b, n: interpolate(b, a, n),
    "one row per code: the shape should be (count, d)": then(interpolate, np.transpose),
    "the share of the first code must fall as that of the last one grows": (
        lambda a, b, n: a + np.linspace(0, 1, n)[:, np.newaxis] * b
    ),
    "the two shares must add up to 1": (
        lambda a, b, n: np.linspace(0, 1, n)[:, np.newaxis] * (a + b)
    ),
    "that goes away from the last code: the step is last - first": (
        lambda a, b, n: 2 * a - interpolate(a, b, n)
    ),
    "that is an arc, which keeps its distance from the origin; here it is a line": arc,
}


def check_interpolate(attempt: Function) -> str:
    """Check ``interpolate(first, last, count)``: codes (count, d) of a line."""
    rng = np.random.default_rng(0)
    inputs = [(*rng.normal(size=(2, 3)), 5), (*rng.normal(size=(2, 7)), 4)]
    return check(attempt, interpolate, inputs, INTERPOLATE)


def score(noisy, cleaned, sigma):
    return (cleaned - noisy) / sigma**2


SCORE = {
    "the sign: the score points from the noisy picture to the cleaned one": (
        lambda noisy, cleaned, sigma: score(cleaned, noisy, sigma)
    ),
    "divide by the variance, the square of sigma": (
        lambda noisy, cleaned, sigma: (cleaned - noisy) / sigma
    ),
    "that is the noise in units of sigma: turn its sign and divide by sigma again": (
        lambda noisy, cleaned, sigma: (noisy - cleaned) / sigma
    ),
    "that is the step to the cleaned picture: divide it by sigma squared": (
        lambda noisy, cleaned, sigma: cleaned - noisy
    ),
    "divide by sigma squared: the same step means more when noise is small": (
        lambda noisy, cleaned, sigma: (cleaned - noisy) * sigma**2
    ),
    "subtract the noisy picture: the score is a step, not a place": (
        lambda noisy, cleaned, sigma: cleaned / sigma**2
    ),
    "subtract before you divide: mind the brackets": (
        lambda noisy, cleaned, sigma: cleaned - noisy / sigma**2
    ),
    "the 2 of 2 sigma squared goes when the square is differentiated": (
        lambda noisy, cleaned, sigma: (cleaned - noisy) / (2 * sigma**2)
    ),
    "the score is a gradient: the differences themselves, not their squares": (
        lambda noisy, cleaned, sigma: (cleaned - noisy) ** 2 / sigma**2
    ),
    "a score has the shape of the picture: one value per pixel, no sum": (
        lambda noisy, cleaned, sigma: score(noisy, cleaned, sigma).sum()
    ),
}


def check_score(attempt: Function) -> str:
    """Check ``score(noisy, cleaned, sigma)``: of the shape of ``noisy``."""
    rng = np.random.default_rng(0)
    pictures, points = rng.normal(size=(2, 3, 5, 4, 1)), rng.normal(size=(2, 6, 2))
    return check(attempt, score, [(*pictures, 0.5), (*points, 3.0)], SCORE)
