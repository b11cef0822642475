"""Your own tables: columns of numbers, counts and classes from a CSV file."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from helpers.datasets import twins
from helpers.datasets.arrays import split_rows
from helpers.datasets.csv_files import Cells, read_cells
from helpers.datasets.dataset import Columns, Dataset, as_labels, few, natural

KINDS = ("number", "count", "class")
FEW_CLASSES = 20  # that a column may have, however few rows there are


@dataclass(frozen=True)
class Column:
    """A column: float64 (n,), nan where a cell is missing; its kind; its classes."""

    name: str
    values: np.ndarray
    kind: str
    classes: tuple[str, ...] = ()


def load_table(
    path: str | os.PathLike,
    label: str | None = None,
    kinds: Mapping[str, str] | None = None,
    skip: Sequence[str] = (),
    missing: str = "refuse",
    standardise: bool = True,
    duplicates: str = "equal",
    seed: int = 0,
    separator: str | None = None,
    encoding: str | None = None,
    header: bool | None = None,
) -> Dataset:
    """Return the rows of a CSV file, eight in ten of them to train with.

    Columns of numbers are standardised by the mean and the standard deviation of the
    training rows; ``data.columns.restore`` goes back. Counts stay as they are; of a
    column of words x holds the number of each one's class. Equal rows stand in one
    part. ``data.columns`` has the names, kinds and classes.

    Where cells are separated otherwise than by commas, a comma may be the decimal
    point. Cells that are empty, or NA, N/A, #N/A, NaN, null or ?, are missing.

    Args:
        path: of the file.
        label: the column that becomes y, of integers or words.
        kinds: of columns that are not what they look like. Words are a ``"class"``;
            numbers a ``"number"``, and can be a ``"count"`` (0, 1, 2, ...) or a class.
        skip: columns to be left out, as of names and numbers of rows.
        missing: ``"refuse"`` says where values are missing; ``"drop"`` leaves out those
            rows; ``"fill"`` takes the training rows' median (of numbers, counts) or
            commonest class.
        standardise: False leaves numbers in their units.
        duplicates: ``"equal"``, or ``"ignore"`` for tables of few different rows.
        seed: of the split.
        separator, encoding, header: if they are not what they look like. (The first
            line is a header if it holds no number; else columns are ``column_1``, ...)

    Raises:
        ValueError: the file can't be read so, with the lines and the columns at fault;
            an argument is none of those above; there are fewer than three rows.
    """
    source = Path(path).expanduser()
    rule = twins.rule(duplicates, pictures=False)
    try:
        cells = read_cells(source, separator, encoding, header)
        labels = [label] if label is not None else []
        check_names(cells.names, label=labels, skip=skip, kinds=kinds)
        if missing not in ("refuse", "drop", "fill"):
            raise ValueError(
                f"missing must be refuse, drop or fill, and is {missing!r}"
            )
        names = [n for n in cells.names if n not in {*skip, *labels}]
        if not names:
            raise ValueError("no column is left for x")
        cells = without_gaps(cells, names, label, missing)
        columns = [column_of(cells, name, (kinds or {}).get(name)) for name in names]
        y, class_names = labels_of(cells, label) if label else (None, None)
        x = np.stack([column.values for column in columns], axis=1)
        facts = {"name": source.stem, "source": f"the local file {source.name}"}
        data = split_rows(x, y, rule(x), seed, class_names=class_names, **facts)
        return described(data, columns, standardise)
    except (OSError, ValueError) as error:
        raise ValueError(f"{source} can't be read as a table: {error}") from error


def check_names(known: Sequence[str], **named: Sequence[str] | Mapping | None) -> None:
    """Raise ValueError unless what arguments name are columns."""
    for argument, names in named.items():
        if unknown := [repr(name) for name in names or () if name not in known]:
            columns = ", ".join(map(repr, known))
            raise ValueError(
                f"{argument} names {few(unknown)}, and the columns are {columns}"
            )


def without_gaps(
    cells: Cells, names: Sequence[str], label: str | None, missing: str
) -> Cells:
    """Return cells without the rows that lack a value, or all of them to be filled.

    Raises:
        ValueError: values are missing that are to be neither left out nor filled.
    """
    asked = [*names, label] if label else names
    at = {name: cells.names.index(name) for name in asked}
    gaps = [
        (row, name)
        for row, line in enumerate(cells.rows)
        for name in asked
        if line[at[name]] is None
    ]
    if missing == "fill":
        told, gaps = len(gaps), [gap for gap in gaps if gap[1] == label]
        if told and not gaps:
            print(f"{told:,} missing values are filled in from the training rows.")
    if not gaps:
        return cells
    rows = {row for row, _ in gaps}
    said = few([f"{name!r} in line {cells.lines[row]}" for row, name in gaps])
    if missing != "drop":
        raise ValueError(
            f"{len(gaps):,} values are missing in {len(rows):,} of "
            f"{len(cells.rows):,} rows: {said}. missing='drop' leaves these rows out, "
            "'fill' puts in what is usual, but no labels, skip=[...] leaves out columns"
        )
    print(f"{len(rows):,} of {len(cells.rows):,} rows lack a value, left out: {said}")
    kept = [row for row in range(len(cells.rows)) if row not in rows]
    return replace(
        cells,
        rows=[cells.rows[row] for row in kept],
        lines=[cells.lines[row] for row in kept],
    )


def column_of(cells: Cells, name: str, kind: str | None) -> Column:
    """Return one column, of the kind told, or of that which it looks like.

    Raises:
        ValueError: it is empty, holds words among numbers, or is not of its kind.
    """
    at = cells.names.index(name)
    texts = [row[at] for row in cells.rows]
    numbers = [None if text is None else cells.number(text) for text in texts]
    words = [i for i, n in enumerate(numbers) if n is None and texts[i] is not None]
    count = sum(text is not None for text in texts)
    if kind is None:
        kind = "class" if words and len(words) == count else "number"
    if kind not in KINDS:
        raise ValueError(
            f"the kind of {name!r} must be one of {KINDS}, and is {kind!r}"
        )
    if not count:
        raise ValueError(f"column {name!r} is empty: skip=[{name!r}] leaves it out")
    if kind == "class":
        return class_column(name, texts, count)
    values = np.array([np.nan if n is None else n for n in numbers])
    odd = words
    if kind == "count":
        odd = [*words, *np.flatnonzero((values < 0) | (values % 1 > 0))]
    if odd:
        said = few([f"{texts[i]!r} in line {cells.lines[i]}" for i in odd])
        raise ValueError(
            f"column {name!r} must hold {kind}s, and {len(odd):,} of {count:,} are "
            f"none: {said}. Correct them, or give kinds={{{name!r}: 'class'}}"
        )
    return Column(name, values, kind)


def class_column(name: str, texts: Sequence[str | None], count: int) -> Column:
    """Return a column of classes, numbered in natural order.

    Raises:
        ValueError: it has too many of them.
    """
    classes = sorted({text for text in texts if text is not None}, key=natural)
    if len(classes) > max(FEW_CLASSES, count // 2):
        raise ValueError(
            f"column {name!r} has {len(classes):,} different words in {count:,} rows, "
            f"such as {few([repr(c) for c in classes])}: skip=[{name!r}] leaves it out"
        )
    codes: dict[str | None, float] = {text: code for code, text in enumerate(classes)}
    values = np.array([codes.get(text, np.nan) for text in texts])
    return Column(name, values, "class", tuple(classes))


def labels_of(cells: Cells, label: str) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return a column as labels, int64 (n,), and the names of classes that were words.

    Raises:
        ValueError: it holds numbers that are no integers, or too many words.
    """
    at = cells.names.index(label)
    texts = [row[at] or "" for row in cells.rows]
    numbers = [cells.number(text) for text in texts]
    if all(number is not None and number % 1 == 0 for number in numbers):
        return np.array(numbers).astype(np.int64), None
    if not any(number is None for number in numbers):
        raise ValueError(
            f"labels must be integers or words, and {label!r} has fractions"
        )
    class_column(label, texts, len(texts))
    return as_labels(texts, len(texts))


def described(data: Dataset, columns: Sequence[Column], standardise: bool) -> Dataset:
    """Return a table filled in and standardised by its training rows, as float32.

    Args:
        data: its parts are float64 (n, columns), with nan where a value is missing.
    """
    x = data.x_train
    usual = np.array([usual_value(c, x[:, i]) for i, c in enumerate(columns)])
    x = np.where(np.isnan(x), usual, x)
    numbers = np.array([standardise and c.kind == "number" for c in columns])
    vary = np.ptp(x, axis=0) > 0  # the deviation of a constant is not quite 0
    found = Columns(
        names=tuple(column.name for column in columns),
        kinds=tuple(column.kind for column in columns),
        classes=tuple(column.classes for column in columns),
        mean=np.where(numbers, x.mean(axis=0), 0),
        scale=np.where(numbers & vary, x.std(axis=0), 1),
    )
    parts = {f"x_{p}": getattr(data, f"x_{p}") for p in ("train", "validation", "test")}
    filled = {key: np.where(np.isnan(x), usual, x) for key, x in parts.items()}
    ready: dict[str, Any] = {key: found.standardise(x) for key, x in filled.items()}
    return replace(data, columns=found, **ready)


def usual_value(column: Column, values: np.ndarray) -> float:
    """Return the median of numbers, the commonest of classes, nan left aside.

    Raises:
        ValueError: nothing else is there.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise ValueError(
            f"column {column.name!r} has no value in a training row: "
            f"skip=[{column.name!r}] leaves it out"
        )
    if column.kind == "class":
        return float(np.bincount(known.astype(int)).argmax())
    return float(np.quantile(known, 0.5, method="lower"))
