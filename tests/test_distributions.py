"""helpers/distributions.py: every family, against SciPy, quadrature and its own samples."""

import itertools

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import tensorflow as tf

from helpers import distributions

FAMILIES = list(distributions.families())
SCIPY = {  # name to the SciPy distribution of the posterior with these raw parameters
    "normal": lambda mean, log_var: scipy.stats.norm(mean, np.exp(log_var / 2)),
    "laplace": lambda mean, log_scale: scipy.stats.laplace(mean, np.exp(log_scale)),
    "exponential": lambda log_scale: scipy.stats.expon(0, np.exp(log_scale)),
}
LOCATIONS, SCALES = (0.0, 0.7, -2.0), (0.0, -1.2, 0.8)


def raw_parameters(family):
    """Yield raw parameters away from the prior, and the prior's own."""
    yield family.prior_parameters
    for location, scale in zip(LOCATIONS, SCALES, strict=True):
        count = len(family.parameter_names)
        yield tuple([location] * (count - 1) + [scale])


CASES = [
    pytest.param(name, raw, id=f"{name}-{index}")
    for name in FAMILIES
    for index, raw in enumerate(raw_parameters(distributions.get_family(name)))
]


def tensors(raw, shape=(), dtype="float64"):
    return [tf.fill(shape, tf.constant(value, dtype)) for value in raw]


def density(family, z, raw):
    """q(z) in float64, as an array."""
    z = np.asarray(z, "float64")
    return np.exp(family.log_prob(tf.constant(z), tensors(raw, z.shape)).numpy())


def breakpoints(family, raw):
    """Places that split the line so that quadrature sees the peak."""
    centre = float(family.mean(tensors(raw)))
    start = 0.0 if density(family, -1e-6, raw) == 0 else centre - 60.0
    inner = sorted({0.0, *(centre + np.array([-8, -2, -0.5, 0, 0.5, 2, 8, 60.0]))})
    return [start, *(place for place in inner if place > start)]


def integral(function, places):
    """The integral of a function over the given places, panel by panel."""
    return sum(
        scipy.integrate.quad(function, low, high, epsabs=1e-10, limit=200)[0]
        for low, high in itertools.pairwise(places)
    )


def test_the_families_are_known_by_name():
    assert {"normal", "laplace", "exponential"} <= set(FAMILIES)
    for name in FAMILIES:
        assert distributions.get_family(name).name == name
    family = distributions.Laplace()
    assert distributions.get_family(family) is family


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"prior must be one of.*'gauss'"):
        distributions.get_family("gauss")


def test_a_new_family_is_found():
    class Odd(distributions.Family):
        name = "odd"

    assert distributions.families()["odd"] is Odd
    assert isinstance(distributions.get_family("odd"), Odd)


def test_a_family_of_a_family_is_found():
    class Narrow(distributions.Normal):
        name = "narrow"

    class Narrower(Narrow):
        name = "narrower"

    found = distributions.families()
    assert (found["narrow"], found["narrower"]) == (Narrow, Narrower)
    assert found["normal"] is distributions.Normal
    assert isinstance(distributions.get_family("narrower"), Narrower)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_prior_value_a_parameter(name):
    family = distributions.get_family(name)
    assert len(family.prior_parameters) == len(family.parameter_names)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_density_integrates_to_one(name, raw):
    family = distributions.get_family(name)
    total = integral(lambda z: float(density(family, z, raw)), breakpoints(family, raw))
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_density_is_scipys(name, raw):
    if name not in SCIPY:
        pytest.skip("SciPy has no such distribution here")
    z = np.linspace(-4, 6, 41)
    family = distributions.get_family(name)
    np.testing.assert_allclose(density(family, z, raw), SCIPY[name](*raw).pdf(z), rtol=1e-10)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_samples_follow_the_density(name, raw):
    family = distributions.get_family(name)
    z = family.sample(tensors(raw, (4000, 1), "float32"), seed=3).numpy().ravel()
    grid = np.linspace(z.min() - 1, z.max() + 1, 40_001)
    values = density(family, grid, raw)
    steps = np.diff(grid) * (values[1:] + values[:-1]) / 2
    cdf = np.concatenate([[0], np.cumsum(steps)])
    result = scipy.stats.kstest(z, lambda places: np.interp(places, grid, cdf))
    assert result.pvalue > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_differ_between_pictures_and_latents(name):
    family = distributions.get_family(name)
    z = family.sample(tensors(family.prior_parameters, (50, 3), "float32"), seed=0).numpy()
    assert z.shape == (50, 3)
    assert len(np.unique(z)) == z.size


@pytest.mark.parametrize("name", FAMILIES)
def test_samples_repeat_with_the_seed(name):
    family = distributions.get_family(name)
    first, again, other = (family.sample_prior((20, 2), seed).numpy() for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_mean_is_the_samples_mean(name, raw):
    family = distributions.get_family(name)
    z = family.sample(tensors(raw, (40_000, 1), "float32"), seed=5).numpy()
    error = z.std() / np.sqrt(len(z))
    assert float(family.mean(tensors(raw))) == pytest.approx(z.mean(), abs=5 * error)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_kl_is_the_integral(name, raw):
    family = distributions.get_family(name)

    def integrand(z):
        q = density(family, z, raw)
        log_ratio = family.log_prob(z, tensors(raw)) - family.log_prior(tf.constant(z, "float64"))
        return float(q * log_ratio) if q > 0 else 0.0

    if type(family).kl_divergence is distributions.Family.kl_divergence:
        z = family.sample(tensors(raw, (200_000, 1)), seed=0)
        estimates = family.kl_divergence(tensors(raw, z.shape), z).numpy()
        error = estimates.std() / np.sqrt(len(estimates)) + 1e-9
        expected, tolerance = estimates.mean(), 5 * error
    else:
        expected, tolerance = float(family.kl_divergence(tensors(raw), z=None)), 1e-6
    assert integral(integrand, breakpoints(family, raw)) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_default_kl_is_an_unbiased_estimate(name, raw):
    """What a family without a closed form inherits agrees with the closed form on average."""
    family = distributions.get_family(name)
    parameters = tensors(raw, (100_000, 1))
    z = family.sample(parameters, seed=7)
    estimates = distributions.Family.kl_divergence(family, parameters, z).numpy()
    closed = float(family.kl_divergence(tensors(raw, (1, 1)), z[:1])[0, 0])
    error = estimates.std() / np.sqrt(len(estimates)) + 1e-9
    assert closed == pytest.approx(estimates.mean(), abs=5 * error)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_kl_is_zero_at_the_prior_only(name):
    family = distributions.get_family(name)
    z = tf.constant([[0.4]], "float64")
    at_prior = family.kl_divergence(tensors(family.prior_parameters, (1, 1)), z)
    assert float(at_prior[0, 0]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", FAMILIES)
def test_shapes_are_one_value_a_latent(name):
    family = distributions.get_family(name)
    parameters = tensors(family.prior_parameters, (5, 3), "float32")
    z = family.sample(parameters, seed=0)
    for values in (
        family.log_prob(z, parameters),
        family.log_prior(z),
        family.kl_divergence(parameters, z),
        family.mean(parameters),
    ):
        assert values.shape == (5, 3)


def finite_difference(function, raw, index, step=1e-5):
    shifted = [np.array(raw, "float64"), np.array(raw, "float64")]
    shifted[0][index] += step
    shifted[1][index] -= step
    return (function(shifted[0]) - function(shifted[1])) / (2 * step)


def gradients(function, raw):
    """The automatic gradient of a scalar function of raw parameters, in float64."""
    parameters = tensors(raw, (1, 1))
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        value = function(parameters)
    return [float(tf.reduce_sum(g)) for g in tape.gradient(value, parameters)]


def away_from_kinks(raw):
    """Raw parameters moved a little: |z| has no gradient at 0."""
    return tuple(value + 0.37 for value in raw)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_gradient_of_the_kl(name, raw):
    family, raw = distributions.get_family(name), away_from_kinks(raw)
    z = tf.constant([[0.9]], "float64")

    def kl(parameters):
        return family.kl_divergence(parameters, z)

    def kl_of(raw):
        return float(kl(tensors(raw, (1, 1)))[0, 0])

    for index, gradient in enumerate(gradients(kl, raw)):
        assert gradient == pytest.approx(finite_difference(kl_of, raw, index), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("name", "raw"), CASES)
def test_the_gradient_of_a_sample(name, raw):
    """Reparameterised: with the noise held, z moves with the parameters, and the tape knows it."""
    family = distributions.get_family(name)

    def sample(parameters):
        return family.sample(parameters, seed=11)

    def sample_of(raw):
        return float(sample(tensors(raw, (1, 1)))[0, 0])

    found = gradients(sample, raw)
    assert any(abs(gradient) > 1e-3 for gradient in found)
    for index, gradient in enumerate(found):
        expected = finite_difference(sample_of, raw, index)
        assert gradient == pytest.approx(expected, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_extreme_parameters_stay_finite(name):
    """Values and gradients in float32, for every corner of raw parameters in -50..50."""
    family = distributions.get_family(name)
    sides = np.linspace(-50, 50, 5)
    count = len(family.parameter_names)
    corners = np.stack(np.meshgrid(*[sides] * count), axis=-1).reshape(-1, count)
    parameters = [tf.constant(column[:, np.newaxis], "float32") for column in corners.T]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(parameters)
        z = family.sample(parameters, seed=0)
        kl = family.kl_divergence(parameters, z)
    for values in (z, kl, *tape.gradient(z, parameters), *tape.gradient(kl, parameters)):
        if values is not None:
            assert np.isfinite(values.numpy()).all()
    assert (kl.numpy() >= -1e-5).all() or name not in SCIPY


def test_the_standard_exponential_survives_a_uniform_of_zero(monkeypatch):
    values = {"u": 0.0}
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, **_: tf.fill(shape, tf.constant(values["u"]))
    )
    assert float(distributions.standard_exponential((1,), "float32")[0]) == 0
    values["u"] = float(np.nextafter(np.float32(1), np.float32(0)))  # the largest it returns
    assert 15 < float(distributions.standard_exponential((1,), "float32")[0]) < 20


@pytest.mark.parametrize("name", FAMILIES)
def test_the_prior_quantile_inverts_the_prior(name):
    family = distributions.get_family(name)
    shares = np.array([[0.01, 0.2, 0.5], [0.6, 0.9, 0.995]])
    places = family.prior_quantile(shares)
    assert places.shape == shares.shape
    start = breakpoints(family, family.prior_parameters)[0]
    for share, place in zip(shares.ravel(), places.ravel(), strict=True):
        inner = sorted({start, 0.0, float(place)} | {float(place) - step for step in (1, 3, 8)})
        inner = [p for p in inner if start <= p <= place]
        below = integral(lambda z: float(density(family, z, family.prior_parameters)), inner)
        assert below == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_prior_quantile_fits_the_prior_samples(name):
    family = distributions.get_family(name)
    z = family.sample_prior((20_000, 1), seed=2).numpy()
    for share in (0.1, 0.5, 0.9):
        found = np.mean(z < family.prior_quantile(np.array(share)))
        assert found == pytest.approx(share, abs=0.015)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_prior_mean(name):
    family = distributions.get_family(name)
    expected = {"normal": 0.0, "laplace": 0.0, "exponential": 1.0}.get(name)
    if expected is None:
        expected = float(family.sample_prior((100_000, 1), seed=0).numpy().mean())
    assert family.prior_mean == pytest.approx(expected, abs=0.02 if name not in SCIPY else 1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_rebuilt_from_its_configuration(name):
    family = distributions.get_family(name)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(family))
    assert type(again) is type(family)
    assert again.get_config() == family.get_config()


@pytest.mark.parametrize("name", FAMILIES)
def test_a_vae_with_the_family_is_saved_and_loaded(name, make_vae, pictures, tmp_path):
    vae = make_vae(prior=name)
    vae.compile("adam")
    vae.fit(pictures, epochs=1, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.prior.name == name
    np.testing.assert_array_equal(loaded.reconstruct(pictures), vae.reconstruct(pictures))
