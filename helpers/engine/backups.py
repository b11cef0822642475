"""The state of a training, kept after every round so that it can go on."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import hashlib
import io
import json
import re
import time
from contextlib import suppress
from pathlib import Path

import filelock
import keras
import numpy as np

from helpers.engine import files, processes


class Backup(keras.callbacks.Callback):
    """Keep in a folder what a training needs to go on, bit for bit, until it ends.

    Keras's ``BackupAndRestore`` keeps too little for that: not the history, the order
    of the pictures, the streams of noise nor TensorFlow's global seed.

    A context, in which no other training can use the folder: on entering it finds what
    an interrupted training left, and as a callback of ``fit`` it gives that to the
    model. A training that ends, or diverges, leaves nothing. Of several processes the
    first alone reads and writes, and tells the others what it read.

    Args:
        folder: where; None keeps nothing.
        about: what the training is, name to value.

    Attributes:
        rounds: how many are done.
        history: figure to one value per round.
        seconds: how long the rounds took.

    Raises:
        RuntimeError: another training uses the folder.
        ValueError: the folder holds the backup of a training about anything else.
    """

    def __init__(self, folder: Path | None, about: dict):
        super().__init__()
        self.folder = None if folder is None else Path(folder)
        first = self.folder is not None and processes.rank() == 0
        self.file = self.folder / "training.backup" if first else None
        self.about = {name: str(value) for name, value in about.items()}
        self.rounds, self.history, self.seconds, self.arrays = 0, {}, 0.0, None

    def __enter__(self):
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.lock = filelock.FileLock(self.file.with_name("lock"), timeout=0)
            try:
                self.lock.acquire()
                self.take_up(self.read())
            except filelock.Timeout as error:
                raise RuntimeError(
                    f"another training keeps its backup in {self.file.parent}: wait "
                    "for its end, or give this one another folder"
                ) from error
            except BaseException:
                self.lock.release()
                raise
        elif self.folder is not None:
            self.take_up(b"")
        self.start = time.perf_counter() - self.seconds
        return self

    def __exit__(self, kind, error, traceback):
        if self.file is None:
            return
        if isinstance(error, ArithmeticError):  # it would diverge again
            self.file.unlink(missing_ok=True)
        if not self.file.exists():
            with suppress(OSError):  # on Windows, where releasing it does that
                self.file.with_name("lock").unlink()
        self.lock.release()
        with suppress(OSError):
            self.file.parent.rmdir()  # unless there is anything else in it

    def read(self) -> bytes:
        """Return what an interrupted training left; remove it if it is damaged."""
        files.remove_unfinished(self.file.parent, older_than=0)
        if not self.file.exists():
            return b""
        content = self.file.read_bytes()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            return content[32:]
        print(f"The backup {self.file} is damaged, and removed.")
        self.file.unlink()
        return b""

    def take_up(self, content: bytes) -> None:
        """Go on from what was read, the first process's in all of them."""
        content = processes.from_first(content)
        if not content:
            return
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = dict(archive)
        kept = json.loads(arrays.pop("progress").item())
        self.refuse_others(kept["about"], self.about)
        self.rounds, self.history = kept["rounds"], kept["history"]
        self.seconds, self.arrays = kept["seconds"], arrays
        if kept["global_seed"] != global_seed():
            set_global_seed(kept["global_seed"])

    def refuse_others(self, kept: dict, given: dict) -> None:
        """Raise ValueError unless both say the same."""
        for name in kept | given:
            if kept.get(name) != given.get(name):
                raise ValueError(
                    f"the backup in {self.folder} is of another training: {name} "
                    f"is {kept.get(name)} there and {given.get(name)} here. Give this "
                    "training another folder or, to start anew, delete that one"
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
        shapes = (
            {f"variable {name}": tuple(array.shape) for name, array in arrays.items()}
            for arrays in (self.arrays, variables)
        )
        self.refuse_others(*shapes)
        for name, variable in variables.items():
            variable.assign(self.arrays[name])
        self.arrays = None

    def on_epoch_end(self, epoch, logs=None):
        self.rounds = epoch + 1
        self.seconds = time.perf_counter() - self.start
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        if self.file is None:
            return
        names = ("about", "rounds", "history", "seconds")
        progress = {name: getattr(self, name) for name in names}
        progress["global_seed"] = global_seed()
        arrays = {
            name: keras.ops.convert_to_numpy(variable)
            for name, variable in self.variables().items()
        }
        content = io.BytesIO()
        np.savez(content, progress=json.dumps(progress, default=float), **arrays)
        with files.whole(self.file) as file:
            file.write(hashlib.sha256(content.getbuffer()).digest())
            file.write(content.getbuffer())

    def on_train_end(self, logs=None):
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def global_seed() -> int | None:
    """Return TensorFlow's global seed, or what stands for it where none is set."""
    if keras.backend.backend() != "tensorflow":
        return None  # JAX has none, and Keras's own seeds are variables of the model
    import tensorflow as tf

    return tf.compat.v1.get_seed(0)[0]


def set_global_seed(seed: int) -> None:
    """Set TensorFlow's global seed."""
    import tensorflow as tf

    tf.random.set_seed(seed)
