"""The notebooks as a class gets them: without answers, and with all of them."""

import copy
import re
import shutil
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.engine import files, kernels, paths, saved
from teaching.answers import Code
from teaching.exercises import Exercise, exercises_of
from teaching.marks import mark_exercises
from teaching.processes import Limits

BADGE = re.compile(r"^\[!\[Open in Colab\].*\n\n?", re.MULTILINE)  # opens another file
LINK = re.compile(r"\]\(\.\./([^)#\s]+)")


def student_version(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy of a notebook without the cells that hold solutions."""
    version = prepared(notebook)
    folded = {exercise.place + 3 for exercise in exercises_of(name, notebook.cells)}
    version.cells = [c for i, c in enumerate(version.cells) if i not in folded]
    return version


def solution_version(notebook: NotebookNode, name: str) -> NotebookNode:
    """Return a copy of a notebook with the solutions in the place of the stubs.

    Raises:
        RuntimeError: a check does not find a solution right.
    """
    version = prepared(notebook)
    exercises = exercises_of(name, notebook.cells)
    for exercise in exercises:
        _, stub, _, folded = version.cells[exercise.place : exercise.place + 4]
        stub.source = exercise.solution
        folded.source = exercise.explanation
    said = verdicts(exercises, version)
    for exercise in exercises:
        check = version.cells[exercise.place + 2]
        text = f"{said[exercise.function]}\n"
        check.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)]
    version.cells = [cell for cell in version.cells if cell.source]
    return version


def verdicts(exercises: list[Exercise], notebook: NotebookNode) -> dict[str, str]:
    """Return what the checks say of the answers in a notebook, by function.

    Raises:
        RuntimeError: one is not right.
    """
    numbered = enumerate(notebook.cells, start=1)
    code = Code([(n, cell.source) for n, cell in numbered if cell.cell_type == "code"])
    said = {}
    for exercise, _, mark, message in mark_exercises(exercises, code, Limits()):
        if not mark:
            raise RuntimeError(f"{exercise.notebook}, {exercise.title}: {message}")
        said[exercise.function] = message
    return said


def prepared(notebook: NotebookNode) -> NotebookNode:
    """Return a copy without the saver's digest and the badge, which speak of ours."""
    version = copy.deepcopy(notebook)
    version.metadata.pop(saved.KEY, None)
    version.cells[0].source = BADGE.sub("", version.cells[0].source)
    return version


def without_outputs(notebook: NotebookNode) -> NotebookNode:
    """Return a copy as it is before it has run."""
    version = copy.deepcopy(notebook)
    for cell in version.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return version


MAKERS = {"student": student_version, "solution": solution_version}


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook."""
    nbformat.validate(notebook)
    with files.whole(path) as file:
        file.write(f"{nbformat.writes(notebook)}\n".encode())


def copy_linked(notebook: NotebookNode, folder: Path) -> None:
    """Copy the files of the course to which a notebook's text links."""
    for cell in notebook.cells:
        for name in LINK.findall(cell.source) if cell.cell_type == "markdown" else ():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(paths.ROOT / name, folder / name)


def build(folder: Path, names: list[str] | None = None) -> None:
    """Write the four versions of every notebook, or of some, below a folder.

    Raises:
        RuntimeError: a check does not find a solution right.
        OSError: the folder can't be written.
    """
    for path in kernels.find_notebooks(names or []):
        notebook = nbformat.read(path, as_version=4)
        copy_linked(notebook, folder)
        for kind, make in (
            ("student", student_version),
            ("solution", solution_version),
        ):
            version = make(notebook, path.stem)
            write(folder / f"{kind}-outputs" / path.name, version)
            write(folder / kind / path.name, without_outputs(version))
