"""Photographs of cats: a local file, else the public download, else drawn ones."""

import hashlib
import math
import os
from contextlib import suppress
from pathlib import Path

import numpy as np

from helpers.datasets import drawn_cats
from helpers.datasets.cat_files import CATS_SHAPE, decode_cats, opened
from helpers.datasets.dataset import Dataset, find_file, to_unit_range
from helpers.engine import archives, budgets, downloads, files

CATS_URL = "https://www.kaggle.com/api/v1/datasets/download/borhanitrash/cat-dataset"
CATS_PLACES = (
    "cats",
    "cats.zip",
    "cat-dataset.zip",
    "archive.zip",
)  # the first that is there
FEWEST_DOWNLOADED = 20_000  # readable pictures; there is no published hash to check
CATS_LIMITS = {"largest": 1_000_000_000, "seconds": 3600}


def load_cats(limit: int | None = None) -> Dataset:
    """Return photographs of cats, 64 x 64 x 3: nine in ten to train with, one in ten
    held out.

    Looks in the folder that ``VAE_COURSE_DATA`` names, then in ``data/``, for a folder
    ``cats`` of PNG or JPEG files, or a zip of them: ``cats.zip``, ``cat-dataset.zip``
    or ``archive.zip``. Then downloads ``cats.zip`` to ``data/``; then, with a message,
    falls back on drawn cats. What was decoded is kept in ``data/`` and read from there
    as long as its source stays the same.

    Args:
        limit: take at most so many pictures in all. Fewer are always a part of more: a
            picture is held out, or not, whatever the limit.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, what was found there holds no
            readable pictures, or the limit is below 2.

    Source: kaggle.com/datasets/borhanitrash/cat-dataset, compiled by F. Ferlito.
    """
    if limit is not None and not (isinstance(limit, int | np.integer) and limit >= 2):
        raise ValueError(
            f"limit must be at least 2 pictures, or None for all, and is {limit!r}"
        )
    path = find_file(*CATS_PLACES)
    if path is not None:
        kind = "folder" if path.is_dir() else "file"
        return split_cats(
            read_cats(path), limit, source=f"the local {kind} {path.name}"
        )
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
    """Return ``count`` cats drawn from known factors, 64 x 64 x 3; one in ten is held
    out.

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
    path = budgets.ROOT / "data" / "cats.zip"
    decoded = []

    def check(part: Path) -> None:
        try:
            decoded.append(decode_cats(part, FEWEST_DOWNLOADED))
        except ValueError as error:
            raise ValueError(f"what came was deleted, because {error}") from error

    downloads.download(CATS_URL, path, check, **CATS_LIMITS)
    return kept_in_cache(path, decoded.pop())


def read_cats(source: Path) -> np.ndarray:
    """Return the pictures of a folder or zip, uint8 (n, 64, 64, 3), decoded once and
    then kept.

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
    return budgets.ROOT / "data" / f"cats-cache-{fingerprint(source)}.npy"


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
    if (
        dtype != np.uint8
        or columns_first
        or shape[1:] != CATS_SHAPE
        or shape[0] < 2
        or not whole
    ):
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
