"""The digits that studies train on, stop by, and measure on."""

from typing import NamedTuple

import numpy as np


class Digits(NamedTuple):
    """Pictures (n, 28, 28, 1) in [0, 1], to train on, to stop by, and to measure on."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def load() -> Digits:
    """Return MNIST with its first 10,000 training digits for validation.

    Raises:
        ValueError: MNIST is not there, and could not be downloaded.
    """
    from helpers.datasets import load_mnist

    data = load_mnist()
    if data.name != "MNIST":
        raise ValueError(
            f"results are of MNIST, and this is {data.name}: save mnist.npz in data/"
        )
    return Digits(
        data.x_train, data.y_train, data.x_validation, data.x_test, data.y_test
    )
