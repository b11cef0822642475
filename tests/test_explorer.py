"""helpers/plots/explorer.py: the page, in a real browser, against Keras."""

import base64
import functools
import hashlib
import io
import itertools
import json
import re
from pathlib import Path

import browser
import keras
import numpy as np
import pytest
import scipy.stats
from browser import data_of, needs_browser, shown, with_script
from PIL import Image

from helpers import datasets, families, metrics, models
from helpers.plots import explorer


def small_vae(latent_size, family="normal", hidden=(48, 32), activation="silu"):
    """A VAE of digits with seeded weights, biases too, whose pictures have contrast."""
    keras.utils.set_random_seed(latent_size)
    names = families.get_family(family).parameter_names
    vae = models.VAE(
        models.dense_encoder(explorer.SHAPE, latent_size, names, hidden, activation),
        models.dense_decoder(explorer.SHAPE, latent_size, hidden, activation, family),
        family,
    )
    for layer in (*vae.encoder.layers, *vae.decoder.layers):
        if isinstance(layer, keras.layers.Dense):
            layer.bias.assign(keras.random.normal(layer.bias.shape, stddev=0.1))
    for last in (vae.encoder.get_layer(names[0]), vae.decoder.get_layer("pixels")):
        last.kernel.assign(6 * last.kernel)
    return vae


@pytest.fixture(scope="module")
def digits():
    data = datasets.digits_stand_in()
    return data.x_test[:200], data.y_test[:200]


@pytest.fixture(scope="module")
def pair(digits, tmp_path_factory):
    """Two VAEs of the sizes that the docstring names, and their page."""
    plane, many = small_vae(2, hidden=(256, 256, 256)), small_vae(32, hidden=(256, 256))
    path = tmp_path_factory.mktemp("page") / "explorer.html"
    return plane, many, explorer.write_explorer(path, plane, *digits, many)


# Sliders in a notebook


def picture_of(box):
    """The picture of a box of sliders, as it would be in [0, 1]."""
    grey = np.array(Image.open(io.BytesIO(box.children[1].value)))
    return 1 - grey[4::8, 4::8] / 255


def test_the_picture_follows_the_sliders():
    vae, code = small_vae(4, "laplace"), np.array([0.5, -0.2, 9.0, 0.0])
    box = explorer.sliders(vae, code, [2, 0])
    drawn = vae.decode([code])[0, ..., 0]
    np.testing.assert_allclose(picture_of(box), drawn, atol=0.003)
    third, first = box.children[0].children
    low, high = scipy.stats.laplace.ppf([0.005, 0.995])
    assert (third.min, third.max) == pytest.approx((low, high))
    # the third as far as its slider goes
    assert (third.value, first.value) == pytest.approx((high, 0.5))
    assert [third.description, first.description] == ["latent 2", "latent 0"]
    first.value, third.value = -1.5, -3.0
    expected = vae.decode([[-1.5, -0.2, -3.0, 0.0]])[0, ..., 0]
    assert np.abs(expected - drawn).max() > 0.3
    np.testing.assert_allclose(picture_of(box), expected, atol=0.003)
    np.testing.assert_array_equal(code, [0.5, -0.2, 9.0, 0.0])  # the caller's stays


@pytest.mark.parametrize("name", list(families.registry()))
def test_sliders_reach_as_far_as_the_prior_of_their_latent(make_vae, name):
    vae = make_vae(latent_size=32, family=name)
    box = explorer.sliders(vae, vae.family.prior_mean(32), range(32))
    found = [(slider.min, slider.max) for slider in box.children[0].children]
    expected = vae.prior_quantiles([0.005, 0.995]).T
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    if name == "power_spherical":
        np.testing.assert_allclose(found[0], [-0.442, 0.442], atol=0.001)


def test_colour_pictures_keep_their_colours():
    picture = np.full((4, 4, 3), [1.0, 0.5, 0.0])
    image = Image.open(io.BytesIO(explorer.png(picture)))
    assert image.getpixel((100, 100)) == (255, 128, 0)


@pytest.mark.parametrize("latents", [[2], [-1, 0]])
def test_sliders_for_unknown_latents_are_refused(latents):
    with pytest.raises(ValueError, match="from 0 to 1"):
        explorer.sliders(small_vae(2), np.zeros(2), latents)


# The page in a browser


PROBES = Path(__file__).with_name("explorer_probes.js").read_text(encoding="utf-8")


answer_of = functools.partial(browser.answer_of, PROBES)


def greys(vae, codes):
    """What the page should show, (n, 784), from 0 to 255."""
    return 255 * vae.decode(np.asarray(codes, "float32")).reshape(len(codes), -1)


@needs_browser
def test_decoders_and_encoders_equal_keras(pair, digits, tmp_path):
    plane, many, page = pair
    rng, pictures = np.random.default_rng(0), digits[0][:20]
    codes = {"plane": rng.normal(size=(50, 2)), "many": rng.normal(size=(50, 32))}
    given = {name: array.tolist() for name, array in codes.items()}
    pixels = pictures.reshape(20, -1).tolist()
    answer = answer_of(page, tmp_path, "networks", given, pixels)
    for name, vae in (("plane", plane), ("many", many)):
        expected = greys(vae, given[name])
        assert (expected < 25).any() and (expected > 230).any()
        assert np.abs(255 * np.array(answer[name]) - expected).max() < 1  # asked for: 2
        means = vae.encode(pictures)
        assert means.std() > 0.5
        # with eight bits per weight
        assert np.abs(answer[f"{name}Means"] - means).max() < 0.05


CUMULATIVE = {"normal": scipy.stats.norm.cdf, "laplace": scipy.stats.laplace.cdf}


@needs_browser
@pytest.mark.parametrize(
    ("activation", "family"),
    list(zip(explorer.ACTIVATIONS, itertools.cycle(explorer.FAMILIES), strict=False)),
)
def test_an_activation_is_keras_own_and_codes_follow_the_prior(
    digits, tmp_path, activation, family
):
    plane = small_vae(2, family, hidden=(30, 20), activation=activation)
    page = explorer.write_explorer(tmp_path / "page.html", plane, *digits)
    answer = answer_of(page, tmp_path, "decodedAndDrawn", [0.7, -1.3], 2000)
    pixels, values, *sliders = answer
    assert sliders == [True, 0, "none"]  # of one model alone there are none
    assert np.abs(255 * np.array(pixels) - greys(plane, [[0.7, -1.3]])).max() < 1
    assert len(values) == 4000
    # 4 in 10 million by chance
    assert scipy.stats.kstest(values, CUMULATIVE[family]).statistic < 0.05


def test_every_family_is_among_those():
    assert 1 < len(explorer.FAMILIES) <= len(explorer.ACTIVATIONS)
    assert {*explorer.FAMILIES} == {*CUMULATIVE}


@needs_browser
def test_dragging_and_arrow_keys_move_the_digit(pair, tmp_path):
    plane, _, page = pair
    dragged, after, pressed = answer_of(page, tmp_path, "movement")
    reach, code = dragged["reach"], np.array(dragged["code"])
    np.testing.assert_allclose(code, [0.5 * reach, 0.5 * reach], rtol=0.01)
    assert after == dragged  # the pointer is up
    np.testing.assert_allclose(pressed["code"], code - [reach / 40, 0], rtol=1e-6)
    for moment in (dragged, pressed):
        assert np.abs(moment["pixels"] - greys(plane, [moment["code"]])[0]).max() < 2
    assert dragged["pixels"] != pressed["pixels"]


@needs_browser
def test_sliders_random_and_reset(pair, digits, tmp_path):
    _, many, page = pair
    answer = answer_of(page, tmp_path, "sliding")
    states = answer["states"]
    strongest = int(np.argmax(metrics.rate_per_latent(many, digits[0])))
    assert answer["latent"] == strongest
    assert answer["count"] == explorer.SLIDERS
    expected = np.zeros(32)
    assert states["reset"]["code"] == expected.tolist()
    expected[strongest] = -1.5
    assert states["moved"]["code"] == expected.tolist()
    assert 0.5 < np.std(states["random"]["code"]) < 1.6
    for state in states.values():
        assert np.abs(state["pixels"] - greys(many, [state["code"]])[0]).max() < 2
    means = many.encode(explorer.some_of_each(*digits))
    assert np.abs(means - states["real"]["code"]).max(axis=1).min() < 0.05


@needs_browser
def test_a_drawing_is_centred_and_scaled_as_mnist_is(pair, tmp_path):
    plane, many, page = pair
    corner = [[0.05, 0.1], [0.2, 0.1], [0.12, 0.3]]  # a small seven, in the corner
    wide = [[0.1, 0.1], [0.7, 0.1], [0.38, 0.9]]  # the same, four times as large
    answer = answer_of(page, tmp_path, "drawing", corner, wide)
    small, large = answer["drawn"]
    assert np.abs(np.subtract(small["seen"], large["seen"])).max() < 0.35
    assert np.abs(np.subtract(small["seen"], large["seen"])).mean() < 0.01
    for state in (small, large):
        picture = np.array(state["seen"]).reshape(28, 28)
        rows, columns = (np.flatnonzero(picture.max(axis=a) > 0.1) for a in (1, 0))
        assert 19 <= rows[-1] - rows[0] + 1 <= 21
        assert columns[-1] - columns[0] + 1 < 20
        weights = picture / picture.sum()
        centre = [weights.sum(axis=axis) @ (np.arange(28) + 0.5) for axis in (1, 0)]
        np.testing.assert_allclose(centre, 14, atol=0.1)
        assert picture.min() == 0 and picture.max() > 0.99
        x = picture.reshape(1, 28, 28, 1)
        assert np.abs(plane.encode(x) - state["code"]).max() < 0.05
        assert np.abs(many.encode(x) - state["longCode"]).max() < 0.05
        assert np.abs(state["two"] - greys(plane, [state["code"]])[0]).max() < 2
        assert np.abs(state["many"] - greys(many, [state["longCode"]])[0]).max() < 2
    assert max(answer["blank"]) == 0
    assert answer["fastest"] < 16  # milliseconds: a frame of a screen


@needs_browser
def test_the_policy_lets_no_other_script_in(pair, tmp_path):
    script = "document.body.textContent = 'IN'"
    document = shown(with_script(pair[2].read_text("utf-8"), script), tmp_path)
    assert "z₁ = " in document  # the page's own has run
    assert "<body>IN" not in document


@needs_browser
def test_the_page_reaches_no_network(pair, tmp_path):
    """Not even with a script that is let in: connections and pictures are refused."""
    answer = answer_of(pair[2], tmp_path, "refused")
    assert answer.count("connect-src") >= 1
    assert "img-src" in answer


# The file


def test_the_page_is_one_small_file_that_loads_nothing(pair):
    text = pair[2].read_text(encoding="utf-8")
    assert 2_000_000 < len(text.encode()) < explorer.LARGEST
    rest = text.replace(data_of(text), "")
    json.loads(data_of(text))
    for loader in ("://", " src=", " href=", "url(", "@import", "fetch(", "XMLHttp"):
        assert loader not in rest, loader
    assert not re.search(r"import\(|{{|unsafe", rest)
    assert "default-src 'none'" in rest
    assert list(pair[2].parent.iterdir()) == [pair[2]]


def test_the_policy_holds_whatever_the_data():
    template = explorer.TEMPLATE.read_text(encoding="utf-8")
    bad = {"plane": "</script><script>alert(1)</script>", "x": "{{policy}}{{data}}<!--"}
    page = explorer.filled(template, bad).decode()
    assert page.count("<script") == template.count("<script") == 2
    assert json.loads(data_of(page)) == bad
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    none = ("default-src", "base-uri", "form-action")  # connections, pictures, all else
    assert all(rules.pop(name) == "'none'" for name in none)
    for kind in ("style", "script"):
        code = re.search(rf"<{kind}>(.*?)</{kind}>", page, re.S)[1].encode()
        digest = base64.b64encode(hashlib.sha256(code).digest()).decode()
        assert rules.pop(f"{kind}-src") == f"'sha256-{digest}'"
    assert not rules


def test_the_saved_page_is_what_the_template_gives(root):
    """Its own data, in today's template, are the page that the repository holds."""
    page = (root / "images" / "explorer.html").read_text(encoding="utf-8")
    data, template = json.loads(data_of(page)), explorer.TEMPLATE.read_text("utf-8")
    assert explorer.filled(template, data).decode() == page


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_a_page_cannot_hold_are_refused(value):
    with pytest.raises(ValueError, match="finite"):
        explorer.filled("{{policy}}{{data}}", {"a": [value]})


def values(text, kind="<f4"):
    """Numbers that the page holds as base64."""
    return np.frombuffer(base64.b64decode(text), kind)


@pytest.mark.parametrize(("bits", "finest"), [(8, 127), (16, 32767)])
def test_weights_are_rounded_finely(bits, finest):
    layer = small_vae(2).decoder.get_layer("pixels")
    data = explorer.dense_data(layer, bits)
    whole = values(data["kernel"], f"<i{bits // 8}").reshape(784, -1)
    assert (np.abs(whole).max(axis=1) == finest).all()
    scale, kernel = values(data["scale"]), keras.ops.convert_to_numpy(layer.kernel)
    assert (np.abs(whole.T * scale - kernel) <= 0.501 * scale).all()


def test_a_rescaling_becomes_part_of_the_weights():
    decoder = small_vae(2, "laplace").decoder
    scale = decoder.get_layer("standardised").scale
    assert scale != 1
    found = 32767 * values(explorer.chain_data(decoder, 16)[0]["scale"])
    kernel = keras.ops.convert_to_numpy(decoder.get_layer("hidden_1").kernel)
    np.testing.assert_allclose(found, scale * np.abs(kernel).max(axis=0), rtol=1e-5)
    dense = keras.layers.Dense(3)
    dense.build((None, 2))
    bias = explorer.dense_data(dense, 16, rescaled=2.0, offset=0.5)["bias"]
    expected = 0.5 * keras.ops.convert_to_numpy(dense.kernel).sum(axis=0)
    np.testing.assert_allclose(values(bias), expected, rtol=1e-5)


def test_a_unit_without_weights_stays_silent():
    layer = keras.layers.Dense(3, kernel_initializer="zeros", use_bias=False)
    layer.build((None, 4))
    data = explorer.dense_data(layer, 8)
    assert np.isfinite(values(data["scale"])).all()
    assert not any(values(data["kernel"], "i1")) and not any(values(data["bias"]))


# What the page can't run


def test_layers_that_are_no_chain_are_refused():
    z = keras.Input((4,))
    shared = keras.layers.Dense(4, name="shared")
    with pytest.raises(ValueError, match="'shared'"):
        explorer.chain(keras.Model(z, shared(shared(z))))
    added = keras.layers.Add(name="sum")([z, keras.layers.Dense(4)(z)])
    with pytest.raises(ValueError, match="'sum'"):
        explorer.chain(keras.Model(z, added))


MODELS = {
    "'down_1'": lambda: models.build_vae(latent_size=2, architecture="conv"),
    "'hidden_1'": lambda: small_vae(2, activation="gelu"),
    "has 3": lambda: small_vae(3),
    "'normal', 'laplace'.*'exponential'": lambda: small_vae(2, "exponential"),
    "3.6 MB": lambda: models.build_vae(latent_size=2),
}


@pytest.mark.parametrize("named", MODELS)
def test_models_that_the_page_cannot_run_are_explained(digits, tmp_path, named):
    with pytest.raises(ValueError, match=named):
        explorer.write_explorer(tmp_path / "page.html", MODELS[named](), *digits)
    assert not list(tmp_path.iterdir())


LABELS = ["<img src=x onerror=alert(1)>", "7", 10, -1, 0.5]


def test_wrong_pictures_and_labels_are_explained(digits, make_vae, tmp_path):
    x, y = digits
    wrong = {str(label)[:4]: (x, np.array([label] * len(x))) for label in LABELS}
    wrong |= {
        r"\(199,\)": (x, y[:-1]),
        r"\(200, 20, 28, 1\)": (x[:, :20], y),
        r"\(8, 8, 1\)": (x, y, make_vae()),
    }
    vae = small_vae(2)
    for named, arguments in wrong.items():
        with pytest.raises(ValueError, match=named):
            explorer.write_explorer(tmp_path / "a.html", vae, *arguments)
    assert not list(tmp_path.iterdir())
