"""The same sweep on a Dask cluster: a scheduler and two workers on this machine.

`make scale` makes an environment with Dask, and runs this file in it.
"""

import json
import signal
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
import swept

from helpers import training
from helpers.engine import paths, sweeps

distributed = pytest.importorskip("distributed", reason="Dask: make scale installs it")
pytestmark = pytest.mark.slow

GRID = [{"x": x} for x in range(6)]
SQUARES = [{"square": x**2} for x in range(6)]


class Cluster:
    """A scheduler and two workers, each a process; one call at a time per worker."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.file = folder / "scheduler.json"
        self.start("scheduler", "--host=127.0.0.1", "--port=0", "--no-show")
        self.workers = [self.start_worker() for _ in range(2)]
        until(self.file.exists, 300)
        self.client = distributed.Client(scheduler_file=str(self.file), timeout=300)
        self.client.wait_for_workers(2, timeout=300)

    def start(self, kind, *options):
        """Start a process of the cluster, in the course's folder."""
        command = [sys.executable, "-m", "dask", kind, *options]
        command += ["--scheduler-file", self.file, "--no-dashboard"]
        log = (self.folder / f"{kind} {len(self.processes)}.log").open("wb")
        options = {"cwd": paths.ROOT, "stdout": log, "stderr": log}
        self.processes.append(subprocess.Popen(command, **options))
        return self.processes[-1]

    def start_worker(self):
        """Start a worker, which joins as soon as there is a scheduler."""
        return self.start("worker", "--nthreads=1", "--no-nanny")

    def close(self):
        """End all of it."""
        self.client.close()
        for process in self.processes[::-1]:
            process.kill()
            process.wait()


def until(condition, seconds=60):
    """Wait for a condition; fail after some seconds."""
    end = time.time() + seconds
    while not condition():
        assert time.time() < end
        time.sleep(0.05)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A cluster, which all tests use."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(started):
    """The cluster, which joblib uses."""
    with joblib.parallel_config(backend="dask"):
        yield started


def records(folder):
    """What the files of a sweep say, but for the time that each call took."""
    read = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [record | {"seconds": 0} for record in read]


def test_a_cluster_gives_the_results_of_one_machine(cluster, tmp_path):
    configurations = [{"seed": seed} for seed in range(2)]
    training.sweep(swept.loss, configurations, tmp_path / "cluster")
    with joblib.parallel_config(backend="threading"):
        training.sweep(swept.loss, configurations, tmp_path / "machine", workers=1)
    assert len(records(tmp_path / "machine")) == 2
    assert records(tmp_path / "cluster") == records(tmp_path / "machine")


def test_all_workers_are_given_calls(cluster, tmp_path):
    grid = [each | {"sleep": 0.5} for each in GRID]
    parents = training.sweep(swept.parent, grid, tmp_path / "raw")
    assert set(parents) == {worker.pid for worker in cluster.workers}


def test_a_worker_that_dies_loses_nothing(cluster, tmp_path):
    calls = tmp_path / "calls"
    calls.mkdir()
    grid = [each | {"sleep": 2, "calls": str(calls)} for each in GRID]
    raw, doomed = tmp_path / "raw", cluster.workers.pop()

    def files(kind):
        return {path.stem for path in raw.glob(f"*.{kind}")}

    def kill():
        """Kill a worker that is at a call, after the first results."""
        until(lambda: len(files("json")) >= 2 and len(files("log")) == 2)
        kept.extend(record["configuration"]["x"] for record in records(raw))
        doomed.kill()

    kept = []
    killer = threading.Thread(target=kill)
    killer.start()
    assert training.sweep(swept.square, grid, raw) == SQUARES
    killer.join()
    assert doomed.wait() == -signal.SIGKILL
    assert len(files("json")) == 6 and not files("log")
    assert [len(list(calls.glob(f"{x}-*"))) for x in kept] == [1] * len(kept)
    cluster.workers.append(cluster.start_worker())
    cluster.client.wait_for_workers(2, timeout=300)


def test_what_fails_is_named_and_all_else_kept(cluster, tmp_path):
    bad = [{"x": 10, "do": "raise"}, {"x": 11, "do": "kill"}]
    with pytest.raises(sweeps.SweepError, match="2 of 8 configurations") as raised:
        training.sweep(swept.troubled, [bad[0], *GRID, bad[1]], tmp_path)
    lines = str(raised.value).splitlines()[1:]
    assert lines[0].startswith(f"{bad[0]}: KeyError: 'no such thing'")
    assert lines[1].startswith(f"{bad[1]}: killed by SIGKILL")
    assert sweeps.finished(swept.troubled, GRID, tmp_path) == SQUARES


def test_no_data_travel_with_the_calls(cluster, tmp_path, monkeypatch):
    """What this process sends, to the scheduler or to a worker, is counted."""
    np.save(tmp_path / "x.npy", np.ones((1000, 1000), "float32"))
    sent, write = [], distributed.comm.tcp.TCP.write

    async def counted(self, *arguments, **options):
        sent.append(await write(self, *arguments, **options))
        return sent[-1]

    monkeypatch.setattr(distributed.comm.tcp.TCP, "write", counted)
    grid = [{"seed": seed, "data": str(tmp_path / "x.npy")} for seed in range(20)]
    means = training.sweep(swept.mean, grid, tmp_path / "raw")
    assert means == [1.0] * 20
    assert 0 < sum(sent) < 20 * 10_000  # bytes, where the array has 4 million
