"""helpers/checks: right answers are recognised, typical mistakes get their hints."""

import inspect
import re
from copy import deepcopy

import numpy as np
import pytest
from answers import CORRECT, MISTAKES

from helpers import checks
from helpers.checks import comparing


def verdict(name, attempt):
    with np.errstate(all="ignore"):
        return getattr(checks, f"check_{name}")(attempt)


def test_every_check_is_tested_here():
    found = {name for name, _ in inspect.getmembers(checks, inspect.isfunction)}
    tried = {name for name, _, _ in MISTAKES}
    assert found == {f"check_{name}" for name in CORRECT}
    assert tried == set(CORRECT)


def spoils_its_inputs(attempt):
    """Wrap an attempt so that it overwrites its arrays, and empties its lists."""

    def spoiler(*arguments):
        result = attempt(*deepcopy(arguments))
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                argument[...] = 1.0
            elif isinstance(argument, list):
                argument.clear()
        return result

    return spoiler


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_answer_is_correct(name):
    assert verdict(name, CORRECT[name]).startswith("correct")
    assert verdict(name, spoils_its_inputs(CORRECT[name])).startswith("correct")


@pytest.mark.parametrize(("name", "attempt", "words"), MISTAKES)
def test_a_typical_mistake_gets_its_hint(name, attempt, words):
    said = verdict(name, attempt)
    assert said.startswith("not yet: ")
    assert words in said
    assert verdict(name, spoils_its_inputs(attempt)) == said


@pytest.mark.parametrize("name", CORRECT)
def test_every_hint_is_reached(name, monkeypatch):
    """As many mistakes are tried as the check knows."""
    tried = {verdict(name, attempt) for other, attempt, _ in MISTAKES if other == name}
    known = {}
    monkeypatch.setattr(comparing, "matching_hint", lambda *args: known.update(args[2]))
    verdict(name, lambda *_: np.zeros(97))
    assert {f"not yet: {hint}" for hint in known} == tried


def stub(*_):
    raise NotImplementedError("your turn")


def raises(*_):
    raise KeyError("spam")


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (stub, "not attempted"),
        (raises, "not yet: .*KeyError: 'spam'"),
        (lambda *_: None, "not yet: .*None"),
        (lambda *_: np.zeros((3, 1, 7)), r"not yet: .*shape.*\(3, 1, 7\)"),
        (lambda *_: "seven", r"not yet: numbers of shape \(.*, and not a str: seven"),
        (lambda *_: "7.0", r"not yet: numbers of shape \(.*, and not a str: 7.0"),
        (lambda *_: [[1.0], [1.0, 2.0]], "not yet: numbers .*, and not a list"),
        (lambda *_: {"answer": 7}, "not yet: numbers .*, and not a dict"),
        (lambda *_: 1.0 + 2.0j, "not yet: numbers .*, and not a complex"),
    ],
)
def test_other_answers(name, attempt, words):
    assert re.match(words, verdict(name, attempt))


@pytest.mark.parametrize(
    "name", ["posterior", "sample", "bits", "aggregate_density", "importance_weights"]
)
def test_an_answer_that_overwrites_its_argument_is_not_correct(name):
    def writes(*arguments):
        result = np.asarray(CORRECT[name](*deepcopy(arguments)))
        room = next(a for a in arguments if np.size(a) >= result.size)
        place = room.reshape(-1)[: result.size].reshape(result.shape)
        place[...] = result
        return place

    assert "overwrite the argument" in verdict(name, writes)


def test_an_answer_from_other_random_numbers_is_told_so():
    rng = np.random.default_rng(0)
    said = verdict("iwae", lambda w: rng.normal(size=len(w)))
    assert "another answer" in said


@pytest.mark.parametrize("name", CORRECT)
def test_a_near_miss_is_not_correct(name):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * 1.001 + 0.001)
    assert re.match("not yet: .*largest difference", said)


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_not_correct(name, value):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * value)
    assert said.startswith("not yet")


@pytest.mark.parametrize(
    ("result", "right", "difference"),
    [
        ([1.0, 0.1], [1.0, 0.3], 0.2),
        ([110.0], [100.0], 0.1),
        ([-2.0], [2.0], 2),
        ([np.nan], [1.0], np.inf),
        ([np.inf], [np.inf], 0),
        ([-np.inf], [np.inf], np.inf),
        ([1.0], 1.0, np.inf),
    ],
)
def test_the_largest_difference_is_relative_above_one(result, right, difference):
    assert comparing.largest_difference(result, right) == pytest.approx(difference)
