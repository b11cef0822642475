"""Ready-made models: ``build_autoencoder`` and ``build_vae``."""

import functools
from collections.abc import Sequence

from helpers.families import Family, get_family
from helpers.likelihoods import Likelihood
from helpers.models.autoencoder import Autoencoder
from helpers.models.networks import (
    Shape,
    conv_decoder,
    conv_encoder,
    dense_decoder,
    dense_encoder,
)
from helpers.models.vae import VAE

BUILDERS = {
    "dense": (dense_encoder, dense_decoder),
    "conv": (conv_encoder, conv_decoder),
}


def build_autoencoder(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
) -> Autoencoder:
    """Return an untrained autoencoder for pictures (height, width, channels) in [0, 1].

    Args:
        architecture: ``"dense"`` or ``"conv"``.
        hidden: widths of a dense encoder's hidden layers, from the picture to the code;
            the decoder has them in reverse order. None: (512, 256), and more in the
            decoder, where they buy the most nats: (256, 512, 512, 512).

    Raises:
        ValueError: the architecture is neither, ``latent_size`` is below 1, or
            ``hidden`` holds no widths or is given for ``"conv"``.
    """
    encoder, decoder = builders(architecture, hidden)
    return Autoencoder(
        encoder(image_shape, latent_size), decoder(image_shape, latent_size)
    )


def build_vae(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    family: str | Family = "normal",
    likelihood: str | Likelihood = "bernoulli",
    beta=1.0,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
) -> VAE:
    """Return an untrained VAE for pictures (height, width, channels) in [0, 1].

    The arguments are those of ``VAE`` and ``build_autoencoder``, and so are the errors.
    """
    encoder, decoder = builders(architecture, hidden)
    family = get_family(family)
    return VAE(
        encoder(image_shape, latent_size, outputs=family.parameter_names),
        decoder(image_shape, latent_size, family=family),
        family,
        likelihood,
        beta,
    )


def builders(architecture: str, hidden: Sequence[int] | None = None):
    """Return the (encoder, decoder) builders of that name and widths, or raise ValueError."""
    if architecture not in BUILDERS:
        raise ValueError(
            f"architecture must be one of {sorted(BUILDERS)}, and is {architecture!r}"
        )
    encoder, decoder = BUILDERS[architecture]
    if hidden is None:
        return encoder, decoder
    widths = hidden if isinstance(hidden, Sequence) else [None]
    if architecture != "dense" or not all(isinstance(w, int) and w > 0 for w in widths):
        raise ValueError(
            "hidden must be widths of dense layers, such as (512, 512), and is "
            f"{hidden!r} for architecture {architecture!r}: leave it out for 'conv', or make the "
            "parts with conv_encoder and conv_decoder, which take filters"
        )
    return functools.partial(encoder, hidden=hidden), functools.partial(
        decoder, hidden=hidden[::-1]
    )
