"""The study that trains the cats' networks: its rows, and how a run goes on."""

import json

import numpy as np
import pytest

from helpers import datasets, metrics, models
from helpers.engine import backups, results, sweeps
from helpers.engine.studies import cats

NETWORK = {"filters": [4, 4], "blocks": [1, 1]}
RUN = {"name": "normal", **cats.USUAL, "latents": 3, **NETWORK, "steps": 4}
LOAD = cats.load  # which the tests below replace
BASELINE = {"latents", *(f"{part}_psnr" for part in ("train", "validation", "test"))}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """The experiment's data and folder: 48 soft pictures, as many rounds as steps."""
    x = np.random.default_rng(0).random((48, 64, 64, 3), "float32") ** 4
    photographs = datasets.Dataset(x[:24], x[24:36], x[36:], "cats", "here")
    known = {"ROUND": 1, "BATCH": 8, "PRECISION": "float32"}
    known |= {"load": lambda: photographs}
    folder = tmp_path_factory.mktemp("cats")
    (folder / "weights").mkdir()
    with pytest.MonkeyPatch.context() as patched:
        for name, value in known.items():
            patched.setattr(cats, name, value)
        patched.setattr(cats.paths, "build_folder", lambda: folder / "build")
        patched.setattr(models, "WEIGHTS", folder / "weights")
        yield photographs, folder


@pytest.fixture(scope="module")
def whole(tiny):
    """What a run without a stop returned, and the weights that it kept."""
    made = cats.run(RUN)
    return made, (tiny[1] / "build" / "cats" / "normal.weights.npz").read_bytes()


def test_every_run_stands_in_the_grid_once_and_fits_its_table():
    grid = cats.grid()
    sweeps.checked(grid)  # raises if one is there twice
    names = [each["name"] for each in grid]
    assert len(set(names)) == len(names)
    assert {"photographs", "pca_64", "pca_128", *cats.RUNGS, *cats.SHIPPED} < {*names}
    chosen = cats.RUNGS[cats.CHOSEN]
    for name in (*cats.FAMILIES, *cats.OTHERS):
        for end, steps in cats.STEPS.items():
            [each] = [each for each in grid if each["name"] == name + end]
            assert (each["steps"], each["blocks"]) == (steps, chosen["blocks"])


def test_what_ships_is_what_the_validation_photographs_chose():
    rows = {row["name"]: row for row in results.read_csv(results.RESULTS / "cats.csv")}
    bits = {name: float(row["validation_bits"] or 9) for name, row in rows.items()}
    assert min(cats.RUNGS, key=bits.get) == cats.CHOSEN
    for run, name in cats.SHIPPED.items():
        assert bits[run] == min(bits[name + end] for end in cats.STEPS)
    assert {*cats.FAMILIES} <= {*cats.SHIPPED.values()}


def test_what_ships_is_what_the_course_builds():
    vae = models.build_cat_vae()
    chosen = {k: v for k, v in cats.RUNGS[cats.CHOSEN].items() if k in NETWORK}
    built = cats.build(cats.USUAL | chosen)
    shapes = [[w.shape for w in model.weights] for model in (vae, built)]
    assert shapes[0] == shapes[1]


@pytest.mark.slow
def test_a_run_trains_a_network_and_measures_it_as_it_ships(tiny, whole):
    tiny, folder = tiny
    made = json.loads(json.dumps(whole[0], default=float))
    [run], curve = made["cats"], made["cats_curves"]
    assert {"name", *run} == set(cats.COLUMNS)
    assert (run["filters"], run["blocks"]) == ("4-4", "1-1")
    assert run["pictures"] == 4 * 8
    assert [point["pictures"] for point in curve] == [8, 16, 24, 32]
    assert {"name", *curve[0]} == set(cats.CURVES)
    vae = models.build_cat_vae(latent_size=3, filters=[4, 4], blocks=[1, 1])
    models.load_weights(vae, folder / "weights" / "cats_normal.npz")
    assert run["parameters"] == vae.count_params()
    with np.load(folder / "weights" / "cats_normal_codes.npz") as archive:
        codes = archive["codes"]
    z_mean, z_log_var = vae.posterior_arrays(tiny.x_train)
    assert codes.shape == z_mean.shape and codes.dtype == np.float16
    away = (codes - z_mean) / np.exp(z_log_var / 2)
    assert 0.7 < away.std() < 1.3
    drawn, pca = (
        vae.reconstruct(tiny.x_test),
        models.PrincipalComponents(tiny.x_train, 3),
    )
    psnr = metrics.psnr(tiny.x_test, drawn)
    assert run["test_psnr"] == pytest.approx(psnr.mean(), rel=1e-4)
    lead = psnr - metrics.psnr(tiny.x_test, pca.reconstruct(tiny.x_test))
    assert run["lead"] == pytest.approx(lead.mean(), rel=1e-2)
    assert run["lead_error"] == pytest.approx(lead.std(ddof=1) / 12**0.5, rel=1e-2)
    assert run["block_ratio"] == pytest.approx(metrics.block_ratio(drawn), rel=1e-3)
    bits = metrics.bits_per_dimension(vae, tiny.x_validation)
    assert run["validation_bits"] == pytest.approx(bits, rel=1e-3)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_one_that_was_not(tiny, whole, monkeypatch):
    weights = tiny[1] / "build" / "cats" / "normal.weights.npz"
    whole, expected = whole
    monkeypatch.setattr(cats, "measured", lambda *_: {})  # of equal weights no other
    weights.unlink()
    keep = backups.Backup.on_epoch_end

    def interrupted(self, epoch, logs=None):
        keep(self, epoch, logs)
        if epoch == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(backups.Backup, "on_epoch_end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cats.run(RUN)
    assert not weights.exists()
    again = cats.run(RUN)
    assert weights.read_bytes() == expected
    assert again["cats_curves"] == whole["cats_curves"]


@pytest.mark.slow
def test_baselines_have_a_row_each(tiny):
    for name, columns in (("photographs", {"latents"}), ("pca_3", BASELINE)):
        made = cats.run({"name": name, "latents": 3})
        [row] = made["cats"]
        assert made["cats_curves"] == [] and set(row) == {"block_ratio", *columns}
        assert all(np.isfinite(list(row.values())))


@pytest.mark.slow
def test_a_rung_does_not_ship_and_a_leaky_run_also_trains_on_twins(tiny, monkeypatch):
    twins, folder = np.zeros((5, 64, 64, 3), "float32"), tiny[1]
    monkeypatch.setattr(datasets, "load_cat_twins", lambda: (np.arange(5), twins))
    seen, train = [], cats.trained

    def watched(x_train, *others):
        seen.append(x_train)
        return train(x_train, *others)

    monkeypatch.setattr(cats, "trained", watched)
    monkeypatch.setattr(cats, "measured", lambda *_: {})
    there = {*(folder / "weights").iterdir()}
    for each in ({"name": "leaky", "leaky": True}, {"name": "plain"}):
        cats.run(RUN | each | {"steps": 1})
        assert (folder / "build" / "cats" / f"{each['name']}.weights.npz").exists()
    assert {*(folder / "weights").iterdir()} == there
    assert [len(x) for x in seen] == [29, 24]
    np.testing.assert_array_equal(seen[0][24:], twins)


def test_it_asks_for_photographs(monkeypatch):
    drawn = datasets.Dataset(*np.zeros((3, 1, 64, 64, 3)), "drawn cats", "here")
    monkeypatch.setattr(datasets, "load_cats", lambda: drawn)
    with pytest.raises(ValueError, match="these are drawn cats: run"):
        LOAD()
