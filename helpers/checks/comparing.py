"""How the self-checks behind the exercises compare answers.

A check runs the reader's function beside the right one on inputs that tell them apart,
and beside the typical wrong ones, so that a hint can name the mistake that was made.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np

Function = Callable[..., Any]
LOG_2_PI = float(np.log(2 * np.pi))


def check(
    attempt: Function,
    correct: Function,
    inputs: Sequence[tuple],
    mistakes: Mapping[str, Function],
    tolerance: float = 1e-5,
) -> str:
    """Return "not attempted", "not yet: ..." or "correct ...".

    Args:
        attempt: the reader's function; one that raises NotImplementedError was not
            attempted.
        correct: the right function.
        inputs: argument tuples on which both are called.
        mistakes: hint to a function that makes the mistake; the first that agrees with
            the attempt on every input gives the hint.
        tolerance: of the largest difference, relative above 1.
    """
    expected = [np.asarray(correct(*arguments)) for arguments in inputs]
    try:
        results = [attempt(*deepcopy(arguments)) for arguments in inputs]
        if any(result is None for result in results):
            return "not yet: the function returned None; does it end with `return`?"
        results = [np.asarray(result, np.float64) for result in results]
    except NotImplementedError:
        return "not attempted"
    except Exception as error:
        what = f"{type(error).__name__}: {error}"
        return f"not yet: your function raised, or its answer did: {what}"
    difference = max(map(largest_difference, results, expected))
    if difference <= tolerance:
        return f"correct (largest difference {difference:.1g})"
    hint = matching_hint(results, inputs, mistakes, tolerance)
    if hint is None:
        hint = f"the largest difference from the right answer is {difference:.3g}"
        for result, right in zip(results, expected, strict=True):
            if result.shape != right.shape:
                hint = f"the shape should be {right.shape}, and is {result.shape}"
    return f"not yet: {hint}"


def matching_hint(results, inputs, mistakes, tolerance) -> str | None:
    """Return the hint of the first mistake whose outputs are the attempt's."""
    for hint, mistaken in mistakes.items():
        with np.errstate(all="ignore"):
            outputs = [mistaken(*arguments) for arguments in inputs]
        if max(map(largest_difference, results, outputs)) <= tolerance:
            return hint
    return None


def largest_difference(result, right) -> float:
    """Return the largest |a - b| / max(1, |b|); inf if shape or finiteness differ."""
    a, b = np.asarray(result, np.float64), np.asarray(right, np.float64)
    if a.shape != b.shape:
        return np.inf
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(all="ignore"):
        difference = np.where(same, 0.0, np.abs(a - b) / np.maximum(1, np.abs(b)))
    return float(np.nan_to_num(difference, nan=np.inf).max(initial=0.0))


def then(function: Function, change: Function) -> Function:
    """Return a function whose answers are ``function``'s, changed."""
    return lambda *arguments: change(function(*arguments))
