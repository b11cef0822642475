"""helpers/layers.py: Sampling, KLDivergence and ResidualDense."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import families, layers, training


@pytest.fixture
def parameters():
    rng = np.random.default_rng(0)
    return [tf.constant(rng.normal(size=(6, 3)).astype("float32")) for _ in range(2)]


def kl_normal(parameters):
    mean, log_var = (p.numpy() for p in parameters)
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)


def test_sampling_draws_new_noise_at_every_call(parameters):
    layer = layers.Sampling("normal", seed=1)
    first, second = layer(parameters).numpy(), layer(parameters).numpy()
    assert first.shape == (6, 3)
    assert not np.array_equal(first, second)


def test_sampling_repeats_with_its_seed(parameters):
    first, again, other = (
        layers.Sampling("normal", seed)(parameters) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_sampling_follows_the_global_seed_without_its_own(parameters):
    draws = []
    for seed in (1, 1, 2):
        keras.utils.set_random_seed(seed)
        draws.append(layers.Sampling("normal")(parameters).numpy())
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


def test_sampling_uses_its_family():
    z = layers.Sampling("exponential", seed=0)([tf.zeros((100, 2))])
    assert float(tf.reduce_min(z)) >= 0


def test_sampling_is_rebuilt_from_its_configuration(parameters):
    layer = layers.Sampling("laplace", seed=3, name="z")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert isinstance(again.family, families.Laplace)
    assert (again.seed, again.name) == (3, "z")
    np.testing.assert_array_equal(again(parameters), layer(parameters))


@pytest.mark.parametrize("beta", [0, 0.5, 1.0, 4])
def test_the_kl_layer_adds_a_scalar(parameters, beta):
    layer = layers.KLDivergence("normal", beta=beta)
    returned = layer(parameters)
    assert all(a is b for a, b in zip(returned, parameters, strict=True))
    (loss,) = layer.losses
    rate = kl_normal(parameters).sum(axis=1).mean()
    assert tf.convert_to_tensor(loss).shape == ()
    assert float(loss) == pytest.approx(beta * rate, rel=1e-5)
    assert float(layer.rate.result()) == pytest.approx(rate, rel=1e-5)
    assert layer.rate.name == "rate"


def test_the_kl_layer_hands_z_to_a_family_without_a_closed_form():
    class Shifted(families.Normal):
        name = "shifted"
        kl_divergence = families.Family.kl_divergence

    family, z = Shifted(), tf.constant([[0.3, -1.0]])
    parameters = [tf.constant([[0.5, 0.5]]), tf.constant([[0.0, -1.0]])]
    layer = layers.KLDivergence(family)
    layer(parameters, z)
    expected = tf.reduce_sum(family.log_posterior(z, parameters) - family.log_prior(z))
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)


def test_the_kl_layer_adds_one_value_a_code(parameters):
    """Where latents are not independent, the KL of a code is not a sum over them."""
    layer = layers.KLDivergence("power_spherical")
    layer(parameters[:1])
    length = np.sum(parameters[0].numpy() ** 2, axis=1)  # the concentration, k
    rate = np.log1p(length) - length / (1 + length)  # on a sphere in three dimensions
    assert float(layer.losses[0]) == pytest.approx(rate.mean(), rel=1e-4)


def test_the_layers_share_the_weights_of_a_learned_prior(make_vae, pictures):
    vae = make_vae(family="mixture")
    assert vae.sampling.family is vae.kl_divergence.family is vae.family
    vae.compile("adam")
    rates = []
    for height in (0.0, 30.0):
        vae.family.means.assign(tf.fill(vae.family.means.shape, height))
        rates.append(vae.evaluate(pictures, verbose=0, return_dict=True)["rate"])
    assert rates[1] > rates[0] + 100


@pytest.mark.parametrize("beta", [-1, -1e-9, float("nan")])
def test_a_negative_beta_is_refused(beta):
    with pytest.raises(ValueError, match="beta must be at least 0"):
        layers.KLDivergence("normal", beta=beta)


@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_loss_is_distortion_plus_beta_rate(make_vae, pictures, beta):
    vae = make_vae(beta=beta)
    vae.compile(keras.optimizers.Adam(0.01))
    history = vae.fit(
        pictures[:32],
        validation_data=(pictures[32:],),
        epochs=2,
        batch_size=16,
        verbose=0,
    ).history
    assert {
        "loss",
        "rate",
        "distortion",
        "val_loss",
        "val_rate",
        "val_distortion",
    } == set(history)
    for prefix in ("", "val_"):
        loss, rate, distortion = (
            np.array(history[prefix + key]) for key in ("loss", "rate", "distortion")
        )
        assert (rate > 0).all()
        np.testing.assert_allclose(loss, distortion + beta * rate, rtol=1e-5)


def test_the_rate_is_the_same_whatever_beta(make_vae, pictures):
    rates = []
    for beta in (0.1, 5.0):
        vae = make_vae(beta=beta)
        vae.compile("adam")
        rates.append(vae.evaluate(pictures, verbose=0, return_dict=True)["rate"])
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)


def test_the_warm_up_rises_by_training_step_only(parameters):
    layer = layers.KLDivergence("normal", beta=training.warm_up(4))
    weights = []
    for _ in range(6):
        weights.append(float(layer.current_beta()))
        layer(parameters, training=True)
    np.testing.assert_allclose(weights, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    layer(parameters, training=False)
    layer(parameters)
    assert int(layer.step) == 6


def test_the_warm_up_runs_in_fit_and_validation_uses_the_weight_reached(
    make_vae, pictures
):
    vae = make_vae(beta=training.warm_up(8))
    vae.compile(keras.optimizers.Adam(1e-3))
    validation = pictures[:8]
    history = vae.fit(
        pictures[:32],
        validation_data=(validation,),
        epochs=3,
        batch_size=8,
        verbose=0,
    ).history
    assert int(vae.kl_divergence.step) == 12
    loss, rate, distortion = (
        np.array(history[f"val_{key}"]) for key in ("loss", "rate", "distortion")
    )
    np.testing.assert_allclose((loss - distortion) / rate, [0.5, 1, 1], atol=1e-3)
    training_weight = (history["loss"][2] - history["distortion"][2]) / history["rate"][
        2
    ]
    assert training_weight == pytest.approx(1, abs=1e-3)
    vae.evaluate(pictures, verbose=0)
    assert int(vae.kl_divergence.step) == 12


@pytest.mark.parametrize("beta", [0.5, "warm-up"])
def test_the_kl_layer_is_rebuilt_from_its_configuration(parameters, beta):
    given = training.warm_up(10, end=2.0) if beta == "warm-up" else beta
    layer = layers.KLDivergence("laplace", beta=given, name="kl")
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert isinstance(again.family, families.Laplace)
    assert again.name == "kl"
    for step in (0, 5, 20):
        layer.step.assign(step)
        again.step.assign(step)
        assert float(again.current_beta()) == float(layer.current_beta())


def test_a_residual_layer_adds_to_its_inputs():
    x = tf.constant([[1.0, -2.0]])
    layer = layers.ResidualDense(2, "relu", kernel_initializer="identity")
    np.testing.assert_array_equal(layer(x), [[2.0, -2.0]])
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert isinstance(again, layers.ResidualDense)
    assert again.activation is keras.activations.relu


@pytest.mark.parametrize("units", [1, 3])
def test_a_residual_layer_needs_as_many_units_as_inputs(units):
    with pytest.raises(ValueError, match=f"{units} units and 2 inputs"):
        layers.ResidualDense(units)(tf.zeros((4, 2)))
