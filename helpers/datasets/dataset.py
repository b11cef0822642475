"""What a data set is, where it is looked for, and how its pictures are converted."""

import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from helpers.engine import archives, downloads, paths


@dataclass(frozen=True)
class Dataset:
    """Pictures in three parts that share none: to train, to choose and to test with.

    Attributes:
        x_train, x_validation, x_test: float32 in [0, 1], shape (images, height, width,
            channels). What is chosen (a step, a seed, a threshold) is chosen on
            x_validation, so that figures on x_test are of pictures never seen.
        name: what the pictures are, for titles: ``"MNIST"``.
        source: where they came from, so that nobody takes a stand-in for the real ones.
        y_train, y_validation, y_test: int64 labels, (images,), where there are any.
    """

    x_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    name: str
    source: str
    y_train: np.ndarray | None = None
    y_validation: np.ndarray | None = None
    y_test: np.ndarray | None = None

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of one picture."""
        return self.x_train.shape[1:]

    def __str__(self) -> str:
        parts = self.x_train, self.x_validation, self.x_test
        train, validation, test = (f"{len(part):,}" for part in parts)
        sizes = f"{train} training, {validation} validation and {test} test pictures"
        shape = " x ".join(map(str, self.image_shape))
        return f"{self.name}: {sizes} of {shape}, from {self.source}"


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
