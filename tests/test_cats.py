"""The command that trains the cats' networks: its tables, and how it goes on."""

import csv
import json

import numpy as np
import pytest

from helpers import datasets, metrics, models
from helpers.engine import backups, cats, sweeps

NETWORK = {"filters": [4, 4], "blocks": [1, 1]}
RUN = {"name": "normal", **cats.USUAL, "latents": 3, **NETWORK, "steps": 6}
FIGURES = set(cats.COLUMNS) - {
    "name",
    *cats.USUAL,
    "filters",
    "blocks",
    "learning_rate",
}


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """The experiment on 80 soft pictures, with rounds of two steps."""
    x = np.random.default_rng(0).random((80, 64, 64, 3), "float32") ** 4
    photographs = datasets.Dataset(x[:40], x[40:60], x[60:], "cats", "here")
    known = {"ROUND": 2, "BATCH": 8, "PRECISION": "float32"}
    known |= {"load_photographs": lambda: photographs, "RESULTS": tmp_path / "results"}
    for name, value in known.items():
        monkeypatch.setattr(cats, name, value)
    monkeypatch.setattr(cats.paths, "build_folder", lambda: tmp_path / "build")
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(models, "WEIGHTS", tmp_path / "weights")
    return photographs


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_run_stands_in_the_grid_once_and_fits_its_table():
    grid = cats.grid()
    sweeps.checked(grid)  # raises if one is there twice
    names = [each["name"] for each in grid]
    assert len(set(names)) == len(names)
    assert {"photographs", "pca_64", "pca_128", *cats.RUNGS, *cats.SHIPPED} < {*names}
    chosen = cats.RUNGS[cats.CHOSEN]
    for each in grid:
        if each["name"] in cats.SHIPPED:
            assert (each["steps"], each["blocks"]) == (cats.STEPS, chosen["blocks"])


def test_what_ships_is_what_the_course_builds():
    vae = models.build_cat_vae()
    chosen = {k: v for k, v in cats.RUNGS[cats.CHOSEN].items() if k in NETWORK}
    built = cats.build("normal", 64, "optimal", **chosen)
    shapes = [[w.shape for w in model.weights] for model in (vae, built)]
    assert shapes[0] == shapes[1]


@pytest.mark.slow
def test_a_run_trains_a_network_and_measures_it_as_it_ships(tiny, tmp_path):
    run = json.loads(json.dumps(cats.run(RUN), default=float))
    assert set(run) == {*FIGURES, "curve"}
    assert run["pictures"] == 6 * 8 and run["curve"]["pictures"] == [16, 32, 48]
    assert set(run["curve"]) | {"name"} == set(cats.CURVES)
    assert run["processor_seconds"] > 0 and run["seconds"] > 0
    vae = models.build_cat_vae(latent_size=3, filters=[4, 4], blocks=[1, 1])
    models.load_weights(vae, tmp_path / "build" / "cats" / "normal.weights.npz")
    assert run["parameters"] == vae.count_params()
    drawn, pca = (
        vae.reconstruct(tiny.x_test),
        models.PrincipalComponents(tiny.x_train, 3),
    )
    psnr = metrics.psnr(tiny.x_test, drawn)
    assert run["test_psnr"] == pytest.approx(psnr.mean(), rel=1e-4)
    lead = psnr - metrics.psnr(tiny.x_test, pca.reconstruct(tiny.x_test))
    assert run["lead"] == pytest.approx(lead.mean(), rel=1e-2)
    assert run["lead_error"] == pytest.approx(lead.std(ddof=1) / 20**0.5, rel=1e-2)
    assert run["block_ratio"] == pytest.approx(metrics.block_ratio(drawn), rel=1e-3)
    bits = metrics.bits_per_dimension(vae, tiny.x_validation)
    assert run["validation_bits"] == pytest.approx(bits, rel=1e-3)


@pytest.mark.slow
def test_an_interrupted_run_ends_as_one_that_was_not(tiny, tmp_path, monkeypatch):
    weights = tmp_path / "build" / "cats" / "normal.weights.npz"
    whole = cats.run(RUN)
    expected = weights.read_bytes()
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
    timed = ("seconds", "processor_seconds")
    for one, other in zip(whole.items(), again.items(), strict=True):
        if one[0] not in timed:
            np.testing.assert_equal(one, other)
    assert again["processor_seconds"] > 0


@pytest.mark.slow
def test_baselines_have_a_row_each(tiny):
    for name, columns in (
        ("photographs", {"block_ratio"}),
        ("pca_3", {"block_ratio", "train_psnr", "validation_psnr", "test_psnr"}),
    ):
        run = cats.run({"name": name, "latents": 3})
        assert run.pop("curve") == {} and set(run) == columns
        assert all(np.isfinite(list(run.values())))


def finished(name):
    """What ``run`` returns, made up."""
    figures = dict.fromkeys(sorted(FIGURES), 0.123456789)
    curve = {"pictures": [16_000, 32_000], "loss": [9.5, 8.25]}
    return figures | {"curve": curve | {"rate": [1.0, 2.0], "distortion": [8.5, 6.25]}}


def test_the_command_goes_on_with_what_the_table_lacks(tiny, tmp_path, monkeypatch):
    names = [each["name"] for each in cats.grid()]
    folder, asked = tmp_path / "build" / "cats", []
    folder.mkdir(parents=True)
    name = "helpers.engine.cats:run"

    def interrupted(function, todo, place, workers, threads, minutes, resumes):
        assert (function, place, workers, minutes) == (name, folder, 2, 0.5)
        assert resumes and threads >= 1
        asked.append([each["name"] for each in todo])
        (folder / f"{todo[-1]['name']}.weights.npz").write_bytes(b"weights")
        record = {"function": name, "configuration": todo[-1], "seconds": 1.0}
        record["result"] = finished(todo[-1]["name"])
        sweeps.place_of(name, todo[-1], folder).write_text(json.dumps(record))
        raise sweeps.SweepError("one failed")

    monkeypatch.setattr(sweeps, "sweep", interrupted)
    arguments = ["--minutes", "0.5", "--workers", "2"]
    assert cats.main([*arguments, "laplace", "normal"]) == 1
    table = tmp_path / "results" / "cats.csv"
    assert [row["name"] for row in rows_of(table)] == ["normal"]
    assert (tmp_path / "weights" / "cats_normal.npz").read_bytes() == b"weights"
    for file in folder.glob("*.json"):
        file.unlink()  # another machine has the tables alone
    assert cats.main(arguments) == 1
    assert asked == [["laplace", "normal"], [n for n in names if n != "normal"]]
    rows = rows_of(table)
    assert tuple(rows[0]) == cats.COLUMNS
    assert [row["name"] for row in rows] == ["normal", names[-1]]
    assert {row["test_psnr"] for row in rows} == {"0.123457"}
    assert rows[0]["filters"] == "-".join(map(str, cats.RUNGS[cats.CHOSEN]["filters"]))
    points = rows_of(table.with_name("cats_curves.csv"))
    assert [point["loss"] for point in points] == ["9.5", "8.25"] * 2
    assert cats.main([*arguments, "normal"]) == 0 and len(asked) == 2
    assert len(list((tmp_path / "weights").glob("*"))) == 1  # of what ships


def test_the_command_asks_for_photographs(monkeypatch, tmp_path, capsys):
    drawn = datasets.Dataset(*np.zeros((3, 1, 64, 64, 3)), "drawn cats", "here")
    monkeypatch.setattr(datasets, "load_cats", lambda: drawn)
    monkeypatch.setattr(cats, "RESULTS", tmp_path)
    monkeypatch.setattr(cats.paths, "build_folder", lambda: tmp_path)
    assert cats.main(["pca_64"]) == 1
    assert "these are drawn cats: run" in capsys.readouterr().err
    assert not list(tmp_path.glob("**/*.log"))
    with pytest.raises(SystemExit):
        cats.main(["no such run"])
