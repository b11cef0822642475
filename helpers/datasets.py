"""Load the course's data sets: a local file, else the public download, else an offline stand-in."""

import os
import socket
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from helpers import runtime

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
DOWNLOAD_TIMEOUT = 20.0  # seconds without an answer


@dataclass(frozen=True)
class Dataset:
    """Pictures split into a training and a held-out set that share no picture.

    Attributes:
        x_train, x_test: float32 in [0, 1], shape (images, height, width, channels).
        y_train, y_test: int64 labels, shape (images,).
        name: what the pictures are, for titles: ``"MNIST"``.
        source: where they came from, so that nobody mistakes a stand-in for the real thing.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    name: str
    source: str

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


def load_mnist() -> Dataset:
    """Return the MNIST digits: 60,000 to train with, 10,000 held out, 28 x 28 x 1.

    Looks for ``mnist.npz`` in the folder that ``VAE_COURSE_DATA`` names, then in ``data/``; then
    downloads it to ``data/``; then, with a message, falls back on scikit-learn's small digits.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, or a ``mnist.npz`` found there is damaged.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    """
    path = find_file("mnist.npz")
    if path is not None:
        return read_mnist(path, source=f"the local file {path.name}")
    try:
        return read_mnist(download_mnist(), source="the public download")
    except Exception as error:  # get_file raises a bare Exception on any failed download
        print(
            f"MNIST is not at hand: no mnist.npz in data/, and the download failed ({error}).\n"
            "Going on with scikit-learn's small digits, enlarged; figures will differ.\n"
            f"For the real digits, save {MNIST_URL} as data/mnist.npz and run again."
        )
        return digits_stand_in()


def find_file(name: str) -> Path | None:
    """Return the path of ``name`` in ``VAE_COURSE_DATA`` or ``data/``, or None."""
    folders = [runtime.ROOT / "data"]
    if named := os.environ.get("VAE_COURSE_DATA"):
        if not Path(named).is_dir():
            raise ValueError(
                f"VAE_COURSE_DATA must name a folder, and {named!r} is none: "
                "create it, correct it, or unset it"
            )
        folders.insert(0, Path(named))
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


@contextmanager
def socket_timeout(seconds: float):
    """Give up on connections that say nothing for ``seconds``."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def download_mnist() -> Path:
    """Download MNIST to ``data/mnist.npz``, check its SHA-256, and return its path."""
    with socket_timeout(DOWNLOAD_TIMEOUT):
        return Path(
            keras.utils.get_file(
                "mnist.npz",
                MNIST_URL,
                file_hash=MNIST_SHA256,
                cache_dir=runtime.ROOT,
                cache_subdir="data",
            )
        )


def read_mnist(path: Path, source: str) -> Dataset:
    """Read and check a ``mnist.npz`` with x_train, y_train, x_test and y_test.

    Raises:
        ValueError: the file can't be read, or holds other arrays than MNIST's.
    """
    expected = {
        "x_train": (60_000, 28, 28),
        "y_train": (60_000,),
        "x_test": (10_000, 28, 28),
        "y_test": (10_000,),
    }
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in expected}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a readable MNIST file ({error}): delete it, and it is downloaded again"
        ) from error
    for key, shape in expected.items():
        found = arrays[key]
        if found.shape != shape or found.dtype != np.uint8:
            raise ValueError(
                f"{path}: {key} must be uint8 of shape {shape}, and is {found.dtype} of shape "
                f"{found.shape}: delete the file, and it is downloaded again"
            )
    return Dataset(
        x_train=to_unit_range(arrays["x_train"]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=to_unit_range(arrays["x_test"]),
        y_test=arrays["y_test"].astype(np.int64),
        name="MNIST",
        source=source,
    )


def to_unit_range(images: np.ndarray) -> np.ndarray:
    """Return uint8 pictures (n, height, width) as float32 in [0, 1] of (n, height, width, 1)."""
    return images[..., np.newaxis].astype(np.float32) / 255


def digits_stand_in(copies_train: int = 7, copies_test: int = 4, seed: int = 0) -> Dataset:
    """Return scikit-learn's 1,797 real 8 x 8 digits, enlarged to 28 x 28 and varied a little.

    One original in five is held out, so that no held-out picture is a variation of a training one.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI (1998).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.2, stratify=digits.target, random_state=seed
    )
    rng = np.random.default_rng(seed)
    return Dataset(
        x_train=varied_digits(x_train, copies_train, rng),
        y_train=np.tile(y_train, copies_train).astype(np.int64),
        x_test=varied_digits(x_test, copies_test, rng),
        y_test=np.tile(y_test, copies_test).astype(np.int64),
        name="small digits",
        source="scikit-learn's stand-in (8 x 8 originals, enlarged)",
    )


def varied_digits(images: np.ndarray, copies: int, rng: np.random.Generator) -> np.ndarray:
    """Enlarge 8 x 8 digits in [0, 1] to 28 x 28, each ``copies`` times, turned, scaled and moved.

    Returns float32 of shape (copies * images, 28, 28, 1), all images once, then all again.
    """
    from scipy.ndimage import affine_transform

    enlarged = np.empty((copies * len(images), 28, 28, 1), np.float32)
    for index, target in enumerate(enlarged):
        angle = rng.normal(0, 0.10)  # radians
        scale = 8 / (20 * rng.uniform(0.92, 1.08))  # 8 pixels become about 20, as in MNIST
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = 3.5 - scale * turn @ (13.5 + rng.uniform(-1, 1, size=2))
        picture = affine_transform(
            images[index % len(images)], scale * turn, centre, output_shape=(28, 28), order=3
        )
        target[..., 0] = np.clip(picture, 0, 1)
    return enlarged
