"""Endless batches for a training, shuffled by a seed, on any backend."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import itertools
import operator
import weakref
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from helpers.engine import processes


def endless_batches(
    x: np.ndarray | tuple[np.ndarray, ...],
    targets: np.ndarray | None,
    batch_size: int,
    seed: int,
    skip: int = 0,
) -> Any:
    """Return batches of (x, targets) without end, shuffled by ``seed`` in every pass.

    The first ``skip`` batches are left out, without a look at their pictures. Without
    targets the pictures are their own; a tuple's arrays, such as pictures and labels,
    stay beside each other. A ``tf.data.Dataset`` on TensorFlow, and a generator of
    NumPy's arrays, in another order, on other backends, which need no TensorFlow. Of
    several processes each gets its own share of every batch.

    Raises:
        ValueError: pictures, labels or targets are not as many.
    """
    given = (x,) if targets is None else (x, targets)
    counts = [len(array) for array in keras.tree.flatten(given)]
    if len(set(counts)) > 1:
        raise ValueError(f"arrays must be as many, and are {counts}")
    if keras.backend.backend() == "tensorflow":
        return tensorflow_batches(given, counts[0], batch_size, seed, skip)
    return numpy_batches(given, counts[0], batch_size, seed, skip)


def tensorflow_batches(
    given: tuple, count: int, batch_size: int, seed: int, skip: int
) -> Any:
    """Return a dataset of endless batches; NumPy picks the pictures.

    Made a tensor, the whole array would stand in memory three times.
    """
    import tensorflow as tf

    arrays = [np.asarray(array) for array in tf.nest.flatten(given)]
    types = [array.dtype for array in arrays]
    order = tf.data.Dataset.range(count).shuffle(count, seed=seed).repeat()

    def choose(chosen):
        batch = tf.numpy_function(
            lambda rows: [a[rows] for a in arrays], [chosen], types
        )
        for tensor, array in zip(batch, arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        batch = tf.nest.pack_sequence_as(given, batch)
        return batch[0], batch[-1]

    chosen = order.batch(batch_size).skip(skip)
    batches = chosen.map(choose).prefetch(tf.data.AUTOTUNE)
    weakref.finalize(batches, arrays.clear)  # TensorFlow never lets go of `choose`
    return batches


def numpy_batches(
    given: tuple, count: int, batch_size: int, seed: int, skip: int
) -> Iterator[tuple]:
    """Yield endless batches, also across the end of a pass, as ``Dataset.batch``."""
    rng = np.random.default_rng(seed)
    rows = np.empty(0, int)
    for index in itertools.count():
        while len(rows) < batch_size:
            rows = np.concatenate([rows, rng.permutation(count)])
        now, rows = rows[:batch_size], rows[batch_size:]
        if index >= skip:
            chosen = operator.itemgetter(processes.own(now))
            batch = keras.tree.map_structure(chosen, given)
            yield batch[0], batch[-1]
