"""Small data sets for tests: a few digits, cats that tell their number, a place."""

import io
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from helpers.datasets import cats, dataset, digits, picture_files
from helpers.engine import downloads, paths

DIGITS = {
    "x_train": np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28),
    "y_train": np.array([1, 2, 9], np.uint8),
    "x_test": np.full((2, 28, 28), 51, np.uint8),
    "y_test": np.array([0, 5], np.uint8),
}


def real(*names):
    """The reader's own file, if it is at hand."""
    try:
        return dataset.find_file(*names)
    except ValueError:
        return None


MNIST, CATS = real("mnist.npz"), real(*cats.CATS_PLACES)
needs_mnist = pytest.mark.skipif(not MNIST, reason="the real MNIST is not at hand")
needs_cats = pytest.mark.skipif(not CATS, reason="the real cats are not at hand")


def settle(monkeypatch, folder):
    """Make ``folder`` the course's, with an empty data/, no variable, no network."""

    def offline(*_, **__):
        raise OSError("no network")

    checks = {name: zlib.crc32(array) for name, array in DIGITS.items()}
    monkeypatch.setattr(digits, "MNIST_CHECKS", checks)
    monkeypatch.setattr(digits, "VALIDATION", 1)
    monkeypatch.setattr(downloads, "download", offline)
    monkeypatch.setattr(paths, "home_folder", lambda: folder)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    (folder / "data").mkdir()
    return folder / "data"


def npz(arrays, save=np.savez):
    """The bytes of a file of arrays."""
    file = io.BytesIO()
    save(file, **arrays)
    return file.getvalue()


def npy(array):
    """The bytes of a file of one array."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def encoded(picture, kind="PNG", **options):
    """The bytes of a file with a picture: uint8 (h, w, channels), or a Pillow image."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def as_read(content, shape=cats.CATS_SHAPE):
    """What is read of the bytes of a file with a picture."""
    return picture_files.read_picture(io.BytesIO(content), shape)


def squares(index):
    """A picture that tells its index, and is no other's twin: uint8 (64, 64, 3).

    Of 8 x 8 squares, light or dark by chance, the first 16 are the digits of the index.
    """
    digits = np.random.default_rng(index).integers(0, 2, 64)
    digits[:16] = index >> np.arange(16) & 1
    light = (64 + 128 * digits).astype(np.uint8).reshape(8, 8, 1)
    return np.kron(light, np.ones((8, 8, 3), np.uint8))


def marked(index, kind="PNG"):
    """The bytes of a picture that tells its index."""
    return encoded(squares(index), kind)


def indices(data):
    """The indices of marked pictures: in training, in validation, in the test."""
    found = []
    for x in (data.x_train, data.x_validation, data.x_test):
        light = x.reshape(len(x), 8, 8, 8, 8, 3).mean(axis=(2, 4, 5)) > 0.5
        found.append((light.reshape(-1, 64)[:, :16] @ 2 ** np.arange(16)).tolist())
    return found


def together(parts):
    """What stands in any part, in order."""
    return sorted(number for part in parts for number in part)


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip of named files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
