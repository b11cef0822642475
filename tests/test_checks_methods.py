"""Checks from 02 on: sound methods pass, misconceptions are told apart by name."""

from copy import deepcopy

import answers
import numpy as np
import pytest

from helpers import checks
from helpers.checks import comparing

NOTEBOOKS = answers.NOTEBOOKS[1:]
METHODS = {name: ways for each in NOTEBOOKS for name, ways in each.METHODS.items()}
MISTAKES = {name: wrong for each in NOTEBOOKS for name, wrong in each.MISTAKES.items()}


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
    shared = {"clipped probabilities", "log(p + 1e-8)"}  # two ways to one mistake
    mistakes = {words: w for words, w in MISTAKES[name].items() if words not in shared}
    said = [verdict(name, wrong) for wrong in mistakes.values()]
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


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer[..., np.newaxis],
        lambda answer: answer[np.newaxis],
        lambda answer: np.concatenate([answer.ravel(), answer.ravel()]),
    ],
)
def test_a_wrong_shape_is_told_with_the_right_one(name, change):
    """Right numbers in a wrong shape: the sentence names a shape, or what to do."""
    right = METHODS[name][next(iter(METHODS[name]))]
    said = verdict(name, lambda *arguments: change(np.asarray(right(*arguments))))
    assert said.startswith("not yet: ")
    assert "shape" in said or any(words in said for words in MISTAKES[name])


def test_text_is_told_with_what_was_expected():
    said = verdict("bits", lambda nats, values: "8 bits")
    assert said == "not yet: numbers of shape (3,) should come, and not a str: 8 bits"


def test_parts_of_unlike_shapes_are_told():
    said = verdict("directions", lambda z, a: np.linalg.lstsq(a, z, rcond=None))
    assert said.endswith("not a tuple whose 4 parts are of unlike shapes or no numbers")


def in_place(nats, values):
    nats /= values
    nats += np.log(256)
    nats /= np.log(2)
    return nats


def on_a_view(mean, log_scale, u):
    mean += np.exp(log_scale) * (np.log1p(-u[1]) - np.log1p(-u[0]))
    return mean[:]


def in_a_list(z, momentum, precision, size, leaps):
    for _ in range(leaps):
        momentum -= size / 2 * z @ precision
        z += size * momentum
        momentum -= size / 2 * z @ precision
    return [z, momentum]


@pytest.mark.parametrize(
    ("name", "attempt"),
    [("bits", in_place), ("sample_laplace", on_a_view), ("leapfrog", in_a_list)],
)
def test_an_answer_in_its_argument_s_place_is_refused(name, attempt):
    assert "overwrite the argument" in verdict(name, attempt)


# What notebook 04's samplers are asked at u = 0, and of numbers of their own


def gumbel_of(noise):
    def gumbel(u, mode, log_scale):
        y = -np.log(noise(u))
        return np.stack([mode + np.exp(log_scale) * y, -log_scale - y - np.exp(-y)])

    return gumbel


@pytest.mark.parametrize("inner", [lambda u: -np.log(u), lambda u: -np.log1p(-u)])
def test_a_gumbel_that_is_infinite_at_zero_is_told_so(inner):
    said = verdict("gumbel", gumbel_of(inner))
    assert said.startswith("not yet: right, but at u = 0")
    assert "not finite" in said


def test_a_huge_gumbel_is_no_code():
    """nan_to_num makes infinity finite, and 1.8e308 is no code."""
    infinite = gumbel_of(lambda u: -np.log1p(-u))
    said = verdict("gumbel", lambda *arguments: np.nan_to_num(infinite(*arguments)))
    assert said.startswith("not yet: right, but at u = 0")
    assert said.endswith("finite, but no code")


def test_a_gumbel_whose_density_at_zero_is_another_s_is_told_so():
    def patched(u, mode, log_scale):
        z, log_q = gumbel_of(lambda u: -np.log1p(-u) + 1e-9)(u, mode, log_scale)
        return np.stack([z, np.where(u > 0, log_q, 0.0)])

    assert "not the density of the z" in verdict("gumbel", patched)


@pytest.mark.parametrize("margin", [1e-3, 1e-2])
def test_laplace_noise_without_its_tails_is_not_right(margin):
    def cut(mean, log_scale, u):
        e = -np.log(np.clip(u, margin, 1 - margin))
        return mean + np.exp(log_scale) * (e[0] - e[1])

    assert verdict("sample_laplace", cut).startswith("not yet")


@pytest.mark.parametrize("name", ["sample_laplace", "gumbel"])
def test_numbers_of_one_s_own_are_refused(name):
    rng = np.random.default_rng(0)

    def own(*arguments):
        fresh = [
            rng.random(a.shape) if np.all((a >= 0) & (a < 1)) else a for a in arguments
        ]
        return METHODS[name][next(iter(METHODS[name]))](*fresh)

    assert "draw no numbers of your own" in verdict(name, own)


@pytest.mark.parametrize("margin", [1e-3, 1e-2])
def test_a_clipped_entropy_is_named_whatever_its_margin(margin):
    def clipped(p):
        p = np.clip(p, margin, 1 - margin)
        return -np.sum(p * np.log(p) + (1 - p) * np.log(1 - p), axis=(1, 2, 3))

    assert "clip by far less" in verdict("uncertainty", clipped)


@pytest.mark.parametrize("tiny", [1e-300, 1e-30, 1e-12])
def test_a_small_number_before_the_logarithm_is_named(tiny):
    def mixture(z, means, log_weights):
        squares = np.sum((z[:, np.newaxis] - means) ** 2, axis=2)
        bells = np.exp(-squares / 2) / (2 * np.pi) ** (z.shape[1] / 2)
        return np.log(bells @ np.exp(log_weights) + tiny)

    assert "a small number added" in verdict("log_mixture", mixture)


def test_right_on_mild_inputs_agrees_with_finite_values_alone():
    def correct(x):
        return np.zeros(2) * x

    answers = {1.0: np.zeros(2), 9.0: np.ones(2), 8.0: np.full(2, np.nan)}
    agrees = comparing.right_on(lambda x: x < 5, lambda x: answers[x], correct)
    for x, found in ((1.0, np.zeros(2)), (9.0, np.ones(2)), (8.0, np.zeros(2))):
        np.testing.assert_array_equal(agrees(deepcopy(x)), found)


# What 02 and 03 ask of their own


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


@pytest.mark.parametrize("margin", [1e-5, 1e-7, 1e-12])
def test_a_clipped_probability_is_named_whatever_its_margin(margin):
    def clipped(x, logits):
        p = np.clip(1 / (1 + np.exp(-logits)), margin, 1 - margin)
        return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))

    assert "clipped" in verdict("bernoulli", clipped)


@pytest.mark.parametrize("level", [np.max, np.min, np.mean])
def test_one_level_for_all_pictures_is_not_each_one_s_largest(level):
    def shifted(log_weights):
        weights = np.exp(log_weights - level(log_weights))
        return (weights / weights.sum(axis=0)) ** 2

    assert "nan or infinite" in verdict("doubly_factor", shifted)
