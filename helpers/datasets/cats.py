"""Photographs of cats: a local file, else the public download, else drawn ones."""

from pathlib import Path

import numpy as np

from helpers.datasets import drawn_cats
from helpers.datasets.cat_files import opened, read_cats
from helpers.datasets.dataset import Dataset, find_or_download, to_unit_range

CATS_URL = "https://www.kaggle.com/api/v1/datasets/download/borhanitrash/cat-dataset"
CATS_PLACES = ("cats", "cats.zip", "cat-dataset.zip", "archive.zip")
FEWEST_DOWNLOADED = 20_000  # pictures; there is no published hash to check
CATS_LIMITS = {"largest": 1_000_000_000, "seconds": 3600}


def load_cats(limit: int | None = None) -> Dataset:
    """Return photographs of cats, 64 x 64 x 3: nine in ten to train with, one held out.

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
    found = find_or_download("cats.zip", CATS_URL, check_cats, CATS_LIMITS, CATS_PLACES)
    if found is None:
        return drawn_cats_stand_in(min(limit or 10_000, 10_000))
    path, source = found
    return split_cats(read_cats(path), limit, source)


def check_cats(path: Path) -> None:
    """Raise ValueError unless the file is a zip of as many pictures as expected."""
    with opened(path) as (names, _):
        if len(names) < FEWEST_DOWNLOADED:
            raise ValueError(
                f"what came must hold at least {FEWEST_DOWNLOADED:,} pictures, and "
                f"holds {len(names):,}"
            )


def split_cats(pictures: np.ndarray, limit: int | None, source: str) -> Dataset:
    """Hold out one in ten uint8 pictures (n, 64, 64, 3); the same ones everywhere."""
    order = np.random.default_rng(0).permutation(len(pictures))
    test, train = np.split(order, [max(1, len(order) // 10)])
    if limit is not None:
        held_out = max(1, limit // 10)
        train, test = train[: limit - held_out], test[:held_out]
    x_train, x_test = to_unit_range(pictures, train), to_unit_range(pictures, test)
    return Dataset(x_train, x_test, name="cats", source=source)


def drawn_cats_stand_in(count: int = 10_000, seed: int = 0) -> Dataset:
    """Return cats drawn from random factors, 64 x 64 x 3; one in ten is held out.

    Raises:
        ValueError: the count is below 2.
    """
    if count < 2:
        raise ValueError(f"count must be at least 2, and is {count}")
    pictures = drawn_cats.draw(drawn_cats.random_factors(count, seed))
    x_train, x_test = np.split(pictures, [count - max(1, count // 10)])
    source = "the course's stand-in (drawn from known factors)"
    return Dataset(x_train, x_test, name="drawn cats", source=source)
