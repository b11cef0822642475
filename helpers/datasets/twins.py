"""Pictures that show the same photograph, and splits that keep them together.

A picture that stands in a data set twice, resampled, cropped or toned a little
otherwise, is not held out if its twin is in training. So twins are grouped first, and
groups are split. No library serves: those that find near-duplicates compare hashes of a
few bits, which miss some twins and link thousands of cats by chance.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

BLOCKS = 8  # per side: coarse enough for resampling not to matter
NEAR = 0.02  # root mean squared difference of block means, of pictures in [0, 1]
ALIKE = 0.97  # correlation of block means, each channel less its mean
NEAR_AND_ALIKE = 0.05, 0.88
RULE = (BLOCKS, NEAR, ALIKE, NEAR_AND_ALIKE)
TILE = 1000  # pictures compared with as many others at once, in about 30 MB

TEST, VALIDATION = 0.1, 0.1  # shares of the groups
FEWEST = 3  # groups: one for each part


def twin_groups(pictures: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Return for each picture the index of the first of its group, int64 (n,).

    Two pictures are twins if the means of their 8 x 8 blocks, or those of one and the
    mirrored other, differ by less than ``NEAR``, or correlate above ``ALIKE``, or pass
    both milder bounds, ``NEAR_AND_ALIKE``. A group is all that twins link. Dark cats
    are near each other by chance, so a wider difference alone does not do; the same
    photograph in another light still correlates. ``data/README.md`` tells how the
    bounds were found.

    Args:
        pictures: (n, height, width, channels), uint8, or float in [0, 1].
        known: (n,) the number of the group of a picture whose group is known, negative
            where it is not. Only pictures of unknown groups are compared, with all.
    """
    count = len(pictures)
    known = np.full(count, -1) if known is None else np.asarray(known)
    _, first, number = np.unique(known, return_index=True, return_inverse=True)
    of_known = np.flatnonzero(known >= 0)
    links = np.stack([of_known, first[number[of_known]]])
    links = np.hstack([links, twin_pairs(pictures, np.flatnonzero(known < 0))])
    return linked(links, count)


def equal_groups(x: np.ndarray) -> np.ndarray:
    """Return for each row of (n, ...) the index of the first that equals it, (n,)."""
    first: dict[bytes, int] = {}
    digests = (hashlib.sha256(row + 0).digest() for row in x)  # -0 + 0 is 0
    return np.array([first.setdefault(d, i) for i, d in enumerate(digests)], np.int64)


def no_groups(x: np.ndarray) -> np.ndarray:
    """Return for each row of (n, ...) its own index, (n,)."""
    return np.arange(len(x))


def rule(duplicates: str, pictures: bool = True) -> Callable[[np.ndarray], np.ndarray]:
    """Return what finds the groups of (n, ...).

    Args:
        duplicates: what forms a group: ``"near"``, twins; ``"equal"``, what is equal;
            ``"ignore"``, nothing.
        pictures: whether that is what they are; of others, only equal ones are twins.

    Raises:
        ValueError: it is none of the three.
    """
    near = twin_groups if pictures else equal_groups
    rules = {"near": near, "equal": equal_groups, "ignore": no_groups}
    if duplicates not in rules:
        raise ValueError(
            f"duplicates must be 'near', 'equal' or 'ignore', and is {duplicates!r}"
        )
    return rules[duplicates]


def linked(links: np.ndarray, count: int) -> np.ndarray:
    """Return for each of so many the first one that links (2, n) lead to, (count,)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(links.shape[1], bool), links), (count, count))
    group = connected_components(graph, directed=False)[1]
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    return first[group]


def twin_pairs(pictures: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return the twins of some pictures, given by index, as pairs (2, pairs)."""
    pairs = [np.empty((2, 0), np.int64)]
    if not len(asked):
        return pairs[0]
    means = block_means(pictures)
    plain, mirrored = Blocks.of(means), Blocks.of(means[:, :, ::-1])
    others = np.setdiff1d(np.arange(len(means)), asked)
    order = np.concatenate([others, asked])
    for start in range(len(others), len(order), TILE):
        rows = order[start : start + TILE]
        for at in [*range(0, len(others), TILE), *range(start, len(order), TILE)]:
            end = min(at + TILE, len(others)) if at < len(others) else at + TILE
            columns = order[at:end]
            found = plain.part(rows).twins(plain.part(columns))
            found |= plain.part(rows).twins(mirrored.part(columns))
            row, column = np.nonzero(found)
            pairs.append(np.stack([rows[row], columns[column]]))
    return np.hstack(pairs)


def block_means(pictures: np.ndarray) -> np.ndarray:
    """Return the means of 8 x 8 blocks, or a few more, float32 (n, rows, columns, c).

    Blocks are squares of whole pixels; what is left at the right and below is cut off.
    """
    side = max(1, min(pictures.shape[1:3]) // BLOCKS)
    rows, columns = (length // side for length in pictures.shape[1:3])
    means = np.empty((len(pictures), rows, columns, pictures.shape[3]), np.float32)
    for first in range(0, len(pictures), TILE):
        some = pictures[first : first + TILE, : rows * side, : columns * side]
        blocks = some.reshape(len(some), rows, side, columns, side, -1)
        means[first : first + TILE] = blocks.mean(axis=(2, 4), dtype=np.float32)
    return means / 255 if pictures.dtype == np.uint8 else means


@dataclass(frozen=True)
class Blocks:
    """Block means, flat, (n, k); less each channel's mean and of length 1, (n, k)."""

    values: np.ndarray
    patterns: np.ndarray

    @classmethod
    def of(cls, means: np.ndarray) -> "Blocks":
        """Return blocks of means (n, rows, columns, channels)."""
        centred = means - means.mean(axis=(1, 2), keepdims=True)
        centred = centred.reshape(len(means), -1)
        lengths = np.sqrt(np.sum(centred**2, axis=1, keepdims=True) + 1e-6)
        return cls(means.reshape(len(means), -1), centred / lengths)

    def part(self, rows: np.ndarray) -> "Blocks":
        """Return some of them."""
        return Blocks(self.values[rows], self.patterns[rows])

    def twins(self, other: "Blocks") -> np.ndarray:
        """Return which of these and the others are twins, (n, m)."""
        squares = [np.sum(b.values**2, axis=1) for b in (self, other)]
        products = self.values @ other.values.T
        squared = squares[0][:, np.newaxis] + squares[1] - 2 * products
        difference = np.sqrt(np.maximum(squared, 0) / self.values.shape[1])
        correlation = self.patterns @ other.patterns.T
        near, alike = NEAR_AND_ALIKE
        both = (difference < near) & (correlation > alike)
        return (difference < NEAR) | (correlation > ALIKE) | both


def split_groups(groups: np.ndarray, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the indices of one picture per group: train, validation and test.

    A group's place between 0 and 1 is a hash of its name: up to 0.1 it is in ``test``,
    up to 0.2 in ``validation``, else in ``train``, the same wherever the pictures lie,
    whatever their encoding and whichever are missing. In a part they stand by place,
    which is as good as at random. (Of few groups, where a part would be empty, the next
    by place fill it.)

    Args:
        groups: for each picture the same index as for its twins, (n,).
        names: the name of each picture's group, (n,).

    Raises:
        ValueError: there are fewer than three groups.
    """
    firsts = np.unique(groups, return_index=True)[1]
    if len(firsts) < FEWEST:
        raise ValueError(
            f"there must be at least {FEWEST} pictures or rows that differ, one for "
            f"each part, and there are {len(firsts)}: duplicates='ignore' takes equal "
            "ones for different"
        )
    places = np.array([place(names[first]) for first in firsts])
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], (TEST, TEST + VALIDATION))
    end = min(max(ends[0], 1), len(order) - 2)
    next_end = min(max(ends[1], end + 1), len(order) - 1)
    test, validation, train = np.split(firsts[order], [end, next_end])
    return {"train": train, "validation": validation, "test": test}


def with_their_groups(
    parts: dict[str, np.ndarray], groups: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Return the indices of all members of the groups that parts have one of, shuffled.

    Args:
        parts: one index per group, as ``split_groups`` returns them.
        groups: for each the same index as for its twins, (n,).
        seed: of their order.
    """
    rng = np.random.default_rng(seed)
    return {
        part: rng.permutation(np.flatnonzero(np.isin(groups, groups[rows])))
        for part, rows in parts.items()
    }


def place(name: str) -> float:
    """Return a number in [0, 1) that is as good as random, but the same everywhere."""
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
