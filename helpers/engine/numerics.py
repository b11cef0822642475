"""What densities are made of: safe samplers, bounded exponents, gamma functions."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

SHIFT = 8  # carries arguments of gamma functions up to where their series hold


def standard_exponential(shape: Sequence, dtype: str, seed: Any = None) -> Any:
    """Return samples of Exponential(1), finite: the uniform can be 0, but not 1."""
    return -ops.log1p(-keras.random.uniform(shape, dtype=dtype, seed=seed))


def inner_uniform(shape, dtype, seed=None):
    """Return samples of the uniform on (0, 1): 0 becomes half a float step."""
    return ops.maximum(keras.random.uniform(shape, dtype=dtype, seed=seed), 2.0**-24)


def bounded(x, low: float = -30.0, high: float = 15.0):
    """Return x held in [low, high], with the gradient of x itself: for exponents.

    Far outside, exp(x) would overflow, and a plain clip has no gradient, so that a
    posterior that once leapt there would stay. This one calls it back: the gradient of
    a KL is as large as at the bound, and no larger.
    """
    return x - ops.stop_gradient(x - ops.clip(x, low, high))


def softly_bounded(x, low: float, high: float):
    """Return x bent into (low, high), low < 0 < high, without a dead gradient."""
    squared = ops.square(ops.relu(x) / high) + ops.square(ops.relu(-x) / low)
    return x / ops.sqrt(1 + squared)


def unit_vector(x):
    """Return x (..., d) divided by its length; a zero vector gets a direction too."""
    x = x + 1e-12
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))


def log1mexp(x):
    """Return ln(1 - exp(x)), x < 0, without loss of digits at either end.

    Source: Maechler (2012), "Accurately computing log(1 - exp(-|a|))".
    """
    near_zero = x > -math.log(2)
    near, far = ops.where(near_zero, x, -1.0), ops.where(near_zero, -1.0, x)
    return ops.where(near_zero, ops.log(-ops.expm1(near)), ops.log1p(-ops.exp(far)))


# Gamma functions, written by hand because ``keras.ops`` has none on any backend.
# Source: Abramowitz and Stegun (1964), 6.1.15, 6.1.41, 6.3.5 and 6.3.18.


def log_gamma(x):
    """Return ln Gamma(x), x > 0."""
    return log_gamma_ratio(ops.ones_like(x), x) - ops.log(x)


def log_gamma_ratio(x, step):
    """Return ln Gamma(x + step) - ln Gamma(x), precise for large x too."""
    far = x + SHIFT
    recurrence = sum(ops.log1p(step / (x + index)) for index in range(SHIFT))
    leading = (far - 0.5) * ops.log1p(step / far) + step * ops.log(far + step) - step
    return leading - recurrence + stirling_tail(far + step) - stirling_tail(far)


def stirling_tail(x):
    """Return what Stirling's formula leaves out of ln Gamma(x), for x of 8 or more."""
    inverse = ops.square(1 / x)
    series = 1 / 1260 + inverse * (-1 / 1680 + inverse / 1188)
    return (1 / 12 + inverse * (-1 / 360 + inverse * series)) / x


def digamma(x):
    """Return the derivative of ln Gamma(x), x > 0."""
    far = x + SHIFT
    inverse = ops.square(1 / far)
    series = 1 / 252 + inverse * (-1 / 240 + inverse / 132)
    tail = inverse * (1 / 12 + inverse * (-1 / 120 + inverse * series))
    recurrence = sum(1 / (x + index) for index in range(SHIFT))
    return ops.log(far) - 0.5 / far - tail - recurrence
