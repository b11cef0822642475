"""helpers/likelihoods: negative log-likelihoods in nats, summed over pixels."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from helpers import likelihoods


@pytest.fixture(params=[(5, 4, 3, 2), (5, 24)], ids=["pictures", "flat"])
def x(request):
    return np.random.default_rng(0).random(request.param).astype("float32")


@pytest.fixture
def output(x):
    return np.random.default_rng(1).normal(size=x.shape).astype("float32") * 2


def nll(layer, x, output):
    return layer.negative_log_likelihood(tf.constant(x), tf.constant(output)).numpy()


def per_picture(values):
    return values.reshape(len(values), -1).sum(axis=1)


def test_bernoulli_on_grey_pictures_is_the_cross_entropy(x, output):
    p = scipy.special.expit(output.astype("float64"))
    expected = per_picture(-(x * np.log(p) + (1 - x) * np.log1p(-p)))
    found = nll(likelihoods.Bernoulli(), x, output)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_bernoulli_of_saturated_logits_is_finite_and_right(x):
    binary = (x > 0.5).astype("float32")
    wrong, layer = 1e4 * (1 - 2 * binary), likelihoods.Bernoulli()
    np.testing.assert_allclose(nll(layer, binary, wrong), 1e4 * 24, rtol=1e-6)
    np.testing.assert_allclose(nll(layer, binary, -wrong), 0, atol=1e-6)


@pytest.mark.parametrize("sigma", [0.1, 1, 2.5, np.float32(0.11), np.int64(2)])
def test_gaussian_is_scipys(x, output, sigma):
    normals = scipy.stats.norm(scipy.special.expit(output), sigma)
    found = nll(likelihoods.Gaussian(sigma), x, output)
    np.testing.assert_allclose(found, per_picture(-normals.logpdf(x)), rtol=1e-4)


@pytest.mark.parametrize(
    "sigma", [None, 1e-4, 0.1, 1.0, 100.0, 1e4, "learned", "optimal"]
)
@pytest.mark.parametrize("pixels", [1.0, 1e4])
def test_extreme_logits_have_finite_values_and_gradients(sigma, pixels, x):
    """Of outputs of all sizes up to 10,000, and pixels that nobody should give."""
    layer = likelihoods.Bernoulli() if sigma is None else likelihoods.Gaussian(sigma)
    sizes = 10 ** np.random.default_rng(0).uniform(-3, 4, x.shape)
    sizes[0] = 1e4
    output = tf.constant(np.where(x > 0.5, sizes, -sizes).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(output)
        value = layer.negative_log_likelihood(tf.constant(pixels * (2 * x - 1)), output)
    gradients = tape.gradient(value, [output, *layer.trainable_variables])
    for values in (value, layer.mean(output), *gradients):
        assert np.isfinite(values.numpy()).all()


@pytest.mark.parametrize("layer", [likelihoods.Bernoulli(), likelihoods.Gaussian(0.5)])
def test_a_call_adds_the_batch_mean_and_returns_the_mean_picture(layer, x, output):
    layer.distortion.reset_state()
    assert np.isnan(layer.distortion.result())  # of no picture
    returned = layer(tf.constant(x), tf.constant(output))
    np.testing.assert_allclose(returned.numpy(), scipy.special.expit(output), rtol=1e-5)
    (loss,) = layer.losses
    assert loss.shape == ()
    values = nll(layer, x, output)
    assert float(loss) == pytest.approx(values.mean(), rel=1e-5)
    layer(tf.constant(x[:2]), tf.constant(output[:2]))
    mean_per_picture = np.mean([*values, *values[:2]])
    assert float(layer.distortion.result()) == pytest.approx(mean_per_picture, rel=1e-5)
    assert layer.distortion.name == "distortion"


@pytest.mark.parametrize("order", [1, -1])
def test_a_short_last_batch_weighs_no_more_than_its_pictures(make_vae, order):
    """Pixels are white with probability 3/4: ln 4 nats if black, ln 4/3 if white."""
    vae = make_vae((28, 28, 1))
    for weight in vae.weights:
        weight.assign(keras.ops.zeros_like(weight))
    vae.decoder.get_layer("pixels").bias.assign(np.full(784, np.log(3)))
    x = np.repeat([0.0, 1.0], [1000, 500]).astype("float32")[::order]
    x = np.broadcast_to(x[:, np.newaxis, np.newaxis, np.newaxis], (1500, 28, 28, 1))
    vae.compile("adam")
    found = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    expected = 784 * (np.log(4) * 2 / 3 + np.log(4 / 3) / 3)
    assert expected == pytest.approx(799.7508, abs=5e-5)
    assert found == pytest.approx(
        {"loss": expected, "distortion": expected, "rate": 0}, rel=1e-6
    )


@pytest.mark.slow
def test_optimal_sigma_moves_towards_the_error_in_training(x, output):
    layer = likelihoods.Gaussian("optimal")
    before = float(layer.log_sigma)
    optimum = np.log(np.sqrt(np.mean((x - scipy.special.expit(output)) ** 2)))
    layer(tf.constant(x), tf.constant(output), training=True)
    step = layer.momentum * before + (1 - layer.momentum) * optimum
    assert float(layer.log_sigma) == pytest.approx(step, rel=1e-5)
    layer.momentum = 0.9  # to be there soon
    for _ in range(100):
        layer.follow_error(tf.constant(x), tf.constant(output))
    assert float(layer.log_sigma) == pytest.approx(optimum, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sigma", "moves", "trained"),
    [("optimal", True, 0), ("learned", True, 1), (0.3, False, 0)],
)
def test_sigma_moves_in_training_only(make_vae, pictures, sigma, moves, trained):
    vae = make_vae(likelihood=likelihoods.Gaussian(sigma))
    start = np.log(sigma) if sigma == 0.3 else np.log(0.25)
    assert len(vae.likelihood.trainable_weights) == trained
    vae.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    vae(pictures)
    vae.evaluate(pictures, verbose=0)
    assert float(vae.likelihood.log_sigma) == pytest.approx(start, rel=1e-6)
    vae.fit(pictures, verbose=0)
    moved = float(vae.likelihood.log_sigma) != pytest.approx(start, rel=1e-6)
    assert moved == moves


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf"), "best", None])
def test_a_bad_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match=str(sigma)):
        likelihoods.Gaussian(sigma)


def test_likelihoods_by_name():
    assert isinstance(likelihoods.get_likelihood("bernoulli"), likelihoods.Bernoulli)
    gaussian = likelihoods.get_likelihood("gaussian")
    assert gaussian.sigma == "optimal"
    assert likelihoods.get_likelihood(gaussian) is gaussian
    with pytest.raises(ValueError, match="'cauchy'"):
        likelihoods.get_likelihood("cauchy")


@pytest.mark.parametrize("sigma", ["optimal", "learned", 0.3, np.float32(0.3)])
def test_a_gaussian_is_rebuilt_from_its_configuration(sigma):
    config = keras.saving.serialize_keras_object(likelihoods.Gaussian(sigma))
    again = keras.saving.deserialize_keras_object(config)
    assert isinstance(again, likelihoods.Gaussian)
    assert again.sigma == sigma
