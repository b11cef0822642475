"""The paper's algorithms on models with known answers, and the study that uses them."""

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops
from test_results import made_tables, no_bound_above

from helpers import likelihoods, models
from helpers.engine import paths, results, stateless, sweeps
from helpers.engine.studies import paper
from helpers.engine.studies import paper_algorithms as algorithms
from helpers.engine.studies.digits import Digits
from helpers.engine.studies.stepping import Steps
from helpers.training import DivergedError

pytestmark = pytest.mark.slow
SIGMA = 0.5


def linear_model(d, pixels, seed=0):
    """p(x|z) = N(W z + b, SIGMA^2 I), untrained, with a linear encoder."""
    keras.utils.set_random_seed(seed)
    picture, code = keras.Input((pixels,)), keras.Input((d,))
    heads = [keras.layers.Dense(d)(picture) for _ in range(2)]
    decoder = keras.Model(code, keras.layers.Dense(pixels)(code))
    nll = likelihoods.Gaussian(SIGMA, bounded=False).negative_log_likelihood

    def draw(outputs, seeds):
        return outputs + SIGMA * stateless.normal(ops.shape(outputs), seeds)

    return algorithms.Model(keras.Model(picture, heads), decoder, nll, draw)


def exact(decoder, x):
    """ln p(x) of pictures under a linear decoder, (n,)."""
    weights, bias = decoder.get_weights()
    covariance = weights.T @ weights + SIGMA**2 * np.eye(len(bias))
    return scipy.stats.multivariate_normal(bias, covariance).logpdf(x)


def data_and_best():
    """Points near a line in five dimensions, and their greatest mean ln p(x).

    Source: Tipping and Bishop (1999), "Probabilistic principal component analysis".
    """
    rng = np.random.default_rng(0)
    line = np.array([[1.0, -0.5, 0.8, 0.0, -1.2]])
    x = rng.normal(size=(400, 1)) @ line + SIGMA * rng.normal(size=(400, 5)) + 0.3
    values, vectors = np.linalg.eigh(np.cov(x.T, bias=True))
    found = np.sqrt(values[-1] - SIGMA**2) * vectors[:, -1]
    covariance = np.outer(found, found) + SIGMA**2 * np.eye(5)
    best = scipy.stats.multivariate_normal(x.mean(axis=0), covariance).logpdf(x)
    return x.astype("float32"), best.mean()


@pytest.mark.parametrize("name", ["aevb", "wake_sleep", "mcem"])
def test_each_algorithm_finds_the_greatest_likelihood_of_a_linear_model(name, tmp_path):
    x, best = data_and_best()
    model = linear_model(1, 5)
    weights = model.decoder.trainable_variables
    if name != "mcem":
        weights = model.encoder.trainable_variables + weights
    end = 300 if name == "mcem" else 600
    rate = keras.optimizers.schedules.CosineDecay(0.03, end)
    optimizer = keras.optimizers.Adam(rate)
    optimizer.build(weights)
    z, sizes = keras.Variable(0 * x[:, :1]), keras.Variable(0 * x[:, :1] + 0.1)

    def update(loss):
        optimizer.apply(stateless.gradients(loss, weights), weights)

    def step(number):
        seeds = stateless.seeds_of(0, number)
        if name == "mcem":
            state = (z.value + 0, sizes.value + 0)
            found = algorithms.mcem_step(model, x, *state, seeds, update, 4, 2)
            for variable, value in zip((z, sizes), found, strict=True):
                variable.assign(value)
        else:
            loss = getattr(algorithms, f"{name}_loss")
            update(lambda: loss(model, x, seeds))

    kept = [*weights, *optimizer.variables, z, sizes]
    if name != "aevb":  # wake-sleep's step has all but the KL
        Steps(step, kept, tmp_path / "compiled.npz", together=1).go_to(1)
    steps = Steps(step, kept, tmp_path / "a.npz", xla=False)  # quicker to compile
    steps.go_to(end)
    assert best - 0.01 < exact(model.decoder, x).mean() <= best + 1e-4
    if name == "aevb":  # one latent: the bound can be tight
        seeds = [stateless.seeds_of(1, place) for place in range(20)]
        losses = [float(algorithms.aevb_loss(model, x, each)) for each in seeds]
        assert -np.mean(losses) == pytest.approx(best, abs=0.03)
    if name == "wake_sleep":  # q finds the exact posterior
        kernel = model.decoder.get_weights()[0]
        precision = 1 + (kernel**2).sum() / SIGMA**2
        z_log_var = ops.convert_to_numpy(model.encoder(x)[1])
        assert np.exp(-z_log_var).mean() == pytest.approx(precision, rel=0.1)


def test_no_gradient_crosses_between_the_phases_of_wake_sleep():
    x, _ = data_and_best()
    model = linear_model(2, 5)

    def slopes(x, loss, network):
        found = stateless.gradients(lambda: loss(x), network.trainable_variables)
        return [ops.convert_to_numpy(each) for each in found]

    def both(x):
        return algorithms.wake_sleep_loss(model, x, stateless.seeds_of(3, 4))

    def awake(x):
        z_mean, z_log_var = model.encoder(x)
        first = stateless.split(stateless.seeds_of(3, 4), 3)[0]
        z = z_mean + ops.exp(z_log_var / 2) * stateless.normal(z_mean.shape, first)
        return ops.mean(model.nll(x, model.decoder(z)))

    asleep = [slopes(part, both, model.encoder) for part in (x, x + 1)]
    for a, b in zip(*asleep, strict=True):  # whatever the pictures
        np.testing.assert_allclose(a, b, rtol=1e-5)
        assert np.abs(a).max() > 0.01
    for a, b in zip(
        slopes(x, both, model.decoder), slopes(x, awake, model.decoder), strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_hybrid_monte_carlo_draws_from_a_known_normal_and_accepts_nine_in_ten(no_xla):
    covariance = np.array([[1.0, 0.6], [0.6, 0.5]], "float32")
    precision = np.linalg.inv(covariance).astype("float32")

    def log_density(z):
        return -ops.sum((z - 2) @ precision * (z - 2), axis=1) / 2

    def trajectory(z, sizes, seeds):
        return algorithms.trajectory(log_density, z, sizes, seeds, leaps=4)

    move = stateless.compiled(trajectory, [])
    z, sizes, found, moved = ops.zeros((500, 2)), ops.full((500, 1), 0.1), [], []
    for number in range(400):
        after, sizes = move(z, sizes, stateless.seeds_of(0, number))
        found.append(ops.convert_to_numpy(after))
        moved.append(np.any(found[-1] != ops.convert_to_numpy(z), axis=1).mean())
        z = after
    assert np.mean(moved[200:]) == pytest.approx(0.9, abs=0.02)
    kept = np.concatenate(found[200::5])
    np.testing.assert_allclose(kept.mean(axis=0), [2, 2], atol=0.03)
    np.testing.assert_allclose(np.cov(kept.T), covariance, atol=0.03)


def test_both_estimates_of_the_likelihood_are_those_of_a_linear_model(no_xla):
    rng = np.random.default_rng(0)
    model = linear_model(2, 6, seed=3)
    codes = rng.normal(size=(100, 2)).astype("float32")
    x = ops.convert_to_numpy(model.decoder(codes))
    x = x + SIGMA * rng.normal(size=(100, 6)).astype("float32")
    weights = model.decoder.variables
    paper_, weighed = algorithms.Likelihood(model.log_joint, 2, weights)(x)
    known = exact(model.decoder, x)
    for found, apart, error in ((paper_, 0.3, 0.03), (weighed, 0.15, 0.01)):
        assert np.std(found - known) < apart  # of one picture
        assert found.mean() == pytest.approx(known.mean(), abs=error)


def two_modes():
    """Return ln p(x, z) of pictures with p(x) = 1: nine parts in a narrow mode."""
    centres, apart = np.array([[1.5, 1.5, 1.5], [0, 0, 0]], "float32"), (0.25, 0.5)

    def log_joint(x, z):
        each = [
            np.log(share) - ops.sum((z - c) ** 2, axis=1) / (2 * s**2) - 3 * np.log(s)
            for share, c, s in zip((0.9, 0.1), centres, apart, strict=True)
        ]
        height = ops.logsumexp(ops.stack(each), axis=0) - 1.5 * np.log(2 * np.pi)
        return height + 0 * ops.sum(x, axis=1)

    return log_joint, centres[0], apart[0]


def test_a_narrow_mode_that_has_most_of_the_likelihood_is_found(no_xla):
    """Of 100 draws of N(0, I) most miss it; and it is not below a bound.

    The bound is of a q in the better mode, a little too narrow.
    """
    log_joint, centre, apart = two_modes()
    x = np.zeros((50, 4), "float32")  # ln p(x) = 0
    both = algorithms.Likelihood(log_joint, 3, [])(x)
    for found in both:
        assert found.mean() == pytest.approx(0, abs=0.3)  # in the lesser mode, -2.3
    x, noise = np.zeros((200, 4), "float32"), np.random.default_rng(0).normal(size=600)
    noise = noise.reshape(200, 3)
    z = (centre + 0.7 * apart * noise).astype("float32")
    log_q = -(noise**2 + np.log(2 * np.pi * (0.7 * apart) ** 2)).sum(axis=1) / 2
    bound = ops.convert_to_numpy(log_joint(x, z)) - log_q
    assert bound.mean() == pytest.approx(-0.41, abs=0.1)
    for found in both:
        assert found.mean() > bound.mean()


# Steps that go on


def test_steps_go_on_where_they_were_kept(tmp_path):
    def training(file):
        weight = keras.Variable([1.0, 2.0])

        def step(number):
            noise = stateless.normal((2,), stateless.seeds_of(0, number))
            weight.assign(0.9 * weight + noise)

        return Steps(step, [weight], file, together=3)

    whole = training(tmp_path / "whole.npz")
    whole.go_to(11)
    first = training(tmp_path / "parts.npz")
    first.go_to(6)
    first.rows.append({"step": 6})
    first.keep()
    first.go_to(9)  # lost
    second = training(tmp_path / "parts.npz")
    assert (second.done, second.rows) == (6, [{"step": 6}])
    assert 0 < second.seconds < first.seconds
    second.go_to(11)
    assert second.done == whole.done == 12
    np.testing.assert_array_equal(second.variables[0], whole.variables[0])


def test_a_diverged_training_is_not_kept(tmp_path):
    weight = keras.Variable([1.0])
    steps = Steps(lambda _: weight.assign(weight / 0), [weight], tmp_path / "a.npz")
    steps.go_to(50)
    with pytest.raises(DivergedError, match="at step 50"):
        steps.keep()
    assert not list(tmp_path.iterdir())


# The study


def by_the_prior(estimator, x):
    """Two estimates of ln p(x) that are one: by four draws from N(0, I), at once."""
    codes = np.random.default_rng(0).normal(size=(4, len(x), estimator.d))
    prior = -(codes**2 + np.log(2 * np.pi)).sum(axis=2) / 2
    found = algorithms.log_mean(estimator.log_joint(x, codes) - prior)
    return found, found


@pytest.fixture
def tiny(monkeypatch, tmp_path, eager):
    """The study on 500 soft digits of 36 pixels, for moments."""
    rng = np.random.default_rng(5)
    x = rng.uniform(size=(500, 6, 6, 1)).astype("float32") ** 4
    y = np.arange(500) % 10
    digits = Digits(x[:300], y[:300], x[300:400], x[400:], y[400:])
    known = {"FIRST": 1000, "HIDDEN": {2: 7, 3: 5}, "SOME": 20, "TOGETHER": 25}
    known |= {"LEAPS": 4, "UPDATES": 2}
    for name, value in known.items():
        monkeypatch.setattr(paper, name, value)
    monkeypatch.setattr(algorithms.Likelihood, "__call__", by_the_prior)
    monkeypatch.setattr(paper, "load", lambda: digits)
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path)
    monkeypatch.setattr(models, "WEIGHTS", tmp_path)
    eager(True)  # of each rate's training all would be traced
    return digits


@pytest.mark.parametrize(
    ("figure", "name", "points"), [(2, "aevb", 300), (3, "mcem", 100)]
)
def test_a_run_chooses_a_rate_and_goes_on_with_it(
    tiny, tmp_path, figure, name, points, monkeypatch
):
    first, end, longest = 1000, 0.0017, 0.004
    if name == "aevb":  # of Monte Carlo EM's steps 25 are one
        first, end, longest = 500, 0.0009, 0.002
        monkeypatch.setattr(paper, "TOGETHER", 5)
        monkeypatch.setattr(paper, "FIRST", first)
    keys = (figure, name, 2, points)
    made = paper.run(dict(zip(paper.KEYS, (*keys, end), strict=True)))
    [row], curve = made["paper"], made["paper_curves"]
    assert {*made["paper_digits"][0], *paper.KEYS} == {*paper.DIGITS}
    each = np.array([text["likelihoods"].split() for text in made["paper_digits"]])
    assert each.shape == ((3, 20) if figure == 3 else (3, 0))
    for part, values in zip(paper.PARTS, each.astype(float), strict=True):
        if figure == 3:
            assert values.mean() == pytest.approx(row[f"{part}_likelihood"], abs=0.01)
    assert {*row} <= {*paper.COLUMNS} and {*curve[0]} <= {*paper.CURVES}
    tried = dict(zip(paper.RATES, (row[name] for name in paper.TRIED), strict=True))
    assert row["rate"] == max(tried, key=tried.get)
    judge = "validation_bound" if figure == 2 else "validation_likelihood"
    assert curve[0][judge] == tried[row["rate"]]
    assert curve[-1].items() <= row.items() and row["samples"] >= first
    longer = paper.run(dict(zip(paper.KEYS, (*keys, longest), strict=True)))
    assert longer["paper_curves"][: len(curve)] == curve  # goes on
    assert longer["paper_curves"][-1]["samples"] >= 3 * first
    assert (tmp_path / "paper_2.npz").exists() == (figure == 2)
    assert ("test_bound" in row) == (name != "mcem")
    assert ("test_some_bound" in row) == (figure == 3 and name != "mcem")
    assert ("test_likelihood" in row) == (figure == 3)


def test_digits_are_tossed_anew_for_figure_2_alone(tiny):
    grey = paper.chosen_digits({"figure": 2, "points": 300})
    fixed = paper.chosen_digits({"figure": 3, "points": 50})
    assert len(np.unique(grey["points"])) > 2
    assert set(np.unique(fixed["points"])) == {0, 1}
    assert len(grey["points"]) == 300 and len(fixed["points"]) == 50
    np.testing.assert_array_equal(fixed["train"], fixed["points"])
    for part in ("validation", "test"):
        assert set(np.unique(grey[part])) == {0, 1}


def test_the_grid_has_every_run_of_the_figures_once():
    grid = paper.grid()
    sweeps.checked(grid)
    assert len(grid) == 2 * (10 + 1 + 5)
    assert [run["millions"] for run in grid] == [1] * 16 + [10] * 16


def test_the_tables_have_bounds_below_likelihoods_and_means_of_all_digits():
    tables = made_tables(paper)
    for part in paper.PARTS:
        estimates = [f"{part}_{name}" for name in ("importance", "likelihood")]
        rows = tables["paper"] + tables["paper_curves"]
        no_bound_above(rows, f"{part}_some_bound", *estimates)
    means = {results.key_of(paper, row): row for row in tables["paper"]}
    for row in tables["paper_digits"]:
        each = [float(text) for text in row["likelihoods"].split()]
        mean = means[results.key_of(paper, row)][f"{row['part']}_likelihood"]
        assert bool(each) == bool(mean) == (row["figure"] == "3")
        if each:
            assert len(each) == paper.SOME
            assert np.mean(each) == pytest.approx(float(mean), abs=0.01)
