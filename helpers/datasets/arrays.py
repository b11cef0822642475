"""Your own arrays: pictures, tables, signals, in three parts that share no row."""

from typing import Any

import numpy as np

from helpers.datasets import twins
from helpers.datasets.dataset import Dataset, as_labels, in_parts


def from_arrays(
    x: Any,
    y: Any = None,
    scale: float | None = None,
    duplicates: str = "near",
    seed: int = 0,
    name: str = "own data",
    source: str = "arrays",
) -> Dataset:
    """Return a data set of arrays: eight in ten rows to train with, one in ten to test.

    Of pictures, tables or signals, by shape and type:

    - (n, height, width, channels), and (n, height, width) of uint8, which gets its
      channel axis here, are pictures. Those of uint8 are divided by 255. Others must
      lie in [0, 1] already, or be told their ``scale``.
    - (n, columns) is a table, any other shape signals. They are taken as they are, of
      uint8 too, and divided by ``scale`` only. (Grey pictures of floats need their
      channel axis, ``x[..., np.newaxis]``, to be taken for pictures.)

    Rows that are the same stand in one part, all of them; so parts are of about these
    sizes. The same seed gives the same parts.

    Args:
        x: real numbers (n, ...), n at least 3.
        y: labels (n,), integers or words; these become integers, and the words
            ``class_names``.
        scale: what x is divided by, such as 255.
        duplicates: what is the same: ``"near"``, pictures that differ little, as
            ``twins.twin_groups`` says, in seconds for 10,000 and in minutes for 50,000,
            and equal rows of anything else; ``"equal"``, equal rows (for strokes on
            plain ground, which are all alike; for pictures that are not in [0, 1]);
            ``"ignore"``, nothing (for tables of few different rows).
        seed: of the split.
        name, source: as in ``Dataset``.

    Raises:
        ValueError: x or y is something else, x holds what is no finite float32, or
            fewer than three different rows.
    """
    x = numbers(x)
    pictures = x.ndim == 4 or (x.ndim == 3 and x.dtype == np.uint8)
    if x.ndim == 3 and pictures:
        x = x[..., np.newaxis]
    if scale is None and pictures and x.dtype == np.uint8:
        scale = 255
    if not (scale is None or scale > 0):
        raise ValueError(f"scale must be positive, or None, and is {scale!r}")
    x = np.divide(x, 1 if scale is None else scale, dtype=np.float32)
    if pictures and duplicates == "near":
        check_span(x)
    find = twins.rule(duplicates, pictures)
    labels, class_names = (None, None) if y is None else as_labels(y, len(x))
    facts = {"name": name, "source": source, "class_names": class_names}
    return split_rows(x, labels, find(x), seed, **facts)


def numbers(x: Any) -> np.ndarray:
    """Return x as an array of finite numbers (n, ...), or raise ValueError."""
    if np.ma.is_masked(x):
        raise ValueError("x has masked values: fill them, or leave out their rows")
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise ValueError(
            f"x must be one array, and is not ({error}): pad it"
        ) from error
    if x.dtype.kind not in "fiub":
        raise ValueError(
            f"x must hold real numbers, and is {x.dtype}: x.astype('float32') if it "
            "holds nothing else; load_table takes columns of words"
        )
    if x.ndim < 2 or not x.size:
        raise ValueError(
            f"x must be (n, ...), and has shape {x.shape}: x[:, np.newaxis] makes a "
            "table of one column"
        )
    if x.dtype.kind != "f":
        return x
    odd = ~(np.abs(x) <= np.finfo(np.float32).max)
    if odd.any():
        first = tuple(map(int, np.argwhere(odd)[0]))
        raise ValueError(
            f"x holds {odd.sum():,} numbers that are no finite float32, the first "
            f"{x[first]} at {first}: fill them, or leave out their rows"
        )
    return x


def check_span(x: np.ndarray) -> None:
    """Raise ValueError unless pictures lie in [0, 1]."""
    low, high = float(x.min()), float(x.max())
    if low < 0 or high > 1:
        raise ValueError(
            f"pictures must lie in [0, 1], and span [{low:g}, {high:g}]: scale=255 "
            "divides them by 255; duplicates='equal' takes them as they are"
        )


def split_rows(
    x: np.ndarray, y: np.ndarray | None, groups: np.ndarray, seed: int, **facts: Any
) -> Dataset:
    """Return a data set of all rows (n, ...), those of a group in one part.

    Raises:
        ValueError: there are fewer than three groups.
    """
    names = [f"{first} of seed {seed}" for first in groups]
    chosen = twins.split_groups(groups, names)
    return in_parts(
        twins.with_their_groups(chosen, groups, seed), x.__getitem__, y, **facts
    )
