"""``VAE``: an encoder, a family, a decoder and a likelihood, trained on the ELBO."""

import math

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from helpers.families import Family, get_family
from helpers.families.base import register, serialized
from helpers.layers import KLDivergence, Sampling
from helpers.likelihoods import Likelihood, ReportingModel, get_likelihood
from helpers.models.autoencoder import EncoderDecoder, in_batches


@register
class VAE(EncoderDecoder, ReportingModel):
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z), for beta rate + distortion.

    ``fit(x)``, with no targets, since the target is x; training and validation report
    ``loss``, ``rate`` (the KL) and ``distortion`` (the negative log-likelihood), in
    nats per picture. ``predict(x)`` returns the mean pictures, in [0, 1], of sampled
    codes.

    Source: Kingma and Welling (2013), equation 10.

    Args:
        encoder: pictures to the posterior's parameters, one output for each of the
            family's ``parameter_names``, in that order.
        decoder: codes to unbounded pixels (logits) of the pictures' shape.
        family: a family or its name.
        likelihood: a likelihood layer, ``"bernoulli"`` or ``"gaussian"``.
        beta: the weight of the KL, or a schedule of it (see ``KLDivergence``).

    Raises:
        ValueError: the encoder's outputs don't fit the family or the decoder.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        family: str | Family = "normal",
        likelihood: str | Likelihood = "bernoulli",
        beta: float | LearningRateSchedule = 1.0,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.family = get_family(family)
        self.likelihood = get_likelihood(likelihood)
        self.sampling = Sampling(self.family)
        self.kl_divergence = KLDivergence(self.family, beta)
        self.check_encoder()
        self.family.connect(encoder)

    def check_encoder(self) -> None:
        """Raise ValueError unless encoder, family and decoder fit together."""
        names = self.family.parameter_names
        shapes = [output.shape for output in self.encoder.outputs]
        if len(shapes) != len(names) or any(s[-1] != self.latent_size for s in shapes):
            raise ValueError(
                f"for the family {self.family.name!r} and this decoder an encoder must "
                f"return {names}, each (batch, {self.latent_size}), not {shapes}"
            )

    def posterior(self, x) -> list:
        """Return q(z|x)'s parameters, one tensor (batch, d) for each of their names."""
        return keras.tree.flatten(self.encoder(x))

    def posterior_arrays(self, x: np.ndarray) -> list[np.ndarray]:
        """Return ``posterior`` of pictures of any number as arrays (n, d)."""
        return keras.tree.flatten(in_batches(self.encoder, self.checked(x)))

    def call(self, x, training=False):
        parameters = self.posterior(x)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        return self.likelihood(x, self.decoder(z), training=training)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return posterior means (n, d) of pictures (n, height, width, channels)."""
        parameters = [ops.convert_to_tensor(p) for p in self.posterior_arrays(x)]
        return ops.convert_to_numpy(self.family.posterior_mean(parameters))

    def to_pictures(self, outputs):
        return self.likelihood.mean(outputs)

    def generate(
        self, count: int, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Return mean pictures (count, height, width, channels) of the prior's codes.

        ``temperature`` scales the codes' distance from the prior's mean; on the sphere,
        whose mean is its centre, any other than 1 leaves the sphere and asks for what
        training never saw.

        Raises:
            ValueError: ``count`` is below 1, or ``temperature`` below 0.
        """
        return self.decode(self.prior_codes(count, temperature, seed))

    def prior_codes(self, count: int, temperature: float, seed: int) -> np.ndarray:
        """Return codes (count, d) for ``generate``."""
        if count < 1 or not 0 <= temperature < math.inf:
            raise ValueError(
                "generate needs at least 1 picture and a temperature from 0 on, and "
                f"got {count} and {temperature!r}"
            )
        z = self.family.sample_prior((count, self.latent_size), seed)
        middle = self.family.prior_mean(self.latent_size)
        return middle + temperature * (ops.convert_to_numpy(z) - middle)

    def prior_quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Return z (n, d) below which ``shares`` (n,) of each latent's prior lie."""
        each = np.tile(np.reshape(shares, (-1, 1)), self.latent_size)
        return np.asarray(self.family.prior_quantile(each), "float32")

    def get_config(self) -> dict:
        beta = self.kl_divergence.beta
        parts = {"family": self.family, "likelihood": self.likelihood, "beta": beta}
        return {**super().get_config(), **serialized(parts)}
