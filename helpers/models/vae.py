"""``VAE``: an encoder, a family, a decoder and a likelihood, trained on the ELBO."""

import inspect
import math
from numbers import Integral
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from helpers.engine import checked
from helpers.engine.quiet_start import start_xla
from helpers.families import Family, get_family
from helpers.families.base import register, serialized
from helpers.layers import KLDivergence, Sampling
from helpers.likelihoods import Likelihood, ReportingModel, get_likelihood
from helpers.models.autoencoder import EncoderDecoder, in_batches

COMPILE = inspect.signature(keras.Model.compile)
BOUNDS = ("sigmoid", "hard_sigmoid", "tanh", "softmax", "relu", "softplus")


def last_activation(network: keras.Model) -> str | None:
    """Return the name of a network's last operation that is more than a reshape."""
    for layer in reversed(getattr(network, "operations", network.layers)):
        if isinstance(layer, keras.Model):
            return last_activation(layer)
        if (found := getattr(layer, "activation", None)) is not None:
            return getattr(found, "__name__", None)
        if getattr(layer, "weights", ()) or type(layer).__name__.lower() in BOUNDS:
            return type(layer).__name__.lower()
    return None


@register
class VAE(EncoderDecoder, ReportingModel):
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z), for beta rate + distortion.

    ``fit(x)``, with no targets, since the target is x; training and validation report
    ``loss``, ``rate`` (the KL) and ``distortion`` (the negative log-likelihood), in
    nats per picture, or per row of a table. Each picture's are multiplied by its
    ``sample_weight``, if given, and summed over the number of pictures, as Keras does.
    ``predict(x)`` returns the mean pictures, in [0, 1], of sampled codes; of other
    data the likelihood's ``mean``.

    Source: Kingma and Welling (2013), equation 10.

    Args:
        encoder: pictures (the likelihood's ``features`` of them) to the posterior's
            parameters, one output for each of the family's ``parameter_names``, in that
            order.
        decoder: codes to unbounded pixels (logits) of the pictures' shape.
        family: a family or its name.
        likelihood: a likelihood layer, or a name that ``get_likelihood`` knows. It
            says which numbers x may hold; the shape is free.
        beta: the weight of the KL, or a schedule of it (see ``KLDivergence``).

    Raises:
        ValueError: the encoder's outputs don't fit the family or the decoder; encoder
            and decoder are of other pictures, or not as wide as the likelihood; the
            decoder bounds its outputs, though the likelihood takes logits.
    """

    needs_targets = False

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
        self.likelihood.check_width(self.decoder.output_shape)
        self.check_logits()
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

    def check_logits(self) -> None:
        """Raise ValueError if outputs are squeezed before the likelihood does that."""
        bound = last_activation(self.decoder)
        if bound in BOUNDS and self.likelihood.takes_logits:
            raise ValueError(
                f"the decoder must end in unbounded logits, and ends in {bound!r}: the "
                f"likelihood {type(self.likelihood).__name__} bounds them itself, so "
                "give the last layer no activation"
            )

    def compile(self, *args, **kwargs):
        """Keras's, for an optimizer without a loss: the VAE adds its own.

        Raises:
            ValueError: a loss is given.
        """
        given = COMPILE.bind(self, *args, **kwargs).arguments
        for name in ("loss", "loss_weights"):
            if given.get(name) is not None:
                raise ValueError(
                    f"a VAE brings its own loss, beta rate + distortion, to which "
                    f"{name}={given[name]!r} would be added: choose the distortion by "
                    "likelihood=, the weight of the rate by beta="
                )
        if given.get("jit_compile") is True:
            start_xla()
        super().compile(*args, **kwargs)
        metrics = (given.get(name) for name in ("metrics", "weighted_metrics"))
        self.needs_targets = any(each is not None for each in metrics)

    def checked_data(
        self, x: Any, y: Any, weights: Any, purpose: str, **options
    ) -> tuple:
        if purpose == "look":
            return self.checked(x), None, None
        pictures = self.checked(x, purpose=purpose, **options)
        if y is not None and y is not x:
            self.refuse_others(pictures, y)
        first = keras.tree.flatten(pictures)[0]
        if weights is not None:  # which Keras drops where there are no targets
            weights = checked.weights(weights, len(first))
        targets = self.needs_targets or weights is not None or y is not None
        return pictures, first if targets else None, weights

    def checked(self, x: Any, *, purpose: str = "look", **options) -> Any:
        """Return pictures as float32; ValueError unless model and likelihood take them.

        ``purpose`` is "train", "measure", "look" or "noisy": see ``Likelihood``.
        """
        shape = self.decoder.output_shape[1:]
        return self.likelihood.checked(x, shape, purpose, **options)

    def refuse_others(self, x: Any, y: Any) -> None:
        """Raise ValueError unless targets are the pictures themselves."""
        try:
            pairs = zip(*map(keras.tree.flatten, (x, self.checked(y))), strict=True)
            same = all(np.array_equal(a, b) for a, b in pairs)
        except ValueError:
            same = False
        if not same:
            shapes = keras.tree.map_structure(np.shape, y)
            raise ValueError(
                f"a VAE's targets are its own pictures, and others came, {shapes}: "
                "leave y out. A ConditionalVAE takes labels, x = (pictures, labels), "
                "an Autoencoder noisy pictures, with the clean ones as targets, and so "
                "does build_vae(..., denoising=True)"
            )

    def posterior(self, x) -> list:
        """Return q(z|x)'s parameters, one tensor (batch, d) for each of their names."""
        return keras.tree.flatten(self.encoder(self.likelihood.features(x)))

    def posterior_arrays(self, x: np.ndarray) -> list[np.ndarray]:
        """Return ``posterior`` of pictures of any number as arrays (n, d)."""
        return in_batches(self.posterior, self.checked(x))

    def call(self, x, training=False):
        return self.compared(x, x, training)

    def compared(self, seen, x, training):
        """Return mean pictures of codes of what was seen, and count the loss of x."""
        parameters = self.posterior(seen)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        return self.likelihood(x, self.decoder(z), training=training)

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return posterior means (n, d) of pictures (n, height, width, channels).

        Of other data, (n, ...), likewise.
        """
        parameters = [ops.convert_to_tensor(p) for p in self.posterior_arrays(x)]
        return ops.convert_to_numpy(self.family.posterior_mean(parameters))

    def to_pictures(self, outputs):
        return self.likelihood.mean(outputs)

    def generate(
        self, count: int, temperature: float = 1.0, seed: int = 0
    ) -> np.ndarray:
        """Return mean pictures (count, height, width, channels) of the prior's codes.

        They are of the data's shape, whatever that is, and the likelihood's ``mean``.

        ``temperature`` scales the codes' distance from the prior's mean; on the sphere,
        whose mean is its centre, any other than 1 leaves the sphere and asks for what
        training never saw.

        Raises:
            ValueError: ``count`` is below 1, or ``temperature`` below 0.
        """
        return self.decode(self.prior_codes(count, temperature, seed))

    def prior_codes(self, count: int, temperature: float, seed: int) -> np.ndarray:
        """Return codes (count, d) for ``generate``."""
        if (
            not isinstance(count, Integral)
            or count < 1
            or not 0 <= temperature < math.inf
        ):
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
