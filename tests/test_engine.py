"""helpers/engine: paths and budgets, a quiet start, imports without side effects."""

import gc
import os
import subprocess
import sys

import pooch
import pytest

from helpers.engine import budgets, commands, paths
from helpers.engine.quiet_start import silenced_stderr, uncollected


def run_python(code, *arguments, folder=paths.ROOT, **variables):
    """What a fresh process prints, which must end well and log nothing."""
    quieter = "TF_CPP_MIN_LOG_LEVEL"  # which JAX sets, here and for children
    inherited = {k: value for k, value in os.environ.items() if k != quieter}
    run = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=folder,
        env=inherited | variables,
        capture_output=True,
        text=True,
    )
    assert (run.returncode, run.stderr) == (0, ""), run.stderr
    return run.stdout


# Paths


def test_in_a_checkout_everything_stands_beside_the_helpers():
    assert (paths.ROOT / "helpers" / "engine" / "paths.py").is_file()
    assert paths.data_folder() == paths.ROOT / "data"


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """The folder in the user's cache of a package that was installed."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "site-packages")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    return tmp_path / "cache" / "vae-course"


def test_outside_a_checkout_everything_is_in_the_users_cache(elsewhere):
    assert paths.data_folder() == elsewhere / "data"
    assert not elsewhere.exists()
    assert paths.build_folder() == paths.build_folder() == elsewhere / "build"
    assert list((elsewhere / "build").iterdir()) == []


@pytest.mark.parametrize("name", ["", "build"])
def test_a_build_folder_that_cannot_be_written_is_replaced_and_said(
    elsewhere, capsys, name
):
    elsewhere.parent.mkdir()
    if name:
        elsewhere.mkdir()
    (elsewhere / name).write_text("no folder")
    found = paths.build_folder()
    (found / "film.gif").write_bytes(b"GIF")
    assert elsewhere not in found.parents
    said = capsys.readouterr().out
    assert str(elsewhere / "build") in said
    assert str(found) in said
    assert paths.build_folder() == found


# Budgets


@pytest.mark.parametrize(
    ("name", "steps"),
    [(None, 7), ("full", 7), ("short", 5), ("quick", 3), ("QUICK", None)],
)
def test_the_budget_follows_the_variable_and_is_full_by_default(
    monkeypatch, name, steps
):
    monkeypatch.delenv("VAE_COURSE_BUDGET", raising=False)
    if name:
        monkeypatch.setenv("VAE_COURSE_BUDGET", name)
    if steps is None:
        with pytest.raises(ValueError, match=name):
            budgets.by_budget(full=7, short=5, quick=3)
    else:
        assert budgets.by_budget(full=7, short=5, quick=3) == steps
        assert budgets.budget() == (name or "full")


def test_short_is_a_tenth_of_full_and_no_less_than_quick(monkeypatch):
    monkeypatch.setenv("VAE_COURSE_BUDGET", "short")
    assert budgets.by_budget(full=400, quick=30) == 40
    assert budgets.by_budget(full=400, quick=60) == 60
    assert budgets.by_budget(full=False, quick=True) is False


# The quiet start, and imports


def test_silenced_stderr_is_silent_inside_and_restored_after(capfd):
    with pytest.raises(RuntimeError), silenced_stderr():
        os.write(2, b"inside")
        raise RuntimeError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_garbage_is_collected_after_the_imports_if_it_was_before():
    gc.unfreeze()
    with uncollected():
        assert not gc.isenabled()
        gc.disable()
    assert gc.isenabled() and gc.get_freeze_count() > 100_000
    gc.disable()
    with uncollected():
        pass
    assert not gc.isenabled()
    gc.enable()


IMPORTS = """
import importlib, logging, pathlib, sys
import matplotlib, pooch

LIGHT = ["helpers.checks", "helpers.datasets", "helpers.plots", "helpers.plots.films"]
LIGHT += ["helpers.plots.notebook_01", "helpers.plots.notebook_05"]
LIGHT += [f"helpers.engine.{name}" for name in ("archives", "downloads", "notebooks")]
style, levels, tensorflow, seen = dict(matplotlib.rcParams), [], [], []
cache = pooch.os_cache("vae-course")

def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.get", "socket.send")):
        seen.append(event)
        raise OSError("no network here")
    if event == "os.mkdir":
        made = pathlib.Path(arguments[0]).absolute()
        if {pathlib.Path.cwd(), cache} & {made, *made.parents}:
            seen.append(str(made))

sys.addaudithook(watch)
files = sorted(pathlib.Path("helpers").rglob("*.py"))
names = [".".join(file.with_suffix("").parts) for file in files]
assert set(LIGHT) <= {name.removesuffix(".__init__") for name in names}
for name in [*LIGHT, *names]:
    importlib.import_module(name.removesuffix(".__init__"))
    tensorflow += ["tensorflow" in sys.modules]
    levels += [logging.getLogger(of).level for of in (None, "tensorflow")]
assert dict(matplotlib.rcParams) == style
assert set(levels) <= {logging.NOTSET, logging.WARNING}
assert seen == [], seen
assert tensorflow[len(LIGHT) - 1] is False and tensorflow[-1] is True
import keras, numpy
from helpers import training
model, x = keras.Sequential([keras.layers.Dense(1)]), numpy.zeros((16, 8, 8, 1))
training.XLA_FROM = 1
training.train(model, x, steps=2, rounds=1, batch_size=8, jit_compile=True)
sys.modules["helpers.engine.quiet_start"].silence_retracing()
assert logging.getLogger("tensorflow").level == logging.ERROR
try:
    import socket
    socket.create_connection(("localhost", 9))
except OSError:
    print(len(seen))
"""


@pytest.mark.slow
def test_imports_have_no_side_effects_and_compiled_training_no_log_lines():
    *lines, count = run_python(IMPORTS, PYTHONDONTWRITEBYTECODE="1").splitlines()
    assert int(count), "the hook is blind"
    assert any("loss" in line for line in lines)


def test_without_tensorflow_the_quiet_start_is_none():
    code = """import sys
sys.modules["tensorflow"] = None  # as if it were not installed
from helpers.engine import quiet_start
quiet_start.silence_retracing()
"""
    run_python(code, KERAS_BACKEND="jax")


def test_a_study_is_run_beside_a_lesson_and_its_lines_are_shown(capsys):
    commands.run_study("ladder", "--help")
    assert "usage: python -m helpers.engine.studies.ladder" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="ladder failed, with status 2"):
        commands.run_study("ladder", "stairs", "--steps", 5)
    assert "the rungs are plain" in capsys.readouterr().out


def test_a_study_shows_its_lines_as_they_come_and_ends_with_the_lesson(
    tmp_path, monkeypatch
):
    folder = tmp_path / "helpers" / "engine" / "studies"
    folder.mkdir(parents=True)
    for package in (folder, *folder.parents[:2]):
        (package / "__init__.py").touch()
    code = "import os, time\nprint(os.getpid())\ntime.sleep(60)"
    (folder / "slow.py").write_text(code)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    shown = []

    def interrupted(line, **options):
        shown.append(int(line))
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "print", interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        commands.run_study("slow")
    with pytest.raises(ProcessLookupError):
        os.kill(shown[0], 0)
