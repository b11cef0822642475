"""Families whose prior is a mixture of normals, trained with the VAE."""

import math

import keras
import numpy as np
import scipy.special
from keras import ops

from helpers.families.base import Family, register
from helpers.families.independent import Normal


class LearnedPriorFamily(keras.layers.Layer, Normal):
    """Normal posteriors under a prior that is a mixture of normals.

    A Keras layer, so that its weights are trained and saved with the model's.
    Subclasses give ``mixture``, and make their weights in ``connect``.

    Args:
        components: K, the number of normals in the mixture, at least 1.

    Raises:
        ValueError: ``components`` is below 1; the prior is used before it is connected,
            connected twice, or asked for codes of another d than the encoder's.
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
                f"this family {self.name!r} belongs to a model already: give each "
                "model its own"
            )
        self.built = True

    def mixture(self):
        """Return ln of the weights (K,), the means and the log-variances (K, d)."""
        raise NotImplementedError

    def checked_mixture(self, latent_size: int | None = None):
        """Return ``mixture``, or raise ValueError: none yet, or one of another d."""
        if not self.built:
            raise ValueError(
                f"the family {self.name!r} has no weights yet: make a VAE with it, or "
                "call connect(encoder)"
            )
        parts = self.mixture()
        own = parts[1].shape[-1]
        if latent_size not in (None, own):
            raise ValueError(
                f"this family {self.name!r} has {own} latents, and was asked for "
                f"{latent_size}"
            )
        return parts

    def mixture_arrays(self, latent_size: int | None = None) -> list[np.ndarray]:
        """Return ``mixture`` in float64, but the weights, not their logarithms."""
        parts = map(ops.convert_to_numpy, self.checked_mixture(latent_size))
        log_weights, means, log_vars = (part.astype("float64") for part in parts)
        return [np.exp(log_weights), means, log_vars]

    def log_posterior(self, z, parameters):
        return ops.sum(super().log_posterior(z, parameters), axis=-1, keepdims=True)

    kl_divergence = Family.kl_divergence

    def log_prior(self, z):
        parts = self.checked_mixture(z.shape[-1])
        log_weights, means, log_vars = (ops.cast(part, z.dtype) for part in parts)
        # a component is a density of whole codes: sum over the latents, then mix
        each = super().log_posterior(ops.expand_dims(z, -2), [means, log_vars])
        codes = log_weights + ops.sum(each, axis=-1)  # (batch, K, d) -> (batch, K)
        return ops.logsumexp(codes, axis=-1, keepdims=True)

    def sample_prior(self, shape, seed=None):
        log_weights, means, log_vars = self.checked_mixture(shape[-1])
        noise = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        count = math.prod(shape[:-1])
        chosen = keras.random.categorical(log_weights[None], count, seed=noise)[0]
        parameters = [ops.take(part, chosen, axis=0) for part in (means, log_vars)]
        return ops.reshape(self.sample_posterior(parameters, noise), shape)

    def prior_mean(self, latent_size):
        weights, means, _ = self.mixture_arrays(latent_size)
        return weights @ means

    def prior_quantile(self, u):
        u = np.atleast_1d(np.asarray(u, "float64"))
        weights, means, log_vars = self.mixture_arrays(u.shape[-1])
        scales = np.exp(log_vars / 2)
        # the mixture's quantiles lie between those of its parts, (..., K, d)
        each = means + scales * scipy.special.ndtri(u)[..., np.newaxis, :]
        low, high = each.min(axis=-2), each.max(axis=-2)
        for _ in range(60):
            middle = (low + high) / 2
            below = scipy.special.ndtr((middle[..., np.newaxis, :] - means) / scales)
            too_low = np.einsum("k,...kd->...d", weights, below) < u
            low, high = np.where(too_low, middle, low), np.where(too_low, high, middle)
        return (low + high) / 2

    def get_config(self):
        return {**super().get_config(), "components": self.components}


@register
class MixturePriorFamily(LearnedPriorFamily):
    """q normal, p a mixture of normals with learned weights, means and variances.

    It starts as a cover of N(0, I): means of variance 1/2, components of variance 1/2.
    """

    name = "mixture"

    def connect(self, encoder):
        super().connect(encoder)
        shape = (self.components, encoder.outputs[0].shape[-1])
        spread = keras.initializers.RandomNormal(stddev=math.sqrt(0.5))
        narrow = keras.initializers.Constant(math.log(0.5))
        self.logits = self.add_weight(shape[:1], "zeros", name="logits")
        self.means = self.add_weight(shape, spread, name="means")
        self.log_vars = self.add_weight(shape, narrow, name="log_vars")

    def mixture(self):
        return ops.log_softmax(self.logits), self.means, self.log_vars


class UnitRange(keras.constraints.Constraint):
    """Keep weights in [0, 1]; Keras before 3.15 takes no plain function for this."""

    def __call__(self, value):
        return ops.clip(value, 0, 1)


@register
class VampPriorFamily(LearnedPriorFamily):
    """q normal, p the mean of the posteriors at K learned pseudo-pictures.

    They lie in [0, 1], those of data of any other kind too.

    Source: Tomczak and Welling (2018), "VAE with a VampPrior".
    """

    name = "vamp"

    def connect(self, encoder):
        super().connect(encoder)
        self.pictures = self.add_weight(
            (self.components, *encoder.input_shape[1:]),
            smooth_noise,
            constraint=UnitRange(),
            name="pictures",
        )
        # in a function, or Keras takes the encoder's weights for this layer's own
        self.encode_pictures = lambda: encoder(self.pictures)

    def mixture(self):
        means, log_vars = self.encode_pictures()
        return ops.full((self.components,), -math.log(self.components)), means, log_vars

    def start_from(self, pictures: np.ndarray) -> None:
        """Start from the first K of real pictures (n, height, width, channels).

        Raises:
            ValueError: they are fewer than K, of another shape, or not in [0, 1].
        """
        self.checked_mixture()
        pictures, shape = np.asarray(pictures)[: self.components], self.pictures.shape
        low, high = pictures.min(), pictures.max()
        if pictures.shape != tuple(shape) or not 0 <= low <= high <= 1:
            raise ValueError(
                f"pictures must be at least {shape[0]} of shape {shape[1:]} in [0, 1], "
                f"and have shape {pictures.shape} and span [{low:g}, {high:g}]"
            )
        self.pictures.assign(pictures)


def smooth_noise(shape, dtype=None):
    """Return soft random blobs in [0, 1], (n, height, width, channels); else noise."""
    if len(shape) != 4:
        return keras.random.uniform(shape, dtype=dtype)
    count, height, width, channels = shape
    coarse = keras.random.uniform((count, 4, 4, channels), dtype=dtype)
    return ops.image.resize(coarse, (height, width), data_format="channels_last")
