"""Sweeps: nothing lost, nothing half done."""

import functools
import json
import math
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import pytest
import swept
from campaign import tries

from helpers import training
from helpers.engine import paths, sweeps

pytestmark = pytest.mark.slow

posix = pytest.mark.skipif(os.name != "posix", reason="kills with signals")
GRID = [{"x": x} for x in (3, 1, 2)]
SQUARES = [{"square": 9}, {"square": 1}, {"square": 4}]


def files_in(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.*")}


def recorded(folder):
    """What each whole result says, by x."""
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    return {r["configuration"]["x"]: r["result"] for r in records}


# What is finished


def test_two_workers_equal_one_in_the_grids_order(tmp_path, capsys):
    sleeps = [each | {"sleep": 0.1 * each["x"]} for each in GRID]  # the first ends last
    for workers in (1, 2):
        folder = tmp_path / f"{workers}"
        assert training.sweep(swept.square, sleeps, folder, workers) == SQUARES
        assert {path.suffix for path in folder.glob("*.*")} == {".json"}
        assert "3/3" in capsys.readouterr().err  # the bar
    one, two = (
        [json.loads(text) | {"seconds": 0} for text in files_in(tmp_path / n).values()]
        for n in "12"
    )
    assert sorted(map(str, one)) == sorted(map(str, two))


@pytest.mark.skipif(not tries(0, 1), reason="four trainings: make soak")
def test_two_workers_train_as_one_does(tmp_path):
    grid = [{"seed": seed} for seed in (0, 1)]
    one, two = (
        training.sweep(swept.loss, grid, tmp_path / f"{workers}", workers)
        for workers in (1, 2)
    )
    assert one == two and one[0] != one[1]


def test_what_is_there_is_not_computed_again(tmp_path):
    grid = [each | {"calls": str(tmp_path)} for each in GRID]
    sweep = training.sweep
    assert sweep(swept.square, grid[:2], tmp_path / "raw") == SQUARES[:2]
    assert sweep("swept:square", grid[::-1], tmp_path / "raw") == SQUARES[::-1]
    assert len(list(tmp_path.glob("[0-9]-*"))) == 3
    assert sweeps.finished(swept.square, grid, tmp_path / "raw") == SQUARES


def test_a_call_that_is_made_again_finds_its_result(tmp_path):
    """As it is where a worker died that had finished it, its log still there."""
    raw = tmp_path / "raw"
    calls = sweeps.Calls("swept:square", raw, 1, math.inf, False)
    raw.mkdir()
    given = {"x": 3, "calls": str(tmp_path)}
    for _ in range(2):
        assert calls.run(0, given) == (0, "", True)
        assert not list(raw.glob("*.log"))
        (result,) = raw.glob("*.json")
        result.with_suffix(".log").touch()
    assert len(list(tmp_path.glob("3-*"))) == 1


def test_another_function_has_results_of_its_own(tmp_path):
    training.sweep(swept.square, GRID[:1], tmp_path)
    assert sweeps.finished(swept.troubled, GRID[:1], tmp_path) == [None]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"function": "swept:square"}'])
def test_a_damaged_result_is_computed_again(tmp_path, content):
    training.sweep(swept.square, GRID[:1], tmp_path)
    (path,) = tmp_path.glob("*.json")
    path.write_text(content)
    assert training.sweep(swept.square, GRID[:1], tmp_path) == SQUARES[:1]


def test_numpys_numbers_come_back_as_pythons(tmp_path):
    result = {"array": [0, 1, 2], "number": 0.5, "pair": [1, 2]}
    assert training.sweep(swept.numbers, [{"x": 1}], tmp_path) == [result]
    assert recorded(tmp_path) == {1: result}


@pytest.mark.parametrize("backend", ["loky", "threading", "sequential"])
def test_any_backend_of_joblib_runs_it(tmp_path, backend):
    with joblib.parallel_config(backend=backend):
        assert training.sweep(swept.square, GRID, tmp_path) == SQUARES


class Counted(joblib.parallel.BACKENDS["threading"]):
    """A backend that somebody registered."""

    submitted = 0

    def submit(self, func, callback=None):
        Counted.submitted += 1
        return super().submit(func, callback)

    if not hasattr(joblib.parallel.BACKENDS["threading"], "submit"):  # before 1.5

        def apply_async(self, func, callback=None):
            Counted.submitted += 1
            return super().apply_async(func, callback)


def test_a_registered_backend_gets_every_call(tmp_path):
    joblib.register_parallel_backend("counted", Counted)
    with joblib.parallel_config(backend="counted"):
        training.sweep(swept.square, GRID, tmp_path)
    assert Counted.submitted == 3


# Threads


@pytest.mark.parametrize("threads", [1, 2])
def test_children_compute_with_as_many_threads_as_asked(tmp_path, threads):
    grid = [{"x": threads}]
    (pools,) = training.sweep(swept.threads, grid, tmp_path, threads=threads)
    assert set(pools) == {min(threads, os.cpu_count())}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_trains_and_one_thread_of_it_computes(tmp_path):
    configuration = {"seed": 0, "products": 10}
    (result,) = training.sweep(swept.train, [configuration], tmp_path)
    expected = swept.train(configuration | {"products": 0})["loss"]
    assert result["loss"] == pytest.approx(expected, rel=1e-4)
    assert sum(result["ticks"]) > 10  # enough to tell
    assert result["busy"] == 1


# Failures


TROUBLES = {
    "raise": "KeyError: 'no such thing'",
    "exit": "noise",
    "nan": "ValueError: Out of range float values are not JSON compliant",
    "object": "TypeError: a result must be what JSON can hold, not object",
    **({"kill": "killed by SIGKILL"} if os.name == "posix" else {}),
}


def test_failures_are_named_and_all_others_kept(tmp_path):
    bad = [{"x": x, "do": do} for x, do in enumerate(TROUBLES, start=10)]
    with pytest.raises(sweeps.SweepError) as raised:
        training.sweep(swept.troubled, [*bad[:2], *GRID, *bad[2:]], tmp_path)
    assert f"{len(bad)} of {len(bad) + 3} configurations failed" in str(raised.value)
    lines = str(raised.value).splitlines()[1:]
    for each, line in zip(bad, lines, strict=True):  # in the grid's order
        assert line.startswith(f"{each}: {TROUBLES[each['do']]}")
        log = re.search(r"\(see (.*)\)$", line).group(1)
        assert "noise" in Path(log).read_text()
    assert sweeps.finished(swept.troubled, GRID, tmp_path) == SQUARES
    assert len(list(tmp_path.glob("*.json"))) == 3


def test_a_failure_is_tried_again_and_its_log_removed(tmp_path):
    with pytest.raises(sweeps.SweepError):
        training.sweep(swept.troubled, [{"x": 2, "do": "raise"}], tmp_path)
    (log,) = tmp_path.glob("*.log")
    place = sweeps.place_of("swept:square", {"x": 2}, tmp_path)
    log.rename(place.with_suffix(".log"))
    training.sweep(swept.square, [{"x": 2}], tmp_path)
    assert list(tmp_path.glob("*.log")) == []


@posix
def test_a_child_killed_while_it_writes_leaves_nothing_half_written(tmp_path):
    spare = tmp_path / "spare"
    grid = [each | {"spare": str(spare)} for each in GRID]
    raw = tmp_path / "raw"
    with pytest.raises(sweeps.SweepError, match=r"1 of 3 .*\n.*'x': 1, .*SIGKILL"):
        training.sweep(swept.half_written, grid, raw)
    whole = files_in(raw)
    assert sweeps.finished(swept.half_written, grid, raw) == [
        SQUARES[0],
        None,
        SQUARES[2],
    ]
    spare.touch()
    assert training.sweep(swept.half_written, grid, raw) == SQUARES
    kept = {name: text for name, text in whole.items() if name.endswith(".json")}
    assert len(kept) == 2 and kept.items() <= files_in(raw).items()


@posix
def test_a_killed_sweep_loses_nothing_and_leaves_no_child(tmp_path):
    raw = tmp_path / "raw"
    grid = [{"x": x, "sleep": 60 * (x > 2), "calls": str(tmp_path)} for x in range(5)]
    request = json.dumps(["swept:square", grid, str(raw), 2])
    known = {"PYTHONPATH": os.pathsep.join([str(paths.ROOT), *sys.path])}
    command = [sys.executable, swept.__file__, request]
    process = subprocess.Popen(command, env=os.environ | known, stderr=subprocess.PIPE)
    try:
        until(lambda: len(list(raw.glob("*.json"))) == 3)
        until(lambda: len(list(raw.glob("*.log"))) == 2)  # of those that go on
        children = until(lambda: len(c := children_of(process.pid)) == 2 and c)
        before = files_in(raw)
        with pytest.raises(RuntimeError, match="another sweep uses"):
            training.sweep(swept.square, grid, raw)
    finally:
        process.kill()
        process.communicate()
    until(lambda: not any(map(alive, children)))
    kept = {name: text for name, text in before.items() if name.endswith(".json")}
    short = grid[:3]
    assert training.sweep(swept.square, short, raw) == [
        {"square": x} for x in (0, 1, 4)
    ]
    after = {name: text for name, text in files_in(raw).items() if name in kept}
    assert after == kept
    assert len(list(tmp_path.glob("[0-2]-*"))) == 3  # no call came twice


def until(condition, seconds=60):
    """Wait for a condition and return what it gave; fail after some seconds."""
    end = time.time() + seconds
    while not (found := condition()):
        assert time.time() < end, "it took too long"
        time.sleep(0.05)
    return found


def children_of(parent):
    """The sweep's children alone: joblib starts a process of its own, too."""
    command = ["ps", "-o", "pid=,args=", "--ppid", str(parent)]
    lines = subprocess.check_output(command, text=True).splitlines()
    return {int(line.split()[0]) for line in lines if "helpers.engine.child" in line}


def alive(pid):
    """Whether a process runs: not gone, nor dead and waited for by nobody."""
    command = ["ps", "-o", "stat=", "-p", str(pid)]
    state = subprocess.run(command, capture_output=True, text=True).stdout.strip()
    return bool(state) and state[0] != "Z"


@posix
def test_an_interrupted_sweep_stops_its_children(tmp_path):
    grid = [{"x": x, "sleep": 90 * (x > 0)} for x in range(3)]

    def ours():
        return children_of(os.getpid())

    def interrupt():
        until(lambda: list(tmp_path.glob("*.json")) and len(ours()) == 2)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist's: none
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            training.sweep(swept.square, grid, tmp_path)
    finally:
        signal.signal(signal.SIGINT, before)
    until(lambda: not any(map(alive, ours())))
    assert recorded(tmp_path) == {0: {"square": 0}}


# Time


def test_time_up_keeps_what_is_ready(tmp_path):
    grid = [{"x": 1}, {"x": 2, "sleep": 60}, {"x": 3, "sleep": 60}]
    start = time.time()
    results = training.sweep(swept.square, grid, tmp_path, workers=1, minutes=0.05)
    assert time.time() - start < 15
    assert results == [{"square": 1}, None, None]
    assert list(tmp_path.glob("*.log")) == []


def test_nothing_begins_that_would_not_be_ready(tmp_path):
    grid = [{"x": x, "sleep": 1.5, "calls": str(tmp_path)} for x in range(3)]
    raw = tmp_path / "raw"
    training.sweep(swept.square, grid[:1], raw)
    training.sweep(swept.square, grid, raw, workers=1, minutes=1.6 / 60)
    assert len(list(tmp_path.glob("[0-9]-*"))) < 3
    with pytest.raises(ValueError, match=r"minutes are 0.0166667, and .* 0.0: "):
        training.sweep(swept.square, grid, raw, minutes=1 / 60)


def test_what_resumes_begins_however_long_it_takes(tmp_path):
    first = [{"x": 1, "sleep": 1.5, "begun": str(tmp_path)}]
    grid = [*first, {"x": 2, "begun": str(tmp_path / "begun")}]
    sweep = functools.partial(training.sweep, swept.resumed, folder=tmp_path / "raw")
    assert sweep(grid=first) == [{"square": 1}]
    # less than the first call took
    assert sweep(grid=grid, minutes=1.4 / 60, resumes=True) == [{"square": 1}, None]
    (tmp_path / "begun").touch()  # if starting Python took longer than that
    assert sweep(grid=grid, resumes=True) == [{"square": 1}, {"square": 4}]


# Wrong use


class Callable:
    def method(self, configuration):
        """A function that no other process finds."""

    def __call__(self, configuration):
        """Neither is this."""


def nested():
    return lambda configuration: configuration


FUNCTIONS = [
    *(nested(), Callable.method, Callable().method, Callable(), None, 3, sweeps),
    *("", "square", "swept", ":square", "swept:", "swept:nothing", "no_such:square"),
    *("swept:__doc__", "__main__:main", "helpers.engine.sweeps.sweep"),
]


@pytest.mark.parametrize("function", FUNCTIONS, ids=range(len(FUNCTIONS)))
def test_functions_that_no_process_finds_are_refused(tmp_path, function):
    with pytest.raises(
        ValueError, match="must be one at the top of a module"
    ) as raised:
        training.sweep(function, GRID, tmp_path / "raw")
    assert repr(function) in str(raised.value)
    assert not (tmp_path / "raw").exists()


GRIDS = [
    ([], r"a grid must be a list .* is \[\]"),
    ({"x": 1}, "a grid must be a list"),
    ("x", "a grid must be a list"),
    ([{"x": 1}, 2], "configuration 1 must be plain JSON.* is 2"),
    ([None], "configuration 0 must be plain JSON"),
    ([{"x": (1, 2)}], "configuration 0 must be plain JSON.*no tuples"),
    ([{"x": float("nan")}], "configuration 0 must be plain JSON"),
    ([{1: 1}], "configuration 0 must be plain JSON.*no keys but strings"),
    ([{"x": swept}], "configuration 0 must be plain JSON"),
    ([{"x": 1, "y": 2}, {"y": 2, "x": 1}], "configurations 0 and 1 are the same"),
]


@pytest.mark.parametrize(("grid", "message"), GRIDS)
def test_bad_grids_are_refused(tmp_path, grid, message):
    with pytest.raises(ValueError, match=message):
        training.sweep(swept.square, grid, tmp_path / "raw")
    assert not (tmp_path / "raw").exists()


@pytest.mark.parametrize(
    "options",
    [{"workers": 0}, {"threads": 0}, {"minutes": 0}, {"minutes": float("nan")}],
)
def test_numbers_out_of_range_are_refused(tmp_path, options):
    with pytest.raises(ValueError, match="workers and threads must be at least 1"):
        training.sweep(swept.square, GRID, tmp_path / "raw", **options)
    assert not (tmp_path / "raw").exists()
