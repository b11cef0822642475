"""Small data sets for tests: a few digits, cats that tell their number, a place."""

import io
import zipfile

import numpy as np
from PIL import Image

from helpers.datasets import digits
from helpers.engine import downloads, paths

DIGITS = {
    "x_train": np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28),
    "y_train": np.array([1, 2, 9], np.uint8),
    "x_test": np.full((2, 28, 28), 51, np.uint8),
    "y_test": np.array([0, 5], np.uint8),
}


def settle(monkeypatch, folder):
    """Make ``folder`` the course's, with an empty data/, no variable, no network."""

    def offline(*_, **__):
        raise OSError("no network")

    shapes = {name: array.shape for name, array in DIGITS.items()}
    monkeypatch.setattr(digits, "MNIST_SHAPES", shapes)
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


def marked(index, kind="PNG"):
    """The bytes of a grey picture that tells its index."""
    return encoded(np.full((64, 64, 3), index, np.uint8), kind)


def indices(data):
    """The indices of a data set's marked pictures, to train with and held out."""
    return [
        np.rint(255 * x.mean(axis=(1, 2, 3))).astype(int).tolist()
        for x in (data.x_train, data.x_test)
    ]


def zipped(files, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip of named files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
