"""The one place that checks what users give: pictures, codes, labels, weights, shapes.

Whatever takes pictures, or other data, lets them through here once, and goes on with
float32. Every error is a ValueError that says what was expected, what came, and what to
do.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
from collections.abc import Sequence
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
from keras import ops


class Span(NamedTuple):
    """The numbers that an array may hold: how far they reach, and their name."""

    low: float
    high: float
    step: float = 0.0  # of which they are multiples, if it is not 0
    what: str = "pixels"
    way: str = "scale them, or clip"  # to mend others


UNIT = Span(0.0, 1.0)  # the pixels that a model draws, and is trained on
NEAR = Span(-10.0, 10.0)  # those of noisy pictures, and no others' by far
BYTES = Span(0.0, 1.0, 1 / 255, way="8-bit ones are np.round(255 * x) / 255")
REAL = Span(-1e3, 1e3, what="values", way="standardise, (x - mean) / deviation")
COUNTS = Span(0.0, 1e6, 1.0, "counts", "no logarithms, shares or differences")
CLASSES = Span(0.0, 1.0, 1.0, "classes", "np.eye(classes)[labels] makes them")
FINITE = Span(-1e30, 1e30, what="values")
ROUNDING = 1e-5  # what a filter may leave beside them
HALF = 2.5e-4  # and what half precision takes from a number up to 1


class ContentError(ValueError):
    """The shape is right, and what it holds is not: zeros would not do either."""


def float32(x: Any) -> Any:
    """Return numbers of any type as float32: a tensor for a tensor, else an array."""
    return ops.cast(x, "float32") if ops.is_tensor(x) else np.asarray(x, "float32")


def numbers(x: Any, name: str) -> np.ndarray:
    """Return x as an array; ValueError unless NumPy makes one of real numbers of it."""
    whole = isinstance(x, list | tuple | Number) or hasattr(x, "__array__")
    try:
        array = np.asarray(x if whole else None)
    except ValueError as error:
        raise ValueError(f"{name} must be one array, and are not: {error}") from error
    if array.dtype.kind not in "fiub":
        came = type(x).__name__ if array.dtype == object else array.dtype
        raise ValueError(
            f"{name} must be an array of real numbers, and are {came}: use float32; a "
            "data set or generator goes to fit or evaluate, train takes arrays"
        )
    return array


def pictures(
    x: Any,
    shape: Sequence[int | str | None] | None = None,
    name: str | None = None,
    span: Span = UNIT,
    fewest: int = 1,
) -> np.ndarray:
    """Return pictures, or other data, (n, *shape) as float32.

    Args:
        shape: of one picture; None or a word stands for any size, no shape for any.
        name: what the pictures are, for the error.
        span: the numbers allowed; of pictures in ``NEAR`` whole ones are 0 and 1.
        fewest: pictures.

    Raises:
        ValueError: they are no real numbers, of another shape, fewer, or leave the
            span (nan does).
    """
    name = name or ("x" if shape and len(shape) != 3 else "pictures")
    x = numbers(x, name)
    shape = x.shape[1:] or ("size",) if shape is None else shape
    sizes = zip(shape, x.shape[1:], strict=False)
    sized = all(e == f or not isinstance(e, int) for e, f in sizes)
    if x.ndim != len(shape) + 1 or not sized or len(x) < fewest:
        axes = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(
            f"{name} must be (n, {axes}), n at least {fewest}, and are {x.shape}: "
            f"{remedy(x.shape, tuple(shape))}"
        )
    if not x.size:
        if len(x):
            raise ValueError(f"{name} must have {span.what}, and are {x.shape}")
        return float32(x)
    check_span(x, name, UNIT if span == NEAR and x.dtype.kind != "f" else span)
    return float32(x)


def check_span(x: np.ndarray, name: str, span: Span) -> None:
    """Raise ValueError unless all numbers in x (at least one) are those of a span."""
    low, high = float(x.min()), float(x.max())
    if not (span.low - ROUNDING <= low and high <= span.high + ROUNDING):
        way = "divide by 255" if high > 2 and span.what == "pixels" else span.way
        raise ValueError(
            f"{span.what} of {name} must lie in [{span.low:g}, {span.high:g}], and "
            f"span [{low:g}, {high:g}]: {way}; leave out what holds nan"
        )
    if span.step:
        x = float32(x)
        between = x[np.abs(x - span.step * np.round(x / span.step)) > HALF]
        if between.size:
            kind = "whole" if span.step == 1 else f"multiples of {span.step:.4g}"
            raise ValueError(
                f"{span.what} of {name} must be {kind}, and {between.size} are not, "
                f"such as {between[0]:g}: {span.way}"
            )


def remedy(found: tuple, expected: tuple) -> str:
    """Return what most likely has to be done to a shape (n, ...)."""
    if found[1:] == expected[:-1]:
        return "the channel axis is missing, x[..., np.newaxis] adds it"
    if len(found) == len(expected):
        return (
            "x[np.newaxis] is one picture, x[..., np.newaxis] adds a channel axis; "
            "a data set comes in batches"
        )
    if len(found) == len(expected) + 1 and found[2:] + found[1:2] == expected:
        return "channels come last, np.moveaxis(x, 1, -1) puts them there"
    if found[1:] == expected or not all(isinstance(size, int) for size in expected):
        return "give more of them, or lower batch_size"
    return "resize them, or build the model for their shape"


def codes(z: Any, latent_size: int, name: str = "codes") -> np.ndarray:
    """Return codes (n, latent_size) as float32, or raise ValueError.

    They may be infinite, as a prior's outermost quantiles are.
    """
    z = numbers(z, name)
    if z.ndim != 2 or z.shape[1] != latent_size or not len(z):
        raise ValueError(
            f"{name} must be (n, {latent_size}), n at least 1, and are {z.shape}: "
            "z[np.newaxis] is one code; the model fixes the number of latents"
        )
    return float32(z)


def labels(y: Any, count: int, classes: int, name: str = "labels") -> np.ndarray:
    """Return labels (count,) as int32; ValueError unless integers from 0 on."""
    y = np.asarray(y)
    if y.shape != (count,) or not np.isin(y, range(classes)).all():
        raise ValueError(
            f"{name} must be {count} integers from 0 to {classes - 1}, and "
            f"have shape {y.shape} and values {np.unique(y)}"
        )
    return y.astype("int32")


def weights(w: Any, count: int) -> np.ndarray:
    """Return weights of pictures, (count,) or (count, 1), as float32 (count,)."""
    w = numbers(w, "weights")
    if w.shape not in ((count,), (count, 1)) or not (w >= 0).all() or np.isinf(w).any():
        raise ValueError(
            f"sample_weight must be {count} finite numbers from 0 on, one per picture, "
            f"and has shape {w.shape} and values from {w.min(initial=np.inf):g} on"
        )
    return float32(w.reshape(count))


def same_shape(**arrays: Any) -> None:
    """Raise ValueError unless arrays, or tensors, agree in every size that is known.

    Broadcasting would hide the difference, and compare each picture with all.
    """
    named = {name: array.shape for name, array in arrays.items()}
    if any(getattr(shape, "rank", 0) is None for shape in named.values()):
        return  # known only when it runs
    first, *others = map(tuple, named.values())
    for other in others:
        sizes = zip(first, other, strict=False)
        equal = all(a == b or None in (a, b) for a, b in sizes)
        if len(first) != len(other) or not equal:
            shown = " and ".join(f"{n} {tuple(s)}" for n, s in named.items())
            raise ValueError(
                f"shapes must be the same, and are {shown}: add the missing axis, "
                "x[..., np.newaxis], or leave out what has no counterpart"
            )
