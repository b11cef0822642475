"""Wrong use: each mistake gets an error that names the value that came."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from helpers import families, likelihoods, metrics, models, plots, training

SHAPE = (8, 8, 1)
GOOD = np.full((20, *SHAPE), 0.5, "float32")
LABELS = np.arange(20) % 3
BYTES = (255 * GOOD).astype("uint8")
WRONG_PICTURES = {  # what is wrong: the array, and what the error must name
    "0 to 255": (255 * GOOD, "[127.5, 127.5]"),
    "bytes": (BYTES, "[127, 127]"),
    "nan": (np.where(np.arange(8)[:, np.newaxis] > 6, np.nan, GOOD), "[nan, nan]"),
    "channels first": (np.moveaxis(GOOD, -1, 1), "(20, 1, 8, 8)"),
    "no channels": (GOOD[..., 0], "(20, 8, 8)"),
    "one picture": (GOOD[0], "(8, 8, 1)"),
    "another size": (GOOD[:, :7], "(20, 7, 8, 1)"),
    "three channels": (np.repeat(GOOD, 3, axis=-1), "(20, 8, 8, 3)"),
    "labels": (LABELS, "(20,)"),
    "nothing": (GOOD[:0], "(0, 8, 8, 1)"),
}
TAKES_PICTURES = {
    "encode": lambda m, x: m.vae.encode(x),
    "reconstruct": lambda m, x: m.vae.reconstruct(x),
    "elbo": lambda m, x: metrics.elbo(m.vae, x),
    "elbo_terms": lambda m, x: metrics.elbo_terms(m.vae, x),
    "iwae_bound": lambda m, x: metrics.iwae_bound(m.vae, x, samples=2),
    "rate_per_latent": lambda m, x: metrics.rate_per_latent(m.vae, x),
    "active_units": lambda m, x: metrics.active_units(m.vae, x),
    "an autoencoder": lambda m, x: m.autoencoder.encode(x),
    "a conditional VAE": lambda m, x: m.pair.encode((x, LABELS)),
}


@pytest.fixture(scope="module")
def m():
    """Models to be used wrongly."""
    return SimpleNamespace(
        vae=models.build_vae(SHAPE, 2, hidden=(4,)),
        pair=models.build_conditional_vae(SHAPE, 2, 3, hidden=(4,)),
        autoencoder=models.build_autoencoder(SHAPE, 2, hidden=(4,)),
    )


@pytest.mark.parametrize("function", TAKES_PICTURES.values(), ids=TAKES_PICTURES)
@pytest.mark.parametrize(("x", "value"), WRONG_PICTURES.values(), ids=WRONG_PICTURES)
def test_wrong_pictures_are_refused(m, function, x, value):
    with pytest.raises(ValueError, match=re.escape(value)):
        function(m, x)


def test_noisy_and_binary_pictures_of_any_type_are_welcome(m):
    noisy = GOOD + np.random.default_rng(0).normal(size=GOOD.shape)
    for x in (noisy, (GOOD > 0.2).astype(int), GOOD > 0.2, GOOD.tolist()):
        assert m.vae.encode(x).shape == (20, 2)
        assert np.isfinite(m.vae.reconstruct(x)).all()


def dense(*names):
    return models.dense_encoder(SHAPE, 2, names, hidden=(4,))


def drawing(latent_size=2):
    return models.dense_decoder(SHAPE, latent_size, hidden=(4,))


def build(latent_size=2, **arguments):
    return models.build_vae(SHAPE, latent_size, **arguments)


def conditional(classes_of_encoder, classes_of_decoder):
    encoder = models.dense_encoder((64 + classes_of_encoder,), 2, ("a", "b"), (4,))
    return models.ConditionalVAE(encoder, drawing(2 + classes_of_decoder))


def train(x=GOOD, steps=2, batch_size=4, **options):
    training.train(None, x, steps=steps, batch_size=batch_size, **options)


def snapshots(**arguments):
    training.Snapshots(**{"steps_an_epoch": 5, "codes_of": GOOD} | arguments)


MISTAKES = {  # what is done, and what the error must name
    "latent_size 0": (lambda m: build(0), "latent_size", "0"),
    "latent_size -1": (lambda m: models.build_autoencoder(SHAPE, -1), "-1"),
    "latent_size 2.5": (lambda m: build(2.5), "2.5"),
    "latent_size '2'": (lambda m: drawing("2"), "'2'"),
    "latent_size conv": (lambda m: models.conv_decoder(SHAPE, -3), "-3"),
    "family": (lambda m: build(family="gauss"), "'gauss'", "laplace"),
    "likelihood": (lambda m: build(likelihood="cauchy"), "'cauchy'", "gaussian"),
    "architecture": (lambda m: build(architecture="unet"), "'unet'", "conv"),
    "hidden conv": (lambda m: build(architecture="conv", hidden=(4,)), "(4,)", "conv"),
    "hidden number": (lambda m: build(hidden=4), "hidden", "4"),
    "hidden 0": (lambda m: models.build_autoencoder(hidden=(4, 0)), "(4, 0)"),
    "beta below 0": (lambda m: build(beta=-1), "beta", "-1"),
    "beta nan": (lambda m: build(beta=np.nan), "beta", "nan"),
    "sigma": (lambda m: likelihoods.Gaussian(0), "sigma", "0"),
    "swapped": (lambda m: models.VAE(drawing(), dense(*"ab")), "(None, 8, 8, 1)"),
    "swapped too": (lambda m: models.Autoencoder(drawing(), dense("a")), "8, 8, 1"),
    "decoder twice": (lambda m: models.VAE(drawing(), drawing()), "(None, 8, 8, 1)"),
    "encoder twice": (lambda m: models.Autoencoder(dense("a"), dense("a")), "8, 8, 1"),
    "one head": (lambda m: models.VAE(dense("a"), drawing()), "z_mean", "(None, 2)"),
    "three heads": (lambda m: models.VAE(dense(*"abc"), drawing()), "z_log_var"),
    "other sizes": (lambda m: models.VAE(dense(*"ab"), drawing(3)), ", 3)", ", 2)"),
    "classes of the encoder": (lambda m: conditional(3, 2), "3", "2"),
    "no classes": (lambda m: conditional(0, 0), "0"),
    "no components": (lambda m: families.VampPriorFamily(0), "components", "0"),
    # training
    "steps": (lambda m: train(steps=0), "0, 10 and 1"),
    "rounds": (lambda m: train(rounds=-1), "2, -1 and 1"),
    "steps_per_execution": (lambda m: train(steps_per_execution=0), "2, 10 and 0"),
    "small data": (lambda m: train(batch_size=21), "21", "(20, 8, 8, 1)"),
    "no channels in training": (lambda m: train(GOOD[..., 0]), "(20, 8, 8)"),
    "bytes in training": (lambda m: train(BYTES), "[127, 127]"),
    "below 0 in training": (lambda m: train(GOOD - 0.75), "[-0.25, -0.25]"),
    "nan in training": (lambda m: train(GOOD * np.nan), "[nan, nan]"),
    "complex in training": (lambda m: train(GOOD * 1j), "complex64"),
    "one snapshot": (lambda m: snapshots(steps=1), "1"),
    "one snapshot's step": (lambda m: snapshots(steps=[5]), "[5]"),
    "a snapshot before": (lambda m: snapshots(steps=[-1, 4]), "[-1, 4]"),
    "no epoch": (lambda m: snapshots(steps_an_epoch=-7), "-7"),
    "snapshots of nothing": (lambda m: snapshots(codes_of=None), "samples_at"),
    # metrics and plots
    "no samples": (lambda m: metrics.iwae_bound(m.vae, GOOD > 0.2, -2), "-2"),
    "no pairs": (lambda m: metrics.psnr(GOOD, GOOD[:5]), "(20, 8,", "(5, 8, 8, 1)"),
    "no channels in pairs": (lambda m: metrics.mse(*[GOOD[..., 0]] * 2), "(20, 8, 8)"),
    "no pictures in pairs": (lambda m: metrics.quality(*[GOOD[:0]] * 2), "(0, 8, 8"),
    "k in recall": (lambda m: metrics.covered_share(*[np.eye(3)] * 2, 3), "3"),
    "codes of two sizes": (lambda m: metrics.overlap(np.eye(3), np.eye(4)), "(4, 4)"),
    "grey grid": (lambda m: plots.image_grid(GOOD[..., 0], 5, "grid"), "(20, 8, 8)"),
    "empty grid": (lambda m: plots.image_grid(GOOD[:0], 5, "grid"), "(0, 8, 8, 1)"),
    # a VAE, and a conditional one
    "codes too wide": (lambda m: m.vae.decode(np.zeros((5, 3))), "(n, 2)", "(5, 3)"),
    "one code": (lambda m: m.vae.decode(np.zeros(2)), "(2,)"),
    "no codes": (lambda m: m.vae.decode(np.zeros((0, 2))), "(0, 2)"),
    "count 0": (lambda m: m.vae.generate(0), "0 and 1.0"),
    "temperature -1": (lambda m: m.vae.generate(3, -1), "3 and -1"),
    "temperature nan": (lambda m: m.vae.generate(3, np.nan), "3 and nan"),
    "no labels": (lambda m: m.pair.encode(GOOD), "ndarray"),
    "no labels for the elbo": (lambda m: metrics.elbo(m.pair, GOOD), "ndarray"),
    "labels too many": (lambda m: m.pair.encode((GOOD, np.arange(21))), "20", "(21,)"),
    "class 3 of 3": (lambda m: m.pair.reconstruct((GOOD, LABELS + 1)), "0 to 2", "3]"),
    "class -1": (lambda m: m.pair.generate(LABELS - 1), "0 to 2", "[-1"),
    "half a class": (lambda m: m.pair.generate(LABELS / 2), "0.5"),
    "nobody": (lambda m: m.pair.generate(LABELS[:0]), "0 and 1.0"),
    "cold": (lambda m: m.pair.generate(LABELS, -0.5), "20 and -0.5"),
    "pairs too wide": (lambda m: m.pair.decode(np.zeros((20, 5)), LABELS), "(20, 5)"),
    "labels too few": (lambda m: m.pair.decode(np.zeros((4, 2)), LABELS), "4", "(20,)"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(m, name):
    mistake, *values = MISTAKES[name]
    with pytest.raises(ValueError) as error:
        mistake(m)
    assert all(value in str(error.value) for value in values)
