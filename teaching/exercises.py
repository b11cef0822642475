"""The exercises, as they stand in the course's notebooks."""

import functools
import re
from dataclasses import dataclass

import nbformat

from helpers.engine import kernels

HEADING = re.compile(r"#+ (Exercise\b.*)")
CODE = re.compile(r"```python\n(.*?)```\n?", re.DOTALL)
FOLD = re.compile(r"</?details>|<summary>.*?</summary>")


@dataclass(frozen=True)
class Exercise:
    """One exercise: four cells, of which the first is number ``place``, from 0."""

    notebook: str  # the file's name without its ending
    place: int
    title: str
    function: str  # that the reader writes
    check: str  # its name in helpers.checks
    solution: str  # code
    explanation: str  # what stands beside the code in the folded cell, or nothing


def exercises_of(name: str, cells: list) -> list[Exercise]:
    """Return the exercises among a notebook's cells, in order."""
    found = []
    for place, cell in enumerate(cells):
        heading = HEADING.match(cell.source)
        if cell.cell_type != "markdown" or not heading:
            continue
        check = re.search(r"\b(check_\w+)\((\w+)\)", cells[place + 2].source)
        assert check, f"{name}: no check follows {heading[1]}"
        folded = cells[place + 3].source
        found.append(
            Exercise(
                notebook=name,
                place=place,
                title=heading[1],
                function=check[2],
                check=check[1],
                solution="\n".join(CODE.findall(folded)).rstrip(),
                explanation=FOLD.sub("", CODE.sub("", folded)).strip(),
            )
        )
    return found


@functools.cache
def course() -> dict[str, list[Exercise]]:
    """Return the exercises of every notebook by its name, in order."""
    return {
        path.stem: exercises_of(path.stem, nbformat.read(path, as_version=4).cells)
        for path in kernels.find_notebooks([])
    }
