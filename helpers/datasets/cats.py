"""Photographs of cats: a local file, else the public download, else drawn ones."""

from pathlib import Path

import numpy as np

from helpers.datasets import cat_groups, drawn_cats
from helpers.datasets.dataset import (
    Dataset,
    find_file,
    find_or_download,
    in_parts,
    to_unit_range,
)
from helpers.datasets.picture_files import Grouping, Pictures, opened, read_pictures
from helpers.datasets.twins import split_groups

CATS_URL = "https://www.kaggle.com/api/v1/datasets/download/borhanitrash/cat-dataset"
CATS_PLACES = ("cats", "cats.zip", "cat-dataset.zip", "archive.zip")
FEWEST_DOWNLOADED = 20_000  # pictures; there is no published hash to check
CATS_SHAPE = (64, 64, 3)
CATS_LIMITS = {"largest": 1_000_000_000, "seconds": 3600}


def load_cats(limit: int | None = None) -> Dataset:
    """Return photographs of cats, 64 x 64 x 3, eight in ten of them to train with.

    Looks in the folder that ``VAE_COURSE_DATA`` names, then in ``data/``, for a folder
    ``cats`` of pictures, or a zip of them: ``cats.zip``, ``cat-dataset.zip`` or
    ``archive.zip``. Then downloads ``cats.zip`` to ``data/``; then, with a message,
    falls back on drawn cats. What was decoded is kept in ``data/`` and read from there
    as long as its source stays the same.

    Most photographs stand there several times: of each, one picture is taken, and no
    two parts show the same. One in ten is for validation, one in ten for the test. (The
    weights in ``data/weights`` were trained on the training part.)

    Args:
        limit: take at most so many pictures in all. Fewer are always a part of more: a
            picture is in one part, or not, whatever the limit.

    Raises:
        ValueError: ``VAE_COURSE_DATA`` is no folder, what was found there holds fewer
            than three different pictures, or the limit is below 3.

    Source: kaggle.com/datasets/borhanitrash/cat-dataset, compiled by F. Ferlito.
    """
    if limit is not None and not (isinstance(limit, int | np.integer) and limit >= 3):
        raise ValueError(
            f"limit must be at least 3 pictures, or None for all, and is {limit!r}"
        )
    found = find_or_download(
        "cats.zip", [CATS_URL], check_cats, CATS_LIMITS, CATS_PLACES, large=True
    )
    if found is None:
        return drawn_cats_stand_in(min(limit or 10_000, 10_000))
    path, source = found
    return split_cats(read_cats(path), limit, source)


def load_cat_twins() -> tuple[np.ndarray, np.ndarray]:
    """Return what a split by file, not by photograph, lets through: test cats' twins.

    Returns:
        Places in ``load_cats().x_test`` (n,), a photograph as often as it has further
        files, and the pictures in these (n, 64, 64, 3), which are in no part. None of
        drawn cats.
    """
    path = find_file(*CATS_PLACES)
    if path is None:
        return np.zeros(0, int), np.zeros((0, *CATS_SHAPE), "float32")
    cats = read_cats(path)
    chosen = split_groups(cats.groups, cats.group_names)["test"]
    place_of = {group: place for place, group in enumerate(cats.groups[chosen])}
    further = np.isin(cats.groups, [*place_of])
    further[chosen] = False
    rows = np.flatnonzero(further)
    places = np.array([place_of[group] for group in cats.groups[rows]], int)
    return places, to_unit_range(cats.pictures, rows)


def check_cats(path: Path) -> None:
    """Raise ValueError unless the file is a zip of as many pictures as expected."""
    with opened(path) as (names, _):
        if len(names) < FEWEST_DOWNLOADED:
            raise ValueError(
                f"what came must hold at least {FEWEST_DOWNLOADED:,} pictures, and "
                f"holds {len(names):,}"
            )


def read_cats(source: Path) -> Pictures:
    """Return the cats of a folder or zip, 64 x 64 x 3, and their groups.

    Raises:
        ValueError: fewer than three different pictures can be read, or what is known of
            groups can't be.
    """
    known = cat_groups.known_groups()
    grouping = Grouping(
        known.version, lambda x, names: cat_groups.group_cats(x, names, known)
    )
    remedy = (
        "put Kaggle's zip in its place, or move it elsewhere, and the zip is downloaded"
    )
    return read_pictures(source, CATS_SHAPE, "cats", grouping, remedy)


def split_cats(cats: Pictures, limit: int | None, source: str) -> Dataset:
    """Return a picture of each group, in the parts that its name says."""
    chosen = split_groups(cats.groups, cats.group_names)
    if limit is not None:
        train, held_out = part_sizes(limit)
        sizes = {"train": train, "validation": held_out, "test": held_out}
        chosen = {part: rows[: sizes[part]] for part, rows in chosen.items()}
    return in_parts(
        chosen,
        lambda rows: to_unit_range(cats.pictures, rows),
        name="cats",
        source=source,
    )


def part_sizes(count: int) -> tuple[int, int]:
    """Return how many pictures to train with, and how many in each other part."""
    held_out = max(1, count // 10)
    return count - 2 * held_out, held_out


def drawn_cats_stand_in(count: int = 10_000, seed: int = 0) -> Dataset:
    """Return cats drawn from random factors, 64 x 64 x 3, split as the photographs are.

    Raises:
        ValueError: the count is below 3.
    """
    if count < 3:
        raise ValueError(f"count must be at least 3, and is {count}")
    pictures = drawn_cats.draw(drawn_cats.random_factors(count, seed))
    train, held_out = part_sizes(count)
    x_train, x_validation, x_test = np.split(pictures, [train, train + held_out])
    source = "the course's stand-in (drawn from known factors)"
    return Dataset(x_train, x_validation, x_test, "drawn cats", source)
