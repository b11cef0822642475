"""What a data set is, where it is looked for, and how its pictures are converted."""

import os
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from helpers.engine import archives, downloads, paths


@dataclass(frozen=True)
class Columns:
    """What the columns of a table are, and how they were standardised.

    Attributes:
        names: of the columns.
        kinds: of each ``"number"``, ``"count"`` (0, 1, 2, ...) or ``"class"``.
        classes: of each column of classes their names: code k is the k-th. Else none.
        mean, scale: float64 (columns,), the means and the standard deviations of the
            training rows; 0 and 1 where a column was left as it is.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    classes: tuple[tuple[str, ...], ...]
    mean: np.ndarray
    scale: np.ndarray

    def standardise(self, x: np.ndarray) -> np.ndarray:
        """Return rows (n, columns) in the file's units as a model's, float32."""
        return ((x - self.mean) / self.scale).astype(np.float32)

    def restore(self, x: np.ndarray) -> np.ndarray:
        """Return a model's rows (n, columns) in the file's units, float64."""
        return np.asarray(x) * self.scale + self.mean


@dataclass(frozen=True)
class Dataset:
    """Pictures in three parts that share none: to train, to choose and to test with.

    Or rows of a table, or signals.

    Attributes:
        x_train, x_validation, x_test: float32; pictures are in [0, 1] and of shape
            (images, height, width, channels), rows (n, columns), signals (n, steps,
            channels). What is chosen (a step, a seed, a threshold) is chosen on
            x_validation, so that figures on x_test are of pictures never seen.
        name: what the pictures are, for titles: ``"MNIST"``.
        source: where they came from, so that nobody takes a stand-in for the real ones.
        y_train, y_validation, y_test: int64 labels, (images,), where there are any.
        class_names: of labels that were words: label k means the k-th.
        columns: what the columns of a table are.
    """

    x_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    name: str
    source: str
    y_train: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    y_test: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    columns: Columns | None = None

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of one: (height, width, channels) of a picture."""
        return self.x_train.shape[1:]

    def __str__(self) -> str:
        parts = self.x_train, self.x_validation, self.x_test
        train, validation, test = (f"{len(part):,}" for part in parts)
        what = {2: "rows", 3: "signals", 4: "pictures"}.get(self.x_train.ndim, "arrays")
        sizes = f"{train} training, {validation} validation and {test} test {what}"
        shape = " x ".join(map(str, self.image_shape))
        return f"{self.name}: {sizes} of {shape}, from {self.source}"


def in_parts(
    parts: dict[str, np.ndarray],
    take: Callable[[np.ndarray], np.ndarray],
    y: np.ndarray | None = None,
    **facts: Any,
) -> Dataset:
    """Return a data set of three parts.

    Args:
        parts: the indices of train, validation and test.
        take: returns what stands at indices, as the data set has it.
        y: labels of all, (n,), if there are any.
        facts: what else ``Dataset`` knows.
    """
    facts |= {f"x_{part}": take(rows) for part, rows in parts.items()}
    if y is not None:
        facts |= {f"y_{part}": y[rows] for part, rows in parts.items()}
    return Dataset(**facts)


def as_labels(y: Any, count: int) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return labels as int64 (count,), and the names of classes that were words.

    Raises:
        ValueError: they are neither integers nor words, or not one for each.
    """
    y = np.asarray(y)
    if y.shape != (count,):
        raise ValueError(
            f"y must hold one label for each of {count:,}, and has shape {y.shape}: "
            "y.argmax(axis=1) makes labels of one-hot rows"
        )
    if y.dtype.kind in "biu":
        return y.astype(np.int64), None
    if not all(isinstance(label, str) for label in y):
        odd = next(label for label in y if not isinstance(label, str))
        raise ValueError(
            f"labels must be integers or words, and y, {y.dtype}, holds {odd!r}: "
            "y.astype(int) makes integers of whole numbers; what is measured is a "
            "column of x"
        )
    names = sorted(set(y.tolist()), key=natural)
    codes = {name: code for code, name in enumerate(names)}
    return np.array([codes[label] for label in y], np.int64), tuple(names)


def natural(name: str) -> tuple[str, str]:
    """Return by what names are sorted, so that cat_2 stands before cat_10."""
    return re.sub("[0-9]+", lambda digits: digits[0].zfill(12), name).lower(), name


def few(things: Sequence[str]) -> str:
    """Return the first three of things to be named, and how many more there are."""
    shown = ", ".join(things[:3]).encode(errors="replace").decode()
    return shown + (f" and {len(things) - 3:,} more" if len(things) > 3 else "")


def find_file(*names: str) -> Path | None:
    """Return the first of these files or folders in ``VAE_COURSE_DATA`` or ``data/``.

    Outside a checkout ``data/`` lies in the user's cache.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` names no folder.
    """
    folders = [paths.data_folder()]
    if named := os.environ.get("VAE_COURSE_DATA"):
        folders.insert(0, Path(named).expanduser())
        if not folders[0].is_dir():
            wrong = f"VAE_COURSE_DATA must name a folder, and {named!r} is none"
            raise ValueError(f"{wrong}: create it, correct it, or unset it")
    places = (folder / name for folder in folders for name in names)
    return next((place for place in places if place.exists()), None)


def find_or_download(
    name: str,
    homes: Sequence[str],
    check: downloads.Check,
    limits: dict,
    places: Sequence[str] = (),
    large: bool = False,
) -> tuple[Path, str] | None:
    """Return the file of a data set, ``name`` or one of ``places``, and its source.

    It is downloaded to ``data/`` if it is missing, from the first of its homes that has
    it; check and limits are those of ``downloads.download``. If that fails, a message
    says why, and None comes back; so, too, for a ``large`` file where
    ``VAE_COURSE_DOWNLOADS`` is "small", as in ``make run``.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` names no folder.
    """
    if path := find_file(*(places or [name])):
        return path, f"the local {'folder' if path.is_dir() else 'file'} {path.name}"
    path = paths.data_folder() / name
    if large and os.environ.get("VAE_COURSE_DOWNLOADS") == "small":
        print(f"{name} is not at hand (`make data` downloads it): on with a stand-in.")
        return None
    reasons = []
    for url in homes:
        try:
            downloads.download(url, path, check, **limits)
        except (OSError, ValueError) as error:
            reasons.append(str(error))
        else:
            return path, "the public download"
    print(
        f"{name} is not at hand, and the download failed ({'; '.join(reasons)}).\n"
        "Going on with a stand-in; figures will differ. For the real pictures "
        f"save\n{homes[0]} as {path} and run again."
    )
    return None


def read_arrays(archive: zipfile.ZipFile, *keys: str) -> list[np.ndarray]:
    """Return arrays of an open ``.npz``, without pickles.

    Raises whatever zipfile and NumPy raise on damaged files.
    """
    arrays = []
    for key in keys:
        with archives.open_member(archive, f"{key}.npy") as file:
            arrays.append(np.lib.format.read_array(file, allow_pickle=False))
    return arrays


def to_unit_range(pictures: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Return uint8 pictures (n, ...), or the chosen ones, as float32 in [0, 1].

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
