"""The studies behind data/results, and the tables that they made."""

import csv
import functools
import json

import numpy as np
import pytest
from campaign import tries
from small_data import needs_mnist

from helpers import datasets, families, layers, metrics, models, training
from helpers.engine import paths, results, sweeps
from helpers.engine.studies import autoencoders, factors, ladder, paper, planes, recipes
from helpers.engine.studies import families as study
from helpers.engine.studies.digits import Digits

pytestmark = pytest.mark.slow


# Families


def test_every_family_stands_in_the_grid_with_three_seeds_and_nothing_twice():
    grid = study.grid()
    sweeps.checked(grid)  # raises if one is there twice
    seeds = {}
    for each in grid:
        if (each["latents"], each["beta"]) == (16, 1):
            seeds.setdefault(each["family"], []).append(each["seed"])
    assert seeds.keys() == {*families.registry(), "autoencoder"}
    assert all(found == [0, 1, 2] for found in seeds.values())
    ours = [g for g in grid if g["family"] == "normal" and g["seed"] == 0]
    assert {g["latents"] for g in ours} == {2, 4, 8, 16, 32, 64}
    assert {g["beta"] for g in ours} == {0.1, 0.3, 1, 3, 10, 20}
    assert len(grid) == 3 * len(seeds) + 10


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The studies on 400 soft digits, with rounds of two steps."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(400, 28, 28, 1)).astype("float32") ** 4
    y = np.arange(400) % 10
    digits = Digits(x[:200], y[:200], x[200:300], x[300:], y[300:])
    known = {"ROUND": 2, "DIGITS": 8, "IMPORTANCE": 40, "SAMPLES": 110}
    for name, value in known.items():
        monkeypatch.setattr(study, name, value)
    for module in (study, autoencoders, recipes, planes):
        monkeypatch.setattr(module, "load", lambda: digits)
    monkeypatch.setattr(training, "XLA_FROM", 1000)  # the trainings have a few steps
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path / "build")
    return digits


RUN = {"family": "normal", "latents": 3, "beta": 1, "seed": 0, "cap": 6}


@pytest.mark.slow
def test_a_run_trains_a_vae_and_measures_it(tiny, tmp_path, eager):
    eager(True)
    made = json.loads(json.dumps(study.run(RUN), default=float))
    [run], curve = made["families"], made["curves"]
    assert set(run) | set(study.KEYS) == set(study.COLUMNS)
    assert run["elbo"] == pytest.approx(-(run["rate"] + run["distortion"]), rel=1e-5)
    assert run["elbo_binary"] < run["iwae_binary"]
    low, high = run["sample_distance_low"], run["sample_distance_high"]
    assert 0 < low < run["sample_distance"] < high
    assert [point["step"] for point in curve] == [2, 4, 6]
    assert {*curve[0], *study.KEYS} == set(study.CURVES)
    assert run["steps"] == 6 and run["converged"] == 0
    stem = tmp_path / "build" / "results" / "models" / "normal_3_1_0_6"
    model = study.untrained(RUN, tiny)
    models.load_weights(model, stem.with_name(f"{stem.name}.weights.npz"))
    assert metrics.elbo(model, tiny.x_test).elbo == pytest.approx(run["elbo"], rel=1e-2)
    with np.load(stem.with_name(f"{stem.name}.samples.npz")) as archive:
        samples = archive["samples"]
    assert samples.shape == (110, 28, 28, 1) and samples.dtype == np.uint8
    assert np.abs(samples / 255 - model.generate(110)).max() < 0.05


@pytest.mark.slow
def test_an_autoencoder_stops_when_it_gains_no_more(tiny, monkeypatch, eager):
    eager(True)
    for name, value in {"GAIN": {False: 1e9}, "PATIENCE": 2, "PLATEAU": 1}.items():
        monkeypatch.setattr(study, name, value)
    made = study.run(RUN | {"family": "autoencoder", "cap": 40})
    [run], curve = made["families"], made["curves"]
    assert not set(run) & {*study.BOUNDS, *study.SPARSITY}
    assert (run["steps"], run["converged"]) == (6, 1)  # the first round, and two more
    assert len(curve) == 3
    assert run["mse"] > 0 and 0 <= run["knn_accuracy"] <= 1


def test_errors_are_those_of_means_over_the_same_binary_digits(monkeypatch, make_vae):
    seen = []

    def terms(vae, x, seed):
        seen.append(x)
        return np.arange(4.0) + seed, np.full(4, 10.0)

    def bound(vae, x, samples, seed):
        seen.append(x)
        return -2.0 * seed

    monkeypatch.setattr(study, "DIGITS", 4)
    monkeypatch.setattr(metrics, "elbo_terms", terms)
    monkeypatch.setattr(metrics, "iwae_bound", bound)
    x = np.random.default_rng(1).uniform(size=(50, 8, 8, 1)).astype("float32")
    figures = study.bounds(make_vae(), x)
    assert figures["elbo_binary"] == -(10 + 1.5 + 4.5)  # seeds 0 to 9
    assert figures["iwae_binary"] == -3
    error = np.sqrt((2.25 + 0.25 + 0.25 + 2.25) / 3 / 4)
    assert figures["elbo_binary_error"] == pytest.approx(error)
    assert figures["iwae_binary_error"] == pytest.approx(2 * error)
    assert set(np.unique(seen[0])) == {0, 1}
    assert all(np.array_equal(x, seen[0]) for x in seen[:10])
    np.testing.assert_array_equal(np.concatenate(seen[10:]), seen[0])


def test_a_recipe_is_trained_anew_for_each_number_of_steps(tiny, monkeypatch, eager):
    eager(True)
    for name, steps in (("plain", [2, 3]), ("warm-up", [3]), ("free bits", [3])):
        monkeypatch.setattr(recipes, "STEPS", steps)
        rows = recipes.run({"recipe": name, "seed": 0})["recipes"]
        assert [row["steps"] for row in rows] == steps
        assert {*rows[0], *recipes.KEYS} == set(recipes.COLUMNS)
        assert all(row["rate"] > 0 and row["distortion"] > 0 for row in rows)
    assert {each["recipe"] for each in recipes.grid()} == recipes.RECIPES.keys()


def test_free_bits_charge_a_collapsed_latent_and_report_its_nats():
    layer = recipes.free_bits(layers.KLDivergence)("normal")
    rng = np.random.default_rng(0)
    busy = rng.normal(size=(2, 500, 3)).astype("float32")
    layer([*np.concatenate([busy, np.zeros((2, 500, 5), "float32")], axis=2)])
    nats = 0.5 * (busy[0] ** 2 + np.exp(busy[1]) - 1 - busy[1]).mean(axis=0)
    assert float(layer.losses[0]) == pytest.approx(nats.sum() + 5 * recipes.FREE)
    assert float(layer.rate.result()) == pytest.approx(nats.sum(), rel=1e-5)


@pytest.mark.parametrize(("model", "latents"), [("autoencoder", 4), ("vae", 2)])
def test_both_models_go_through_the_same_test(tiny, monkeypatch, model, latents):
    monkeypatch.setattr(planes, "STEPS", 2)
    monkeypatch.setattr(planes, "COUNT", 100)
    monkeypatch.setattr(planes, "BATCH", 50)
    distance = metrics.sample_distance
    smaller = functools.partial(distance, size=20)
    monkeypatch.setattr(metrics, "sample_distance", smaller)
    coarse = functools.partial(metrics.emptiness, cells=3)
    monkeypatch.setattr(metrics, "emptiness", coarse)
    configuration = {"model": model, "latents": latents, "seed": 0}
    [row] = planes.run(configuration)["planes"]
    empty = {"empty_window", "empty_prior"} if latents == 2 else set()
    assert row.keys() == {*planes.DISTANCES, *empty}
    assert all(0 <= row[name] <= 1 for name in empty)


def test_a_model_of_drawings_is_asked_after_each_number_of_steps(monkeypatch, eager):
    eager(True)
    monkeypatch.setattr(factors, "STEPS", (1, 2))
    monkeypatch.setattr(factors, "PARTS", {"train": 40, "fit": 60, "test": 60})
    rows = factors.run({"family": "laplace", "seed": 1})["factors"]
    assert [row["steps"] for row in rows] == [1, 2]
    assert {*rows[0], *factors.KEYS} == set(factors.TABLES["factors"])
    assert all(0 <= row["gap"] <= 1 and row["tilt"] <= 1 for row in rows)
    drawn, free = factors.load()
    assert len(drawn) == len(free) == 160
    assert np.ptp(free, axis=0).all() and len(np.unique(free)) == free.size


@pytest.mark.parametrize("kind", autoencoders.KINDS)
def test_an_autoencoder_is_trained_as_in_its_notebook(tiny, monkeypatch, kind):
    monkeypatch.setattr(autoencoders, "STEPS", 2)
    monkeypatch.setattr(autoencoders, "BATCH", 50)
    [row] = autoencoders.run({"kind": kind, "seed": 0})["autoencoders"]
    lacks = {"ssim"} if kind == "shuffled" else set()
    assert {*row, *autoencoders.KEYS} == set(autoencoders.COLUMNS) - lacks
    assert 0 < row["mse"] <= row["as_fitted"] + 1e-6  # clipped, it is nearer
    model = autoencoders.untrained(kind)
    noise = [each for each in model.layers if "noise" in each.name]
    assert [each.stddev for each in noise] == [0.5] * (kind == "denoiser")


def test_shuffling_moves_all_pictures_alike_and_noise_has_its_deviation():
    x = np.random.default_rng(3).random((300, 28, 28, 1), "float32")
    one, other = autoencoders.shuffled(x), autoencoders.shuffled(x[:5])
    np.testing.assert_array_equal(one[:5], other)
    assert not np.array_equal(one[:5], x[:5])
    np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(x, axis=None))
    assert np.std(autoencoders.with_noise(x) - x) == pytest.approx(0.5, abs=0.005)


# The command


def test_sparsity_is_that_of_the_latents_at_work(make_vae):
    vae = make_vae(latent_size=4)
    rng = np.random.default_rng(0)
    codes = rng.laplace(size=(4000, vae.latent_size)).astype("float32")
    codes[:, 0] = 0.01  # asleep: would make every code look sparser
    vae.encode = lambda x: codes
    found = study.sparsity(vae, codes)
    assert found["kurtosis"] == pytest.approx(3, abs=1)
    assert found["kurtosis_prior"] == pytest.approx(0, abs=0.3)
    assert found["hoyer"] == metrics.hoyer_sparsity(codes[:, 1:])
    assert found["hoyer_prior"] < found["hoyer"]


def finished_run(seed):
    """What ``families.run`` returns, made up."""
    figures = dict.fromkeys(study.COLUMNS[4:-3], seed + 0.123456789)
    counted = {"steps": 1000, "seconds": 3.5, "converged": 1}
    points = [
        {"step": 500, "loss": 101.23456, "rate": 20.0, "distortion": 81.2},
        {"step": 1000, "loss": 99.5, "rate": 21.0, "distortion": 78.5},
    ]
    return {"families": [figures | counted], "curves": points}


def test_the_command_goes_on_with_what_the_tables_lack(tiny, tmp_path, monkeypatch):
    grid = [RUN | {"seed": seed} for seed in (1, 0)]
    raw, tables = tmp_path / "build" / "results", tmp_path / "results"
    raw.mkdir(parents=True)
    monkeypatch.setattr(study, "grid", lambda: grid)
    asked = []

    def interrupted(function, todo, folder, workers, minutes, resumes):
        assert function == "helpers.engine.studies.families:run"
        assert (folder, workers, resumes) == (raw, 3, False) and 0.4 < minutes <= 0.5
        asked.append(todo)
        write_record(todo[-1], finished_run(todo[-1]["seed"]), raw)
        raise sweeps.SweepError("one failed")

    monkeypatch.setattr(sweeps, "sweep", interrupted)
    arguments = ["families", "--minutes", "0.5", "--workers", "3"]
    assert results.main(arguments) == 1
    assert [row["seed"] for row in rows_of(tables / "families.csv")] == ["0"]
    for file in raw.glob("*.json"):
        file.unlink()  # another machine has the tables alone
    before = (tables / "curves.csv").read_text()
    assert results.main(arguments) == 1
    assert asked == [grid, grid[:1]]
    rows = rows_of(tables / "families.csv")
    assert tuple(rows[0]) == study.COLUMNS
    assert [(row["seed"], row["elbo"]) for row in rows] == [
        ("1", "1.12346"),
        ("0", "0.123457"),
    ]
    points = rows_of(tables / "curves.csv")
    assert [point["loss"] for point in points] == ["101.235", "99.5"] * 2
    assert [point["step"] for point in points] == ["500", "1000"] * 2
    assert (
        before.splitlines()[1:] == (tables / "curves.csv").read_text().splitlines()[3:]
    )
    assert results.main(arguments) == 0 and len(asked) == 2


def test_a_run_that_one_of_its_tables_lacks_is_made_again(tiny, tmp_path, monkeypatch):
    grid = [RUN | {"seed": seed} for seed in (0, 1)]
    monkeypatch.setattr(study, "grid", lambda: grid)
    rows = {
        name: [
            results.with_keys(study, each, finished_run(0))[name][0] for each in grid
        ]
        for name in study.TABLES
    }
    results.write_csv(tmp_path / "families.csv", study.COLUMNS, rows["families"])
    results.write_csv(tmp_path / "curves.csv", study.CURVES, rows["curves"][:1])
    assert [*results.recorded(study, tmp_path)] == [("normal", "3", "1", "0")]


def write_record(configuration, result, folder):
    name = "helpers.engine.studies.families:run"
    record = {"function": name, "configuration": configuration, "seconds": 1.0}
    place = sweeps.place_of(name, configuration, folder)
    place.write_text(json.dumps(record | {"result": result}))


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_command_asks_for_mnist_itself(monkeypatch, tmp_path, capsys):
    stand_in = datasets.Dataset(*np.zeros((3, 1, 28, 28, 1)), "small digits", "here")
    monkeypatch.setattr(datasets, "load_mnist", lambda: stand_in)
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path)
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    assert results.main(["planes"]) == 1
    assert "this is small digits: save mnist.npz in data/" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/*.log"))


def test_the_command_names_its_studies(capsys):
    with pytest.raises(SystemExit):
        results.main(["family"])
    assert f"{', '.join(results.STUDIES)}, not family" in capsys.readouterr().err


# The results themselves, where they have been made

FAMILIES = results.RESULTS / "families.csv"
made = pytest.mark.skipif(not FAMILIES.exists(), reason="make results has not run")


def keys_of(row):
    family, latents, beta, seed = (row[key] for key in study.KEYS)
    return family, int(latents), float(beta), int(seed)


@made
def test_the_results_have_each_configuration_once_and_finite_numbers():
    rows, grid = rows_of(FAMILIES), study.grid()
    assert tuple(rows[0]) == study.COLUMNS
    assert [keys_of(row) for row in rows] == [keys_of(row) for row in grid]
    for row in rows:
        plain = row["family"] == "autoencoder"
        empty = {name for name, value in row.items() if value == ""}
        assert empty == ({*study.BOUNDS, *study.SPARSITY} if plain else set())
        figures = {k: float(v) for k, v in row.items() if v and k != "family"}
        assert np.isfinite(list(figures.values())).all()
        assert 0.1 < figures["knn_accuracy"] <= 1
        assert 0 < figures["steps"] <= study.CAP
        if not plain:
            bound = -(figures["rate"] + figures["distortion"])
            assert figures["elbo"] == pytest.approx(bound, abs=0.01)
            assert figures["elbo_binary"] <= figures["iwae_binary"]
            assert 0 <= figures["active_units"] <= figures["latents"]


@made
def test_every_result_has_its_curve():
    curves = {}
    for point in rows_of(FAMILIES.with_name("curves.csv")):
        assert tuple(point) == study.CURVES
        curves.setdefault(keys_of(point), []).append(point)
    rows = {keys_of(row): row for row in rows_of(FAMILIES)}
    assert curves.keys() == rows.keys()
    for keys, points in curves.items():
        assert points[-1]["step"] == rows[keys]["steps"]
        assert np.isfinite([float(point["loss"]) for point in points]).all()


WORDS = {"kind", "recipe", "model", "family", "rung", "algorithm", "part", "machine"}


def made_tables(study):
    """The rows of a study's tables: its runs in order, each with finite figures.

    Of a study whose runs go on when they were stopped some may be missing, the same
    ones in every table, and the first table has a row for each.
    """
    tables, order = {}, [results.key_of(study, run) for run in study.grid()]
    for name, columns in study.TABLES.items():
        path = results.RESULTS / f"{name}.csv"
        if not path.exists():
            pytest.skip("make results has not run")
        rows = tables[name] = rows_of(path)
        assert tuple(rows[0]) == columns
        keys = [results.key_of(study, row) for row in rows]
        if len(tables) == 1 and getattr(study, "RESUMES", False):
            order = [key for key in order if key in keys]
            assert keys == order
        assert list(dict.fromkeys(keys)) == order
        names = set(columns) - WORDS - {"likelihoods"}
        figures = [float(row[name]) for row in rows for name in names if row[name]]
        assert np.isfinite(figures).all()
    return tables


def no_bound_above(rows, bound, *likelihoods):
    """Assert that where there is a bound it is below likelihoods of the same digits.

    Those that are called nll are minus a likelihood.
    """
    for row in rows:
        for name in likelihoods if row[bound] else ():
            sign = -1 if name == "nll" else 1
            assert float(row[bound]) < sign * float(row[name]), (name, row)


@pytest.mark.parametrize(
    "study",
    [autoencoders, recipes, planes, factors, ladder, paper],
    ids=["autoencoders", "recipes", "planes", "factors", "ladder", "paper"],
)
def test_tables_have_their_runs_and_finite_figures(study):
    made_tables(study)


@made
@needs_mnist
@pytest.mark.skipif(not tries(0, 1), reason="trains for minutes: make soak")
def test_two_rows_come_out_again(tmp_path):
    """Within four standard deviations of a seed's, pooled over all families."""
    rows = {keys_of(row): row for row in rows_of(FAMILIES)}
    names = sorted(families.registry())
    chosen = np.random.default_rng().choice(names, 2, replace=False)
    grid = [
        each
        for each in study.grid()
        if each["family"] in chosen and (each["latents"], each["beta"]) == (16, 1)
        if each["seed"] == 0
    ]
    again = training.sweep("helpers.engine.studies.families:run", grid, tmp_path)
    for figure in ("elbo", "iwae_binary", "rate"):
        by_seed = [[float(rows[n, 16, 1, s][figure]) for s in (0, 1, 2)] for n in names]
        deviation = np.sqrt(np.var(by_seed, axis=1, ddof=1).mean())
        for each, result in zip(grid, again, strict=True):
            before = by_seed[names.index(each["family"])][0]
            apart = (result["families"][0][figure] - before) / deviation
            print(f"{each['family']}, {figure}: {apart:+.1f} deviations of a seed")
            assert abs(apart) < 4
