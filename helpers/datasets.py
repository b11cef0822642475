"""Load the course's data sets: a local file, else the public download, else an offline stand-in."""

import hashlib
import io
import math
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from helpers import archives, downloads, drawn_cats, files, runtime

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
MNIST_SHAPES = {
    "x_train": (60_000, 28, 28),
    "y_train": (60_000,),
    "x_test": (10_000, 28, 28),
    "y_test": (10_000,),
}

CATS_URL = "https://www.kaggle.com/api/v1/datasets/download/borhanitrash/cat-dataset"
CATS_PLACES = ("cats", "cats.zip", "cat-dataset.zip", "archive.zip")  # the first that is there
CATS_SHAPE = (64, 64, 3)
FEWEST_DOWNLOADED = 20_000  # readable pictures; there is no published hash to check
LARGEST_FILE = 20_000_000  # bytes of one picture
# Bytes and seconds after which a download is given up.
MNIST_LIMITS = {"largest": 20_000_000, "seconds": 600}
CATS_LIMITS = {"largest": 1_000_000_000, "seconds": 3600}


@dataclass(frozen=True)
class Dataset:
    """Pictures split into a training and a held-out set that share no picture.

    Attributes:
        x_train, x_test: float32 in [0, 1], shape (images, height, width, channels).
        name: what the pictures are, for titles: ``"MNIST"``.
        source: where they came from, so that nobody mistakes a stand-in for the real thing.
        y_train, y_test: int64 labels, shape (images,), where there are any.
        factors_train, factors_test: float32 (images, factors), what drawn pictures were drawn from.
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
    except (OSError, ValueError) as error:
        print(
            f"MNIST is not at hand: no mnist.npz in data/, and the download failed ({error}).\n"
            "Going on with scikit-learn's small digits, enlarged; figures will differ.\n"
            f"For the real digits, save {MNIST_URL} as data/mnist.npz and run again."
        )
        return digits_stand_in()


def find_file(*names: str) -> Path | None:
    """Return the first of the named files or folders in ``VAE_COURSE_DATA``, then ``data/``."""
    folders = [runtime.ROOT / "data"]
    if named := os.environ.get("VAE_COURSE_DATA"):
        if not Path(named).is_dir():
            raise ValueError(
                f"VAE_COURSE_DATA must name a folder, and {named!r} is none: "
                "create it, correct it, or unset it"
            )
        folders.insert(0, Path(named))
    paths = (folder / name for folder in folders for name in names)
    return next((path for path in paths if path.exists()), None)


def download_mnist() -> Path:
    """Download MNIST to ``data/mnist.npz``, check its SHA-256, and return its path.

    Raises:
        OSError: the download failed.
        ValueError: another file came.
    """
    path = runtime.ROOT / "data" / "mnist.npz"
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


def to_unit_range(pictures: np.ndarray, chosen: np.ndarray | None = None) -> np.ndarray:
    """Return uint8 pictures (n, ...) as float32 in [0, 1]; only the ``chosen`` ones, in that order.

    Converts in batches, so that no second float copy comes to be.
    """
    chosen = np.arange(len(pictures)) if chosen is None else chosen
    converted = np.empty((len(chosen), *pictures.shape[1:]), np.float32)
    for first in range(0, len(chosen), 100):
        batch = slice(first, first + 100)
        np.divide(pictures[chosen[batch]], 255, out=converted[batch], dtype=np.float32)
    return converted


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


def load_cats(limit: int | None = None) -> Dataset:
    """Return photographs of cats, 64 x 64 x 3: nine in ten to train with, one in ten held out.

    Looks in the folder that ``VAE_COURSE_DATA`` names, then in ``data/``, for a folder ``cats`` of
    PNG or JPEG files, or a zip of them: ``cats.zip``, ``cat-dataset.zip`` or ``archive.zip``. Then
    downloads ``cats.zip`` to ``data/``; then, with a message, falls back on drawn cats. What was
    decoded is kept in ``data/`` and read from there as long as its source stays the same.

    Args:
        limit: take at most so many pictures in all. Fewer are always a part of more: a picture is
            held out, or not, whatever the limit.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, what was found there holds no readable
            pictures, or the limit is below 2.

    Source: kaggle.com/datasets/borhanitrash/cat-dataset, compiled by F. Ferlito.
    """
    if limit is not None and not (isinstance(limit, int | np.integer) and limit >= 2):
        raise ValueError(f"limit must be at least 2 pictures, or None for all, and is {limit!r}")
    path = find_file(*CATS_PLACES)
    if path is not None:
        kind = "folder" if path.is_dir() else "file"
        return split_cats(read_cats(path), limit, source=f"the local {kind} {path.name}")
    try:
        pictures = download_cats()
    except (OSError, ValueError) as error:
        print(
            f"Photographs of cats are not at hand: no cats.zip in data/, and the download failed "
            f"({error}).\n"
            "Going on with drawn cats; figures will differ.\n"
            f"For the photographs, save {CATS_URL} as data/cats.zip and run again."
        )
        return drawn_cats_stand_in(min(limit or 10_000, 10_000))
    return split_cats(pictures, limit, source="the public download")


def split_cats(pictures: np.ndarray, limit: int | None, source: str) -> Dataset:
    """Hold out one in ten of uint8 pictures (n, 64, 64, 3); the same ones everywhere."""
    order = np.random.default_rng(0).permutation(len(pictures))
    test, train = np.split(order, [max(1, len(order) // 10)])
    if limit is not None:
        held_out = max(1, limit // 10)
        train, test = train[: limit - held_out], test[:held_out]
    return Dataset(
        x_train=to_unit_range(pictures, train),
        x_test=to_unit_range(pictures, test),
        name="cats",
        source=source,
    )


def drawn_cats_stand_in(count: int = 10_000, seed: int = 0) -> Dataset:
    """Return ``count`` cats drawn from known factors, 64 x 64 x 3; one in ten is held out.

    Raises:
        ValueError: the count is below 2.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, and is {count}")
    factors = drawn_cats.random_factors(count, seed)
    pictures = drawn_cats.draw(factors)
    train = count - max(1, count // 10)
    return Dataset(
        x_train=pictures[:train],
        x_test=pictures[train:],
        name="drawn cats",
        source="the course's stand-in (drawn from known factors)",
        factors_train=factors[:train],
        factors_test=factors[train:],
        factor_names=tuple(drawn_cats.FACTORS),
    )


def download_cats() -> np.ndarray:
    """Download ``data/cats.zip`` and return its pictures, uint8 (n, 64, 64, 3).

    Raises:
        OSError: the download failed.
        ValueError: what came holds too few readable pictures.
    """
    path = runtime.ROOT / "data" / "cats.zip"
    decoded = []

    def check(part: Path) -> None:
        try:
            decoded.append(decode_cats(part, FEWEST_DOWNLOADED))
        except ValueError as error:
            raise ValueError(f"what came was deleted, because {error}") from error

    downloads.download(CATS_URL, path, check, **CATS_LIMITS)
    return kept_in_cache(path, decoded.pop())


def read_cats(source: Path) -> np.ndarray:
    """Return the pictures of a folder or zip, uint8 (n, 64, 64, 3), decoded once and then kept.

    Raises:
        ValueError: fewer than two pictures can be read.
    """
    try:
        kept = read_cache(cache_path(source))
        decoded = decode_cats(source, fewest=2) if kept is None else None
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source} can't be used, because {error}: put Kaggle's zip in its place, or nothing, "
            "and the zip is downloaded"
        ) from error
    return kept_in_cache(source, decoded) if kept is None else kept


def kept_in_cache(source: Path, pictures: np.ndarray) -> np.ndarray:
    """Keep what a folder or zip was decoded to, and return it from the file, out of memory."""
    cache = cache_path(source)
    write_cache(cache, pictures)
    kept = read_cache(cache)
    return pictures if kept is None else kept


def cache_path(source: Path) -> Path:
    """Return the file that keeps the decoded pictures of a folder or zip."""
    return runtime.ROOT / "data" / f"cats-cache-{fingerprint(source)}.npy"


def fingerprint(source: Path) -> str:
    """Return 16 hexadecimal digits that change when the folder or zip does."""
    with opened(source) as (names, _):
        parts = [source / name for name in names] if source.is_dir() else [source]
    states = [(state.st_size, state.st_mtime_ns) for state in map(os.stat, parts)]
    content = repr((CATS_SHAPE, str(source.resolve()), names, states))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def read_cache(path: Path) -> np.ndarray | None:
    """Return decoded pictures, mapped from the file rather than read; None if it is of no use."""
    try:
        with path.open("rb") as file:
            shape, columns_first, dtype = archives.read_header(file)
            offset = file.tell()
        whole = path.stat().st_size == offset + math.prod(shape)
    except Exception:  # NumPy raises many kinds on damaged files
        return None
    if dtype != np.uint8 or columns_first or shape[1:] != CATS_SHAPE or shape[0] < 2 or not whole:
        return None
    return np.memmap(path, dtype, "r", offset, shape)


def write_cache(path: Path, pictures: np.ndarray) -> None:
    """Keep decoded pictures at ``path``, whole or not at all, in the place of older ones."""
    try:
        with files.whole(path) as file:
            np.save(file, pictures)
    except OSError as error:
        print(f"The decoded cats can't be kept in data/ ({error}); going on without.")
        return
    for older in path.parent.glob("cats-cache-*.npy"):
        if older != path:
            with suppress(OSError):  # in use, on Windows
                older.unlink()


def decode_cats(source: Path, fewest: int) -> np.ndarray:
    """Return the readable pictures of a folder or zip, in natural order, uint8 (n, 64, 64, 3).

    Raises:
        ValueError: they are fewer than ``fewest``, or the file is no zip, or far too large.
    """
    unreadable = []
    with opened(source) as (names, read), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        print(f"Reading {len(names):,} pictures of cats, which takes a moment once.")
        pictures = np.empty((len(names), *CATS_SHAPE), np.uint8)
        for index, name in enumerate(names):
            try:
                pictures[index - len(unreadable)] = read_picture(read(name))
            except Exception as error:  # Pillow raises many kinds on damaged files
                unreadable.append(f"{name} ({error})")
    count = len(names) - len(unreadable)
    left_out = f"{len(unreadable):,} can't be read: {', '.join(unreadable[:3])}"
    if count < fewest:
        raise ValueError(
            f"it must hold at least {fewest:,} readable PNG or JPEG pictures, and holds {count:,}"
            + (f" ({left_out})" if unreadable else "")
        )
    if unreadable:
        print(f"Pictures of cats left out: {left_out}")
    return pictures[:count]


@contextmanager
def opened(source: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """Yield the names of a folder's or zip's pictures in natural order, and what reads one.

    Raises:
        ValueError: the file is no zip, or far too large.
    """
    if source.is_dir():
        paths = (path for path in source.rglob("*") if path.is_file())
        names = in_natural_order(path.relative_to(source).as_posix() for path in paths)

        def read(name: str) -> bytes:
            with (source / name).open("rb") as file:
                return archives.read_bounded(file, LARGEST_FILE)

        yield names, read
        return
    with archives.opened(source) as archive:
        members = {member.filename: member for member in archive.infolist()}
        read = partial(archives.read_member, archive, largest=LARGEST_FILE)
        yield in_natural_order(members), lambda name: read(members[name])


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return the names of PNG and JPEG files with cat_2 before cat_10, without hidden files."""
    pictures = [
        name
        for name in names
        if name.lower().endswith((".png", ".jpg", ".jpeg"))
        and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    padded = {name: re.sub(r"[0-9]+", lambda n: n[0].zfill(12), name).lower() for name in pictures}
    return sorted(pictures, key=lambda name: (padded[name], name))


def read_picture(content: bytes) -> np.ndarray:
    """Return a picture as uint8 (64, 64, 3): upright, its centre square, on white if transparent.

    Pillow raises many kinds of exception on damaged files.
    """
    image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would clip
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB")
    if image.size != CATS_SHAPE[:2]:
        image = ImageOps.fit(image, CATS_SHAPE[:2], Image.Resampling.LANCZOS)
    return np.asarray(image)
