"""The reader's own data: arrays, and tables in CSV of any kind."""

import numpy as np
import pytest
from small_data import squares

from helpers import datasets

PARTS = ("train", "validation", "test")


def parts_of(data, key="x"):
    return [getattr(data, f"{key}_{part}") for part in PARTS]


def firsts(data):
    """The first number of every row, in order."""
    rows = np.concatenate(parts_of(data))
    return np.sort(rows.reshape(len(rows), -1)[:, 0])


# Arrays


def drawn(*shape):
    return np.random.default_rng(0).random(shape)


def test_pictures_of_eight_bits_are_scaled_and_get_their_channel():
    x = (255 * drawn(40, 8, 9)).astype(np.uint8)
    data = datasets.from_arrays(x, duplicates="equal", name="spots")
    assert data.image_shape == (8, 9, 1) and data.x_train.dtype == np.float32
    np.testing.assert_allclose(firsts(data), np.sort(x[:, 0, 0]) / 255, rtol=1e-6)
    colour = datasets.from_arrays(np.stack([x] * 3, axis=-1), duplicates="equal")
    assert colour.image_shape == (8, 9, 3)
    assert colour.x_train.max() <= 1
    train, validation, test = map(len, parts_of(data))
    assert str(data) == (
        f"spots: {train} training, {validation} validation and {test} test pictures of "
        "8 x 9 x 1, from arrays"
    )


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64", "bool"])
def test_what_is_in_the_unit_range_is_taken_as_it_is(kind):
    x = (4 * drawn(30, 8, 8, 1)).round() / 4
    x = x.astype(kind) if kind[0] == "f" else (x > 0.5).astype(kind)
    data = datasets.from_arrays(x)
    np.testing.assert_array_equal(firsts(data), np.sort(x[:, 0, 0, 0]))
    assert data.x_test.dtype == np.float32


def test_pictures_beyond_it_are_refused_or_scaled_or_taken_when_told():
    x = 255 * drawn(30, 8, 8, 1)
    with pytest.raises(ValueError, match=r"span \[.*, 25\d.*scale=255.*'equal'"):
        datasets.from_arrays(x)
    scaled = firsts(datasets.from_arrays(x, scale=255))
    np.testing.assert_allclose(scaled, np.sort(x[:, 0, 0, 0]) / 255, rtol=1e-6)
    equal = firsts(datasets.from_arrays(x, duplicates="equal"))
    np.testing.assert_allclose(equal, np.sort(x[:, 0, 0, 0]), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "kind", "word"),
    [((30, 4), "uint8", "rows"), ((30, 50, 3), "float32", "signals")],
)
def test_tables_and_signals_are_taken_as_they_are(shape, kind, word):
    x = (200 * drawn(*shape)).astype(kind)
    data = datasets.from_arrays(x)
    assert data.image_shape == shape[1:] and word in str(data)
    np.testing.assert_array_equal(firsts(data), np.sort(x.reshape(30, -1)[:, 0]))


def test_what_is_the_same_stands_in_one_part():
    pictures = np.stack([squares(i % 20) for i in range(60)])
    pictures[40:] = pictures[40:] - np.uint8(2)  # nearly the same
    table = np.repeat(np.arange(20.0) - 10, 3)[:, np.newaxis]
    table[table == 0] = 0.0, -0.0, 0.0
    for x in (pictures, table):
        data = datasets.from_arrays(x)
        rows = [{bytes(row.round() + 0) for row in part} for part in parts_of(data)]
        assert sum(map(len, rows)) == len(set.union(*rows)) == 20
        assert sum(map(len, parts_of(data))) == 60
    with pytest.raises(ValueError, match=r"there are 2: duplicates='ignore'"):
        datasets.from_arrays(np.arange(60)[:, np.newaxis] % 2)
    data = datasets.from_arrays(np.arange(60)[:, np.newaxis] % 2, duplicates="ignore")
    assert sum(map(len, parts_of(data))) == 60


def test_the_seed_makes_the_parts():
    x = np.arange(200.0)[:, np.newaxis]
    data, again, other = (datasets.from_arrays(x, seed=s) for s in (1, 1, 2))
    for part, same in zip(parts_of(data), parts_of(again), strict=True):
        np.testing.assert_array_equal(part, same)
    assert set(data.x_test.ravel()) != set(other.x_test.ravel())
    np.testing.assert_array_equal(firsts(data), np.arange(200))
    assert [len(p) for p in parts_of(data)] == pytest.approx([160, 20, 20], abs=12)


def test_labels_stay_with_their_rows():
    x = np.arange(50)[:, np.newaxis]
    words = np.array([f"class {i % 11}" for i in range(50)])
    for y, names in (
        (np.arange(50) * 1000 - 7, None),
        (words, tuple(f"class {i}" for i in range(11))),
        (words.astype(object), tuple(f"class {i}" for i in range(11))),
    ):
        data = datasets.from_arrays(x, y)
        assert data.class_names == names
        for rows, labels in zip(parts_of(data), parts_of(data, "y"), strict=True):
            assert labels.dtype == np.int64
            of_rows = rows[:, 0].astype(int)
            expected = of_rows * 1000 - 7 if names is None else of_rows % 11
            np.testing.assert_array_equal(labels, expected)


NAN = np.where(np.arange(20).reshape(10, 2) == 7, np.nan, 1.0)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (NAN, None, r"1 numbers that are no finite float32, the first nan at \(3, 1\)"),
        (np.full((5, 2), 1e39), None, r"10 numbers .* 1e\+39 at \(0, 0\)"),
        (np.ma.masked_equal([[1, 2], [3, 4]], 3), None, "masked"),
        (np.array([[1, "a"]] * 4, object), None, "is object.*load_table"),
        (np.array([["a"]] * 4), None, "real numbers, and is <U1"),
        ([[1, 2], [3]], None, "one array.*pad it"),
        (np.ones((4, 2), complex), None, "is complex128"),
        (np.arange(5), None, r"shape \(5,\).*newaxis"),
        (np.ones((5, 0)), None, r"shape \(5, 0\)"),
        (np.ones((2, 3)), None, "there are 1"),
        (np.eye(4), np.arange(3), r"one label for each of 4, and has shape \(3,\)"),
        (np.eye(4), np.eye(4), r"shape \(4, 4\).*argmax"),
        (np.eye(4), np.array([0.5, 1, 2, 3]), r"float64, holds .*0\.5"),
        (np.eye(4), np.array(["a", "b", None, "c"]), "holds None"),
    ],
)
def test_arrays_that_are_no_data_are_refused_in_words(x, y, said):
    with pytest.raises(ValueError, match=said):
        datasets.from_arrays(x, y)


def test_wrong_arguments_for_arrays_are_named():
    for arguments, said in (
        ({"scale": 0}, "scale must be positive, or None, and is 0"),
        ({"duplicates": "some"}, "duplicates must be .*'some'"),
    ):
        with pytest.raises(ValueError, match=said):
            datasets.from_arrays(np.eye(4), **arguments)


# Tables


@pytest.fixture
def csv(tmp_path):
    """Writes a file of text or bytes, and returns what is read of it."""

    def read(content, label=None, **arguments):
        path = tmp_path / "houses.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return datasets.load_table(path, label, **arguments)

    return read


def restored(data):
    """The rows of a table in the units of its file, in order."""
    rows = np.concatenate([data.columns.restore(x) for x in parts_of(data)])
    return rows[np.lexsort(rows.T[::-1])]


def houses(separator=",", count=30):
    """Lines of a table whose columns tell the number of the row."""
    point = "," if separator != "," else "."
    streets = ["Elm", f'"Long {separator} ""winding"" road"', "High\u00e4cker"]
    lines = [separator.join(["area", "rooms", "street", "always", "old"])]
    for i in range(count):
        always, old = f"0{point}1", ["no", "yes"][i % 2]
        cells = [f"{i}{point}5", i % 4, streets[i % 3], always, old]
        lines.append(separator.join(map(str, cells)))
    return "\r\n".join([*lines, ""])


EXPECTED = [[i + 0.5, i % 4, [0, 2, 1][i % 3], 0.1] for i in range(30)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_whatever_its_form(csv, capsys, separator, encoding):
    data = csv(houses(separator).encode(encoding), "old", kinds={"rooms": "count"})
    columns = data.columns
    assert columns.names == ("area", "rooms", "street", "always")
    assert columns.kinds == ("number", "count", "class", "number")
    streets = ("Elm", "High\u00e4cker", f'Long {separator} "winding" road')
    assert columns.classes == ((), (), streets, ())
    np.testing.assert_allclose(restored(data), EXPECTED, atol=1e-5)
    assert data.class_names == ("no", "yes")
    for x, y in zip(parts_of(data), parts_of(data, "y"), strict=True):
        area = columns.restore(x)[:, 0]
        np.testing.assert_array_equal(y, np.floor(area + 1e-3) % 2)
    assert (data.name, data.source) == ("houses", "the local file houses.csv")
    assert ("cp1252" in capsys.readouterr().out) == (encoding == "cp1252")


def test_numbers_are_standardised_by_the_training_rows(csv):
    data, plain = (csv(houses(), "old", standardise=s) for s in (True, False))
    area = plain.x_train[:, 0]
    assert data.x_train.dtype == np.float32
    np.testing.assert_allclose(
        data.columns.mean, [area.mean(), plain.x_train[:, 1].mean(), 0, 0.1], rtol=1e-6
    )
    np.testing.assert_allclose(
        data.columns.scale[[0, 2, 3]], [area.std(), 1, 1], rtol=1e-6
    )
    for x, raw in zip(parts_of(data), parts_of(plain), strict=True):
        expected = (raw[:, 0] - area.mean()) / area.std()
        np.testing.assert_allclose(x[:, 0], expected, atol=1e-6)
        np.testing.assert_array_equal(x[:, 2], raw[:, 2])
        assert (abs(x[:, 3]) < 1e-6).all() and (raw[:, 3] == np.float32(0.1)).all()
    np.testing.assert_allclose(
        data.columns.standardise(plain.x_test), data.x_test, atol=1e-6
    )


GAPS = [[str(i), str(i % 5), "xxyyzzz"[i % 7]] for i in range(20)]
GAPS[3][0], GAPS[9][0], GAPS[4][1], GAPS[6][2] = "", " ", "NA", "?"
GAPS = "a,b,kind\n" + "\n".join(map(",".join, GAPS))


def test_missing_values_are_refused_with_their_places(csv):
    said = (
        r"4 values are missing in 4 of 20 rows: 'a' in line 5, 'b' in line 6, "
        r"'kind' in line 8 and 1 more\. missing='drop'"
    )
    with pytest.raises(ValueError, match=said):
        csv(GAPS)
    assert csv(GAPS, skip=["a", "kind"], missing="drop").columns.names == ("b",)


def test_rows_that_lack_a_value_are_dropped_when_told(csv, capsys):
    data = csv(GAPS, missing="drop")
    kept = [i for i in range(20) if i not in (3, 4, 6, 9)]
    np.testing.assert_allclose(restored(data)[:, 0], kept, atol=1e-6)
    assert (
        "4 of 20 rows lack a value, left out: 'a' in line 5" in capsys.readouterr().out
    )


def test_missing_values_are_filled_by_the_training_rows_when_told(csv, capsys):
    data = csv(GAPS, missing="fill", standardise=False, duplicates="ignore")
    assert "4 missing values are filled" in capsys.readouterr().out
    rows = np.concatenate(parts_of(data))
    assert len(rows) == 20 and np.isfinite(rows).all()
    known = list(data.x_train[:, 0])
    filled = next(v for v in rows[:, 0] if list(rows[:, 0]).count(v) > 1)
    own = sorted(v for v in known if v != filled)
    assert own[0] < filled < own[-1] and filled in range(20)
    assert sorted(set(range(20)) - set(rows[:, 0])) == [3, 9]
    assert rows[rows[:, 0] == 6][0, 2] == 2  # z, the commonest, and not the median
    with pytest.raises(ValueError, match=r"1 values are missing.*'kind' in line 8"):
        csv(GAPS, "kind", missing="fill")


@pytest.mark.parametrize("header", [None, False])
def test_a_table_without_a_header_gets_names(csv, header):
    data = csv("\n".join(f"{i},{i % 3},w{i % 2}" for i in range(12)), header=header)
    assert data.columns.names == ("column_1", "column_2", "column_3")
    assert len(restored(data)) == 12
    data = csv(
        "2019,2020\n" + "\n".join(f"{i},{i + 1}" for i in range(12)), header=True
    )
    assert data.columns.names == ("2019", "2020")


def test_quotes_may_stand_after_a_space(csv):
    data = csv("a, b\n" + "".join(f'{i}, "x, {i % 2}"\n' for i in range(12)))
    assert data.columns.classes[1] == ("x, 0", "x, 1")


def test_labels_that_are_numbers_stay(csv):
    data = csv("a,b\n" + "\n".join(f"{i},{5 * i - 9}" for i in range(12)), "b")
    assert data.class_names is None
    labels = np.sort(np.concatenate(parts_of(data, "y")))
    np.testing.assert_array_equal(labels, 5 * np.arange(12) - 9)


def test_equal_rows_of_a_table_stand_in_one_part(csv):
    data = csv("a,b\n" + "".join(f"{i % 9},x\n" for i in range(45)), standardise=False)
    rows = [set(part[:, 0]) for part in parts_of(data)]
    assert sum(map(len, rows)) == 9
    assert sum(map(len, parts_of(data))) == 45


ROWS = "".join(f"{i},w{i}\n" for i in range(60))


@pytest.mark.parametrize(
    ("content", "arguments", "said"),
    [
        ("", {}, "it is empty"),
        ("a,b\n", {}, "no row below its header"),
        ("a,b\n1,2\n3,4\n", {}, "at least 3"),
        (
            "a,b\n1,2\n1,2,3\n4,5\n6\n",
            {},
            r"2 cells.*2 have not: line 3 .3., line 5 .1.",
        ),
        ("a,a\n1,2\n", {}, "several columns are called a"),
        ("a,b\n1,x\ntwo,y\n3,z\n", {}, "'a' must hold numbers.*'two' in line 3"),
        ("a,b\n1,x\ninf,y\n3,z\n", {}, "'inf' in line 3"),
        ("a,b\n,1\nx,2\n3,4\n", {"missing": "drop"}, "'x' in line 3"),
        ("a,b\n1,x\n1e99,y\n3,z\n", {}, "'1e99' in line 3"),
        ("a,b\n1,\n2,\n3,\n4,\n", {"missing": "fill"}, "'b' is empty: skip"),
        ("a,b\n" + ROWS, {}, r"'b' has 60 different words.*skip=\['b'\]"),
        ("a,b\n" + ROWS, {"label": "b"}, "60 different words"),
        (
            "a,b\n" + ROWS,
            {"label": "c"},
            "label names 'c', and the columns are 'a', 'b'",
        ),
        ("a,b\n" + ROWS, {"skip": ["c", "d"]}, "skip names 'c', 'd'"),
        ("a,b\n" + ROWS, {"skip": ["a", "b"]}, "no column is left"),
        ("a,b\n" + ROWS, {"kinds": {"a": "odd"}}, "kind of 'a' must be one of .*'odd'"),
        ("a,b\n" + ROWS, {"missing": "guess"}, "missing must be .*'guess'"),
        ("a,b\n-1,1\n2,1.5\n", {"kinds": {"a": "count"}}, "'a' must hold counts.*'-1'"),
        ("a,b\n1,1\n2,1.5\n3,2\n", {"label": "b"}, "'b' has fractions"),
        ('a,b\n1,"x\n', {}, "line 2 can't be read"),
        (b"a,b\n\x00\x01\xff", {}, "no text"),
        (b"PK\x03\x04\x14\x00\x06\x00", {}, "save a spreadsheet as CSV"),
        ("a,b\n1,2\n", {"separator": ", "}, "separator must be one character"),
        ("\u20ac,b\n1,2\n", {"encoding": "ascii"}, "another encoding"),
    ],
)
def test_a_table_that_can_not_be_read_is_named_with_a_remedy(
    csv, content, arguments, said
):
    with pytest.raises(ValueError, match=rf"(?s)houses\.csv can't be .*{said}"):
        csv(content, **arguments)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv can't be .*No such file"):
        datasets.load_table(tmp_path / "none.csv")
