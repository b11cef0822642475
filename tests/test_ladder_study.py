"""The ladder as a study: its digits, rungs, grid, command and table."""

import math
import re
from functools import partial
from types import SimpleNamespace

import keras
import ladder_board
import numpy as np
import pytest
import scipy.stats
from keras import ops

from helpers import datasets, metrics, models
from helpers.engine import paths, results, stateless, sweeps
from helpers.engine.studies import (
    ladder,
    ladder_models,
    ladder_networks,
    ladder_training,
)
from helpers.engine.studies.digits import Digits

pytestmark = pytest.mark.slow


def test_the_shipped_weights_have_the_likelihood_that_they_should():
    data = datasets.load_mnist()
    x = data.x_validation[:100].reshape(-1, 784)  # never trained on, offline too
    model = ladder_models.build(x, ladder.LATENTS, **ladder.RUNGS["conv"])
    with np.load(models.WEIGHTS / "ladder_conv.npz") as archive:
        for weight, name in zip(model.weights, sorted(archive), strict=True):
            weight.assign(archive[name].astype("float32"))
    coins = metrics.binarised(x, seed=0)
    elbo = ops.convert_to_numpy(model.log_ratios(coins, stateless.seeds_of(0, 0), 1))
    assert -90 < elbo.mean() < -70


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The study on 400 soft digits of 64 pixels, with small networks."""
    rng = np.random.default_rng(5)
    x = rng.uniform(size=(400, 8, 8, 1)).astype("float32") ** 4
    y = np.arange(400) % 10
    digits = Digits(x[:200], y[:200], x[200:300], x[300:], y[300:])
    for name, value in {
        "LATENTS": 4,
        "BATCH": 20,
        "DIGITS": 30,
        "CODES": {"dense": 50, "convolutional": 50},
        "LONG": 30,
        "ALL_CODES": 40,
        "MARKS": 2,
        "TOGETHER": 2,
    }.items():
        monkeypatch.setattr(ladder, name, value)
    monkeypatch.setattr(ladder_networks, "CHANNELS", 4)
    monkeypatch.setattr(ladder_networks, "BLOCKS", 1)
    monkeypatch.setattr(ladder_networks, "WIDTH", 8)
    for name, options in ladder.RUNGS.items():
        small = {"widths": [8] * len(options["widths"])}
        small |= {"components": 5} if "components" in options else {}
        small |= {"prior": "normal"} if name in ("conv", "hierarchy") else {}
        monkeypatch.setitem(ladder.RUNGS, name, options | small)
    monkeypatch.setattr(ladder, "load", lambda: digits)
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path)
    return digits


@pytest.mark.parametrize("rung", ["plain", "vamp", "two_layers", "hierarchy", "conv"])
def test_a_rung_is_trained_and_measured(tiny, tmp_path, rung, eager, monkeypatch):
    eager(rung != "plain")  # XLA would take up to half a minute for each
    plainly = partial(stateless.compiled, xla=False)
    monkeypatch.setattr(stateless, "compiled", plainly)  # its steps alone have XLA
    monkeypatch.setattr(ladder, "TOGETHER", 1)
    each = {"rung": rung, "steps": 2, "rate": 3e-3, "seed": 1}
    made = ladder.run(each)
    [row], curve = made["ladder"], made["ladder_curves"]
    assert {*row, *ladder.KEYS} == {*ladder.COLUMNS}
    assert {*curve[0], *ladder.KEYS} == {*ladder.CURVES}
    assert [point["step"] for point in curve] == [1, 2]
    assert -row["nll"] == pytest.approx(row["elbo"] + row["gap"], abs=1e-3)
    assert row["gap"] > 0 and row["nll"] < 50
    assert row["elbo"] == pytest.approx(row["validation_elbo"], abs=1.5)
    assert row["done"] == 2 and row["nll_all"] is None
    if rung == "vamp":
        again = ladder.run(each)  # nothing is left to train: the same weights
        assert again["ladder_curves"] == curve
        assert again["ladder"][0]["nll"] == pytest.approx(row["nll"], abs=1e-4)
    with np.load(tmp_path / "ladder" / f"{rung}_2_0.003_1.weights.npz") as archive:
        assert sum(archive[name].size for name in archive.files) == row["parameters"]


def test_digits_are_random_and_fixed(tiny):
    digits = ladder.binary_digits()
    assert len(digits["test"]) == 30 and len(digits["train"]) == 200
    assert len(np.unique(digits["grey"])) > 2
    for part in ("train", "validation", "test"):
        assert set(np.unique(digits[part])) == {0, 1}
        np.testing.assert_array_equal(digits[part], ladder.binary_digits()[part])


def test_a_decoder_begins_at_the_mean_picture_and_a_vamp_prior_with_pictures():
    x = np.random.default_rng(0).uniform(size=(20, 64)) * np.linspace(0, 1.5, 64) > 0.5
    keras.utils.set_random_seed(0)
    options = {"widths": [8, 8], "prior": "vamp", "components": 3}
    model = ladder_models.build(x.astype("float32"), 4, **ladder.WELL | options)
    bias = model.decoder.get_weights()[-1]
    expected = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), expected, rtol=1e-4)
    np.testing.assert_array_equal(model.weights[-1], x[:3])
    moments = model.encoder(x[:3].astype("float32"))
    mean, log_var = map(ops.convert_to_numpy, moments)
    densities = [
        scipy.stats.norm(m, np.exp(v / 2)).logpdf(mean[0]).sum()
        for m, v in zip(mean, log_var, strict=True)
    ]
    mixed = np.logaddexp.reduce(densities) - math.log(3)
    found = model.prior(mean[:1], None)
    assert float(found[0]) == pytest.approx(mixed, abs=1e-3)


def test_the_grid_has_every_rung_with_three_seeds_and_nothing_twice():
    grid = ladder.grid()
    sweeps.checked(grid)
    for rung, options in ladder.RUNGS.items():
        if options["networks"] != "dense":
            continue
        usual = {"rung": rung, "steps": ladder.SHORT, "rate": options["peak"]}
        assert [each["seed"] for each in grid if usual.items() <= each.items()] == [
            *ladder.SEEDS
        ]


class Clocked:
    """A rung's training by a clock that says what shares of its time are over."""

    def __init__(self, digits, **more):
        start = {"seed": 2, "steps": 0, "done": 0, "kept": []}
        grey = digits.x_train.reshape(-1, 64)
        self.task = SimpleNamespace(**start | more, grey=grey)
        self.training = ladder_training.by_clock(self.task, "doubly", batch=10)

    def go(self, *shares):
        for share in shares:
            steps, log_weights, kept = next(self.training)
            self.task.done = share
        return steps, log_weights, [ops.convert_to_numpy(each) for each in kept]


def test_a_rung_by_the_clock_goes_on_and_is_measured_as_others(
    tiny, monkeypatch, eager
):
    eager(True)
    monkeypatch.setattr(ladder_training, "PIECE", 1)
    training = Clocked(tiny)
    steps, log_weights, whole = training.go(0, 0.03, 0.06)
    half, _, kept = Clocked(tiny).go(0, 0.03)
    last, _, again = Clocked(tiny, kept=kept, steps=half, done=0.03).go(0.06)
    assert (half, last, steps) == (2, 3, 3)
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    grey = tiny.x_train.reshape(-1, 64)
    model = ladder_models.build(grey, 4, **ladder.RUNGS["doubly"])
    count = len(model.weights)
    averages = whole[-count - 1 : -1]
    assert np.abs(averages[0] - whole[0]).max() > 1e-4
    for weight, value in zip(model.weights, averages, strict=True):
        weight.assign(value)
    x = metrics.binarised(tiny.x_test.reshape(-1, 64))
    known = ladder_models.Bounds(model).likelihood(x, 50)[1]
    found = ladder_board.log_likelihoods(log_weights, x, 50)
    np.testing.assert_allclose(found, known, rtol=1e-5)
    training.task.done = 1
    _, _, end = training.go(1)  # the rate is at its end, too
    for before, after in zip(whole[:count], end, strict=False):
        np.testing.assert_allclose(after, before, atol=1e-6)


def test_the_command_trains_a_rung_and_leaves_the_tables_alone(
    tiny, tmp_path, monkeypatch, capsys, eager
):
    eager(True)
    tables = tmp_path / "results"
    monkeypatch.setattr(results, "RESULTS", tables)
    arguments = ["plain", "--steps", "4", "--seed", "1"]
    assert ladder.main(arguments) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[:12] for line in said[:2]] == ["step      2:", "step      4:"]
    assert said[2].startswith("plain, seed 1, 4 of 4 steps") and "NLL" in said[3]
    assert not tables.exists()
    with pytest.raises(SystemExit):
        ladder.main([*arguments, "--record"])
    assert "the study's grid alone" in capsys.readouterr().err
    each = dict(zip(ladder.KEYS, ("plain", 4, ladder.PLAIN["peak"], 1), strict=True))
    others = [each | {"seed": seed} for seed in (0, 2)]
    monkeypatch.setattr(ladder, "grid", lambda: [others[0], each, others[1]])
    for other in reversed(others):
        made = {"ladder": [{"nll": 90.0}], "ladder_curves": [{"step": 4}]}
        results.record(ladder, other, made)
    with pytest.raises(ValueError, match=r"lacks \('plain', '5'"):
        results.record(ladder, each | {"steps": 5}, made)
    assert ladder.main([*arguments, "--record"]) == 0
    rows = results.read_csv(tables / "ladder.csv")
    assert [row["seed"] for row in rows] == ["0", "1", "2"]
    curve = results.read_csv(tables / "ladder_curves.csv")
    assert [row["step"] for row in curve] == ["4", "2", "4", "4"]


def test_the_command_says_what_is_wrong(tiny, monkeypatch, capsys):
    for arguments, words in (
        (["plane"], "the rungs are plain, trained_well, .*, not plane"),
        (["plain", "--steps", "0"], "steps must be at least 1, and are 0"),
    ):
        with pytest.raises(SystemExit):
            ladder.main(arguments)
        assert re.search(words, capsys.readouterr().err)

    def missing():
        raise ValueError("results are of MNIST")

    monkeypatch.setattr(ladder, "load", missing)
    assert ladder.main(["plain"]) == 1
    assert "results are of MNIST" in capsys.readouterr().err


def test_the_table_has_figures_that_agree():
    from test_results import made_tables, no_bound_above  # needs TensorFlow

    rows = made_tables(ladder)["ladder"]
    no_bound_above(rows, "elbo", "nll")
    for row in rows:
        nll, elbo, gap = (float(row[name]) for name in ("nll", "elbo", "gap"))
        assert -nll == pytest.approx(elbo + gap, abs=0.01)
        assert 75 < nll < 110 and 0.3 < float(row["nll_error"]) < 1.5
        assert row["machine"] and 0 < int(row["done"]) <= int(row["steps"])
        assert row["codes"] == ("500" if row["rung"].startswith("conv") else "5000")
        if row["nll_all"]:  # of all digits, by fewer codes
            assert float(row["nll_all"]) == pytest.approx(nll, abs=1)
        # of binary digits, random ones, and thus near each other
        assert elbo == pytest.approx(float(row["validation_elbo"]), abs=3)
