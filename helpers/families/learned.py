"""Families with a learned prior: normal posteriors under a mixture trained with the VAE."""

import math

import keras
import numpy as np
import scipy.special
import scipy.stats
from keras import ops

from helpers.families.base import Family, register
from helpers.families.independent import Normal


class LearnedPriorFamily(keras.layers.Layer, Normal):
    """A normal posterior under a prior that is a mixture of normals, trained with the
    VAE.

    A Keras layer, so that its weights are trained and saved with the model's.
    Subclasses give ``mixture``, and make their weights in ``connect``.

    Args:
        components: K, the number of normals in the mixture, at least 1.

    Raises:
        ValueError: ``components`` is below 1; the prior is used before it is connected,
            or connected twice.
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

    def log_posterior(self, z, parameters):
        """Return ln q(z|x) in nats a code, shape (batch, 1)."""
        return ops.sum(super().log_posterior(z, parameters), axis=-1, keepdims=True)

    kl_divergence = Family.kl_divergence

    def log_prior(self, z):
        """Return ln p(z) in nats a code, shape (batch, 1).

        A component is a density of whole codes: sum over the latents first, then mix.
        """
        log_weights, means, log_vars = (
            ops.cast(p, z.dtype) for p in self.checked_mixture()
        )
        each = super().log_posterior(ops.expand_dims(z, -2), [means, log_vars])
        return ops.logsumexp(
            log_weights + ops.sum(each, axis=-1), axis=-1, keepdims=True
        )

    def sample_prior(self, shape, seed=None):
        log_weights, means, log_vars = self.checked_mixture()
        if shape[-1] != means.shape[-1]:
            raise ValueError(
                f"shape must end in {means.shape[-1]} latents, and is {shape}"
            )
        noise = keras.random.SeedGenerator(seed) if isinstance(seed, int) else seed
        count = math.prod(shape[:-1])
        chosen = keras.random.categorical(
            ops.expand_dims(log_weights, 0), count, seed=noise
        )[0]
        parameters = [ops.take(part, chosen, axis=0) for part in (means, log_vars)]
        return ops.reshape(self.sample_posterior(parameters, noise), shape)

    def prior_mean(self, latent_size):
        weights, means, _ = self.mixture_arrays()
        return weights @ means

    def prior_quantile(self, u):
        weights, means, log_vars = self.mixture_arrays()
        u, scales = np.asarray(u, "float64"), np.exp(log_vars / 2)
        if u.shape[-1:] != means.shape[1:]:
            raise ValueError(
                f"u must have shape (..., {means.shape[1]}), and has {u.shape}"
            )
        each = means + scales * scipy.special.ndtri(u)[..., np.newaxis, :]
        low, high = (
            each.min(axis=-2),
            each.max(axis=-2),
        )  # the mixture's lies between its parts'
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
        self.logits = self.add_weight(
            shape=shape[:1], initializer="zeros", name="logits"
        )
        self.means = self.add_weight(shape=shape, initializer=spread, name="means")
        self.log_vars = self.add_weight(
            shape=shape, initializer=narrow, name="log_vars"
        )

    def mixture(self):
        return ops.log_softmax(self.logits), self.means, self.log_vars


class UnitRange(keras.constraints.Constraint):
    """Keep weights in [0, 1]; Keras before 3.15 takes no plain function for this."""

    def __call__(self, value):
        return ops.clip(value, 0, 1)


@register
class VampPriorFamily(LearnedPriorFamily):
    """q normal, p the mean of the encoder's own posteriors at K learned
    pseudo-pictures.

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
        """Put the first K of some real pictures (n, height, width, channels) in their
        place.

        Raises:
            ValueError: they are fewer than K, of another shape, or not in [0, 1].
        """
        self.checked_mixture()
        pictures, shape = (
            np.asarray(pictures)[: self.components],
            tuple(self.pictures.shape),
        )
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
