"""Trainings and files whose process is killed: what comes after is as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import killed
import nbformat
import numpy as np
import pytest
import tensorflow as tf
from campaign import tries
from PIL import Image

from helpers import datasets, training
from helpers.engine import backups, budgets, files

forks = pytest.mark.skipif(
    sys.platform != "linux", reason="forks children and limits their files"
)
TINY = {"steps": 10, "rounds": 5, "batch_size": 8, "verbose": False}


class Parent:
    """The process of killed.py, and its children's errors."""

    def __init__(self, log):
        self.log = log
        environment = {"PYTHONPATH": str(budgets.ROOT), "CUDA_VISIBLE_DEVICES": ""}
        script = Path(killed.__file__)
        self.process = subprocess.Popen(
            [sys.executable, script],
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
        )

    def run(self, task, death=None, **arguments):
        """Have a child do a task; return its exit status, below 0 if it was killed."""
        request = {"task": task, "arguments": arguments, "death": death}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline() or 1)
        assert status in (0, -signal.SIGKILL, -signal.SIGXFSZ), self.log.read_text()[
            -3000:
        ]
        return status


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    parent = Parent(tmp_path_factory.mktemp("log") / "log")
    yield parent
    parent.process.stdin.close()
    parent.process.wait()


def arrays_of(path):
    with np.load(path) as archive:
        return dict(archive)


def assert_same(one, other):
    assert set(one) == set(other)
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)


# Trainings


def moment(rng):
    """When to be killed, for ``killed.die``."""
    name = rng.choice(
        ["early", "late", "evaluating", "writing", "replacing", "replaced"]
    )
    longest = {"early": 1.5, "late": 0.2}.get(name, 1)
    return str(name), int(rng.integers(1, 4)), rng.uniform(0, longest)


@forks
def test_killed_trainings_end_as_if_nothing_had_happened(parent, tmp_path):
    assert parent.run("train", backup=None, out=str(tmp_path / "undisturbed.npz")) == 0
    expected = arrays_of(tmp_path / "undisturbed.npz")
    rng, wanted, kills, starts, trainings = (
        np.random.default_rng(0),
        tries(20, 200),
        0,
        0,
        0,
    )
    while kills < wanted or (tmp_path / "backup").exists():
        starts += 1
        death = moment(rng) if kills < wanted else None
        arguments = {
            "backup": str(tmp_path / "backup"),
            "out": str(tmp_path / "out.npz"),
        }
        status = parent.run("train", death, seed=starts, **arguments)
        kills += status != 0
        if status == 0:
            trainings += 1
            assert_same(arrays_of(tmp_path / "out.npz"), expected)
            assert not (tmp_path / "backup").exists()
    assert trainings
    print(
        f"\ntrainings: {kills} kills, {trainings} trainings, each the same bit for bit"
    )
    if not tf.config.list_physical_devices(
        "GPU"
    ):  # this process computes as the children do
        killed.train(None, tmp_path / "here.npz")
        assert_same(arrays_of(tmp_path / "here.npz"), expected)


class Interrupted(keras.callbacks.Callback):
    """Stop like a reader who presses the stop button: in a round, or at the very end."""

    def __init__(self, after=None):
        super().__init__()
        self.after = after

    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == self.after:
            raise KeyboardInterrupt

    def on_train_end(self, logs=None):
        if self.after is None:
            raise KeyboardInterrupt


def interrupted(vae, pictures, folder, after=3, **arguments):
    """Train until the given round is done, and not yet kept."""
    keras.utils.set_random_seed(0)
    with pytest.raises(KeyboardInterrupt):
        stop = {"callbacks": [Interrupted(after)], "backup": folder}
        training.train(vae, pictures, **(TINY | arguments | stop))


def same_weights(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


@pytest.mark.parametrize(
    ("after", "jit_compile"), [(3, "auto"), (None, "auto"), (3, True)]
)
def test_an_interrupted_training_goes_on(
    make_vae, pictures, tmp_path, after, jit_compile
):
    expected, vae = make_vae(), make_vae()
    keras.utils.set_random_seed(0)
    options = {"held_out": pictures[:9], "jit_compile": jit_compile}
    whole = training.train(expected, pictures, **options, **TINY)
    interrupted(vae, pictures, tmp_path / "backup", after, **options)
    other, ran = make_vae(seed=5), []
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ran.append(epoch)
    )
    arguments = {"backup": tmp_path / "backup", "callbacks": [count], **options}
    history = training.train(other, pictures, **arguments, **TINY)
    assert ran == {3: [2, 3, 4], None: []}[after]
    assert same_weights(other, expected)
    assert set(history) == set(whole)
    for name in set(whole) - {"seconds"}:
        np.testing.assert_array_equal(history[name], whole[name], strict=True)
    assert history["seconds"] > 0
    assert not (tmp_path / "backup").exists()


def test_the_backup_of_another_training_is_refused(make_vae, pictures, tmp_path):
    interrupted(make_vae(), pictures, tmp_path, held_out=pictures[:9])
    kept = (tmp_path / "training.backup").read_bytes()
    usual = {"x": pictures, "held_out": pictures[:9], "backup": tmp_path} | TINY
    for given, said in (
        ({"steps": 15}, "steps is 10 there and 15 here"),
        ({"rounds": 2}, "rounds is 5 there and 2 here"),
        ({"seed": 1}, "seed is 0 there and 1 here"),
        ({"batch_size": 4}, "batch_size is 8 there and 4 here"),
        ({"learning_rate": 1e-3}, "learning_rate is 0.003 there and 0.001 here"),
        ({"x": pictures[:-1]}, r"x is \(40, 8, 8, 1\) .* there and \(39, 8, 8, 1\)"),
        ({"x": pictures[::-1]}, "x is "),
        ({"targets": pictures}, "targets is none there"),
        ({"held_out": None}, "held_out is .* there and none here"),
    ):
        with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{said}.*another folder"):
            training.train(make_vae(), **(usual | given))
    with pytest.raises(
        ValueError, match=r"kernel is \(16, 2\) there and \(16, 3\) here"
    ):
        training.train(make_vae(latent_size=3), **usual)
    with pytest.raises(ValueError, match=r"z_log_.* there and None here"):
        training.train(make_vae(family="laplace"), **usual)
    assert (tmp_path / "training.backup").read_bytes() == kept
    training.train(make_vae(), **usual)


def test_a_damaged_backup_is_reported_and_never_used(
    make_vae, pictures, tmp_path, capsys
):
    interrupted(make_vae(), pictures, tmp_path)
    file = tmp_path / "training.backup"
    content, rng = file.read_bytes(), np.random.default_rng(0)
    count = tries(200, 20_000)
    for _ in range(count):
        damaged = np.frombuffer(content, np.uint8).copy()
        kind = rng.integers(3)
        if kind == 0:
            damaged = damaged[: rng.integers(len(damaged))]
        elif kind == 1:
            damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        else:
            start = rng.integers(len(damaged))
            damaged[start : start + 512] = 0
        if damaged.tobytes() == content:  # zeros were there already
            continue
        damaged.tofile(file)
        with backups.Backup(tmp_path, {}) as kept:
            assert kept.rounds == 0
        said = capsys.readouterr().out
        assert (
            said
            == f"The backup {file} is damaged, and removed: training starts anew.\n"
        )
        assert not tmp_path.exists()
        tmp_path.mkdir()
    print(f"\nbackups: {count} damaged, none used")
    file.write_bytes(content[:-1])
    expected, vae = make_vae(), make_vae()
    for model, backup in ((expected, None), (vae, tmp_path)):
        keras.utils.set_random_seed(0)
        training.train(model, pictures, backup=backup, **TINY)
    assert capsys.readouterr().out.count("is damaged") == 1
    assert same_weights(vae, expected)


def test_a_training_that_goes_on_and_diverges_leaves_no_backup(
    make_vae, pictures, tmp_path
):
    def spoil(epoch, logs=None):
        good.extend(vae.get_weights())
        vae.decoder.get_layer("pixels").bias.assign(np.full(64, np.nan))

    interrupted(make_vae(), pictures, tmp_path / "backup")
    vae, good = make_vae(seed=1), []
    callback = keras.callbacks.LambdaCallback(on_epoch_begin=spoil)
    with pytest.raises(training.DivergedError, match=r"step 5 \(round 3, batch 1\)"):
        arguments = {"callbacks": [callback], "steps_per_execution": 1}
        training.train(vae, pictures, backup=tmp_path / "backup", **arguments, **TINY)
    assert all(map(np.array_equal, vae.get_weights(), good))
    assert not (tmp_path / "backup").exists()


def test_what_else_is_in_the_folder_is_left_alone(make_vae, pictures, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    training.train(make_vae(), pictures, backup=tmp_path, **TINY)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert not (tmp_path / "training.backup").exists()


# Two at once


def test_two_trainings_never_share_a_folder(make_vae, pictures, tmp_path):
    folder = tmp_path / "backup"

    def second(logs=None):
        with pytest.raises(RuntimeError, match=f"another training .* {folder}"):
            training.train(make_vae(), pictures, backup=folder, **TINY)

    callback = keras.callbacks.LambdaCallback(on_train_begin=second)
    training.train(make_vae(), pictures, backup=folder, callbacks=[callback], **TINY)
    assert not folder.exists()


@forks
def test_a_killed_process_locks_nobody_out(tmp_path):
    code = "import fcntl, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, 2); print(flush=True); "
    command = [sys.executable, "-c", code + "sys.stdin.read()", tmp_path / "lock"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()
        with (
            pytest.raises(RuntimeError, match="wait for its end"),
            backups.Backup(tmp_path, {}),
        ):
            pass
        other.kill()
    with backups.Backup(tmp_path, {}) as kept:
        assert kept.rounds == 0


def test_a_lock_that_its_owner_removes_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    lock, seen = backups.lock, []

    def slow(file):
        if not seen:
            (tmp_path / "lock").unlink()
        seen.append(file.fileno())
        return lock(file)

    monkeypatch.setattr(backups, "lock", slow)
    with backups.locked(tmp_path / "lock") as file:
        assert len(seen) == 2
        assert os.path.samestat(os.fstat(file.fileno()), (tmp_path / "lock").stat())


def test_without_locks_a_backup_is_kept_all_the_same(
    make_vae, pictures, tmp_path, monkeypatch
):
    def unknown(file, operation):
        raise OSError("operation not supported")

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", unknown)
    training.train(make_vae(), pictures, backup=tmp_path / "backup", **TINY)


# Files


PLACES = {
    "weights": "weights/small.npz",
    "cache": "data/cats-cache-0123456789abcdef.npy",
    "notebook": "notebooks/01_a.ipynb",
}


def number_in(path):
    """The number that a whole file of killed.py holds."""
    if path.suffix == ".npz":
        arrays = arrays_of(path)
        np.testing.assert_array_equal(arrays["001"], np.eye(300))
        numbers = arrays["000"]
    elif path.suffix == ".npy":
        numbers = datasets.read_cache(path)
    elif path.suffix == ".png":
        numbers = np.asarray(Image.open(path))
    else:
        (cell,) = nbformat.read(path, as_version=4).cells
        numbers = np.array(cell.outputs[0].text.split(), int)
        assert len(numbers) == 1000
    (number,) = np.unique(numbers)
    return int(number)


@forks
def test_killed_writers_leave_whole_files(parent, tmp_path):
    rng = np.random.default_rng(0)
    for task, place in PLACES.items():
        path = tmp_path / place
        path.parent.mkdir()
        (tmp_path / "images").mkdir(exist_ok=True)
        path.touch()  # for the notebook, which is found by its name
        files_of_task = [path]
        if task == "notebook":
            files_of_task.insert(0, tmp_path / "images" / "number.png")
        assert parent.run(task, path=str(path), number=0) == 0
        numbers, count = dict.fromkeys(files_of_task, 0), tries(20, 200)
        for number in range(1, count + 1):
            name = str(
                rng.choice(["writing", "replacing", "replaced"], p=[0.6, 0.2, 0.2])
            )
            which = int(rng.integers(len(files_of_task)))
            death = (name, which + 1, rng.uniform(0, 0.95))
            assert parent.run(task, death, path=str(path), number=number) < 0
            for index, file in enumerate(files_of_task):
                done = index < which or (index == which and name == "replaced")
                numbers[file] = number if done else numbers[file]
                assert number_in(file) == numbers[file], (death, file)
        print(f"\n{task}: {count} kills, the file was whole after each")
        left = {
            left for file in files_of_task for left in file.parent.glob("*.unfinished")
        }
        assert left
        for unfinished in left:
            os.utime(unfinished, (0, 0))
        assert parent.run(task, path=str(path), number=255) == 0
        for file in files_of_task:
            assert number_in(file) == 255
            assert list(file.parent.iterdir()) == [file]


def test_what_another_process_is_writing_is_left_alone(tmp_path):
    with files.whole(tmp_path / "a") as first, files.whole(tmp_path / "a") as second:
        first.write(b"first")
        second.write(b"second")
    assert (tmp_path / "a").read_bytes() == b"first"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), files.whole(tmp_path / "a") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert (tmp_path / "a").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
