"""One training in several processes, each with devices of its own: on JAX.

``keras.distribution.initialize`` joins the processes, and a ``DataParallel`` that is
set has them run each step as one program over the whole batch: the noise, the order of
the pictures and the mean gradient are those of one process. What is left to do here is
to give each process its rows, and to keep all of them to the same training.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

AT_ONCE = 1000  # pictures in a batch that is evaluated


class ProcessLostError(RuntimeError):
    """Another process of the training ended, or can't be reached any more."""


def count() -> int:
    """Return how many processes are joined: 1 on other backends than JAX."""
    if keras.backend.backend() != "jax":
        return 1
    import jax

    return jax.process_count()


def rank() -> int:
    """Return this process's number; the first, 0, reports and keeps backups."""
    if count() == 1:
        return 0
    import jax

    return jax.process_index()


def replicas() -> int:
    """Return how many devices a strategy of tf.distribute has; 1 without one."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def devices() -> int:
    """Return how many devices share a batch: 1 where nothing else is set."""
    if keras.backend.backend() != "jax":
        return replicas()
    distribution = keras.distribution.distribution()
    return 1 if distribution is None else distribution.device_mesh.devices.size


def own(rows: np.ndarray) -> np.ndarray:
    """Return this process's share of a batch's rows, the first process's first."""
    return np.split(rows, count())[rank()] if count() > 1 else rows


def evaluated(held_out: Any) -> dict:
    """Return ``fit``'s arguments by which this process evaluates its share."""
    if held_out is None:
        return {}
    rows = np.arange(len(keras.tree.flatten(held_out)[0]))
    whole = AT_ONCE // devices() * devices()  # a batch of all processes
    if count() > 1:
        batches = np.split(rows, range(whole, len(rows), whole))
        rows = np.concatenate([own(batch) for batch in batches])
        held_out = keras.tree.map_structure(lambda array: array[rows], held_out)
    pair = held_out, held_out
    return {"validation_data": pair, "validation_batch_size": whole // count()}


def check(batch_size: int, held_out: Any, jit: bool | str = "auto") -> None:
    """Raise ValueError unless the devices can share batches, and arrays or None."""
    if replicas() > 1 and jit is True:
        raise ValueError(
            "jit_compile is True, and XLA can't compile the step under a strategy of "
            'tf.distribute: leave it at "auto", or train on JAX by keras.distribution'
        )
    distribution = keras.distribution.distribution() if count() > 1 else None
    if count() > 1 and (
        not isinstance(distribution, keras.distribution.DataParallel)
        or distribution.auto_shard_dataset
    ):
        raise ValueError(
            f"{count()} processes are joined, and the distribution is {distribution}: "
            "before the model is built, call keras.distribution.set_distribution("
            "keras.distribution.DataParallel(auto_shard_dataset=False))"
        )
    sizes = {"batch_size": batch_size}
    if held_out is not None:
        sizes["the number of held_out"] = len(keras.tree.flatten(held_out)[0])
    for name, size in sizes.items():
        if size % devices():
            raise ValueError(
                f"{devices()} devices share every batch alike, and {name} is {size}: "
                f"make it a multiple, such as {max(1, size // devices()) * devices()}"
            )


def agree(about: dict) -> None:
    """Raise ValueError, in all processes, unless this says the same in all.

    JAX itself refuses weights and seeds that differ, when they are made.
    """
    from jax.experimental.multihost_utils import process_allgather

    said = {name: str(value) for name, value in about.items()}
    sums = [zlib.crc32(value.encode()) for value in said.values()]
    everywhere = process_allgather(np.array(sums, "uint32"))  # (processes, names)
    same = (everywhere == everywhere[:1]).all(axis=0)
    told = [
        f"{name}, {value} in process {rank()}"
        for (name, value), equal in zip(said.items(), same, strict=True)
        if not equal
    ]
    if told:
        raise ValueError(
            f"the processes differ in {'; '.join(told)}: give all of them the same call"
        )


@contextmanager
def together(about: dict, backup: object) -> Iterator[None]:
    """A context in which processes train one model, if there are several.

    All of them must give the training a ``backup``, or none.

    Raises:
        ValueError: their trainings are not about the same.
        ProcessLostError: another process ended, or can't be reached any more.
    """
    if count() == 1:
        yield
        return
    import jax

    try:
        agree(about | {"having a backup": backup is not None})
        yield
    except jax.errors.JaxRuntimeError as error:
        if str(error).startswith("RESOURCE_EXHAUSTED"):  # its own memory
            raise
        raise ProcessLostError(
            f"process {rank()} of {count()} lost another one, which ended or can't be "
            "reached: see what that one said last. Start all of them again; with "
            "backup= they go on after the last round that was finished"
        ) from error


def from_first(content: bytes) -> bytes:
    """Return what the first process has, in all of them; less than 4 GiB."""
    if count() == 1:
        return content
    from jax.experimental.multihost_utils import broadcast_one_to_all

    length = int(broadcast_one_to_all(np.uint32(len(content))))
    here = np.frombuffer(content, "uint8") if rank() == 0 else np.zeros(length, "uint8")
    return broadcast_one_to_all(here).tobytes()
