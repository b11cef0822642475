"""Ready-made, untrained models: of pictures, and of data of any other shape."""

import functools
import math
from collections.abc import Callable, Sequence
from numbers import Integral

import keras
from keras.optimizers.schedules import LearningRateSchedule

from helpers.families import Family, get_family
from helpers.likelihoods import Gaussian, Likelihood
from helpers.models.autoencoder import Autoencoder
from helpers.models.conditional import ConditionalVAE
from helpers.models.denoising import DenoisingVAE
from helpers.models.networks import (
    Shape,
    checked_shape,
    conv_decoder,
    conv_encoder,
    dense_decoder,
    dense_encoder,
)
from helpers.models.vae import VAE

Builder = Callable[..., keras.Model]
CAT_FILTERS, CAT_BLOCKS = (64, 128), (1, 2)  # chosen in data/results/cats.csv
BUILDERS: dict[str, tuple[Builder, Builder]] = {
    "dense": (dense_encoder, dense_decoder),
    "conv": (conv_encoder, conv_decoder),
}


def build_autoencoder(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
    bounded: bool = True,
) -> Autoencoder:
    """Return an autoencoder.

    Args:
        image_shape: (height, width, channels) of a picture, or any other shape:
            (columns,) of a table, (times, channels) of a signal.
        architecture: ``"dense"``, or ``"conv"``, which takes pictures alone.
        hidden: widths of a dense encoder's hidden layers, which the decoder has in
            reverse order. None: ``ENCODER_WIDTHS`` and ``DECODER_WIDTHS``.
        bounded: False for standardised data, which need not lie in [0, 1].

    Raises:
        ValueError: an argument is not one of these, or ``latent_size`` below 1.
    """
    encoder, decoder = builders(architecture, hidden)
    return Autoencoder(
        encoder(image_shape, latent_size), decoder(image_shape, latent_size), bounded
    )


def build_vae(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    family: str | Family = "normal",
    likelihood: str | Likelihood = "bernoulli",
    beta: float | LearningRateSchedule = 1.0,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
    denoising: bool = False,
) -> VAE:
    """Return a VAE: of a table by ``build_vae((42,), likelihood="poisson")``.

    With ``denoising`` it is a ``DenoisingVAE``, which gets noisy pictures, and clean
    ones as targets. The other arguments and the errors are those of ``VAE`` and
    ``build_autoencoder``.
    """
    encoder, decoder = builders(architecture, hidden)
    family = get_family(family)
    kind = DenoisingVAE if denoising else VAE
    return kind(
        encoder(image_shape, latent_size, outputs=family.parameter_names),
        decoder(image_shape, latent_size, family=family),
        family,
        likelihood,
        beta,
    )


def build_cat_vae(
    image_shape: Shape = (64, 64, 3),
    family: str | Family = "normal",
    sigma: float | str = "optimal",
    latent_size: int = 64,
    *,
    filters: Sequence[int] = CAT_FILTERS,
    blocks: tuple[int, int] = CAT_BLOCKS,
) -> VAE:
    """Return the VAE of the shipped cats: convolutions, and ``Gaussian(sigma)``.

    Args:
        filters: the encoder's channels by stage; the decoder has them in reverse order.
        blocks: residual blocks per stage of encoder and decoder.
    """
    family = get_family(family)
    names, (first, second) = family.parameter_names, blocks
    return VAE(
        conv_encoder(image_shape, latent_size, names, filters, first),
        conv_decoder(image_shape, latent_size, filters[::-1], family, second),
        family,
        Gaussian(sigma),
    )


def build_conditional_vae(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 16,
    classes: int = 10,
    likelihood: str | Likelihood = "bernoulli",
    beta: float | LearningRateSchedule = 1.0,
    *,
    hidden: Sequence[int] = (512, 512, 512),
) -> ConditionalVAE:
    """Return a dense conditional VAE with normal posteriors and prior.

    The arguments and errors are those of ``VAE`` and ``build_autoencoder``.
    """
    encoder, decoder = builders("dense", hidden)
    names = get_family("normal").parameter_names
    size = math.prod(checked_shape(image_shape))
    return ConditionalVAE(
        encoder((size + classes,), latent_size, outputs=names),
        decoder(image_shape, latent_size + classes),
        "normal",
        likelihood,
        beta,
    )


def builders(
    architecture: str, hidden: Sequence[int] | None
) -> tuple[Builder, Builder]:
    """Return functions that build encoder and decoder, or raise ValueError."""
    if architecture not in BUILDERS:
        raise ValueError(
            f"architecture must be one of {sorted(BUILDERS)}, and is {architecture!r}"
        )
    encoder, decoder = BUILDERS[architecture]
    if hidden is None:
        return encoder, decoder
    widths = hidden if isinstance(hidden, Sequence) else [None]
    fit = all(isinstance(width, Integral) and width > 0 for width in widths)
    if architecture != "dense" or not fit:
        raise ValueError(
            "hidden must be widths of dense layers, such as (512, 512), and is "
            f"{hidden!r} for {architecture!r}: conv_encoder, conv_decoder take filters"
        )
    return (
        functools.partial(encoder, hidden=hidden),
        functools.partial(decoder, hidden=hidden[::-1]),
    )
