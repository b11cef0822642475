"""A quiet start of TensorFlow: importing this starts it without its log lines."""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator


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


def start_tensorflow() -> None:
    """Import TensorFlow and start its devices, without the log lines of both."""
    with silenced_stderr():
        import tensorflow as tf

        tf.constant(0)


def silence_retracing() -> None:
    """Keep TensorFlow from warning that many small models are traced."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")


@functools.cache
def start_xla() -> None:
    """Start TensorFlow's compiler XLA, without the log lines of its first programs."""
    import tensorflow as tf

    with silenced_stderr():
        zero = tf.zeros(1)
        tf.function(tf.nn.sigmoid_cross_entropy_with_logits, jit_compile=True)(
            zero, zero
        )


if os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow":
    start_tensorflow()
