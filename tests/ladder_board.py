"""The board: nats against seconds of training, on binary MNIST.

python tests/benchmark.py ladder                       prints the table, from the logs
python tests/benchmark.py ladder ENTRY --minutes 3     trains an entry here

An entry is a file in ``tests/board``: a docstring whose first line says what it is, and
a function that trains for as long as it is asked to, whatever it is made of:

    def train(task):
        ...
        while True:
            ...  # steps, for a second or two
            yield steps, log_weights, kept

``task.grey`` are the training digits, (50,000, 784) in [0, 1], to be tossed anew;
``task.validation`` binary ones, to choose by if something is to be chosen;
``task.seed`` a number; ``task.done`` the share of the time that is over, from 0 to 1,
by which a rate may fall. ``steps`` counts from ``task.steps`` on.
``log_weights(x, samples, seed)`` returns ln p(x, z) - ln q(z|x) of binary digits x
(n, 784) at ``samples`` draws of z, (samples, n). ``kept`` are variables or arrays that
an entry which was stopped gets as ``task.kept``, to go on from (none: it begins again).

Everything else is the same for all: the digits, of which an entry never gets those of
the test; the clock, which runs while an entry trains and compiles, and stands while it
is measured; and the estimate of -ln p(x), by importance sampling, of the same 1,000
random test digits: with ``CODES`` codes each at the end, ``FEWER`` at marks on the way.
Fewer codes give a larger NLL, in the mean. The log, a CSV beside the entry, has a row
for each.
"""

import argparse
import importlib.util
import inspect
import json
import math
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import board_logs
import numpy as np
from board_logs import EntryError
from keras import ops
from scipy.special import logsumexp

from helpers.engine import files, paths, stateless
from helpers.engine.studies import ladder

CODES, FEWER = 5000, 500  # for each digit, at the end and at marks
MARKS, ROWS = 10, 10_000  # marks in the time; codes measured at a time
EACH = 30.0  # seconds between two states kept


@dataclass
class Task:
    """What an entry is given; see above."""

    grey: np.ndarray
    validation: np.ndarray
    seed: int = 0
    done: float = 0.0
    steps: int = 0
    kept: list[np.ndarray] = field(default_factory=list)


@dataclass
class Clock:
    """The seconds that an entry has trained for, of those it has.

    Attributes:
        limit: the seconds it has.
        seconds, processor_seconds: it took; the second of all threads together.
        first: the seconds of first pieces, in which it compiled.
        pieces: of training, the first ones not counted.
    """

    limit: float
    seconds: float = 0.0
    processor_seconds: float = 0.0
    first: float = 0.0
    pieces: int = 0

    def timed(self, function: Callable, first: bool):
        """Return what a function returns, and count the time that it takes."""
        wall, work = time.perf_counter(), time.process_time()
        value = function()
        piece = time.perf_counter() - wall
        self.seconds += piece
        self.processor_seconds += time.process_time() - work
        self.first += piece if first else 0.0
        self.pieces += not first
        return value

    @property
    def done(self) -> float:
        """The share of the time that is over: 1 if no other piece would fit."""
        after = self.seconds - self.first
        left = self.limit - self.first - after / max(1, self.pieces)
        return min(1.0, after / left) if left > 0 else 1.0


def entry(name: str) -> ModuleType:
    """Return an entry's module, if it is one.

    Raises:
        EntryError: there is none of that name, or it lacks something.
    """
    path = board_logs.FOLDER / f"{name}.py"
    if not path.exists():
        raise EntryError(
            f"no entry is called {name}: they are {', '.join(board_logs.names())}"
        )
    found = importlib.util.spec_from_file_location(f"board_{name}", path)
    module = importlib.util.module_from_spec(found)
    try:
        found.loader.exec_module(module)
    except Exception as error:
        raise EntryError(f"it can't be imported: {error!r}") from error
    if not (module.__doc__ or "").strip():
        raise EntryError("it has no docstring: say on its first line what it is")
    if not inspect.isgeneratorfunction(getattr(module, "train", None)):
        raise EntryError("it has no function train(task) that yields")
    return module


def checked(point: object, steps: int) -> tuple[int, Callable, Sequence]:
    """Return what an entry yielded, if it is as it should be.

    Args:
        steps: that it said it had taken before.

    Raises:
        EntryError: it is not; the message says what it is.
    """
    if not isinstance(point, tuple) or len(point) != 3:
        raise EntryError(f"yield (steps, log_weights, kept), not {point!r:.80}")
    taken, log_weights, kept = point
    if not isinstance(taken, int) or taken <= steps:
        raise EntryError(f"steps are to be counted up from {steps}, and are {taken!r}")
    if not callable(log_weights):
        raise EntryError(
            "the second that is yielded is to be a function log_weights(x, samples, "
            f"seed), and is {log_weights!r:.80}"
        )
    return taken, log_weights, list(kept)


def log_likelihoods(log_weights: Callable, x: np.ndarray, samples: int) -> np.ndarray:
    """Return ln p(x) of binary digits (n, D) by importance sampling, (n,), in nats.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.

    Raises:
        EntryError: the log weights are not of the shape (samples, n), one is nan or
            infinite, or they promise probabilities above 1.
    """
    size, each = max(1, ROWS // samples), []
    for place in range(0, len(x), size):
        some = x[place : place + size]
        found = ops.convert_to_numpy(log_weights(some, samples, place))
        if found.shape != (samples, len(some)):
            raise EntryError(
                f"log_weights of {len(some)} digits and {samples} samples must have "
                f"the shape ({samples}, {len(some)}), and have {found.shape}"
            )
        if not np.isfinite(found).all():
            raise EntryError("a log weight is nan or infinite: has it diverged?")
        each.append(logsumexp(found.astype("float64"), axis=0) - math.log(samples))
    likelihoods = np.concatenate(each)
    if likelihoods.mean() > 0:
        mean = likelihoods.mean()
        raise EntryError(
            f"ln p(x) of binary digits can't be above 0, and is {mean:.2f}"
        )
    return likelihoods


def measured(log_weights: Callable, x: np.ndarray, samples: int) -> dict:
    """Return NLL of digits, its standard error over them, and how it was measured."""
    each = log_likelihoods(log_weights, x, samples)
    error = each.std(ddof=1) / math.sqrt(len(each))
    found = {"nll": float(-each.mean()), "nll_error": float(error)}
    return {"codes": samples, "digits": len(x), **found}


class Attempt:
    """One training of an entry, which goes on from the file that it keeps."""

    def __init__(self, name: str, minutes: float, seed: int, digits: dict):
        self.module, self.digits = entry(name), digits
        self.file = paths.build_folder() / "board" / f"{name}_{minutes:g}_{seed}.npz"
        self.clock, self.rows, self.started = Clock(60 * minutes), [], False
        self.task = Task(digits["grey"], digits["validation"], seed)
        self.saved = time.monotonic()
        if self.file.exists():
            self.restore()

    def restore(self) -> None:
        """Take up what was kept."""
        with np.load(self.file) as archive:
            arrays = [archive[f"arr_{i}"] for i in range(len(archive.files) - 1)]
            clock, rows, steps = json.loads(archive["progress"].item())
        if arrays:
            self.clock, self.rows = Clock(**clock), rows
            self.task.kept, self.task.steps = arrays, steps
            self.task.done = self.clock.done

    def keep(self, kept: Sequence) -> None:
        """Write what an entry goes on from."""
        arrays = [ops.convert_to_numpy(each) for each in kept]
        progress = json.dumps([vars(self.clock), self.rows, self.task.steps])
        with files.whole(self.file) as file:
            np.savez(file, *arrays, progress=progress)
        self.saved = time.monotonic()

    def points(self) -> Iterator[tuple[Callable, Sequence]]:
        """Yield log weights and what to keep, while there is time, and at the end.

        Where only the last measurement is lacking, the entry trains for one piece more.
        """
        training = self.module.train(self.task)
        if self.task.done == 1:
            yield checked(next(training), self.task.steps)[1:]
            return
        for number in range(sys.maxsize):
            point = self.clock.timed(lambda: next(training, None), number == 0)
            if point is None:
                break
            last = checked(point, self.task.steps)
            self.task.steps, self.task.done = last[0], self.clock.done
            if self.task.done == 1:
                break
            yield last[1:]
        training.close()
        if point is None and not number:
            raise EntryError("its train yielded nothing")
        self.task.done = 1.0
        yield last[1:]

    def go(self, codes: int, tell: Callable[[dict], None]) -> list[dict]:
        """Train to the end of the time; return the rows of the log."""
        if self.rows:
            print(f"goes on after {self.clock.seconds:.0f} s")
        for log_weights, kept in self.points():
            over = self.task.done == 1
            due = over or self.task.done * MARKS >= len(self.rows) + 1
            if over or due or time.monotonic() - self.saved > EACH:
                self.keep(kept)
            if due:
                self.rows.append(self.row(log_weights, codes if over else FEWER))
                tell(self.rows[-1])
        return self.rows

    def row(self, log_weights: Callable, codes: int) -> dict:
        """Return a row of the log, but for what all rows of a run share."""
        known = {"steps": self.task.steps, "seconds": self.clock.seconds}
        known |= {"processor_seconds": self.clock.processor_seconds}
        return known | measured(log_weights, self.digits["test"], codes)


def machine() -> str:
    """Return what computes; of a processor its cores and its name."""
    told = stateless.machine()
    if "core" not in told:
        return told
    info = Path("/proc/cpuinfo")
    text = info.read_text(encoding="utf-8") if info.exists() else ""
    model = re.search(r"^model name\s*: (.*)", text, re.MULTILINE)
    return f"{told}, {model.group(1) if model else platform.processor()}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or train an entry and write its log; return the exit status."""
    prog = "python tests/benchmark.py ladder"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__.splitlines()[0])
    parser.add_argument("entry", nargs="?", help=", ".join(board_logs.names()))
    parser.add_argument("--minutes", type=float, default=3.0, help="of training: 3")
    parser.add_argument("--seed", type=int, default=0)
    about = f"per test digit at the end: {CODES}"
    parser.add_argument("--codes", type=int, default=CODES, help=about)
    about = "write the table into README.md"
    parser.add_argument("--readme", action="store_true", help=about)
    given = parser.parse_args(arguments)
    try:
        if given.entry:
            train(given.entry, given.minutes, given.seed, given.codes)
        print(board_logs.as_text(board_logs.table()))
        if given.readme:
            board_logs.write_readme()
    except EntryError as error:
        print(f"{given.entry or 'board'}: {error}", file=sys.stderr)
        return 1
    return 0


def train(name: str, minutes: float, seed: int, codes: int) -> None:
    """Train an entry for some minutes, or go on with that, and write its log."""
    print(f"{name}: {entry(name).__doc__.splitlines()[0]}")
    attempt = Attempt(name, minutes, seed, ladder.binary_digits())

    def tell(row):
        print(
            f"{row['seconds']:6.0f} s, step {row['steps']:,}: NLL {row['nll']:.2f} ± "
            f"{row['nll_error']:.2f} nats, K = {row['codes']:,}",
            flush=True,
        )

    rows = attempt.go(codes, tell)
    run = {"minutes": minutes, "seed": seed, "machine": machine()}
    board_logs.write(name, run, rows)
    attempt.file.unlink(missing_ok=True)
