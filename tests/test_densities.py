"""helpers/likelihoods: densities against SciPy's, and what an ideal bias reaches."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats
import tensorflow as tf

from helpers import likelihoods

CLASSES, SIGMA, SCALE, R = 3, 0.7, 0.05, 2.5
STEP = 1 / 255
GREYS = np.arange(256) / 255


def with_weight(layer, name, value):
    getattr(layer, name).assign(np.log(value))
    return layer


LAYERS = {
    "bernoulli": likelihoods.Bernoulli,
    "continuous_bernoulli": likelihoods.ContinuousBernoulli,
    "gaussian": lambda: with_weight(
        likelihoods.Gaussian("learned", bounded=False), "log_sigma", SIGMA
    ),
    "discretised_logistic": lambda: with_weight(
        likelihoods.DiscretisedLogistic(), "log_scale", SCALE
    ),
    "poisson": likelihoods.Poisson,
    "negative_binomial": lambda: with_weight(
        likelihoods.NegativeBinomial(), "log_r", R
    ),
    "categorical": lambda: likelihoods.Categorical(CLASSES),
}
DRAWS = {  # x (n, ..., CLASSES) that each of them takes
    "bernoulli": lambda rng, shape: rng.integers(2, size=shape),
    "continuous_bernoulli": lambda rng, shape: rng.random(shape),
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "discretised_logistic": lambda rng, shape: rng.choice(GREYS, shape),
    "poisson": lambda rng, shape: rng.poisson(30 * rng.random(shape)),
    "negative_binomial": lambda rng, shape: rng.poisson(30 * rng.random(shape)),
    "categorical": lambda rng, shape: np.eye(CLASSES)[
        rng.integers(CLASSES, size=shape[:-1])
    ],
}


def tilted(output):
    """SciPy's density exp(o x) on [0, 1] for o < 0."""
    return scipy.stats.truncexpon(np.abs(output), scale=1 / np.abs(output))


def log_of_greys(x, output):
    below = scipy.stats.logistic(output, SCALE).cdf
    high = np.where(x < 1, below(x + STEP / 2), 1)
    return np.log(high - np.where(x > 0, below(x - STEP / 2), 0))


def negative_binomial(output):
    return scipy.stats.nbinom(R, R / (R + np.exp(output)))


SCIPY = {  # ln of the density, one value for each of x, or for each class
    "bernoulli": lambda x, o: scipy.stats.bernoulli(scipy.special.expit(o)).logpmf(x),
    "continuous_bernoulli": lambda x, o: tilted(o).logpdf(np.where(o < 0, x, 1 - x)),
    "gaussian": lambda x, o: scipy.stats.norm(o, SIGMA).logpdf(x),
    "discretised_logistic": log_of_greys,
    "poisson": lambda x, o: scipy.stats.poisson(np.exp(o)).logpmf(x),
    "negative_binomial": lambda x, o: negative_binomial(o).logpmf(x),
    "categorical": lambda x, o: scipy.stats.multinomial(
        1, scipy.special.softmax(o, axis=-1)
    ).logpmf(x),
}
MEANS = {
    "bernoulli": scipy.special.expit,
    "continuous_bernoulli": lambda o: np.where(
        o < 0, tilted(o).mean(), 1 - tilted(o).mean()
    ),
    "gaussian": lambda o: o,
    "discretised_logistic": lambda o: sum(
        grey * np.exp(log_of_greys(grey, o)) for grey in GREYS
    ),
    "poisson": np.exp,
    "negative_binomial": lambda o: negative_binomial(o).mean(),
    "categorical": lambda o: scipy.special.softmax(o, axis=-1),
}
NAMES = list(LAYERS)


def nll(layer, x, output):
    return layer.negative_log_likelihood(
        tf.constant(x, "float32"), tf.constant(output, "float32")
    )


def outputs(name, shape):
    """Random outputs; of greys locations in and around [0, 1]."""
    rng = np.random.default_rng(1)
    if name == "discretised_logistic":
        return rng.uniform(-0.2, 1.2, shape)
    return rng.normal(size=shape) * 2


@pytest.mark.parametrize("shape", [(6, CLASSES), (5, 4, CLASSES), (2, 3, 2, CLASSES)])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_scipys_summed_over_all_axes_but_the_first(name, shape):
    layer, output = LAYERS[name](), outputs(name, shape)
    x = layer.checked(DRAWS[name](np.random.default_rng(0), shape), shape[1:])
    assert x.dtype == "float32"
    expected = SCIPY[name](x if name != "categorical" else x.astype(int), output)
    expected = -expected.reshape(len(x), -1).sum(axis=1)
    np.testing.assert_allclose(nll(layer, x, output), expected, rtol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_is_scipys(name):
    output = outputs(name, (40, CLASSES))
    found = LAYERS[name]().mean(tf.constant(output, "float32"))
    near = {"atol": STEP / 2} if name == "discretised_logistic" else {"atol": 2e-5}
    np.testing.assert_allclose(found, MEANS[name](output), rtol=1e-4, **near)


def test_a_continuous_bernoulli_is_smooth_where_its_formula_is_0_by_0():
    output = np.linspace(-0.05, 0.05, 200)[:, np.newaxis]
    layer, x = LAYERS["continuous_bernoulli"](), np.full((200, 1), 0.3)
    expected = -SCIPY["continuous_bernoulli"](x, output)[:, 0]
    np.testing.assert_allclose(nll(layer, x, output), expected, atol=1e-6)
    middle = layer.mean(tf.zeros((1, 1)))
    np.testing.assert_allclose(middle, 0.5)


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 0.02, 0.3, 10.0])
def test_256_greys_have_probabilities_that_sum_to_1(scale):
    layer = with_weight(likelihoods.DiscretisedLogistic(), "log_scale", scale)
    for location in (-3.0, 0.0, 0.2513, 0.5, 1.0, 1.7):
        nats = nll(layer, GREYS[:, np.newaxis], np.full((256, 1), location)).numpy()
        assert np.isfinite(nats).all()
        assert np.exp(-nats.astype("float64")).sum() == pytest.approx(1, abs=2e-4)


NODES, PARTS = np.polynomial.legendre.leggauss(200)
UNIT = (NODES + 1) / 2
P = np.array([0.5, 0.3, 0.2])
GREY_SHARES = np.exp(log_of_greys(GREYS, 0.9))
TRUTHS = {  # all x there can be, the share of each, and the entropy in nats
    "bernoulli": ([0, 1], [0.7, 0.3], scipy.stats.bernoulli(0.3).entropy()),
    "continuous_bernoulli": (
        UNIT,
        PARTS / 2 * tilted(-3.0).pdf(UNIT),
        tilted(-3.0).entropy(),
    ),
    "gaussian": (
        8 * NODES,
        8 * PARTS * scipy.stats.norm(1.5, 0.6).pdf(8 * NODES),
        scipy.stats.norm(1.5, 0.6).entropy(),
    ),
    "discretised_logistic": (GREYS, GREY_SHARES, scipy.stats.entropy(GREY_SHARES)),
    "poisson": (
        np.arange(80),
        scipy.stats.poisson(20).pmf(np.arange(80)),
        scipy.stats.poisson(20).entropy(),
    ),
    "negative_binomial": (
        np.arange(400),
        scipy.stats.nbinom(5, 0.2).pmf(np.arange(400)),
        scipy.stats.nbinom(5, 0.2).entropy(),
    ),
    "categorical": (np.eye(CLASSES), P, scipy.stats.entropy(P)),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_fitted_bias_reaches_the_entropy(name):
    """Of data whose shares are known exactly; the layer's own weight is fitted too."""
    x, shares, entropy = TRUTHS[name]
    x, layer = np.reshape(x, (len(x), -1)).astype("float32"), LAYERS[name]()
    bias = tf.Variable(np.zeros(x.shape[1], "float32"))
    weights = [v.value for v in layer.trainable_variables]

    @tf.function
    def traced():
        with tf.GradientTape() as tape:
            output = tf.broadcast_to(bias, x.shape)
            nats = layer.negative_log_likelihood(tf.constant(x), output)
            loss = tf.reduce_sum(nats * tf.constant(shares, "float32"))
        slopes = tape.gradient(loss, [bias, *weights])
        return loss, tf.concat([tf.reshape(s, [-1]) for s in slopes], 0)

    def loss_and_slope(values):
        bias.assign(values[: x.shape[1]])
        for weight, value in zip(weights, values[x.shape[1] :], strict=True):
            weight.assign(value)
        loss, slope = traced()
        return float(loss), slope.numpy().astype("float64")

    start = np.concatenate([np.zeros(x.shape[1]), *[[float(w)] for w in weights]])
    found = scipy.optimize.minimize(loss_and_slope, start, jac=True, method="BFGS")
    assert found.fun == pytest.approx(entropy, abs=5e-4)
    mean = layer.mean(tf.constant(found.x[np.newaxis, : x.shape[1]], "float32"))
    expected = np.average(x, axis=0, weights=shares)
    np.testing.assert_allclose(mean[0], expected, rtol=5e-3)


@pytest.mark.parametrize("name", NAMES)
def test_extreme_outputs_have_finite_values_and_gradients(name):
    rng, layer = np.random.default_rng(0), LAYERS[name]()
    x = DRAWS[name](rng, (50, 4, CLASSES)).astype("float32")
    x = 1e4 * x if layer.span.what == "counts" else x
    sizes = 10 ** rng.uniform(-3, 4, x.shape) * rng.choice([-1, 1], x.shape)
    output = tf.constant(sizes, "float32")
    with tf.GradientTape() as tape:
        tape.watch(output)
        value = layer.negative_log_likelihood(tf.constant(x), output)
    gradients = tape.gradient(value, [output, *layer.trainable_variables])
    for values in (value, layer.mean(output), *gradients):
        assert np.isfinite(np.asarray(values)).all()
