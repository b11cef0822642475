"""Call one function on many configurations, each in a process of its own.

A sweep that was interrupted goes on where it stopped: what a configuration gave is a
small JSON file, and appears whole. joblib schedules, and has no such processes itself:
its own are forks, which TensorFlow does not survive, or stay and keep its memory.
"""

import hashlib
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock
import joblib
from tqdm import tqdm

Function = str | Callable[[dict], Any]
THREADS = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    *("VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT"),
    *("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),  # read as its devices start
)
LOOK = 0.1  # seconds between two looks at a child


class SweepError(RuntimeError):
    """Configurations failed; the message names each, its error, and its log."""


def sweep(
    function: Function,
    grid: Sequence[dict],
    folder: Path | str,
    workers: int = 2,
    threads: int = 1,
    minutes: float = math.inf,
    resumes: bool = False,
) -> list:
    """Return what ``function`` gives for every configuration, in the grid's order.

    Each call is a Python process of its own, which starts by importing the function's
    module. What is in ``folder`` already is not computed again: delete the files after
    a change of the function. Where ``joblib.parallel_config`` names a backend, such as
    Dask's, that one starts the processes; all its machines must see the folder.

    Args:
        function: takes a configuration and returns what JSON can hold, NumPy's numbers
            and arrays too. A function at the top of a module, or ``"module:name"``.
        grid: configurations, plain JSON: dictionaries by name of numbers, strings, True
            or False, None, lists and dictionaries.
        folder: for the results, and the logs of what failed.
        workers: how many processes at once.
        threads: what each of them computes with.
        minutes: after which this call ends. It begins nothing that, lasting as long as
            the longest before it, would not be ready by then, and stops what is not:
            None stands for those results, and the next call computes them.
        resumes: a call that was stopped goes on where it was when it is called again,
            so that any may begin while there are minutes left.

    Raises:
        SweepError: a configuration failed or its process was killed; all others are
            done and kept, and the next call tries again.
        RuntimeError: another sweep uses the folder.
        ValueError: an argument is not as above, a configuration stands there twice, or
            ``minutes`` are fewer than the longest call took.
    """
    name, grid = named(function), checked(grid)
    if min(workers, threads) < 1 or not minutes > 0:
        raise ValueError(
            "workers and threads must be at least 1, and minutes above 0, and are "
            f"{workers}, {threads} and {minutes}"
        )
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(folder / "lock", timeout=0):
            deadline = time.time() + 60 * minutes
            calls = Calls(name, folder, threads, deadline, resumes)
            failures = run_missing(calls, grid, workers, minutes)
    except filelock.Timeout as error:
        raise RuntimeError(
            f"another sweep uses {folder}: wait for its end, or name another folder"
        ) from error
    if failures:
        lines = "\n".join(f"{grid[place]}: {failures[place]}" for place in failures)
        raise SweepError(
            f"{len(failures)} of {len(grid)} configurations failed, and the others "
            f"are kept:\n{lines}"
        )
    return finished(name, grid, folder)


def finished(function: Function, grid: Sequence[dict], folder: Path | str) -> list:
    """Return what a sweep left in its folder by now, None where there is nothing."""
    name = named(function)
    records = [read(name, each, Path(folder)) for each in checked(grid)]
    return [record and record["result"] for record in records]


def named(function: Function) -> str:
    """Return "module:name", by which another process finds the function again.

    Raises:
        ValueError: it is not found so, as with a notebook's or a nested function.
    """
    if isinstance(function, str):
        module, _, name = function.partition(":")
    else:
        module = str(getattr(function, "__module__", None))
        name = str(getattr(function, "__qualname__", None))
    try:
        there = getattr(importlib.import_module(module), name)
        wrong = not (callable(there) and function in (there, f"{module}:{name}"))
        cause = None
    except (ImportError, AttributeError, ValueError) as error:
        wrong, cause = True, error
    if wrong or module == "__main__":
        raise ValueError(
            "a function must be one at the top of a module in a file, since other "
            f"processes import it, or 'module:name', and is {function!r}: move it to "
            "a .py file"
        ) from cause
    return f"{module}:{name}"


def checked(grid: Sequence[dict]) -> list[dict]:
    """Return the configurations; ValueError unless all are plain JSON, each once."""
    if isinstance(grid, dict | str) or not (grid := list(grid)):
        raise ValueError(f"a grid must be a list of configurations, and is {grid!r}")
    seen: dict[str, int] = {}
    for place, each in enumerate(grid):
        try:
            text = json.dumps(each, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError):
            text = "null"
        if not isinstance(each, dict) or json.loads(text) != each:
            raise ValueError(
                f"configuration {place} must be plain JSON, a dictionary of finite "
                f"numbers, strings, lists and the like, and is {each!r}: no tuples, no "
                "NumPy, no keys but strings"
            )
        if seen.setdefault(text, place) != place:
            raise ValueError(
                f"configurations {seen[text]} and {place} are the same, {each!r}: "
                "leave one out, or add a seed to tell them apart"
            )
    return grid


def place_of(name: str, configuration: dict, folder: Path) -> Path:
    """Return the file of a result, named by function and configuration."""
    text = json.dumps([name, configuration], sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode()).hexdigest()[:20]}.json"


def read(name: str, configuration: dict, folder: Path) -> dict | None:
    """Return a finished call's record, or None: there is none, or it is damaged."""
    path = place_of(name, configuration, folder)
    with suppress(FileNotFoundError, ValueError, KeyError, TypeError):
        record = json.loads(path.read_text(encoding="utf-8"))
        about = record["function"], record["configuration"]
        if about == (name, configuration) and {"result", "seconds"} <= record.keys():
            return record
    return None


def run_missing(
    calls: "Calls", grid: list[dict], workers: int, minutes: float
) -> dict[int, str]:
    """Compute what is not in the folder; return errors by place in the grid."""
    kept = [read(calls.name, each, calls.folder) for each in grid]
    todo = [place for place, record in enumerate(kept) if record is None]
    longest = max((record["seconds"] for record in kept if record), default=0.0)
    calls.longest = 0.0 if calls.resumes else longest
    if todo and calls.longest > 60 * minutes:
        raise ValueError(
            f"minutes are {minutes:g}, and the longest call so far took "
            f"{longest / 60:.1f}: nothing more would be ready, so allow more"
        )
    answers = joblib.Parallel(
        n_jobs=workers, prefer="threads", batch_size=1, return_as="generator_unordered"
    )(joblib.delayed(calls.run)(place, grid[place]) for place in todo)
    failures = {}
    try:
        with tqdm(total=len(grid), initial=len(grid) - len(todo), unit="run") as bar:
            for place, error, done in answers:
                bar.update(done)
                if error:
                    failures[place] = error
                    bar.set_postfix_str(f"{len(failures)} failed")
    finally:
        calls.stopped = True
    return dict(sorted(failures.items()))


class Calls:
    """Starts children and waits for them; a plain object, so that Dask can send it.

    Attributes:
        stopped: True has those of this process stop their children.
        longest: seconds that must be left to begin a call: of the longest one so far.
    """

    def __init__(
        self, name: str, folder: Path, threads: int, deadline: float, resumes: bool
    ):
        self.name, self.folder, self.threads = name, folder, threads
        self.deadline, self.resumes = deadline, resumes
        self.longest, self.stopped = 0.0, False
        self.path = [os.path.abspath(entry) for entry in sys.path]

    def run(self, place: int, configuration: dict) -> tuple[int, str, bool]:
        """Have a child compute; return the place, an error or "", and whether done."""
        start = time.time()
        path = place_of(self.name, configuration, self.folder)
        log = path.with_suffix(".log")
        if read(self.name, configuration, self.folder):  # by a worker that died since
            log.unlink(missing_ok=True)
            return place, "", True
        if self.stopped or start + self.longest > self.deadline:
            return place, "", False
        with log.open("wb") as file:
            child = self.start(configuration, path, file)
            with child:  # closes its stdin, without which it does not live
                while child.poll() is None and not self.overdue():
                    with suppress(subprocess.TimeoutExpired):
                        child.wait(LOOK)
                child.kill()
        if path.exists() and child.returncode == 0:
            if not self.resumes:
                self.longest = max(self.longest, time.time() - start)
            log.unlink(missing_ok=True)
            return place, "", True
        if self.overdue():
            log.unlink(missing_ok=True)
            return place, "", False
        return place, f"{reason(child.returncode, log)} (see {log})", False

    def overdue(self) -> bool:
        """Return whether it is time to end."""
        return self.stopped or time.time() > self.deadline

    def start(self, configuration: dict, path: Path, log) -> subprocess.Popen:
        """Start a child: a fresh Python, never a fork that goes on from here."""
        request = json.dumps([self.name, configuration, str(path)])
        module = "helpers.engine.child"
        threads = dict.fromkeys(THREADS, str(self.threads))
        known = {"PYTHONPATH": os.pathsep.join(self.path), "PYTHONUNBUFFERED": "1"}
        return subprocess.Popen(
            [sys.executable, "-m", module, request],
            env=os.environ | threads | known,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
        )


def reason(status: int, log: Path) -> str:
    """Return why a child failed: the signal that killed it, or its last line."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name} (no memory?)"
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else f"exit status {status}"
