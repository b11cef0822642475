"""A conditional VAE: the class of a picture is given to encoder and decoder, the code
is the rest.

Everything that takes pictures ``x`` of a VAE takes pairs (pictures, labels) here:
``fit``, ``evaluate``, ``encode``, ``training.train`` and ``metrics.elbo``.
"""

import math

import numpy as np
from keras import ops

from helpers.likelihoods import Likelihood
from helpers.models.autoencoder import (
    checked_codes,
    checked_pictures,
    in_batches,
    register,
)
from helpers.models.networks import Shape, dense_decoder, dense_encoder
from helpers.models.vae import VAE


@register
class ConditionalVAE(VAE):
    """(x, y) -> q(z|x, y) -> z -> p(x|z, y), with the same loss as a VAE.

    Labels are integers from 0 on, (n,); pictures are (n, height, width, channels) in
    [0, 1].

    Source: Sohn, Lee and Yan (2015), "Learning structured output representation using
        deep
    conditional generative models"; the prior does not depend on the class here.

    Args:
        encoder: flat pictures with the one-hot class behind them to the posterior's
            parameters.
        decoder: codes with the one-hot class behind them to unbounded pixels.

    The others are those of ``VAE``.

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
        """Raise ValueError unless encoder, family and decoder fit together."""
        super().check_encoder()
        pixels = math.prod(self.decoder.output_shape[1:])
        found = math.prod(self.encoder.input_shape[1:]) - pixels
        if found != self.classes or found < 1:
            raise ValueError(
                "encoder and decoder must take the same number of classes, at least 1, behind "
                f"pixels and code, and take {found} and {self.classes}: see build_conditional_vae"
            )

    def with_class(self, array, labels):
        """Return arrays (n, ...) flattened, with the one-hot labels behind them."""
        flat = ops.reshape(array, (-1, math.prod(array.shape[1:])))
        return ops.concatenate([flat, ops.one_hot(labels, self.classes)], axis=1)

    def posterior(self, x):
        return super().posterior(self.with_class(*x))

    def posterior_arrays(self, x):
        inputs = ops.convert_to_numpy(self.with_class(*self.checked(x)))
        parameters = in_batches(self.encoder, inputs)
        return parameters if isinstance(parameters, list) else [parameters]

    def call(self, x, training=False):
        pictures, labels = x
        parameters = self.posterior(x)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        outputs = self.decoder(self.with_class(z, labels))
        return self.likelihood(pictures, outputs, training=training)

    def decode(self, z: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the pictures (n, height, width, channels) of codes (n, d) in classes (n,)."""
        z = np.asarray(checked_codes(z, self.latent_size), "float32")
        labels = self.checked_labels(labels, len(z))
        return super().decode(ops.convert_to_numpy(self.with_class(z, labels)))

    def reconstruct(self, x):
        """Return the decoded codes of (pictures, labels), in [0, 1]."""
        return self.decode(self.encode(x), x[1])

    def generate(
        self, labels: np.ndarray, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Return a mean picture for each label (n,), of codes from the prior.

        ``temperature`` scales the codes' distance from the prior's mean.

        Raises:
            ValueError: no labels, or ``temperature`` is below 0.
        """
        return self.decode(self.prior_codes(len(labels), temperature, seed), labels)

    def checked(self, x) -> tuple[np.ndarray, np.ndarray]:
        """Return (pictures, labels), or raise ValueError unless each picture has a class."""
        if not isinstance(x, tuple | list) or len(x) != 2:
            raise ValueError(
                f"a conditional VAE takes the tuple (pictures, labels), and got {type(x)}: where "
                "a VAE takes x, give it (x, y)"
            )
        pictures = checked_pictures(x[0], self.decoder.output_shape[1:])
        return pictures, self.checked_labels(x[1], len(pictures))

    def checked_labels(self, labels: np.ndarray, count: int) -> np.ndarray:
        """Return labels (count,) as an array, or raise ValueError."""
        labels = np.asarray(labels)
        if labels.shape != (count,) or not np.isin(labels, range(self.classes)).all():
            raise ValueError(
                f"labels must be {count} integers from 0 to {self.classes - 1}, one for each "
                f"picture or code, and have shape {labels.shape} and values {np.unique(labels)}"
            )
        return labels


def build_conditional_vae(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 16,
    classes: int = 10,
    likelihood: str | Likelihood = "bernoulli",
    beta=1.0,
    hidden: tuple[int, ...] = (512, 512, 512),
) -> ConditionalVAE:
    """Return an untrained, dense conditional VAE with a normal prior.

    Args:
        hidden: units of the encoder's hidden layers; the decoder has them in reverse
            order.

    The others are those of ``VAE``, and so are the errors.
    """
    names = ("z_mean", "z_log_var")
    inputs = (math.prod(image_shape) + classes,)
    return ConditionalVAE(
        dense_encoder(inputs, latent_size, names, hidden),
        dense_decoder(image_shape, latent_size + classes, hidden[::-1]),
        "normal",
        likelihood,
        beta,
    )
