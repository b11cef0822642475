"""helpers/explorer.py: the page, in a real browser, against Keras."""

import base64
import hashlib
import io
import json
import re
import shutil
import subprocess

import keras
import numpy as np
import pytest
import scipy.stats
from PIL import Image

from helpers import datasets, families, metrics, models
from helpers.plots import explorer

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))),
    "",
)
needs_browser = pytest.mark.skipif(
    not BROWSER,
    reason="no Chromium here: apt-get install chromium, and the page is tested in it",
)


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
    data = datasets.digits_stand_in(1, 1)
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
    vae = small_vae(4, "laplace")
    code = np.array([0.5, -0.2, 9.0, 0.0])
    box = explorer.sliders(vae, code, [2, 0])
    np.testing.assert_allclose(
        picture_of(box), vae.decode([code])[0, ..., 0], atol=0.003
    )
    third, first = box.children[0].children
    low, high = scipy.stats.laplace.ppf([0.005, 0.995])
    assert (third.min, third.max) == pytest.approx((low, high))
    assert third.value == pytest.approx(high)  # as far as the slider goes
    assert first.value == pytest.approx(0.5)
    assert [third.description, first.description] == ["latent 2", "latent 0"]
    first.value = -1.5
    third.value = -3.0
    expected = vae.decode([[-1.5, -0.2, -3.0, 0.0]])[0, ..., 0]
    assert np.abs(expected - vae.decode([code])[0, ..., 0]).max() > 0.3
    np.testing.assert_allclose(picture_of(box), expected, atol=0.003)
    np.testing.assert_array_equal(code, [0.5, -0.2, 9.0, 0.0])  # the caller's stays


def test_colour_pictures_keep_their_colours():
    picture = np.full((4, 4, 3), [1.0, 0.5, 0.0])
    image = Image.open(io.BytesIO(explorer.png(picture)))
    assert image.getpixel((100, 100)) == (255, 128, 0)


@pytest.mark.parametrize("latents", [[2], [-1, 0]])
def test_sliders_for_unknown_latents_are_refused(latents):
    with pytest.raises(ValueError, match="from 0 to 1"):
        explorer.sliders(small_vae(2), np.zeros(2), latents)


# The page in a browser


def opened(page, script, folder):
    """Run a script in the page, in headless Chromium; return what its ``answer()`` returns.

    The script is let in by its own hash in the page's policy.
    """
    code = f"""
        HTMLElement.prototype.setPointerCapture = () => {{}}; // made-up pointers can't be captured
        {script}
        addEventListener("load", () => {{
          document.body.textContent = "ANSWER" + JSON.stringify(answer()) + "END";
        }});"""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    text = page.read_text(encoding="utf-8")
    text = text.replace("script-src ", f"script-src 'sha256-{digest}' ", 1)
    found = re.search("ANSWER(.*)END", shown(with_script(text, code), folder), re.S)
    assert found, "the page did not answer"
    return json.loads(found.group(1))


def with_script(text, code):
    return text.replace("</body>", f"<script>{code}</script></body>")


def shown(text, folder):
    """The page's document, after it has loaded."""
    path = folder / "probed.html"
    path.write_text(text, encoding="utf-8")
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={folder / 'user'}",
    ]
    command = [BROWSER, *options, "--dump-dom", path.as_uri()]
    finished = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=True
    )
    return finished.stdout


PIXELS = """
const pixelsOf = (id) => {
  const image = element(id).getContext("2d").getImageData(0, 0, 28, 28).data;
  return Array.from({ length: 784 }, (_, index) => image[4 * index + 3]); // the ink is in alpha
};
const drag = (id, places) => places.forEach(([x, y], index) => {
  const box = element(id).getBoundingClientRect();
  element(id).dispatchEvent(new PointerEvent(index ? "pointermove" : "pointerdown", {
    pointerId: 1, clientX: box.left + x * box.width, clientY: box.top + y * box.height,
  }));
});
const lift = (id) => element(id).dispatchEvent(new PointerEvent("pointerup", { pointerId: 1 }));
"""


def greys(vae, codes):
    """What the page should show, (n, 784), from 0 to 255."""
    return 255 * vae.decode(np.asarray(codes, "float32")).reshape(len(codes), -1)


@needs_browser
def test_decoders_and_encoders_equal_keras(pair, digits, tmp_path):
    plane, many, page = pair
    rng = np.random.default_rng(0)
    codes = {"plane": rng.normal(size=(50, 2)), "many": rng.normal(size=(50, 32))}
    pictures = digits[0][:20].reshape(20, -1)
    given = {name: array.round(4).tolist() for name, array in codes.items()}
    answer = opened(
        page,
        f"""const codes = {json.dumps(given)};
        const pictures = {json.dumps(pictures.round(4).tolist())};
        const run = (model, side, inputs) => inputs.map((input) => Array.from(side(model, input)));
        const answer = () => ({{
          plane: run(plane, decode, codes.plane), many: run(many, decode, codes.many),
          planeMeans: run(plane, encode, pictures), manyMeans: run(many, encode, pictures),
        }});""",
        tmp_path,
    )
    for name, vae in (("plane", plane), ("many", many)):
        expected = greys(vae, given[name])
        assert (expected < 25).any() and (expected > 230).any()
        assert np.abs(255 * np.array(answer[name]) - expected).max() < 1  # asked for: 2
        means = vae.encode(digits[0][:20])
        assert means.std() > 0.5
        assert (
            np.abs(answer[f"{name}Means"] - means).max() < 0.05
        )  # eight bits a weight


@needs_browser
@pytest.mark.parametrize("activation", explorer.ACTIVATIONS)
def test_every_activation_is_keras_own(digits, tmp_path, activation):
    plane = small_vae(2, "laplace", hidden=(30, 20), activation=activation)
    page = explorer.write_explorer(tmp_path / "page.html", plane, *digits)
    script = "const answer = () => Array.from(decode(plane, [0.7, -1.3]));"
    answer = opened(page, script, tmp_path)
    assert np.abs(255 * np.array(answer) - greys(plane, [[0.7, -1.3]])).max() < 1


@needs_browser
def test_dragging_and_arrow_keys_move_the_digit(pair, tmp_path):
    plane, _, page = pair
    answer = opened(
        page,
        PIXELS
        + """
        const now = () => ({ code: [...place], reach, pixels: pixelsOf("plane-digit") });
        const answer = () => {
          drag("plane", [[0.5, 0.5], [0.6, 0.4], [0.75, 0.25]]);
          const dragged = now();
          lift("plane");
          drag("plane", []);
          element("plane").dispatchEvent(new PointerEvent("pointermove", { pointerId: 1 }));
          const after = now();
          element("plane").dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft" }));
          return [dragged, after, now()];
        };""",
        tmp_path,
    )
    dragged, after, pressed = answer
    np.testing.assert_allclose(
        dragged["code"], np.array([0.5, 0.5]) * dragged["reach"], rtol=0.01
    )
    assert after == dragged  # the pointer is up
    step = dragged["reach"] / 40
    np.testing.assert_allclose(
        pressed["code"], np.add(dragged["code"], [-step, 0]), rtol=1e-6
    )
    for moment in (dragged, pressed):
        assert np.abs(moment["pixels"] - greys(plane, [moment["code"]])[0]).max() < 2
    assert dragged["pixels"] != pressed["pixels"]


@needs_browser
def test_sliders_random_and_reset(pair, digits, tmp_path):
    _, many, page = pair
    answer = opened(
        page,
        PIXELS
        + """
        const now = () => ({ code: [...manyCode], pixels: pixelsOf("many-digit") });
        const answer = () => {
          element("reset").click();
          const reset = now();
          const { latent, input, output } = sliders[0];
          input.value = -1.5;
          input.dispatchEvent(new Event("input"));
          const moved = now();
          element("random").click();
          const random = now();
          element("real").click();
          return { reset, moved, random, real: now(), latent, shown: output.value,
            count: document.querySelectorAll("input[type=range]").length };
        };""",
        tmp_path,
    )
    strongest = int(np.argmax(metrics.rate_per_latent(many, digits[0])))
    assert answer["latent"] == strongest
    assert answer["count"] == explorer.SLIDERS
    expected = np.zeros(32)
    assert answer["reset"]["code"] == expected.tolist()
    expected[strongest] = -1.5
    assert answer["moved"]["code"] == expected.tolist()
    assert 0.5 < np.std(answer["random"]["code"]) < 1.6
    for moment in ("reset", "moved", "random", "real"):
        state = answer[moment]
        assert np.abs(state["pixels"] - greys(many, [state["code"]])[0]).max() < 2
    means = many.encode(explorer.some_of_each(*digits))
    assert np.abs(means - answer["real"]["code"]).max(axis=1).min() < 0.05


@needs_browser
@pytest.mark.parametrize("prior", explorer.PRIORS)
def test_random_codes_follow_the_prior(digits, tmp_path, prior):
    page = explorer.write_explorer(tmp_path / "page.html", small_vae(2, prior), *digits)
    script = "const answer = () => Array.from({ length: 2000 }, () => randomCode(plane)).flat();"
    values = opened(page, script, tmp_path)
    cumulative = {"normal": scipy.stats.norm.cdf, "laplace": scipy.stats.laplace.cdf}[
        prior
    ]
    assert len(values) == 4000
    assert (
        scipy.stats.kstest(values, cumulative).statistic < 0.05
    )  # 4 in 10 million by chance


@needs_browser
def test_a_drawing_is_centred_and_scaled_as_mnist_is(pair, tmp_path):
    plane, many, page = pair
    corner = "[[0.05, 0.1], [0.2, 0.1], [0.12, 0.3]]"  # a small seven, in the corner
    large = "[[0.1, 0.1], [0.7, 0.1], [0.38, 0.9]]"  # the same, four times as large
    answer = opened(
        page,
        PIXELS
        + f"""
        const draw = (points) => {{
          element("clear").click();
          drag("pad", points);
          lift("pad");
          return {{ seen: Array.from(asMnist()), code: [...place], longCode: [...manyCode],
            two: pixelsOf("from-two"), many: pixelsOf("from-many") }};
        }};
        const answer = () => {{
          const drawn = [draw({corner}), draw({large})];
          element("clear").click();
          const update = () => {{
            const start = performance.now();
            moveTo([Math.random(), Math.random()]);
            setManyCode(randomCode(many));
            return performance.now() - start;
          }};
          const fastest = Math.min(...Array.from({{ length: 50 }}, update));
          return {{ drawn, blank: pixelsOf("from-two").concat(pixelsOf("from-many")), fastest }};
        }};""",
        tmp_path,
    )
    small, large = answer["drawn"]
    assert np.abs(np.subtract(small["seen"], large["seen"])).max() < 0.35
    assert np.abs(np.subtract(small["seen"], large["seen"])).mean() < 0.01
    for state in (small, large):
        picture = np.array(state["seen"]).reshape(28, 28)
        rows, columns = (
            np.flatnonzero(picture.max(axis=axis) > 0.1) for axis in (1, 0)
        )
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
def test_one_model_alone_has_no_sliders(digits, tmp_path):
    page = explorer.write_explorer(tmp_path / "page.html", small_vae(2), *digits)
    script = """const answer = () => [element("many-section").hidden, sliders.length,
        getComputedStyle(element("from-many-figure")).display];"""
    assert opened(page, script, tmp_path) == [True, 0, "none"]


@needs_browser
def test_the_policy_lets_no_other_script_in(pair, tmp_path):
    text = with_script(
        pair[2].read_text(encoding="utf-8"), "document.body.textContent = 'IN';"
    )
    document = shown(text, tmp_path)
    assert "z₁ = " in document  # the page's own has run
    assert "<body>IN" not in document


@needs_browser
def test_the_page_reaches_no_network(pair, tmp_path):
    """Not even with a script that is let in: connections and pictures are refused."""
    page = pair[2]
    answer = opened(
        page,
        """
        const refused = [];
        addEventListener("securitypolicyviolation", (event) => {
          refused.push(event.effectiveDirective);
        });
        fetch("http://127.0.0.1:9/").catch(() => {});
        try { new WebSocket("ws://127.0.0.1:9/"); } catch { refused.push("socket"); }
        new Image().src = "http://127.0.0.1:9/a.png";
        const answer = () => refused;""",
        tmp_path,
    )
    assert answer.count("connect-src") >= 1
    assert "img-src" in answer


# The file

SOURCES = ("style", "script")


def test_the_page_is_one_small_file_that_loads_nothing(pair):
    text = pair[2].read_text(encoding="utf-8")
    assert 2_000_000 < len(text.encode()) < explorer.LARGEST
    data, rest = re.search(r'id="data">(.*?)</script>', text, re.S), text
    json.loads(data.group(1))
    rest = text.replace(data.group(1), "")
    for loader in (
        "://",
        " src=",
        " href=",
        "url(",
        "@import",
        "fetch(",
        "XMLHttp",
        "import(",
    ):
        assert loader not in rest, loader
    assert "{{" not in rest
    assert "default-src 'none'" in rest
    assert "unsafe" not in rest
    assert not list(pair[2].parent.glob("*.part"))


def test_text_in_the_data_cannot_end_it():
    page = explorer.filled(
        "<style></style>{{policy}}<script></script>{{data}}", {"a": "</script>"}
    )
    assert page.count(b"</script>") == 1
    assert b"<" not in page.split(b"</script>")[1]


def test_the_policy_holds_whatever_the_data(digits, tmp_path):
    template = explorer.TEMPLATE.read_text(encoding="utf-8")
    bad = {"plane": "</script><script>alert(1)</script>", "x": "{{policy}}{{data}}<!--"}
    page = explorer.filled(template, bad).decode()
    assert page.count("<script") == template.count("<script") == 2
    assert (
        json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1)) == bad
    )
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (
        rules["default-src"] == "'none'"
    )  # connections, pictures, frames and all else
    code = {
        kind: re.search(rf"<{kind}>(.*?)</{kind}>", page, re.S)[1] for kind in SOURCES
    }
    for kind, text in code.items():
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert set(rules) == {
        "default-src",
        "script-src",
        "style-src",
        "base-uri",
        "form-action",
    }


def test_the_saved_page_is_what_the_template_gives(root):
    """Its own data, in today's template, are the page that the repository holds."""
    page = (root / "images" / "explorer.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S).group(1))
    template = explorer.TEMPLATE.read_text(encoding="utf-8")
    assert explorer.filled(template, data).decode() == page


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_a_page_cannot_hold_are_refused(value):
    with pytest.raises(ValueError, match="finite codes and rates"):
        explorer.filled(
            "<style></style>{{policy}}<script></script>{{data}}", {"a": [value]}
        )


@pytest.mark.parametrize("label", ["<img src=x onerror=alert(1)>", "7", 10, -1, 0.5])
def test_labels_that_are_no_digits_are_refused(digits, tmp_path, label):
    x, _ = digits
    labels = np.array([label] * len(x))
    with pytest.raises(ValueError, match="labels must be digits"):
        explorer.write_explorer(tmp_path / "page.html", small_vae(2), x, labels)
    assert not list(tmp_path.iterdir())


def test_weights_are_rounded_finely(digits):
    for bits, finest in ((8, 127), (16, 32767)):
        layer = small_vae(2).decoder.get_layer("pixels")
        data = explorer.dense_data(layer, bits)
        whole = np.frombuffer(base64.b64decode(data["kernel"]), f"<i{bits // 8}")
        scale = np.frombuffer(base64.b64decode(data["scale"]), "<f4")
        kernel = keras.ops.convert_to_numpy(layer.kernel)
        error = np.abs(whole.reshape(784, -1).T * scale - kernel)
        assert (np.abs(whole.reshape(784, -1)).max(axis=1) == finest).all()
        assert (error <= 0.501 * scale).all()


def test_a_rescaling_becomes_part_of_the_weights():
    vae = small_vae(2, "laplace")
    rescaling = vae.decoder.get_layer("standardised")
    assert rescaling.scale != 1
    first = explorer.chain_data(vae.decoder, 16)[0]
    kernel = keras.ops.convert_to_numpy(vae.decoder.get_layer("hidden_1").kernel)
    largest = 32767 * np.frombuffer(base64.b64decode(first["scale"]), "<f4")
    np.testing.assert_allclose(
        largest, rescaling.scale * np.abs(kernel).max(axis=0), rtol=1e-5
    )
    dense = keras.layers.Dense(3)
    dense.build((None, 2))
    bias = explorer.dense_data(dense, 16, rescaled=2.0, offset=0.5)["bias"]
    expected = 0.5 * keras.ops.convert_to_numpy(dense.kernel).sum(axis=0)
    np.testing.assert_allclose(
        np.frombuffer(base64.b64decode(bias), "<f4"), expected, rtol=1e-5
    )


def test_a_unit_without_weights_stays_silent():
    layer = keras.layers.Dense(3, kernel_initializer="zeros", use_bias=False)
    layer.build((None, 4))
    data = explorer.dense_data(layer, 8)
    assert np.isfinite(np.frombuffer(base64.b64decode(data["scale"]), "<f4")).all()
    assert not any(base64.b64decode(data["kernel"]) + base64.b64decode(data["bias"]))


# What the page can't run


def test_layers_that_the_page_cannot_run_are_named(digits, tmp_path):
    convolutional = models.build_vae(explorer.SHAPE, 2, architecture="conv")
    for vae, name in (
        (convolutional, "down_1"),
        (small_vae(2, activation="gelu"), "hidden_1"),
    ):
        with pytest.raises(ValueError, match=f"'{name}'.*dense_encoder"):
            explorer.write_explorer(tmp_path / "page.html", vae, *digits)
    assert not list(tmp_path.iterdir())


def test_layers_that_are_no_chain_are_refused():
    z = keras.Input((4,))
    shared = keras.layers.Dense(4, name="shared")
    with pytest.raises(ValueError, match="'shared'"):
        explorer.chain(keras.Model(z, shared(shared(z))))
    added = keras.layers.Add(name="sum")([z, keras.layers.Dense(4)(z)])
    with pytest.raises(ValueError, match="'sum'"):
        explorer.chain(keras.Model(z, added))


def test_wrong_models_and_pictures_are_explained(digits, make_vae, tmp_path):
    x, y = digits
    plane = small_vae(2)
    wrong = {
        "2 latents, and got 3": (small_vae(3), x, y),
        "n labels": (plane, x, y[:-1]),
        "28, 28, 1": (plane, x[:, :20], y),
        "'normal', 'laplace'.*'exponential'": (small_vae(2, "exponential"), x, y),
        "takes \\(8, 8, 1\\)": (plane, x, y, make_vae()),
        "3.6 MB, and 3 MB.*smaller models": (models.build_vae(latent_size=2), x, y),
    }
    for message, arguments in wrong.items():
        with pytest.raises(ValueError, match=message):
            explorer.write_explorer(tmp_path / "page.html", *arguments)
    assert not list(tmp_path.iterdir())
