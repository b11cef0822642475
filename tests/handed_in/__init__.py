"""Made submissions of notebook 02: right in odd ways, broken, hostile.

``ANSWERS`` are those whose first answer is odd, ``FILES`` those that are odd as files.
Each name leads to a maker and to what must be found: marks in order, and words of the
first message.
"""

import functools
import json
import os
from copy import deepcopy
from pathlib import Path

import nbformat

from helpers.engine import paths
from teaching import versions
from teaching.exercises import course

NAME = "02_autoencoder"
RIGHT = "sum(a * b + b for a, b in zip(sizes, sizes[1:]))"
ALL, NONE, REST, UNMARKED = (1, 1, 1, 1), (0, 0, 0, 0), (0, 1, 1, 1), (None,)


@functools.cache
def whole():
    """The notebook as the course has it."""
    path = paths.ROOT / "notebooks" / f"{NAME}.ipynb"
    return nbformat.read(path, as_version=4)


def notebook(*first, **others):
    """A notebook with imports and exercises.

    Args:
        first: code of the cells with the first answer; without any, the right one.
        others: function to its code; the right one where nothing is given.
    """
    cells = [cell for cell in whole().cells if "import numpy" in cell.source][:1]
    for number, exercise in enumerate(course()[NAME]):
        text, stub, check = whole().cells[exercise.place : exercise.place + 3]
        right = others.get(exercise.function, exercise.solution)
        cells.append(text)
        for part, code in enumerate(first if first and number == 0 else [right]):
            cells.append(nbformat.v4.new_code_cell(code, id=f"{stub.id}-{part}"))
        cells.append(check)
    return nbformat.v4.new_notebook(cells=deepcopy(cells))


def answers():
    """Yield name, maker, marks and words of the answers in the file beside this one."""
    text = Path(__file__).with_name("answers.txt").read_text()
    for section in text.split("\n=== ")[1:]:
        head, _, code = section.partition("\n")
        name, mark, words = head.split(" | ")
        cells = code.replace("RIGHT", RIGHT).split("# %%\n")
        yield name, (functools.partial(notebook, *cells), (int(mark), 1, 1, 1), words)


def returning(value):
    """A maker of a notebook whose first answer returns what is written so."""
    return lambda: notebook(f"def count_parameters(sizes):\n    return {value}")


ANSWERS = dict(answers()) | {
    "null-byte": (returning("'\0'"), REST, "is no Python"),
    "surrogate": (returning("'\ud800'"), REST, "is no Python"),
    "deep-brackets": (returning("(" * 9_000 + "1" + ")" * 9_000), REST, "is no Python"),
    "deep-signs": (returning("-" * 20_000 + "1"), REST, "is no Python"),
    "deep-sum": (returning("1 + " * 10_000 + "1"), REST, "is no Python"),
    "deep-attributes": (returning("x" + ".x" * 20_000), REST, "is no Python"),
    "giant-cell": (returning(RIGHT + "\n#" * 50_000), REST, "longer than"),
}


def changed(turn):
    """A maker of the right notebook with another list of cells."""

    def make():
        right = notebook()
        right.cells = turn(right.cells)
        return right

    return make


def written(path, content):
    """Write bytes, or what JSON can hold; return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    path.write_bytes(content)
    return path


def huge(path):
    """A file of 100 MB that takes no room."""
    with written(path, b"{").open("r+b") as file:
        file.truncate(100_000_000)


def twice(path):
    """Two notebooks of one student, each with another answer wrong."""
    written(path.with_suffix("") / "1.ipynb", returning("1")())
    wrong = "def score(noisy, cleaned, sigma):\n    return 1.0"
    written(path.with_suffix("") / "2.ipynb", notebook(score=wrong))


def with_output():
    """A notebook with 20 MB of output."""
    right = notebook()
    output = nbformat.v4.new_output("stream", text="x" * 20_000_000)
    right.cells[0].outputs = [output]
    return right


def in_folder(*names, content=b"x"):
    """A writer of a folder with files."""
    return lambda path: [written(path.with_suffix("") / n, content) for n in names]


def link_to(target):
    """A writer of a link."""
    return lambda path: path.symlink_to(target)


ODD = [None, 1, [], {}, *({"cell_type": "code", "source": s} for s in (None, [1], {}))]
FLOOD = [{"cell_type": "code", "source": "x = 1\n" * 5_000}] * 100
MAKERS = {  # what makes the content of a file
    "right": (notebook, ALL, "correct"),
    "as-students-get-it": (
        lambda: versions.student_version(whole(), NAME),
        NONE,
        "not attempted",
    ),
    "as-published": (whole, NONE, "not attempted"),
    "backwards": (changed(lambda cells: cells[::-1]), ALL, "correct"),
    "duplicated": (changed(lambda cells: cells * 2), ALL, "correct"),
    "odd-cells": (changed(lambda cells: ODD + cells), ALL, "correct"),
    "missing": (
        changed(lambda cells: cells[:2] + cells[3:]),
        REST,
        "no function count_parameters",
    ),
    "renamed": (
        lambda: notebook(f"def my_count(sizes):\n    return {RIGHT}"),
        REST,
        "no function count_parameters",
    ),
    "much-output": (with_output, ALL, "correct"),
    "byte-order-mark": (
        lambda: b"\xef\xbb\xbf" + json.dumps(notebook()).encode(),
        ALL,
        "correct",
    ),
    "empty": (lambda: b"", UNMARKED, "it is empty"),
    "not-json": (lambda: b"%PDF-1.7", UNMARKED, "no notebook"),
    "cut-off": (lambda: json.dumps(notebook())[:999].encode(), UNMARKED, "no notebook"),
    "utf-16": (lambda: json.dumps(notebook()).encode("utf-16"), UNMARKED, "not text"),
    "list": (lambda: [1, 2], UNMARKED, "no cells"),
    "no-cells": (lambda: {"worksheets": []}, UNMARKED, "no cells"),
    "cells-of-text": (lambda: {"cells": "print"}, UNMARKED, "no cells"),
    "nested": (lambda: b"[" * 10**6, UNMARKED, "no notebook"),
    "long-number": (lambda: b'{"cells":' + b"9" * 9999 + b"}", UNMARKED, "no notebook"),
    "much-code": (changed(lambda c: c + FLOOD), UNMARKED, "characters of code"),
    "other-notebook": (lambda: nbformat.v4.new_notebook(), UNMARKED, "no exercise"),
}
WRITERS = {  # what writes the file itself, or more than one
    "twice": (twice, ALL, "correct"),
    "huge": (huge, UNMARKED, "clear its outputs"),
    "link": (link_to("right.ipynb"), UNMARKED, "it is a link"),
    "dangling-link": (link_to("nowhere"), UNMARKED, "it is a link"),
    "link-to-a-folder": (link_to(".."), UNMARKED, "it is a link"),
    "pipe": (os.mkfifo, UNMARKED, "no notebook"),
    "no-notebook": (in_folder("answers.pdf"), UNMARKED, "no notebook"),
    "checkpoints": (
        in_folder(".ipynb_checkpoints/x.ipynb", "._x.ipynb"),
        UNMARKED,
        "no notebook",
    ),
    "in-subfolders": (
        lambda path: written(path.with_suffix("") / "a/b/c.IPYNB", notebook()),
        ALL,
        "correct",
    ),
}
EVERY = ANSWERS | MAKERS | WRITERS
QUICK = [
    *("stub-below", "patches-numpy", "syntax-error", "endless", "sys-exit", "fork"),
    *("imports-the-check", "writes-outside", "forges-a-reply", "markup"),
    *("missing", "empty", "huge", "link", "twice"),
]


def hand_in(folder, outside, names):
    """Write the submissions of these names into a folder."""
    for name in names:
        path, make = folder / f"{name}.ipynb", EVERY[name][0]
        if name in WRITERS:
            make(path)
            continue
        content = make()
        if name in ANSWERS:
            text = json.dumps(content).replace("OUTSIDE", str(outside))
            content = text.replace("HANDED_IN", str(folder)).encode()
        written(path, content)
