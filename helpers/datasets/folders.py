"""Your own pictures: all that a folder holds, each shown in one part only."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from helpers.datasets import twins
from helpers.datasets.dataset import Dataset, as_labels, few, in_parts, to_unit_range
from helpers.datasets.picture_files import Grouping, Pictures, Shape, read_pictures


def load_folder(
    path: str | os.PathLike,
    size: tuple[int, int] = (64, 64),
    labels: str | None = None,
    channels: int = 3,
    duplicates: str = "near",
) -> Dataset:
    """Return the pictures of a folder, eight in ten of them to train with.

    Every file that Pillow reads is taken, whatever its name ends in, from folders in it
    and linked ones too; what can't be read is counted and named. Pictures are turned
    upright, cut to their middle and resized; what is transparent becomes white.

    Pictures that show the same form a group, and one of each is taken. One group in ten
    is for validation, one in ten for the test, by a hash of the name of its first
    picture, without the ending: copies in another format, or with others beside them,
    stand in the same part.

    What was decoded is kept in ``data/``, as ``folder-*``, and read from there as long
    as no file changes.

    Args:
        path: of the folder, or a zip of it.
        size: height and width, pixels.
        labels: ``"folders"`` if each picture's label is the first folder on its way
            that not all of them share, ``cat`` of ``cat/1.png``.
        channels: 3 for colour, 1 for grey.
        duplicates: ``"near"`` if photographs that differ little are the same, as
            ``twins.twin_groups`` says, in seconds for 10,000 and in minutes for 50,000;
            ``"equal"`` where strokes on plain ground would all be alike, as digits;
            ``"ignore"``.

    Raises:
        ValueError: there is no such place, it holds fewer than three different
            pictures, they have no labels, or an argument is none of those above.
    """
    source = Path(path).expanduser().resolve()
    shape = picture_shape(size, channels)
    if labels not in (None, "folders"):
        raise ValueError(f"labels must be 'folders' or None, and is {labels!r}")
    if not source.exists():
        raise ValueError(f"path must name a folder or a zip, and {source} is not there")
    find = partial(grouped, twins.rule(duplicates))
    found = read_pictures(
        source,
        shape,
        f"folder-{digest(str(source), shape)}",
        Grouping(digest(duplicates, twins.RULE), find),
        "put pictures there, or name the folder that has them",
    )
    if twice := len(found.names) - len(np.unique(found.groups)):
        print(f"Left out of {source.name}: {twice:,} that show the same as others")
    y, class_names = folder_labels(found) if labels else (None, None)
    return in_parts(
        twins.split_groups(found.groups, found.group_names),
        lambda rows: to_unit_range(found.pictures, rows),
        y,
        name=source.name if source.is_dir() else source.stem,
        source=f"the local {'folder' if source.is_dir() else 'file'} {source.name}",
        class_names=class_names,
    )


def picture_shape(size: Sequence[int], channels: int) -> Shape:
    """Return (height, width, channels), or raise ValueError."""
    sides = tuple(size) if isinstance(size, Sequence) else ()
    whole = all(isinstance(side, int | np.integer) and side > 0 for side in sides)
    if len(sides) != 2 or not whole:
        raise ValueError(f"size must be (height, width) in pixels, and is {size!r}")
    if channels not in (1, 3):
        raise ValueError(f"channels must be 3 (colour) or 1 (grey), and is {channels}")
    return int(sides[0]), int(sides[1]), int(channels)


def digest(*facts: object) -> str:
    """Return 8 hexadecimal digits that tell facts apart."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:8]


def grouped(
    find: Callable[[np.ndarray], np.ndarray], pictures: np.ndarray, names: list[str]
) -> tuple[np.ndarray, list[str]]:
    """Return the groups of pictures and their names: of the first, without ending."""
    print(f"Comparing {len(names):,} pictures, which takes a moment once.")
    groups = find(pictures)
    return groups, [os.path.splitext(names[first])[0] for first in groups]


def folder_labels(found: Pictures) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return the label of each picture, int64 (n,), and the names of the classes.

    Raises:
        ValueError: a picture lies in no folder of its own, or all in one.
    """
    ways = [name.split("/")[:-1] for name in found.names]
    shared = len(Path(os.path.commonpath(map("/".join, ways))).parts)
    named = zip(found.names, ways, strict=True)
    if loose := [name for name, way in named if len(way) == shared]:
        raise ValueError(
            "labels='folders' needs several folders, one for each class, and "
            f"{len(loose):,} pictures lie in none of them: {few(loose)}. Move them, or "
            "give labels=None"
        )
    labels = [way[shared] for way in ways]
    y, class_names = as_labels(labels, len(labels))
    pairs = np.unique(np.stack([found.groups, y]), axis=1)
    if mixed := np.sum(np.unique(pairs[0], return_counts=True)[1] > 1):
        print(f"Groups of pictures that show the same, of several classes: {mixed:,}")
    return y, class_names
