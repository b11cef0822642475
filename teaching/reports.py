"""Write marks: one CSV for the class, one page of feedback for each student."""

import csv
import html
import io
import itertools
import re
from collections.abc import Iterable
from pathlib import Path

from helpers.engine import files
from teaching.marks import Row

COLUMNS = ("student", "notebook", "exercise", "mark", "message", "where")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute these
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1em/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em }}
td, th {{ text-align: left; vertical-align: top; padding: 0.3em 0.8em 0.3em 0 }}
td {{ border-top: 1px solid #bbb; overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def best(rows: Iterable[Row]) -> list[Row]:
    """Return the best of several marks for one exercise, sorted; other rows stay."""
    kept: dict[tuple, Row] = {}
    for row in rows:
        file = "" if row.exercise else row.where
        key = (row.student, row.notebook, row.exercise, file)
        if key not in kept or row.worth > kept[key].worth:
            kept[key] = row
    return sorted(kept.values(), key=lambda row: (row.student, row.notebook))


def write(rows: list[Row], folder: Path) -> None:
    """Write ``marks.csv``, and a page for each student into ``feedback/``."""
    with files.whole(folder / "marks.csv") as file:
        file.write(table(rows).encode("utf-8-sig", "replace"))
    taken: set[str] = set()
    for student, own in itertools.groupby(rows, key=lambda row: row.student):
        name = file_name(student, taken)
        with files.whole(folder / "feedback" / f"{name}.html") as file:
            file.write(page(student, list(own)).encode("utf-8", "replace"))


def table(rows: list[Row]) -> str:
    """Return the CSV, with an apostrophe before what a spreadsheet would compute."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for row in rows:
        values = [one_line(getattr(row, column)) for column in COLUMNS]
        writer.writerow([f"'{v}" if v.startswith(FORMULA) else v for v in values])
    return text.getvalue()


def one_line(value: object) -> str:
    """Return a value as text of one line that can be printed; nothing for None."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text)


def file_name(student: str, taken: set[str]) -> str:
    """Return a name of a file for a student that no other has."""
    plain = re.sub(r"[^\w-]+", "_", student)[:60].strip("_") or "student"
    names = itertools.chain([plain], (f"{plain}-{n}" for n in itertools.count(2)))
    name = next(name for name in names if name.lower() not in taken)
    taken.add(name.lower())
    return name


def page(student: str, rows: list[Row]) -> str:
    """Return a student's page of feedback."""
    parts = []
    for notebook, of_notebook in itertools.groupby(rows, key=lambda row: row.notebook):
        own = list(of_notebook)
        if notebook:
            right = sum(row.mark or 0 for row in own)
            parts.append(f"<h2>{escaped(notebook)}: {right} of {len(own)} right</h2>")
        else:
            parts.append("<h2>Not marked</h2>")
        parts.append("<table>")
        parts.append("<tr><th>exercise<th>mark<th>what was found<th>where</tr>")
        for row in own:
            values = (row.exercise, row.mark, row.message, row.where)
            cells = "".join(f"<td>{escaped(value)}</td>" for value in values)
            parts.append(f"<tr>{cells}</tr>")
        parts.append("</table>")
    return PAGE.format(title=escaped(student), body="\n".join(parts))


def escaped(value: object) -> str:
    """Return a value as text that HTML shows as it is."""
    return html.escape(one_line(value))
