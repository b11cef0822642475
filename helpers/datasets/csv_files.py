"""Files of comma-separated values and their relatives, as cells of text.

By hand, because the course does without pandas, and NumPy's readers know neither quotes
across lines nor where a cell is missing.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.datasets.dataset import few

SEPARATORS = "\t;|,"  # the first that gives each line as many cells as the first line
MARKS = {  # at the beginning of a file, and the encoding that they tell
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "?"}  # in small letters
LARGEST = 3e38  # a number in float32
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class Cells:
    """A table of text.

    Attributes:
        names: of the columns.
        rows: lists of cells, without spaces around them, None where one is missing.
        lines: the number of the line in the file where each row ends.
        comma: whether a comma in a number is its decimal point.
    """

    names: list[str]
    rows: list[list[str | None]]
    lines: list[int]
    comma: bool

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, None if it holds none that float32 has."""
        plain = cell.replace(",", ".") if self.comma else cell
        number = float(plain) if NUMBER.fullmatch(plain) else None
        return number if number is not None and abs(number) < LARGEST else None


def read_cells(
    path: Path, separator: str | None, encoding: str | None, header: bool | None
) -> Cells:
    """Return the cells of a file.

    Raises:
        OSError: the file is not there.
        ValueError: it is no text, no table, or without names.
    """
    if separator is not None and len(separator) != 1:
        raise ValueError(f"separator must be one character, and is {separator!r}")
    text = read_text(path, encoding)
    separator = separator or likely_separator(text)
    comma = separator != ","
    lines = list(lines_of(text, separator))
    if not lines:
        raise ValueError("it is empty")
    first = Cells([], [], [], comma)
    if header is None:
        header = all(first.number(cell) is None for cell in lines[0][1])
    names = [f"column_{i + 1}" for i in range(len(lines[0][1]))]
    if header:
        names = [cell or name for cell, name in zip(lines[0][1], names, strict=True)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"several columns are called {few(twice)}: rename them")
    body = lines[header:]
    if not body:
        raise ValueError("it has no row below its header")
    if odd := [f"line {n} ({len(row)})" for n, row in body if len(row) != len(names)]:
        raise ValueError(
            f"rows must have {len(names)} cells between {separator!r}, as the first "
            f"has, and {len(odd):,} have not: {few(odd)}. Correct them, or give the "
            "separator"
        )
    rows = [[None if c.lower() in MISSING else c for c in row] for _, row in body]
    return Cells(names, rows, [number for number, _ in body], comma)


def read_text(path: Path, encoding: str | None) -> str:
    """Return a file's text: by its mark, else UTF-8, else, with a message, cp1252."""
    content = path.read_bytes()
    marked = next((e for mark, e in MARKS.items() if content.startswith(mark)), "utf-8")
    if b"\0" in content and not encoding and marked != "utf-16":
        raise ValueError(
            "it is no text, or in UTF-16: give its encoding; save a spreadsheet as CSV"
        )
    try:
        return content.decode(encoding or marked)
    except (UnicodeDecodeError, LookupError) as error:
        if encoding or marked != "utf-8":
            raise ValueError(f"it is in another encoding ({error})") from error
    print(f"{path.name} is not in UTF-8 and read as Western European, cp1252.")
    return content.decode("cp1252", errors="replace")


def lines_of(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number and the cells of each line that isn't blank.

    Raises:
        ValueError: the csv module can't read it.
    """
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=separator, skipinitialspace=True, strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} can't be read ({error})") from error


def likely_separator(text: str) -> str:
    """Return the separator by which most lines have as many cells as the first."""

    def like_the_first(separator: str) -> float:
        try:
            counts = [len(row) for _, row in lines_of(text, separator)]
        except ValueError:
            return 0
        if not counts or counts[0] == 1:
            return 0
        return counts.count(counts[0]) / len(counts)

    best = max(SEPARATORS, key=like_the_first)
    return best if like_the_first(best) else ","
