"""helpers/plots/train_page.py: the page that learns, in a browser, against Keras."""

import functools
import json
import re
from pathlib import Path

import browser
import keras
import numpy as np
import pytest
import tensorflow as tf
from browser import data_of, needs_browser
from keras import ops
from sklearn.datasets import load_digits

from helpers import layers, likelihoods, models
from helpers.plots import train_page

PROBES = Path(__file__).with_name("train_page_probes.js").read_text(encoding="utf-8")
LARGEST = 600_000  # bytes


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train_page")
    return train_page.write_train_page(folder / "train.html")


answer_of = functools.partial(browser.answer_of, PROBES)


# The mathematics, against the course's own VAE


class MeanOverPixels(likelihoods.Bernoulli):
    def negative_log_likelihood(self, x, output):
        return super().negative_log_likelihood(x, output) / 64


class VarianceAsDeviation(layers.Sampling):
    def call(self, parameters):
        z_mean, z_log_var = parameters
        return super().call([z_mean, 2 * z_log_var])


class VectorLoss(layers.KLDivergence):
    def call(self, parameters, z=None, training=False):
        self.add_loss(self.beta * ops.sum(self.family.kl_divergence(parameters), -1))
        return parameters


DIGITS, POINTS = (8, 8, 1), (1, 2, 1)
CASES = {
    "digits": (DIGITS, 2, 1.0, "none"),
    "eight latents, dear": (DIGITS, 8, 5.0, "none"),
    "mean over pixels": (DIGITS, 2, 0.5, "mean"),
    "variance as deviation": (DIGITS, 3, 0.5, "deviation"),
    "rate summed over the batch": (DIGITS, 2, 0.5, "batch"),
    "points": (POINTS, 1, 1.0, "none"),
}


def course_vae(shape, latent_size, beta, bug):
    """The course's VAE in the page's size, with a bug of notebook 03, float32."""
    keras.utils.set_random_seed(latent_size)
    names, hidden = ("z_mean", "z_log_var"), (48,)
    likelihood = likelihoods.Gaussian(0.05) if shape == POINTS else "bernoulli"
    vae = models.VAE(
        models.dense_encoder(shape, latent_size, names, hidden),
        models.dense_decoder(shape, latent_size, hidden),
        likelihood=MeanOverPixels() if bug == "mean" else likelihood,
        beta=beta,
    )
    sampling = VarianceAsDeviation if bug == "deviation" else layers.Sampling
    vae.sampling = sampling(seed=7)
    if bug == "batch":
        vae.kl_divergence = VectorLoss(beta=beta)
    for layer in dense_layers(vae):
        layer.bias.assign(keras.random.normal(layer.bias.shape, stddev=0.1))
    return vae


def dense_layers(vae):
    """The layers in the order of the page's: features, mean, log variance, ..."""
    encoder = [vae.encoder.get_layer(n) for n in ("hidden_1", "z_mean", "z_log_var")]
    return encoder + [vae.decoder.get_layer(n) for n in ("hidden_1", "pixels")]


def found_by_keras(vae, x):
    """The gradients of the loss by kernel and bias of each layer; rate, distortion."""
    weights = [w for layer in dense_layers(vae) for w in (layer.kernel, layer.bias)]
    with tf.GradientTape() as tape:
        vae(x, training=True)
        loss = sum(ops.sum(loss) for loss in vae.losses)
    slopes = tape.gradient(loss, [weight.value for weight in weights])
    metrics = (vae.kl_divergence.rate, vae.likelihood.distortion)
    return [s.numpy().ravel() for s in slopes], [float(m.result()) for m in metrics]


def moved_by_keras(start, slopes):
    """Weights after each step of Adam, its learning rate 0.01."""
    weights, optimizer = keras.Variable(start), keras.optimizers.Adam(0.01)
    for step in slopes:
        optimizer.apply([ops.convert_to_tensor(step, "float32")], [weights])
        yield ops.convert_to_numpy(weights).copy()


def given_to_the_page(vae, x, case):
    shape, latents, beta, bug = case
    seeds = keras.random.SeedGenerator(7)  # the sampling layer's own stream
    noise = keras.random.normal((len(x), latents), seed=seeds)
    return {
        "size": int(np.prod(shape)),
        "latents": latents,
        "likelihood": "gaussian" if shape == POINTS else "bernoulli",
        "weights": [
            [ops.convert_to_numpy(w).ravel().tolist() for w in (la.kernel, la.bias)]
            for la in dense_layers(vae)
        ],
        "x": x.ravel().tolist(),
        "noise": ops.convert_to_numpy(noise).ravel().tolist(),
        "beta": beta,
        "bug": bug,
    }


@needs_browser
def test_slopes_losses_and_adam_are_those_of_keras(page, tmp_path):
    """Slopes to 1e-4 of a layer's largest: float32 against JavaScript's doubles."""
    rng, given, expected = np.random.default_rng(0), [], []
    for case in CASES.values():
        x = load_digits().images[:16, ..., np.newaxis] / 16
        x = np.float32(x if case[0] == DIGITS else rng.uniform(size=(16, *POINTS)))
        vae = course_vae(*case)
        given.append(given_to_the_page(vae, x, case))
        expected.append(found_by_keras(vae, x))
    start, steps = rng.normal(size=50), rng.normal(size=(5, 50))
    adam = (start.tolist(), steps.tolist(), 0.01)
    answer = answer_of(page, tmp_path, "slopes", given, adam)
    for name, (slopes, losses), found in zip(
        CASES, expected, answer["cases"], strict=True
    ):
        ours = [np.array(part) for layer in found["slopes"] for part in layer]
        for a, b in zip(ours, slopes, strict=True):
            assert np.abs(b).max() > 1e-3, name
            assert np.abs(a - b).max() < 1e-4 * np.abs(b).max(), name
        if CASES[name][3] == "none":  # the bugs spoil what Keras reports, too
            assert [found["rate"], found["distortion"]] == pytest.approx(losses, 1e-5)
    moved = moved_by_keras(start.astype("float32"), steps)
    np.testing.assert_allclose(answer["adam"], list(moved), atol=1e-5)


# What the page says of itself


@needs_browser
def test_the_experiments_show_what_the_page_says(page, tmp_path):
    """With at most 500 steps, where some ask for more."""
    wanted = [{"beta": beta, "steps": 500} for beta in (0.05, 5, 1)]
    wanted += [
        {"latents": 8, "bug": bug, "steps": 500} for bug in ("none", "deviation")
    ]
    wanted += [{"data": "points", "latents": d, "steps": 500} for d in (2, 1)]
    answer = answer_of(page, tmp_path, "experiments", wanted)
    cheap, dear, plain, sound, bug, ring, thread = answer
    assert cheap["distortion"] < plain["distortion"] - 1
    assert cheap["far"] > 3.5 > plain["far"]
    assert dear["rate"] < 0.05 and plain["rate"] > 1
    assert bug["reported"] < sound["reported"] - 1
    assert bug["sum"] > sound["sum"] + 0.3
    places = np.reshape(ring["places"], (200, 2))
    inside = (np.hypot(*(places - 0.5).T) < 0.25).mean()
    assert 0.25 < inside < 0.45  # the ring itself has a radius of 0.33
    assert thread["distortion"] > ring["distortion"] + 5


@needs_browser
def test_start_pause_step_reset_and_seed(page, tmp_path):
    answer = answer_of(page, tmp_path, "controls")
    assert answer["start"]["steps"] == 0 and not answer["start"]["running"]
    assert answer["one"]["steps"] == 1 and "Step 1:" in answer["one"]["status"]
    assert answer["one"]["weights"] != answer["start"]["weights"]
    assert (answer["button"], answer["paused"]["button"]) == ("Pause", "Start")
    assert answer["paused"]["steps"] == answer["still"] == 71
    assert re.fullmatch(
        r"Paused\. Step \d+: distortion [\d.]+, rate [\d.]+ nats per digit\.",
        answer["paused"]["status"],
    )
    assert min(answer["shown"]) > 0
    assert "297 digits on latent 1 and 2" in answer["labels"][0]
    assert answer["same"] and answer["sameStep"] and answer["other"]
    assert answer["five"] == {"codes": 5 * 297, "rates": 5}
    # half a minute of training is told once
    assert answer["texts"][0] == "Training." and len(answer["texts"]) == 2
    assert answer["pending"] == 1  # after four more presses: one clock, not five


@needs_browser
def test_reduced_motion_and_extremes(page, tmp_path):
    calm = answer_of(page, tmp_path, "calm")
    assert 4 <= calm["shows"] <= 6  # in five seconds
    assert calm["steps"] > 50
    extremes = answer_of(page, tmp_path, "extremes")
    assert extremes["finite"] and not extremes["running"]
    assert "no number" in extremes["status"]


@needs_browser
def test_points_are_drawn_by_hand_and_by_keyboard(page, tmp_path):
    answer = answer_of(page, tmp_path, "pad")
    assert answer["ours"] == 80
    assert answer["refusedStart"] == [False, "Set a few points first."]
    np.testing.assert_allclose(
        answer["placed"], [[0.25, 0.75], [0.5, 0.75], [0.55, 0.45]], atol=0.01
    )
    assert answer["spoken"] == "Point 3."
    assert answer["running"] and answer["steps"] > 10 and answer["codes"] == 3
    assert answer["stopped"] == [False, "No points are left."]
    assert answer["inside"] and answer["most"] == 300
    assert set(answer["units"]) == {"point"}
    assert answer["shown"] == [False, True]
    assert answer["back"] == [True, 297 * 64]


@needs_browser
def test_contrast_and_names(page, tmp_path):
    """WCAG AA, of every text that is shown, in the light and in the dark."""
    answer = answer_of(page, tmp_path, "colours")
    for scheme in ("light", "dark"):
        assert len(answer[scheme]) > 30
        assert min(answer[scheme], key=lambda entry: entry[1])[1] >= 4.5
    assert answer["scheme"] == "dark"
    assert len(answer["names"]) >= 20 and all(answer["names"])


@needs_browser
def test_the_page_reaches_no_network(page, tmp_path):
    answer = answer_of(page, tmp_path, "refused")
    assert "connect-src" in answer and "img-src" in answer


# The file


def test_the_saved_page_is_what_its_maker_gives(page, root):
    assert (root / "images" / "train.html").read_bytes() == page.read_bytes()


def test_the_page_is_one_small_file_that_loads_nothing(page):
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    rest = text.replace(data_of(text), "")
    for loader in ("://", " src=", " href=", "url(", "@import", "fetch(", "XMLHttp"):
        assert loader not in rest, loader
    assert not re.search(r"import\(|{{|unsafe", rest)
    assert "default-src 'none'" in rest


def test_the_page_holds_every_digit_and_holds_some_out(page):
    data = json.loads(data_of(page.read_text(encoding="utf-8")))
    letters = np.frombuffer(data["digits"].encode(), "u1").reshape(-1, 64) - ord("a")
    digits = load_digits()
    found = sorted(zip(letters.tolist(), map(int, data["labels"]), strict=True))
    assert found == sorted(zip(digits.data.tolist(), digits.target, strict=True))
    assert len(letters) - data["trained"] == 297
    held_out = np.bincount([int(label) for label in data["labels"][data["trained"] :]])
    assert held_out.min() >= 20  # of each digit
