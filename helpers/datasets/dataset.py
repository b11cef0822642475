"""``Dataset``: pictures split into a training and a held-out set, and where they are looked for."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.engine import budgets


@dataclass(frozen=True)
class Dataset:
    """Pictures split into a training and a held-out set that share no picture.

    Attributes:
        x_train, x_test: float32 in [0, 1], shape (images, height, width, channels).
        name: what the pictures are, for titles: ``"MNIST"``.
        source: where they came from, so that nobody mistakes a stand-in for the real
            thing.
        y_train, y_test: int64 labels, shape (images,), where there are any.
        factors_train, factors_test: float32 (images, factors), what drawn pictures were
            drawn from.
        factor_names: one a column of the factors.
    """

    x_train: np.ndarray
    x_test: np.ndarray
    name: str
    source: str
    y_train: np.ndarray | None = None
    y_test: np.ndarray | None = None
    factors_train: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    factor_names: tuple[str, ...] = ()

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one picture."""
        return self.x_train.shape[1:]

    def __str__(self) -> str:
        shape = " x ".join(map(str, self.image_shape))
        return (
            f"{self.name}: {len(self.x_train):,} training and {len(self.x_test):,} held-out "
            f"pictures of {shape}, from {self.source}"
        )


def find_file(*names: str) -> Path | None:
    """Return the first of the named files or folders in ``VAE_COURSE_DATA``, then ``data/``."""
    folders = [budgets.ROOT / "data"]
    if named := os.environ.get("VAE_COURSE_DATA"):
        if not Path(named).is_dir():
            raise ValueError(
                f"VAE_COURSE_DATA must name a folder, and {named!r} is none: "
                "create it, correct it, or unset it"
            )
        folders.insert(0, Path(named))
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if path.exists()), None)


def to_unit_range(pictures: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Return uint8 pictures (n, ...) as float32 in [0, 1]; only the ``chosen`` ones, in
    that order.

    Converts in batches, so that no second float copy comes to be.
    """
    chosen = np.arange(len(pictures)) if chosen is None else chosen
    converted = np.empty((len(chosen), *pictures.shape[1:]), np.float32)
    for first in range(0, len(chosen), 100):
        batch = slice(first, first + 100)
        np.divide(pictures[chosen[batch]], 255, out=converted[batch], dtype=np.float32)
    return converted


def flat(x: np.ndarray) -> np.ndarray:
    """Return pictures (n, height, width, channels) as rows (n, pixels)."""
    return x.reshape(len(x), -1)
