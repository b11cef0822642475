"""Damaged files and odd arguments, by the hundred: only the errors announced."""

import functools
import random
import re
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
from small_data import DIGITS, as_read, encoded, npy, npz, settle, zipped

from helpers import datasets, families, metrics, models, plots, training
from helpers.datasets import cats, dataset, picture_files
from helpers.engine import archives, checked
from helpers.plots import films

# Files


FAULTS = ["bit", "byte", "extreme", "delete", "insert", "double", "cut"]


def mutated(content, rng):
    """The bytes of a file with one to four faults: flipped, lost, doubled, cut."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 4])):
        if not content:
            break
        at, length = rng.randrange(len(content)), rng.choice([1, 1, 1, 2, 4, 30, 1000])
        part = slice(at, at + length)
        kind = rng.choice(FAULTS)
        if kind == "bit":
            content[at] ^= 1 << rng.randrange(8)
        elif kind == "byte":
            content[at] = rng.randrange(256)
        elif kind == "extreme":
            content[part] = rng.choice([b"\0", b"\xff", b"9"]) * length
        elif kind == "delete":
            del content[part]
        elif kind == "insert":
            content[at:at] = rng.randbytes(length)
        elif kind == "double":
            content[at:at] = content[part]
        else:
            del content[at:]
    return bytes(content)


def picture(kind="PNG", index=9, mode="RGB"):
    """The bytes of a small picture with a pattern that no other index has."""
    squares = np.random.default_rng(index).integers(0, 256, (5, 5), np.uint8)
    large = np.kron(squares, np.ones((4, 4), np.uint8))
    return encoded(Image.fromarray(large).convert(mode), kind)


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The data/ of a course of a few digits and cats, without a network."""
    return settle(monkeypatch, tmp_path)


def campaign(name, content, check, test, soak, refusals=ValueError):
    """Have mutated files read, in bounded time and memory; count those refused."""
    rng, refused, count = random.Random(0), 0, tries(test, soak)

    def run():
        nonlocal refused
        start = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of odd headers
            try:
                check(mutated(content, rng))
            except refusals:
                refused += 1
        assert time.monotonic() - start < 20

    peak, _ = peak_memory(lambda: [run() for _ in range(count)])
    assert peak < 3e8, f"{peak:,} bytes"
    assert 0 < refused <= count
    print(f"\n{name}: {count} mutated files, {refused} refused, the rest read", end=" ")


def peak_memory(function):
    """The most bytes that a function held, and the ValueError that it raised."""
    error = ""
    tracemalloc.start()
    try:
        function()
    except ValueError as raised:
        error = str(raised)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, error


def named(path, load):
    """What ``load`` makes of a file; its errors must name the file and a remedy."""
    try:
        return load()
    except ValueError as error:
        assert str(path) in str(error)
        assert re.search("download|fetch it anew|build the", str(error))
        raise


def test_mutated_digits_are_refused_or_read_whole(folder):
    path = folder / "mnist.npz"

    def check(content):
        path.write_bytes(content)
        data = named(path, datasets.load_mnist)
        x = np.concatenate([data.x_validation, data.x_train, data.x_test])
        y = np.concatenate([data.y_validation, data.y_train, data.y_test])
        for found, key in ((255 * x[..., 0], "x"), (y, "y")):
            expected = np.concatenate([DIGITS[f"{key}_train"], DIGITS[f"{key}_test"]])
            np.testing.assert_allclose(found, expected, rtol=1e-5)

    campaign("mnist.npz", npz(DIGITS, np.savez_compressed), check, 200, 20_000)


def test_mutated_zips_of_pictures_lose_a_few_or_are_refused(folder):
    path = folder / "cats.zip"
    kinds = {"png": "JPEG", "jpg": "PNG"}  # the names may be wrong
    ends = 4 * list(kinds)
    members = {f"{i}.{end}": picture(kinds[end], i) for i, end in enumerate(ends)}

    def count(content):
        path.write_bytes(content)
        data = named(path, datasets.load_cats)
        return sum(map(len, (data.x_train, data.x_validation, data.x_test)))

    def check(content):
        assert 3 <= count(content) <= 16

    assert count(zipped(members)) == 8
    campaign("cats.zip", zipped(members), check, 60, 5_000)


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("PNG", "RGB"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "RGB"), ("JPEG", "L")],
)
def test_mutated_pictures_are_read_or_refused(kind, mode):
    def check(content):
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        found = as_read(content)
        if (found.shape, found.dtype) != ((64, 64, 3), np.uint8):
            pytest.fail(str(found.shape))

    content = picture(kind, mode=mode)  # decode counts whatever is raised
    campaign(f"{kind} ({mode})", content, check, 100, 5_000, Exception)


def test_a_mutated_cache_is_of_use_or_written_again(folder):
    """What it holds is not checked, but its length and type are: any use is safe."""
    content, path = npy(np.zeros((3, 64, 64, 3), np.uint8)), folder / "cats-cache-0.npy"

    def check(start):
        path.write_bytes(start + content[200:])
        found = picture_files.read_cache(path, cats.CATS_SHAPE)
        if found is None:
            raise ValueError
        assert found.shape[1:] == (64, 64, 3) and found.dtype == np.uint8
        assert found.sum(dtype=int) >= 0  # no byte of it leads out of the file

    campaign("cats-cache.npy", content[:200], check, 200, 20_000)


def test_an_array_s_header_that_claims_gigabytes_is_not_read(tmp_path, make_vae):
    path, vae = tmp_path / "cats-cache-0.npy", make_vae()
    path.write_bytes(b"\x93NUMPY\2\0" + struct.pack("<I", 2**31 - 1) + bytes(1000))
    found = []

    def read():
        found.append(picture_files.read_cache(path, cats.CATS_SHAPE))

    assert peak_memory(read)[0] < 1e6
    assert found == [None]
    peak, said = peak_memory(lambda: models.load_weights(vae, path))
    assert peak < 1e6 and "no archive" in said


def test_mutated_weights_are_refused_and_the_model_stays(make_vae, tmp_path):
    vae, path = make_vae(), tmp_path / "vae.npz"
    models.save_weights(vae, path)
    saved = vae.get_weights()

    def check(content):
        path.write_bytes(content)
        try:
            named(path, lambda: models.load_weights(vae, path))
        finally:
            for now, before in zip(vae.get_weights(), saved, strict=True):
                np.testing.assert_allclose(now, before, rtol=1e-3, atol=1e-7)

    campaign("weights", path.read_bytes(), check, 40, 5_000)


# Files made to do harm


def header(shape):
    """The start of an array's file that claims a shape."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": shape}).encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text


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
def test_arrays_whose_headers_lie_are_refused(folder, make_vae, lie):
    path, vae = folder / "mnist.npz", make_vae()
    digits = {f"{name}.npy": npy(array) for name, array in DIGITS.items()}
    numbers = {f"{i:03d}.npy": npy(array) for i, array in enumerate(vae.get_weights())}
    for members, spoilt, load in (
        (digits, "x_train.npy", datasets.load_mnist),
        (numbers, "002.npy", lambda: models.load_weights(vae, path)),
    ):
        path.write_bytes(zipped(members))
        load()
        path.write_bytes(zipped(members | {spoilt: LIES[lie]}))
        with pytest.raises(ValueError, match=re.escape(str(path))):
            named(path, load)
    cache = folder / "cats-cache-0.npy"
    cache.write_bytes(LIES[lie])
    assert picture_files.read_cache(cache, cats.CATS_SHAPE) is None


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


def bomb(name, claimed):
    """A zip whose one member unpacks to ``BOMB`` bytes, and claims to have others."""
    packed, check = packed_zeros()
    fields = (20, 0, 8, 0, 33, check, len(packed), claimed, len(name), 0)
    common = struct.pack("<5H3L2H", *fields)
    local = b"PK\3\4" + common + name.encode() + packed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + bytes(14) + name.encode()
    end = struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + b"PK\5\6" + end


@pytest.mark.slow
@pytest.mark.parametrize("claimed", [BOMB, 1000])
def test_a_bomb_is_never_unpacked(folder, claimed):
    (folder / "cats.zip").write_bytes(bomb("1.png", claimed))
    assert (folder / "cats.zip").stat().st_size < 1_000_000
    peak, error = peak_memory(datasets.load_cats)
    assert peak < 2.5 * picture_files.LARGEST_FILE
    assert "1 can't be read: 1.png (" in error
    assert f"{picture_files.LARGEST_FILE / 1e6:g} MB" in error or "CRC" in error
    (folder / "mnist.npz").write_bytes(bomb("x_train.npy", claimed))
    peak, error = peak_memory(datasets.load_mnist)
    assert peak < 30e6 and "is downloaded" in error


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packers_without_a_bound_are_refused(folder, method):
    members = {f"{i}.png": picture() for i in range(3)}
    (folder / "cats.zip").write_bytes(zipped(members, method))
    with pytest.raises(ValueError, match="neither stored nor deflated"):
        datasets.load_cats()


@pytest.mark.parametrize(
    ("name", "bound"),
    [("LARGEST_READ", 1000), ("MOST_MEMBERS", 29), ("LARGEST_TOTAL", 2999)],
)
def test_the_bounds_of_an_archive_hold(folder, monkeypatch, name, bound):
    path = folder / "cats.zip"
    path.write_bytes(zipped({f"{i}.png": bytes(100) for i in range(30)}))
    with archives.opened(path) as archive:
        assert len(archive.namelist()) == 30
    monkeypatch.setattr(archives, name, bound)
    with pytest.raises(ValueError, match=str(path)):
        datasets.load_cats()


def test_encrypted_members_are_left_out(folder, capsys):
    content = zipped({f"{i}.png": picture(index=i) for i in range(4)})
    at = content.index(b"PK\1\2") + 8  # the first member's flags
    (folder / "cats.zip").write_bytes(content[:at] + b"\1" + content[at + 1 :])
    assert len(datasets.load_cats().x_train) == 1
    assert "1 can't be read: 0.png" in capsys.readouterr().out


def test_a_giant_picture_is_refused_before_it_is_unpacked(folder):
    def chunk(name, content=b""):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    size = struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT") + chunk(b"IEND")
    members = {f"{i}.png": b"\x89PNG\r\n\x1a\n" + chunks for i in range(3)}
    (folder / "cats.zip").write_bytes(zipped(members))
    peak, error = peak_memory(datasets.load_cats)
    assert peak < 10e6
    assert "3 can't be read" in error and "decompression bomb" in error


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
UNIT = st.floats(0, 1, width=32)
WORDS = st.text("0123456789.- eé")  # of all letters Hypothesis would make a table
WORDS |= st.sampled_from(["nan", "inf", "None"])
TYPES = st.sampled_from([np.uint8, np.int64, np.float64, bool, np.complex64, "U3"])


def any_array(elements=FLOATS, dtype=np.float32, dims=5):
    """Arrays of any shape, empty ones too."""
    shapes = arrays.array_shapes(min_dims=0, max_dims=dims, min_side=0, max_side=4)
    return arrays.arrays(dtype, shapes, elements=elements)


ANYTHING = any_array() | any_array(None, TYPES)
CODES = any_array() | any_array(MODERATE, dims=2)


def refused(function, *arguments, **named):
    """What a function returns; or None, if it refuses its arguments in words."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return function(*arguments, **named)
        except (ValueError, TypeError) as error:
            assert len(str(error)) > 15, repr(error)
            return None


def in_span(x, span):
    """Whether pixels lie in a span, but for what rounding leaves."""
    return x.min() >= span[0] - 1e-5 and x.max() <= span[1] + 1e-5


@RANDOM
@given(ANYTHING, st.integers(1, 5))
def test_pictures_are_taken_or_refused_in_words(x, batch_size):
    shape = ("height", "width", "channels")
    taken = refused(checked.pictures, x, shape, fewest=batch_size)
    fit = x.ndim == 4 and len(x) >= batch_size and x.size and x.dtype.kind in "fiub"
    assert (taken is not None) == bool(fit and in_span(x, checked.UNIT))
    if taken is not None:
        np.testing.assert_array_equal(taken, x.astype("float32"))
        assert taken.dtype == np.float32


@RANDOM
@given(arrays.arrays(np.uint8, arrays.array_shapes(max_dims=4, max_side=5)), st.data())
def test_conversion_keeps_order_and_range(pictures, data):
    numbers = st.integers(0, len(pictures) - 1)
    chosen = data.draw(arrays.arrays(np.int64, 7, elements=numbers))
    for given_order in (None, chosen):
        converted = dataset.to_unit_range(pictures, given_order)
        expected = pictures if given_order is None else pictures[given_order]
        assert converted.dtype == np.float32
        np.testing.assert_allclose(converted, expected / 255, rtol=1e-6)


@RANDOM
@given(st.one_of(st.integers(max_value=1), st.floats(), WORDS, st.booleans()))
def test_a_limit_that_is_no_number_of_pictures_is_refused(limit):
    with pytest.raises(ValueError, match=re.escape(repr(limit))):
        datasets.load_cats(limit)


@RANDOM
@given(st.integers(3, 300), st.integers(0, 30), st.integers(3, 400))
def test_any_limit_splits_without_overlap_and_takes_a_part_of_all(count, twins, limit):
    pictures = np.arange(count)[:, np.newaxis].astype(np.uint8)
    pictures = np.hstack([pictures, np.arange(count)[:, np.newaxis] // 256])
    groups = np.append(np.arange(count), np.arange(twins) % count)
    names = [f"cat {number}" for number in groups]
    found = picture_files.Pictures(
        pictures.astype(np.uint8)[groups], names, groups, names
    )
    every, some = (cats.split_cats(found, most, "here") for most in (None, limit))
    whole = []
    for part in ("x_train", "x_validation", "x_test"):
        less, more = (list(map(bytes, getattr(d, part))) for d in (some, every))
        held_out = max(1, limit // 10)
        most = limit - 2 * held_out if part == "x_train" else held_out
        assert less == more[:most] != []
        whole += more
    assert len(set(whole)) == len(whole) == count


@RANDOM
@given(CODES, CODES, st.integers(-2, 6))
def test_figures_of_codes_are_finite_or_refused(codes, others, number):
    sparsity = refused(metrics.hoyer_sparsity, codes)
    sizes = np.abs(codes[codes != 0])
    moderate = sizes.max(initial=0) < 1e15 and sizes.min(initial=1) > 1e-15
    assert sparsity is None or not moderate or -1e-3 <= sparsity <= 1 + 1e-3
    kurtosis = refused(metrics.excess_kurtosis, codes)
    assert kurtosis is None or isinstance(kurtosis, float)
    share = refused(metrics.covered_share, codes, others, number)
    assert share is None or 0 <= share <= 1
    shares = refused(metrics.information, codes, others, number)
    if shares is not None:
        assert (shares > -1e-9).all() and (shares < 1 + 1e-9).all()
        gap = refused(metrics.mutual_information_gap, shares)
        assert gap is None or 0 <= gap <= 1 + 1e-6


SHAPES = [(2, 12, 11, 1), (1, 3, 4, 3), (1, 11, 11, 3), (0, 12, 12, 1), (2, 5, 5)]


@RANDOM
@given(st.data())
def test_figures_of_pictures_are_numbers_or_refused(data):
    shape = data.draw(st.sampled_from([*SHAPES, (1, 2, 2, 2, 2)]))
    in_range = arrays.arrays(np.float32, shape, elements=UNIT)
    x, y = data.draw(in_range), data.draw(in_range | any_array())
    fits = x.shape == y.shape and x.ndim == 4 and len(x) and in_span(y, checked.NEAR)
    for measure, low, high in ((metrics.mse, 0, 1), (metrics.psnr, 0, np.inf)):
        values = refused(measure, x, y)
        assert (values is not None) == bool(fits)
        if fits and ((y >= 0) & (y <= 1)).all():
            assert values.shape == x.shape[:1]
            assert ((values >= low - 1e-5) & (values <= high)).all()
    large = fits and min(x.shape[1:3]) >= 11
    assert (refused(metrics.ssim, x, y) is not None) == bool(large)
    assert metrics.binarised(x).shape == x.shape


@RANDOM
@given(any_array(dims=1), any_array(dims=1))
def test_an_area_is_a_share_or_refused(normal, foreign):
    area = refused(metrics.auc, np.atleast_1d(normal), np.atleast_1d(foreign), 20)
    if area is not None:
        assert 0 <= area.value <= 1 and -1e-6 < area.low <= area.high < 1 + 1e-6


@RANDOM
@given(ANYTHING, st.integers(-2, 6))
def test_grids_are_drawn_or_refused(images, columns):
    real = images.dtype.kind in "fiub"
    tiled = refused(plots.tile, images, columns) if real else None
    assert tiled is None or (tiled.ndim == 3 and columns > 0)
    if images.dtype == np.float32:
        figure = refused(plots.image_grid, images, columns, "title")
        assert figure is None or tiled is not None
    plt.close("all")


def test_manifolds_of_any_side_are_finite_or_refused(make_vae):
    vae = make_vae()
    for side in range(-3, 31):
        codes = refused(plots.manifold_codes, vae, side)
        assert (codes is None) == (side < 1)
        if codes is not None:
            assert codes.shape == (side**2, 2) and np.isfinite(codes).all()


@RANDOM
@given(
    st.integers(-3, 5) | st.lists(st.integers(-2, 9), max_size=4),
    st.floats() | st.integers(-1, 5),
    st.sampled_from([None, np.zeros((1, 8, 8, 1))]),
)
def test_snapshots_are_made_or_refused(steps, pace, pictures):
    options = {"steps_an_epoch": pace, "codes_of": pictures}
    made = refused(training.Snapshots, steps, **options)
    some = [0] * steps if isinstance(steps, int) else steps
    enough = len(some) >= 2 and min(some) >= 0
    assert (made is not None) == (enough and pace > 0 and pictures is not None)


LABELS = any_array(st.integers(-2, 12), np.int64, dims=2)


@RANDOM
@given(any_array(), LABELS, st.integers(-3, 4))
def test_films_are_made_of_frames_that_fit(frames, labels, number):
    if refused(films.Points, frames, labels) is not None:
        assert frames.shape[1:] == (len(labels), 2)
    assert refused(films.Pictures, frames, number) is None or number >= 1
    plane = refused(films.align, frames)
    assert plane is None or plane.shape == (*frames.shape[:2], 2)
    between = refused(films.interpolated, np.atleast_1d(frames), number)
    assert between is None or len(between) == (len(frames) - 1) * (number + 1) + 1


FAMILIES = {name: kind() for name, kind in families.registry().items()}
FIXED = [name for name, family in FAMILIES.items() if family.prior_parameters]
REACH = 1e4


@pytest.mark.slow
@pytest.mark.parametrize("name", FIXED)
@settings(RANDOM, max_examples=tries(test=5, soak=2_000))
@given(st.data())
def test_families_are_finite_in_value_and_gradient(name, data):
    """Sample, density and KL, for any parameters within ``REACH``, in float32.

    Few here, since test_families.py asks it at hundreds in any case.
    """
    import tensorflow as tf

    family = FAMILIES[name]
    raw = arrays.arrays(np.float32, (3, 4), elements=st.floats(-REACH, REACH, width=32))
    parameters = [tf.constant(data.draw(raw)) for _ in family.parameter_names]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        z = family.sample_posterior(parameters, seed=1)
        values = {
            "sample": z,
            "log posterior": family.log_posterior(z, parameters),
            "log prior": family.log_prior(z),
            "KL": family.kl_divergence(parameters, z),
            "mean": family.posterior_mean(parameters),
        }
    for what, value in values.items():
        assert np.isfinite(value).all(), what
    for gradient in tape.gradient([*values.values()], parameters):  # their sum's
        assert np.isfinite(gradient).all()
