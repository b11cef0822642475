"""helpers/datasets.py: the ways to the digits and to the cats, and what goes wrong on each."""

import io
import os
import random
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from helpers import datasets
from helpers.datasets import drawn_cats
from helpers.engine import budgets, files


@pytest.fixture(scope="module")
def tiny_mnist():
    """Arrays of MNIST's shapes and types with nothing in them but a few marks."""
    arrays = {
        "x_train": np.zeros((60_000, 28, 28), np.uint8),
        "y_train": np.arange(60_000).astype(np.uint8) % 10,
        "x_test": np.zeros((10_000, 28, 28), np.uint8),
        "y_test": np.arange(10_000).astype(np.uint8)[::-1] % 10,
    }
    arrays["x_train"][0, 2, 3] = 255
    arrays["x_test"][0, 4, 5] = 51
    return arrays


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A course folder with an empty data/, no variable, and a download that fails."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(budgets, "ROOT", tmp_path)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)

    def offline(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr(datasets.downloads, "download", offline)
    return tmp_path


def check_tiny(data):
    assert data.name == "MNIST"
    assert data.x_train.shape == (60_000, 28, 28, 1)
    assert data.x_test.shape == (10_000, 28, 28, 1)
    assert data.x_train.dtype == data.x_test.dtype == np.float32
    assert data.y_train.dtype == data.y_test.dtype == np.int64
    assert data.x_train[0, 2, 3, 0] == 1
    assert data.x_test[0, 4, 5, 0] == pytest.approx(0.2)
    assert data.x_train.sum() == 1
    assert list(data.y_train[:3]) == [0, 1, 2]
    assert list(data.y_test[:3]) == [5, 4, 3]
    assert data.image_shape == (28, 28, 1)


def test_a_local_file_in_data(elsewhere, tiny_mnist, capsys):
    np.savez(elsewhere / "data" / "mnist.npz", **tiny_mnist)
    data = datasets.load_mnist()
    check_tiny(data)
    assert "local file" in data.source
    expected = "MNIST: 60,000 training and 10,000 held-out pictures of 28 x 28 x 1, from the local"
    assert str(data).startswith(expected)
    assert capsys.readouterr().out == ""


def test_the_named_folder_comes_before_data(elsewhere, monkeypatch):
    named = elsewhere / "named"
    named.mkdir()
    monkeypatch.setenv("VAE_COURSE_DATA", str(named))
    in_data, in_named = elsewhere / "data" / "mnist.npz", named / "mnist.npz"
    assert datasets.find_file("mnist.npz") is None
    in_data.touch()
    assert datasets.find_file("mnist.npz") == in_data
    in_named.touch()
    assert datasets.find_file("mnist.npz") == in_named


def test_a_wrong_folder_is_refused(elsewhere, monkeypatch):
    monkeypatch.setenv("VAE_COURSE_DATA", str(elsewhere / "nowhere"))
    with pytest.raises(
        ValueError, match=r"VAE_COURSE_DATA must name a folder.*nowhere"
    ):
        datasets.load_mnist()


def test_the_stand_in_says_what_happened_and_what_to_do(elsewhere, capsys):
    data = datasets.load_mnist()
    assert data.name != "MNIST"
    assert "stand-in" in data.source
    said = capsys.readouterr().out
    assert "no network" in said
    assert datasets.MNIST_URL in said
    assert "data/mnist.npz" in said


def broken(path, arrays, how):
    if how == "text":
        path.write_text("<html>404</html>")
    elif how == "array":
        np.save(path.with_suffix(""), arrays["y_test"])
        path.with_suffix(".npy").rename(path)
    elif how == "objects":
        np.savez(path, **{**arrays, "y_test": np.array([{}] * 10_000, dtype=object)})
    elif how == "range":
        np.savez(path, **{**arrays, "y_test": arrays["y_test"] + np.uint8(1)})
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "cut":
        np.savez(path, **arrays)
        path.write_bytes(path.read_bytes()[:100_000])
    elif how == "key":
        np.savez(path, **{key: a for key, a in arrays.items() if key != "y_test"})
    elif how == "shape":
        np.savez(path, **{**arrays, "x_test": arrays["x_test"][:10]})
    elif how == "type":
        np.savez(path, **{**arrays, "y_train": arrays["y_train"].astype(float)})


@pytest.mark.parametrize(
    "how", ["text", "empty", "cut", "array", "key", "shape", "type", "objects", "range"]
)
def test_a_damaged_file_is_named_with_a_remedy(elsewhere, tiny_mnist, how):
    path = elsewhere / "data" / "mnist.npz"
    broken(path, tiny_mnist, how)
    with pytest.raises(ValueError, match="delete") as caught:
        datasets.load_mnist()
    assert str(path) in str(caught.value)


@pytest.fixture(scope="module")
def stand_in():
    return datasets.digits_stand_in(copies_train=2, copies_test=3)


def test_the_stand_in_has_the_form_of_the_real_thing(stand_in):
    assert stand_in.x_train.shape == (2 * 1437, 28, 28, 1)
    assert stand_in.x_test.shape == (3 * 360, 28, 28, 1)
    for x, y in (
        (stand_in.x_train, stand_in.y_train),
        (stand_in.x_test, stand_in.y_test),
    ):
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert y.shape == (len(x),)
        assert x.min() == 0
        assert 0.95 < x.max() <= 1
        assert set(y) == set(range(10))


def test_the_stand_in_repeats(stand_in):
    again = datasets.digits_stand_in(copies_train=2, copies_test=3)
    np.testing.assert_array_equal(stand_in.x_train, again.x_train)
    np.testing.assert_array_equal(stand_in.y_test, again.y_test)


def test_the_copies_of_a_digit_vary(stand_in):
    first, second = stand_in.x_train[:1437], stand_in.x_train[1437:]
    assert (np.abs(first - second).reshape(1437, -1).max(axis=1) > 0.05).all()
    np.testing.assert_array_equal(stand_in.y_train[:1437], stand_in.y_train[1437:])


def test_held_out_stand_ins_come_from_other_originals(monkeypatch):
    """Without variation every enlarged digit tells its original."""
    monkeypatch.setattr(
        datasets,
        "varied_digits",
        lambda images, copies, rng: np.tile(images, (copies, 1, 1)).astype("float32"),
    )
    data = datasets.digits_stand_in(copies_train=2, copies_test=3)
    train = {picture.tobytes() for picture in data.x_train}
    test = {picture.tobytes() for picture in data.x_test}
    originals = {
        (image / 16).astype("float32").tobytes() for image in load_digits().images
    }
    assert not train & test
    assert train | test == originals


def test_labels_of_the_stand_in_fit_its_pictures(stand_in):
    """A nearest-mean classifier, fitted on training digits, knows most held-out ones."""
    flat = stand_in.x_train.reshape(len(stand_in.x_train), -1)
    means = np.stack(
        [flat[stand_in.y_train == digit].mean(axis=0) for digit in range(10)]
    )
    test = stand_in.x_test.reshape(len(stand_in.x_test), -1)
    distances = ((test[:, np.newaxis] - means) ** 2).sum(axis=2)
    assert np.mean(distances.argmin(axis=1) == stand_in.y_test) > 0.75


def test_enlarged_digits_stay_upright_and_centred():
    corner = np.zeros((1, 8, 8))
    corner[0, 1, 2:5] = 1  # a bar above and left of the centre
    varied = datasets.varied_digits(corner, 20, np.random.default_rng(0))
    rows, columns = np.mgrid[0:28, 0:28]
    for picture in varied[..., 0]:
        assert 5 < (rows * picture).sum() / picture.sum() < 10
        assert 10 < (columns * picture).sum() / picture.sum() < 14


def test_eight_pixels_become_about_twenty():
    """Measured by the spread of a round blob."""
    rows, columns = np.mgrid[0:8, 0:8] - 3.5
    blob = np.exp(-(rows**2 + columns**2) / 2)
    varied = datasets.varied_digits(blob[np.newaxis], 100, np.random.default_rng(0))

    def spread(picture):
        weights = picture.sum(axis=1) / picture.sum()
        places = np.arange(len(weights))
        return np.sqrt(weights @ places**2 - (weights @ places) ** 2)

    growth = np.array([spread(picture) for picture in varied[..., 0]]) / spread(blob)
    assert growth.mean() == pytest.approx(20 / 8, rel=0.03)
    assert 0.9 < growth.min() / 2.5 < 0.95
    assert 1.05 < growth.max() / 2.5 < 1.1


def real_file():
    try:
        return datasets.find_file("mnist.npz")
    except ValueError:
        return None


@pytest.mark.skipif(real_file() is None, reason="the real MNIST is not at hand")
def test_the_real_mnist():
    data = datasets.load_mnist()
    assert list(data.y_train[:5]) == [5, 0, 4, 1, 9]
    assert list(data.y_test[:5]) == [7, 2, 1, 0, 4]
    assert 255 * data.x_train.mean(dtype="float64") == pytest.approx(33.318, abs=1e-3)
    assert data.x_train.max() == 1


# Cats


def encoded(picture, kind="PNG", **options):
    """The bytes of a file with a picture: uint8 (h, w, channels), or a Pillow image."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def marked(index):
    """A grey picture that tells its index, uint8 (64, 64, 3)."""
    return np.full((64, 64, 3), index, np.uint8)


def indices(pictures):
    """The indices of marked pictures in [0, 1]."""
    return np.rint(255 * pictures.mean(axis=(1, 2, 3))).astype(int)


def kaggle_files(count=30, kind="PNG"):
    """Name to bytes, laid out as Kaggle's zip is, in no order."""
    suffix = {"PNG": "png", "JPEG": "jpg"}[kind]
    names = [(f"cats/Data/cat_{i}.{suffix}", i) for i in range(count)]
    random.Random(0).shuffle(names)
    return {name: encoded(marked(i), kind) for name, i in names}


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def write_folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)


def check_thirty(data, place):
    assert data.name == "cats"
    assert place in data.source
    assert data.x_train.shape == (27, 64, 64, 3)
    assert data.x_test.shape == (3, 64, 64, 3)
    assert data.x_train.dtype == data.x_test.dtype == np.float32
    assert (
        data.y_train is data.y_test is data.factors_train is data.factors_test is None
    )
    assert data.factor_names == ()
    train, test = indices(data.x_train), indices(data.x_test)
    assert sorted([*train, *test]) == list(range(30))
    assert list(test) == [2, 11, 26]  # the same on every machine


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("name", ["cats.zip", "cat-dataset.zip", "archive.zip"])
def test_a_zip_of_cats(elsewhere, name, kind):
    write_zip(elsewhere / "data" / name, kaggle_files(kind=kind))
    data = datasets.load_cats()
    check_thirty(data, f"local file {name}")
    expected = (
        "cats: 27 training and 3 held-out pictures of 64 x 64 x 3, from the local file"
    )
    assert str(data).startswith(expected)


def test_a_folder_of_cats_of_any_depth(elsewhere):
    files = kaggle_files()
    deeper = {
        name.replace("cats/Data", "a/b") if "2" in name else name: files[name]
        for name in files
    }
    upper = {name.replace(".png", ".PNG"): content for name, content in deeper.items()}
    write_folder(elsewhere / "data" / "cats", upper)
    data = datasets.load_cats()
    assert "local folder cats" in data.source
    assert sorted([*indices(data.x_train), *indices(data.x_test)]) == list(range(30))


def test_a_folder_and_a_zip_are_split_alike(elsewhere):
    write_folder(elsewhere / "data", kaggle_files())
    check_thirty(datasets.load_cats(), "local folder cats")


def test_cats_in_the_named_folder_come_before_data(elsewhere, monkeypatch):
    named = elsewhere / "named"
    named.mkdir()
    monkeypatch.setenv("VAE_COURSE_DATA", str(named))
    write_zip(elsewhere / "data" / "cats.zip", kaggle_files(10))
    assert len(datasets.load_cats().x_train) == 9
    write_zip(named / "archive.zip", kaggle_files(30))
    check_thirty(datasets.load_cats(), "archive.zip")
    assert list((elsewhere / "data").glob("cats-cache-*.npy"))
    assert [path.name for path in named.iterdir()] == ["archive.zip"]


def test_names_are_ordered_by_their_numbers_and_hidden_files_are_none():
    names = [
        "cats/Data/cat_10.png",
        "__MACOSX/cats/Data/._cat_1.jpg",
        "__MACOSX/cats/cat_5.jpg",
        "cats/Data/cat_2.JPEG",
        "cats/Data/._cat_3.png",
        "cats/.DS_Store",
        "cats/Data/",
        "cats/readme.txt",
        "cats/Data/Cat_1.jpg",
        "cats/.hidden/cat_4.png",
    ]
    expected = ["cats/Data/Cat_1.jpg", "cats/Data/cat_2.JPEG", "cats/Data/cat_10.png"]
    assert datasets.in_natural_order(names) == expected
    assert datasets.in_natural_order(reversed(names)) == expected


def test_fewer_cats_are_a_part_of_more(elsewhere):
    write_zip(elsewhere / "data" / "cats.zip", kaggle_files(200))
    everything = datasets.load_cats()
    train, test = (set(indices(x)) for x in (everything.x_train, everything.x_test))
    assert len(train) == 180
    assert len(test) == 20
    for limit, sizes in {100: (90, 10), 30: (27, 3), 2: (1, 1), 500: (180, 20)}.items():
        data = datasets.load_cats(limit)
        assert (len(data.x_train), len(data.x_test)) == sizes
        assert set(indices(data.x_train)) <= train
        assert set(indices(data.x_test)) <= test


@pytest.mark.parametrize("limit", [1, 0, -5])
def test_a_limit_leaves_something_to_hold_out(limit):
    with pytest.raises(ValueError, match=f"limit must be at least 2.* and is {limit}"):
        datasets.load_cats(limit)


# Cats: the cache


@pytest.fixture
def zipped(elsewhere):
    path = elsewhere / "data" / "cats.zip"
    write_zip(path, kaggle_files())
    return path


def caches(folder):
    return sorted((folder / "data").glob("cats-*"))


def test_cats_are_decoded_once(elsewhere, zipped, monkeypatch, capsys):
    first = datasets.load_cats()
    assert "Reading 30 pictures of cats" in capsys.readouterr().out
    assert len(caches(elsewhere)) == 1
    monkeypatch.setattr(datasets, "decode_cats", None)
    second = datasets.load_cats()
    assert capsys.readouterr().out == ""
    np.testing.assert_array_equal(first.x_train, second.x_train)
    np.testing.assert_array_equal(first.x_test, second.x_test)


def test_a_changed_zip_is_decoded_again(elsewhere, zipped):
    datasets.load_cats()
    (before,) = caches(elsewhere)
    write_zip(zipped, kaggle_files(20))
    assert len(datasets.load_cats().x_train) == 18
    (after,) = caches(elsewhere)
    assert after != before
    state = zipped.stat()
    os.utime(zipped, ns=(state.st_atime_ns, state.st_mtime_ns + 10**9))
    datasets.load_cats()
    assert caches(elsewhere) != [after]


def test_a_changed_folder_is_decoded_again(elsewhere):
    folder = elsewhere / "data" / "cats"
    write_folder(folder, {f"{i}.png": encoded(marked(i)) for i in range(20)})
    datasets.load_cats()
    (folder / "3.png").write_bytes(encoded(marked(99), compress_level=0))
    data = datasets.load_cats()
    assert 99 in [*indices(data.x_train), *indices(data.x_test)]
    (folder / "3.png").unlink()
    data = datasets.load_cats()
    assert len(data.x_train) + len(data.x_test) == 19


def test_a_copy_elsewhere_is_another_source(elsewhere, zipped):
    copy = shutil.copy2(zipped, elsewhere / "cats.zip")
    assert datasets.fingerprint(zipped) == datasets.fingerprint(zipped)
    assert datasets.fingerprint(zipped) != datasets.fingerprint(copy)


@pytest.mark.parametrize("how", ["cut", "empty", "shape", "type", "few"])
def test_a_damaged_cache_is_written_again(elsewhere, zipped, how):
    datasets.load_cats()
    (cache,) = caches(elsewhere)
    if how == "cut":
        cache.write_bytes(cache.read_bytes()[:-1000])
    elif how == "empty":
        cache.write_bytes(b"")
    else:
        shape = {"shape": (30, 32, 32, 3), "few": (1, 64, 64, 3)}.get(
            how, (30, 64, 64, 3)
        )
        np.save(cache, np.zeros(shape, np.uint8 if how != "type" else np.float32))
    check_thirty(datasets.load_cats(), "cats.zip")
    assert np.load(cache).shape == (30, 64, 64, 3)


@pytest.mark.parametrize("function", ["open", "save", "replace"])
def test_a_cache_that_cannot_be_written_is_done_without(
    elsewhere, zipped, monkeypatch, capsys, function
):
    def full(*_, **__):
        raise OSError("no space left")

    home = {"open": files.Path, "save": datasets.np, "replace": files.os}[function]
    kept = files.Path.open
    if function == "open":
        monkeypatch.setattr(
            home,
            "open",
            lambda self, mode="r": full() if "x" in mode else kept(self, mode),
        )
    else:
        monkeypatch.setattr(home, function, full)
    check_thirty(datasets.load_cats(), "cats.zip")
    assert "can't be kept in data/ (no space left)" in capsys.readouterr().out
    assert caches(elsewhere) == []


def test_an_interruption_leaves_no_half_written_cache(elsewhere, zipped, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(datasets.np, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.load_cats()
    assert caches(elsewhere) == []


# Cats: odd and damaged pictures


def read(content):
    return datasets.read_picture(content)


def test_pictures_of_other_shapes_are_cut_to_their_middle_and_shrunk():
    wide = np.zeros((120, 400, 3), np.uint8)
    wide[:, 140:260] = (200, 100, 50)
    picture = read(encoded(wide))
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[32, 8:56], np.tile([[200, 100, 50]], (48, 1)))
    tall = read(encoded(wide.transpose(1, 0, 2)))
    np.testing.assert_array_equal(tall, picture.transpose(1, 0, 2))
    assert read(encoded(np.full((5, 7, 3), 9, np.uint8))).min() == 9


def test_fine_patterns_shrink_to_their_mean():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 200
    assert (
        np.abs(read(encoded(stripes)).astype(int) - 100).max() <= 5
    )  # the rim is the worst


def grey_ramp(mode):
    """A picture in another mode whose columns grow from 0 to 252."""
    ramp = np.tile(4 * np.arange(64, dtype=np.uint8), (64, 1))
    if mode == "I;16":
        return Image.fromarray(ramp.astype(np.uint16) * 257)
    return Image.fromarray(ramp).convert(mode)


@pytest.mark.parametrize("mode", ["L", "P", "LA", "RGBA", "I;16"])
def test_other_modes_become_red_green_and_blue(mode):
    picture = read(encoded(grey_ramp(mode)))
    expected = np.tile(4 * np.arange(64), (64, 1))
    np.testing.assert_allclose(picture, np.stack([expected] * 3, axis=-1), atol=1)


def test_four_inks_become_red_green_and_blue():
    inks = Image.new("CMYK", (64, 64), (0, 255, 255, 0))
    red, green, blue = read(encoded(inks, "JPEG"))[32, 32]
    assert red > 200
    assert max(green, blue) < 60


def test_what_is_transparent_becomes_white():
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[:, 32:, 3] = 255
    seen = read(encoded(picture))
    assert (seen[:, :32] == 255).all()
    assert (seen[:, 32:] == 0).all()
    palette = Image.new("P", (64, 64), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    assert (read(encoded(palette, transparency=1)) == 255).all()
    assert (read(encoded(palette, transparency=0)) == [10, 20, 30]).all()


def test_a_photograph_taken_sideways_stands_up():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:, :32] = 200
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise to see it upright
    seen = read(encoded(picture, "JPEG", exif=exif, quality=95))
    assert seen[:28].min() > 190
    assert seen[36:].max() < 10


def damaged(how):
    whole = encoded(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    return {
        "cut": whole[: len(whole) // 2],
        "text": b"<html>404</html>",
        "empty": b"",
        "gif": encoded(marked(1), "GIF"),
        "large": whole + bytes(30_000),
        "bomb": encoded(Image.new("L", (500, 500))),
        "warned": encoded(Image.new("L", (350, 350))),
    }[how]


@pytest.mark.parametrize(
    "how", ["cut", "text", "empty", "gif", "large", "bomb", "warned"]
)
@pytest.mark.parametrize("place", ["zip", "folder"])
def test_unreadable_pictures_are_counted_named_and_left_out(
    elsewhere, monkeypatch, capsys, how, place
):
    monkeypatch.setattr(datasets, "LARGEST_FILE", 30_000)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    files = kaggle_files()
    for index in (1, 3, 5, 7):
        files[f"cats/Data/cat_{index}.png"] = damaged(how)
    if place == "zip":
        write_zip(elsewhere / "data" / "cats.zip", files)
    else:
        write_folder(elsewhere / "data", files)
    data = datasets.load_cats()
    found = sorted([*indices(data.x_train), *indices(data.x_test)])
    assert found == [i for i in range(30) if i not in (1, 3, 5, 7)]
    said = capsys.readouterr().out
    assert "4 can't be read" in said
    assert "cat_1.png (" in said
    assert "cat_5.png (" in said
    assert "cat_7.png" not in said
    assert str(elsewhere) not in said


def test_a_member_that_was_tampered_with_is_left_out(zipped, capsys):
    content = bytearray(zipped.read_bytes())
    content[content.index(b"IDAT") + 10] ^= 1
    zipped.write_bytes(content)
    data = datasets.load_cats()
    assert len(data.x_train) + len(data.x_test) == 29
    assert "1 can't be read" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("place", "files", "said"),
    [
        ("cats.zip", {}, "holds 0: put"),
        ("cats.zip", {"notes.txt": b"none"}, "holds 0: put"),
        ("cats.zip", {"cats/Data/cat_1.png": encoded(marked(1))}, "holds 1: put"),
        (
            "cats.zip",
            {f"{i}.png": b"text" for i in range(5)},
            r"holds 0 \(5 can't be read: 0.png",
        ),
        ("cats", {}, "holds 0: put"),
        ("cats", {"notes.txt": b"none", "._1.jpg": encoded(marked(1))}, "holds 0: put"),
        (
            "cats",
            {"a.jpg": b"text", "b.jpg": b"text"},
            r"holds 0 \(2 can't be read: a.jpg",
        ),
    ],
)
def test_a_place_without_cats_is_named_with_a_remedy(elsewhere, place, files, said):
    path = elsewhere / "data" / place
    if place == "cats":
        path.mkdir()
        write_folder(path, files)
    else:
        write_zip(path, files)
    with pytest.raises(
        ValueError, match=f"at least 2 readable.*{said}.*downloaded"
    ) as caught:
        datasets.load_cats()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", "cut"])
def test_what_is_no_zip_is_named_with_a_remedy(zipped, content):
    whole = zipped.read_bytes()
    zipped.write_bytes(whole[: len(whole) // 2] if content == "cut" else content)
    with pytest.raises(ValueError, match=r"not a readable zip.*downloaded") as caught:
        datasets.load_cats()
    assert str(zipped) in str(caught.value)


# Cats: the stand-in


def test_the_drawn_cats_say_what_happened_and_what_to_do(elsewhere, capsys):
    data = datasets.load_cats(limit=50)
    assert len(data.x_train) == 45
    assert len(data.x_test) == 5
    assert data.name == "drawn cats"
    assert "drawn" in data.source
    said = capsys.readouterr().out
    assert "no network" in said
    assert datasets.CATS_URL in said
    assert "data/cats.zip" in said


def test_without_a_limit_ten_thousand_cats_are_drawn(elsewhere, monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "drawn_cats_stand_in", asked.append)
    datasets.load_cats()
    datasets.load_cats(limit=20_000)
    assert asked == [10_000, 10_000]


def test_drawn_cats_come_with_their_factors():
    data = datasets.drawn_cats_stand_in(30, seed=2)
    assert data.factor_names == tuple(drawn_cats.FACTORS)
    assert data.y_train is data.y_test is None
    for x, factors, count in (
        (data.x_train, data.factors_train, 27),
        (data.x_test, data.factors_test, 3),
    ):
        assert x.shape == (count, 64, 64, 3)
        assert factors.shape == (count, len(data.factor_names))
        assert x.dtype == factors.dtype == np.float32
        np.testing.assert_allclose(drawn_cats.draw(factors), x, atol=1e-6)
    again = datasets.drawn_cats_stand_in(30, seed=2)
    np.testing.assert_array_equal(again.x_train, data.x_train)
    assert (datasets.drawn_cats_stand_in(30).factors_train != data.factors_train).all()
    with pytest.raises(ValueError, match=r"count must be at least 2, and is 1"):
        datasets.drawn_cats_stand_in(1)


def test_conversion_picks_and_scales():
    pictures = np.arange(250, dtype=np.uint8)[:, np.newaxis]
    chosen = np.array([5, 0, 249])
    converted = datasets.to_unit_range(pictures, chosen)
    assert converted.dtype == np.float32
    np.testing.assert_array_equal(converted[:, 0], (chosen / 255).astype(np.float32))
    np.testing.assert_array_equal(
        datasets.to_unit_range(pictures), pictures.astype(np.float32) / 255
    )


def test_conversion_holds_one_float_copy():
    pictures = np.zeros((1000, 64, 64, 3), np.uint8)
    tracemalloc.start()
    converted = datasets.to_unit_range(pictures, np.arange(1000)[::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert converted.nbytes < peak < 1.1 * converted.nbytes


def real_cats():
    try:
        return datasets.find_file(*datasets.CATS_PLACES)
    except ValueError:
        return None


@pytest.mark.skipif(real_cats() is None, reason="the real cats are not at hand")
def test_the_real_cats():
    assert len(datasets.read_cats(real_cats())) == 29_843
    data = datasets.load_cats(limit=1000)
    assert (len(data.x_train), len(data.x_test)) == (900, 100)
    assert 0.3 < data.x_train.mean() < 0.6
    assert 0.2 < data.x_train.std() < 0.3
    assert data.x_train.max() == 1
