"""Faults to plant: layers that look right, and what else goes wrong with VAEs.

They pass the checks of ``helpers``, as a reader's own layers might. The families have
no name of their own, so that no registry knows them.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math

import keras
from keras import ops

from helpers.families import Normal
from helpers.likelihoods import Bernoulli, Gaussian


class MeanOfLatents(Normal):
    """The KL is averaged over latents."""

    def kl_divergence(self, parameters, z=None):
        kl = super().kl_divergence(parameters, z)
        return kl / kl.shape[-1]


class WrongSign(Normal):
    """The logarithm in the KL has the wrong sign."""

    def kl_divergence(self, parameters, z=None):
        z_mean, z_log_var = parameters
        return 0.5 * (ops.square(z_mean) + ops.exp(z_log_var) - 1 + z_log_var)


class VarianceForDeviation(Normal):
    """The noise is multiplied by the variance."""

    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_var = parameters
        noise = keras.random.normal(ops.shape(z_mean), seed=seed)
        return z_mean + ops.exp(ops.clip(z_log_var, -30, 30)) * noise


class NoNoise(Normal):
    """Codes are posterior means."""

    def sample_posterior(self, parameters, seed=None):
        return parameters[0] + 0 * parameters[1]


def averaged(likelihood: type) -> type:
    """Return a likelihood whose distortion is a mean over values."""

    class Averaged(likelihood):
        def negative_log_likelihood(self, x, output):
            nats = super().negative_log_likelihood(x, output)
            return nats / math.prod(x.shape[1:])

    return Averaged


MeanBernoulli, MeanGaussian = averaged(Bernoulli), averaged(Gaussian)


class Squash(keras.layers.Layer):
    """A sigmoid, or a hyperbolic tangent, in a layer of another name."""

    def __init__(self, function: str = "sigmoid", **kwargs):
        super().__init__(**kwargs)
        self.function = function

    def call(self, outputs):
        return getattr(ops, self.function)(outputs)


class Positive(keras.layers.Layer):
    """What is negative becomes zero."""

    def call(self, values):
        return ops.relu(values)
