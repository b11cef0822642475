"""A conditional VAE: encoder and decoder are given the class, the code is the rest.

Everything that takes pictures ``x`` of a VAE takes pairs (pictures, labels) here:
``fit``, ``evaluate``, ``encode``, ``training.train`` and ``metrics.elbo``.
"""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from helpers.engine import checked
from helpers.families.base import register
from helpers.models.autoencoder import in_batches
from helpers.models.vae import VAE


@register
class ConditionalVAE(VAE):
    """(x, y) -> q(z|x, y) -> z -> p(x|z, y), with the same loss as a VAE.

    Pictures are (n, height, width, channels) in [0, 1], labels (n,) integers from 0 on.

    Source: Sohn, Lee and Yan (2015), "Learning structured output representation using
    deep conditional generative models"; the prior does not depend on the class here.

    Args:
        encoder: flat pictures and the one-hot class to the posterior's parameters.
        decoder: codes and the one-hot class to unbounded pixels.
        family, likelihood, beta: those of ``VAE``.

    Raises:
        ValueError: encoder and decoder expect different numbers of classes, or none.
    """

    @property
    def latent_size(self) -> int:
        """The number of latents, d."""
        return self.encoder.outputs[0].shape[-1]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self.decoder.input_shape[-1] - self.latent_size

    def check_encoder(self) -> None:
        super().check_encoder()
        pixels = math.prod(self.decoder.output_shape[1:])
        found = math.prod(self.encoder.input_shape[1:]) - pixels
        if found != self.classes or found < 1:
            raise ValueError(
                "encoder and decoder must take as many classes behind pixels and code, "
                f"at least 1, and take {found} and {self.classes}"
            )

    def check_picture_shape(self) -> None:
        """The encoder takes flat pictures, with the class: see ``check_encoder``."""

    def with_class(self, array, labels):
        """Return arrays (n, ...) flattened, with the one-hot labels behind them."""
        flat = ops.reshape(checked.float32(array), (-1, math.prod(array.shape[1:])))
        labels = ops.cast(labels, "int32")
        return ops.concatenate([flat, ops.one_hot(labels, self.classes)], axis=1)

    def posterior(self, x) -> list:
        return keras.tree.flatten(self.encoder(self.encoder_inputs(*pair(x))))

    def posterior_arrays(self, x) -> list[np.ndarray]:
        inputs = ops.convert_to_numpy(self.encoder_inputs(*self.checked(x)))
        return keras.tree.flatten(in_batches(self.encoder, inputs))

    def encoder_inputs(self, pictures, labels):
        """Return the features of pictures, with the one-hot labels behind them."""
        return self.with_class(self.likelihood.features(pictures), labels)

    def call(self, x, training=False):
        pictures, labels = pair(x)
        parameters = self.posterior(x)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        outputs = self.decoder(self.with_class(z, labels))
        return self.likelihood(pictures, outputs, training=training)

    def decode(  # type: ignore[override]
        self, z: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Return pictures (n, height, width, channels) of codes and labels (n,)."""
        z = checked.codes(z, self.latent_size)
        labels = checked.labels(labels, len(z), self.classes)
        return super().decode(ops.convert_to_numpy(self.with_class(z, labels)))

    def reconstruct(self, x) -> np.ndarray:
        return self.decode(self.encode(x), x[1])

    def generate(  # type: ignore[override]
        self, labels: np.ndarray, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Return a mean picture per label (n,), of codes from the prior, as ``VAE``.

        Raises:
            ValueError: labels are a number, or none of the model's.
        """
        if np.ndim(labels) != 1:
            raise ValueError(
                "a conditional VAE draws a picture for each label (n,), and got "
                f"{labels!r}: ten of class 3 are generate(np.full(10, 3))"
            )
        return self.decode(self.prior_codes(len(labels), temperature, seed), labels)

    def checked(self, x: Any, **options) -> tuple:
        """Return (pictures, labels); ValueError unless each picture has a class."""
        pictures, labels = pair(x)
        pictures = super().checked(pictures, **options)
        return pictures, checked.labels(labels, len(pictures), self.classes)


def pair(x: Any) -> tuple:
    """Return (pictures, labels), or raise ValueError."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise ValueError(
            f"a conditional VAE takes x = (pictures, labels), and got {type(x)}"
        )
    return x[0], x[1]
