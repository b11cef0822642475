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
    mistakes: Mapping[str, Function | tuple[Function, ...]],
    tolerance: float = 1e-5,
) -> str:
    """Return "not attempted", "not yet: ..." or "correct ...".

    Args:
        attempt: the reader's function; one that raises NotImplementedError was not
            attempted.
        correct: the right function.
        inputs: argument tuples on which both are called.
        mistakes: hint to a function that makes the mistake, or to several; the first
            that agrees with the attempt on every input gives the hint.
        tolerance: of the largest difference, relative above 1.
    """
    expected = [np.asarray(correct(*arguments)) for arguments in inputs]
    given = [deepcopy(arguments) for arguments in inputs]
    try:
        answers = [attempt(*arguments) for arguments in given]
    except NotImplementedError:
        return "not attempted"
    except Exception as error:
        return f"not yet: your function raised {type(error).__name__}: {error}"
    if any(answer is None for answer in answers):
        return "not yet: the function returned None; does it end with `return`?"
    results = []
    for answer, right in zip(answers, expected, strict=True):
        results.append(numbers(answer))
        if results[-1] is None:
            should = f"numbers of shape {right.shape} should come"
            return f"not yet: {should}, and not {told(answer)}"
    difference = max(map(largest_difference, results, expected))
    if difference > tolerance:
        hint = matching_hint(results, inputs, mistakes, tolerance)
        return f"not yet: {hint or unnamed(attempt, inputs, results, expected)}"
    if any(map(overwritten, answers, given, inputs)):
        return (
            "not yet: the values are right, but overwrite the argument: make new ones"
        )
    return f"correct (largest difference {difference:.1g})"


def numbers(answer) -> np.ndarray | None:
    """Return an answer as an array; None for text, unlike lengths, complex numbers."""
    try:
        array = np.asarray(answer)
        if array.dtype.kind in "SU" or (np.iscomplexobj(array) and array.imag.any()):
            return None
        return np.asarray(array.real, np.float64)
    except Exception:
        return None


def told(answer) -> str:
    """Return in words what came instead of numbers."""
    kind = f"a {type(answer).__name__}"
    if isinstance(answer, list | tuple):
        return f"{kind} whose {len(answer)} parts are of unlike shapes or no numbers"
    return f"{kind}: {' '.join(str(answer).split())[:60]}"


def overwritten(answer, given, kept) -> bool:
    """Whether an answer, or a part of it, is an argument and no longer as it was."""
    parts = [answer, *(answer if isinstance(answer, list | tuple) else ())]
    return any(
        not np.array_equal(now, before)
        and any(part is now or getattr(part, "base", None) is now for part in parts)
        for now, before in zip(given, kept, strict=True)
        if isinstance(now, np.ndarray | list)
    )


def matching_hint(results, inputs, mistakes, tolerance) -> str | None:
    """Return the hint of the first mistake whose outputs are the attempt's."""
    for hint, ways in mistakes.items():
        for mistaken in ways if isinstance(ways, tuple) else (ways,):
            with np.errstate(all="ignore"):
                outputs = [mistaken(*arguments) for arguments in inputs]
            if max(map(largest_difference, results, outputs)) <= tolerance:
                return hint
    return None


def unnamed(attempt, inputs, results, expected) -> str:
    """Return what can be said of a wrong answer whose mistake is not known."""
    for result, right in zip(results, expected, strict=True):
        if result.shape != right.shape:
            return f"the shape should be {right.shape}, and is {result.shape}"
    try:
        again = numbers(attempt(*deepcopy(inputs[0])))
    except Exception as error:
        return f"your function raised when called again: {error}"
    if again is None or largest_difference(again, results[0]) > 0:
        return "the same arguments gave another answer: draw no numbers of your own"
    for result, right in zip(results, expected, strict=True):
        lost = np.sum(~np.isfinite(result) & np.isfinite(right))
        if lost:
            return f"{lost} of {right.size} values are nan or infinite"
    difference = max(map(largest_difference, results, expected))
    return (
        f"the largest difference from the right answer is {difference:.3g} (of values "
        "above 1, the share of the value)"
    )


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


def right_on(mild: Function, attempt: Function, correct: Function) -> Function:
    """Return what agrees with an attempt that is right on mild inputs alone.

    On the others it agrees with whatever shape and finite values the attempt has there.
    """

    def answers(*arguments):
        right = np.asarray(correct(*arguments))
        if mild(*arguments):
            return right
        found = numbers(attempt(*deepcopy(arguments)))
        same = found is not None and found.shape == right.shape
        return found if same and np.isfinite(found).all() else right

    return answers
