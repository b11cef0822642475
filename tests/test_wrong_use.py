"""Wrong use: each mistake gets an error that names what came, what was expected and the fix."""

import re

import numpy as np
import pytest

from helpers import families, likelihoods, metrics, models, plots, training

SHAPE = (8, 8, 1)
GOOD = np.full((20, *SHAPE), 0.5, "float32")
LABELS = np.arange(20) % 3
WRONG_PICTURES = {  # what is wrong, the array, words of the error
    "0 to 255": (
        255 * GOOD,
        "pixels must be numbers in [0, 1], and span [127.5, 127.5]: divide",
    ),
    "bytes": ((255 * GOOD).astype("uint8"), "span [127, 127]: divide by 255"),
    "nan": (np.where(np.arange(8)[:, np.newaxis] > 6, np.nan, GOOD), "span [nan, nan]"),
    "channels first": (np.moveaxis(GOOD, -1, 1), "have (20, 1, 8, 8)"),
    "no channels": (GOOD[..., 0], "x[..., np.newaxis] adds a missing channel axis"),
    "one picture": (GOOD[0], "one picture is x[np.newaxis]"),
    "another size": (GOOD[:, :7], "must have shape (n, 8, 8, 1)"),
    "three channels": (np.repeat(GOOD, 3, axis=-1), "have (20, 8, 8, 3)"),
    "labels": (LABELS, "must have shape (n, 8, 8, 1), n at least 1, and have (20,)"),
    "nothing": (GOOD[:0], "n at least 1, and have (0, 8, 8, 1)"),
}


@pytest.fixture(scope="module")
def vae():
    return models.build_vae(SHAPE, 2, hidden=(4,))


@pytest.fixture(scope="module")
def pair():
    return models.build_conditional_vae(SHAPE, 2, 3, hidden=(4,))


TAKES_PICTURES = {
    "encode": lambda vae, x: vae.encode(x),
    "reconstruct": lambda vae, x: vae.reconstruct(x),
    "elbo": metrics.elbo,
    "elbo_terms": metrics.elbo_terms,
    "iwae_bound": lambda vae, x: metrics.iwae_bound(vae, x, samples=2),
    "rate_per_latent": metrics.rate_per_latent,
    "active_units": metrics.active_units,
}


@pytest.mark.parametrize("function", TAKES_PICTURES.values(), ids=TAKES_PICTURES)
@pytest.mark.parametrize(("x", "words"), WRONG_PICTURES.values(), ids=WRONG_PICTURES)
def test_wrong_pictures_are_refused(vae, function, x, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        function(vae, x)


@pytest.mark.parametrize(("x", "words"), WRONG_PICTURES.values(), ids=WRONG_PICTURES)
def test_an_autoencoder_and_a_conditional_vae_refuse_them_too(pair, x, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        models.build_autoencoder(SHAPE, 2, hidden=(4,)).encode(x)
    with pytest.raises(ValueError, match=re.escape(words)):
        pair.encode((x, LABELS))


def test_noisy_and_binary_pictures_of_any_type_are_welcome(vae):
    noisy = GOOD + np.random.default_rng(0).normal(size=GOOD.shape)
    for x in (noisy, (GOOD > 0.2).astype(int), GOOD > 0.2, GOOD.tolist()):
        assert vae.encode(x).shape == (20, 2)
        assert np.isfinite(vae.reconstruct(x)).all()


def dense(*names, latent_size=2):
    return models.dense_encoder(SHAPE, latent_size, names, hidden=(4,))


def drawing():
    return models.dense_decoder(SHAPE, 2, hidden=(4,))


def swapped(parts):
    return rf"the encoder must return codes \(batch, d\) and the decoder take them, .*{parts}"


MISTAKES = {  # what is done, and the error's words as a regular expression
    "latent_size 0": (
        lambda: models.build_vae(SHAPE, 0),
        "at least 1 and an integer, and is 0",
    ),
    "latent_size -1": (
        lambda: models.build_autoencoder(SHAPE, -1),
        "an integer, and is -1",
    ),
    "latent_size 2.5": (lambda: models.build_vae(SHAPE, 2.5), "an integer, and is 2.5"),
    "latent_size '2'": (
        lambda: models.dense_decoder(SHAPE, "2"),
        "an integer, and is '2'",
    ),
    "latent_size conv": (lambda: models.conv_decoder(SHAPE, 0), "an integer, and is 0"),
    "family": (
        lambda: models.build_vae(SHAPE, 2, "gauss"),
        "prior must be one of.*'gauss'",
    ),
    "likelihood": (
        lambda: models.build_vae(SHAPE, 2, likelihood="poisson"),
        "likelihood must be one of.*'poisson'",
    ),
    "architecture": (
        lambda: models.build_vae(SHAPE, 2, architecture="unet"),
        "architecture must be one of.*'unet'",
    ),
    "hidden conv": (
        lambda: models.build_vae(SHAPE, 2, architecture="conv", hidden=(4,)),
        r"such as \(512, 512\), and is \(4,\) for architecture 'conv'",
    ),
    "hidden number": (lambda: models.build_vae(SHAPE, 2, hidden=4), "and is 4 for"),
    "hidden 0": (
        lambda: models.build_autoencoder(SHAPE, 2, hidden=(4, 0)),
        r"and is \(4, 0\)",
    ),
    "beta below 0": (
        lambda: models.build_vae(SHAPE, 2, beta=-1),
        "beta must be at least 0",
    ),
    "beta nan": (
        lambda: models.build_vae(SHAPE, 2, beta=np.nan),
        "schedule, and is nan",
    ),
    "sigma": (
        lambda: likelihoods.Gaussian(0),
        "sigma must be a positive number.*and is 0",
    ),
    "swapped": (lambda: models.VAE(drawing(), dense("a", "b")), swapped("swapped")),
    "swapped one": (
        lambda: models.VAE(drawing(), dense("a"), "exponential"),
        swapped("8, 8, 1"),
    ),
    "decoder twice": (
        lambda: models.VAE(drawing(), drawing()),
        swapped("given for both"),
    ),
    "encoder twice": (
        lambda: models.Autoencoder(dense("a"), dense("a")),
        swapped("for both"),
    ),
    "swapped autoencoder": (
        lambda: models.Autoencoder(drawing(), dense("a")),
        swapped("swapped"),
    ),
    "code of another size": (
        lambda: models.VAE(dense("a", "b", latent_size=3), drawing()),
        r"each \(batch, 2\) as the decoder",
    ),
    "no components": (
        lambda: families.VampPriorFamily(0),
        "components must be at least 1",
    ),
    "small data": (
        lambda: training.train(None, GOOD, steps=2, batch_size=21),
        "x must be at least 21 pictures.*lower batch_size",
    ),
    "bytes in training": (
        lambda: training.train(
            None, (255 * GOOD).astype("uint8"), steps=2, batch_size=4
        ),
        r"pixels must lie in \[0, 1\]",
    ),
    "nan in training": (
        lambda: training.train(None, GOOD * np.nan, steps=2, batch_size=4),
        r"pixels must lie in \[0, 1\], and span \[nan",
    ),
    "no pairs": (
        lambda: metrics.psnr(GOOD, GOOD[:5]),
        r"\(20, 8, 8, 1\) and \(5, 8, 8, 1\)",
    ),
    "no channels in pairs": (
        lambda: metrics.mse(GOOD[..., 0], GOOD[..., 0]),
        "channel axis",
    ),
    "no pictures in pairs": (
        lambda: metrics.quality(GOOD[:0], GOOD[:0]),
        r"\(0, 8, 8, 1\)",
    ),
    "k in recall": (
        lambda: metrics.covered_share(np.eye(3), np.eye(3), neighbours=3),
        "neighbours must be from 1 to 2, .* and is 3",
    ),
    "k among pictures": (
        lambda: metrics.recognisable_share(GOOD, GOOD, LABELS, neighbours=21),
        "neighbours must be from 1 to 20, .* and is 21",
    ),
    "codes of two sizes": (
        lambda: metrics.overlap(np.eye(3), np.eye(4)),
        "the same shape",
    ),
    "grid without channels": (
        lambda: plots.image_grid(GOOD[..., 0], 5, "grid"),
        r"images must be .*the shape \(20, 8, 8\).*channel axis",
    ),
    "grid of nothing": (
        lambda: plots.image_grid(GOOD[:0], 5, "grid"),
        r"shape \(0, 8, 8, 1\)",
    ),
}


@pytest.mark.parametrize(("mistake", "words"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_named(mistake, words):
    with pytest.raises(ValueError, match=words):
        mistake()


MISTAKES_WITH_A_VAE = {
    "codes too wide": (
        lambda vae: vae.decode(np.zeros((5, 3))),
        r"\(n, 2\), .*have \(5, 3\)",
    ),
    "one code": (lambda vae: vae.decode(np.zeros(2)), r"one code is z\[np.newaxis\]"),
    "no codes": (
        lambda vae: vae.decode(np.zeros((0, 2))),
        r"n at least 1, and have \(0, 2\)",
    ),
    "count 0": (lambda vae: vae.generate(0), "at least 1 picture .*and got 0 and 1.0"),
    "temperature -1": (
        lambda vae: vae.generate(3, -1),
        "from 0 on, and got 3 and -1",
    ),
    "temperature nan": (lambda vae: vae.generate(3, np.nan), "and got 3 and nan"),
    "no samples": (
        lambda vae: metrics.iwae_bound(vae, GOOD > 0.2, 0),
        "must be at least 1 a picture",
    ),
}


@pytest.mark.parametrize(
    ("mistake", "words"), MISTAKES_WITH_A_VAE.values(), ids=MISTAKES_WITH_A_VAE
)
def test_a_mistake_with_a_vae_is_named(vae, mistake, words):
    with pytest.raises(ValueError, match=words):
        mistake(vae)


MISTAKES_WITH_A_PAIR = {
    "no labels": (
        lambda vae: vae.encode(GOOD),
        r"takes the tuple \(pictures, labels\)",
    ),
    "labels too many": (
        lambda vae: vae.encode((GOOD, np.arange(21))),
        "must be 20 integers",
    ),
    "class 3 of 3": (
        lambda vae: vae.reconstruct((GOOD, LABELS + 1)),
        "from 0 to 2.*values",
    ),
    "class -1": (
        lambda vae: vae.generate(LABELS - 1),
        "must be 20 integers from 0 to 2",
    ),
    "half a class": (
        lambda vae: vae.generate(LABELS / 2),
        "must be 20 integers from 0 to 2",
    ),
    "nobody": (lambda vae: vae.generate(LABELS[:0]), "at least 1 picture"),
    "cold": (
        lambda vae: vae.generate(LABELS, -0.5),
        "from 0 on, and got 20 and -0.5",
    ),
    "codes too wide": (
        lambda vae: vae.decode(np.zeros((20, 5)), LABELS),
        r"shape \(n, 2\)",
    ),
    "elbo": (
        lambda vae: metrics.elbo(vae, GOOD),
        r"takes the tuple \(pictures, labels\)",
    ),
}


@pytest.mark.parametrize(
    ("mistake", "words"), MISTAKES_WITH_A_PAIR.values(), ids=MISTAKES_WITH_A_PAIR
)
def test_a_mistake_with_a_conditional_vae_is_named(pair, mistake, words):
    with pytest.raises(ValueError, match=words):
        mistake(pair)


def test_the_decoders_widths_are_the_encoders_in_reverse():
    for model in (
        models.build_vae(SHAPE, 2, hidden=(7, 5)),
        models.build_autoencoder(SHAPE, 2, hidden=[7, 5]),
        models.build_conditional_vae(SHAPE, 2, 3, hidden=(7, 5)),
    ):
        widths = [
            [layer.units for layer in part.layers if layer.name.startswith("hidden")]
            for part in (model.encoder, model.decoder)
        ]
        assert widths == [[7, 5], [5, 7]]
    assert (
        len(models.build_vae(SHAPE, 2, hidden=()).encoder.weights) == 4
    )  # linear heads only
