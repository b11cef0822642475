"""The latent families: a prior p(z) and the posteriors q(z|x) that go with it.

A family describes codes of d latents. Its posterior has one or more parameters, which an encoder
emits as unbounded tensors of shape (batch, d); scales and shapes travel as logarithms, so that no
value is out of range. Exponents far out are bounded, and no gradient dies there: for parameters and
codes within +-10,000 all values and gradients are finite in float32.

Densities and divergences are in nats. Where the latents are independent (``factorised``) they are
one value a latent, (batch, d); where they are not, one value a code, (batch, 1). Summing over the
last axis gives the whole code either way.

To add a family, subclass ``Family`` and register it for saving, as those below do; tests and
figures find it through ``families()``.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
import scipy.special
import scipy.stats
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


class Family:
    """A prior and its posterior family.

    Subclasses give ``name``, ``parameter_names``, ``prior_parameters`` (the values at which the
    posterior is the prior; empty if there are none), ``sample``, ``log_prob``, ``mean`` and
    ``prior_quantile``, and ``kl_divergence`` where it has a closed form. Shapes below are those of
    independent latents; other families return (batch, 1) in place of densities (batch, d).
    """

    name: str
    parameter_names: tuple[str, ...]
    prior_parameters: tuple[float, ...]
    factorised: bool = True

    def connect(self, encoder: keras.Model) -> None:
        """Take what the prior needs from the encoder; a ``VAE`` calls this once, when it is made.

        Fixed priors need nothing; learned ones make their weights here.
        """

    def sample(self, parameters: Sequence, seed=None):
        """Return z ~ q(z|x) of shape (batch, d), differentiable in the parameters."""
        raise NotImplementedError

    def log_prob(self, z, parameters: Sequence):
        """Return ln q(z|x) in nats a latent, shape (batch, d)."""
        raise NotImplementedError

    def mean(self, parameters: Sequence):
        """Return the mean of q(z|x), shape (batch, d)."""
        raise NotImplementedError

    def prior_quantile(self, u: np.ndarray) -> np.ndarray:
        """Return the z below which shares ``u`` of each latent's prior lie, 0 < u < 1.

        ``u`` and z are (..., d); independent latents are all alike, so there any shape will do.
        """
        raise NotImplementedError

    def kl_divergence(self, parameters: Sequence, z):
        """Return KL(q(z|x), p(z)) in nats a latent, shape (batch, d).

        Without a closed form this is the one-sample estimate at ``z`` ~ q(z|x).
        """
        return self.log_prob(z, parameters) - self.log_prior(z)

    def log_prior(self, z):
        """Return ln p(z) in nats a latent, the shape of ``z``."""
        return self.log_prob(z, [ops.full_like(z, value) for value in self.prior_parameters])

    def sample_prior(self, shape: Sequence[int], seed=None):
        """Return z ~ p(z) of the given shape, (..., d)."""
        return self.sample([ops.full(shape, value) for value in self.prior_parameters], seed)

    @property
    def prior_mean(self) -> float | np.ndarray:
        """The mean of p(z): of each latent, or an array (d,) for a learned prior."""
        return float(self.mean([ops.full((), value) for value in self.prior_parameters]))

    def prior_variance(self, latent_size: int) -> np.ndarray:
        """Return the variance of each latent under p(z), (d,), from a thousand quantiles."""
        shares = (np.arange(1000) + 0.5) / 1000
        return np.var(self.prior_quantile(np.tile(shares[:, np.newaxis], latent_size)), axis=0)

    def get_config(self) -> dict:
        """Return the arguments that rebuild this family."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Family":
        """Rebuild a family from ``get_config``'s answer."""
        return cls(**config)


# Independent latents


@register
class Normal(Family):
    """q = N(z_mean, exp(z_log_var)), p = N(0, 1): Kingma and Welling (2013), appendix B."""

    name = "normal"
    parameter_names = ("z_mean", "z_log_var")
    prior_parameters = (0.0, 0.0)

    def sample(self, parameters, seed=None):
        z_mean, z_log_var = parameters
        return z_mean + ops.exp(0.5 * bounded(z_log_var)) * keras.random.normal(
            ops.shape(z_mean), dtype=z_mean.dtype, seed=seed
        )

    def log_prob(self, z, parameters):
        z_mean, z_log_var = parameters
        squared = ops.square(z - z_mean) * ops.exp(-bounded(z_log_var))
        return -0.5 * (math.log(2 * math.pi) + z_log_var + squared)

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_var = parameters
        return 0.5 * (ops.square(z_mean) + ops.expm1(bounded(z_log_var)) - z_log_var)

    def mean(self, parameters):
        return parameters[0]

    def prior_quantile(self, u):
        return scipy.stats.norm.ppf(u)


@register
class Laplace(Family):
    """q = Laplace(z_mean, exp(z_log_scale)), p = Laplace(0, 1)."""

    name = "laplace"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)

    def sample(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        shape = (2, *ops.shape(z_mean))
        first, second = ops.unstack(standard_exponential(shape, z_mean.dtype, seed), num=2)
        return z_mean + ops.exp(bounded(z_log_scale)) * (first - second)

    def log_prob(self, z, parameters):
        z_mean, z_log_scale = parameters
        return -math.log(2) - z_log_scale - ops.abs(z - z_mean) * ops.exp(-bounded(z_log_scale))

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_scale = parameters
        distance = ops.abs(z_mean)
        inside = z_log_scale - distance * ops.exp(-bounded(z_log_scale))
        return distance + ops.exp(bounded(inside, low=-math.inf)) - 1 - z_log_scale

    def mean(self, parameters):
        return parameters[0]

    def prior_quantile(self, u):
        return scipy.stats.laplace.ppf(u)


@register
class Logistic(Family):
    """q = Logistic(z_mean, exp(z_log_scale)), p = Logistic(0, 1); the KL is estimated.

    Heavier tails than the normal's, lighter than Laplace's, and no kink at the mean.
    """

    name = "logistic"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)

    def sample(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        u = inner_uniform(ops.shape(z_mean), z_mean.dtype, seed)
        return z_mean + ops.exp(bounded(z_log_scale)) * (ops.log(u) - ops.log1p(-u))

    def log_prob(self, z, parameters):
        z_mean, z_log_scale = parameters
        standard = (z - z_mean) * ops.exp(-bounded(z_log_scale))
        return -standard - 2 * ops.softplus(-standard) - z_log_scale

    def mean(self, parameters):
        return parameters[0]

    def prior_quantile(self, u):
        return scipy.stats.logistic.ppf(u)


@register
class StudentT(Family):
    """q = z_mean + scale t, p = t, Student's with fixed degrees of freedom; the KL is estimated.

    The scale is exp(z_log_scale), softly bounded. Tails fall as a power: outliers cost little.

    Args:
        degrees: degrees of freedom, above 1, so that there is a mean.

    Raises:
        ValueError: ``degrees`` is not above 1.

    Source: Bailey (1994), "Polar generation of random variates with the t-distribution".
    """

    name = "student_t"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)

    def __init__(self, degrees: float = 5.0):
        if not 1 < degrees < math.inf:
            raise ValueError(f"degrees must be a number above 1, and is {degrees!r}")
        self.degrees = degrees

    def sample(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        shape = (2, *ops.shape(z_mean))
        radius, angle = ops.unstack(inner_uniform(shape, z_mean.dtype, seed), num=2)
        squared = self.degrees * ops.expm1(-2 / self.degrees * ops.log(radius))
        standard = ops.sqrt(squared) * ops.cos(2 * math.pi * angle)
        return z_mean + ops.exp(softly_bounded(z_log_scale, -20, 20)) * standard

    def log_prob(self, z, parameters):
        z_mean, z_log_scale = parameters
        log_scale, half = softly_bounded(z_log_scale, -20, 20), (self.degrees + 1) / 2
        constant = math.lgamma(half) - math.lgamma(self.degrees / 2)
        constant -= 0.5 * math.log(self.degrees * math.pi)
        squared = ops.square((z - z_mean) * ops.exp(-log_scale))
        return constant - log_scale - half * ops.log1p(squared / self.degrees)

    def mean(self, parameters):
        return parameters[0]

    def prior_quantile(self, u):
        return scipy.stats.t.ppf(u, self.degrees)

    def get_config(self):
        return {"degrees": self.degrees}


@register
class Exponential(Family):
    """q = Exponential with mean exp(z_log_scale), p = Exponential with mean 1; z >= 0."""

    name = "exponential"
    parameter_names = ("z_log_scale",)
    prior_parameters = (0.0,)

    def sample(self, parameters, seed=None):
        (z_log_scale,) = parameters
        return ops.exp(bounded(z_log_scale)) * standard_exponential(
            ops.shape(z_log_scale), z_log_scale.dtype, seed
        )

    def log_prob(self, z, parameters):
        (z_log_scale,) = parameters
        inside = -z_log_scale - z * ops.exp(-bounded(z_log_scale))
        return ops.where(z < 0, -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        (z_log_scale,) = parameters
        return ops.expm1(bounded(z_log_scale)) - z_log_scale

    def mean(self, parameters):
        return ops.exp(bounded(parameters[0]))

    def prior_quantile(self, u):
        return scipy.stats.expon.ppf(u)


@register
class ShiftedExponential(Exponential):
    """q = softplus(z_shift) + Exponential with mean exp(z_log_scale), p = Exponential with mean 1.

    The prior of ``Exponential`` with a posterior whose mode can move away from 0.
    """

    name = "shifted_exponential"
    parameter_names = ("z_shift", "z_log_scale")
    prior_parameters = (-math.inf, 0.0)

    def sample(self, parameters, seed=None):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + super().sample([z_log_scale], seed)

    def log_prob(self, z, parameters):
        z_shift, z_log_scale = parameters
        return super().log_prob(z - ops.softplus(z_shift), [z_log_scale])

    def kl_divergence(self, parameters, z=None):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + super().kl_divergence([z_log_scale])

    def mean(self, parameters):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + ops.exp(bounded(z_log_scale))


@register
class Weibull(Family):
    """q = Weibull with scale exp(z_log_scale) and shape exp(z_log_shape), p = Exponential(1).

    The larger the shape, the narrower q; both are softly bounded. Source of the KL: Bauckhage
    (2013), "Computing the Kullback-Leibler divergence between two Weibull distributions".
    """

    name = "weibull"
    parameter_names = ("z_log_scale", "z_log_shape")
    prior_parameters = (0.0, 0.0)

    def scale_and_shape(self, parameters):
        """Return ln of the scale and ln of the shape, (batch, d), bounded so that z > 0."""
        z_log_scale, z_log_shape = parameters
        return softly_bounded(z_log_scale, -10, 10), softly_bounded(z_log_shape, -1.5, 5)

    def sample(self, parameters, seed=None):
        log_scale, log_shape = self.scale_and_shape(parameters)
        u = inner_uniform(ops.shape(log_scale), log_scale.dtype, seed)
        return ops.exp(log_scale + ops.exp(-log_shape) * ops.log(-ops.log1p(-u)))

    def log_prob(self, z, parameters):
        log_scale, log_shape = self.scale_and_shape(parameters)
        log_z = ops.log(ops.maximum(z, 1e-37))
        log_standard = ops.exp(log_shape) * (log_z - log_scale)
        far = ops.exp(bounded(log_standard, -math.inf, 60))
        inside = log_shape - log_z + log_standard - far
        return ops.where(z < 0, -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        log_scale, log_shape = self.scale_and_shape(parameters)
        gap = np.euler_gamma * ops.expm1(-log_shape)
        return gap - log_scale + log_shape + self.mean(parameters) - 1

    def mean(self, parameters):
        log_scale, log_shape = self.scale_and_shape(parameters)
        return ops.exp(log_scale + log_gamma(1 + ops.exp(-log_shape)))

    def prior_quantile(self, u):
        return scipy.stats.expon.ppf(u)


@register
class Kumaraswamy(Family):
    """q = Kumaraswamy(a, b), much like a beta distribution, p uniform; 0 < z < 1.

    a is exp(z_log_shape), and b puts the median at sigmoid(z_location); all softly bounded, and
    samples kept off the ends.

    Source: Kumaraswamy (1980); Nalisnick and Smyth (2017), "Stick-breaking variational
    autoencoders", for the reparameterisation and the KL.
    """

    name = "kumaraswamy"
    parameter_names = ("z_location", "z_log_shape")
    prior_parameters = (0.0, 0.0)

    def shapes(self, parameters):
        """Return ln a and ln b, (batch, d)."""
        z_location, z_log_shape = parameters
        log_a = softly_bounded(z_log_shape, -1.5, 5)
        log_median = -ops.softplus(-softly_bounded(z_location, -10, 5))
        # ln of median^a; the bound keeps b below e^60, and is exact for the prior's ln(1/2)
        log_power = softly_bounded(ops.exp(log_a) * log_median + math.log(2), -60, 60) - math.log(2)
        return log_a, math.log(math.log(2)) - ops.log(-log1mexp(log_power))

    def sample(self, parameters, seed=None):
        log_a, log_b = self.shapes(parameters)
        u = inner_uniform(ops.shape(log_a), log_a.dtype, seed)
        z = ops.exp(ops.exp(-log_a) * log1mexp(ops.exp(-log_b) * ops.log1p(-u)))
        return ops.clip(z, 1e-30, 1 - 1e-7)

    def log_prob(self, z, parameters):
        log_a, log_b = self.shapes(parameters)
        log_z = ops.log(ops.clip(z, 1e-37, 1))
        log_power = ops.minimum(ops.exp(log_a) * log_z, -1e-30)
        far = ops.maximum(ops.expm1(log_b) * log1mexp(log_power), -1e10)  # or gradients overflow
        inside = log_a + log_b + log_power - log_z + far
        return ops.where((z < 0) | (z > 1), -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        log_a, log_b = self.shapes(parameters)
        tilt = np.euler_gamma + digamma(1 + ops.exp(log_b))
        return log_a + log_b + ops.expm1(-log_a) * tilt + ops.expm1(-log_b)

    def mean(self, parameters):
        log_a, log_b = self.shapes(parameters)
        step = ops.exp(-log_a)
        return ops.exp(log_gamma(1 + step) - log_gamma_ratio(1 + ops.exp(log_b), step))

    def prior_quantile(self, u):
        return scipy.stats.uniform.ppf(u)


# Latents that depend on each other


@register
class PowerSpherical(Family):
    """q on the unit sphere in d dimensions, around a mean direction; p is uniform on it.

    ``z_direction`` (batch, d) points in the mean direction m, and its squared length is the
    concentration k: q is proportional to (1 + m z)^k, and the zero vector gives the prior.

    Source: De Cao and Aziz (2020), "The power spherical distribution". The sampler is our own and
    uses no rejection: (1 + m z) / 2 is Beta((d-1)/2 + k, (d-1)/2), a product of independent
    Beta(., 1) and, for even d, one Beta(., 1/2), all of them functions of normals.
    """

    name = "power_spherical"
    parameter_names = ("z_direction",)
    prior_parameters = (0.0,)
    factorised = False

    def connect(self, encoder):
        self.half_degrees(encoder.outputs[0].shape[-1])

    def half_degrees(self, d: int) -> float:
        """Return (d - 1) / 2, or raise ValueError: a sphere needs two dimensions."""
        if d < 2:
            raise ValueError(
                f"the prior {self.name!r} needs at least 2 latents, and got {d}: raise latent_size"
            )
        return (d - 1) / 2

    def direction_and_concentration(self, parameters):
        """Return m (batch, d) and k (batch, 1)."""
        (z_direction,) = parameters
        concentration = ops.sum(ops.square(z_direction), axis=-1, keepdims=True)
        return unit_vector(z_direction), concentration

    def sample(self, parameters, seed=None):
        direction, concentration = self.direction_and_concentration(parameters)
        shape = (*ops.shape(direction)[:-1], 2 * direction.shape[-1])
        noise = keras.random.normal(shape, dtype=direction.dtype, seed=seed)
        first, second = ops.split(noise, 2, axis=-1)
        log_share = self.log_beta(concentration, first)
        along = ops.sum(direction * second, axis=-1, keepdims=True)
        across = unit_vector(second - along * direction)
        share, rest = ops.exp(log_share), -ops.expm1(log_share)
        z = (share - rest) * direction + 2 * ops.sqrt(share * rest) * across
        return unit_vector(z)  # but for rounding it is one already

    def log_beta(self, concentration, noise):
        """Return ln of a Beta((d-1)/2 + k, (d-1)/2), (batch, 1), from normals (batch, d)."""
        d = noise.shape[-1]
        beta, pairs = self.half_degrees(d), (d - 1) // 2
        squared = ops.square(noise)
        exponentials = 0.5 * (squared[..., :pairs] + squared[..., pairs : 2 * pairs])
        rates = concentration + beta + ops.arange(pairs, dtype=noise.dtype)
        log_share = -ops.sum(exponentials / rates, axis=-1, keepdims=True)
        if d % 2 == 0:  # Bailey's polar form of a Student t, and from it a Beta(., 1/2)
            kept, other = squared[..., -2:-1], squared[..., -1:]
            growth = ops.expm1(0.5 * (kept + other) / (concentration + beta + pairs))
            log_share -= ops.log1p(growth * kept / (kept + other))
        return log_share

    def log_prob(self, z, parameters):
        """Return ln q(z|x) in nats a code, shape (batch, 1), of codes on the sphere."""
        direction, concentration = self.direction_and_concentration(parameters)
        beta = self.half_degrees(z.shape[-1])
        # (1 + m z) / 2, which can't round to below 0
        share = 0.25 * ops.sum(ops.square(z + direction), axis=-1, keepdims=True)
        return (
            self.log_peak(concentration, beta)
            - self.log_area(beta)
            + concentration * ops.log(share + 1e-30)
        )

    def log_peak(self, concentration, beta: float):
        """Return ln of q's largest value over p, (batch, 1)."""
        constant = math.lgamma(2 * beta) - math.lgamma(beta)
        return log_gamma_ratio(concentration + beta, beta) - constant

    def log_area(self, beta: float) -> float:
        """Return ln of the sphere's area."""
        return math.log(2) + (beta + 0.5) * math.log(math.pi) - math.lgamma(beta + 0.5)

    def kl_divergence(self, parameters, z=None):
        _, concentration = self.direction_and_concentration(parameters)
        beta = self.half_degrees(parameters[0].shape[-1])
        low, high = digamma(concentration + beta), digamma(concentration + 2 * beta)
        return self.log_peak(concentration, beta) + concentration * (low - high)

    def mean(self, parameters):
        direction, concentration = self.direction_and_concentration(parameters)
        return direction * concentration / (concentration + direction.shape[-1] - 1)

    @property
    def prior_mean(self):
        return 0.0

    def prior_quantile(self, u):
        beta = self.half_degrees(np.shape(u)[-1])
        return 2 * scipy.stats.beta.ppf(u, beta, beta) - 1


class LearnedPrior(keras.layers.Layer, Normal):
    """A normal posterior under a prior that is a mixture of normals, trained with the VAE.

    A Keras layer, so that its weights are trained and saved with the model's. Subclasses give
    ``mixture``, and make their weights in ``connect``.

    Args:
        components: K, the number of normals in the mixture, at least 1.

    Raises:
        ValueError: ``components`` is below 1; the prior is used before it is connected, or
            connected twice.
    """

    factorised = False
    prior_parameters = ()  # no one normal is the mixture

    def __init__(self, components: int = 50, **kwargs):
        if components < 1:
            raise ValueError(f"components must be at least 1, and is {components!r}")
        super().__init__(**{"name": type(self).name, **kwargs})
        self.components = components

    def connect(self, encoder):
        if self.built:
            raise ValueError(
                f"this prior {self.name!r} belongs to a model already: give each model its own"
            )
        self.built = True

    def mixture(self):
        """Return ln of the components' weights (K,), their means and log-variances (K, d)."""
        raise NotImplementedError

    def checked_mixture(self):
        """Return ``mixture``, or raise ValueError if there is none yet."""
        if not self.built:
            raise ValueError(
                f"the prior {self.name!r} has no weights yet: make a VAE with it, or call "
                "connect(encoder)"
            )
        return self.mixture()

    def mixture_arrays(self) -> list[np.ndarray]:
        """Return ``mixture`` as float64 arrays, the weights themselves instead of logarithms."""
        parts = [ops.convert_to_numpy(part) for part in self.checked_mixture()]
        log_weights, means, log_vars = (part.astype("float64") for part in parts)
        return [np.exp(log_weights), means, log_vars]

    def log_prob(self, z, parameters):
        """Return ln q(z|x) in nats a code, shape (batch, 1)."""
        return ops.sum(super().log_prob(z, parameters), axis=-1, keepdims=True)

    kl_divergence = Family.kl_divergence

    def log_prior(self, z):
        """Return ln p(z) in nats a code, shape (batch, 1).

        A component is a density of whole codes: sum over the latents first, then mix.
        """
        log_weights, means, log_vars = (ops.cast(p, z.dtype) for p in self.checked_mixture())
        each = super().log_prob(ops.expand_dims(z, -2), [means, log_vars])
        return ops.logsumexp(log_weights + ops.sum(each, axis=-1), axis=-1, keepdims=True)

    def sample_prior(self, shape, seed=None):
        log_weights, means, log_vars = self.checked_mixture()
        if shape[-1] != means.shape[-1]:
            raise ValueError(f"shape must end in {means.shape[-1]} latents, and is {shape}")
        noise = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        count = math.prod(shape[:-1])
        chosen = keras.random.categorical(ops.expand_dims(log_weights, 0), count, seed=noise)[0]
        parameters = [ops.take(part, chosen, axis=0) for part in (means, log_vars)]
        return ops.reshape(self.sample(parameters, noise), shape)

    @property
    def prior_mean(self):
        weights, means, _ = self.mixture_arrays()
        return weights @ means

    def prior_quantile(self, u):
        weights, means, log_vars = self.mixture_arrays()
        u, scales = np.asarray(u, "float64"), np.exp(log_vars / 2)
        if u.shape[-1:] != means.shape[1:]:
            raise ValueError(f"u must have shape (..., {means.shape[1]}), and has {u.shape}")
        each = means + scales * scipy.special.ndtri(u)[..., np.newaxis, :]
        low, high = each.min(axis=-2), each.max(axis=-2)  # the mixture's lies between its parts'
        for _ in range(60):
            middle = (low + high) / 2
            below = scipy.special.ndtr((middle[..., np.newaxis, :] - means) / scales)
            too_low = np.einsum("k,...kd->...d", weights, below) < u
            low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
        return (low + high) / 2

    def get_config(self):
        return {**super().get_config(), "components": self.components}


@register
class MixtureOfGaussians(LearnedPrior):
    """q normal, p a mixture of normals with learned weights, means and variances.

    It starts as a cover of N(0, I): means of variance 1/2, components of variance 1/2.
    """

    name = "mixture"

    def connect(self, encoder):
        super().connect(encoder)
        shape = (self.components, encoder.outputs[0].shape[-1])
        spread = keras.initializers.RandomNormal(stddev=math.sqrt(0.5))
        narrow = keras.initializers.Constant(math.log(0.5))
        self.logits = self.add_weight(shape=shape[:1], initializer="zeros", name="logits")
        self.means = self.add_weight(shape=shape, initializer=spread, name="means")
        self.log_vars = self.add_weight(shape=shape, initializer=narrow, name="log_vars")

    def mixture(self):
        return ops.log_softmax(self.logits), self.means, self.log_vars


class UnitRange(keras.constraints.Constraint):
    """Keep weights in [0, 1]; Keras before 3.15 takes no plain function for this."""

    def __call__(self, value):
        return ops.clip(value, 0, 1)


@register
class VampPrior(LearnedPrior):
    """q normal, p the mean of the encoder's own posteriors at K learned pseudo-pictures.

    Source: Tomczak and Welling (2018), "VAE with a VampPrior".
    """

    name = "vamp"

    def connect(self, encoder):
        super().connect(encoder)
        self.pictures = self.add_weight(
            shape=(self.components, *encoder.input_shape[1:]),
            initializer=smooth_noise,
            constraint=UnitRange(),
            name="pictures",
        )
        # a function, so that Keras doesn't take the encoder's weights for this layer's own
        self.encode_pictures = lambda: encoder(self.pictures)

    def mixture(self):
        means, log_vars = self.encode_pictures()
        return ops.full((self.components,), -math.log(self.components)), means, log_vars

    def start_from(self, pictures: np.ndarray) -> None:
        """Put the first K of some real pictures (n, height, width, channels) in their place.

        Raises:
            ValueError: they are fewer than K, of another shape, or not in [0, 1].
        """
        self.checked_mixture()
        pictures, shape = np.asarray(pictures)[: self.components], tuple(self.pictures.shape)
        if pictures.shape != shape or not (pictures.min() >= 0 and pictures.max() <= 1):
            raise ValueError(
                f"pictures must be at least {shape[0]} of shape {shape[1:]} in [0, 1], and those "
                f"given have shape {pictures.shape} and span [{pictures.min():g}, "
                f"{pictures.max():g}]"
            )
        self.pictures.assign(pictures)


def smooth_noise(shape, dtype=None):
    """Return pictures of soft random blobs in [0, 1], of shape (n, height, width, channels)."""
    count, height, width, channels = shape
    coarse = keras.random.uniform((count, 4, 4, channels), dtype=dtype)
    return ops.image.resize(coarse, (height, width), data_format="channels_last")


# What the families are made of


def standard_exponential(shape, dtype, seed=None):
    """Return samples of Exponential(1), finite for every value ``keras.random.uniform`` returns.

    The uniform includes 0 and excludes 1, so -ln(1 - u) is finite where -ln(u) is not.
    """
    return -ops.log1p(-keras.random.uniform(shape, dtype=dtype, seed=seed))


def inner_uniform(shape, dtype, seed=None):
    """Return samples of the uniform on (0, 1), both ends excluded: 0 becomes half a float step."""
    return ops.maximum(keras.random.uniform(shape, dtype=dtype, seed=seed), 2.0**-24)


def bounded(x, low: float = -30.0, high: float = 15.0):
    """Return x held in [low, high], with the gradient of x itself: for exponents.

    Inside, nothing changes. Far outside, exp(x) would overflow, and a plain clip has no gradient,
    so that a posterior that once leapt there would stay. This one calls it back: the gradient of a
    KL is as large as at the bound, and no larger.
    """
    return x - ops.stop_gradient(x - ops.clip(x, low, high))


def softly_bounded(x, low: float, high: float):
    """Return x bent into (low, high), low < 0 < high: like x near 0, and with no dead gradient."""
    squared = ops.square(ops.relu(x) / high) + ops.square(ops.relu(-x) / low)
    return x / ops.sqrt(1 + squared)


def unit_vector(x):
    """Return x (..., d) divided by its length; a zero vector gets a direction too."""
    x = x + 1e-12
    return x / ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True))


def log1mexp(x):
    """Return ln(1 - exp(x)), x < 0, without loss of digits at either end.

    Source: Maechler (2012), "Accurately computing log(1 - exp(-|a|))".
    """
    near_zero = x > -math.log(2)
    near, far = ops.where(near_zero, x, -1.0), ops.where(near_zero, -1.0, x)
    return ops.where(near_zero, ops.log(-ops.expm1(near)), ops.log1p(-ops.exp(far)))


SHIFT = 8  # how far recurrences carry x before the asymptotic series, which need it large


def log_gamma(x):
    """Return ln Gamma(x), x > 0."""
    return log_gamma_ratio(ops.ones_like(x), x) - ops.log(x)


def log_gamma_ratio(x, step):
    """Return ln Gamma(x + step) - ln Gamma(x), x > 0 and x + step > 0, precise for large x too.

    Source: Stirling's series, Abramowitz and Stegun (1964), 6.1.15 and 6.1.41.
    """
    far = x + SHIFT
    recurrence = sum(ops.log1p(step / (x + index)) for index in range(SHIFT))
    leading = (far - 0.5) * ops.log1p(step / far) + step * ops.log(far + step) - step
    return leading - recurrence + stirling_tail(far + step) - stirling_tail(far)


def stirling_tail(x):
    """Return what Stirling's formula leaves out of ln Gamma(x), for x of 8 or more."""
    inverse = ops.square(1 / x)
    series = 1 / 1260 + inverse * (-1 / 1680 + inverse / 1188)
    return (1 / 12 + inverse * (-1 / 360 + inverse * series)) / x


def digamma(x):
    """Return the derivative of ln Gamma(x), x > 0.

    Source: Abramowitz and Stegun (1964), 6.3.5 and 6.3.18.
    """
    far = x + SHIFT
    inverse = ops.square(1 / far)
    series = 1 / 252 + inverse * (-1 / 240 + inverse / 132)
    tail = inverse * (1 / 12 + inverse * (-1 / 120 + inverse * series))
    return ops.log(far) - 0.5 / far - tail - sum(1 / (x + index) for index in range(SHIFT))


def families() -> dict[str, type[Family]]:
    """Return every family by name, in order of definition: each class with a name of its own."""
    found = list(Family.__subclasses__())
    for family in found:  # grows while it is read: families may have families of their own
        found += family.__subclasses__()
    return {family.name: family for family in found if "name" in vars(family)}


def get_family(family: str | Family) -> Family:
    """Return the family of that name; a ``Family`` passes through.

    Raises:
        ValueError: no family has that name.
    """
    if isinstance(family, Family):
        return family
    if family not in families():
        raise ValueError(f"prior must be one of {sorted(families())}, and is {family!r}")
    return families()[family]()
