"""Odd machines: no network, folders with odd names, a kernel that runs every cell twice."""

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
from helpers.engine import budgets

PATHS = sorted((budgets.ROOT / "notebooks").glob("*.ipynb"))

# Imports without a network: Python tells an audit hook of every connection, whoever opens it

WATCHED = """
import importlib, pathlib, socket, sys

NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostby", "socket.send")
seen = []

def watch(event, arguments):
    if event.startswith(NETWORK):
        seen.append((event, arguments[1:]))
        raise OSError("no network here")

sys.addaudithook(watch)
for path in sorted(pathlib.Path("helpers").glob("*.py")):
    importlib.import_module(f"helpers.{path.stem}")
print("imports:", seen)
try:
    socket.create_connection(("localhost", 9))
except OSError:
    print("afterwards:", [event for event, _ in seen])
"""


def test_importing_the_helpers_opens_no_connection(root):
    command = [sys.executable, "-c", WATCHED]
    run = subprocess.run(command, cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "imports: []" in run.stdout
    assert "afterwards: ['socket.getaddrinfo']" in run.stdout, "the hook is blind"


def test_the_pseudo_pictures_are_kept_in_range_by_a_constraint_of_kerass_own_kind(
    make_vae,
):
    """Keras before 3.15, and so Colab's, refuses a plain function."""
    constraint = make_vae(family="vamp").family.pictures.constraint
    assert isinstance(constraint, keras.constraints.Constraint)
    np.testing.assert_array_equal(constraint(np.float32([-1, 0.5, 2])), [0, 0.5, 1])


# The bootstrap cell


@pytest.fixture
def bootstrap(monkeypatch):
    """A function that runs the bootstrap cell in a folder; the commands it called, and its root."""
    source = nbformat.read(PATHS[0], as_version=4).cells[1].source

    def run(folder):
        commands = []
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", [])
        monkeypatch.setattr(sys, "prefix", str(folder))
        monkeypatch.setattr(
            subprocess, "run", lambda command, check: commands.append(command)
        )
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


# Every cell twice in a row, in one kernel, in a folder with spaces and letters beyond ASCII

NOTEBOOKS = [pytest.param(path, id=path.stem) for path in PATHS]
VARYING = r"\d+(\.\d+)? m?s\b|largest difference [^,]*"  # times; rounding
DRAWS = r"\brng\b|\btrain\w*\(|\.fit\(|\belbo\("  # from a generator that runs on


def copy_of_the_course(path, folder):
    """Copy one notebook and what it needs; return the copy of the notebook."""
    unwanted = shutil.ignore_patterns("__pycache__")
    shutil.copytree(budgets.ROOT / "helpers", folder / "helpers", ignore=unwanted)
    shutil.copytree(budgets.ROOT / "data/weights", folder / "data/weights")
    (folder / "notebooks").mkdir()
    return Path(shutil.copy(path, folder / "notebooks"))


def texts_of(outputs):
    """The texts that a cell printed or showed, without warnings, which come once, and times."""
    texts = [
        output.get("text", output.get("data", {}).get("text/plain", ""))
        for output in outputs
        if output.get("name") != "stderr"
    ]
    text = re.sub(VARYING, "#", "".join(texts))
    return re.sub(r"\d+(\.\d+)?", "#", text) if "seconds" in text else text


def run_in_one_kernel(path, order):
    """Run a notebook's code cells in an order, cells as often as they stand in it.

    Returns:
        the id, the source and the text of every run, in turn.
    """
    notebook = nbformat.read(path, as_version=4)
    code = [
        index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"
    ]
    resources = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(
        notebook,
        timeout=1800,
        resources=resources,
        record_timing=False,
        coalesce_streams=True,
    )
    runs = []
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


@pytest.mark.parametrize("path", NOTEBOOKS[: tries(test=1, soak=6)])
def test_a_cell_run_again_says_the_same(path, odd_machine):
    """A reader goes back and runs a cell again; a draw from the running generator may differ."""
    copy = copy_of_the_course(path, odd_machine)
    runs = run_in_one_kernel(
        copy, lambda code: [index for index in code for _ in range(2)]
    )
    for (name, source, first), (_, _, again) in zip(runs[::2], runs[1::2], strict=True):
        if not re.search(DRAWS, source):
            assert again == first, name


@pytest.mark.parametrize("path", NOTEBOOKS[: tries(test=0, soak=6)])
def test_a_notebook_run_again_in_its_kernel_says_the_same(path, odd_machine):
    runs = run_in_one_kernel(
        copy_of_the_course(path, odd_machine), lambda code: code + code
    )
    half = len(runs) // 2
    for (name, _, first), (_, _, again) in zip(runs[:half], runs[half:], strict=True):
        assert again == first, name
