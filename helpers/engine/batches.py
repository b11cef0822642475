"""Look at the first batches on their way to Keras, whatever brings them."""

import itertools
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from helpers.engine.checked import ContentError

FIRST = 2  # batches that are looked at: later ones would cost time, and err alike


class Watch:
    """A context in which ``check`` sees the first batches of a data set.

    The batches themselves, their order and their number stay as they are. What
    ``check`` raises inside TensorFlow's own threads is raised again on leaving.

    Args:
        check: a function of one batch as Keras gets it: x, (x,), (x, y) or
            (x, y, sample_weight), of arrays.
    """

    def __init__(self, check: Callable[[Any], object]):
        self.check: Callable[[Any], object] | None = check
        self.error: Exception | None = None

    def __enter__(self) -> "Watch":
        return self

    def __exit__(self, kind, error, traceback) -> None:
        found, self.error = self.error, None
        self.check = None  # TensorFlow never lets go of `look`
        if None not in (found, error) and error is not found:
            raise found from None

    def over(self, batches: Any) -> Any:
        """Return a tf.data.Dataset, generator or other source of batches, watched."""
        tf = sys.modules.get("tensorflow")
        if tf is not None and isinstance(batches, tf.data.Dataset):
            return self.over_dataset(tf, batches)
        if isinstance(batches, Iterator):
            return self.over_iterator(batches)
        if hasattr(batches, "__getitem__"):  # a PyDataset
            self.look(batches[0])
        elif hasattr(batches, "__iter__"):  # PyTorch's DataLoader
            with suppress(StopIteration):
                self.look(next(iter(batches)))
        return batches

    def look(self, batch: Any) -> bool:
        """Check a batch, and keep the error."""
        try:
            if self.check is not None:
                self.check(batch)
        except Exception as error:
            self.error = error
            raise
        return True

    def over_iterator(self, batches: Iterator) -> Iterator:
        """Yield the batches; a generator, as Keras asks."""
        first = list(itertools.islice(batches, 1))
        for batch in first:
            self.look(batch)
        return (batch for batch in itertools.chain(first, batches))

    def look_at_zeros(self, tf: Any, dataset: Any) -> None:
        """Check a batch of zeros of the declared shapes: before the step is traced."""

        def zeros(spec):
            shape = [1 if size is None else size for size in spec.shape[:1]]
            return np.zeros([*shape, *spec.shape[1:]], spec.dtype.as_numpy_dtype)

        specs = tf.nest.flatten(dataset.element_spec)
        known = all(
            isinstance(spec, tf.TensorSpec)
            and spec.shape.rank is not None
            and None not in spec.shape[1:].as_list()
            for spec in specs
        )
        if known and self.check is not None:
            with suppress(ContentError):
                self.check(tf.nest.map_structure(zeros, dataset.element_spec))

    def over_dataset(self, tf: Any, dataset: Any) -> Any:
        """Return the data set; a second pass over it might give other batches."""

        self.look_at_zeros(tf, dataset)

        def pass_on(index, batch):
            parts = tf.nest.flatten(batch)
            given = [part is not None for part in parts]
            frame = tf.nest.map_structure(lambda _: 0, batch)

            def look(*arrays):
                rest = iter(arrays)
                filled = [next(rest) if there else None for there in given]
                return self.look(tf.nest.pack_sequence_as(frame, filled))

            tensors = list(itertools.compress(parts, given))
            seen = tf.cond(
                index < FIRST,
                lambda: tf.numpy_function(look, tensors, tf.bool),
                lambda: True,
            )
            with tf.control_dependencies([seen]):
                passed = map(tf.identity, tensors)
                filled = [next(passed) if there else None for there in given]
            return tf.nest.pack_sequence_as(frame, filled)

        return dataset.enumerate().map(pass_on)
