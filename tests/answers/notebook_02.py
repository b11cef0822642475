"""Right and wrong answers to the exercises of notebook 02: The autoencoder."""

import itertools

import numpy as np


def psnr_by_loop(x, y):
    return np.array(
        [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(x, y, strict=True)]
    )


def parameters_by_loop(sizes):
    total = 0
    for inputs, outputs in itertools.pairwise(sizes):
        total += (inputs + 1) * outputs
    return total


def path(first, last, count):
    return np.array([first + i / (count - 1) * (last - first) for i in range(count)])


CORRECT = {
    "psnr": psnr_by_loop,
    "count_parameters": parameters_by_loop,
    "interpolate": path,
    "add_noise": lambda x, sigma, noise: np.minimum(
        1, np.maximum(0, x + noise * sigma)
    ),
}

MISTAKES = {
    "psnr": {
        "sign": lambda x, y: 10 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))),
        "base 10": lambda x, y: -10 * np.log(np.mean((x - y) ** 2, axis=(1, 2, 3))),
        "root": lambda x, y: -20 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))),
        "not the sum": lambda x, y: (
            -10 * np.log10(np.sum((x - y) ** 2, axis=(1, 2, 3)))
        ),
        "one value per picture": lambda x, y: -10 * np.log10(np.square(x - y).mean()),
        "square": lambda x, y: -10 * np.log10(abs(x - y).mean(axis=(1, 2, 3))),
    },
    "count_parameters": {
        "bias": lambda s: sum(a * b for a, b in itertools.pairwise(s)),
        "the input layer has none": lambda s: (
            sum(a * b for a, b in itertools.pairwise(s)) + sum(s)
        ),
        "decoder": lambda s: parameters_by_loop(s[: s.index(min(s)) + 1]),
    },
    "interpolate": {
        "last code is missing": lambda a, b, n: np.array(
            [a + i / n * (b - a) for i in range(n)]
        ),
        "backwards": lambda a, b, n: path(b, a, n),
        "both ends": lambda a, b, n: path(a, b, n + 2)[1:-1],
        "one row per code": lambda a, b, n: path(a, b, n).T,
    },
    "add_noise": {
        "clip the sum": lambda x, s, e: x + s * e,
        "not a variance": lambda x, s, e: np.clip(x + s**0.5 * e, 0, 1),
        "squared": lambda x, s, e: np.clip(x + s * s * e, 0, 1),
        "not the noise": lambda x, s, e: x + np.clip(e * s, 0, 1),
    },
}
