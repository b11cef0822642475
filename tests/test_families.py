"""helpers/families: every family, against SciPy, quadrature and its own samples."""

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
from helpers.engine import numerics

CLASSES = families.registry()
ALL = list(CLASSES)
FACTORISED = [name for name in ALL if CLASSES[name].factorised]
DEPENDENT = [name for name in ALL if name not in FACTORISED]
LEARNED = [
    name for name in ALL if issubclass(CLASSES[name], families.LearnedPriorFamily)
]
SCALES = (0.0, -1.2, 0.8)  # of the last parameter, and of the others:
LOCATIONS = (0.0, -0.7, 2.0)


def bounded(raw, low, high):
    """What ``softly_bounded`` does, as a number."""
    return raw / np.hypot(1, raw / (high if raw > 0 else low))


def kumaraswamy(location, log_shape):
    """z^a is Beta(1, b), and the median is 1/2^(1/b) below 1 in 1 - z^a."""
    a = np.exp(bounded(log_shape, -1.5, 5))
    median = scipy.special.expit(bounded(location, -10, 5))
    power = np.exp(bounded(a * np.log(median) + np.log(2), -60, 60)) / 2
    b = np.log(0.5) / np.log1p(-power)

    class Kumaraswamy:  # SciPy has none
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
    """A family; where latents depend on each other, connected to a small encoder."""
    keras.utils.set_random_seed(0)
    family = families.get_family(name)
    if name not in FACTORISED:
        names, shape = family.parameter_names, (8, 8, 1)
        family.connect(models.dense_encoder(shape, latent_size, names, hidden=(16,)))
    return family


def size_of(name):
    """One latent where latents are independent, three where not."""
    return 1 if name in FACTORISED else 3


def cases(names):
    """Names with raw parameters, the prior's and others."""
    found = []
    for name in names:
        prior = CLASSES[name].prior_parameters
        count = len(CLASSES[name].parameter_names)
        away = [
            (*[location] * (count - 1), scale)
            for location, scale in zip(LOCATIONS, SCALES, strict=True)
        ]
        found += [
            pytest.param(name, raw, id=f"{name}-{index}")
            for index, raw in enumerate(dict.fromkeys([prior or away[0], *away]))
        ]
    return found


def tensors(raw, shape=(), dtype="float64"):
    return [tf.fill(shape, tf.constant(value, dtype)) for value in raw]


def alike(family, shape, value=0.3):
    """Float32 parameters that are all of one value."""
    return tensors([value] * len(family.parameter_names), shape, "float32")


def density(family, z, raw):
    """q(z) in float64, as an array."""
    z = np.asarray(z, "float64")
    return np.exp(family.log_posterior(tf.constant(z), tensors(raw, z.shape)).numpy())


def breakpoints(family, raw, stop=np.inf):
    """Places up to ``stop`` so that quadrature sees the support, peak and shift."""
    log_q = family.log_posterior(tf.constant([-1e-6, 1e3], "float64"), tensors(raw))
    below, above = np.isfinite(log_q)
    low, high = (-np.inf if below else 0.0), (np.inf if above else 1.0)
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


def rebuilt(thing):
    """What Keras makes of a family that it has saved."""
    config = keras.saving.serialize_keras_object(thing)
    return keras.saving.deserialize_keras_object(config)


# The contract


@pytest.mark.parametrize("name", ALL)
def test_a_family_keeps_the_contract(name):
    """What ``Family`` promises: shapes, types, and a prior that agrees with itself."""
    family = make(name)
    assert families.get_family(family) is family
    assert family.name == name
    assert len(family.prior_parameters) in (0, len(family.parameter_names))

    parameters = alike(family, (5, 3))
    z = family.sample_posterior(parameters, seed=0)
    assert z.shape == family.posterior_mean(parameters).shape == (5, 3)
    log_densities = (family.log_posterior(z, parameters), family.log_prior(z))
    for values in (*log_densities, family.kl_divergence(parameters, z)):
        assert values.shape == (5, 3 if family.factorised else 1)
        assert values.dtype == z.dtype == "float32"
        assert np.isfinite(values).all()
    for shape in ((3,), (4, 3), (2, 4, 3)):
        assert family.sample_prior(shape, seed=0).shape == shape
        assert family.prior_quantile(np.full(shape, 0.3)).shape == shape

    first, again, other = (family.sample_prior((50, 3), seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert len(np.unique([first, other])) == 300  # new noise everywhere
    z = family.sample_prior((100_000, 3), seed=0).numpy().astype("float64")
    mean, variance = family.prior_mean(3), family.prior_variance(3)
    assert mean.shape == variance.shape == (3,)
    np.testing.assert_array_less(np.abs(mean - z.mean(axis=0)), 5 * standard_error(z))
    np.testing.assert_allclose(variance, z.var(axis=0), rtol=0.1)
    for share in (0.1, 0.5, 0.9):
        below = np.mean(z < family.prior_quantile(np.full((1, 3), share)), axis=0)
        np.testing.assert_allclose(below, share, atol=0.01)

    again = rebuilt(families.get_family(name))
    assert type(again) is type(family)
    assert again.get_config() == families.get_family(name).get_config()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "raw"), cases(DEPENDENT))
def test_means_and_divergences_are_those_of_samples(name, raw):
    """The closed KL is the mean of the estimate that a family inherits without one."""
    family = make(name)
    parameters = tensors(raw, (30_000, 3))
    z = family.sample_posterior(parameters, seed=7)
    one = [parameter[:1] for parameter in parameters]
    away = np.abs(family.posterior_mean(one)[0] - z.numpy().mean(axis=0))
    np.testing.assert_array_less(away, 5 * standard_error(z.numpy()))
    estimates = families.Family.kl_divergence(family, parameters, z).numpy()
    if closed_form(family):
        closed = family.kl_divergence(one, z[:1])[0]
        away = np.abs(closed - estimates.mean(axis=0))
        np.testing.assert_array_less(away, 5 * standard_error(estimates))
    if raw == family.prior_parameters:
        np.testing.assert_allclose(family.kl_divergence(one, z[:1]), 0, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["student_t", *DEPENDENT])
def test_a_vae_with_the_family_is_saved_and_loaded(name, make_vae, pictures, tmp_path):
    """Of independent latents one: the contract has what Keras makes of the others."""
    vae = make_vae(family=name)
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


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ALL if name not in LEARNED])
def test_samples_are_compiled(name):
    """Keras uses XLA on a GPU, and some random operations don't go there."""
    family = make(name)
    compiled = tf.function(family.sample_posterior, jit_compile=True)
    z = compiled(alike(family, (5, 3)), seed=1).numpy()
    assert np.isfinite(z).all()
    assert len(np.unique(z)) == z.size


# The registry


def test_the_families_are_known_by_name():
    known = "normal laplace logistic student_t exponential shifted_exponential weibull"
    known += " kumaraswamy power_spherical mixture vamp"
    assert set(known.split()) <= set(ALL)
    with pytest.raises(ValueError, match="'gauss'"):
        families.get_family("gauss")


def test_a_new_family_is_found_by_its_own_name():
    class Nameless(families.Laplace):
        pass

    class Narrow(families.Normal):
        name = "narrow"

    class Narrower(Narrow):
        name = "narrower"

    found = families.registry()
    assert (found["narrow"], found["narrower"]) == (Narrow, Narrower)
    assert isinstance(families.get_family("narrower"), Narrower)
    assert found["normal"] is families.Normal
    assert found["laplace"] is families.Laplace
    assert Nameless not in found.values()


# Densities of independent latents


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_the_density_integrates_to_one_has_its_mean_and_is_scipys(name, raw):
    family = families.get_family(name)
    places = breakpoints(family, raw)
    total = integrals(lambda z: density(family, z, raw), places).sum()
    assert total == pytest.approx(1, abs=1e-6)
    mean = integrals(lambda z: z * density(family, z, raw), places).sum()
    assert float(family.posterior_mean(tensors(raw))) == pytest.approx(mean, abs=1e-5)
    if name in SCIPY:
        z = np.linspace(-4, 6, 401)[1::10]  # neither 0 nor 1, where densities may jump
        expected = SCIPY[name](*raw).pdf(z)
        np.testing.assert_allclose(density(family, z, raw), expected, rtol=1e-9)


@pytest.mark.parametrize(("name", "raw"), cases(FACTORISED))
def test_samples_follow_the_density(name, raw):
    family = families.get_family(name)
    parameters = tensors(raw, (2000, 1), "float32")
    z = np.sort(family.sample_posterior(parameters, seed=3).numpy().ravel())
    start = breakpoints(family, raw, stop=float(z[0]))
    below_first = integrals(lambda z: density(family, z, raw), start).sum()
    between = integrals(lambda z: density(family, z, raw), z)
    shares = below_first + np.concatenate([[0], np.cumsum(between)])
    assert scipy.stats.kstest(shares, "uniform").pvalue > 1e-3
    # which sees no scale that is off by 3%: the entropy does
    places = breakpoints(family, raw)
    entropy = integrals(lambda z: scipy.special.entr(density(family, z, raw)), places)
    parameters = tensors(raw, (100_000, 1))
    z = family.sample_posterior(parameters, seed=3)
    nats = -family.log_posterior(z, parameters).numpy()
    assert np.abs(nats.mean() - entropy.sum()) < 5 * standard_error(nats)[0]


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
    if raw == family.prior_parameters:
        assert expected == pytest.approx(0, abs=1e-12)


# Gradients


def check_gradients(function, raw, size):
    """Compare the gradient of the first of a function's values with differences."""
    slopes = tf.constant(np.linspace(1, 2, size)[np.newaxis], "float64")

    def first(raw):  # of parameters (1, size) that differ between latents
        return function([value * slopes for value in tf.unstack(raw)])[0, 0]

    raw = tf.constant(raw, "float64")
    with tf.GradientTape() as tape:
        tape.watch(raw)
        value = first(raw)
    found = tape.gradient(value, raw).numpy()
    for step, gradient in zip(1e-5 * np.eye(len(raw)), found, strict=True):
        expected = float(first(raw + step) - first(raw - step)) / 2e-5
        assert gradient == pytest.approx(expected, rel=1e-4, abs=1e-6)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("raw", [(-0.33, -0.83), (2.37, 1.17)])
@pytest.mark.parametrize("name", ALL)
def test_the_gradients_of_the_kl_and_of_a_sample(name, raw):
    """Reparameterised: with the noise held, z moves with the parameters."""
    size = size_of(name)
    family = make(name, size)
    raw = raw[-len(family.parameter_names) :]  # away from the kink of |z|
    z = tf.constant([[0.9, 0.1, -0.4][:size]], "float64")
    check_gradients(lambda given: family.kl_divergence(given, z), raw, size)
    found = check_gradients(
        lambda given: family.sample_posterior(given, seed=11), raw, size
    )
    assert (np.abs(found) > 1e-3).any()


def extremes(count, seed=0):
    """Numbers of both signs and of all sizes up to 10,000, float32 (count,)."""
    rng = np.random.default_rng(seed)
    sizes = 10 ** rng.uniform(-3, 4, count)
    return (rng.choice([-1, 1], count) * sizes).astype("float32")


def extreme_parameters(family, size):
    """Tensors (n, size): every corner of parameters in +-10,000, and random ones."""
    sides = (-1e4, -300, -50, -12, 0, 12, 50, 300, 1e4)
    count = len(family.parameter_names)
    corners = np.array(list(itertools.product(sides, repeat=count)), "float32").T
    mixed = extremes(count * tries(300, 30_000) * size).reshape(count, -1, size)
    return [
        tf.constant(np.concatenate([np.repeat(corner[:, None], size, axis=1), other]))
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

    def sample(given):
        return family.sample_posterior(given, seed=0)

    z = check_finite(sample, parameters)
    kl = check_finite(
        lambda given: family.kl_divergence(given, sample(given)), parameters
    )
    moderate = np.max(np.abs(parameters), axis=(0, 2)) <= 50  # beyond, rounding is felt
    assert (kl[moderate] >= -1e-5).all() or not closed_form(family)
    check_finite(family.posterior_mean, parameters)
    check_finite(lambda given: family.log_posterior(sample(given), given), parameters)
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
        direction, _ = family.direction_and_concentration(parameters)
        z[:100] = -direction[:100]  # the far pole
    codes = tf.constant(z.astype("float32"))
    check_finite(
        lambda given: family.log_posterior(given[0], given[1:]), [codes, *parameters]
    )
    check_finite(lambda given: family.log_prior(given[0]), [codes])


BOUNDED = ["normal", "laplace", "logistic", "exponential", "shifted_exponential"]
LEAPT = tf.constant([[17.0, 80.0, 1e4, -40.0, -104.0, -1e4]])


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDED)
def test_a_scale_that_leapt_costs_no_more_than_the_bound_and_comes_back(name):
    """A step of training can throw ln of a scale far out, where its KL overflows."""
    family = families.get_family(name)
    share = tf.Variable(tf.ones_like(LEAPT))  # of how far it leapt

    def kl():
        parameters = [*alike(family, LEAPT.shape)[1:], LEAPT * share]
        z = family.sample_posterior(parameters, seed=1)
        return family.kl_divergence(parameters, z)

    assert (np.abs(kl()) < 20 * np.exp(15)).all()  # a logistic's is one sample's
    optimizer = keras.optimizers.Adam(1 / 8)
    for _ in range(12):
        with tf.GradientTape() as tape:
            value = kl()
        optimizer.apply([tape.gradient(value, share)], [share])
    assert (np.abs(share) < 0.5).all()


@pytest.mark.parametrize("name", ALL)
def test_no_parameter_is_stuck_far_out(name):
    """Each one still has a gradient of the KL, in float32, however far it strayed."""
    family = make(name)
    parts = alike(family, (2, 3))
    for index in range(len(parts)):
        far = tf.constant([[-50.0] * 3, [50.0] * 3])
        parameters = [*parts[:index], far, *parts[index + 1 :]]
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            z = family.sample_posterior(parameters, seed=0)
            kl = family.kl_divergence(parameters, z)
        assert (tape.gradient(kl, parameters)[index].numpy() != 0).all()


# Arguments of single families


@pytest.mark.parametrize("degrees", [1, 0, -3, float("nan"), float("inf")])
def test_degrees_of_freedom_without_a_mean_are_refused(degrees):
    with pytest.raises(ValueError, match=str(degrees)):
        families.StudentT(degrees)


def test_the_degrees_of_freedom_are_used_and_kept():
    family = rebuilt(families.StudentT(2.5))
    z, shares = np.linspace(-4, 4, 9), np.array([0.2, 0.7])
    expected = scipy.stats.t(2.5, 0.7).pdf(z)
    np.testing.assert_allclose(density(family, z, (0.7, 0.0)), expected, rtol=1e-10)
    expected = scipy.stats.t.ppf(shares, 2.5)
    np.testing.assert_allclose(family.prior_quantile(shares), expected)


@pytest.mark.parametrize("end", [0.0, 1.0])
def test_a_kumaraswamy_has_a_density_at_its_ends(end):
    """Rounding can put a code there."""
    family, z = families.Kumaraswamy(), tf.constant([[end]])
    for raw in itertools.product((-50.0, 0.0, 50.0), repeat=2):
        log_q = family.log_posterior(z, tensors(raw, (1, 1), "float32"))
        assert np.isfinite(log_q).all()
    assert float(family.log_prior(z)[0, 0]) == pytest.approx(0, abs=1e-5)


# The sphere

VECTORS = ([0.0, 0.0], [0.9, -1.4], [0.3, 0.5, 1.7], [-2.0, 1.0, 0.5, 0.0], [1.5] * 7)


def at_vector(vector, count=1, dtype="float64"):
    return [tf.tile(tf.constant([vector], dtype), (count, 1))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("vector", [*VECTORS, [50.0, -50.0], [1e-20, 0.0, 0.0]])
def test_samples_lie_on_the_sphere(vector, dtype):
    parameters = at_vector(vector, 10_000, dtype)
    z = families.PowerSpherical().sample_posterior(parameters, seed=0)
    np.testing.assert_allclose(np.linalg.norm(z, axis=-1), 1, atol=1e-5)


@pytest.mark.parametrize("vector", VECTORS)
def test_samples_keep_their_angle_to_the_mean_direction(vector):
    """(1 + m z) / 2 is Beta((d-1)/2 + k, (d-1)/2); what is left of z is symmetric."""
    parameters = at_vector(vector, 4000)
    z = families.PowerSpherical().sample_posterior(parameters, seed=4).numpy()
    concentration, half = np.dot(vector, vector), (len(vector) - 1) / 2
    direction = vector / np.sqrt(concentration) if concentration else np.eye(2)[0]
    cosine = z @ direction
    expected = scipy.stats.beta(half + concentration, half)
    assert scipy.stats.kstest((1 + cosine) / 2, expected.cdf).pvalue > 1e-3
    across = z - cosine[:, np.newaxis] * direction
    away = np.abs(across.mean(axis=0))
    np.testing.assert_array_less(away, 5 * standard_error(across) + 1e-9)


def circle(count=4000):
    angle = 2 * np.pi * (np.arange(count) + 0.5) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)


@pytest.mark.parametrize("vector", [vector for vector in VECTORS if len(vector) < 4])
def test_the_density_integrates_to_one_over_the_sphere(vector):
    """In three dimensions equal steps in height cut slices of equal area."""
    z, weights = circle(), np.array([2 * np.pi])
    if len(vector) == 3:
        height, steps = np.polynomial.legendre.leggauss(200)
        ring = circle(400)[:, np.newaxis] * np.sqrt(1 - height**2)[:, np.newaxis]
        tops = np.broadcast_to(height[:, np.newaxis], (400, 200, 1))
        z, weights = np.concatenate([ring, tops], axis=-1), 2 * np.pi * steps
    parameters = [tf.constant(vector, "float64")]
    log_q = families.PowerSpherical().log_posterior(tf.constant(z), parameters)
    q = np.exp(log_q.numpy())[..., 0]
    assert np.sum(weights * q.mean(axis=0)) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("vector", [*VECTORS, [8.0, 3.0, -6.0]])
def test_the_kl_on_the_sphere_is_an_integral_over_the_angle(vector):
    concentration, half = np.dot(vector, vector), (len(vector) - 1) / 2
    q, p = scipy.stats.beta(half + concentration, half), scipy.stats.beta(half, half)

    def integrand(share):
        return np.exp(q.logpdf(share)) * (q.logpdf(share) - p.logpdf(share))

    expected = integrals(integrand, [0, 0.5, 0.9, 1]).sum()
    found = families.PowerSpherical().kl_divergence(at_vector(vector))
    assert float(found[0, 0]) == pytest.approx(expected, abs=1e-6)


def test_a_sphere_needs_two_dimensions():
    family = families.PowerSpherical()
    for call in (
        lambda: family.sample_posterior([tf.zeros((3, 1))]),
        lambda: family.prior_quantile(np.array([[0.5]])),
        lambda: models.build_vae((8, 8, 1), latent_size=1, family="power_spherical"),
        lambda: make("power_spherical", latent_size=1),
    ):
        with pytest.raises(ValueError, match=r"2 latents.* 1\b"):
            call()


# Learned priors


def weights_of(family):
    """A learned prior's weights (K,), means and scales (K, d), away from the start."""
    rng = np.random.default_rng(0)
    for weight in family.trainable_variables:
        moved = weight.numpy() + 0.5 * rng.normal(size=weight.shape)
        weight.assign(np.clip(moved, 0, 1) if family.name == "vamp" else moved)
    weights, means, log_vars = family.mixture_arrays()
    return weights, means, np.exp(log_vars / 2)


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
def test_the_marginals_of_a_mixture(name):
    """Samples and quantiles of each latent are those of its one-dimensional mixture."""
    family = make(name)
    weights, means, scales = weights_of(family)
    z = family.sample_prior((4000, 3), seed=1).numpy().astype("float64")
    shares = np.random.default_rng(0).random((2, 5, 3))
    places = family.prior_quantile(shares)
    for latent in range(3):
        parts = scipy.stats.norm(means[:, latent], scales[:, latent])
        below = parts.cdf(z[:, latent, np.newaxis]) @ weights
        assert scipy.stats.kstest(below, "uniform").pvalue > 1e-3
        below = parts.cdf(places[..., latent, np.newaxis]) @ weights
        np.testing.assert_allclose(below, shares[..., latent], atol=1e-6)
    np.testing.assert_allclose(family.prior_mean(3), weights @ means, rtol=1e-5)


def test_samples_of_a_mixture_are_whole_codes():
    """Of two far components at opposite corners, no code is a bit of both."""
    family = families.MixturePriorFamily(components=2)
    names = family.parameter_names
    family.connect(models.dense_encoder((8, 8, 1), 2, names, hidden=()))
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
    family = families.VampPriorFamily(components=30)
    vae = make_vae(family=family, latent_size=3)
    family.start_from(pictures)
    mean, log_var = (
        part.astype("float64") for part in vae.posterior_arrays(pictures[:30])
    )
    z = np.random.default_rng(0).normal(size=(4, 3))
    normals = scipy.stats.norm(mean, np.exp(log_var / 2))
    expected = np.log(normals.pdf(z[:, np.newaxis]).prod(axis=-1).mean(axis=-1))
    found = family.log_prior(tf.constant(z))[:, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_pseudo_pictures_start_from_given_ones_only_if_they_fit(make_vae, pictures):
    family = make_vae(family=families.VampPriorFamily(components=30)).family
    few, low, flat = pictures[:29], pictures[:, :4], pictures[..., 0]
    for wrong in (few, low, flat, 255 * pictures, np.full((30, 8, 8, 1), np.nan)):
        with pytest.raises(ValueError, match=r"30.*\(8, 8, 1\)"):
            family.start_from(wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "own"), [("mixture", 50 * (1 + 2 + 2)), ("vamp", 3200)]
)
def test_a_learned_prior_learns_and_is_counted_once(name, own, make_vae, pictures):
    vae = make_vae(family=name)
    parts = [part.count_params() for part in (vae.encoder, vae.decoder, vae.family)]
    assert parts[2] == own
    assert sum(int(np.prod(v.shape)) for v in vae.trainable_variables) == sum(parts)
    assert vae.count_params() == sum(parts) + 1  # and the step of the KL's weight
    before = [weight.numpy() for weight in vae.family.trainable_variables]
    vae.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    vae.fit(pictures, verbose=0)
    for weight, old in zip(vae.family.trainable_variables, before, strict=True):
        assert np.abs(weight.numpy() - old).max() > 0.01
    if name == "vamp":
        assert vae.family.pictures.numpy().min() == 0
        assert vae.family.pictures.numpy().max() <= 1


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_prior_belongs_to_one_model(name, make_vae):
    family = rebuilt(CLASSES[name](components=4))
    assert family.components == 4
    with pytest.raises(ValueError, match=name):  # no weights yet
        family.log_prior(tf.zeros((1, 2)))
    make_vae(family=family)
    assert family.log_prior(tf.zeros((1, 2))).shape == (1, 1)
    with pytest.raises(ValueError, match=name):
        make_vae(family=family)
    with pytest.raises(ValueError, match="0"):
        CLASSES[name](components=0)


@pytest.mark.parametrize("name", LEARNED)
def test_a_learned_prior_refuses_another_number_of_latents(name):
    family = make(name)
    for call in (
        lambda d: family.sample_prior((5, d)),
        lambda d: family.log_prior(tf.zeros((5, d))),
        lambda d: family.prior_quantile(np.full((5, d), 0.5)),
        family.prior_mean,
        family.prior_variance,
    ):
        assert call(3).shape[-1] in (1, 3)
        for wrong in (1, 2, 4):
            with pytest.raises(ValueError, match=rf"\b3 latents.*\b{wrong}\b"):
                call(wrong)


# What the families are made of

LARGEST = float(np.nextafter(np.float32(1), np.float32(0)))  # that a uniform returns


@pytest.mark.slow
@pytest.mark.parametrize("u", [0.0, LARGEST])
@pytest.mark.parametrize("name", FACTORISED)
def test_samples_survive_the_ends_of_the_uniform(name, u, monkeypatch):
    """Whatever the noise, z, its gradient and the density there are finite."""
    monkeypatch.setattr(
        keras.random, "uniform", lambda shape, **_: tf.fill(shape, tf.constant(u))
    )
    exponential = float(families.standard_exponential((1,), "float32")[0])
    assert exponential == 0 if u == 0 else 15 < exponential < 20
    assert 0 < float(numerics.inner_uniform((1,), "float32")[0]) < 1
    family = families.get_family(name)
    for raw in itertools.product(
        (-50.0, 0.3, 50.0), repeat=len(family.parameter_names)
    ):
        parameters = tensors(raw, (1, 1), "float32")
        z = check_finite(
            lambda given: family.sample_posterior(given, seed=0), parameters
        )
        assert np.isfinite(family.log_posterior(z, parameters)).all()


POSITIVE = np.concatenate([10.0 ** np.linspace(-6, 6, 121), np.linspace(0.9, 2.1, 25)])


@pytest.mark.parametrize(
    ("dtype", "precision"), [("float64", 1e-11), ("float32", 2e-6)]
)
@pytest.mark.parametrize(
    ("name", "scipys"),
    [("log_gamma", scipy.special.gammaln), ("digamma", scipy.special.digamma)],
)
def test_the_gamma_function_is_scipys(name, scipys, dtype, precision):
    x = POSITIVE.astype(dtype)
    found = getattr(numerics, name)(tf.constant(x)).numpy()
    expected = scipys(x.astype("float64"))
    assert found.dtype == dtype
    assert (np.abs(found - expected) / (1 + np.abs(expected)) < precision).all()


@pytest.mark.parametrize(
    ("dtype", "precision"), [("float64", 1e-11), ("float32", 3e-6)]
)
def test_a_ratio_of_huge_gamma_functions_keeps_its_digits(dtype, precision):
    """ln of Gamma(x + 2) / Gamma(x) is ln of x (x + 1)."""
    x = np.array([1e-3, 0.5, 3.0, 1e3, 1e8, 1e20], dtype)
    found = numerics.log_gamma_ratio(tf.constant(x), tf.constant(2.0, dtype)).numpy()
    expected = np.log(x.astype("float64")) + np.log1p(x.astype("float64"))
    assert (np.abs(found - expected) / (1 + np.abs(expected)) < precision).all()


def value_and_slope(function, x):
    """A function of a tensor, and its gradient, as arrays."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return y.numpy(), tape.gradient(y, x).numpy()


def test_the_slopes_of_the_gamma_functions():
    for function, order in ((numerics.log_gamma, 0), (numerics.digamma, 1)):
        _, slope = value_and_slope(function, POSITIVE)
        expected = scipy.special.polygamma(order, POSITIVE)
        np.testing.assert_allclose(slope, expected, rtol=1e-8)


def test_log1mexp_keeps_its_digits_at_both_ends():
    x = -np.array([1e-20, 1e-8, 0.3, np.log(2), 1.0, 40.0, 600.0])
    expected = [np.log(1e-20), np.log(1e-8) - 0.5e-8, *np.log1p(-np.exp(x[2:-2]))]
    expected += [-np.exp(-40.0), -np.exp(-600.0)]
    found, slope = value_and_slope(numerics.log1mexp, x)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(slope, np.exp(x) / np.expm1(x), rtol=1e-9)


def test_bounds_change_nothing_inside_them():
    """Not a bit, neither of values nor of gradients."""
    x = np.array([-30.0, -10.1, -1e-30, -0.0, 0.0, 0.3, 10.1, 15.0], "float32")
    y, slope = value_and_slope(numerics.bounded, x)
    assert y.tobytes() == x.tobytes()
    assert (slope == 1).all()


def test_a_soft_bound_holds_and_lets_gradients_through():
    x = np.array([-50.0, -1.0, -0.01, 0.0, 0.01, 1.0, 50.0], "float32")
    y, slope = value_and_slope(lambda x: numerics.softly_bounded(x, -1.5, 5), x)
    assert (np.diff(y) > 0).all()
    assert -1.5 < y[0] < -1.49
    assert 4.9 < y[-1] < 5
    np.testing.assert_allclose(y[2:5], x[2:5], rtol=1e-4)
    assert (slope > 1e-6).all()
