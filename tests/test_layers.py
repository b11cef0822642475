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


def rebuilt(layer):
    """What Keras makes of a layer that it has saved."""
    config = keras.saving.serialize_keras_object(layer)
    return keras.saving.deserialize_keras_object(config)


@pytest.mark.parametrize("seed", [7, None])
def test_sampling_repeats_with_its_seed_or_the_global_one(parameters, seed):
    draws = []
    for shift in (0, 0, 1):
        keras.utils.set_random_seed(1 + shift)
        layer = layers.Sampling("normal", seed and seed + shift)
        draws.append([layer(parameters).numpy() for _ in range(2)])
    np.testing.assert_array_equal(draws[0], draws[1])
    assert len(np.unique(np.stack(draws[1:]))) == 2 * 2 * 6 * 3  # new at every call


def test_sampling_uses_its_family():
    z = layers.Sampling("exponential", seed=0)([tf.zeros((100, 2))])
    assert float(tf.reduce_min(z)) >= 0


def test_sampling_is_rebuilt_from_its_configuration(parameters):
    layer = layers.Sampling("laplace", seed=3, name="z")
    again = rebuilt(layer)
    assert isinstance(again.family, families.Laplace)
    assert (again.seed, again.name, again.compute_dtype) == (3, "z", "float32")
    np.testing.assert_array_equal(again(parameters), layer(parameters))


@pytest.mark.parametrize("beta", [0, 0.5, 4, np.float32(0.25), np.int64(2)])
def test_the_kl_layer_adds_a_scalar(parameters, beta):
    layer = layers.KLDivergence("normal", beta=beta)
    returned = layer(parameters)
    assert all(a is b for a, b in zip(returned, parameters, strict=True))
    (loss,) = layer.losses
    mean, log_var = (p.numpy() for p in parameters)
    rate = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1).mean()
    assert tf.convert_to_tensor(loss).shape == ()
    assert float(loss) == pytest.approx(beta * rate, rel=1e-5)
    assert float(layer.rate.result()) == pytest.approx(rate, rel=1e-5)
    assert layer.rate.name == "rate"
    assert rebuilt(layer).beta == layer.beta == beta


@pytest.mark.parametrize(
    "beta",
    [-1, -1e-9, float("nan"), float("inf"), "1", None, np.ones(2), keras.Variable(1.0)],
)
def test_what_is_no_weight_of_the_kl_is_refused(beta):
    """A variable would be trained, to 0."""
    with pytest.raises(ValueError, match="beta"):
        layers.KLDivergence("normal", beta=beta)


def test_the_kl_layer_hands_z_to_a_family_without_a_closed_form():
    family, z = families.Logistic(), tf.constant([[0.3, -1.0]])
    parameters = [tf.constant([[0.5, 0.5]]), tf.constant([[0.0, -1.0]])]
    layer = layers.KLDivergence(family)
    layer(parameters, z)
    expected = tf.reduce_sum(family.log_posterior(z, parameters) - family.log_prior(z))
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)


def test_the_kl_layer_adds_one_value_per_code(parameters):
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


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.0, 0.3])
def test_the_loss_is_distortion_plus_beta_rate(make_vae, pictures, beta):
    """Also where the last batch is short, in training and in validation."""
    vae = make_vae(beta=beta)
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=beta == 0)
    history = vae.fit(
        pictures[:30],
        validation_data=(pictures,),
        epochs=2,
        batch_size=16,
        verbose=0,
    ).history
    figures = ("loss", "rate", "distortion")
    assert set(history) == {*figures, *(f"val_{key}" for key in figures)}
    for prefix in ("", "val_"):
        loss, rate, distortion = (np.array(history[prefix + key]) for key in figures)
        assert (rate > 0).all()
        np.testing.assert_allclose(loss, distortion + beta * rate, rtol=1e-5)


def test_the_warm_up_rises_by_training_step_only(parameters):
    layer = layers.KLDivergence("laplace", training.warm_up(4), name="kl")
    again, weights = rebuilt(layer), []
    assert (type(again.family), again.name) == (families.Laplace, "kl")
    for _ in range(6):
        weights.append(float(layer.current_beta()))
        assert float(again.current_beta()) == weights[-1]
        for each in (layer, again):
            each(parameters, training=True)
    np.testing.assert_allclose(weights, [0, 0.25, 0.5, 0.75, 1, 1], atol=1e-6)
    layer(parameters, training=False)
    layer(parameters)
    assert int(layer.step) == 6


@pytest.mark.slow
def test_the_warm_up_runs_in_fit_and_validation_uses_the_weight_reached(
    make_vae, pictures
):
    vae = make_vae(beta=training.warm_up(8))
    vae.compile(keras.optimizers.Adam(1e-3))
    history = vae.fit(
        pictures[:32],
        validation_data=(pictures[:8],),
        epochs=3,
        batch_size=8,
        verbose=0,
    ).history
    assert int(vae.kl_divergence.step) == 12
    for prefix, expected in (("", [1]), ("val_", [0.5, 1, 1])):
        loss, rate, distortion = (
            np.array(history[prefix + key]) for key in ("loss", "rate", "distortion")
        )
        weights = (loss - distortion)[-len(expected) :] / rate[-len(expected) :]
        np.testing.assert_allclose(weights, expected, atol=1e-3)
    vae.evaluate(pictures, verbose=0)
    assert int(vae.kl_divergence.step) == 12


def test_a_residual_layer_adds_to_its_inputs():
    x = tf.constant([[1.0, -2.0]])
    layer = layers.ResidualDense(2, "relu", kernel_initializer="identity")
    np.testing.assert_array_equal(layer(x), [[2.0, -2.0]])
    again = rebuilt(layer)
    assert isinstance(again, layers.ResidualDense)
    assert again.activation is keras.activations.relu


@pytest.mark.parametrize("units", [1, 3])
def test_a_residual_layer_needs_as_many_units_as_inputs(units):
    with pytest.raises(ValueError, match=rf"{units}\b.*\b2\b"):
        layers.ResidualDense(units)(tf.zeros((4, 2)))
