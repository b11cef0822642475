"""The latent families: a prior p(z) and the posteriors q(z|x) that go with it.

A family describes codes of d latents. Its posterior has one or more parameters, which
an encoder emits as unbounded tensors of shape (batch, d); scales and shapes travel as
logarithms, so that no value is out of range. Exponents far out are bounded, and no
gradient dies there: for parameters and codes within +-10,000 all values and gradients
are finite in float32.

Densities and divergences are in nats. Where the latents are independent
(``factorised``) they are one value a latent, (batch, d); where they are not, one value
a code, (batch, 1). Summing over the last axis gives the whole code either way.

To add a family, subclass ``Family`` and register it for saving, as those below do;
tests and figures find it through ``registry()``.
"""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


class Family:
    """A prior and its posterior family.

    Subclasses give ``name``, ``parameter_names``, ``prior_parameters`` (the values at
    which the posterior is the prior; empty if there are none), ``sample_posterior``,
    ``log_posterior``, ``posterior_mean`` and ``prior_quantile``, and ``kl_divergence``
    where it has a closed form. Shapes below are those of independent latents; other
    families return (batch, 1) in place of densities (batch, d).
    """

    name: str
    parameter_names: tuple[str, ...]
    prior_parameters: tuple[float, ...]
    factorised: bool = True

    def connect(self, encoder: keras.Model) -> None:
        """Take what the prior needs from the encoder; a ``VAE`` calls this once, when
        it is made.

        Fixed priors need nothing; learned ones make their weights here.
        """

    def sample_posterior(self, parameters: Sequence, seed=None):
        """Return z ~ q(z|x) of shape (batch, d), differentiable in the parameters."""
        raise NotImplementedError

    def log_posterior(self, z, parameters: Sequence):
        """Return ln q(z|x) in nats a latent, shape (batch, d)."""
        raise NotImplementedError

    def posterior_mean(self, parameters: Sequence):
        """Return the mean of q(z|x), shape (batch, d)."""
        raise NotImplementedError

    def prior_quantile(self, u: np.ndarray) -> np.ndarray:
        """Return the z below which shares ``u`` of each latent's prior lie, 0 < u < 1.

        ``u`` and z are (..., d): in every family the last axis runs over the latents.
        """
        raise NotImplementedError

    def kl_divergence(self, parameters: Sequence, z):
        """Return KL(q(z|x), p(z)) in nats a latent, shape (batch, d).

        Without a closed form this is the one-sample estimate at ``z`` ~ q(z|x).
        """
        return self.log_posterior(z, parameters) - self.log_prior(z)

    def log_prior(self, z):
        """Return ln p(z) in nats a latent, the shape of ``z``."""
        return self.log_posterior(
            z, [ops.full_like(z, value) for value in self.prior_parameters]
        )

    def sample_prior(self, shape: Sequence[int], seed=None):
        """Return z ~ p(z) of the given shape, (..., d)."""
        return self.sample_posterior(
            [ops.full(shape, value) for value in self.prior_parameters], seed
        )

    def prior_mean(self, latent_size: int) -> np.ndarray:
        """Return the mean of each latent under p(z), (d,)."""
        parameters = [ops.full((latent_size,), p) for p in self.prior_parameters]
        return ops.convert_to_numpy(self.posterior_mean(parameters))

    def prior_variance(self, latent_size: int) -> np.ndarray:
        """Return the variance of each latent under p(z), (d,), from a thousand quantiles."""
        shares = (np.arange(1000) + 0.5) / 1000
        return np.var(
            self.prior_quantile(np.tile(shares[:, np.newaxis], latent_size)), axis=0
        )

    def get_config(self) -> dict:
        """Return the arguments that rebuild this family."""
        return {}

    @classmethod
    def from_config(cls, config: dict) -> "Family":
        """Rebuild a family from ``get_config``'s answer."""
        return cls(**config)


def registry() -> dict[str, type[Family]]:
    """Return every family by name, in order of definition: each class with a name of its own."""
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
