"""What users do, right and wrong, through every door that takes pictures."""

import gc
import re
import weakref

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from helpers import layers, likelihoods, metrics, models, training
from helpers.engine import checked
from helpers.metrics.samples import FEWEST

SHAPE = (8, 8, 1)
X = np.random.default_rng(0).random((40, *SHAPE)).astype("float32")
BINARY = (X > 0.5).astype("float32")
LABELS = np.arange(40) % 3
QUIET = {"verbose": 0, "batch_size": 16}
SHORT = {"steps": 2, "batch_size": 16, "verbose": False}
FIGURES = ("loss", "rate", "distortion")


def compiled(**arguments):
    keras.utils.set_random_seed(0)
    vae = models.build_vae(SHAPE, 2, hidden=(4,), **arguments)
    vae.compile("adam")
    return vae


@pytest.fixture(scope="module")
def vae():
    """A VAE for what is refused, or leaves it as it was."""
    return compiled()


@pytest.fixture(scope="module")
def pair():
    """A conditional VAE for what is refused."""
    vae = models.build_conditional_vae(SHAPE, 2, 3, hidden=(4,))
    vae.compile("adam")
    return vae


@pytest.fixture(scope="module")
def autoencoder():
    autoencoder = models.build_autoencoder(SHAPE, 2, hidden=(4,))
    autoencoder.compile("adam", "mse")
    return autoencoder


class Pieces(keras.utils.PyDataset):
    """Batches of 16 by number."""

    def __init__(self, *parts):
        super().__init__()
        self.parts = parts

    def __len__(self):
        return -(-len(self.parts[0]) // 16)

    def __getitem__(self, index):
        rows = slice(16 * index, 16 * index + 16)
        return tuple(part[rows] for part in self.parts)


def as_dataset(*parts):
    return tf.data.Dataset.from_tensor_slices(parts).batch(16)


def as_generator(*parts):
    yield from map(Pieces(*parts).__getitem__, range(len(Pieces(*parts))))


KINDS = {"dataset": as_dataset, "generator": as_generator, "PyDataset": Pieces}

# Every door, and every way to go wrong: F02, F05, F07, F13


def doors(kind):
    """Keras's methods on batches of a kind."""
    return {
        f"fit {kind}": lambda vae, x: vae.fit(KINDS[kind](x), verbose=0),
        f"evaluate {kind}": lambda vae, x: vae.evaluate(KINDS[kind](x), verbose=0),
        f"validation {kind}": lambda vae, x: vae.fit(
            X, validation_data=KINDS[kind](x), **QUIET
        ),
    }


COMPARED = {
    "fit": lambda vae, x: vae.fit(x, **QUIET),
    "fit twice": lambda vae, x: vae.fit(x, x, **QUIET),
    "validation": lambda vae, x: vae.fit(X, validation_data=(x,), **QUIET),
    "validation twice": lambda vae, x: vae.fit(X, validation_data=(x, x), **QUIET),
    "evaluate": lambda vae, x: vae.evaluate(x, **QUIET),
    "train_on_batch": lambda vae, x: vae.train_on_batch(x),
    "test_on_batch": lambda vae, x: vae.test_on_batch(x),
    "train": lambda vae, x: training.train(vae, x, **SHORT),
    "held_out": lambda vae, x: training.train(vae, X, held_out=x, **SHORT),
    "targets": lambda vae, x: training.train(
        models.Autoencoder(*parts()), X, targets=x, **SHORT
    ),
    "elbo": metrics.elbo,
    "elbo_terms": metrics.elbo_terms,
    "bits": lambda vae, x: metrics.bits_per_dimension(compiled_gaussian(), x),
    **{name: door for kind in KINDS for name, door in doors(kind).items()},
}
LOOKED_AT = {
    "predict": lambda vae, x: vae.predict(x, **QUIET),
    "predict_on_batch": lambda vae, x: vae.predict_on_batch(x),
    "encode": lambda vae, x: vae.encode(x),
    "reconstruct": lambda vae, x: vae.reconstruct(x),
    "rate_per_latent": metrics.rate_per_latent,
    "active_units": metrics.active_units,
    "iwae_bound": lambda vae, x: metrics.iwae_bound(vae, x, 2),
}
PAIRS = {
    "x of mse": lambda vae, x: metrics.mse(x, X),
    "y of psnr": lambda vae, x: metrics.psnr(X, x),
    "quality": lambda vae, x: metrics.quality(np.tile(X, (1, 2, 2, 1)), x),
}


def parts():
    return (
        models.dense_encoder(SHAPE, 2, hidden=(4,)),
        models.dense_decoder(SHAPE, 2, hidden=(4,)),
    )


def compiled_gaussian():
    return models.build_vae(SHAPE, 2, likelihood="gaussian", hidden=(4,))


WRONG = {  # pictures, and what the error must name
    "255": (255 * X, "255 by"),
    "bytes": ((255 * X).astype("uint8"), "[0, 1]"),
    "nan": (np.where(X > 0.9, np.nan, X), "nan"),
    "infinite": (np.where(X > 0.9, np.inf, X), "inf"),
    "squeezed": (X[..., 0], "channel axis"),
    "channels first": (np.moveaxis(X, -1, 1), "(40, 1, 8, 8)"),
    "another size": (X[:, :7], "7, 8, 1)"),
    "colours": (np.repeat(X, 3, axis=-1), "8, 8, 3)"),
    "text": (X.astype(str), "real numbers"),
}
WRONG["255"] = (255 * X, "divide by 255")


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("door", COMPARED | LOOKED_AT | PAIRS)
def test_wrong_pictures_pass_no_door(vae, door, wrong):
    x, said = WRONG[wrong]
    before = vae.get_weights()
    if wrong in ("channels first", "squeezed") and door not in PAIRS:
        said = WRONG[wrong][1] if "dataset" not in door else "8"
    if door in PAIRS or "PyDataset" in door or "generator" in door:
        said = ""
    with pytest.raises(ValueError, match=re.escape(said)):
        (COMPARED | LOOKED_AT | PAIRS)[door](vae, x)
    if "on_batch" not in door:
        assert all(map(np.array_equal, before, vae.get_weights()))


@pytest.mark.parametrize("door", COMPARED)
def test_what_is_compared_lies_in_the_unit_interval(vae, door):
    """[-1, 1] is another convention, noise no picture."""
    with pytest.raises(ValueError, match=re.escape("[-1, 1]")):
        COMPARED[door](vae, np.where(X > 0.5, 1, -1).astype("float32"))
