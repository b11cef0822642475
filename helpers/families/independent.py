"""Families whose latents are independent: one density per latent."""

import math

import keras
import numpy as np
import scipy.stats
from keras import ops

from helpers.engine.numerics import (
    bounded,
    digamma,
    inner_uniform,
    log1mexp,
    log_gamma,
    log_gamma_ratio,
    softly_bounded,
    standard_exponential,
)
from helpers.families.base import Family, register


@register
class Normal(Family):
    """q = N(z_mean, exp(z_log_var)), p = N(0, 1).

    Source: Kingma and Welling (2013), appendix B.
    """

    name = "normal"
    parameter_names = ("z_mean", "z_log_var")
    prior_parameters: tuple[float, ...] = (0.0, 0.0)
    prior_quantile = staticmethod(scipy.stats.norm.ppf)

    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_var = parameters
        noise = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=seed)
        return z_mean + ops.exp(0.5 * bounded(z_log_var)) * noise

    def log_posterior(self, z, parameters):
        z_mean, z_log_var = parameters
        squared = ops.square(z - z_mean) * ops.exp(-bounded(z_log_var))
        return -0.5 * (math.log(2 * math.pi) + z_log_var + squared)

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_var = parameters
        return 0.5 * (ops.square(z_mean) + ops.expm1(bounded(z_log_var)) - z_log_var)


@register
class Laplace(Family):
    """q = Laplace(z_mean, exp(z_log_scale)), p = Laplace(0, 1)."""

    name = "laplace"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)
    prior_quantile = staticmethod(scipy.stats.laplace.ppf)

    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        noise = standard_exponential((2, *ops.shape(z_mean)), z_mean.dtype, seed)
        first, second = ops.unstack(noise, num=2)
        return z_mean + ops.exp(bounded(z_log_scale)) * (first - second)

    def log_posterior(self, z, parameters):
        z_mean, z_log_scale = parameters
        distance = ops.abs(z - z_mean) * ops.exp(-bounded(z_log_scale))
        return -math.log(2) - z_log_scale - distance

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_scale = parameters
        distance = ops.abs(z_mean)
        inside = z_log_scale - distance * ops.exp(-bounded(z_log_scale))
        return distance + ops.exp(bounded(inside, low=-math.inf)) - 1 - z_log_scale


@register
class Logistic(Family):
    """q = Logistic(z_mean, exp(z_log_scale)), p = Logistic(0, 1); the KL is estimated.

    Tails are heavier than the normal's, lighter than Laplace's, without its kink.
    """

    name = "logistic"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)
    prior_quantile = staticmethod(scipy.stats.logistic.ppf)

    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        u = inner_uniform(ops.shape(z_mean), z_mean.dtype, seed)
        return z_mean + ops.exp(bounded(z_log_scale)) * (ops.log(u) - ops.log1p(-u))

    def log_posterior(self, z, parameters):
        z_mean, z_log_scale = parameters
        standard = (z - z_mean) * ops.exp(-bounded(z_log_scale))
        return -standard - 2 * ops.softplus(-standard) - z_log_scale


@register
class StudentT(Family):
    """q = z_mean + scale t, p = t, Student's t; the KL is estimated.

    The scale is exp(z_log_scale), softly bounded. Outliers cost little: tails fall as
    a power.

    ``degrees`` of freedom must be above 1, so that there is a mean, or ValueError.

    Source: Bailey (1994), "Polar generation of random variates with the t-distribution"
    """

    name = "student_t"
    parameter_names = ("z_mean", "z_log_scale")
    prior_parameters = (0.0, 0.0)

    def __init__(self, degrees: float = 5.0):
        if not 1 < degrees < math.inf:
            raise ValueError(f"degrees must be a number above 1, and is {degrees!r}")
        self.degrees = degrees

    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_scale = parameters
        u = inner_uniform((2, *ops.shape(z_mean)), z_mean.dtype, seed)
        radius, angle = ops.unstack(u, num=2)
        squared = self.degrees * ops.expm1(-2 / self.degrees * ops.log(radius))
        standard = ops.sqrt(squared) * ops.cos(2 * math.pi * angle)
        return z_mean + ops.exp(softly_bounded(z_log_scale, -20, 20)) * standard

    def log_posterior(self, z, parameters):
        z_mean, z_log_scale = parameters
        log_scale, half = softly_bounded(z_log_scale, -20, 20), (self.degrees + 1) / 2
        constant = math.lgamma(half) - math.lgamma(self.degrees / 2)
        constant -= 0.5 * math.log(self.degrees * math.pi)
        squared = ops.square((z - z_mean) * ops.exp(-log_scale))
        return constant - log_scale - half * ops.log1p(squared / self.degrees)

    def prior_quantile(self, u):
        return scipy.stats.t.ppf(u, self.degrees)

    def get_config(self):
        return {"degrees": self.degrees}


@register
class Exponential(Family):
    """q = Exponential of mean exp(z_log_scale), p = Exponential of mean 1; z >= 0."""

    name = "exponential"
    parameter_names: tuple[str, ...] = ("z_log_scale",)
    prior_parameters: tuple[float, ...] = (0.0,)
    prior_quantile = staticmethod(scipy.stats.expon.ppf)

    def sample_posterior(self, parameters, seed=None):
        (z_log_scale,) = parameters
        shape, dtype = ops.shape(z_log_scale), z_log_scale.dtype
        return ops.exp(bounded(z_log_scale)) * standard_exponential(shape, dtype, seed)

    def log_posterior(self, z, parameters):
        (z_log_scale,) = parameters
        inside = -z_log_scale - z * ops.exp(-bounded(z_log_scale))
        return ops.where(z < 0, -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        (z_log_scale,) = parameters
        return ops.expm1(bounded(z_log_scale)) - z_log_scale

    def posterior_mean(self, parameters):
        return ops.exp(bounded(parameters[0]))


@register
class ShiftedExponential(Exponential):
    """The family of ``Exponential``, with posteriors moved up by softplus(z_shift)."""

    name = "shifted_exponential"
    parameter_names = ("z_shift", "z_log_scale")
    prior_parameters = (-math.inf, 0.0)

    def sample_posterior(self, parameters, seed=None):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + super().sample_posterior([z_log_scale], seed)

    def log_posterior(self, z, parameters):
        z_shift, z_log_scale = parameters
        return super().log_posterior(z - ops.softplus(z_shift), [z_log_scale])

    def kl_divergence(self, parameters, z=None):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + super().kl_divergence([z_log_scale])

    def posterior_mean(self, parameters):
        z_shift, z_log_scale = parameters
        return ops.softplus(z_shift) + ops.exp(bounded(z_log_scale))


@register
class Weibull(Family):
    """q = Weibull(exp(z_log_scale), exp(z_log_shape)), p = Exponential of mean 1.

    The larger the shape, the narrower q; both are softly bounded.

    Source: Bauckhage (2013), "Computing the Kullback-Leibler divergence between two
    Weibull distributions".
    """

    name = "weibull"
    parameter_names = ("z_log_scale", "z_log_shape")
    prior_parameters = (0.0, 0.0)
    prior_quantile = staticmethod(scipy.stats.expon.ppf)

    def scale_and_shape(self, parameters):
        """Return ln of scale and shape, (batch, d), bounded so that z > 0."""
        z_log_scale, z_log_shape = parameters
        log_shape = softly_bounded(z_log_shape, -1.5, 5)
        return softly_bounded(z_log_scale, -10, 10), log_shape

    def sample_posterior(self, parameters, seed=None):
        log_scale, log_shape = self.scale_and_shape(parameters)
        u = inner_uniform(ops.shape(log_scale), log_scale.dtype, seed)
        return ops.exp(log_scale + ops.exp(-log_shape) * ops.log(-ops.log1p(-u)))

    def log_posterior(self, z, parameters):
        log_scale, log_shape = self.scale_and_shape(parameters)
        log_z = ops.log(ops.maximum(z, 1e-37))
        log_standard = ops.exp(log_shape) * (log_z - log_scale)
        far = ops.exp(bounded(log_standard, -math.inf, 60))
        inside = log_shape - log_z + log_standard - far
        return ops.where(z < 0, -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        log_scale, log_shape = self.scale_and_shape(parameters)
        gap = np.euler_gamma * ops.expm1(-log_shape)
        return gap - log_scale + log_shape + self.posterior_mean(parameters) - 1

    def posterior_mean(self, parameters):
        log_scale, log_shape = self.scale_and_shape(parameters)
        return ops.exp(log_scale + log_gamma(1 + ops.exp(-log_shape)))


@register
class Kumaraswamy(Family):
    """q = Kumaraswamy(a, b), much like a beta distribution, p uniform; 0 < z < 1.

    a is exp(z_log_shape), and b puts the median at sigmoid(z_location); all softly
    bounded, and samples kept off the ends.

    Source: Nalisnick and Smyth (2017), "Stick-breaking variational autoencoders".
    """

    name = "kumaraswamy"
    parameter_names = ("z_location", "z_log_shape")
    prior_parameters = (0.0, 0.0)
    prior_quantile = staticmethod(scipy.stats.uniform.ppf)

    def shapes(self, parameters):
        """Return ln a and ln b, (batch, d)."""
        z_location, z_log_shape = parameters
        log_a = softly_bounded(z_log_shape, -1.5, 5)
        log_median = -ops.softplus(-softly_bounded(z_location, -10, 5))
        # ln of median^a: the bound keeps b below e^60, and is exact for the prior's 1/2
        doubled = softly_bounded(ops.exp(log_a) * log_median + math.log(2), -60, 60)
        log_power = doubled - math.log(2)
        return log_a, math.log(math.log(2)) - ops.log(-log1mexp(log_power))

    def sample_posterior(self, parameters, seed=None):
        log_a, log_b = self.shapes(parameters)
        u = inner_uniform(ops.shape(log_a), log_a.dtype, seed)
        z = ops.exp(ops.exp(-log_a) * log1mexp(ops.exp(-log_b) * ops.log1p(-u)))
        return ops.clip(z, 1e-30, 1 - 1e-7)

    def log_posterior(self, z, parameters):
        log_a, log_b = self.shapes(parameters)
        log_z = ops.log(ops.clip(z, 1e-37, 1))
        log_power = ops.minimum(ops.exp(log_a) * log_z, -1e-30)
        # without the maximum, gradients overflow
        far = ops.maximum(ops.expm1(log_b) * log1mexp(log_power), -1e10)
        inside = log_a + log_b + log_power - log_z + far
        return ops.where((z < 0) | (z > 1), -math.inf, inside)

    def kl_divergence(self, parameters, z=None):
        log_a, log_b = self.shapes(parameters)
        tilt = np.euler_gamma + digamma(1 + ops.exp(log_b))
        return log_a + log_b + ops.expm1(-log_a) * tilt + ops.expm1(-log_b)

    def posterior_mean(self, parameters):
        log_a, log_b = self.shapes(parameters)
        step = ops.exp(-log_a)
        return ops.exp(log_gamma(1 + step) - log_gamma_ratio(1 + ops.exp(log_b), step))
