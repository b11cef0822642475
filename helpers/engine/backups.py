"""Keep the state of a training after every round, so that it goes on after an interruption."""

import hashlib
import io
import json
import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

import keras
import numpy as np
import tensorflow as tf

from helpers.engine import files

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


class Backup(keras.callbacks.Callback):
    """Keep all that a training needs to go on, in one file of a folder, until the
    training ends.

    A context, in which no other training can use the folder: on entering it finds what
        an
    interrupted training left, and as a callback of ``fit`` it gives that to the model.
    Kept are all variables of the model (weights, counters, the streams of its
    ``SeedGenerator``) and of the optimiser, the figures so far, and TensorFlow's global
    seed, which ``shuffle`` depends on. A training that ends, or diverges, leaves
    nothing.

    Args:
        folder: where; None keeps nothing.
        about: what the training is, name to value; a backup about anything else is
            refused.

    Attributes:
        rounds: how many are done.
        history: figure to one value a round.
        seconds: how long the rounds took.

    Raises:
        RuntimeError: another training uses the folder.
        ValueError: the folder holds the backup of another training.
    """

    def __init__(self, folder: Path | None, about: dict):
        super().__init__()
        self.file = None if folder is None else Path(folder) / "training.backup"
        self.about = {name: str(value) for name, value in about.items()}
        self.rounds, self.history, self.seconds, self.arrays = 0, {}, 0.0, None

    def __enter__(self):
        if self.file is not None:
            self.lock = locked(self.file.with_name("lock"))
            try:
                self.read()
            except BaseException:
                self.lock.close()
                raise
        self.start = time.perf_counter() - self.seconds
        return self

    def __exit__(self, kind, error, traceback):
        if self.file is not None:
            if isinstance(error, ArithmeticError):  # it would diverge again
                self.file.unlink(missing_ok=True)
            if os.name == "nt":  # where an open file can't be removed
                self.lock.close()
            with suppress(OSError):
                if not self.file.exists():
                    self.file.with_name("lock").unlink()
                    self.file.parent.rmdir()  # unless there is anything else in it
            self.lock.close()

    def read(self) -> None:
        """Take up what an interrupted training left; a damaged file is reported and removed."""
        files.remove_unfinished(self.file.parent, older_than=0)
        if not self.file.exists():
            return
        digest, content = np.split(np.fromfile(self.file, np.uint8), [32])
        if hashlib.sha256(content).digest() != digest.tobytes():
            print(
                f"The backup {self.file} is damaged, and removed: training starts anew."
            )
            self.file.unlink()
            return
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
        kept = json.loads(arrays.pop("progress").item())
        self.refuse_others(kept["about"], self.about)
        self.rounds, self.history, self.seconds = (
            kept["rounds"],
            kept["history"],
            kept["seconds"],
        )
        self.arrays = arrays
        if kept["global_seed"] != global_seed():
            tf.random.set_seed(kept["global_seed"])

    def refuse_others(self, kept: dict, given: dict) -> None:
        """Raise ValueError unless both say the same."""
        names = [
            name for name in {**kept, **given} if kept.get(name) != given.get(name)
        ]
        if names:
            name = names[0]
            raise ValueError(
                f"the backup in {self.file.parent} must be of this training, and is of another: "
                f"{name} is {kept.get(name)} there and {given.get(name)} here. Give this training "
                "another folder or, to start anew, delete that one"
            )

    def variables(self) -> dict:
        """Return the variables of model and optimiser by position and name."""
        optimizer = self.model.optimizer
        if not optimizer.built:
            optimizer.build(self.model.trainable_variables)
        variables = enumerate([*self.model.variables, *optimizer.variables])
        # Keras numbers layers in a process: sampling, sampling_1, ...
        return {f"{i:04d} {re.sub(r'_[0-9]+', '', v.path)}": v for i, v in variables}

    def on_train_begin(self, logs=None):
        if self.arrays is None:
            return
        variables = self.variables()
        shapes = [
            {
                f"variable {name}": str(tuple(array.shape))
                for name, array in arrays.items()
            }
            for arrays in (self.arrays, variables)
        ]
        self.refuse_others(*shapes)
        for name, variable in variables.items():
            variable.assign(self.arrays[name])
        self.arrays = None

    def on_epoch_end(self, epoch, logs=None):
        self.rounds = epoch + 1
        self.seconds = time.perf_counter() - self.start
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.file is not None:
            self.write()

    def write(self) -> None:
        """Write the file anew."""
        names = ("about", "rounds", "history", "seconds")
        progress = {name: getattr(self, name) for name in names} | {
            "global_seed": global_seed()
        }
        arrays = {name: v.value.numpy() for name, v in self.variables().items()}
        content = io.BytesIO()
        np.savez(content, progress=json.dumps(progress, default=float), **arrays)
        with files.whole(self.file) as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())

    def on_train_end(self, logs=None):
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def global_seed() -> int:
    """Return TensorFlow's global seed, or what stands for it where none is set."""
    return tf.compat.v1.get_seed(0)[0]


def locked(path: Path) -> IO:
    """Return the file, open and locked until it is closed or the process ends, however
    it ends.

    Raises:
        RuntimeError: it is locked already.
    """
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
        if not lock(file):
            file.close()
            raise RuntimeError(
                f"another training keeps its backup in {path.parent}: wait for its end, or give "
                "this one another folder"
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # its owner removed it after we had opened it


def lock(file: IO) -> bool:
    """Lock an open file; return whether it could be."""
    if fcntl is None:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks, such as some network drives
    return True
