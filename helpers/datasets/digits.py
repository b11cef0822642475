"""The MNIST digits: a local file, else the public download, else an offline stand-in."""

import hashlib
from pathlib import Path

import numpy as np

from helpers.datasets.dataset import Dataset, find_file, to_unit_range
from helpers.engine import archives, budgets, downloads

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
MNIST_SHAPES = {
    "x_train": (60_000, 28, 28),
    "y_train": (60_000,),
    "x_test": (10_000, 28, 28),
    "y_test": (10_000,),
}
MNIST_LIMITS = {"largest": 20_000_000, "seconds": 600}


def load_mnist() -> Dataset:
    """Return the MNIST digits: 60,000 to train with, 10,000 held out, 28 x 28 x 1.

    Looks for ``mnist.npz`` in the folder that ``VAE_COURSE_DATA`` names, then in
    ``data/``; then downloads it to ``data/``; then, with a message, falls back on
    scikit-learn's small digits.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, or a ``mnist.npz`` found there is
            damaged.

    Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits" (1998).
    """
    path = find_file("mnist.npz")
    if path is not None:
        return read_mnist(path, source=f"the local file {path.name}")
    try:
        return read_mnist(download_mnist(), source="the public download")
    except (OSError, ValueError) as error:
        print(
            f"MNIST is not at hand: no mnist.npz in data/, and the download failed ({error}).\n"
            "Going on with scikit-learn's small digits, enlarged; figures will differ.\n"
            f"For the real digits, save {MNIST_URL} as data/mnist.npz and run again."
        )
        return digits_stand_in()


def download_mnist() -> Path:
    """Download MNIST to ``data/mnist.npz``, check its SHA-256, and return its path.

    Raises:
        OSError: the download failed.
        ValueError: another file came.
    """
    path = budgets.ROOT / "data" / "mnist.npz"
    downloads.download(MNIST_URL, path, check_hash, **MNIST_LIMITS)
    return path


def check_hash(path: Path) -> None:
    """Raise ValueError unless the file is MNIST."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != MNIST_SHA256:
        raise ValueError(
            f"what came, {path.stat().st_size:,} bytes, is not MNIST: its SHA-256 must begin with "
            f"{MNIST_SHA256[:12]}, and begins with {found[:12]}"
        )


def read_mnist(path: Path, source: str) -> Dataset:
    """Read and check a ``mnist.npz`` with x_train, y_train, x_test and y_test.

    Raises:
        ValueError: the file can't be read, or holds other arrays than MNIST's.
    """
    try:
        with archives.stored_arrays(path) as stored:
            for key, shape in MNIST_SHAPES.items():
                if key not in stored:
                    raise ValueError(f"it has no array {key}")
                found = stored[key]
                if found.shape != shape or found.dtype != np.uint8:
                    raise ValueError(
                        f"{key} must be uint8 of shape {shape}, and is {found.dtype} of shape "
                        f"{found.shape}"
                    )
            arrays = {key: stored[key].read() for key in MNIST_SHAPES}
        largest = max(arrays["y_train"].max(), arrays["y_test"].max())
        if largest > 9:
            raise ValueError(f"labels must be digits from 0 to 9, and reach {largest}")
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path} is not a readable MNIST file ({error}): delete it, and it is downloaded again"
        ) from error
    return Dataset(
        x_train=to_unit_range(arrays["x_train"][..., np.newaxis]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=to_unit_range(arrays["x_test"][..., np.newaxis]),
        y_test=arrays["y_test"].astype(np.int64),
        name="MNIST",
        source=source,
    )


def digits_stand_in(
    copies_train: int = 7, copies_test: int = 4, seed: int = 0
) -> Dataset:
    """Return scikit-learn's 1,797 real 8 x 8 digits, enlarged to 28 x 28 and varied a
    little.

    One original in five is held out, so that no held-out picture is a variation of a
    training one.

    Source: Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI
        (1998).
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    x_train, x_test, y_train, y_test = train_test_split(
        digits.images / 16,
        digits.target,
        test_size=0.2,
        stratify=digits.target,
        random_state=seed,
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


def varied_digits(
    images: np.ndarray, copies: int, rng: np.random.Generator
) -> np.ndarray:
    """Enlarge 8 x 8 digits in [0, 1] to 28 x 28, each ``copies`` times, turned, scaled
    and moved.

    Returns float32 of shape (copies * images, 28, 28, 1), all images once, then all
    again.
    """
    from scipy.ndimage import affine_transform

    enlarged = np.empty((copies * len(images), 28, 28, 1), np.float32)
    for index, target in enumerate(enlarged):
        angle = rng.normal(0, 0.10)  # radians
        scale = 8 / (
            20 * rng.uniform(0.92, 1.08)
        )  # 8 pixels become about 20, as in MNIST
        turn = np.array(
            [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        )
        centre = 3.5 - scale * turn @ (13.5 + rng.uniform(-1, 1, size=2))
        picture = affine_transform(
            images[index % len(images)],
            scale * turn,
            centre,
            output_shape=(28, 28),
            order=3,
        )
        target[..., 0] = np.clip(picture, 0, 1)
    return enlarged
