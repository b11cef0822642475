"""The self-checks behind the exercises: each says "not attempted", "not yet: ..." or
"correct".

A check runs the reader's function beside the right one on inputs that tell them apart,
and beside the typical wrong ones, so that a hint can name the mistake that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy

import numpy as np

Function = Callable[..., np.ndarray]
LOG_2_PI = float(np.log(2 * np.pi))


def check(
    attempt: Function,
    correct: Function,
    inputs: Sequence[tuple],
    mistakes: Mapping[str, Function],
    tolerance: float = 1e-5,
) -> str:
    """Return what the attempt's outputs say.

    Args:
        attempt: the reader's function; one that raises NotImplementedError was not
            attempted.
        correct: the right function.
        inputs: argument tuples on which both are called.
        mistakes: hint to a function that makes the mistake; the first that agrees with
            the attempt on every input gives the hint.
        tolerance: of the largest difference, relative above 1.
    """
    expected = [correct(*arguments) for arguments in inputs]
    try:
        results = [attempt(*deepcopy(arguments)) for arguments in inputs]
        if any(result is None for result in results):
            return "not yet: the function returned None; does it end with `return`?"
        results = [np.asarray(result, np.float64) for result in results]
    except NotImplementedError:
        return "not attempted"
    except Exception as error:
        return f"not yet: your function raised, or its answer did: {type(error).__name__}: {error}"
    for result, right in zip(results, expected, strict=True):
        if np.shape(result) != np.shape(right):
            wrong = matching_hint(results, inputs, mistakes, tolerance)
            return wrong or (
                f"not yet: the shape should be {np.shape(right)}, and is {np.shape(result)}"
            )
    difference = max(map(largest_difference, results, expected))
    if difference <= tolerance:
        return f"correct (largest difference {difference:.1g})"
    return matching_hint(results, inputs, mistakes, tolerance) or (
        f"not yet: the largest difference from the right answer is {difference:.3g}"
    )


def matching_hint(results, inputs, mistakes, tolerance) -> str | None:
    """Return the hint of the first mistake whose outputs are the attempt's."""
    for hint, mistaken in mistakes.items():
        with np.errstate(all="ignore"):
            outputs = [mistaken(*arguments) for arguments in inputs]
        if all(
            np.shape(result) == np.shape(output)
            and largest_difference(result, output) <= tolerance
            for result, output in zip(results, outputs, strict=True)
        ):
            return f"not yet: {hint}"
    return None


def largest_difference(result, right) -> float:
    """Return the largest |a - b| / max(1, |b|); infinite where only one of them is finite."""
    a, b = np.asarray(result, np.float64), np.asarray(right, np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b) / np.maximum(1, np.abs(b)))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))
