"""The latent families: a prior p(z) and the posteriors q(z|x) that go with it.

A family describes d independent latents. Its posterior has one or more parameters a latent, which
an encoder emits as unbounded tensors of shape (batch, d); scales travel as logarithms, so that no
value is out of range and no gradient dies at a clamp. Densities and divergences are in nats, one
value a latent: sum over the last axis for the whole code.

To add a family, subclass ``Family`` and register it for saving, as those below do; tests and
figures find it through ``families()``.
"""

import math
from collections.abc import Sequence

import keras
import numpy as np
import scipy.stats
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


class Family:
    """A prior and its posterior family.

    Subclasses give ``name``, ``parameter_names``, ``prior_parameters`` (the parameters at which the
    posterior is the prior), ``sample``, ``log_prob``, ``mean`` and ``prior_quantile``, and
    ``kl_divergence`` where it has a closed form.
    """

    name: str
    parameter_names: tuple[str, ...]
    prior_parameters: tuple[float, ...]

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
        """Return the z below which a share ``u`` of the prior lies; 0 < u < 1, any shape."""
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
        """Return z ~ p(z) of the given shape."""
        return self.sample([ops.full(shape, value) for value in self.prior_parameters], seed)

    @property
    def prior_mean(self) -> float:
        """The mean of p(z) in each latent."""
        return float(self.mean([ops.full((), value) for value in self.prior_parameters]))

    def get_config(self) -> dict:
        """Return the arguments that rebuild this family."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Family":
        """Rebuild a family from ``get_config``'s answer."""
        return cls(**config)


@register
class Normal(Family):
    """q = N(z_mean, exp(z_log_var)), p = N(0, 1): Kingma and Welling (2013), appendix B."""

    name = "normal"
    parameter_names = ("z_mean", "z_log_var")
    prior_parameters = (0.0, 0.0)

    def sample(self, parameters, seed=None):
        z_mean, z_log_var = parameters
        return z_mean + ops.exp(0.5 * z_log_var) * keras.random.normal(
            ops.shape(z_mean), dtype=z_mean.dtype, seed=seed
        )

    def log_prob(self, z, parameters):
        z_mean, z_log_var = parameters
        squared = ops.square(z - z_mean) * ops.exp(-z_log_var)
        return -0.5 * (math.log(2 * math.pi) + z_log_var + squared)

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_var = parameters
        return 0.5 * (ops.square(z_mean) + ops.expm1(z_log_var) - z_log_var)

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
        return z_mean + ops.exp(z_log_scale) * (first - second)

    def log_prob(self, z, parameters):
        z_mean, z_log_scale = parameters
        return -math.log(2) - z_log_scale - ops.abs(z - z_mean) * ops.exp(-z_log_scale)

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_scale = parameters
        distance = ops.abs(z_mean)
        inside = z_log_scale - distance * ops.exp(-z_log_scale)
        return distance + ops.exp(inside) - 1 - z_log_scale

    def mean(self, parameters):
        return parameters[0]

    def prior_quantile(self, u):
        return scipy.stats.laplace.ppf(u)


@register
class Exponential(Family):
    """q = Exponential with mean exp(z_log_scale), p = Exponential with mean 1; z >= 0."""

    name = "exponential"
    parameter_names = ("z_log_scale",)
    prior_parameters = (0.0,)

    def sample(self, parameters, seed=None):
        (z_log_scale,) = parameters
        return ops.exp(z_log_scale) * standard_exponential(
            ops.shape(z_log_scale), z_log_scale.dtype, seed
        )

    def log_prob(self, z, parameters):
        (z_log_scale,) = parameters
        inside = -z_log_scale - z * ops.exp(-z_log_scale)
        return ops.where(z < 0, -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        (z_log_scale,) = parameters
        return ops.expm1(z_log_scale) - z_log_scale

    def mean(self, parameters):
        return ops.exp(parameters[0])

    def prior_quantile(self, u):
        return scipy.stats.expon.ppf(u)


def standard_exponential(shape, dtype, seed=None):
    """Return samples of Exponential(1), finite for every value ``keras.random.uniform`` returns.

    The uniform includes 0 and excludes 1, so -ln(1 - u) is finite where -ln(u) is not.
    """
    return -ops.log1p(-keras.random.uniform(shape, dtype=dtype, seed=seed))


def families() -> dict[str, type[Family]]:
    """Return every family by name, in order of definition."""
    found = list(Family.__subclasses__())
    for family in found:  # grows while it is read: families may have families of their own
        found += family.__subclasses__()
    return {family.name: family for family in found}


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
