"""Marks for what students hand in, whatever that is."""

import contextlib
import csv
import io
import json
import sys
import tempfile
from pathlib import Path

import handed_in
import numpy as np
import pytest
from answers import CORRECT, MISTAKES
from campaign import tries

from helpers import checks
from teaching import child, grade, reports, submissions
from teaching.answers import Code
from teaching.exercises import course
from teaching.marks import Row
from teaching.processes import Child, Failure, Limits

NAMES = list(handed_in.EVERY) if tries(0, 1) else handed_in.QUICK
LINUX = sys.platform == "linux"


# The same checks, with the answer in another process


def as_if_far(function):
    """What ``Child.function`` gives for an answer, without the process."""

    def call(*arguments):
        packed = json.loads(json.dumps([child.pack(a) for a in arguments]))
        reply = json.loads(json.dumps(child.answered(function, packed)))
        return child.received(reply, arguments)

    return call


def verdict(name, attempt):
    with np.errstate(all="ignore"):
        return getattr(checks, f"check_{name}")(attempt)


@pytest.mark.parametrize("name", CORRECT)
def test_checks_say_the_same_of_an_answer_in_another_process(name):
    wrong = [attempt for other, attempt, _ in MISTAKES if other == name]
    odd = [lambda *_: None, lambda *_: {"a": 1}, lambda *_: 1 + 2j, lambda *_: "7.0"]
    odd += [lambda *_: [[1.0], [1.0, 2.0]], lambda *_: 1 / 0, lambda *_: np.ones(97)]
    for attempt in [CORRECT[name], *wrong[: tries(test=2, soak=99)], *odd]:
        assert verdict(name, as_if_far(attempt)) == verdict(name, attempt)


def overwrites(nats, values):
    nats /= values
    nats += np.log(256)
    nats /= np.log(2)
    return nats


@pytest.mark.parametrize("answer", [overwrites, lambda n, v: overwrites(n, v)[:]])
def test_an_answer_in_its_argument_s_place_is_refused(answer):
    assert "overwrite the argument" in verdict("bits", as_if_far(answer))


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 2.5, np.inf, "text", 1 + 2j, [1, [2.0, None]], (1, "a"), []],
)
def test_a_value_comes_back_as_it_was(value):
    back = child.unpack(json.loads(json.dumps(child.pack(value))))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("kind", ["bool", "int8", "float32", "complex64", "U3"])
@pytest.mark.parametrize("shape", [(), (0,), (2, 3)])
def test_an_array_comes_back_as_it_was(kind, shape):
    array = np.zeros(shape, kind)
    back = child.unpack(json.loads(json.dumps(child.pack(array))))
    np.testing.assert_array_equal(back, array)
    assert back.dtype.kind == array.dtype.kind


def test_arrays_of_objects_do_not_pass():
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    packed = {"npy": child.base64.b64encode(file.getvalue()).decode()}
    with pytest.raises(ValueError, match="allow_pickle"):
        child.unpack(packed)
    assert child.pack(np.array([{}, None], dtype=object))["object"] == "ndarray"


# An answer, and what it needs


def statements(name, *cells):
    return Code(list(enumerate(cells, start=1))).answer(name).statements


def test_an_answer_brings_what_it_needs_and_no_more():
    found = statements(
        "f",
        "import numpy as np\nimport keras",
        "scale = 2\nmodel = train()",
        "def f(x):\n    model = np.abs(x)\n    return g(model)",
        "def g(x):\n    return [scale * y for y in x]",
        "f(3)",
    )
    kept = ["import numpy as np", "scale = 2", "def g(x):", "def f(x):"]
    assert sorted(code.splitlines()[0] for code in found) == sorted(kept)
    assert found[-1].startswith("def f")


def test_a_function_counts_before_a_value_of_its_name():
    code = Code([(1, "def f(x):\n    return x"), (2, "f = f(3)")])
    assert code.answer("f").cell == 1


@pytest.mark.parametrize(
    ("name", "student"),
    [
        ("anna_02_autoencoder.ipynb", "anna"),
        ("02_autoencoder - Ben Li.ipynb", "Ben Li"),
        ("02_autoencoder.ipynb", "02_autoencoder"),
        ("Ben Li/02_autoencoder.ipynb", "Ben Li"),
        ("Ben Li/late/x.ipynb", "Ben Li"),
    ],
)
def test_a_student_is_a_folder_or_a_part_of_the_name(name, student):
    assert submissions.student_of(Path(name)) == student


def test_functions_of_exercises_are_told_apart_by_name():
    names = [e.function for exercises in course().values() for e in exercises]
    assert len(set(names)) == len(names) == len(CORRECT)


# The process


def test_an_answer_runs_in_a_folder_of_its_own_without_our_environment():
    values = "sorted(os.environ), os.getcwd(), os.getsid(0)"
    code = f"import os\ndef f():\n    return {values}"
    with Child(Limits()) as process:
        process.load(Code([(1, code)]).answer("f"))
        names, folder, session = process.function()()
        assert folder == process.folder
        assert session == process.process.pid
        assert "VAE_COURSE_BUDGET" not in names
    assert not Path(folder).exists()


def test_an_answer_that_never_comes_is_not_waited_for():
    code = "import time\ndef f():\n    time.sleep(600)"
    with Child(Limits(waiting=6)) as process:
        process.load(Code([(1, code)]).answer("f"))
        with pytest.raises(Failure, match="in time"):
            process.function()()


# Submissions


def snapshot(folder):
    """What a folder holds, and when that changed last."""
    found = {}
    for path in sorted([folder, *folder.rglob("*")]):
        status = path.lstat()
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns)
    return found


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Rows, the folders of marks and of temporary files, and changes elsewhere."""
    top = tmp_path_factory.mktemp("class")
    folder, outside, spare, out = (top / n for n in ("in", "outside", "spare", "out"))
    for made in (folder, outside, spare):
        made.mkdir()
    for path in (outside / "kept", outside / "deeper" / "kept"):
        handed_in.written(path, b"kept")
    handed_in.hand_in(folder, outside, NAMES)
    before = snapshot(folder) | snapshot(outside)
    limits = Limits(seconds=2, loading=20, waiting=60, hidden=(folder, out))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(spare))
        rows = grade.grade(folder, out, limits)
    changes = (snapshot(folder) | snapshot(outside)).items() ^ before.items()
    return {"rows": rows, "out": out, "spare": spare, "changes": changes}


@pytest.mark.parametrize("name", NAMES)
def test_marks_are_those_that_were_earned(graded, name):
    _, marks, words = handed_in.EVERY[name]
    rows = [row for row in graded["rows"] if row.student == name]
    assert tuple(row.mark for row in rows) == marks, rows
    assert words in rows[0].message
    assert all(row.message.startswith("correct") for row in rows if row.mark)
    assert all(name in row.where for row in rows)


def test_no_submission_changed_what_is_not_its_own(graded):
    assert not graded["changes"]
    assert not list(graded["spare"].iterdir())


@pytest.mark.skipif(not LINUX, reason="looks into /proc")
def test_no_process_is_left(graded):
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it has ended
            assert str(graded["spare"]).encode() not in path.read_bytes()


def test_the_table_has_every_mark_and_the_pages_no_markup_of_students(graded):
    text = (graded["out"] / "marks.csv").read_text(encoding="utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(graded["rows"])
    assert {row["student"] for row in table} == set(NAMES)
    assert {row["mark"] for row in table} == {"0", "1", ""}
    pages = sorted((graded["out"] / "feedback").glob("*.html"))
    assert len(pages) == len(NAMES)
    page = (graded["out"] / "feedback" / "markup.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


# Names of students


def row(student, mark=1, message="correct", where="x.ipynb"):
    return Row(student, "02_autoencoder", "Exercise 1", mark, message, where)


ODD_NAMES = ["=1+1", "<b>bold", "a\nb", "-_-", "…", "a b", "a.b", "A_b", "é" * 60]
ODD_NAMES += ["..", "a\udcffb", "é" * 60 + "2"]


def test_odd_names_get_a_row_and_a_page_each(tmp_path):
    reports.write([row(name, message="@x\x00") for name in ODD_NAMES], tmp_path)
    text = (tmp_path / "marks.csv").read_text(encoding="utf-8-sig")
    table = list(csv.DictReader(io.StringIO(text)))
    assert len(table) == len(ODD_NAMES)
    assert table[0]["student"] == "'=1+1"
    assert table[0]["message"] == "'@x "
    pages = list((tmp_path / "feedback").iterdir())
    assert len(pages) == len(ODD_NAMES)
    assert not any("<b>" in page.read_text() for page in pages)


def test_the_best_of_several_marks_counts():
    rows = [row("a", mark, where=f"{mark}") for mark in (None, 0, 1, 0)]
    assert [r.where for r in reports.best(rows)] == ["1"]
    assert [r.where for r in reports.best(rows[:2])] == ["0"]


def test_the_command_says_where_the_marks_are(tmp_path, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    handed_in.hand_in(folder, tmp_path, ["empty"])
    assert grade.main([str(folder), "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr()
    assert "empty.ipynb: not marked: it is empty" in said.out
    assert str(tmp_path / "out" / "marks.csv") in said.out
    assert grade.main([str(tmp_path / "nowhere")]) == 1
    assert "nowhere is no folder" in capsys.readouterr().err


def test_nothing_is_marked_where_no_answer_can_run(tmp_path):
    with pytest.raises(RuntimeError, match="no answer can be run here"):
        grade.grade(tmp_path, tmp_path / "out", Limits(waiting=0))
    assert not (tmp_path / "out").exists()
