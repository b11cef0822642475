"""helpers/families.py: every family, against SciPy, quadrature and its own samples.

Tests of all families run with one latent where latents are independent, and three where not.
"""

import itertools

import keras
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf
from campaign import tries

from helpers import families, models

CLASSES = families.registry()
ALL = list(CLASSES)
FACTORISED = [name for name in ALL if CLASSES[name].factorised]
LEARNED = [
    name for name in ALL if issubclass(CLASSES[name], families.LearnedPriorFamily)
]
SCALES = (0.0, -1.2, 0.8)  # of the last parameter, and of the others:
LOCATIONS = (0.0, -0.7, 2.0)


def bounded(raw, low, high):
    """What ``softly_bounded`` does, as a number."""
    return raw / np.hypot(1, raw / (high if raw > 0 else low))


def kumaraswamy(location, log_shape):
    """SciPy has none, but z^a is Beta(1, b), and the median is 1/2^(1/b) below 1 in 1 - z^a."""
    a = np.exp(bounded(log_shape, -1.5, 5))
    median = scipy.special.expit(bounded(location, -10, 5))
    power = np.exp(bounded(a * np.log(median) + np.log(2), -60, 60)) / 2
    b = np.log(0.5) / np.log1p(-power)

    class Kumaraswamy:
        def pdf(self, z):
            inside = np.clip(z, 1e-9, 1 - 1e-9)
            values = scipy.stats.beta(1, b).pdf(inside**a) * a * inside ** (a - 1)
            return np.where((z > 0) & (z < 1), values, 0)

    return Kumaraswamy()


SCIPY = {  # name to the SciPy distribution of the posterior with these raw parameters
    "normal": lambda mean, log_var: scipy.stats.norm(mean, np.exp(log_var / 2)),
    "laplace": lambda mean, log_scale: scipy.stats.laplace(mean, np.exp(log_scale)),
    "logistic": lambda mean, log_scale: scipy.stats.logistic(mean, np.exp(log_scale)),
    "student_t": lambda mean, raw: scipy.stats.t(
        5, mean, np.exp(bounded(raw, -20, 20))
    ),
    "exponential": lambda log_scale: scipy.stats.expon(0, np.exp(log_scale)),
    "shifted_exponential": lambda shift, log_scale: scipy.stats.expon(
        np.logaddexp(0, shift), np.exp(log_scale)
    ),
    "weibull": lambda log_scale, log_shape: scipy.stats.weibull_min(
        np.exp(bounded(log_shape, -1.5, 5)), scale=np.exp(bounded(log_scale, -10, 10))
    ),
    "kumaraswamy": kumaraswamy,
}


def make(name, latent_size=3):
    """A family, connected to a small encoder."""
    keras.utils.set_random_seed(0)
    family = families.get_family(name)
    encoder = models.dense_encoder(
        (8, 8, 1), latent_size, family.parameter_names, hidden=(16,)
    )
    family.connect(encoder)
    return family


def size_of(name):
    """The number of latents that a family of this name is tested with."""
    return 1 if name in FACTORISED else 3


def raw_parameters(family):
    """Yield the prior's raw parameters, where there are any, and others away from them."""
    if family.prior_parameters:
        yield family.prior_parameters
    count = len(family.parameter_names)
    for location, scale in zip(LOCATIONS, SCALES, strict=True):
        yield (*[location] * (count - 1), scale)


def cases(names, finite=False):
    """One parameter set a family and raw parameters; ``finite`` leaves out those at infinity."""
    return [
        pytest.param(name, raw, id=f"{name}-{index}")
        for name in names
        for index, raw in enumerate(raw_parameters(CLASSES[name]))
        if np.isfinite(raw).all() or not finite
    ]


def tensors(raw, shape=(), dtype="float64"):
    return [tf.fill(shape, tf.constant(value, dtype)) for value in raw]


def density(family, z, raw):
    """q(z) in float64, as an array."""
    z = np.asarray(z, "float64")
    return np.exp(family.log_posterior(tf.constant(z), tensors(raw, z.shape)).numpy())


def support(family, raw):
    """The ends of the line, or of the part of it where codes can be."""
    below, above = (
        np.isfinite(
            family.log_posterior(tf.constant(place, "float64"), tensors(raw)).numpy()
        )
        for place in (-1e-6, 1e3)
    )
    return (-np.inf if below else 0.0), (np.inf if above else 1.0)


def breakpoints(family, raw, stop=np.inf):
    """Places up to ``stop`` that split the line so that quadrature sees the peak and the shift."""
    low, high = support(family, raw)
    centre = float(family.posterior_mean(tensors(raw)))
    steps = np.array([0.02, 0.1, 0.5, 2, 8, 60])
    shift = [np.logaddexp(0, raw[0])] if family.name == "shifted_exponential" else []
    inner = {0.0, centre, stop, *(centre - steps), *(centre + steps), *shift}
    end = min(stop, high)
    return [low, *sorted(place for place in inner if low < place < end), end]


def integrals(function, places):
    """The integral of a vectorised function between each two neighbouring places."""
    places = np.asarray(places, "float64")
    result = scipy.integrate.tanhsinh(
        function, places[:-1], places[1:], atol=1e-12, rtol=1e-10
    )
    return result.integral


def standard_error(values):
    return values.std(axis=0) / np.sqrt(len(values)) + 1e-9


def closed_form(family):
    return type(family).kl_divergence is not families.Family.kl_divergence


# Names


def test_the_families_are_known_by_name():
    assert {
        *(
            "normal",
            "laplace",
            "logistic",
            "student_t",
            "exponential",
            "shifted_exponential",
        ),
        *("weibull", "kumaraswamy", "power_spherical", "mixture", "vamp"),
    } <= set(ALL)
    for name in ALL:
        assert families.get_family(name).name == name
    family = families.Laplace()
    assert families.get_family(family) is family


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"prior must be one of.*'gauss'"):
        families.get_family("gauss")


def test_a_new_family_is_found():
    class Odd(families.Family):
        name = "odd"

    assert families.registry()["odd"] is Odd
    assert isinstance(families.get_family("odd"), Odd)


def test_a_family_of_a_family_is_found():
    class Narrow(families.Normal):
        name = "narrow"

    class Narrower(Narrow):
        name = "narrower"

    found = families.registry()
    assert (found["narrow"], found["narrower"]) == (Narrow, Narrower)
    assert found["normal"] is families.Normal
    assert isinstance(families.get_family("narrower"), Narrower)


def test_a_class_without_a_name_of_its_own_is_no_family():
    class Nameless(families.Laplace):
        pass

    assert Nameless not in families.registry().values()
    assert families.registry()["laplace"] is families.Laplace


@pytest.mark.parametrize("name", ALL)
def test_one_prior_value_a_parameter(name):
    family = families.get_family(name)
    assert len(family.prior_parameters) == (
        0 if name in LEARNED else len(family.parameter_names)
    )


# Densities of independent latents


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_the_density_integrates_to_one(name, raw):
    family = families.get_family(name)
    total = integrals(lambda z: density(family, z, raw), breakpoints(family, raw)).sum()
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_the_density_is_scipys(name, raw):
    if name not in SCIPY:
        pytest.skip("SciPy has no such distribution here")
    z = np.linspace(-4, 6, 401)[1::10]  # no place is 0 or 1, where densities may jump
    family = families.get_family(name)
    np.testing.assert_allclose(
        density(family, z, raw), SCIPY[name](*raw).pdf(z), rtol=1e-9
    )


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_samples_follow_the_density(name, raw):
    family = families.get_family(name)
    z = np.sort(
        family.sample_posterior(tensors(raw, (2000, 1), "float32"), seed=3)
        .numpy()
        .ravel()
    )
    start = breakpoints(family, raw, stop=float(z[0]))
    below_first = integrals(lambda z: density(family, z, raw), start).sum()
    between = integrals(lambda z: density(family, z, raw), z)
    shares = below_first + np.concatenate([[0], np.cumsum(between)])
    assert scipy.stats.kstest(shares, "uniform").pvalue > 1e-3


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_the_kl_is_the_integral(name, raw):
    family = families.get_family(name)

    def integrand(z):
        q, z = density(family, z, raw), tf.constant(z)
        log_ratio = family.log_posterior(z, tensors(raw, z.shape)) - family.log_prior(z)
        return np.where(q > 0, q * np.where(q > 0, log_ratio, 0), 0)

    if closed_form(family):
        expected, tolerance = float(family.kl_divergence(tensors(raw), z=None)), 1e-6
    else:
        z = family.sample_posterior(tensors(raw, (200_000, 1)), seed=0)
        estimates = family.kl_divergence(tensors(raw, z.shape), z).numpy()
        expected, tolerance = estimates.mean(), 5 * standard_error(estimates)[0]
    found = integrals(integrand, breakpoints(family, raw)).sum()
    assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", FACTORISED)
def test_the_prior_quantile_inverts_the_prior(name):
    family = families.get_family(name)
    shares = np.array([[0.01, 0.2, 0.5], [0.6, 0.9, 0.995]])
    places = family.prior_quantile(shares)
    assert places.shape == shares.shape

    def prior(z):
        return np.exp(family.log_prior(tf.constant(z)).numpy())

    for share, place in zip(shares.ravel(), places.ravel(), strict=True):
        path = breakpoints(family, family.prior_parameters, stop=float(place))
        assert integrals(prior, path).sum() == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("name", ["exponential", "shifted_exponential", "weibull"])
def test_one_prior_is_the_same_for_three_posteriors(name):
    family = families.get_family(name)
    z = np.array([0.0, 1e-20, 0.3, 1.0, 40.0, -1e-9])
    expected = np.where(z < 0, -np.inf, -z)
    np.testing.assert_allclose(
        family.log_prior(tf.constant(z)), expected, rtol=1e-12, atol=1e-30
    )
    assert family.prior_mean(3) == pytest.approx(1, abs=1e-6)


# All families


@pytest.mark.parametrize("name", ALL)
def test_samples_differ_between_pictures_and_latents(name):
    z = make(name).sample_prior((50, 3), seed=0).numpy()
    assert z.shape == (50, 3)
    assert len(np.unique(z)) == z.size


@pytest.mark.parametrize("name", ALL)
def test_samples_repeat_with_the_seed(name):
    family = make(name)
    first, again, other = (
        family.sample_prior((20, 3), seed).numpy() for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize(("name", "raw"), cases(ALL))
def test_the_mean_is_the_samples_mean(name, raw):
    size = size_of(name)
    family = make(name, size)
    z = (
        family.sample_posterior(tensors(raw, (40_000, size), "float32"), seed=5)
        .numpy()
        .astype("float64")
    )
    mean = family.posterior_mean(tensors(raw, (1, size)))[0]
    np.testing.assert_array_less(np.abs(mean - z.mean(axis=0)), 5 * standard_error(z))


@pytest.mark.parametrize(("name", "raw"), cases(ALL))
def test_the_default_kl_is_an_unbiased_estimate(name, raw):
    """What a family without a closed form inherits agrees with the closed form on average."""
    size = size_of(name)
    family = make(name, size)
    if not closed_form(family):
        pytest.skip("the estimate is all there is")
    parameters = tensors(raw, (100_000, size))
    z = family.sample_posterior(parameters, seed=7)
    estimates = families.Family.kl_divergence(family, parameters, z).numpy().ravel()
    closed = float(family.kl_divergence(tensors(raw, (1, size)), z[:1])[0, 0])
    assert closed == pytest.approx(estimates.mean(), abs=5 * standard_error(estimates))


@pytest.mark.parametrize("name", [name for name in ALL if name not in LEARNED])
def test_the_kl_is_zero_at_the_prior(name):
    size = size_of(name)
    z = tf.fill((1, size), tf.constant(0.4, "float64"))
    family = families.get_family(name)
    at_prior = family.kl_divergence(tensors(family.prior_parameters, (1, size)), z)
    assert float(at_prior[0, 0]) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_shapes_are_one_value_a_latent_or_a_code(name):
    family = make(name)
    parameters = tensors([0.3] * len(family.parameter_names), (5, 3), "float32")
    z = family.sample_posterior(parameters, seed=0)
    assert z.shape == family.posterior_mean(parameters).shape == (5, 3)
    log_densities = (family.log_posterior(z, parameters), family.log_prior(z))
    for values in (*log_densities, family.kl_divergence(parameters, z)):
        assert values.shape == (5, 3 if family.factorised else 1)
        assert values.dtype == "float32"


def finite_difference(function, raw, index, step=1e-5):
    shifted = [np.array(raw, "float64"), np.array(raw, "float64")]
    shifted[0][index] += step
    shifted[1][index] -= step
    return (function(shifted[0]) - function(shifted[1])) / (2 * step)


def uneven(raw, size):
    """Raw parameters as tensors (1, size) that differ between latents."""
    slope = tf.constant(
        np.linspace(1, 2, size)[np.newaxis] if size > 1 else [[1.0]], "float64"
    )
    return [value * slope for value in tensors(raw, (1, size))]


def check_gradients(function, raw, size):
    """Compare the automatic gradient of the first of a function's values with differences."""

    def first(raw):
        return float(function(uneven(raw, size))[0, 0])

    raw = tf.constant(raw, "float64")
    with tf.GradientTape() as tape:
        tape.watch(raw)
        value = function(uneven(tf.unstack(raw), size))[0, 0]
    found = tape.gradient(value, raw).numpy()
    for index, gradient in enumerate(found):
        expected = finite_difference(first, raw.numpy(), index)
        assert gradient == pytest.approx(expected, rel=1e-4, abs=1e-6)
    return found


def away_from_kinks(raw):
    """Raw parameters moved a little: |z| has no gradient at 0."""
    return tuple(value + 0.37 for value in raw)


@pytest.mark.parametrize(("name", "raw"), cases(ALL, finite=True))
def test_the_gradient_of_the_kl(name, raw):
    size = size_of(name)
    family = make(name, size)
    z = tf.constant([[0.9, 0.1, -0.4][:size]], "float64")
    check_gradients(
        lambda parameters: family.kl_divergence(parameters, z),
        away_from_kinks(raw),
        size,
    )


@pytest.mark.parametrize(("name", "raw"), cases(ALL, finite=True))
def test_the_gradient_of_a_sample(name, raw):
    """Reparameterised: with the noise held, z moves with the parameters, and the tape knows it."""
    size = size_of(name)
    family = make(name, size)
    found = check_gradients(
        lambda parameters: family.sample_posterior(parameters, seed=11),
        away_from_kinks(raw),
        size,
    )
    assert (np.abs(found) > 1e-3).any()


def extremes(count, seed=0):
    """Numbers of both signs and of all sizes up to 10,000, float32 (count,)."""
    rng = np.random.default_rng(seed)
    return (rng.choice([-1, 1], count) * 10 ** rng.uniform(-3, 4, count)).astype(
        "float32"
    )


def extreme_parameters(family, size):
    """Tensors (n, size): every corner of raw parameters in +-10,000, and random ones."""
    sides = (-1e4, -300, -50, -12, 0, 12, 50, 300, 1e4)
    names = family.parameter_names
    corners = np.array(list(itertools.product(sides, repeat=len(names))), "float32").T
    mixed = extremes(len(names) * tries(300, 30_000) * size).reshape(
        len(names), -1, size
    )
    return [
        tf.constant(
            np.concatenate([np.repeat(corner[:, np.newaxis], size, axis=1), other])
        )
        for corner, other in zip(corners, mixed, strict=True)
    ]


def check_finite(function, given):
    """Assert that a function of tensors, and its gradient by each, is finite."""
    with tf.GradientTape() as tape:
        tape.watch(given)
        values = function(given)
    assert np.isfinite(values).all()
    for gradient in tape.gradient(values, given):
        assert gradient is None or np.isfinite(gradient).all()
    return values.numpy()


@pytest.mark.parametrize("name", ALL)
def test_extreme_parameters_stay_finite(name):
    """Sample, mean, densities there and KL, value and gradient, in float32."""
    family = make(name)
    parameters = extreme_parameters(family, 3)
    z = check_finite(lambda given: family.sample_posterior(given, seed=0), parameters)
    kl = check_finite(
        lambda given: family.kl_divergence(
            given, family.sample_posterior(given, seed=0)
        ),
        parameters,
    )
    moderate = np.max(np.abs(parameters), axis=(0, 2)) <= 50  # beyond, rounding is felt
    assert (kl[moderate] >= -1e-5).all() or not closed_form(family)
    check_finite(family.mean, parameters)
    check_finite(
        lambda given: family.log_posterior(
            family.sample_posterior(given, seed=0), given
        ),
        parameters,
    )
    check_finite(lambda given: family.log_prior(given[0]), [tf.constant(z)])


@pytest.mark.parametrize("name", ALL)
def test_densities_of_codes_far_from_the_posterior_stay_finite(name):
    """Codes anywhere the prior can put them, at parameters anywhere."""
    family = make(name)
    parameters = extreme_parameters(family, 3)
    z = extremes(3 * len(parameters[0]), seed=1).reshape(-1, 3)
    if name in ("exponential", "weibull"):
        z = np.abs(z)
    elif name == "shifted_exponential":
        z = np.abs(z) + np.logaddexp(0, parameters[0])
    elif name == "kumaraswamy":
        z = np.clip(np.abs(z) / 1e4, 1e-7, 1 - 1e-7)
    elif name == "power_spherical":
        z = z / np.linalg.norm(z, axis=-1, keepdims=True)
        z[:100] = -family.direction_and_concentration(parameters)[0][
            :100
        ]  # the far pole
    codes = tf.constant(z.astype("float32"))
    check_finite(
        lambda given: family.log_posterior(given[0], given[1:]), [codes, *parameters]
    )
    check_finite(lambda given: family.log_prior(given[0]), [codes])


BOUNDED = ["normal", "laplace", "logistic", "exponential", "shifted_exponential"]


@pytest.mark.parametrize("raw", [17.0, 80.0, 1e4, -40.0, -104.0, -1e4])
@pytest.mark.parametrize("name", BOUNDED)
def test_a_scale_that_leapt_costs_no_more_than_the_bound_and_comes_back(name, raw):
    """A step of training can throw ln of a scale far out, where its KL would overflow."""
    family = families.get_family(name)
    count = len(family.parameter_names)
    scale = tf.Variable([[raw]])

    def kl():
        parameters = [*tensors([0.3] * (count - 1), (1, 1), "float32"), scale]
        return family.kl_divergence(
            parameters, family.sample_posterior(parameters, seed=1)
        )

    assert abs(float(kl()[0, 0])) < 20 * np.exp(
        15
    )  # for a logistic the KL is one sample's
    optimizer = keras.optimizers.Adam(abs(raw) / 20)
    for _ in range(30):
        with tf.GradientTape() as tape:
            value = kl()
        optimizer.apply([tape.gradient(value, scale)], [scale])
    assert abs(float(scale[0, 0])) < 0.5 * abs(raw)


def test_bounds_change_nothing_inside_them():
    """Not a bit, neither of values nor of gradients."""
    x = tf.constant([-30.0, -10.1, -1e-30, -0.0, 0.0, 0.3, 10.1, 15.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = families.bounded(x)
    assert y.numpy().tobytes() == x.numpy().tobytes()
    assert (tape.gradient(y, x).numpy() == 1).all()


@pytest.mark.parametrize("mean", [0.0, -3.0, 60.0])
def test_a_laplace_sharper_than_float32_keeps_its_gradient(mean):
    """Where exp(-z_log_scale) overflows: a training that went astray must be able to come back."""
    parameters = [tf.constant([[value]], "float32") for value in (mean, -120.0)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        kl = families.Laplace().kl_divergence(parameters)
    assert float(kl[0, 0]) == pytest.approx(abs(mean) - 1 + 120)
    by_mean, by_log_scale = (float(g[0, 0]) for g in tape.gradient(kl, parameters))
    assert by_mean == np.sign(mean)
    assert by_log_scale == pytest.approx(-1)


@pytest.mark.parametrize("side", [-50.0, 50.0])
@pytest.mark.parametrize("name", ALL)
def test_no_parameter_is_stuck_far_out(name, side):
    """Each one still has a gradient of the KL, in float32, however far it has strayed."""
    family = make(name)
    for index in range(len(family.parameter_names)):
        raw = [
            side if index == other else 0.3
            for other in range(len(family.parameter_names))
        ]
        parameters = tensors(raw, (4, 3), "float32")
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            kl = family.kl_divergence(
                parameters, family.sample_posterior(parameters, seed=0)
            )
        assert (tape.gradient(kl, parameters)[index].numpy() != 0).all()


@pytest.mark.parametrize("name", ALL)
def test_the_prior_quantile_fits_the_prior_samples(name):
    family = make(name)
    z = family.sample_prior((20_000, 3), seed=2).numpy()
    for share in (0.1, 0.5, 0.9):
        found = np.mean(z < family.prior_quantile(np.full((1, 3), share)), axis=0)
        np.testing.assert_allclose(found, share, atol=0.015)


@pytest.mark.parametrize("name", ALL)
def test_the_priors_moments_are_those_of_its_samples(name):
    family = make(name)
    z = family.sample_prior((100_000, 3), seed=0).numpy().astype("float64")
    assert family.prior_mean(3).shape == (3,)
    away = np.abs(family.prior_mean(3) - z.mean(axis=0))
    np.testing.assert_array_less(away, 5 * standard_error(z))
    np.testing.assert_allclose(family.prior_variance(3), z.var(axis=0), rtol=0.1)


@pytest.mark.parametrize("name", ALL)
def test_samples_are_compiled(name):
    """Keras compiles with XLA where there is a GPU, and some random operations don't go there."""
    family = make(name)
    parameters = tensors([0.3] * len(family.parameter_names), (5, 3), "float32")
    compiled = tf.function(family.sample, jit_compile=True)
    z = compiled(parameters, seed=1).numpy()
    assert np.isfinite(z).all()
    assert len(np.unique(z)) == z.size


@pytest.mark.parametrize("name", ALL)
def test_a_family_is_rebuilt_from_its_configuration(name):
    family = families.get_family(name)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(family)
    )
    assert type(again) is type(family)
    assert again.get_config() == family.get_config()


@pytest.mark.parametrize("name", ALL)
def test_a_vae_with_the_family_is_saved_and_loaded(name, make_vae, pictures, tmp_path):
    vae = make_vae(family=name)
    vae.compile("adam", run_eagerly=True)
    vae.fit(pictures, epochs=1, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.family.name == name
    np.testing.assert_array_equal(
        loaded.reconstruct(pictures), vae.reconstruct(pictures)
    )
    noise = vae.sampling.seed_generator.state  # a loaded model draws noise of its own
    loaded.sampling.seed_generator.state.assign(noise)
    for model in (loaded, vae):
        model(pictures)
    assert float(sum(loaded.losses)) == float(sum(vae.losses))  # the negative ELBO


# Arguments of single families


@pytest.mark.parametrize("degrees", [1, 0, -3, float("nan"), float("inf")])
def test_degrees_of_freedom_without_a_mean_are_refused(degrees):
    with pytest.raises(ValueError, match="degrees must be a number above 1"):
        families.StudentT(degrees)


def test_the_degrees_of_freedom_are_used_and_kept():
    family = families.StudentT(2.5)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(family)
    )
    z = np.linspace(-4, 4, 9)
    expected = scipy.stats.t(2.5, 0.7).pdf(z)
    np.testing.assert_allclose(density(again, z, (0.7, 0.0)), expected, rtol=1e-10)
    shares = np.array([0.2, 0.7])
    np.testing.assert_allclose(
        again.prior_quantile(shares), scipy.stats.t.ppf(shares, 2.5)
    )


@pytest.mark.parametrize("location", [-2.0, 0.0, 1.5])
@pytest.mark.parametrize("log_shape", [0.0, 1.0])
def test_the_median_of_a_kumaraswamy_is_where_its_parameter_says(location, log_shape):
    family = families.Kumaraswamy()
    z = family.sample_posterior(
        tensors((location, log_shape), (40_000, 1)), seed=1
    ).numpy()
    median = scipy.special.expit(
        location / np.hypot(1, location / (5 if location > 0 else 10))
    )
    assert np.mean(z < median) == pytest.approx(0.5, abs=0.015)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_kumaraswamy_has_a_density_at_its_ends(end):
    """Rounding can put a code there."""
    family, z = families.Kumaraswamy(), tf.constant([[end]])
    for raw in itertools.product((-50.0, 0.0, 50.0), repeat=2):
        assert np.isfinite(
            family.log_posterior(z, tensors(raw, (1, 1), "float32"))
        ).all()
    assert float(family.log_prior(z)[0, 0]) == pytest.approx(0, abs=1e-5)


# The sphere

VECTORS = ([0.0, 0.0], [0.9, -1.4], [0.3, 0.5, 1.7], [-2.0, 1.0, 0.5, 0.0], [1.5] * 7)


def at_vector(vector, count=1, dtype="float64"):
    return [tf.tile(tf.constant([vector], dtype), (count, 1))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vector", [*VECTORS, [50.0, -50.0], [1e-20, 0.0, 0.0]])
def test_samples_lie_on_the_sphere(vector, dtype):
    z = families.PowerSpherical().sample(at_vector(vector, 10_000, dtype), seed=0)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("vector", VECTORS)
def test_samples_keep_their_angle_to_the_mean_direction(vector):
    """(1 + m z) / 2 is Beta((d-1)/2 + k, (d-1)/2), and what is left of z is symmetric."""
    z = families.PowerSpherical().sample(at_vector(vector, 4000), seed=4).numpy()
    concentration, half = np.dot(vector, vector), (len(vector) - 1) / 2
    direction = (
        np.array(vector) / np.sqrt(concentration) if concentration else np.eye(2)[0]
    )
    cosine = z @ direction
    expected = scipy.stats.beta(half + concentration, half)
    assert scipy.stats.kstest((1 + cosine) / 2, expected.cdf).pvalue > 1e-3
    across = z - cosine[:, np.newaxis] * direction
    np.testing.assert_array_less(
        np.abs(across.mean(axis=0)), 5 * standard_error(across) + 1e-9
    )


def circle(count=4000):
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if len(vector) < 4])
def test_the_density_integrates_to_one_over_the_sphere(vector):
    """In three dimensions equal steps in height cut slices of equal area."""
    z, area = circle(), 2 * np.pi
    if len(vector) == 3:
        height, weights = np.polynomial.legendre.leggauss(200)
        ring = circle(400)[:, np.newaxis] * np.sqrt(1 - height**2)[:, np.newaxis]
        z = np.concatenate(
            [ring, np.broadcast_to(height[:, np.newaxis], (400, 200, 1))], axis=-1
        )
    family = families.PowerSpherical()
    log_q = family.log_posterior(tf.constant(z), [tf.constant(vector, "float64")])[
        ..., 0
    ]
    q = np.exp(log_q.numpy())
    total = (
        area * q.mean() if len(vector) == 2 else area * np.sum(weights * q.mean(axis=0))
    )
    assert total == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("vector", [*VECTORS, [8.0, 3.0, -6.0]])
def test_the_kl_on_the_sphere_is_an_integral_over_the_angle(vector):
    concentration, half = np.dot(vector, vector), (len(vector) - 1) / 2
    q, p = scipy.stats.beta(half + concentration, half), scipy.stats.beta(half, half)

    def integrand(share):
        return np.exp(q.logpdf(share)) * (q.logpdf(share) - p.logpdf(share))

    expected = integrals(integrand, [0, 0.5, 0.9, 1]).sum()
    found = families.PowerSpherical().kl_divergence(at_vector(vector))
    assert float(found[0, 0]) == pytest.approx(expected, abs=1e-6)


def test_a_zero_vector_has_a_gradient():
    family = families.PowerSpherical()
    for vector in ([0.0] * 3, [1e-20] * 3):
        (z_direction,) = at_vector(vector, 5, "float32")
        with tf.GradientTape() as tape:
            tape.watch(z_direction)
            z = family.sample_posterior([z_direction], seed=0)
            total = tf.reduce_sum(z) + tf.reduce_sum(
                family.kl_divergence([z_direction], z)
            )
        assert np.isfinite(tape.gradient(total, z_direction)).all()


def test_a_sphere_needs_two_dimensions():
    family = families.PowerSpherical()
    message = "needs at least 2 latents, and got 1: raise latent_size"
    with pytest.raises(ValueError, match=message):
        family.sample_posterior([tf.zeros((3, 1))])
    with pytest.raises(ValueError, match=message):
        family.prior_quantile(np.array([[0.5]]))
    with pytest.raises(ValueError, match=message):
        models.build_vae((8, 8, 1), latent_size=1, family="power_spherical")
    with pytest.raises(ValueError, match=message):
        make("power_spherical", latent_size=1)


# Learned priors


def weights_of(family):
    """A learned prior's weights (K,), means and scales (K, d), moved away from their start."""
    rng = np.random.default_rng(0)
    for weight in family.trainable_variables:
        moved = weight.numpy() + 0.5 * rng.normal(size=weight.shape)
        weight.assign(np.clip(moved, 0, 1) if family.name == "vamp" else moved)
    parts = [keras.ops.convert_to_numpy(part) for part in family.mixture()]
    log_weights, means, log_vars = (part.astype("float64") for part in parts)
    return np.exp(log_weights), means, np.exp(log_vars / 2)


@pytest.mark.parametrize("name", LEARNED)
def test_a_mixture_mixes_densities_of_whole_codes(name):
    family = make(name)
    weights, means, scales = weights_of(family)
    z = np.random.default_rng(1).normal(size=(20, 3))
    components = scipy.stats.norm(means, scales).pdf(z[:, np.newaxis])  # (20, K, 3)
    whole = np.log(components.prod(axis=-1) @ weights)
    latent_by_latent = np.log(np.einsum("k,nkd->nd", weights, components)).sum(axis=-1)
    found = family.log_prior(tf.constant(z)).numpy()[:, 0]
    np.testing.assert_allclose(found, whole, rtol=1e-9)
    assert np.abs(found - latent_by_latent).max() > 1e-3
    assert weights.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", LEARNED)
def test_a_mixture_integrates_to_one_over_the_plane(name):
    family = make(name, latent_size=2)
    weights_of(family)
    line = np.linspace(-9, 9, 201)
    z = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    p = np.exp(family.log_prior(tf.constant(z)).numpy())
    assert p.sum() * (line[1] - line[0]) ** 2 == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", LEARNED)
def test_the_marginals_of_a_mixture(name):
    """Samples and quantiles of each latent are those of the one-dimensional mixture."""
    family = make(name)
    weights, means, scales = weights_of(family)

    def marginal(z, latent):
        return (
            scipy.stats.norm(means[:, latent], scales[:, latent]).cdf(z[:, np.newaxis])
            @ weights
        )

    z = family.sample_prior((4000, 3), seed=1).numpy().astype("float64")
    shares = np.random.default_rng(0).random((2, 5, 3))
    places = family.prior_quantile(shares)
    for latent in range(3):
        assert (
            scipy.stats.kstest(marginal(z[:, latent], latent), "uniform").pvalue > 1e-3
        )
        below = marginal(places[..., latent].ravel(), latent)
        np.testing.assert_allclose(below, shares[..., latent].ravel(), atol=1e-6)
    np.testing.assert_allclose(
        family.prior_mean(means.shape[1]), weights @ means, rtol=1e-5
    )


def test_samples_of_a_mixture_are_whole_codes():
    """Two far components, at opposite corners: no code is at one in z_1 and at the other in z_2."""
    family = families.MixturePriorFamily(components=2)
    family.connect(
        models.dense_encoder((8, 8, 1), 2, family.parameter_names, hidden=())
    )
    family.means.assign([[9.0, 9.0], [-9.0, -9.0]])
    family.logits.assign(np.log([0.8, 0.2]))
    z = family.sample_prior((2000, 2), seed=0).numpy()
    assert (np.sign(z[:, 0]) == np.sign(z[:, 1])).all()
    assert np.mean(z[:, 0] > 0) == pytest.approx(0.8, abs=0.04)


def test_a_mixture_starts_as_a_cover_of_the_standard_normal():
    family = make("mixture", latent_size=8)
    np.testing.assert_allclose(family.prior_variance(8).mean(), 1, atol=0.15)
    assert np.std(family.means.numpy()) > 0.5  # apart from each other


def test_pseudo_pictures_start_with_codes_of_their_own(make_vae, pictures):
    """As far from each other as those of real pictures, or more."""
    vae = make_vae(family="vamp", latent_size=3)
    spread = np.std(vae.family.mixture()[1], axis=0).mean()
    assert spread > 0.5 * vae.encode(pictures).std(axis=0).mean()


def test_the_vamp_prior_is_the_mean_posterior_at_its_pictures(make_vae, pictures):
    prior = families.VampPriorFamily(components=30)
    vae = make_vae(family=prior, latent_size=3)
    prior.start_from(pictures)
    mean, log_var = (
        part.astype("float64") for part in vae.posterior_arrays(pictures[:30])
    )
    z = np.random.default_rng(0).normal(size=(4, 3))
    normals = scipy.stats.norm(mean, np.exp(log_var / 2))
    expected = np.log(normals.pdf(z[:, np.newaxis]).prod(axis=-1).mean(axis=-1))
    np.testing.assert_allclose(
        prior.log_prior(tf.constant(z))[:, 0], expected, rtol=1e-5
    )


def test_pseudo_pictures_start_from_given_ones_only_if_they_fit(make_vae, pictures):
    prior = make_vae(family=families.VampPriorFamily(components=30)).family
    for wrong in (pictures[:29], pictures[:, :4], 255 * pictures, pictures[..., 0]):
        with pytest.raises(
            ValueError, match=r"pictures must be at least 30 of shape \(8, 8, 1\)"
        ):
            prior.start_from(wrong)
    with pytest.raises(ValueError, match="pictures must be at least 30"):
        prior.start_from(np.full((30, 8, 8, 1), np.nan))


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_prior_learns_and_is_counted_once(name, make_vae, pictures):
    vae = make_vae(family=name)
    parts = [
        vae.encoder.count_params(),
        vae.decoder.count_params(),
        vae.family.count_params(),
    ]
    own = {"mixture": 50 * (1 + 2 + 2), "vamp": 50 * 64}[name]
    assert parts[2] == own
    assert sum(int(np.prod(v.shape)) for v in vae.trainable_variables) == sum(parts)
    assert vae.count_params() == sum(parts) + 1  # and the step of the KL's weight
    before = [weight.numpy() for weight in vae.family.trainable_variables]
    vae.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    vae.fit(pictures, epochs=3, verbose=0)
    for weight, old in zip(vae.family.trainable_variables, before, strict=True):
        assert np.abs(weight.numpy() - old).max() > 0.01
    if name == "vamp":
        assert vae.family.pictures.numpy().min() == 0
        assert vae.family.pictures.numpy().max() <= 1


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_prior_belongs_to_one_model(name, make_vae):
    prior = CLASSES[name](components=4)
    with pytest.raises(ValueError, match=r"has no weights yet: make a VAE with it"):
        prior.log_prior(tf.zeros((1, 2)))
    make_vae(family=prior)
    assert prior.log_prior(tf.zeros((1, 2))).shape == (1, 1)
    with pytest.raises(
        ValueError, match="belongs to a model already: give each model its own"
    ):
        make_vae(family=prior)


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_prior_refuses_what_does_not_fit(name):
    with pytest.raises(ValueError, match="components must be at least 1, and is 0"):
        CLASSES[name](components=0)
    family = make(name)
    with pytest.raises(
        ValueError, match=r"shape must end in 3 latents, and is \(5, 2\)"
    ):
        family.sample_prior((5, 2))
    with pytest.raises(
        ValueError, match=r"u must have shape \(\.\.\., 3\), and has \(5,\)"
    ):
        family.prior_quantile(np.full(5, 0.5))


def test_the_number_of_components_is_kept():
    family = families.VampPriorFamily(components=7)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(family)
    )
    assert again.components == 7


# What the families are made of


def test_the_standard_exponential_survives_a_uniform_of_zero(monkeypatch):
    values = {"u": 0.0}
    monkeypatch.setattr(
        keras.random,
        "uniform",
        lambda shape, **_: tf.fill(shape, tf.constant(values["u"])),
    )
    assert float(families.standard_exponential((1,), "float32")[0]) == 0
    assert 0 < float(families.inner_uniform((1,), "float32")[0]) < 1e-7
    values["u"] = float(
        np.nextafter(np.float32(1), np.float32(0))
    )  # the largest it returns
    assert 15 < float(families.standard_exponential((1,), "float32")[0]) < 20
    assert float(families.inner_uniform((1,), "float32")[0]) < 1


@pytest.mark.parametrize("u", [0.0, float(np.nextafter(np.float32(1), np.float32(0)))])
@pytest.mark.parametrize("name", FACTORISED)
def test_samples_survive_the_ends_of_the_uniform(name, u, monkeypatch):
    """Whatever the noise, z and its gradient are finite, and so is the density there."""
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, **_: tf.fill(shape, tf.constant(u))
    )
    family = families.get_family(name)
    for raw in itertools.product(
        (-50.0, 0.3, 50.0), repeat=len(family.parameter_names)
    ):
        parameters = tensors(raw, (1, 1), "float32")
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            z = family.sample_posterior(parameters, seed=0)
        assert np.isfinite(
            [z, family.log_posterior(z, parameters), *tape.gradient(z, parameters)]
        ).all()


POSITIVE = np.concatenate([10.0 ** np.linspace(-6, 6, 121), np.linspace(0.9, 2.1, 25)])


@pytest.mark.parametrize(
    ("dtype", "precision"), [("float64", 1e-11), ("float32", 2e-6)]
)
@pytest.mark.parametrize("name", ["log_gamma", "digamma"])
def test_the_gamma_function_is_scipys(name, dtype, precision):
    x = POSITIVE.astype(dtype)
    expected = getattr(scipy.special, {"log_gamma": "gammaln"}.get(name, name))(
        x.astype("float64")
    )
    found = getattr(distributions, name)(tf.constant(x)).numpy()
    assert found.dtype == dtype
    assert (np.abs(found - expected) / (1 + np.abs(expected)) < precision).all()


@pytest.mark.parametrize(
    ("dtype", "precision"), [("float64", 1e-11), ("float32", 3e-6)]
)
def test_a_ratio_of_gamma_functions_keeps_its_digits_where_they_are_huge(
    dtype, precision
):
    """ln of Gamma(x + 2) / Gamma(x) is ln of x (x + 1)."""
    x = np.array([1e-3, 0.5, 3.0, 1e3, 1e8, 1e20], dtype)
    found = families.log_gamma_ratio(tf.constant(x), tf.constant(2.0, dtype)).numpy()
    exact = x.astype("float64")
    expected = np.log(exact) + np.log1p(exact)
    assert (np.abs(found - expected) / (1 + np.abs(expected)) < precision).all()


def test_the_slope_of_log_gamma_is_digamma():
    x = tf.constant(POSITIVE)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        log_gamma, digamma = families.log_gamma(x), families.digamma(x)
    np.testing.assert_allclose(
        tape.gradient(log_gamma, x), scipy.special.digamma(x), rtol=1e-8
    )
    trigamma = scipy.special.polygamma(1, POSITIVE)
    np.testing.assert_allclose(tape.gradient(digamma, x), trigamma, rtol=1e-8)


def test_log1mexp_keeps_its_digits_at_both_ends():
    x = -np.array([1e-20, 1e-8, 0.3, np.log(2), 1.0, 40.0, 600.0])
    expected = [np.log(1e-20), np.log(1e-8) - 0.5e-8, *np.log1p(-np.exp(x[2:-2]))]
    expected += [-np.exp(-40.0), -np.exp(-600.0)]
    with tf.GradientTape() as tape:
        given = tf.constant(x)
        tape.watch(given)
        found = families.log1mexp(given)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(
        tape.gradient(found, given), np.exp(x) / np.expm1(x), rtol=1e-9
    )


def test_a_soft_bound_holds_and_lets_gradients_through():
    x = tf.constant([-50.0, -1.0, -0.01, 0.0, 0.01, 1.0, 50.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = families.softly_bounded(x, -1.5, 5)
    assert (np.diff(y) > 0).all()
    assert -1.5 < float(y[0]) < -1.49
    assert 4.9 < float(y[-1]) < 5
    np.testing.assert_allclose(y[2:5], x[2:5], rtol=1e-4)
    assert (tape.gradient(y, x).numpy() > 1e-6).all()
