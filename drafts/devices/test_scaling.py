"""One training on several devices: two processes train as one, or end together.

Each process is a Python of its own on JAX, over loopback: see joined.py.
"""

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from campaign import tries

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs JAX"),
]
in_soak = pytest.mark.skipif(bool(tries(test=1, soak=0)), reason="make soak tries it")
JOINED = Path(__file__).with_name("joined.py")
CASES = {
    f"{family} {architecture}": {
        "model": {"family": family, "architecture": architecture}
    }
    for architecture in ("dense", "conv")
    for family in ("normal", "laplace", "vamp")
}
LONGEST = 150  # seconds in which a process ends after another one did


def started(count, folder, cases, **environment):
    """Start the processes of a training."""
    folder.mkdir(exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = {"KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "OMP_NUM_THREADS": "1"}
    wanted = json.dumps(cases)
    known |= {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # it compiles more than it runs
    return [
        subprocess.Popen(
            [sys.executable, JOINED, *map(str, (rank, count, port, folder)), wanted],
            env=os.environ | known | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(count)
    ]


def ended(processes, first=0, seconds=600):
    """Wait for a process, then, so long, for the others; return statuses and words."""
    try:
        processes[first].wait(600)
        words = [process.communicate(timeout=seconds)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [process.returncode for process in processes], words


def results(count, folder, cases, **environment):
    """Train in so many processes; return what each wrote down, by case."""
    statuses, words = ended(started(count, folder, cases, **environment))
    assert statuses == [0] * count, "\n".join(words)[-4000:]
    return {name: written(count, folder, name) for name in cases}


def written(count, folder, name):
    """What each process wrote down of a case."""
    loaded = [dict(np.load(folder / f"{name} {rank}.npz")) for rank in range(count)]
    for each in loaded:
        del each["seconds"]
    return loaded


def assert_same(one, other, tolerance):
    """Every figure and weight agrees."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_allclose(
            other[name], value, rtol=tolerance, atol=tolerance, err_msg=name
        )


SETS = [["normal dense"], pytest.param(list(CASES), marks=in_soak)]


@pytest.mark.parametrize("names", SETS, ids=("one", "all"))
def test_two_processes_train_as_one(tmp_path, names):
    cases = {name: CASES[name] for name in names}
    alone = results(1, tmp_path / "1", cases)
    for name, (first, second) in results(2, tmp_path / "2", cases).items():
        (one,) = alone[name]
        assert_same(first, second, 0)
        assert_same(one, first, 1e-5)


@in_soak
def test_two_processes_fit_a_file_as_one(tmp_path):
    (alone,) = results(1, tmp_path / "1", {"file": "fit"})["file"]
    first, second = results(2, tmp_path / "2", {"file": "fit"})["file"]
    assert_same(first, second, 0)
    assert_same(alone, first, 1e-5)


@in_soak
def test_two_devices_of_one_process_train_as_one(tmp_path):
    cases = {name: CASES[name] for name in ("normal dense", "vamp dense")}
    two = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    alone = results(1, tmp_path / "1", cases)
    for name, (pair,) in results(1, tmp_path / "2", cases, **two).items():
        assert_same(alone[name][0], pair, 1e-5)


@in_soak
@pytest.mark.parametrize("dead", [0, 1])
def test_a_dead_process_ends_the_other_and_training_goes_on(tmp_path, dead):
    case = CASES["normal conv"] | {"backup": "backup"}
    (whole, _) = results(2, tmp_path / "whole", {"all": case})["all"]
    folder = tmp_path / "died"
    dies = {"all": case | {"dies": [dead, 2, "SIGKILL"]}}
    statuses, words = ended(started(2, folder, dies), dead, LONGEST)
    assert statuses[dead] == -signal.SIGKILL
    assert statuses[1 - dead] not in (0, None)
    assert f"process {1 - dead} of 2 lost another one" in words[1 - dead]
    assert {path.name for path in folder.iterdir()} == {"backup 0"}  # the first's alone
    (again, _) = results(2, folder, {"all": case})["all"]
    assert_same(whole, again, 0)
    assert len(list(folder.glob("backup*/*"))) == 0


REFUSED = {
    "ranks": ({"ranks": [{}, {"seed": 2}]}, "the processes differ in seed, {} in"),
    "batch": ({"batch_size": 13}, "batch_size is 13: make it a multiple, such as 12"),
}


@in_soak
def test_what_two_processes_cannot_train_together_is_refused(tmp_path):
    cases = {n: CASES["normal dense"] | given for n, (given, _) in REFUSED.items()}
    statuses, words = ended(started(2, tmp_path / "refused", cases))
    assert statuses == [0, 0], words
    for name, (_, message) in REFUSED.items():
        for rank in range(2):
            refusal = (tmp_path / "refused" / f"{name} {rank}.txt").read_text()
            assert message.format(2 * rank) in refusal


@in_soak
def test_a_strategy_of_tensorflow_fits_as_one_device_does():
    """And trains, on pictures in an order of its own."""
    pytest.importorskip("tensorflow")
    command = [sys.executable, JOINED.with_name("mirrored.py")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-4000:]
    one, two, (jit, odd) = json.loads(run.stdout.splitlines()[-1])
    for part in ("fit", "weighed"):
        assert one[part].keys() == two[part].keys()
        for name, values in one[part].items():
            np.testing.assert_allclose(two[part][name], values, rtol=1e-5)
    np.testing.assert_allclose(two["train"], one["train"], rtol=0.01)
    assert "XLA can't compile the step under a strategy of tf.distribute" in jit
    assert "2 devices share every batch alike, and batch_size is 19" in odd
