"""Importing this starts TensorFlow quietly, where that is the backend."""

import contextlib
import functools
import gc
import os
import sys
from collections.abc import Iterator

from helpers.engine.budgets import budget

ON_TENSORFLOW = os.environ.get("KERAS_BACKEND", "tensorflow") == "tensorflow"


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


def silence_retracing() -> None:
    """Keep TensorFlow from warning that many small models are traced."""
    if ON_TENSORFLOW:
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")


@functools.cache
def start_xla() -> None:
    """Start TensorFlow's compiler XLA, without the log lines of its first programs.

    Other backends need no start.
    """
    if not ON_TENSORFLOW:
        return
    import tensorflow as tf

    with silenced_stderr():
        zero = tf.zeros(1)
        loss = tf.nn.sigmoid_cross_entropy_with_logits
        tf.function(loss, jit_compile=True)(zero, zero)


def share_kernels_of_variables() -> None:
    """Let variables of one shape share the kernel that makes them.

    TensorFlow tells it each one's name, for debugging, and makes another for each new
    name: a millisecond for every weight, and for both of its moments in Adam.
    """
    with contextlib.suppress(ImportError, AttributeError):  # in another version
        from tensorflow.python.ops import gen_resource_variable_ops as operations

        made = operations.var_handle_op

        def nameless(*args, debug_name="", **options):
            return made(*args, **options)

        operations.var_handle_op = nameless


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Import what stays: a million objects that no collection of garbage looks at.

    It would look at them again and again while they come: up to a third of the import.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


if ON_TENSORFLOW:
    with silenced_stderr(), uncollected():
        import tensorflow

        if budget() != "full":  # many small models
            share_kernels_of_variables()
        tensorflow.constant(0)  # its devices start too
