"""Noise, gradients and compiled functions that TensorFlow and JAX share.

All noise comes from ``seeds``, two numbers, (2,): the same seeds, the same noise, on
one backend.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from helpers.engine.quiet_start import ON_TENSORFLOW, start_xla

if ON_TENSORFLOW:
    import tensorflow as tf
else:
    import jax

SEEDS = "int32" if ON_TENSORFLOW else "uint32"  # what either library takes


def machine() -> str:
    """Return what computes here: "H100" or another accelerator, or "2 cores"."""
    if ON_TENSORFLOW:
        found = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(each) for each in found]
        kinds = [each.get("device_name", "GPU") for each in details]
    else:
        found = [each for each in jax.devices() if each.platform != "cpu"]
        kinds = [each.device_kind for each in found]
    if kinds:
        return kinds[0].removeprefix("NVIDIA ").split()[0]
    return f"{os.cpu_count()} cores"


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


def gradients(loss: Callable, variables: Sequence[keras.Variable]) -> list:
    """Return the gradients of what ``loss()`` returns, in a step or out of one."""
    if ON_TENSORFLOW:
        with tf.GradientTape() as tape:
            value = loss()
        return tape.gradient(value, variables)

    def at(values):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
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


def compiled(function: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Return a function of tensors, compiled by XLA, that reads these variables."""
    start_xla()
    if ON_TENSORFLOW:
        return tf.function(function, jit_compile=True)

    @jax.jit
    def at(values, *arguments):
        with keras.StatelessScope(list(zip(variables, values, strict=True))):
            return function(*arguments)

    return lambda *arguments: at([v.value for v in variables], *arguments)


def repeated(
    step: Callable,
    variables: Sequence[keras.Variable],
    count: int,
    known: Sequence[keras.Variable] = (),
) -> Callable:
    """Return a function that takes ``count`` steps, compiled as one.

    Args:
        step: changes the variables; takes its number, a scalar of int32.
        variables: all that it changes.
        known: what it reads alone, such as data: compiled in, it would be a constant.

    Returns:
        A function of the first step's number, which ends when all steps are done.
    """
    start_xla()
    if ON_TENSORFLOW:

        @tf.function(jit_compile=True)
        def several(first):
            for place in tf.range(count):  # from ``first`` on, all compiles anew
                step(first + place)

        return lambda first: several(tf.constant(first))

    @jax.jit
    def steps(values, data, first):
        read = list(zip(known, data, strict=True))

        def one(values, number):
            changed = zip(variables, values, strict=True)
            with keras.StatelessScope([*changed, *read]) as scope:
                step(number)
            return [scope.get_current_value(variable) for variable in variables], None

        return jax.lax.scan(one, values, first + ops.arange(count, dtype="int32"))[0]

    def several(first):
        values = steps([v.value for v in variables], [v.value for v in known], first)
        for variable, value in zip(
            variables, jax.block_until_ready(values), strict=True
        ):
            variable.assign(value)

    return several
