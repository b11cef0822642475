"""helpers/datasets.py: three ways to the digits, and what goes wrong on each."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from helpers import datasets, runtime


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
    monkeypatch.setattr(runtime, "ROOT", tmp_path)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)

    def offline(*_, **__):
        raise Exception("no network")  # noqa: TRY002: get_file raises a bare Exception

    monkeypatch.setattr(datasets.keras.utils, "get_file", offline)
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
    with pytest.raises(ValueError, match=r"VAE_COURSE_DATA must name a folder.*nowhere"):
        datasets.load_mnist()


def test_the_download(elsewhere, tiny_mnist, monkeypatch):
    calls = {}

    def get_file(name, url, file_hash, cache_dir, cache_subdir):
        calls.update(url=url, hash=file_hash, timeout=datasets.socket.getdefaulttimeout())
        path = cache_dir / cache_subdir / name
        np.savez(path, **tiny_mnist)
        return str(path)

    monkeypatch.setattr(datasets.keras.utils, "get_file", get_file)
    before = datasets.socket.getdefaulttimeout()
    data = datasets.load_mnist()
    check_tiny(data)
    assert "download" in data.source
    assert calls == {
        "url": datasets.MNIST_URL,
        "hash": datasets.MNIST_SHA256,
        "timeout": datasets.DOWNLOAD_TIMEOUT,
    }
    assert datasets.socket.getdefaulttimeout() == before
    assert "local file" in datasets.load_mnist().source


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


@pytest.mark.parametrize("how", ["text", "empty", "cut", "key", "shape", "type"])
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
    for x, y in ((stand_in.x_train, stand_in.y_train), (stand_in.x_test, stand_in.y_test)):
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
    originals = {(image / 16).astype("float32").tobytes() for image in load_digits().images}
    assert not train & test
    assert train | test == originals


def test_labels_of_the_stand_in_fit_its_pictures(stand_in):
    """A nearest-mean classifier, fitted on training digits, knows most held-out ones."""
    flat = stand_in.x_train.reshape(len(stand_in.x_train), -1)
    means = np.stack([flat[stand_in.y_train == digit].mean(axis=0) for digit in range(10)])
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
