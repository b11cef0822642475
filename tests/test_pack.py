"""The offline pack: what goes into it, and that it sets itself up from its own wheels.

The whole pack, of nearly a gigabyte, is tried by hand: see CONTRIBUTING.md.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from helpers.datasets import dataset
from teaching import pack, set_up

WHEEL = "tiny-1.0-py3-none-any.whl"


def small_wheel(path):
    """Write a wheel of one module."""
    about = "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n"
    wheel = "Wheel-Version: 1.0\nGenerator: a test\nRoot-Is-Purelib: true\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny.py", "SAID = 'from the pack'\n")
        archive.writestr("tiny-1.0.dist-info/METADATA", about)
        archive.writestr("tiny-1.0.dist-info/WHEEL", f"{wheel}Tag: py3-none-any\n")
        archive.writestr("tiny-1.0.dist-info/RECORD", "")


@pytest.fixture
def small_pack(tmp_path):
    """An unpacked pack of one wheel."""
    root = tmp_path / "with a space" / "course"
    (root / "wheels").mkdir(parents=True)
    (root / "teaching").mkdir()
    shutil.copy(set_up.__file__, root / "teaching")
    small_wheel(root / "wheels" / WHEEL)
    digest = hashlib.sha256((root / "wheels" / WHEEL).read_bytes()).hexdigest()
    (root / "requirements.lock").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    (root / "pack.json").write_text(json.dumps(set_up.machine()))
    return root


@pytest.mark.slow
def test_one_command_installs_what_the_pack_holds_and_nothing_else(small_pack):
    command = [sys.executable, "teaching/set_up.py"]  # as one types it
    run = subprocess.run(command, cwd=small_pack, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "The book" in run.stdout
    python = next(small_pack.glob(".venv/[bS]*/python*"))
    ask = [str(python), "-c", "import tiny; print(tiny.SAID)"]
    assert subprocess.check_output(ask, text=True) == "from the pack\n"
    assert (small_pack / ".venv" / "ready").exists()


@pytest.mark.slow
def test_a_wheel_that_was_changed_is_refused(small_pack, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "elsewhere"))
    with (small_pack / "wheels" / WHEEL).open("ab") as file:
        file.write(b"\0")
    assert set_up.install(sys.executable, small_pack)
    assert "HASH" in capfd.readouterr().err.upper()
    assert not (tmp_path / "elsewhere").exists()


def test_another_system_is_told_so(small_pack, capsys):
    about = {"python": "Python 3.99", "system": "Plan 9"}
    (small_pack / "pack.json").write_text(json.dumps(about))
    assert set_up.main(small_pack) == 1
    assert "for Python 3.99 on Plan 9, and here is Python 3" in capsys.readouterr().err
    (small_pack / "pack.json").unlink()
    assert set_up.main(small_pack) == 1
    assert "is no offline pack" in capsys.readouterr().err
    assert not (small_pack / ".venv").exists()


def test_an_archive_holds_the_course_the_wheels_the_book_and_the_kit(tmp_path):
    root, wheels = tmp_path / "root", tmp_path / "wheels"
    names = ("a.md", "teaching/b.py", "build/book/c.html", "build/kit/slides/d.html")
    for name in (*names, "build/other.txt", "not-tracked.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    wheels.mkdir()
    small_wheel(wheels / WHEEL)
    found = pack.contents(root, ["a.md", "teaching/b.py", "removed.py", ""], wheels)
    pack.write(tmp_path / "course.zip", found)
    with zipfile.ZipFile(tmp_path / "course.zip") as archive:
        there = {"pack.json", f"wheels/{WHEEL}", *names}
        assert set(archive.namelist()) == {f"course/{name}" for name in there}
        assert archive.read("course/teaching/b.py") == b"teaching/b.py"
        assert json.loads(archive.read("course/pack.json")) == set_up.machine()


def test_wheels_that_cannot_be_had_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    lock = tmp_path / "requirements.lock"
    lock.write_text(f"tiny==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(RuntimeError, match=r"not all wheels of requirements\.lock"):
        pack.fetch_wheels(lock, tmp_path)


def test_other_digits_are_not_packed(tmp_path, monkeypatch):
    x, y = np.zeros((10_001, 28, 28), np.uint8), np.zeros(10_001, np.uint8)
    parts = {"x_train": x, "y_train": y, "x_test": x, "y_test": y}
    np.savez_compressed(tmp_path / "mnist.npz", **parts)
    found = tmp_path / "mnist.npz", "a file"
    monkeypatch.setattr(dataset, "find_or_download", lambda *_: found)
    with pytest.raises(ValueError, match=r"holds mnist\.npz, and not MNIST"):
        pack.find_digits()
    monkeypatch.setattr(dataset, "find_or_download", lambda *_: None)
    with pytest.raises(RuntimeError, match="could not be downloaded"):
        pack.find_digits()


def test_without_digits_nothing_is_built_or_fetched(monkeypatch, capsys):
    monkeypatch.setattr(dataset, "find_or_download", lambda *_: None)
    for module in (pack.book, pack.kit):
        monkeypatch.setattr(module, "main", lambda _: pytest.fail("it was built"))
    assert pack.main() == 1
    assert "could not be downloaded" in capsys.readouterr().err
