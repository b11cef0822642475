"""The ladder's estimator, flow, priors and gradients against known answers."""

import math

import keras
import numpy as np
import pytest
import scipy.stats
from keras import ops

from helpers import families, likelihoods
from helpers.engine import stateless
from helpers.engine.studies import (
    ladder,
    ladder_models,
    ladder_networks,
    ladder_priors,
)

pytestmark = pytest.mark.slow
SIGMA = 0.5


def principal_components(d=3, pixels=8, wide=1.2):
    """A model whose ln p(x) is known, 200 draws of it, and their ln p(x).

    Its q(z|x) has the exact posterior's mean, and variances that are too large.
    """
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(d, pixels)).astype("float32")
    precision = np.eye(d) + kernel @ kernel.T / SIGMA**2
    to_mean = np.linalg.solve(precision, kernel / SIGMA**2).T.astype("float32")
    log_var = np.log(wide / np.diag(precision)).astype("float32")
    to_mean, log_var, kernel = map(keras.Variable, (to_mean, log_var, kernel))
    model = ladder_models.Model(
        lambda x: [ops.matmul(x, to_mean), log_var + 0 * ops.matmul(x, to_mean)],
        lambda z: ops.matmul(z, kernel),
        ladder_priors.standard_normal,
        likelihoods.Gaussian(SIGMA, bounded=False).negative_log_likelihood,
        [to_mean, log_var, kernel],
    )
    decoding = ops.convert_to_numpy(kernel)
    covariance = decoding.T @ decoding + SIGMA**2 * np.eye(pixels)
    density = scipy.stats.multivariate_normal(np.zeros(pixels), covariance)
    x = density.rvs(200, random_state=1).astype("float32")
    return model, x, density.logpdf(x)


def test_the_likelihood_is_that_of_probabilistic_pca_to_a_hundredth_of_a_nat(no_xla):
    model, x, known = principal_components()
    elbo, likelihood = ladder_models.Bounds(model).likelihood(x, 5000)
    assert likelihood.mean() == pytest.approx(known.mean(), abs=0.01)
    np.testing.assert_allclose(likelihood, known, atol=0.2)
    gap = (known - elbo).mean()
    assert gap > 0.05
    one = ladder_models.Bounds(model).elbo(np.tile(x, (10, 1)))
    assert one.mean() == pytest.approx(elbo.mean(), abs=0.1)


@pytest.mark.parametrize("d", [2, 5])
def test_a_flow_is_inverted_and_its_slope_is_that_of_autodiff(d):
    keras.utils.set_random_seed(0)
    flow = ladder_priors.RealNVP(d, layers=5, width=8)
    z = np.random.default_rng(0).normal(size=(20, d)).astype("float32")
    begin = ops.convert_to_numpy(flow.forward(z)[0])
    np.testing.assert_allclose(begin.std(), z.std(), rtol=1e-4)
    shake(flow.trainable_variables, 0.2)
    u, log_slope = map(ops.convert_to_numpy, flow.forward(z))
    jacobian = np.stack(
        [slopes(lambda z: flow.forward(z)[0], z, i) for i in range(d)], 1
    )
    np.testing.assert_allclose(
        log_slope, np.linalg.slogdet(jacobian)[1], atol=1e-4, rtol=1e-4
    )
    assert np.abs(u - z).max() > 0.5 and log_slope.std() > 0.05
    np.testing.assert_allclose(flow.inverse(u), z, atol=1e-5)
    expected = scipy.stats.norm.logpdf(u).sum(axis=1) + log_slope
    np.testing.assert_allclose(flow.log_density(z), expected, rtol=1e-4)


def shake(weights, deviation):
    """Add noise to weights, the same on every backend."""
    rng = np.random.default_rng(0)
    for weight in weights:
        weight.assign(weight + deviation * rng.normal(size=weight.shape))


def slopes(function, z, column):
    """Return the gradient by z, (n, d), of one column of what a function returns."""
    return stateless.gradient_at(
        lambda z: function(z)[:, column], ops.convert_to_tensor(z)
    )[1]


def test_a_second_layer_averages_to_the_known_density_of_its_codes():
    keras.utils.set_random_seed(0)
    layer = ladder_priors.SecondLayer(3, inner=2, width=4)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(2, 3)).astype("float32")
    low = np.full(3, -1.0, "float32")
    wide = np.float32(0.3)
    precision = np.eye(2) + kernel @ kernel.T * np.exp(1)
    to_mean = np.linalg.solve(precision, kernel * np.exp(1)).T.astype("float32")

    def normal_around(kernel, log_var):
        def moments(codes):
            mean = ops.matmul(codes, kernel)
            return ops.concatenate([mean, log_var + 0 * mean], axis=1)

        return moments

    layer.below, layer.above = normal_around(kernel, low), normal_around(to_mean, wide)
    z = rng.normal(size=(40, 3)).astype("float32")
    many = layer.log_density(np.tile(z, (4000, 1)), stateless.seeds_of(0, 0))
    draws = ops.convert_to_numpy(many).reshape(4000, 40)
    covariance = kernel.T @ kernel + np.exp(-1) * np.eye(3)
    known = scipy.stats.multivariate_normal(np.zeros(3), covariance).logpdf(z)
    mean = np.logaddexp.reduce(draws, axis=0) - math.log(len(draws))
    np.testing.assert_allclose(mean, known, atol=0.1)
    assert mean.mean() == pytest.approx(known.mean(), abs=0.02)
    assert (np.mean(draws, axis=0) < known - 0.05).all()  # each is a bound


def test_a_mixture_is_the_families_own():
    encoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    family = families.MixturePriorFamily(6)
    family.connect(encoder)
    for weight in family.trainable_variables:
        weight.assign(weight + keras.random.normal(weight.shape, seed=1))
    z = 2 * np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    ours = ladder_priors.mixture(z, *family.mixture())
    np.testing.assert_allclose(ours, family.log_prior(z)[:, 0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("samples", [1, 4])
def test_both_gradients_agree_in_the_mean_and_one_has_less_noise(samples, no_xla):
    model, x, _ = principal_components(wide=1.0)

    def draws(gradients):
        compute = stateless.compiled(
            lambda seeds: gradients(model, x, seeds, samples), model.weights
        )
        each = [compute(stateless.seeds_of(0, i)) for i in range(100)]
        flat = [np.concatenate([np.ravel(part) for part in one]) for one in each]
        return np.array(flat)

    plain = draws(ladder_models.bound_gradients)
    doubly = draws(ladder_models.doubly_gradients)
    error = np.sqrt((plain.var(axis=0) + doubly.var(axis=0)) / len(plain))
    apart = (plain.mean(axis=0) - doubly.mean(axis=0)) / error
    assert np.abs(apart).max() < 4.5
    to_encoder = slice(0, math.prod(model.weights[0].shape) + 3)
    noise = [each[:, to_encoder].var(axis=0).mean() for each in (plain, doubly)]
    assert noise[1] < noise[0]


def test_the_encoders_gradient_has_no_noise_where_q_is_exact():
    model, x, _ = principal_components(d=1, wide=1.0)
    found = ladder_models.doubly_gradients(model, x, stateless.seeds_of(0, 0), 1)
    largest = [np.abs(each).max() for each in found]
    assert largest[0] < 1e-4 and largest[1] < 1e-4 and largest[2] > 1e-3


def test_doubly_reparameterised_steps_are_the_same_when_xla_compiles_them(monkeypatch):
    noise = np.random.default_rng(1).normal(size=(3, 20, 2)).astype("float32")
    monkeypatch.setattr(stateless, "normal", lambda *_: noise)  # XLA draws others
    found = []
    for xla in (False, True):
        model, x, _ = principal_components(d=2)
        begin = ops.convert_to_numpy(model.weights[0])

        def step(number, model=model, x=x[:20]):
            seeds = stateless.seeds_of(0, number)
            slopes = ladder_models.doubly_gradients(model, x, seeds, 3)
            for weight, slope in zip(model.weights, slopes, strict=True):
                weight.assign(weight - 0.1 * slope)

        several = stateless.repeated(step, model.weights, 2, xla=xla)
        several(0)
        several(2)
        found.append([ops.convert_to_numpy(weight) for weight in model.weights])
    for plain, compiled in zip(*found, strict=True):
        np.testing.assert_allclose(compiled, plain, rtol=1e-4, atol=1e-5)
    assert np.abs(found[1][0] - begin).max() > 0.01


def hierarchy(wide):
    """A model of two groups whose ln p(x) is known; its draws, and their ln p(x).

    One code decides on the mean of another, and both on x. q(z|x) is the exact
    posterior, but with ``wide`` times its variances.
    """
    a, b, noise = 0.7, -0.4, 0.3  # z2 ~ N(a z1, e^b), x ~ N(c z1 + e z2, noise^2 I)
    rng = np.random.default_rng(0)
    c, e = rng.normal(size=(2, 6)).astype("float32")
    z1, z2 = rng.normal(size=(2, 100, 1))
    x = z1 * c + (a * z1 + np.exp(b / 2) * z2) * e
    x = (x + noise * rng.normal(size=x.shape)).astype("float32")
    below = np.exp(b) * np.outer(e, e) + noise**2 * np.eye(6)  # of x, given z1
    slope = np.linalg.solve(below, c + a * e)
    first = 1 / (1 + (c + a * e) @ slope)  # variances of the exact posterior
    second = 1 / (np.exp(-b) + e @ e / noise**2)
    to_first, log_first = first * slope[:, None], np.log(wide * first)
    change = np.log(wide * second) - b
    start = [np.float32(part) for part in (to_first, [log_first], [change])]
    weights = to_first, log_first, change = [*map(keras.Variable, start)]

    def encoder(x):
        mean = ops.matmul(x, to_first)
        return mean, log_first + 0 * mean, ops.convert_to_tensor(x)

    def correction(inputs):
        h, x = inputs
        residual = ops.sum((x - h * c) * e, axis=1, keepdims=True) / noise**2
        exact = second * (np.exp(-b) * a * h + residual)
        return (exact - a * h) * np.exp(-b / 2), change + 0 * h

    group = ladder_networks.Group(
        lambda h: (a * h, b + 0 * h), correction, lambda both: ops.concatenate(both, 1)
    )
    model = ladder_models.Model(
        encoder,
        lambda z: z,
        ladder_priors.standard_normal,
        likelihoods.Gaussian(noise, bounded=False).negative_log_likelihood,
        weights,
        (group,),
        lambda h: ops.matmul(h, np.stack([c, e])),
    )
    whole = below + np.outer(c + a * e, c + a * e)
    density = scipy.stats.multivariate_normal(np.zeros(6), whole)
    return model, x, density.logpdf(x)


def test_a_hierarchy_with_the_exact_posterior_has_ln_p_of_x_at_every_draw():
    model, x, known = hierarchy(wide=1)
    found = ops.convert_to_numpy(model.log_ratios(x, stateless.seeds_of(0, 0), 7))
    np.testing.assert_allclose(found, np.tile(known, (7, 1)), atol=2e-3)


def test_a_hierarchys_bound_falls_short_by_the_known_divergence(no_xla):
    model, x, known = hierarchy(wide=2)
    elbo, likelihood = ladder_models.Bounds(model).likelihood(x, 5000)
    divergence = 2 * (2 - 1 - math.log(2)) / 2  # of two codes, twice as wide
    np.testing.assert_allclose(known - elbo, divergence, atol=0.1)
    assert (known - elbo).mean() == pytest.approx(divergence, abs=0.01)
    np.testing.assert_allclose(likelihood, known, atol=0.1)
    seeds = [stateless.seeds_of(0, i) for i in range(200)]
    names = ("bound_gradients", "doubly_gradients")
    each = []
    for name in names:
        gradients = getattr(ladder_models, name)
        compute = stateless.compiled(
            lambda s, g=gradients: g(model, x, s, 1), model.weights
        )
        draws = [np.concatenate([np.ravel(g) for g in compute(s)]) for s in seeds]
        each.append(np.array(draws))
    apart = each[0].mean(0) - each[1].mean(0)
    error = np.sqrt((each[0].var(0) + each[1].var(0)) / len(seeds))
    assert (np.abs(apart) < 4.5 * error).all()
    assert each[1].mean(0)[-1] > 0.3  # the widths are to shrink
    with pytest.raises(ValueError, match="one layer"):
        ladder_models.doubly_gradients(model, x, seeds[0], 2)


def test_a_flow_as_a_posterior_leaves_the_likelihood_as_it_is(no_xla):
    model, x, known = principal_components()
    keras.utils.set_random_seed(0)
    flow = ladder_priors.RealNVP(3, layers=2, width=8, context=8)
    shake(flow.trainable_variables, 0.01)
    last = flow.readers[0].layers[-1].bias  # of two shifts and two log scales
    last.assign(last + np.array([0, 0, 0.05, 0.05]))  # so that the slope counts
    moved = model._replace(
        encoder=lambda x: [*model.encoder(x), x],
        posterior=flow.forward,
        weights=model.weights + flow.trainable_variables,
    )
    elbo, likelihood = ladder_models.Bounds(moved).likelihood(x, 5000)
    before, _ = ladder_models.Bounds(model).likelihood(x, 500)
    assert np.abs(elbo - before).max() > 0.05
    assert likelihood.mean() == pytest.approx(known.mean(), abs=0.02)


def test_a_convolutional_models_bound_is_that_of_numpy(monkeypatch):
    monkeypatch.setattr(ladder_networks, "CHANNELS", 4)
    keras.utils.set_random_seed(0)
    x = (np.random.default_rng(0).uniform(size=(5, 64)) < 0.3).astype("float32")
    options = ladder.RUNGS["conv"] | {"prior": "normal"}
    model = ladder_models.build(x, 3, **options)
    shake(model.weights, 0.1)
    seeds = stateless.seeds_of(3, 4)
    found = ops.convert_to_numpy(model.log_ratios(x, seeds, 2))
    noise = np.asarray(stateless.normal((10, 3), stateless.split(seeds)[0]))
    moments = model.encoder.predict(x, verbose=0)
    mean, log_var = (np.tile(part, (2, 1)) for part in moments)
    deviation = np.exp(log_var / 2)
    z = mean + deviation * noise
    chance = 1 / (1 + np.exp(-model.decoder.predict(z, verbose=0).astype("float64")))
    expected = scipy.stats.norm.logpdf(z).sum(1)
    expected -= scipy.stats.norm(mean, deviation).logpdf(z).sum(1)
    expected += scipy.stats.bernoulli(chance).logpmf(np.tile(x, (2, 1))).sum(1)
    np.testing.assert_allclose(found, expected.reshape(2, 5), rtol=1e-4)
