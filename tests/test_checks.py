"""helpers/checks.py: right answers are recognised, and typical mistakes get the matching hint."""

import inspect
import itertools

import numpy as np
import pytest

from helpers import checks


def psnr_by_loop(x, y):
    return np.array([10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(x, y, strict=True)])


def parameters_by_loop(sizes):
    total = 0
    for inputs, outputs in itertools.pairwise(sizes):
        total += (inputs + 1) * outputs
    return total


def path(first, last, count):
    return np.array([first + i / (count - 1) * (last - first) for i in range(count)])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def nll_by_maximum(x, logits):
    stable = np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))
    return stable.sum(axis=(1, 2, 3))


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))


def kl(m, v):
    return 0.5 * np.sum(m**2 + np.exp(v) - v - 1, axis=1)


def log_mean_exp(w):
    return np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])


CORRECT = {
    "psnr": psnr_by_loop,
    "count_parameters": parameters_by_loop,
    "interpolate": path,
    "add_noise": lambda x, sigma, noise: np.minimum(1, np.maximum(0, x + noise * sigma)),
    "sample": lambda m, v, e: m + e * np.sqrt(np.exp(v)),
    "kl_normal": kl,
    "bernoulli": nll_by_maximum,
    "iwae": log_mean_exp,
    "active_units": lambda z, threshold: (np.var(z, axis=0) > threshold).sum(),
}

MISTAKES = [  # the exercise, a typical wrong answer, a word of the hint that it should get
    ("psnr", lambda x, y: 10 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))), "sign"),
    ("psnr", lambda x, y: -10 * np.log(np.mean((x - y) ** 2, axis=(1, 2, 3))), "base 10"),
    ("psnr", lambda x, y: -20 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))), "root"),
    ("psnr", lambda x, y: -10 * np.log10(np.sum((x - y) ** 2, axis=(1, 2, 3))), "not the sum"),
    ("psnr", lambda x, y: -10 * np.log10(np.square(x - y).mean()), "one value a picture"),
    ("psnr", lambda x, y: -10 * np.log10(abs(x - y).mean(axis=(1, 2, 3))), "square"),
    (
        "count_parameters",
        lambda s: sum(a * b for a, b in itertools.pairwise(s)),
        "bias",
    ),
    (
        "count_parameters",
        lambda s: sum(a * b for a, b in itertools.pairwise(s)) + sum(s),
        "the input layer has none",
    ),
    (
        "count_parameters",
        lambda s: parameters_by_loop(s[: s.index(min(s)) + 1]),
        "decoder",
    ),
    (
        "interpolate",
        lambda a, b, n: np.array([a + i / n * (b - a) for i in range(n)]),
        "last code is missing",
    ),
    ("interpolate", lambda a, b, n: path(b, a, n), "backwards"),
    ("interpolate", lambda a, b, n: path(a, b, n + 2)[1:-1], "both ends"),
    ("interpolate", lambda a, b, n: path(a, b, n).T, "one row a code"),
    ("add_noise", lambda x, s, e: x + s * e, "clip the sum"),
    ("add_noise", lambda x, s, e: np.clip(x + s**0.5 * e, 0, 1), "not a variance"),
    ("add_noise", lambda x, s, e: np.clip(x + s * s * e, 0, 1), "squared"),
    ("add_noise", lambda x, s, e: x + np.clip(e * s, 0, 1), "not the noise"),
    ("sample", lambda m, v, e: m + np.exp(v) * e, "square root"),
    ("sample", lambda m, v, e: m + v * e, "exponentiate"),
    ("sample", lambda m, v, e: m + v / 2 * e, "half"),
    ("sample", lambda m, v, e: np.exp(v / 2) * e, "mean is missing"),
    ("sample", lambda m, v, e: m * np.exp(v / 2) * e, "not multiplied"),
    ("kl_normal", lambda m, v: 0.5 * np.sum(1 + v - m**2 - np.exp(v), axis=1), "sign"),
    ("kl_normal", lambda m, v: np.sum(m**2 + np.exp(v) - 1 - v, axis=1), "1/2"),
    ("kl_normal", lambda m, v: 0.5 * np.mean(m**2 + np.exp(v) - 1 - v, axis=1), "hidden beta"),
    (
        "kl_normal",
        lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) ** 2 - 1 - 2 * v, axis=1),
        "not ln sigma",
    ),
    ("kl_normal", lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) - 1 - v), "last axis only"),
    ("kl_normal", lambda m, v: kl(m, v).mean(), "mean over the batch"),
    ("kl_normal", lambda m, v: 0.5 * np.sum(m + np.exp(v) - 1 - v, axis=1), "square the mean"),
    ("kl_normal", lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v), "sum over the latents"),
    ("bernoulli", lambda x, o: nll_of_probabilities(x, sigmoid(o)), "saturated"),
    ("bernoulli", lambda x, o: nll_by_maximum(x, o) / x[0].size, "784 times"),
    ("bernoulli", lambda x, o: -nll_by_maximum(x, o), "sign"),
    ("bernoulli", lambda x, o: nll_by_maximum(x, o).sum(), "one value a picture"),
    ("bernoulli", nll_of_probabilities, "sigmoid is the probability"),
    ("bernoulli", lambda x, o: nll_by_maximum(1 - x, o), "swapped"),
    ("iwae", lambda w: w.mean(axis=1), "ELBO"),
    ("iwae", lambda w: np.logaddexp.reduce(w, axis=1), "divide by K"),
    ("iwae", lambda w: np.log(np.exp(w).mean(axis=1)), "log-sum-exp"),
    ("iwae", lambda w: np.logaddexp.reduce(w, axis=0) - np.log(len(w)), "axis 1"),
    ("active_units", lambda z, t: int((z.std(axis=0) > t).sum()), "standard deviation"),
    ("active_units", lambda z, t: int(((z**2).mean(axis=0) > t).sum()), "constant code"),
    ("active_units", lambda z, t: int((z.var(axis=1) > t).sum()), "over the pictures"),
    ("active_units", lambda z, t: int((z.var(axis=0) < t).sum()), "not below"),
]


def verdict(name, attempt):
    with np.errstate(all="ignore"):
        return getattr(checks, f"check_{name}")(attempt)


def test_every_check_is_tested_here():
    found = {
        name.removeprefix("check_")
        for name, function in inspect.getmembers(checks, inspect.isfunction)
        if name.startswith("check_")
    }
    assert found == set(CORRECT) == {name for name, _, _ in MISTAKES}


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_answer_is_correct(name):
    assert verdict(name, CORRECT[name]).startswith("correct")


@pytest.mark.parametrize(("name", "attempt", "word"), MISTAKES)
def test_a_typical_mistake_gets_its_hint(name, attempt, word):
    said = verdict(name, attempt)
    assert said.startswith("not yet: ")
    assert word in said


@pytest.mark.parametrize("name", CORRECT)
def test_every_hint_is_reached(name):
    """As many mistakes are tried as the check knows."""
    tried = {verdict(name, attempt) for other, attempt, _ in MISTAKES if other == name}
    known = {}
    original = checks.matching_hint

    def spy(results, inputs, mistakes, tolerance):
        known.update(mistakes)
        return original(results, inputs, mistakes, tolerance)

    checks.matching_hint = spy
    try:
        verdict(name, lambda *_: np.zeros(97))
    finally:
        checks.matching_hint = original
    assert {f"not yet: {hint}" for hint in known} == tried


def stub(*_):
    raise NotImplementedError("your turn")


def raises(*_):
    raise KeyError("spam")


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (stub, "not attempted"),
        (raises, "not yet: the function raised KeyError: 'spam'"),
        (lambda *_: None, "not yet: the function returned None"),
        (lambda *_: np.zeros((3, 1, 7)), "not yet: the shape should be"),
    ],
)
def test_other_answers(name, attempt, expected):
    assert verdict(name, attempt).startswith(expected)


@pytest.mark.parametrize("name", CORRECT)
def test_a_near_miss_is_not_correct(name):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * 1.001 + 0.001)
    assert said.startswith("not yet: the largest difference from the right answer is")


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_not_correct(name, value):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * value)
    assert said.startswith("not yet")


def test_the_largest_difference_is_relative_above_one():
    assert checks.largest_difference([1.0, 0.1], [1.0, 0.3]) == pytest.approx(0.2)
    assert checks.largest_difference([110.0], [100.0]) == pytest.approx(0.1)
    assert checks.largest_difference([np.nan], [1.0]) == np.inf
    assert checks.largest_difference([np.inf], [np.inf]) == 0
