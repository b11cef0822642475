"""Trainings and files whose process is killed: what comes after is as if it weren't."""

import functools
import json
import os
import signal
import subprocess
import sys

import keras
import killed
import numpy as np
import pytest
import tensorflow as tf
from campaign import tries

from helpers import training
from helpers.engine import backups, files, paths

pytestmark = pytest.mark.slow

forks = pytest.mark.skipif(
    sys.platform != "linux", reason="forks children and limits their files"
)
PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
TINY = {"steps": 4, "rounds": 4, "batch_size": 8, "verbose": False}  # and no trace
TRACED = {"steps": 10, "rounds": 5, "jit_compile": True, "held_out": None}


@pytest.fixture
def make_vae(make_vae):
    """Without hidden layers a step is sooner traced."""
    return functools.partial(make_vae, hidden=())


class Parent:
    """The process of killed.py, and its children's errors."""

    def __init__(self, log):
        self.log = log
        environment = {"PYTHONPATH": str(paths.ROOT), "CUDA_VISIBLE_DEVICES": ""}
        self.process = subprocess.Popen(
            [sys.executable, killed.__file__],
            env=os.environ | environment,
            stderr=log.open("w"),
            text=True,
            **PIPES,
        )

    def run(self, task, death=None, **arguments):
        """Have a child do a task; return its exit status, below 0 if it was killed."""
        request = {"task": task, "arguments": arguments, "death": death}
        print(json.dumps(request), file=self.process.stdin, flush=True)
        status = int(self.process.stdout.readline() or 1)
        log = self.log.read_text()[-3000:]
        assert status in (0, -signal.SIGKILL, -signal.SIGXFSZ), log
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


MOMENTS = ("early", "late", "evaluating", "writing", "replacing", "replaced")


def moment(rng, kills):
    """When to be killed, for ``killed.die``: at every moment in turn."""
    name = MOMENTS[kills % len(MOMENTS)]
    longest = {"early": 1.5, "late": 0.2}.get(name, 1)
    return name, int(rng.integers(1, 4)), rng.uniform(0, longest)


@forks
def test_killed_trainings_end_as_if_nothing_had_happened(parent, tmp_path):
    backup, out = tmp_path / "backup", tmp_path / "out.npz"
    assert parent.run("train", backup=None, out=str(out)) == 0
    expected, rng, wanted = (
        arrays_of(out),
        np.random.default_rng(0),
        tries(len(MOMENTS), 200),
    )
    kills = starts = trainings = 0
    while kills < wanted or backup.exists():
        starts += 1
        death = moment(rng, kills) if kills < wanted else None
        arguments = {"backup": str(backup), "out": str(out), "seed": starts}
        if parent.run("train", death, **arguments):
            kills += 1
            continue
        trainings += 1
        assert_same(arrays_of(out), expected)
        assert not backup.exists()
    assert trainings
    print(f"\n{kills} kills, {trainings} trainings, each the same bit for bit")
    if not tf.config.list_physical_devices("GPU"):  # it computes as the children do
        killed.train(None, out)
        assert_same(arrays_of(out), expected)


class Interrupted(keras.callbacks.Callback):
    """Stop as a reader does who presses the button: in a round, or at the very end."""

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
    stop = {"callbacks": [Interrupted(after)], "backup": folder}
    with pytest.raises(KeyboardInterrupt):
        training.train(vae, pictures, **(TINY | arguments | stop))


def same_weights(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def goes_on(make_vae, pictures, folder, whole, afters, **options):
    """Try that what is stopped after a round, or after all, goes on and ends alike.

    ``whole`` is the history and the model of a training without a stop.
    """
    expected, model = whole
    for after in afters:
        interrupted(make_vae(), pictures, folder, after, **options)
        other, ran = make_vae(seed=5), []
        note = lambda number, _, ran=ran: ran.append(number)  # noqa: E731
        count = keras.callbacks.LambdaCallback(on_epoch_end=note)
        given = TINY | options | {"backup": folder, "callbacks": [count]}
        history = training.train(other, pictures, **given)
        assert ran == ([] if after is None else [*range(after - 1, given["rounds"])])
        assert same_weights(other, model)
        assert history.pop("seconds") > 0
        assert_same(history, expected)
        assert not folder.exists()


@pytest.mark.parametrize(
    ("afters", "options"), [((3, None), {}), ((3,), TRACED)], ids=("eager", "XLA")
)
def test_an_interrupted_training_goes_on(make_vae, pictures, tmp_path, afters, options):
    model, folder = make_vae(), tmp_path / "backup"
    keras.utils.set_random_seed(0)
    options = {"held_out": pictures[:9]} | options
    history = training.train(model, pictures, **(TINY | options))
    assert history.pop("seconds") > 0
    goes_on(make_vae, pictures, folder, (history, model), afters, **options)


def test_the_backup_of_another_training_is_refused(make_vae, pictures, tmp_path):
    interrupted(make_vae(), pictures, tmp_path, held_out=pictures[:9])
    kept = (tmp_path / "training.backup").read_bytes()
    usual = {"x": pictures, "held_out": pictures[:9], "backup": tmp_path} | TINY
    errors = []
    for given, said in (
        ({"steps": 16}, "steps.* 4 .* 16 "),
        ({"rounds": 2}, "rounds.* 4 .* 2 "),
        ({"seed": 1}, "seed.* 0 .* 1 "),
        ({"batch_size": 4}, "batch_size.* 8 .* 4 "),
        ({"learning_rate": 1e-3}, "learning_rate.* 0.003 .* 0.001 "),
        ({"x": pictures[:-1]}, r"x .*\(40, 8, 8, 1\) .*\(39, 8, 8, 1\)"),
        ({"x": pictures[::-1]}, "x is "),
        ({"targets": pictures}, "targets.* none "),
        ({"held_out": None}, "held_out.* none "),
        ({"model": make_vae(latent_size=3)}, r"kernel.*\(64, 2\).*\(64, 3\)"),
        ({"model": make_vae(family="laplace")}, "z_log_.* None "),
    ):
        arguments = {"model": make_vae()} | usual | given
        with pytest.raises(ValueError, match=f"(?s){tmp_path}.*{said}") as error:
            training.train(**arguments)
        errors.append(error)  # whose tracebacks must hold no locks
    with pytest.raises(ValueError, match="None"):
        backups.Backup(tmp_path, {}).__enter__()
    assert (tmp_path / "training.backup").read_bytes() == kept
    training.train(make_vae(), **usual)


def test_a_damaged_backup_is_reported_and_never_used(
    make_vae, pictures, tmp_path, capsys
):
    interrupted(make_vae(), pictures, tmp_path)
    file = tmp_path / "training.backup"
    content, rng = file.read_bytes(), np.random.default_rng(0)
    for place in [0, 1, 31, 32, *rng.integers(len(content), size=20)]:
        another_bit = bytes([content[place] ^ 1 << rng.integers(8)])
        for end in (b"", another_bit + content[place + 1 :]):
            file.write_bytes(content[:place] + end)
            with backups.Backup(tmp_path, {}) as kept:
                assert kept.rounds == 0
            assert str(file) in capsys.readouterr().out
            assert not tmp_path.exists()
            tmp_path.mkdir()
    file.write_bytes(content[:-1])
    expected, vae = make_vae(), make_vae()
    for model, backup in ((expected, None), (vae, tmp_path)):
        keras.utils.set_random_seed(0)
        training.train(model, pictures, backup=backup, **TINY)
    assert capsys.readouterr().out.count(str(file)) == 1
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
    arguments = {"callbacks": [callback], "steps_per_execution": 1} | TINY
    with pytest.raises(training.DivergedError, match=r"step 3 \(round 3, batch 1\)"):
        training.train(vae, pictures, backup=tmp_path / "backup", **arguments)
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
        with pytest.raises(RuntimeError, match=str(folder)):
            training.train(make_vae(), pictures, backup=folder, **TINY)

    callback = keras.callbacks.LambdaCallback(on_train_begin=second)
    training.train(make_vae(), pictures, backup=folder, callbacks=[callback], **TINY)
    assert not folder.exists()


def test_a_killed_process_locks_nobody_out(tmp_path):
    code = """import filelock, sys
lock = filelock.FileLock(sys.argv[1])
lock.acquire()
print(flush=True)
sys.stdin.read()"""
    command = [sys.executable, "-c", code, tmp_path / "lock"]
    with subprocess.Popen(command, **PIPES) as other:
        other.stdout.readline()
        with pytest.raises(RuntimeError, match=str(tmp_path)):
            backups.Backup(tmp_path, {}).__enter__()
        other.kill()
    with backups.Backup(tmp_path, {}) as kept:
        assert kept.rounds == 0
    assert not tmp_path.exists()


# Files


@forks
def test_killed_writers_leave_whole_files(parent, tmp_path):
    path, rng, kept = tmp_path / "file", np.random.default_rng(0), 0
    assert parent.run("write", path=str(path), number=0) == 0
    for number in range(1, tries(20, 200) + 1):
        name = str(rng.choice(MOMENTS[-3:], p=[0.6, 0.2, 0.2]))
        death = (name, 1, rng.uniform(0, 0.95))
        assert parent.run("write", death, path=str(path), number=number) < 0
        kept = number if name == "replaced" else kept
        assert path.read_bytes() == bytes([kept]) * 100_000, death
    left = list(tmp_path.glob("*.unfinished"))
    assert left
    for unfinished in left:
        os.utime(unfinished, (0, 0))
    assert parent.run("write", path=str(path), number=255) == 0
    assert path.read_bytes() == bytes([255]) * 100_000
    assert list(tmp_path.iterdir()) == [path]


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
