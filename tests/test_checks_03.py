"""Notebook 03's checks: sound methods pass, misconceptions are told apart by name."""

import numpy as np
import pytest
from answers.notebook_03 import METHODS, MISTAKES

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
    said = {words: verdict(name, wrong) for words, wrong in MISTAKES[name].items()}
    shared = {"clipped probabilities", "log(p + 1e-8)"}  # two ways to one mistake
    own = [text for words, text in said.items() if words not in shared]
    assert len(set(own)) == len(own)


@pytest.mark.parametrize("margin", [1e-5, 1e-7, 1e-12])
def test_a_clipped_probability_is_named_whatever_its_margin(margin):
    def clipped(x, logits):
        p = np.clip(1 / (1 + np.exp(-logits)), margin, 1 - margin)
        return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))

    assert "clipped" in verdict("bernoulli", clipped)
