"""Which photographs of cats are twins: known by name, or found when they are read."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from helpers.datasets import crops, twins
from helpers.datasets.dataset import find_file, read_arrays
from helpers.engine import archives, files

GROUPS_FILE = "cats_groups.npz"
LARGEST = 10_000_000  # bytes of its arrays, unpacked
SAME_COLOUR = 4  # levels of 255 by which another encoding may move the mean colour


@dataclass(frozen=True)
class KnownGroups:
    """Groups of the pictures ``cat_0``, ``cat_1``, ... of Kaggle's archive.

    Attributes:
        groups: (n,) the number of the group of ``cat_<i>``: the lowest i in it.
        colours: uint8 (n, 3), its mean colour, by which other pictures of the same name
            are told apart.
        version: changes with the file and with the rule of ``twins``.
    """

    groups: np.ndarray
    colours: np.ndarray
    version: str

    def numbers(self, names: Sequence[str], colours: np.ndarray) -> np.ndarray:
        """Return the number of each picture's group, -1 where it is not known, (n,).

        Args:
            names: of the files; ``cats/Data/cat_7.png`` is as good as ``cat_7.jpg``.
            colours: their pictures' mean colours, levels of 255, (n, 3).
        """
        found = np.full(len(names), -1)
        for index, name in enumerate(names):
            match = re.fullmatch(r"cat_(0|[1-9]\d{0,8})", stem(name))
            if match and (number := int(match[1])) < len(self.groups):
                away = np.abs(self.colours[number] - colours[index])
                found[index] = self.groups[number] if max(away) <= SAME_COLOUR else -1
        return found


def stem(name: str) -> str:
    """Return the name of a file without its folder and its ending."""
    return PurePosixPath(name).stem


def known_groups() -> KnownGroups:
    """Return what ``cats_groups.npz`` knows; nothing, if there is none.

    It is looked for as the pictures are; it belongs to the repository, not to a wheel.

    Raises:
        ValueError: it is damaged.
    """
    path, rule = find_file(GROUPS_FILE), repr(twins.RULE)
    if path is None:
        return KnownGroups(np.empty(0, int), np.empty((0, 3), np.uint8), version(rule))
    try:
        with archives.opened(path, LARGEST) as archive:
            groups, colours = read_arrays(archive, "groups", "colours")
        fit = groups.dtype.kind == "i" and colours.dtype == np.uint8
        if not (fit and groups.ndim == 1 and colours.shape == (len(groups), 3)):
            raise ValueError("groups must be integers (n,), colours uint8 (n, 3)")
        return KnownGroups(groups, colours, version(rule, path.read_bytes()))
    except Exception as error:  # NumPy raises many kinds on damaged files
        raise ValueError(
            f"{path} is no readable file of groups ({error}): restore it, or delete "
            "it, and pictures are grouped when they are read"
        ) from error


def version(rule: str, content: bytes = b"") -> str:
    """Return 16 hexadecimal digits that change with a rule or a file."""
    return hashlib.sha256(rule.encode() + content).hexdigest()[:16]


def group_cats(
    pictures: np.ndarray, names: Sequence[str], known: KnownGroups
) -> tuple[np.ndarray, list[str]]:
    """Return the index of the first of each picture's group, and the group's name.

    A group is named by the number that is known of it, else by the name of its first
    picture, without folder and ending: both are the same for other encodings.

    Args:
        pictures: uint8 (n, height, width, 3).
        names: those of their files, n.
        known: what is known; other pictures are compared with all.

    Returns:
        groups: int64 (n,).
        group_names: n.
    """
    numbers = known.numbers(names, mean_colours(pictures))
    if unknown := np.sum(numbers < 0):
        print(f"Looking for twins of {unknown:,} pictures, which takes a moment once.")
    groups = twins.twin_groups(pictures, numbers)
    pairs = zip(numbers, names, strict=True)
    own = [f"cat_{n}" if n >= 0 else stem(name) for n, name in pairs]
    return groups, [own[first] for first in groups]


def mean_colours(pictures: np.ndarray) -> np.ndarray:
    """Return the mean colours of uint8 pictures (n, height, width, c), (n, c)."""
    means = twins.block_means(pictures)
    return 255 * means.mean(axis=(1, 2))


def save_groups(path: Path, pictures: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Group pictures ``cat_0``, ``cat_1``, ...; save and return their groups, (n,).

    Twins and crops of one photograph are a group.

    Raises:
        ValueError: they have other names.
    """
    expected = [f"cat_{number}" for number in range(len(names))]
    if [stem(name) for name in names] != expected:
        raise ValueError("pictures must be cat_0, cat_1, ... without a gap")
    twin_groups = twins.twin_groups(pictures)
    firsts = np.unique(twin_groups)
    links = firsts[crops.crop_pairs(pictures[firsts])]
    links = np.hstack([links, [np.arange(len(pictures)), twin_groups]])
    groups = twins.linked(links, len(pictures)).astype(np.int32)
    colours = np.rint(mean_colours(pictures)).astype(np.uint8)
    with files.whole(path) as file:
        np.savez_compressed(file, groups=groups, colours=colours)
    return groups
