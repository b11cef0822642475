"""Long trainings: steps that XLA compiles together, kept in a file to go on from."""

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from keras import ops

from helpers.engine import files, stateless
from helpers.training import DivergedError

EACH = 30.0  # seconds between two states kept


class Steps:
    """A training in steps, which goes on from its file if there is one.

    It ends at the same weights, bit for bit, whether it was stopped or not, since the
    noise of a step comes from the step's number alone.

    Args:
        step: changes variables; takes the step's number, a scalar of int32, from 0.
        variables: all that it changes.
        file: where they are kept, with what has been counted and measured.
        together: how many steps XLA compiles as one.
        known: variables that it reads alone, such as data.

    Attributes:
        done: steps.
        seconds, processor_seconds: that they took, compilation included; the second of
            all threads together.
        rows: what was measured on the way, for the caller to fill.
    """

    def __init__(
        self,
        step: Callable,
        variables: list,
        file: Path,
        together: int = 50,
        known: Sequence = (),
    ):
        self.variables, self.file, self.together = list(variables), file, together
        self.done, self.seconds, self.processor_seconds = 0, 0.0, 0.0
        self.rows: list[dict] = []
        self.several = stateless.repeated(step, self.variables, together, known)
        if file.exists():
            self.restore()

    def go_to(self, end: int) -> None:
        """Take steps until ``end`` are done, or the next multiple of ``together``.

        Raises:
            DivergedError: a variable is not finite.
        """
        last = time.monotonic()
        while self.done < end:
            start, work = time.perf_counter(), time.process_time()
            self.several(self.done)
            self.seconds += time.perf_counter() - start
            self.processor_seconds += time.process_time() - work
            self.done += self.together
            if time.monotonic() - last > EACH:
                self.keep()
                last = time.monotonic()

    def keep(self) -> None:
        """Write the state, if it is sound."""
        arrays = [ops.convert_to_numpy(variable) for variable in self.variables]
        if not all(np.isfinite(array).all() for array in arrays):
            raise DivergedError(f"a weight is nan or infinite at step {self.done}")
        names = ("done", "seconds", "processor_seconds", "rows")
        progress = json.dumps({name: getattr(self, name) for name in names})
        with files.whole(self.file) as file:
            np.savez(file, *arrays, progress=progress)

    def restore(self) -> None:
        """Take up the state that was kept."""
        with np.load(self.file) as archive:
            for name, value in json.loads(archive["progress"].item()).items():
                setattr(self, name, value)
            for place, variable in enumerate(self.variables):
                variable.assign(archive[f"arr_{place}"])
