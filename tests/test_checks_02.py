"""Notebook 02's checks: sound methods pass, misconceptions are told apart by name."""

import numpy as np
import pytest
from answers.notebook_02 import METHODS, MISTAKES

from helpers import checks


def verdict(name, attempt):
    with np.errstate(all="ignore"):
        return getattr(checks, f"check_{name}")(attempt)


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name in METHODS for method in METHODS[name]]
)
def test_every_sound_method_is_right(name, method):
    assert verdict(name, METHODS[name][method]).startswith("correct"), method


@pytest.mark.parametrize("name", METHODS)
def test_there_are_eight_of_either_kind(name):
    assert len(METHODS[name]) >= 8
    assert len(MISTAKES[name]) >= 8


@pytest.mark.parametrize("name", METHODS)
def test_each_misconception_has_a_sentence_of_its_own(name):
    said = [verdict(name, wrong) for wrong in MISTAKES[name].values()]
    assert len(set(said)) == len(said)


@pytest.mark.parametrize("name", METHODS)
def test_a_right_method_on_one_input_alone_is_not_right(name):
    """An answer that forgets its arguments is wrong on the others."""
    first = next(iter(METHODS[name].values()))
    kept = []

    def stuck(*arguments):
        kept.append(first(*arguments))
        return kept[0]

    assert verdict(name, stuck).startswith("not yet")


@pytest.mark.parametrize(
    "near",
    [
        lambda count: count + 1,
        lambda count: count - 1,
        lambda count: float(f"{count:.6g}"),  # 2 too many of 1,609,008
        lambda count: 1_609_008,
    ],
)
def test_a_count_is_right_or_wrong(near):
    right = METHODS["count_parameters"]["loop"]
    assert verdict("count_parameters", lambda sizes: near(right(sizes))).startswith(
        "not yet"
    )
