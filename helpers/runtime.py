"""Where the course stands and may write, how much it may compute, a quiet start of TensorFlow."""

import contextlib
import functools
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUDGETS = ("full", "quick")


def budget() -> str:
    """Return ``"full"`` or ``"quick"``, as the variable ``VAE_COURSE_BUDGET`` says (default full).

    Raises:
        ValueError: the variable holds anything else.
    """
    name = os.environ.get("VAE_COURSE_BUDGET", "full")
    if name not in BUDGETS:
        raise ValueError(f"VAE_COURSE_BUDGET must be one of {BUDGETS}, and is {name!r}")
    return name


def by_budget(full: int, quick: int) -> int:
    """Return the number of steps or images that the current budget allows."""
    return {"full": full, "quick": quick}[budget()]


def build_folder(folder: Path = ROOT / "build") -> Path:
    """Return the folder for what a run leaves behind: ``build/``, made if it is missing.

    Where it can't be written, as in a read-only checkout, that is a temporary folder, the same one
    for the whole process, and a message says so.
    """
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        print(f"{folder.name}/ can't be written ({error.strerror}); files go to {spare_folder()}")
        return spare_folder()


@functools.cache
def spare_folder() -> Path:
    """Return a temporary folder, made on the first call."""
    return Path(tempfile.mkdtemp(prefix="vae-course-"))


@contextlib.contextmanager
def silenced_stderr() -> Iterator[None]:
    """Point the process's file descriptor 2 at the null device.

    TensorFlow's C++ code logs there directly; neither Python's logging nor
    ``TF_CPP_MIN_LOG_LEVEL`` stops it.
    """
    sys.stderr.flush()
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def import_tensorflow_quietly() -> None:
    """Import TensorFlow and start its devices, without the log lines that both print."""
    with silenced_stderr():
        import tensorflow as tf

        tf.constant(0)
    tf.get_logger().setLevel("ERROR")  # many small models make it warn of retracing


@functools.cache
def start_xla() -> None:
    """Start TensorFlow's compiler XLA, without the log lines of its first two programs."""
    import tensorflow as tf

    with silenced_stderr():
        zero = tf.zeros(1)
        tf.function(tf.nn.sigmoid_cross_entropy_with_logits, jit_compile=True)(zero, zero)


if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
    import_tensorflow_quietly()
