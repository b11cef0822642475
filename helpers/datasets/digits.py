"""MNIST's digits: a local file, else the public download, else an offline stand-in."""

from pathlib import Path

import numpy as np

from helpers.datasets.dataset import (
    Dataset,
    find_or_download,
    read_arrays,
    to_unit_range,
)
from helpers.engine import archives

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
MNIST_LIMITS = {"largest": 20_000_000, "seconds": 600}
MNIST_SHAPES = {
    "x_train": (60_000, 28, 28),
    "y_train": (60_000,),
    "x_test": (10_000, 28, 28),
    "y_test": (10_000,),
}
VALIDATION = 10_000  # the first of x_train
LARGEST = 60_000_000  # bytes of all arrays, unpacked


def load_mnist() -> Dataset:
    """Return the MNIST digits, 28 x 28 x 1: 50,000 for training, 10,000 for the test.

    Another 10,000, the first of the 60,000 training digits, are for validation.

    Looks for ``mnist.npz`` in the folder that ``VAE_COURSE_DATA`` names, then in
    ``data/``; then downloads it there; then, with a message, falls back on
    scikit-learn's small digits.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, or the ``mnist.npz`` that was
            found is damaged.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    """
    found = find_or_download("mnist.npz", MNIST_URL, check_hash, MNIST_LIMITS)
    return read_mnist(*found) if found else digits_stand_in()


def check_hash(path: Path) -> None:
    """Raise ValueError unless the file is MNIST."""
    import pooch  # only here: 0.2 s that most starts do without

    found = pooch.file_hash(str(path))
    if found != MNIST_SHA256:
        size = path.stat().st_size
        raise ValueError(f"what came is not MNIST: {size:,} bytes, SHA-256 {found}")


def read_mnist(path: Path, source: str) -> Dataset:
    """Read and check a ``mnist.npz`` with x_train, y_train, x_test and y_test.

    Raises:
        ValueError: the file can't be read, or holds other arrays than MNIST's.
    """
    try:
        with archives.opened(path, LARGEST) as archive:
            arrays = {key: read_array(archive, key) for key in MNIST_SHAPES}
    except Exception as error:  # NumPy raises many kinds on damaged files
        raise ValueError(
            f"{path} is not a readable MNIST file ({error}): delete it, and it is "
            "downloaded again"
        ) from error
    x = {part: arrays[f"x_{part}"][..., np.newaxis] for part in ("train", "test")}
    y = {part: arrays[f"y_{part}"].astype(np.int64) for part in ("train", "test")}
    return Dataset(
        x_train=to_unit_range(x["train"][VALIDATION:]),
        y_train=y["train"][VALIDATION:],
        x_validation=to_unit_range(x["train"][:VALIDATION]),
        y_validation=y["train"][:VALIDATION],
        x_test=to_unit_range(x["test"]),
        y_test=y["test"],
        name="MNIST",
        source=source,
    )


def read_array(archive, key: str) -> np.ndarray:
    """Return one of MNIST's arrays, or raise an error that says how it differs."""
    (array,) = read_arrays(archive, key)
    if (array.dtype, array.shape) != (np.uint8, MNIST_SHAPES[key]):
        found = f"{array.dtype} of shape {array.shape}"
        raise ValueError(f"{key} must be uint8 of {MNIST_SHAPES[key]}, and is {found}")
    if key.startswith("y") and array.max() > 9:
        raise ValueError(
            f"{key} must be digits from 0 to 9, and is up to {array.max()}"
        )
    return array


def digits_stand_in(
    copies_train: int = 7, copies_test: int = 4, seed: int = 0
) -> Dataset:
    """Return scikit-learn's 1,797 real digits, enlarged to 28 x 28 and varied a little.

    One original in five is in the test set and one in ten in the validation set, with
    ``copies_test`` variations each, so that no two parts hold variations of the same.

    Source: Alpaydin, Kaynak, "Optical recognition of handwritten digits", UCI (1998).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x, y = digits.images / 16, digits.target
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=0.2, stratify=y, random_state=seed
    )
    x_train, x_validation, y_train, y_validation = train_test_split(
        x_train, y_train, test_size=len(x) // 10, stratify=y_train, random_state=seed
    )
    rng = np.random.default_rng(seed)
    return Dataset(
        x_train=varied_digits(x_train, copies_train, rng),
        y_train=np.tile(y_train, copies_train).astype(np.int64),
        x_validation=varied_digits(x_validation, copies_test, rng),
        y_validation=np.tile(y_validation, copies_test).astype(np.int64),
        x_test=varied_digits(x_test, copies_test, rng),
        y_test=np.tile(y_test, copies_test).astype(np.int64),
        name="small digits",
        source="scikit-learn's stand-in (8 x 8 originals, enlarged)",
    )


def varied_digits(
    images: np.ndarray, copies: int, rng: np.random.Generator
) -> np.ndarray:
    """Enlarge 8 x 8 digits in [0, 1], each ``copies`` times, turned, scaled and moved.

    Returns float32 of shape (copies * images, 28, 28, 1), all images once, then all
    again.
    """
    from scipy.ndimage import affine_transform

    enlarged = np.empty((copies * len(images), 28, 28, 1), np.float32)
    for index, target in enumerate(enlarged):
        angle = rng.normal(0, 0.10)  # radians
        scale = 8 / (20 * rng.uniform(0.92, 1.08))  # 8 pixels become about 20, as there
        cos, sin = scale * np.cos(angle), scale * np.sin(angle)
        turn = np.array([[cos, -sin], [sin, cos]])
        offset = 3.5 - turn @ (13.5 + rng.uniform(-1, 1, size=2))
        image = images[index % len(images)]
        picture = affine_transform(image, turn, offset, output_shape=(28, 28))
        target[..., 0] = np.clip(picture, 0, 1)
    return enlarged
