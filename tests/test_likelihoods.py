"""helpers/likelihoods.py: negative log-likelihoods in nats, summed over pixels."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from helpers import likelihoods


@pytest.fixture
def x():
    return np.random.default_rng(0).random((5, 4, 3, 2)).astype("float32")


@pytest.fixture
def output():
    return np.random.default_rng(1).normal(size=(5, 4, 3, 2)).astype("float32") * 2


def nll(layer, x, output):
    return layer.negative_log_likelihood(tf.constant(x), tf.constant(output)).numpy()


def test_bernoulli_is_scipys_on_binary_pictures(x, output):
    binary = (x > 0.5).astype("float32")
    expected = -scipy.stats.bernoulli.logpmf(
        binary.astype(int), scipy.special.expit(output)
    )
    found = nll(likelihoods.Bernoulli(), binary, output)
    np.testing.assert_allclose(found, expected.sum(axis=(1, 2, 3)), rtol=1e-5)


def test_bernoulli_on_grey_pictures_is_the_cross_entropy(x, output):
    p = scipy.special.expit(output.astype("float64"))
    expected = -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(
        nll(likelihoods.Bernoulli(), x, output), expected, rtol=1e-5
    )


def test_bernoulli_of_saturated_logits_is_finite_and_right(x):
    binary = (x > 0.5).astype("float32")
    wrong = 1e4 * (1 - 2 * binary)
    np.testing.assert_allclose(
        nll(likelihoods.Bernoulli(), binary, wrong), 1e4 * 24, rtol=1e-6
    )
    np.testing.assert_allclose(
        nll(likelihoods.Bernoulli(), binary, -wrong), 0, atol=1e-6
    )


@pytest.mark.parametrize("sigma", [0.1, 1, 2.5])
def test_gaussian_is_scipys(x, output, sigma):
    mean = scipy.special.expit(output)
    expected = -scipy.stats.norm(mean, sigma).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(
        nll(likelihoods.Gaussian(sigma), x, output), expected, rtol=1e-4
    )


@pytest.mark.parametrize(
    "sigma", [None, 1e-4, 0.1, 1.0, 100.0, 1e4, "learned", "optimal"]
)
@pytest.mark.parametrize("pixels", [1.0, 1e4])
def test_extreme_logits_have_finite_values_and_gradients(sigma, pixels, x):
    """Of outputs of all sizes up to 10,000, and pixels that nobody should give."""
    layer = likelihoods.Bernoulli() if sigma is None else likelihoods.Gaussian(sigma)
    rng = np.random.default_rng(0)
    sizes = 10 ** rng.uniform(-3, 4, x.shape)
    sizes[0] = 1e4
    output = tf.constant(np.where(x > 0.5, sizes, -sizes).astype("float32"))
    given = [output, *layer.trainable_variables]
    with tf.GradientTape() as tape:
        tape.watch(output)
        value = layer.negative_log_likelihood(tf.constant(pixels * (2 * x - 1)), output)
    assert np.isfinite(value.numpy()).all()
    for gradient in tape.gradient(value, given):
        assert np.isfinite(gradient.numpy()).all()
    assert np.isfinite(layer.mean(output).numpy()).all()


@pytest.mark.parametrize("layer", [likelihoods.Bernoulli(), likelihoods.Gaussian(0.5)])
def test_a_call_adds_the_batch_mean_and_returns_the_mean_picture(layer, x, output):
    returned = layer(tf.constant(x), tf.constant(output))
    np.testing.assert_allclose(returned.numpy(), scipy.special.expit(output), rtol=1e-5)
    (loss,) = layer.losses
    assert loss.shape == ()
    assert float(loss) == pytest.approx(nll(layer, x, output).mean(), rel=1e-5)
    assert float(layer.distortion.result()) == pytest.approx(float(loss), rel=1e-5)
    assert layer.distortion.name == "distortion"


def test_optimal_sigma_moves_towards_the_error_in_training(x, output):
    layer = likelihoods.Gaussian("optimal")
    before = float(layer.log_sigma)
    optimum = np.log(np.sqrt(np.mean((x - scipy.special.expit(output)) ** 2)))
    layer(tf.constant(x), tf.constant(output), training=True)
    step = layer.momentum * before + (1 - layer.momentum) * optimum
    assert float(layer.log_sigma) == pytest.approx(step, rel=1e-5)
    for _ in range(1000):
        layer.follow_error(tf.constant(x), tf.constant(output))
    assert float(layer.log_sigma) == pytest.approx(optimum, rel=1e-3)
    assert layer.trainable_weights == []


def test_optimal_sigma_is_best(x, output):
    """At the optimum, the loss is D/2 (1 + ln(2 pi sigma^2)), and no other sigma is better."""
    rmse = float(np.sqrt(np.mean((x - scipy.special.expit(output)) ** 2)))
    losses = [
        nll(likelihoods.Gaussian(rmse * f), x, output).mean() for f in (0.9, 1.0, 1.1)
    ]
    assert losses[1] == min(losses)
    assert losses[1] == pytest.approx(12 * (1 + np.log(2 * np.pi * rmse**2)), rel=1e-4)


@pytest.mark.parametrize("sigma", ["optimal", "learned", 0.3])
def test_sigma_stands_still_outside_training(x, output, sigma):
    layer = likelihoods.Gaussian(sigma)
    before = float(layer.log_sigma)
    layer(tf.constant(x), tf.constant(output), training=False)
    layer(tf.constant(x), tf.constant(output))
    assert float(layer.log_sigma) == before


@pytest.mark.parametrize(
    ("sigma", "moves"), [("optimal", True), ("learned", True), (0.3, False)]
)
def test_sigma_in_fit_and_in_evaluate(make_vae, pictures, sigma, moves):
    vae = make_vae(likelihood=likelihoods.Gaussian(sigma))
    before = float(vae.likelihood.log_sigma)
    vae.compile(keras.optimizers.Adam(0.01))
    vae.evaluate(pictures, verbose=0)
    assert float(vae.likelihood.log_sigma) == before
    vae.fit(pictures, epochs=2, verbose=0)
    assert (float(vae.likelihood.log_sigma) != before) == moves


def test_only_a_learned_sigma_is_trainable():
    assert len(likelihoods.Gaussian("learned").trainable_weights) == 1
    assert likelihoods.Gaussian(0.2).trainable_weights == []
    assert float(likelihoods.Gaussian(0.2).log_sigma) == pytest.approx(np.log(0.2))


@pytest.mark.parametrize("sigma", [0, -1, float("nan"), float("inf"), "best", None])
def test_a_bad_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma must be"):
        likelihoods.Gaussian(sigma)


def test_likelihoods_by_name():
    assert isinstance(likelihoods.get_likelihood("bernoulli"), likelihoods.Bernoulli)
    gaussian = likelihoods.get_likelihood("gaussian")
    assert isinstance(gaussian, likelihoods.Gaussian)
    assert gaussian.sigma == "optimal"
    assert likelihoods.get_likelihood(gaussian) is gaussian
    with pytest.raises(ValueError, match=r"likelihood must be one of.*'poisson'"):
        likelihoods.get_likelihood("poisson")


@pytest.mark.parametrize("sigma", ["optimal", "learned", 0.3])
def test_a_gaussian_is_rebuilt_from_its_configuration(sigma):
    layer = likelihoods.Gaussian(sigma)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(layer)
    )
    assert isinstance(again, likelihoods.Gaussian)
    assert again.sigma == sigma
