"""Damaged files and odd arguments, by the hundred: only errors that the docstrings announce."""

import functools
import io
import random
import struct
import time
import tracemalloc
import warnings
import zipfile
import zlib

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from campaign import tries
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from helpers import datasets, families, metrics, plots, training
from helpers.engine import archives, budgets, weights
from helpers.plots import films

# Files


def mutated(content, rng):
    """The bytes of a file with one to four faults: flipped, lost, doubled, new or cut off."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        if not content:
            break
        at, length = rng.randrange(len(content)), rng.choice([1, 1, 1, 2, 4, 30, 1000])
        kind = rng.choice(
            ["bit", "byte", "extreme", "delete", "insert", "double", "cut"]
        )
        if kind == "bit":
            content[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            content[at] = rng.randrange(256)
        elif kind == "extreme":
            content[at : at + length] = rng.choice([b"\0", b"\xff", b"9"]) * length
        elif kind == "delete":
            del content[at : at + length]
        elif kind == "insert":
            content[at:at] = rng.randbytes(length)
        elif kind == "double":
            content[at:at] = content[at : at + length]
        else:
            del content[at:]
    return bytes(content)


def write_zip(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def picture(kind="PNG", index=9, mode="RGB", **options):
    """The bytes of a small picture with something to see in it."""
    ramp = np.add.outer(np.arange(20), 3 * np.arange(20)).astype(np.uint8) + np.uint8(
        index
    )
    file = io.BytesIO()
    Image.fromarray(ramp).convert(mode).save(file, kind, **options)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


DIGITS = {
    "x_train": np.arange(3 * 784, dtype=np.uint8).reshape(3, 28, 28),
    "y_train": np.array([1, 2, 9], np.uint8),
    "x_test": np.zeros((2, 28, 28), np.uint8),
    "y_test": np.array([0, 5], np.uint8),
}


@pytest.fixture
def course(monkeypatch, tmp_path):
    """A course folder for files of a few digits and cats, without a network."""

    def offline(*_, **__):
        raise OSError("no network")

    shapes = {name: array.shape for name, array in DIGITS.items()}
    monkeypatch.setattr(datasets, "MNIST_SHAPES", shapes)
    monkeypatch.setattr(datasets.downloads, "download", offline)
    monkeypatch.setattr(budgets, "ROOT", tmp_path)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def campaign(name, content, read, test, soak, seed=0):
    """Have mutated files read, in bounded time and memory; count the ones that were refused."""
    rng, refused = random.Random(seed), 0
    count = tries(test, soak)
    tracemalloc.start()
    for _ in range(count):
        start = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of odd headers
            refused += not read(mutated(content, rng))
        assert time.monotonic() - start < 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3e8, f"{peak:,} bytes"
    assert 0 < refused <= count
    print(
        f"\n{name}: {count} mutated files, {refused} refused, {count - refused} read",
        end=" ",
    )


def test_mutated_digits_are_refused_or_read_whole(course):
    file = io.BytesIO()
    np.savez_compressed(file, **DIGITS)
    path = course / "mnist.npz"

    def read(content):
        path.write_bytes(content)
        try:
            data = datasets.load_mnist()
        except ValueError as error:
            assert str(error).startswith(f"{path} is not a readable MNIST file (")
            assert str(error).endswith("): delete it, and it is downloaded again")
            return False
        for part, labels in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
            assert 0 <= part.min() <= part.max() <= 1
            assert 0 <= labels.min() <= labels.max() <= 9
        np.testing.assert_array_equal(data.y_train, DIGITS["y_train"])  # checksums
        return True

    campaign("mnist.npz", file.getvalue(), read, 200, 20_000)


def test_mutated_zips_of_pictures_lose_a_few_or_are_refused(course):
    path = course / "cats.zip"
    write_zip(
        path,
        {f"{i}.{kind}": picture(kind, i) for i in range(4) for kind in ("PNG", "JPEG")},
    )
    content = path.read_bytes()

    def read(content):
        path.write_bytes(content)
        try:
            data = datasets.load_cats()
        except ValueError as error:
            assert str(error).startswith(f"{path} can't be used, because it ")
            assert str(error).endswith("or nothing, and the zip is downloaded")
            return False
        assert 2 <= len(data.x_train) + len(data.x_test) <= 16
        return True

    campaign("cats.zip", content, read, 60, 5_000)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "L")],
)
def test_mutated_pictures_are_read_or_counted(kind, mode):
    def read(content):
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            try:
                found = datasets.read_picture(content)
            except Exception:  # whatever it is, decode_cats counts the file
                return False
        assert found.shape == (64, 64, 3) and found.dtype == np.uint8
        return True

    campaign(f"{kind} ({mode})", picture(kind, mode=mode), read, 100, 5_000)


def test_a_mutated_cache_is_of_use_or_written_again(course):
    """What it holds is not checked, but its length and type are, so that any use is safe."""
    content = npy(np.zeros((2, 64, 64, 3), np.uint8))
    path = course / "cats-cache-0.npy"

    def read(start):
        path.write_bytes(start + content[200:])
        found = datasets.read_cache(path)
        if found is None:
            return False
        assert found.shape == (2, 64, 64, 3) and found.dtype == np.uint8
        assert found.sum(dtype=int) >= 0  # no byte of it leads out of the file
        return True

    campaign("cats-cache.npy", content[:200], read, 200, 20_000)


def test_mutated_weights_are_refused_and_the_model_stays(make_vae, tmp_path):
    vae, path = make_vae(), tmp_path / "vae.npz"
    weights.save_weights(vae, path)
    content = path.read_bytes()
    saved = vae.get_weights()

    def read(content):
        path.write_bytes(content)
        try:
            weights.load_weights(vae, path)
        except ValueError as error:
            assert str(path) in str(error)
            assert any(
                words in str(error) for words in ("fetch it anew", "build the model")
            )
            return False
        finally:
            for now, before in zip(vae.get_weights(), saved, strict=True):
                np.testing.assert_allclose(now, before, rtol=1e-3, atol=1e-7)
        return True

    campaign("weights", content, read, 40, 5_000)


# Files made to do harm


def header(shape, descr="|u1", version=1):
    """The start of an array's file that claims a shape."""
    text = (
        repr({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    )
    size = (
        struct.pack("<H", len(text)) if version == 1 else struct.pack("<I", len(text))
    )
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


LIES = {
    "huge": header((10**15,)),
    "beyond all numbers": header((10**30,)),
    "negative": header((-1, 28, 28)),
    "objects": npy(np.array([{}, []], dtype=object)),
    "nested": b"\x93NUMPY\1\0" + struct.pack("<H", 9000) + b"(" * 9000,
    "minuses": b"\x93NUMPY\1\0" + struct.pack("<H", 9001) + b"-" * 9000 + b"1",
    "a long header": b"\x93NUMPY\2\0" + struct.pack("<I", 2**30) + bytes(25_000),
    "nothing": b"",
    "no shape": header(()),
}


@pytest.mark.parametrize("lie", LIES)
def test_arrays_whose_headers_lie_are_refused(course, make_vae, lie):
    path = course / "mnist.npz"
    write_zip(path, {f"{name}.npy": npy(array) for name, array in DIGITS.items()})
    assert len(datasets.load_mnist().x_test) == 2
    members = {f"{name}.npy": npy(array) for name, array in DIGITS.items()}
    write_zip(path, members | {"x_train.npy": LIES[lie]})
    with pytest.raises(ValueError, match="delete it, and it is downloaded again"):
        datasets.load_mnist()
    vae = make_vae()
    weights.save_weights(vae, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    write_zip(path, members | {"002.npy": LIES[lie]})
    with pytest.raises(ValueError, match=r"fetch it anew|build the model"):
        weights.load_weights(vae, path)
    cache = course / "cats-cache-0.npy"
    cache.write_bytes(LIES[lie])
    found = []
    assert peak_memory(lambda: found.append(datasets.read_cache(cache)))[0] < 1e7
    assert found == [None]


def test_a_cache_that_is_a_zip_of_arrays_is_of_no_use(course):
    path = course / "cats-cache-0.npy"
    with path.open("wb") as file:
        np.savez(file, a=np.zeros((2, 64, 64, 3), np.uint8))
    assert datasets.read_cache(path) is None


def test_a_cache_with_more_or_less_than_its_header_says_is_of_no_use(course):
    path = course / "cats-cache-0.npy"
    whole = npy(np.zeros((3, 64, 64, 3), np.uint8))
    path.write_bytes(whole)
    assert len(datasets.read_cache(path)) == 3
    for content in (whole[:-1], whole + b"\0", npy(np.zeros((0, 64, 64, 3), np.uint8))):
        path.write_bytes(content)
        assert datasets.read_cache(path) is None


def peak_memory(function):
    """The most bytes that a function held, and the error that it raised."""
    error = ""
    tracemalloc.start()
    try:
        function()
    except ValueError as raised:
        error = str(raised)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, error


BOMB = 100_000_000  # bytes of zeros, in 100 kB


@functools.cache
def packed_zeros():
    """``BOMB`` zero bytes, deflated, and their checksum."""
    packer, check = zlib.compressobj(9, zlib.DEFLATED, -15), 0
    packed = []
    for _ in range(BOMB // 10**6):
        packed.append(packer.compress(bytes(10**6)))
        check = zlib.crc32(bytes(10**6), check)
    return b"".join([*packed, packer.flush()]), check


def bomb(path, name, claimed):
    """Write a zip whose one member unpacks to ``BOMB`` bytes, and claims to have others."""
    packed, check = packed_zeros()
    common = struct.pack(
        "<5H3L2H", 20, 0, 8, 0, 33, check, len(packed), claimed, len(name), 0
    )
    local = b"PK\3\4" + common + name.encode() + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + bytes(14) + name.encode()
    end = b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)
    path.write_bytes(local + central + end)


@pytest.mark.parametrize("claimed", [BOMB, 1000])
def test_a_bomb_is_never_unpacked(course, claimed):
    path = course / "bomb.zip"
    bomb(path, "1.png", claimed)
    assert path.stat().st_size < 1_000_000
    with archives.opened(path) as archive:
        (member,) = archive.infolist()
        assert member.file_size == claimed
        read = lambda: archives.read_member(archive, member, 5_000_000)  # noqa: E731
        peak, error = peak_memory(read)
    assert peak < 30e6
    assert "larger than 5 MB" in error or "CRC" in error
    bomb(course / "cats.zip", "1.png", claimed)
    peak, error = peak_memory(datasets.load_cats)
    assert peak < 2.5 * datasets.LARGEST_FILE
    assert "holds 0 (1 can't be read: 1.png (" in error


@pytest.mark.parametrize("name", ["x_train.npy", "000.npy", "x_test.npy"])
def test_an_array_that_is_a_bomb_is_never_unpacked(course, make_vae, name):
    bomb(course / "mnist.npz", name, BOMB)
    peak, error = peak_memory(datasets.load_mnist)
    assert peak < 30e6 and "downloaded again" in error
    vae = make_vae()
    peak, error = peak_memory(lambda: weights.load_weights(vae, course / "mnist.npz"))
    assert peak < 30e6 and "fetch it anew" in error


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packers_without_a_bound_are_refused(course, method):
    write_zip(course / "cats.zip", {f"{i}.png": picture() for i in range(3)}, method)
    with pytest.raises(ValueError, match="neither stored nor deflated"):
        datasets.load_cats()


def test_the_bounds_of_an_archive_hold(tmp_path, monkeypatch):
    path = tmp_path / "a.zip"
    write_zip(path, {f"{i}.png": bytes(100) for i in range(30)})
    for name, bound, words in (
        ("LARGEST_READ", 1000, "bytes at once"),
        ("MOST_MEMBERS", 29, "more than 29 members"),
        ("LARGEST_TOTAL", 2999, "unpacks to more than"),
    ):
        with monkeypatch.context() as bounded:
            bounded.setattr(archives, name, bound)
            with pytest.raises(ValueError, match=words), archives.opened(path):
                pass
    with archives.opened(path) as archive:
        assert len(archive.infolist()) == 30


def strange(name, flags=0, mode=0):
    member = zipfile.ZipInfo(name)
    member.flag_bits, member.external_attr = flags, mode << 16
    return member


@pytest.mark.parametrize(
    ("member", "words"),
    [
        (strange("../1.png"), "leads out"),
        (strange("a/../../1.png"), "leads out"),
        (strange("/etc/1.png"), "leads out"),
        (strange("..\\1.png"), "leads out"),
        (strange("C:\\1.png"), "leads out"),
        (strange("C:1.png"), "leads out"),
        (strange("1.png", mode=0o120777), "link"),
        (strange("1.png", mode=0o010644), "no plain file"),
        (strange("1.png", flags=1), "encrypted"),
    ],
)
def test_strange_members_are_left_out(course, capsys, member, words):
    with pytest.raises(ValueError, match=words):
        archives.check_member(member)
    with zipfile.ZipFile(course / "cats.zip", "w") as archive:
        for index in range(3):
            archive.writestr(f"good_{index}.png", picture())
        flags, member.flag_bits = member.flag_bits, 0
        archive.writestr(member, picture())
        member.flag_bits = flags
    data = datasets.load_cats()
    assert len(data.x_train) + len(data.x_test) == 3
    hidden = member.filename.count("..") > 0  # as all names that begin with a full stop
    assert hidden or f"1 can't be read: {member.filename} (" in capsys.readouterr().out


def test_a_text_with_a_pictures_name_is_counted_and_a_mislabelled_picture_read(
    course, capsys
):
    files = {"a.png": picture("JPEG"), "b.jpg": picture("PNG"), "c.png": b"text"}
    write_zip(course / "cats.zip", files)
    data = datasets.load_cats()
    assert len(data.x_train) + len(data.x_test) == 2
    assert "1 can't be read: c.png" in capsys.readouterr().out


def test_an_animation_shows_its_first_picture():
    frames = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue")]
    file = io.BytesIO()
    frames[0].save(file, "PNG", save_all=True, append_images=frames[1:])
    assert (datasets.read_picture(file.getvalue()) == [255, 0, 0]).all()


def chunk(name, content):
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def test_a_giant_picture_is_refused_before_it_is_unpacked(course):
    start = struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    giant = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", start)
        + chunk(b"IDAT", b"")
        + chunk(b"IEND", b"")
    )
    write_zip(course / "cats.zip", {f"{i}.png": giant for i in range(3)})
    peak, error = peak_memory(datasets.load_cats)
    assert peak < 10e6
    assert "3 can't be read" in error and "decompression bomb" in error


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_named(make_vae, tmp_path, value):
    vae, path = make_vae(), tmp_path / "vae.npz"
    before = vae.get_weights()
    stored = [array.copy() for array in before]
    stored[2].flat[1] = value
    np.savez(path, **{f"{i:03d}": array for i, array in enumerate(stored)})
    with pytest.raises(
        ValueError, match=rf"finite numbers.*{vae.weights[2].path}.*fetch it anew"
    ):
        weights.load_weights(vae, path)
    stored[2] = np.full(stored[2].shape, 1e300)  # beyond float32
    np.savez(path, **{f"{i:03d}": array for i, array in enumerate(stored)})
    with pytest.raises(ValueError, match=r"finite numbers.*float64"):
        weights.load_weights(vae, path)
    stored[2] = np.full(stored[2].shape, "text")
    np.savez(path, **{f"{i:03d}": array for i, array in enumerate(stored)})
    with pytest.raises(ValueError, match="finite numbers"):
        weights.load_weights(vae, path)
    for now, old in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, old)


def test_extra_arrays_and_extra_files_are_refused(make_vae, tmp_path):
    vae, path = make_vae(), tmp_path / "vae.npz"
    stored = {f"{i:03d}": array for i, array in enumerate(vae.get_weights())}
    np.savez(path, **stored, extra=np.zeros(3))
    with pytest.raises(ValueError, match="build the model"):
        weights.load_weights(vae, path)
    np.savez(path, **stored)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("run.sh", "echo")
    with pytest.raises(ValueError, match=r"run\.sh is no array"):
        weights.load_weights(vae, path)


# Saved models


def test_saved_models_load_in_safe_mode(make_vae, make_autoencoder, pictures, tmp_path):
    for model in (make_vae(), make_autoencoder()):
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
        np.testing.assert_allclose(
            loaded.reconstruct(pictures), model.reconstruct(pictures), atol=1e-6
        )


def test_a_saved_model_with_code_in_it_is_refused(tmp_path):
    x = keras.Input((2,))
    model = keras.Model(x, keras.layers.Lambda(lambda value: value + 1)(x))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(ValueError, match=r"[Ll]ambda"):
        keras.saving.load_model(tmp_path / "lambda.keras")


# Arguments of every kind

RANDOM = settings(
    derandomize=True,
    deadline=None,
    max_examples=tries(test=15, soak=2_000),
    suppress_health_check=list(HealthCheck),
)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)
MODERATE = st.floats(-1000, 1000, width=32)


def any_array(elements=FLOATS, dtype=np.float32, dims=5, side=4):
    """Arrays of any shape, empty ones too."""
    shapes = arrays.array_shapes(min_dims=0, max_dims=dims, min_side=0, max_side=side)
    return arrays.arrays(dtype, shapes, elements=elements)


ANYTHING = st.one_of(
    any_array(),
    arrays.arrays(
        st.sampled_from([np.uint8, np.int64, np.float64, bool, np.complex64, "U3"]),
        arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    ),
)
CODES = st.one_of(any_array(), any_array(MODERATE, dims=2))


def refused(function, *arguments):
    """What a function returns; or None, if it refuses its arguments in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 15, repr(error)
            return None


@RANDOM
@given(ANYTHING, st.integers(1, 5))
def test_pictures_are_taken_or_refused_in_words(x, batch_size):
    try:
        training.check_pictures(x, batch_size)
    except ValueError as error:
        assert any(
            words in str(error)
            for words in ("and has shape", "must lie in", "must be real")
        )
        return
    assert x.ndim == 4 and len(x) >= batch_size and x.size
    assert np.isfinite(x).all() and x.min() >= 0 and x.max() <= 1


@RANDOM
@given(arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=5)), st.data())
def test_conversion_keeps_order_and_range(pictures, data):
    chosen = data.draw(
        arrays.arrays(np.int64, 7, elements=st.integers(0, len(pictures) - 1))
    )
    for given_order in (None, chosen):
        converted = datasets.to_unit_range(pictures, given_order)
        expected = pictures if given_order is None else pictures[given_order]
        assert converted.dtype == np.float32
        np.testing.assert_array_equal(np.rint(255 * converted), expected)


@RANDOM
@given(st.one_of(st.integers(max_value=1), st.floats(), st.text(), st.booleans()))
def test_a_limit_that_is_no_number_of_pictures_is_refused(limit):
    with pytest.raises(
        ValueError, match="limit must be at least 2 pictures, or None for all"
    ):
        datasets.load_cats(limit)


@RANDOM
@given(st.integers(2, 50), st.integers(2, 60) | st.none())
def test_any_limit_splits_without_overlap(count, limit):
    pictures = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    data = datasets.split_cats(pictures, limit, "here")
    parts = [
        set(np.rint(255 * part.ravel()).astype(int))
        for part in (data.x_train, data.x_test)
    ]
    assert all(parts) and not parts[0] & parts[1]
    assert len(parts[0] | parts[1]) <= min(count, limit or count)


@RANDOM
@given(CODES, CODES, st.integers(-2, 6))
def test_figures_of_codes_are_finite_or_refused(codes, others, number):
    sparsity = refused(metrics.hoyer_sparsity, codes)
    sizes = np.abs(codes[codes != 0])
    if (
        sparsity is not None
        and sizes.max(initial=0) < 1e15
        and sizes.min(initial=1) > 1e-15
    ):
        assert -1e-3 <= sparsity <= 1 + 1e-3
    kurtosis = refused(metrics.excess_kurtosis, codes)
    assert kurtosis is None or isinstance(kurtosis, float)
    share = refused(metrics.covered_share, codes, others, number)
    assert share is None or 0 <= share <= 1
    shares = refused(metrics.information, codes, others, number)
    if shares is not None:
        assert (shares > -1e-9).all() and (shares < 1 + 1e-9).all()
        gap = refused(metrics.mutual_information_gap, shares)
        assert gap is None or 0 <= gap <= 1 + 1e-6


SHAPES = [
    (2, 12, 11, 1),
    (1, 3, 4, 3),
    (1, 11, 11, 3),
    (0, 12, 12, 1),
    (2, 5, 5),
    (1, 2, 2, 2, 2),
]


@RANDOM
@given(st.data())
def test_figures_of_pictures_are_numbers_or_refused(data):
    shape = data.draw(st.sampled_from(SHAPES))
    in_range = arrays.arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
    x, y = data.draw(in_range), data.draw(st.one_of(in_range, any_array()))
    for measure, low, high in ((metrics.mse, 0, 1), (metrics.psnr, 0, np.inf)):
        values = refused(measure, x, y)
        if x.shape == y.shape and x.ndim == 4:
            assert values.shape == x.shape[:1]
            if ((y >= 0) & (y <= 1)).all():
                assert ((values >= low - 1e-5) & (values <= high)).all()
        else:
            assert values is None
    values = refused(metrics.ssim, x, y)
    assert (values is None) == (
        x.shape != y.shape or x.ndim != 4 or min(x.shape[1:3]) < 11
    )
    assert metrics.binarised(x).shape == x.shape


@RANDOM
@given(any_array(dims=1), any_array(dims=1))
def test_an_area_is_a_share_or_refused(normal, foreign):
    area = refused(
        lambda: metrics.auc(np.atleast_1d(normal), np.atleast_1d(foreign), 20)
    )
    if area is not None:
        assert 0 <= area.value <= 1 and -1e-6 < area.low <= area.high < 1 + 1e-6


@RANDOM
@given(ANYTHING, st.integers(-2, 6))
def test_grids_are_drawn_or_refused(images, columns):
    tiled = (
        refused(plots.tile, images, columns) if images.dtype.kind in "fiub" else None
    )
    if tiled is not None:
        assert tiled.ndim == 3 and columns > 0
    if images.dtype == np.float32:
        figure = refused(plots.image_grid, images, columns, "title")
        assert figure is None or tiled is not None
    plt.close("all")


@RANDOM
@given(st.integers(-3, 30), st.sampled_from(sorted(families.registry())))
def test_manifolds_are_finite_or_refused(side, name):
    family = families.get_family(name)
    if not family.factorised:
        return
    codes = refused(plots.manifold_codes, family.prior_quantile, side)
    assert (codes is None) == (side < 1)
    if codes is not None:
        assert codes.shape == (side**2, 2) and np.isfinite(codes).all()


@RANDOM
@given(
    st.one_of(st.integers(-3, 5), st.lists(st.integers(-2, 9), max_size=4)),
    st.one_of(st.floats(), st.integers(-1, 5)),
    st.booleans(),
)
def test_snapshots_are_made_or_refused(steps, steps_an_epoch, something):
    codes_of = np.zeros((1, 8, 8, 1)) if something else None
    made = refused(
        lambda: training.Snapshots(
            steps, steps_an_epoch=steps_an_epoch, codes_of=codes_of
        )
    )
    enough = (
        steps >= 2 if isinstance(steps, int) else len(steps) > 1 and min(steps) >= 0
    )
    assert (made is not None) == (enough and steps_an_epoch > 0 and something)


@RANDOM
@given(
    any_array(), any_array(st.integers(-2, 12), np.int64, dims=2), st.integers(-3, 4)
)
def test_films_are_made_of_frames_that_fit(frames, labels, number):
    points = refused(films.Points, frames, labels)
    if points is not None:
        assert frames.shape[1:] == (len(labels), 2)
    panel = refused(films.Pictures, frames, number)
    assert panel is None or number >= 1
    plane = refused(films.align, frames)
    assert plane is None or plane.shape == (*frames.shape[:2], 2)
    between = refused(films.interpolated, np.atleast_1d(frames), number)
    if between is not None:
        assert len(between) == (len(frames) - 1) * (number + 1) + 1


FIXED = [name for name, kind in families.registry().items() if kind().prior_parameters]
REACH = 1e4


@pytest.mark.parametrize("name", FIXED)
@RANDOM
@given(st.data())
def test_families_are_finite_in_value_and_gradient(name, data):
    """Sample, density and KL, for any parameters within ``REACH``, in float32."""
    import tensorflow as tf

    family = families.get_family(name)
    raw = arrays.arrays(np.float32, (3, 4), elements=st.floats(-REACH, REACH, width=32))
    parameters = [tf.constant(data.draw(raw)) for _ in family.parameter_names]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parameters)
        z = family.sample_posterior(parameters, seed=1)
        values = {
            "sample": z,
            "log density": family.log_posterior(z, parameters),
            "log prior": family.log_prior(z),
            "KL": family.kl_divergence(parameters, z),
            "mean": family.posterior_mean(parameters),
        }
    for what, value in values.items():
        assert np.isfinite(value).all(), what
        for gradient in tape.gradient(value, parameters):
            assert gradient is None or np.isfinite(gradient).all(), (
                f"gradient of the {what}"
            )
