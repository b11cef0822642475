"""Faults of VAEs and of their data, to plant in a sound case, by name.

Each returns a model, training rows and held-out rows, or None where it makes no sense.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from helpers.engine.studies import cases
from helpers.engine.studies.cases import SETTINGS, Case, built, fitted

Planted = tuple[Any, np.ndarray, np.ndarray]
FAULTS: dict[str, tuple[tuple[str, ...], Callable[[Case], Planted | None]]] = {}


def fault(*expected: str) -> Callable:
    """Return what makes a fault of a function: any of these names will do for it."""

    def register(plant):
        FAULTS[plant.__name__] = expected, plant
        return plant

    return register


@fault()
def sound(case):
    return case.sound, case.x, case.new


@fault()
def sound_laplace(case):
    return fitted(case, built(case, "laplace")), case.x, case.new


@fault()
def sound_decay(case):
    vae = fitted(case, built(case), rate=2e-3, decay=0.1)
    return vae, case.x, case.new


@fault("nan")
def missing_values(case):
    new = case.new.copy()
    new[3] = math.nan
    return case.sound, case.x, new


@fault("range")
def bytes_for_shares(case):
    return (case.sound, 255 * case.x, 255 * case.new) if case.pictures else None


@fault("range")
def minus_one_to_one(case):
    return (case.sound, 2 * case.x - 1, 2 * case.new - 1) if case.pictures else None


@fault("range")
def raw_units(case):
    parts = (1e5 * part for part in (case.x, case.new))
    return None if case.pictures else (case.sound, *parts)


@fault("type")
def words(case):
    return case.sound, case.x.astype(str), case.new


@fault("shape")
def a_missing_axis(case):
    return case.sound, case.x[..., 0], case.new[..., 0]


@fault("parts")
def half_the_light(case):
    return case.sound, case.x, case.new / 2


@fault("parts")
def split_in_order(case):
    x = np.concatenate([case.x, case.new])[np.argsort(case.order, kind="stable")]
    cut = int(0.7 * len(x))
    case = replace(case, x=x[:cut], new=x[cut:])
    return fitted(case, built(case)), case.x, case.new


@fault("leak")
def copies_in_both(case):
    new = case.new.copy()
    new[: len(new) * 3 // 10] = case.x[: len(new) * 3 // 10]
    return case.sound, case.x, new


@fault("leak")
def near_copies_in_both(case):
    _, x, new = copies_in_both(case)
    rng = np.random.default_rng(case.seed)
    noisy = new + 0.02 * x.std() * rng.normal(size=new.shape)
    noisy = np.clip(noisy, 0, 1) if case.pictures else noisy
    return case.sound, x, noisy.astype("float32")


@fault("columns")
def one_large_column(case):
    if case.x.ndim != 2:
        return None
    units = np.ones(case.x.shape[1], "float32")
    units[0] = 60
    case = replace(case, x=case.x * units, new=case.new * units)
    return fitted(case, built(case)), case.x, case.new


def changed(case: Case, **options: Any) -> Planted:
    """Return a model built otherwise, and trained as usual."""
    return fitted(case, built(case, **options)), case.x, case.new


@fault("distortion")
def mean_over_values(case):
    from helpers.engine.studies.planted import MeanBernoulli, MeanGaussian

    coins = case.coins
    likelihood = MeanBernoulli() if coins else MeanGaussian("optimal", case.pictures)
    return changed(case, likelihood=likelihood)


@fault("kl")
def mean_over_latents(case):
    from helpers.engine.studies.planted import MeanOfLatents

    return changed(case, family=MeanOfLatents())


@fault("kl")
def wrong_sign(case):
    from helpers.engine.studies.planted import WrongSign

    return changed(case, family=WrongSign())


@fault("sampling")
def variance_for_deviation(case):
    from helpers.engine.studies.planted import VarianceForDeviation

    return changed(case, family=VarianceForDeviation())


@fault("sampling")
def no_noise(case):
    from helpers.engine.studies.planted import NoNoise

    return changed(case, family=NoNoise())


def squashed(case: Case, function: str) -> Planted | None:
    """Return a model whose decoder bounds its outputs, unseen by the checks."""
    import keras

    from helpers import models
    from helpers.engine.studies.planted import Squash

    if not case.pictures:
        return None
    vae = built(case)
    outputs = Squash(function)(vae.decoder.outputs[0])
    decoder = keras.Model(vae.decoder.inputs[0], outputs)
    vae = models.VAE(vae.encoder, decoder, vae.family, vae.likelihood)
    return fitted(case, vae), case.x, case.new


@fault("squashed")
def sigmoid_twice(case):
    return squashed(case, "sigmoid")


@fault("squashed")
def tanh_before_the_sigmoid(case):
    return squashed(case, "tanh")


@fault("sigma", "collapse")
def sigma_of_one(case):
    from helpers.likelihoods import Gaussian

    if case.coins or case.x.ndim == 2:  # what a table leaves over is as large as 1
        return None
    return changed(case, likelihood=Gaussian(1.0, case.pictures))


@fault("collapse", "beta")
def beta_of_a_hundred(case):
    return changed(case, beta=100.0)


@fault("beta", "prior")
def beta_of_a_hundredth(case):
    return changed(case, beta=0.01)


@fault("beta", "prior")
def a_warm_up_that_never_ends(case):
    from helpers import training

    steps = round(cases.SCALE * SETTINGS[case.data][2])
    return changed(case, beta=training.warm_up(30 * steps))


@fault("overfitting")
def few_rows_by_heart(case):
    few = case.x[: max(40, len(case.x) // 20)]
    vae = built(case, hidden=(256, 256))
    fitted(case, vae, few, 2 * SETTINGS[case.data][2], stop=False)
    return vae, few, case.new


@fault("underfitting", "constant")
def a_dozen_steps(case):
    vae = fitted(case, built(case), steps=12 / cases.SCALE, stop=False)
    return vae, case.x, case.new


@fault("underfitting", "constant")
def a_tiny_learning_rate(case):
    return fitted(case, built(case), rate=3e-6, stop=False), case.x, case.new


@fault("collapse")
def a_dead_decoder(case):
    import keras

    from helpers import models

    vae, size = built(case), case.x[0].size
    codes = keras.Input((vae.latent_size,))
    dead = keras.initializers.Constant(-100.0)
    features = keras.layers.Dense(64, "relu", bias_initializer=dead)(codes)
    outputs = keras.layers.Dense(size)(features)
    outputs = keras.layers.Reshape(case.x.shape[1:])(outputs)
    decoder = keras.Model(codes, outputs)
    vae = models.VAE(vae.encoder, decoder, vae.family, vae.likelihood)
    return fitted(case, vae), case.x, case.new


@fault("variety", "constant")
def a_decoder_that_was_not_loaded(case):
    vae = built(replace(case, seed=case.seed + 100))
    vae.encoder.set_weights(case.sound.encoder.get_weights())
    return vae, case.x, case.new


@fault("slack", "constant")
def an_encoder_of_another_run(case):
    other = fitted(case, built(replace(case, seed=case.seed + 100)))
    vae = built(case)
    vae.set_weights(case.sound.get_weights())
    vae.encoder.set_weights(other.encoder.get_weights())
    return vae, case.x, case.new


@fault("slack")
def blurred_posteriors(case):
    vae = built(case)
    vae.set_weights(case.sound.get_weights())
    head = vae.encoder.get_layer("z_log_var")
    head.bias.assign(head.bias + 1.5)
    return vae, case.x, case.new


@fault("prior")
def means_that_can_not_be_negative(case):
    import keras

    from helpers import models
    from helpers.engine.studies.planted import Positive

    vae = built(case)
    mean, log_var = vae.encoder.outputs
    encoder = keras.Model(vae.encoder.inputs[0], [Positive()(mean), log_var])
    vae = models.VAE(encoder, vae.decoder, vae.family, vae.likelihood)
    return fitted(case, vae), case.x, case.new


@fault("weights")
def weights_of_nan(case):
    vae = built(case)
    head = vae.encoder.get_layer("z_mean")
    head.kernel.assign(math.nan * head.kernel)
    return vae, case.x, case.new
