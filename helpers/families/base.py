"""The contract of a latent family, the registry, and how Keras saves its parts."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


def serialized(parts: dict) -> dict:
    """Return Keras objects as plain dictionaries; numbers and strings stay."""
    return {
        key: keras.saving.serialize_keras_object(part) for key, part in parts.items()
    }


def restored(value: Any) -> Any:
    """Undo ``serialized`` for one value; what is no Keras object passes through."""
    is_object = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if is_object else value


class Family:
    """A prior p(z) over codes of d latents, and the posteriors q(z|x) that go with it.

    What holds for every family:

    - A posterior's parameters are unbounded tensors (batch, d), one for each of
      ``parameter_names``; scales and shapes travel as logarithms.
    - ``prior_parameters`` are the values at which q is p, () where no q is.
    - ``log_posterior``, ``log_prior`` and ``kl_divergence`` are in nats: one value per
      latent, (batch, d), if latents are independent (``factorised``), else one value
      per code, (batch, 1). Summed over the last axis, both are those of the whole code.
    - Samples, densities, means, quantiles and divergences agree. For parameters and
      codes within +-10,000 all of them and their gradients are finite in float32.
    - ``latent_size`` is d. ValueError says which d, where a family has no such codes.

    To add a family, write a subclass with ``name``, ``parameter_names``,
    ``prior_parameters``, ``sample_posterior``, ``log_posterior`` and
    ``prior_quantile``, and with ``posterior_mean`` and ``kl_divergence`` where those
    here don't fit; put ``register`` above it, so that it can be saved, and import it in
    ``helpers.families``. Tests, tables and figures find it through ``registry``.
    """

    name: str
    parameter_names: tuple[str, ...]
    prior_parameters: tuple[float, ...]
    factorised: bool = True

    def connect(self, encoder: keras.Model) -> None:
        """Take what the prior needs from the encoder; a ``VAE`` calls this once."""

    def sample_posterior(self, parameters: Sequence, seed=None):
        """Return z ~ q(z|x), (batch, d), differentiable in the parameters."""
        raise NotImplementedError

    def log_posterior(self, z, parameters: Sequence):
        """Return ln q(z|x) of codes (batch, d)."""
        raise NotImplementedError

    def posterior_mean(self, parameters: Sequence):
        """Return the mean of q(z|x), (batch, d): here the first parameter."""
        return parameters[0]

    def kl_divergence(self, parameters: Sequence, z=None):
        """Return KL(q(z|x), p(z)): here its one-sample estimate at ``z`` ~ q(z|x)."""
        return self.log_posterior(z, parameters) - self.log_prior(z)

    def sample_prior(self, shape: Sequence[int], seed=None):
        """Return z ~ p(z) of the given shape, (..., d)."""
        return self.sample_posterior(
            [ops.full(shape, value) for value in self.prior_parameters], seed
        )

    def log_prior(self, z):
        """Return ln p(z) of codes (batch, d)."""
        return self.log_posterior(
            z, [ops.full_like(z, value) for value in self.prior_parameters]
        )

    def prior_quantile(self, u: np.ndarray) -> np.ndarray:
        """Return the z below which shares ``u`` of each latent's prior lie, 0 < u < 1.

        Both are (..., d): the last axis runs over the latents.
        """
        raise NotImplementedError

    def prior_mean(self, latent_size: int) -> np.ndarray:
        """Return the mean of each latent under p(z), (d,)."""
        parameters = [ops.full((latent_size,), p) for p in self.prior_parameters]
        return ops.convert_to_numpy(self.posterior_mean(parameters))

    def prior_variance(self, latent_size: int) -> np.ndarray:
        """Return each latent's variance under p(z), (d,), from a thousand quantiles."""
        shares = (np.arange(1000)[:, np.newaxis] + 0.5) / 1000
        return np.var(self.prior_quantile(np.tile(shares, latent_size)), axis=0)

    def get_config(self) -> dict:
        """Return the arguments that rebuild this family."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Family":
        """Rebuild a family from ``get_config``'s answer."""
        return cls(**config)


def registry() -> dict[str, type[Family]]:
    """Return every family class by name: each subclass with a ``name`` of its own."""
    found = list(Family.__subclasses__())
    for family in found:  # grows while read: a family may have its own
        found += family.__subclasses__()
    return {family.name: family for family in found if "name" in vars(family)}


def get_family(family: str | Family) -> Family:
    """Return the family of that name; a ``Family`` passes through.

    Raises:
        ValueError: no family has that name.
    """
    if isinstance(family, Family):
        return family
    if family not in registry():
        raise ValueError(
            f"family must be one of {sorted(registry())}, and is {family!r}"
        )
    return registry()[family]()
