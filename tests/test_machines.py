"""Odd machines: other folders, odd names, a kernel that runs every cell twice."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import nbclient
import nbformat
import numpy as np
import pytest
from campaign import tries

import helpers
from helpers.engine import paths

pytestmark = pytest.mark.slow

PATHS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))


def test_pseudo_pictures_are_kept_in_range_by_a_constraint_of_kerass(make_vae):
    """Keras before 3.15, and so Colab's, refuses a plain function."""
    constraint = make_vae(family="vamp").family.pictures.constraint
    assert isinstance(constraint, keras.constraints.Constraint)
    np.testing.assert_array_equal(constraint(np.float32([-1, 0.5, 2])), [0, 0.5, 1])


# The bootstrap cell


@pytest.fixture
def bootstrap(monkeypatch):
    """Runs the bootstrap cell in a folder; returns its commands, and the root found."""
    source = nbformat.read(PATHS[0], as_version=4).cells[1].source

    def run(folder):
        commands = []
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [])
        monkeypatch.setattr(sys, "prefix", str(folder))
        called = lambda command, check: commands.append(command)  # noqa: E731
        monkeypatch.setattr(subprocess, "run", called)
        names = {}
        exec(source, names)
        assert sys.path[0] == str(names["root"])
        return commands, names["root"]

    return run


@pytest.mark.parametrize("folder", ["", "notebooks", "data/weights"])
def test_the_bootstrap_finds_the_course_from_any_folder_of_it(bootstrap, root, folder):
    commands, found = bootstrap(root / folder)
    assert commands == []
    assert found == root


def test_the_bootstrap_fetches_the_course_once_where_there_is_none(bootstrap, tmp_path):
    ((*command, address, target),), found = bootstrap(tmp_path)
    assert command[:2] == ["git", "clone"]
    assert f"--branch={helpers.TAG}" in command
    assert address == f"https://github.com/{helpers.REPOSITORY}"
    assert target == found == tmp_path / helpers.REPOSITORY.split("/")[1]
    found.mkdir()
    assert bootstrap(tmp_path) == ([], found)


# Every cell twice, in one kernel, in a folder with spaces and letters beyond ASCII

NOTEBOOKS = [pytest.param(path, id=path.stem) for path in PATHS]
VARYING = r"\d+(\.\d+)? m?s\b|largest difference [^,]*"  # times; rounding
ONCE = r".*takes a moment once\.\n"  # the next time it is kept
TIMED = r"seconds|minutes|time (of|per)"  # a line with a time, or with shares of times
PARTS = re.compile(r"\S+( \S+)*")  # of a table's row
COLUMN = rf"{TIMED}|^from$|^to$|^first call"  # and the head of a column of them
# what draws from a generator that runs on, the model's own among them
DRAWS = r"\btrain\w*\(|\.fit\(|\b(elbo|bits_per_dimension)\(|keras\.random"
SEEDED = re.compile(r"^\s*rng = np\.random", re.MULTILINE)  # the generator is new


def copy_of_the_course(path, folder):
    """Copy one notebook and what it needs; return the copy of the notebook."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.ROOT / "helpers", folder / "helpers", ignore=unwanted)
    for name in ("data/weights", "data/results", "tests/board"):
        shutil.copytree(paths.ROOT / name, folder / name)
    (folder / "notebooks").mkdir()
    return Path(shutil.copy(path, folder / "notebooks"))


def texts_of(outputs):
    """What a cell printed or showed, without times, and warnings, which come once."""
    texts = [
        output.get("text", output.get("data", {}).get("text/plain", ""))
        for output in outputs
        if output.get("name") != "stderr"
    ]
    text = re.sub(VARYING, "#", re.sub(ONCE, "", "".join(texts)))
    return "\n".join(without_times(text.splitlines()))


def without_times(lines):
    """Lines without columns of times, and without numbers beside the word."""
    for number, line in enumerate(lines):
        heads = list(PARTS.finditer(line))
        if len(heads) == 1 and re.search(TIMED, line):
            lines[number] = re.sub(r"\d+(\.\d+)?", "#", line)
        ends = {head.end() for head in heads[1:] if re.search(COLUMN, head[0])}
        for place, row in enumerate(lines[number + 1 :] if ends else (), number + 1):
            for part in reversed(list(PARTS.finditer(row))):  # columns end below heads
                if part.end() in ends:
                    row = row[: part.start()] + "#" + row[part.end() :]
            lines[place] = row
    return [re.sub(" +", " ", line) for line in lines]


def test_only_times_may_vary():
    table = [
        "cat     minutes    bits",
        "plain      1.59   6.650",
        "wide            6.638",
    ]
    shown = ["cat minutes bits", "plain # 6.650", "wide 6.638"]
    assert without_times(table) == shown
    assert without_times(["time of 2: 1.5", "3 cats"]) == ["time of #: #", "3 cats"]


def draws(source, functions):
    """Whether code draws from a generator that runs on, or calls what does."""
    own = () if SEEDED.search(source) else (r"\brng\b",)
    return re.search("|".join((DRAWS, *own, *functions)), source)


def drawing(sources):
    """Patterns of a call of each function that draws from a generator that runs on."""
    found = []
    for source in sources:
        for part in ast.parse(source).body:
            if isinstance(part, ast.FunctionDef) and draws(ast.unparse(part), found):
                found.append(rf"(?<![\w.]){part.name}\(")
    return found


def run_in_one_kernel(path, order):
    """Run a notebook's code cells in an order; return id, source and text of each."""
    notebook = nbformat.read(path, as_version=4)
    code = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    options = {"record_timing": False, "coalesce_streams": True, "timeout": 1800}
    options["resources"] = {"metadata": {"path": str(path.parent)}}
    client, runs = nbclient.NotebookClient(notebook, **options), []
    with client.setup_kernel():
        for index in order(code):
            cell = notebook.cells[index]
            client.execute_cell(cell, index)
            runs.append((cell.id, cell.source, texts_of(cell.outputs)))
    return runs


@pytest.fixture
def odd_machine(tmp_path, monkeypatch):
    """No data set, the quick budget, and a folder with an odd name."""
    monkeypatch.setenv("VAE_COURSE_BUDGET", "quick")
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    return tmp_path / "Künstliche Autokodierer ☕" / "vae course"


@pytest.mark.parametrize("path", NOTEBOOKS[: tries(test=1, soak=9)])
def test_a_cell_run_again_says_the_same(path, odd_machine):
    """But for draws from a generator that runs on."""
    copy, most = copy_of_the_course(path, odd_machine), tries(test=9, soak=1000)
    runs = run_in_one_kernel(copy, lambda code: sorted(2 * code[:most]))
    functions = drawing(source for _, source, _ in runs)
    for (name, source, first), (_, _, again) in zip(runs[::2], runs[1::2], strict=True):
        assert again == first or draws(source, functions), name


@pytest.mark.parametrize("path", NOTEBOOKS[: tries(test=0, soak=9)])
def test_a_notebook_run_again_in_its_kernel_says_the_same(path, odd_machine):
    copy = copy_of_the_course(path, odd_machine)
    runs = run_in_one_kernel(copy, lambda code: code + code)
    half = len(runs) // 2
    assert runs[half:] == runs[:half]
