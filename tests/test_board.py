"""The board: its rules, its clock, its logs, and the table that README shows."""

import math
import re
import time
from types import SimpleNamespace

import board_logs
import ladder_board
import numpy as np
import pytest
import scipy.stats
from board_logs import EntryError

from helpers.engine import paths, results
from helpers.engine.studies import ladder

COINS = (board_logs.FOLDER / "coins.py").read_text()
OWN = '''"""Two pictures of coins, one of which z names; q looks at no picture."""

import numpy as np

CHANCES = np.linspace(0.1, 0.9, 64), np.linspace(0.6, 0.2, 64)


def log_weights(x, samples, seed):
    z = np.random.default_rng(seed).random((samples, len(x))) < 0.5
    each = [x @ np.log(p) + (1 - x) @ np.log1p(-p) for p in CHANCES]
    return np.where(z, each[1] + np.log(0.3), each[0] + np.log(0.7)) - np.log(0.5)


def train(task):
    count = np.array(task.kept[0]) if task.kept else np.zeros(1)
    for steps in range(task.steps + 1, 10_000):
        count += 1
        yield steps, log_weights, [count]
'''


@pytest.fixture
def board(tmp_path, monkeypatch):
    """A board of two entries and no log, on few digits of 64 pixels, by a mock clock.

    Its clock says that each piece takes a second, and that the first one takes five.
    """
    rng = np.random.default_rng(0)
    grey = rng.uniform(size=(200, 64)).astype("float32")
    coins = (rng.uniform(size=(60, 64)) < 0.4).astype("float32")
    digits = {"grey": grey, "validation": coins[:30], "test": coins[30:]}
    folder = tmp_path / "board"
    folder.mkdir()
    (folder / "coins.py").write_text(COINS)
    (folder / "own.py").write_text(OWN)
    monkeypatch.setattr(board_logs, "FOLDER", folder)
    monkeypatch.setattr(board_logs, "README", tmp_path / "README.md")
    monkeypatch.setattr(ladder, "binary_digits", lambda: digits)
    monkeypatch.setattr(paths, "build_folder", lambda: tmp_path / "build")

    def timed(self, function, first):
        value = function()
        self.seconds += 5 if first else 1
        self.processor_seconds += 10 if first else 2
        self.first += 5 * first
        self.pieces += not first
        return value

    monkeypatch.setattr(ladder_board.Clock, "timed", timed)
    return SimpleNamespace(folder=folder, digits=digits, readme=tmp_path / "README.md")


# Entries


@pytest.mark.parametrize("name", board_logs.names())
def test_an_entry_says_what_it_is_and_trains(name):
    module = ladder_board.entry(name)
    assert module.__doc__.splitlines()[0].endswith(".")


def test_every_rung_of_the_ladder_is_an_entry():
    rungs = {name for name in ladder.RUNGS if "start" not in ladder.RUNGS[name]}
    assert set(board_logs.names()) > rungs  # one begins with another's weights


WRONG = {
    "def train(task):\n    yield 1": "has no docstring",
    '"""Wrong."""': r"has no function train\(task\) that yields",
    '"""Wrong."""\ndef train(task):\n    return 1': "has no function train",
    '"""Wrong."""\nimport nowhere': "can't be imported: ModuleNotFoundError",
}
YIELDS = {
    "1": r"yield \(steps, log_weights, kept\), not 1",
    "1, f": "yield",
    "0, f, ()": "counted up from 0, and are 0",
    "1.5, f, ()": "and are 1.5",
    "1, 7, ()": r"function log_weights\(x, samples, seed\), and is 7",
    "1, lambda x, k, s: f(x, k, s).T, ()": r"must have the shape \(40, 30\), .*\(30, 4",
    "1, lambda x, k, s: f(x, k, s).mean(), ()": r"and have \(\)",
    "1, lambda x, k, s: f(x, k, s) * np.nan, ()": "nan or infinite",
    "1, lambda x, k, s: -f(x, k, s), ()": "can't be above 0, and is 9",
}
TRAIN = '''"""Wrong."""
import numpy as np
f = lambda x, samples, seed: np.full((samples, len(x)), -90.0)
def train(task):
    yield {}
'''
WRONG |= {TRAIN.format(yielded): words for yielded, words in YIELDS.items()}
WRONG[TRAIN.replace("yield {}", "yield from ()")] = "yielded nothing"


@pytest.mark.parametrize("source", WRONG)
def test_a_wrong_entry_is_told_what_is_wrong(board, source, capsys):
    (board.folder / "wrong.py").write_text(source)
    with pytest.raises(EntryError, match=WRONG[source]):
        ladder_board.train("wrong", 1, 0, 40)
    assert ladder_board.main(["wrong", "--minutes", "1", "--codes", "40"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("wrong: ") and re.search(WRONG[source], said)
    assert not (board.folder / "wrong.csv").exists()


def test_an_entry_that_is_not_there_is_told_which_are(board, capsys):
    assert ladder_board.main(["nobody"]) == 1
    assert "no entry is called nobody: they are coins, own" in capsys.readouterr().err


# The estimate


def test_coins_have_the_likelihood_that_they_should(board):
    ladder_board.train("coins", 1, 0, 7)
    chance = (board.digits["grey"].sum(0) + 0.5) / 201
    known = scipy.stats.bernoulli(chance).logpmf(board.digits["test"]).sum(axis=1)
    [row] = board_logs.log_of("coins")
    assert row["nll"] == pytest.approx(-known.mean(), rel=1e-5)
    assert row["nll_error"] == pytest.approx(known.std(ddof=1) / math.sqrt(30), 1e-4)
    assert (row["codes"], row["digits"], row["steps"]) == (7, 30, 1)


def test_a_model_of_ones_own_has_its_exact_likelihood(board):
    module = ladder_board.entry("own")
    x = board.digits["test"]
    each = [scipy.stats.bernoulli(p).logpmf(x).sum(axis=1) for p in module.CHANCES]
    known = np.logaddexp(each[0] + np.log(0.7), each[1] + np.log(0.3))
    found = ladder_board.log_likelihoods(module.log_weights, x, 4000)
    np.testing.assert_allclose(found, known, atol=0.15)
    assert found.mean() == pytest.approx(known.mean(), abs=0.02)


# The clock


def test_the_clock_counts_training_and_its_share_does_not_count_compiling():
    clock = ladder_board.Clock(limit=0.6)
    clock.timed(lambda: time.sleep(0.2), first=True)
    assert clock.done == 0 and clock.first == clock.seconds >= 0.2
    time.sleep(0.3)  # somebody measures
    clock.timed(lambda: time.sleep(0.1), first=False)
    assert 0.3 <= clock.seconds < 0.5
    assert 0 < clock.processor_seconds < 0.2
    after = clock.seconds - clock.first
    assert clock.done == pytest.approx(after / (0.6 - clock.first - after))
    assert ladder_board.Clock(limit=1, seconds=2, first=2).done == 1


def test_a_run_ends_before_its_time_is_over_and_is_measured_on_the_way(board):
    ladder_board.train("own", 1, 3, 200)
    rows = board_logs.log_of("own")
    seconds = [row["seconds"] for row in rows]
    assert seconds == sorted(set(seconds)) and len(seconds) == ladder_board.MARKS
    assert seconds[-1] == 59 and seconds[0] == 5 + math.ceil(54 / 10)
    assert [row["codes"] for row in rows] == [ladder_board.FEWER] * 9 + [200]
    assert all(row["steps"] == row["seconds"] - 4 for row in rows)
    assert all(row["processor_seconds"] == 2 * row["seconds"] for row in rows)
    assert {(row["minutes"], row["seed"], row["machine"]) for row in rows} == {
        (1, 3, ladder_board.machine())
    }
    assert not list((board.folder.parent / "build" / "board").iterdir())


def test_a_stopped_run_goes_on(board, monkeypatch, capsys):
    monkeypatch.setattr(ladder_board, "EACH", 0)  # keeps every piece
    plain = ladder_board.measured
    calls = []

    def stopped(*arguments):
        calls.append(1)
        if len(calls) in (4, 11):  # at a mark, and while the end is measured
            raise KeyboardInterrupt
        return plain(*arguments)

    monkeypatch.setattr(ladder_board, "measured", stopped)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            ladder_board.train("own", 1, 0, 200)
        assert not (board.folder / "own.csv").exists()
    ladder_board.train("own", 1, 0, 200)
    rows = board_logs.log_of("own")
    assert [row["codes"] for row in rows] == [ladder_board.FEWER] * 9 + [200]
    assert rows[-1]["seconds"] == 59 and rows[-1]["steps"] == 59 - 2 * 4
    assert capsys.readouterr().out.count("goes on after") == 2


# Logs and the table


def test_a_log_comes_back_as_it_was_written(board):
    row = dict(zip(board_logs.LOG[3:], (4e6, 179.5, 350.25, 500, 30), strict=False))
    row = {k: int(v) if k in board_logs.COUNTS else v for k, v in row.items()}
    row |= {"nll": 86.4125, "nll_error": 0.68}
    one = {"minutes": 0.5, "seed": 2, "machine": "2 cores, a processor"}
    other = one | {"minutes": 8.0}
    board_logs.write("own", one, [row, row | {"nll": 85.0}])
    board_logs.write("own", other, [row])
    board_logs.write("own", one, [row | {"steps": 7}])  # in the place of the first
    assert board_logs.log_of("own") == [other | row, one | row | {"steps": 7}]
    assert board_logs.log_of("coins") == []


@pytest.mark.parametrize("change", [("nll", "nils"), ("86.4", "eighty"), ("86.4", "")])
def test_a_broken_log_is_named(board, change):
    board_logs.write("own", dict.fromkeys(board_logs.RUN, 1), [{"nll": 86.4}])
    path = board.folder / "own.csv"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(EntryError, match=r"own\.csv: .* in the row"):
        board_logs.log_of("own")


def logged(board, entry, minutes, machine, points):
    """Write a log of marks, each of seconds and NLL."""
    run = {"minutes": minutes, "seed": 0, "machine": machine}
    rows = [dict.fromkeys(board_logs.LOG[3:], 1) for _ in points]
    for row, (seconds, nll) in zip(rows, points, strict=True):
        row |= {"seconds": seconds, "processor_seconds": 2 * seconds}
        row |= {"nll": nll, "nll_error": 0.7}
    board_logs.write(entry, run, rows)


def test_the_table_has_who_was_first_below_a_target_on_each_machine(board):
    logged(board, "own", 3, "2 cores", [(60, 89.5), (120, 87.2), (180, 86.9)])
    logged(board, "own", 8, "2 cores", [(100, 89.0), (170, 86.0), (480, 84.2)])
    logged(board, "coins", 3, "2 cores", [(90, 89.0), (185, 84.9)])
    logged(board, "coins", 1, "H200", [(5, 87.0), (60, 79.9)])
    names = ("target", "machine", "seconds", "entry", "nll", "minutes")
    found = [tuple(r.get(name) for name in names) for r in board_logs.table()]
    assert found == [
        (90, "2 cores", 60, "own", 86.9, 3),
        (90, "H200", 5, "coins", 79.9, 1),
        (87, "2 cores", 170, "own", 84.2, 8),
        (87, "H200", 60, "coins", 79.9, 1),
        (85, "2 cores", 185, "coins", 84.9, 3),
        (85, "H200", 60, "coins", 79.9, 1),
        (83, "H200", 60, "coins", 79.9, 1),
        (80, "H200", 60, "coins", 79.9, 1),
    ]


def test_the_table_is_printed_and_put_into_its_place(board, capsys):
    board.readme.write_text("Before\n<!-- board -->\nold\n<!-- end of board -->\nAfter")
    logged(board, "own", 3, "2 cores", [(1234.4, 84.95)])
    assert ladder_board.main(["--readme"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].split()[:2] == ["nats", "seconds"]
    told = ["85", "1,234", "2,469", "own", "2 cores", "84.95 ± 0.70, 3 minutes"]
    assert [line.split()[0] for line in said[1:]] == ["90", "87", "85", "83", "80"]
    assert all(part in said[3] for part in told) and "none yet" in said[4]
    text = board.readme.read_text()
    assert text.startswith("Before") and text.endswith("<!-- end of board -->\nAfter")
    assert f"| {' | '.join(told)} |\n" in text and "old" not in text
    assert board_logs.PLACE.search(text)[0].count("\n") == 1 + 2 + 5


def test_the_readme_shows_the_table_of_the_logs():
    text = (paths.ROOT / "README.md").read_text(encoding="utf-8")
    shown = board_logs.as_markdown(board_logs.table())
    [place] = board_logs.PLACE.finditer(text)
    assert place[0] == f"{place[1]}{shown}{place[2]}"


def test_every_log_belongs_to_an_entry_and_its_figures_agree():
    for path in board_logs.FOLDER.glob("*.csv"):
        assert path.stem in board_logs.names()
        assert tuple(results.read_csv(path)[0]) == board_logs.LOG
        for row in board_logs.log_of(path.stem):
            assert 70 < row["nll"] < 250 and 0 < row["nll_error"] < 5
            assert 0 < row["seconds"] < 60 * row["minutes"] * 1.1
            assert row["digits"] == ladder.DIGITS
