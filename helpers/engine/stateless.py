"""Noise, gradients and compiled functions that TensorFlow and JAX share.

All noise comes from ``seeds``, two numbers, (2,): the same seeds, the same noise, on
one backend.
"""

import os
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from helpers.engine.quiet_start import ON_TENSORFLOW, start_xla

if ON_TENSORFLOW:
    import tensorflow as tf
else:
    import jax

EAGER_BELOW = 5  # steps of a training
SEEDS = "int32" if ON_TENSORFLOW else "uint32"  # what either library takes


def machine() -> str:
    """Return what computes, in short: "H100", or "2 cores"."""
    if ON_TENSORFLOW:
        found = [
            tf.config.experimental.get_device_details(gpu)["device_name"]
            for gpu in tf.config.list_physical_devices("GPU")
        ]
    else:
        found = [d.device_kind for d in jax.devices() if d.platform != "cpu"]
    if found:
        return next(iter(re.findall(r"[A-Z]+\d+\w*", found[0])), found[0])
    cores = int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count())
    return f"{cores} core{'s' * (cores > 1)}"


def pays_to_trace(steps: int) -> bool:
    """Return whether so many steps take longer than a trace that speeds them up."""
    return steps >= EAGER_BELOW or not ON_TENSORFLOW


def seeds_of(*numbers) -> Any:
    """Return seeds, (2,), of two whole numbers, tensors or not."""
    return ops.stack([ops.cast(number, SEEDS) for number in numbers])


def split(seeds, count: int = 2) -> list:
    """Return seeds for ``count`` independent uses, (2,) each."""
    if ON_TENSORFLOW:
        return tf.unstack(tf.random.split(seeds, count))
    return list(jax.random.split(seeds, count))


def normal(shape: Sequence[int], seeds) -> Any:
    """Return draws of N(0, 1), float32."""
    if ON_TENSORFLOW:
        return tf.random.stateless_normal(shape, seeds)
    return jax.random.normal(seeds, shape)


def uniform(shape: Sequence[int], seeds) -> Any:
    """Return draws from [0, 1), float32."""
    if ON_TENSORFLOW:
        return tf.random.stateless_uniform(shape, seeds)
    return jax.random.uniform(seeds, shape)


def integers(shape: Sequence[int], seeds, end: int) -> Any:
    """Return whole numbers from [0, end), int32."""
    if ON_TENSORFLOW:
        return tf.random.stateless_uniform(shape, seeds, 0, end, tf.int32)
    return jax.random.randint(seeds, shape, 0, end)


def gradients(
    loss: Callable,
    variables: Sequence[keras.Variable],
    others: Sequence[keras.Variable] = (),
) -> list:
    """Return the gradients of what ``loss()`` returns, in a step or out of one.

    Args:
        others: variables that a step has changed and the loss reads: JAX must know.
    """
    if ON_TENSORFLOW:
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, variables)

    also = [(variable, variable.value) for variable in others]

    def at(values):
        with keras.StatelessScope([*zip(variables, values, strict=True), *also]):
            return loss()

    return jax.grad(at)([variable.value for variable in variables])


def gradients_through(
    first: Callable, second: Callable, variables: Sequence[keras.Variable]
) -> list:
    """Return gradients of a loss whose way through some tensor is weighed.

    Args:
        first: returns a tensor, and what ``second`` may use of it as constants.
        second: takes both; returns the loss, and the factor, or one for each number,
            of the gradient that reaches the variables through the tensor.
    """
    if ON_TENSORFLOW:
        with tf.GradientTape() as outer:
            tensor, others = first()
        fixed = tf.stop_gradient(tensor)
        with tf.GradientTape() as inner:
            inner.watch(fixed)
            value, factor = second(
                fixed, tf.nest.map_structure(tf.stop_gradient, others)
            )
        back, *direct = inner.gradient(value, [fixed, *variables])
        through = outer.gradient(tensor, variables, factor * back)
        pairs = zip(direct, through, strict=True)
        return [sum(part for part in pair if part is not None) for pair in pairs]

    def at(values, function, *arguments):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*arguments)

    values = [variable.value for variable in variables]
    tensor, pull, others = jax.vjp(lambda v: at(v, first), values, has_aux=True)
    slopes = jax.grad(
        lambda fixed, v: at(v, second, fixed, others), (0, 1), has_aux=True
    )
    (back, direct), factor = slopes(tensor, values)
    return jax.tree.map(lambda a, b: a + b, direct, pull(factor * back)[0])


def gradient_at(function: Callable, x) -> tuple[Any, Any]:
    """Return ``function(x)``, (n,), and its gradient by x, row by row: x's shape."""
    if ON_TENSORFLOW:
        with tf.GradientTape() as tape:
            tape.watch(x)
            height = function(x)
        return height, tape.gradient(height, x)
    height, back = jax.vjp(function, x)
    return height, back(ops.ones_like(height))[0]


def compiled(
    function: Callable, variables: Sequence[keras.Variable], xla: bool = True
) -> Callable:
    """Return a function of tensors, compiled by XLA, that reads these variables.

    Args:
        xla: False leaves XLA out on TensorFlow, which is faster on a processor where
            networks are convolutions, or compute in 16 bits.
    """
    start_xla()
    if ON_TENSORFLOW:
        # without XLA one graph serves any number of pictures, from the second on;
        # autograph would rewrite, slowly, what JAX runs as it stands
        return tf.function(
            function, jit_compile=xla, reduce_retracing=not xla, autograph=False
        )

    @jax.jit
    def at(values, *arguments):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: at([v.value for v in variables], *arguments)


def repeated(
    step: Callable,
    variables: Sequence[keras.Variable],
    count: int,
    read: Sequence[keras.Variable] = (),
    xla: bool = True,
) -> Callable:
    """Return a function that takes ``count`` steps, compiled as one.

    Args:
        step: changes the variables; takes its number, a scalar of int32.
        variables: all that it changes.
        read: what it only reads, such as data: variables, or JAX compiles them in.
        xla: see ``compiled``.

    Returns:
        A function of the first step's number, which ends when all steps are done.
    """
    start_xla()
    if ON_TENSORFLOW:

        def one(place, first):
            step(first + place)
            return place + 1, first

        @tf.function(jit_compile=xla, autograph=False)
        def several(first):
            tf.while_loop(lambda place, _: place < count, one, (0, first))

        return lambda first: several(tf.constant(first))

    @jax.jit
    def steps(values, held, first):
        def one(values, number):
            pairs = zip((*variables, *read), (*values, *held), strict=True)
            with keras.StatelessScope(list(pairs)) as scope:
                step(number)
            return [scope.get_current_value(variable) for variable in variables], None

        return jax.lax.scan(one, values, first + ops.arange(count, dtype="int32"))[0]

    def several(first):
        values, held = ([v.value for v in some] for some in (variables, read))
        values = steps(values, held, first)
        for variable, value in zip(
            variables, jax.block_until_ready(values), strict=True
        ):
            variable.assign(value)

    return several
