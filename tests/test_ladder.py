"""The ladder's estimator, flow, priors and gradients against known answers."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf
from test_results import rows_of

from helpers import families, likelihoods
from helpers.engine import paths, results, sweeps
from helpers.engine.studies import ladder, ladder_models
from helpers.engine.studies.digits import Digits

pytestmark = pytest.mark.slow
SIGMA = 0.5


def principal_components(d=3, pixels=8, wide=1.2):
    """A model whose ln p(x) is known, 200 draws of it, and their ln p(x).

    Its q(z|x) has the exact posterior's mean, and variances that are too large.
    """
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(d, pixels)).astype("float32")
    precision = np.eye(d) + kernel @ kernel.T / SIGMA**2
    to_mean = np.linalg.solve(precision, kernel / SIGMA**2).T.astype("float32")
    log_var = np.log(wide / np.diag(precision)).astype("float32")
    to_mean, log_var, kernel = map(tf.Variable, (to_mean, log_var, kernel))
    model = ladder_models.Model(
        lambda x: [x @ to_mean, log_var + 0 * (x @ to_mean)],
        lambda z: z @ kernel,
        ladder_models.standard_normal,
        likelihoods.Gaussian(SIGMA, bounded=False).negative_log_likelihood,
        [to_mean, log_var, kernel],
    )
    covariance = kernel.numpy().T @ kernel.numpy() + SIGMA**2 * np.eye(pixels)
    density = scipy.stats.multivariate_normal(np.zeros(pixels), covariance)
    x = density.rvs(200, random_state=1).astype("float32")
    return model, x, density.logpdf(x)


def test_the_likelihood_is_that_of_probabilistic_pca_to_a_hundredth_of_a_nat():
    model, x, known = principal_components()
    elbo, likelihood = ladder_models.Bounds(model).likelihood(x, 5000)
    assert likelihood.mean() == pytest.approx(known.mean(), abs=0.01)
    np.testing.assert_allclose(likelihood, known, atol=0.2)
    gap = (known - elbo).mean()
    assert gap > 0.05
    one = ladder_models.Bounds(model).elbo(np.tile(x, (10, 1)))
    assert one.mean() == pytest.approx(elbo.mean(), abs=0.1)


@pytest.mark.parametrize("d", [2, 5])
def test_a_flow_is_inverted_and_its_slope_is_that_of_autodiff(d):
    keras.utils.set_random_seed(0)
    flow = ladder_models.RealNVP(d, layers=5, width=8)
    z = np.random.default_rng(0).normal(size=(20, d)).astype("float32")
    np.testing.assert_allclose(flow.forward(z)[0].numpy().std(), z.std(), rtol=1e-4)
    for weight in flow.trainable_variables:
        weight.assign(weight + 0.2 * keras.random.normal(weight.shape))
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        u, log_slope = flow.forward(z)
    jacobian = tape.batch_jacobian(u, z).numpy()
    np.testing.assert_allclose(
        log_slope, np.linalg.slogdet(jacobian)[1], atol=1e-4, rtol=1e-4
    )
    assert np.abs(u - z).max() > 0.5 and log_slope.numpy().std() > 0.1
    np.testing.assert_allclose(flow.inverse(u), z, atol=1e-5)
    expected = scipy.stats.norm.logpdf(u).sum(axis=1) + log_slope
    np.testing.assert_allclose(flow.log_density(z), expected, rtol=1e-4)


def test_a_second_layer_averages_to_the_known_density_of_its_codes():
    keras.utils.set_random_seed(0)
    layer = ladder_models.SecondLayer(3, inner=2, width=4)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(2, 3)).astype("float32")
    low = np.full(3, -1.0, "float32")
    wide = np.float32(0.3)
    precision = np.eye(2) + kernel @ kernel.T * np.exp(1)
    to_mean = np.linalg.solve(precision, kernel * np.exp(1)).T.astype("float32")
    layer.below = lambda u: tf.concat([u @ kernel, low + 0 * (u @ kernel)], 1)
    layer.above = lambda z: tf.concat([z @ to_mean, wide + 0 * (z @ to_mean)], 1)
    z = rng.normal(size=(40, 3)).astype("float32")
    draws = [layer.log_density(z, [0, i]).numpy() for i in range(4000)]
    covariance = kernel.T @ kernel + np.exp(-1) * np.eye(3)
    known = scipy.stats.multivariate_normal(np.zeros(3), covariance).logpdf(z)
    mean = np.logaddexp.reduce(draws, axis=0) - math.log(len(draws))
    np.testing.assert_allclose(mean, known, atol=0.1)
    assert mean.mean() == pytest.approx(known.mean(), abs=0.02)
    assert (np.mean(draws, axis=0) < known - 0.05).all()  # each is a bound


def test_a_mixture_is_the_families_own():
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    family = families.MixturePriorFamily(6)
    family.connect(encoder)
    for weight in family.trainable_variables:
        weight.assign(weight + keras.random.normal(weight.shape, seed=1))
    z = 2 * np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    ours = ladder_models.mixture(z, *family.mixture())
    np.testing.assert_allclose(ours, family.log_prior(z)[:, 0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("samples", [1, 4])
def test_both_gradients_agree_in_the_mean_and_one_has_less_noise(samples):
    model, x, _ = principal_components(wide=1.0)
    x = tf.constant(x)

    def draws(gradients):
        compute = tf.function(lambda seeds: gradients(model, x, seeds, samples))
        each = [compute(tf.constant([0, i])) for i in range(400)]
        flat = [np.concatenate([np.ravel(part) for part in one]) for one in each]
        return np.array(flat)

    plain = draws(ladder_models.bound_gradients)
    doubly = draws(ladder_models.doubly_gradients)
    error = np.sqrt((plain.var(axis=0) + doubly.var(axis=0)) / len(plain))
    apart = (plain.mean(axis=0) - doubly.mean(axis=0)) / error
    assert np.abs(apart).max() < 4.5
    to_encoder = slice(0, math.prod(model.weights[0].shape) + 3)
    noise = [each[:, to_encoder].var(axis=0).mean() for each in (plain, doubly)]
    assert noise[1] < noise[0]


def test_the_encoders_gradient_has_no_noise_where_q_is_exact():
    model, x, _ = principal_components(d=1, wide=1.0)
    slopes = ladder_models.doubly_gradients(
        model, tf.constant(x), tf.constant([0, 0]), 1
    )
    assert np.abs(slopes[0]).max() < 1e-4 and np.abs(slopes[1]).max() < 1e-4
    assert np.abs(slopes[2]).max() > 1e-3


# The study


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The study on 400 soft digits of 36 pixels, with small networks."""
    rng = np.random.default_rng(5)
    x = rng.uniform(size=(400, 6, 6, 1)).astype("float32") ** 4
    y = np.arange(400) % 10
    digits = Digits(x[:200], y[:200], x[200:300], x[300:], y[300:])
    for name, value in {
        "LATENTS": 4,
        "BATCH": 20,
        "DIGITS": 30,
        "IMPORTANCE": 50,
    }.items():
        monkeypatch.setattr(ladder, name, value)
    monkeypatch.setattr(ladder, "MARKS", 2)
    monkeypatch.setattr(ladder, "TOGETHER", 5)
    for name, options in ladder.RUNGS.items():
        small = {"widths": [8] * len(options["widths"])}
        small |= {"components": 5} if "components" in options else {}
        monkeypatch.setitem(ladder.RUNGS, name, options | small)
    monkeypatch.setattr(ladder, "load", lambda: digits)
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path)
    yield digits
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(
    ("rung", "compiled"), [("plain", False), ("vamp", False), ("two_layers", True)]
)
def test_a_rung_is_trained_and_measured(tiny, tmp_path, rung, compiled):
    tf.config.run_functions_eagerly(not compiled)  # XLA alone would take half a minute
    each = {"rung": rung, "steps": 20, "rate": 3e-3, "seed": 1}
    made = ladder.run(each)
    [row], curve = made["ladder"], made["ladder_curves"]
    assert {*row, *ladder.KEYS} == {*ladder.COLUMNS}
    assert {*curve[0], *ladder.KEYS} == {*ladder.CURVES}
    assert [point["step"] for point in curve] == [10, 20]
    assert -row["nll"] == pytest.approx(row["elbo"] + row["gap"], abs=1e-3)
    assert row["gap"] > 0 and row["nll"] < 30
    assert row["elbo"] == pytest.approx(row["validation_elbo"], abs=1.5)
    again = ladder.run(each)  # nothing is left to train: the same weights
    assert again["ladder_curves"] == curve
    assert again["ladder"][0]["nll"] == pytest.approx(row["nll"], abs=1e-4)
    with np.load(tmp_path / "ladder" / f"{rung}_20_0.003_1.weights.npz") as archive:
        assert sum(archive[name].size for name in archive.files) == row["parameters"]


def test_digits_are_random_and_fixed(tiny):
    digits = ladder.binary_digits()
    assert len(digits["test"]) == 30 and len(digits["train"]) == 200
    assert len(np.unique(digits["grey"])) > 2
    for part in ("train", "validation", "test"):
        assert set(np.unique(digits[part])) == {0, 1}
        np.testing.assert_array_equal(digits[part], ladder.binary_digits()[part])


def test_a_decoder_begins_at_the_mean_picture_and_a_vamp_prior_with_pictures():
    x = np.random.default_rng(0).uniform(size=(20, 36)) * np.linspace(0, 1.5, 36) > 0.5
    keras.utils.set_random_seed(0)
    options = {"widths": [8, 8], "prior": "vamp", "components": 3}
    model = ladder_models.build(x.astype("float32"), 4, **ladder.WELL | options)
    bias = model.decoder.get_weights()[-1]
    expected = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
    np.testing.assert_allclose(1 / (1 + np.exp(-bias)), expected, rtol=1e-4)
    np.testing.assert_array_equal(model.weights[-1], x[:3])
    mean, log_var = (part.numpy() for part in model.encoder(x[:3].astype("float32")))
    densities = [
        scipy.stats.norm(m, np.exp(v / 2)).logpdf(mean[0]).sum()
        for m, v in zip(mean, log_var, strict=True)
    ]
    mixed = np.logaddexp.reduce(densities) - math.log(3)
    found = model.prior(tf.constant(mean[:1]), None)
    assert float(found[0]) == pytest.approx(mixed, abs=1e-3)


def test_the_grid_has_every_rung_with_three_seeds_and_nothing_twice():
    grid = ladder.grid()
    sweeps.checked(grid)
    for rung, options in ladder.RUNGS.items():
        usual = {"rung": rung, "steps": ladder.SHORT}
        usual |= {"rate": ladder.RATES[options["cycle"]]}
        assert [each["seed"] for each in grid if usual.items() <= each.items()] == [
            *ladder.SEEDS
        ]


def test_the_table_has_runs_of_the_grid_and_figures_that_agree():
    path = results.RESULTS / "ladder.csv"
    if not path.exists():
        pytest.skip("make results has not run")
    rows, curves = rows_of(path), rows_of(path.with_name("ladder_curves.csv"))
    assert tuple(rows[0]) == ladder.COLUMNS and tuple(curves[0]) == ladder.CURVES
    there = [results.key_of(ladder, row) for row in rows]
    order = [results.key_of(ladder, run) for run in ladder.grid()]
    assert there == [key for key in order if key in there]
    assert {results.key_of(ladder, row) for row in curves} == set(there)
    for row in rows:
        nll, elbo, gap = (float(row[name]) for name in ("nll", "elbo", "gap"))
        assert -nll == pytest.approx(elbo + gap, abs=0.01)
        assert gap > 0 and 75 < nll < 110 and 0.3 < float(row["nll_error"]) < 1.5
        # of binary digits, random ones, and thus near each other
        assert elbo == pytest.approx(float(row["validation_elbo"]), abs=3)
