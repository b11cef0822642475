"""Codes on the unit sphere: a uniform prior, and posteriors around a direction."""

import math

import keras
import numpy as np
import scipy.stats
from keras import ops

from helpers.engine.numerics import digamma, log_gamma_ratio, unit_vector
from helpers.families.base import Family, register


@register
class PowerSpherical(Family):
    """q on the unit sphere around a direction m, p uniform on the sphere.

    ``z_direction`` (batch, d) points along m, and its squared length is the
    concentration k: q is proportional to (1 + m z)^k, and the zero vector gives p.

    Source: De Cao and Aziz (2020), "The power spherical distribution"; the sampler is
    our own and rejects nothing. (1 + m z) / 2 is Beta((d-1)/2 + k, (d-1)/2), a product
    of Beta(., 1) and, for even d, one Beta(., 1/2), all of them functions of normals.
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
                f"the family {self.name!r} needs at least 2 latents, and got {d}: "
                "raise latent_size"
            )
        return (d - 1) / 2

    def direction_and_concentration(self, parameters):
        """Return m (batch, d) and k (batch, 1)."""
        (z_direction,) = parameters
        concentration = ops.sum(ops.square(z_direction), axis=-1, keepdims=True)
        return unit_vector(z_direction), concentration

    def sample_posterior(self, parameters, seed=None):
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
        """Return ln of a Beta((d-1)/2 + k, (d-1)/2), (batch, 1), from normals."""
        d = noise.shape[-1]
        beta, pairs = self.half_degrees(d), (d - 1) // 2
        squared = ops.square(noise)  # (batch, d)
        exponentials = 0.5 * (squared[..., :pairs] + squared[..., pairs : 2 * pairs])
        rates = concentration + beta + ops.arange(pairs, dtype=noise.dtype)
        log_share = -ops.sum(exponentials / rates, axis=-1, keepdims=True)
        if d % 2 == 0:  # Bailey's polar form of a Student t, and from it a Beta(., 1/2)
            kept, other = squared[..., -2:-1], squared[..., -1:]
            growth = ops.expm1(0.5 * (kept + other) / (concentration + beta + pairs))
            log_share -= ops.log1p(growth * kept / (kept + other))
        return log_share

    def log_posterior(self, z, parameters):
        direction, concentration = self.direction_and_concentration(parameters)
        beta = self.half_degrees(z.shape[-1])
        log_area = math.log(2) + (beta + 0.5) * math.log(math.pi)
        log_area -= math.lgamma(beta + 0.5)
        # (1 + m z) / 2, which can't round to below 0
        share = 0.25 * ops.sum(ops.square(z + direction), axis=-1, keepdims=True)
        return (
            self.log_peak(concentration, beta)
            - log_area
            + concentration * ops.log(share + 1e-30)
        )

    def log_peak(self, concentration, beta: float):
        """Return ln of q's largest value over p, (batch, 1)."""
        constant = math.lgamma(2 * beta) - math.lgamma(beta)
        return log_gamma_ratio(concentration + beta, beta) - constant

    def kl_divergence(self, parameters, z=None):
        _, concentration = self.direction_and_concentration(parameters)
        beta = self.half_degrees(parameters[0].shape[-1])
        low, high = digamma(concentration + beta), digamma(concentration + 2 * beta)
        return self.log_peak(concentration, beta) + concentration * (low - high)

    def posterior_mean(self, parameters):
        direction, concentration = self.direction_and_concentration(parameters)
        return direction * concentration / (concentration + direction.shape[-1] - 1)

    def prior_quantile(self, u):
        beta = self.half_degrees(np.shape(u)[-1])
        return 2 * scipy.stats.beta.ppf(u, beta, beta) - 1
