"""Notebooks run from start to end, each in a fresh kernel."""

import contextlib
import os
import re
import signal
import sys
from pathlib import Path

import nbclient
import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from tqdm import tqdm

from helpers.engine import paths

FIGURES = {"image/png", "image/jpeg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
RUNNING: set[nbclient.NotebookClient] = set()
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # unreadable in a log


def find_notebooks(names: list[str]) -> list[Path]:
    """Return those that begin with one of ``names``, or all; ValueError for no fit."""
    every = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
    names = names or [""]
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            there = f"in {paths.ROOT} are {[path.stem for path in every]}"
            raise ValueError(f"no notebook begins with {name!r}: {there}")
    return [path for path in every if path.name.startswith(tuple(names))]


def execute(path: Path) -> nbformat.NotebookNode:
    """Return a notebook run in a fresh kernel, without widgets, which need one.

    Raises:
        RuntimeError: a cell failed; says which, and how.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    with tqdm(total=len(cells), desc=path.stem, unit="cell", file=sys.stdout) as bar:
        client = nbclient.NotebookClient(
            notebook,
            timeout=1800,
            kernel_name="python3",
            extra_arguments=["--log-level=40"],  # not the kernel's note on transport
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            coalesce_streams=True,
            on_cell_executed=lambda **_: bar.update(),
        )
        RUNNING.add(client)
        try:
            client.execute()
        except (CellExecutionError, DeadKernelError) as error:
            died = isinstance(error, DeadKernelError)
            said = "the kernel died (no memory?)" if died else f"\n{error}"
            number = int(bar.n) + died
            place = f"code cell {number} of {len(cells)} ({cells[number - 1].id})"
            raise RuntimeError(
                COLOURS.sub("", f"{path.name}, {place}: {said}")
            ) from None
        finally:
            RUNNING.discard(client)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    attach_alternatives(notebook, path.name)
    return notebook


def stop() -> None:
    """Kill the kernels of all notebooks that run, and with them what they started."""
    for client in list(RUNNING):
        kernel = getattr(client.km, "provisioner", None)
        if kernel is None or kernel.process is None:
            continue
        if kernel.pgid and hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(kernel.pgid, signal.SIGKILL)
        else:
            kernel.process.kill()


def attach_alternatives(notebook: nbformat.NotebookNode, name: str) -> None:
    """Move what ``plots.describe`` said to the metadata of the figures, in order.

    Raises:
        RuntimeError: a cell describes some of its figures, or more than it shows.
    """
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        said = [o for o in outputs if "alt" in o.get("metadata", {}) and not o.data]
        if said:
            cell.outputs = [output for output in outputs if output not in said]
            figures = [o for o in outputs if FIGURES & set(o.get("data", {}))]
            if len(figures) != len(said):
                counts = f"{len(figures)} figures and {len(said)} descriptions"
                raise RuntimeError(f"{name}, cell {cell.id}: {counts}")
            for figure, words in zip(figures, said, strict=True):
                figure.metadata["alt"] = words.metadata["alt"]
