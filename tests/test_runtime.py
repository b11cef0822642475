"""helpers/budgets.py: the root, the budget, and a quiet import."""

import os
import subprocess
import sys

import pytest

from helpers.engine import budgets


def test_the_root_holds_the_course():
    assert (budgets.ROOT / "helpers" / "budgets.py").is_file()
    assert (budgets.ROOT / "requirements.txt").is_file()


def test_the_budget_is_full_unless_told(monkeypatch):
    monkeypatch.delenv("VAE_COURSE_BUDGET", raising=False)
    assert budgets.budget() == "full"
    assert budgets.by_budget(full=7, quick=3) == 7


@pytest.mark.parametrize(("name", "steps"), [("full", 7), ("quick", 3)])
def test_the_budget_follows_the_variable(monkeypatch, name, steps):
    monkeypatch.setenv("VAE_COURSE_BUDGET", name)
    assert budgets.budget() == name
    assert budgets.by_budget(full=7, quick=3) == steps


@pytest.mark.parametrize("name", ["", "QUICK", "slow"])
def test_an_unknown_budget_is_refused(monkeypatch, name):
    monkeypatch.setenv("VAE_COURSE_BUDGET", name)
    with pytest.raises(ValueError, match="VAE_COURSE_BUDGET must be one of"):
        budgets.by_budget(full=7, quick=3)


def test_silenced_stderr_is_silent_inside_and_restored_after(capfd):
    with budgets.silenced_stderr():
        os.write(2, b"inside")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_stderr_is_restored_after_an_exception(capfd):
    with pytest.raises(RuntimeError), budgets.silenced_stderr():
        raise RuntimeError
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_tensorflow_starts_without_log_lines():
    code = "from helpers import budgets; import tensorflow as tf; print(tf.constant(2) + 1)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=budgets.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tf.Tensor(3" in run.stdout
    assert run.stderr == ""


def test_compiled_training_starts_without_log_lines():
    code = """from helpers import budgets, models, training
import numpy as np
vae = models.build_vae((8, 8, 1), 2, hidden=(8,))
x = np.zeros((16, 8, 8, 1), "float32")
training.train(vae, x, steps=2, batch_size=8, held_out=x, jit_compile=True)
"""
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=budgets.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "step      2: loss" in run.stdout
    assert run.stderr == ""


def test_the_build_folder_is_made_where_it_is_missing(tmp_path, capsys):
    assert budgets.build_folder(tmp_path / "build") == tmp_path / "build"
    assert (tmp_path / "build").is_dir()
    assert list((tmp_path / "build").iterdir()) == []
    assert budgets.build_folder(tmp_path / "build") == tmp_path / "build"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["file", "file/build", "missing/build"])
def test_a_build_folder_that_cannot_be_written_is_replaced_and_said(
    tmp_path, capsys, name
):
    (tmp_path / "file").write_text("no folder")
    found = budgets.build_folder(tmp_path / name)
    (found / "film.gif").write_bytes(b"GIF")
    assert tmp_path not in found.parents
    assert "can't be written (" in (said := capsys.readouterr().out)
    assert f"files go to {found}" in said
    assert budgets.build_folder(tmp_path / name) == found
