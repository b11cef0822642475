"""``VAE``: an encoder, a family, a decoder and a likelihood, trained on the ELBO."""

import math

import keras
import numpy as np
from keras import ops

from helpers.families import Family, get_family
from helpers.layers import KLDivergence, Sampling
from helpers.likelihoods import Likelihood, MeanOfCalls, get_likelihood
from helpers.models.autoencoder import EncoderDecoder, in_batches, register, serialized


@register
class VAE(EncoderDecoder):
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z), trained on beta rate +
    distortion.

    ``fit(x)``, with no targets, since the target is x; training and validation report
    ``loss``, ``rate`` (the KL) and ``distortion`` (the negative log-likelihood), in
    nats a picture. ``predict(x)`` returns the mean pictures, in [0, 1], of sampled
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
        beta=1.0,
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
        names, shapes = (
            self.family.parameter_names,
            [t.shape for t in self.encoder.outputs],
        )
        if len(shapes) != len(names) or any(s[-1] != self.latent_size for s in shapes):
            raise ValueError(
                f"the encoder must return {names}, each (batch, {self.latent_size}) as the decoder "
                f"expects for the prior {self.family.name!r}, and returns {shapes}"
            )

    def posterior(self, x) -> list:
        """Return the parameters of q(z|x), one tensor (batch, d) for each name of the family."""
        parameters = self.encoder(x)
        return parameters if isinstance(parameters, list) else [parameters]

    def call(self, x, training=False):
        parameters = self.posterior(x)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        return self.likelihood(x, self.decoder(z), training=training)

    def compute_loss(self, *args, **kwargs):
        """Return the losses' sum, and count rate and distortion where a call can't: on JAX."""
        for metric in self.metrics:
            if isinstance(metric, MeanOfCalls):
                metric.count_waiting()
        return super().compute_loss(*args, **kwargs)

    def encode(self, x):
        """Return the posterior means (n, d) of pictures (n, height, width, channels)."""
        parameters = [ops.convert_to_tensor(p) for p in self.posterior_arrays(x)]
        return ops.convert_to_numpy(self.family.posterior_mean(parameters))

    def posterior_arrays(self, x: np.ndarray) -> list[np.ndarray]:
        """Return ``posterior`` of pictures of any number as arrays (n, d)."""
        parameters = in_batches(self.encoder, self.checked(x))
        return parameters if isinstance(parameters, list) else [parameters]

    def to_pictures(self, outputs):
        return self.likelihood.mean(outputs)

    def generate(
        self, count: int, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Return the mean pictures (count, height, width, channels) of codes from the
        prior.

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
                "generate needs at least 1 picture and a temperature from 0 on, and got "
                f"{count} and {temperature!r}: 1 is the prior itself, less keeps to its middle"
            )
        z = ops.convert_to_numpy(
            self.family.sample_prior((count, self.latent_size), seed)
        )
        middle = self.family.prior_mean(self.latent_size)
        return middle + temperature * (z - middle)

    def prior_quantiles(self, shares: np.ndarray) -> np.ndarray:
        """Return the z below which ``shares`` (n,) of each latent's prior lie, (n, d)."""
        shares = np.asarray(shares, "float64")
        each = np.repeat(shares[:, np.newaxis], self.latent_size, axis=1)
        return np.asarray(self.family.prior_quantile(each), "float32")

    def get_config(self):
        parts = {
            "family": self.family,
            "likelihood": self.likelihood,
            "beta": self.kl_divergence.beta,
        }
        return {**super().get_config(), **serialized(parts)}
