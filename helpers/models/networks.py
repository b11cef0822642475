"""Encoders and decoders: dense and convolutional."""

import itertools
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from helpers.families import Family, Normal, get_family
from helpers.layers import ResidualDense

Shape = tuple[int, int, int]
PATCH = 4  # the stride, in pixels, of the convolution next to the picture


def dense_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    hidden: Sequence[int] = (512, 256),
    activation: str = "silu",
) -> keras.Model:
    """Return a model from pictures to one linear head (batch, latent_size) for each of
    ``outputs``.

    Source: the multilayer perceptrons of Kingma and Welling (2013), appendix C, with
        more layers.
    """
    pictures = keras.Input(image_shape, name="x")
    features = hidden_layers(
        layers.Flatten(name="flatten")(pictures), hidden, activation
    )
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def dense_decoder(
    image_shape: Shape,
    latent_size: int,
    hidden: Sequence[int] = (256, 512, 512, 512),
    activation: str = "silu",
    family: str | Family = "normal",
) -> keras.Model:
    """Return a model from codes (batch, latent_size) to unbounded pixels, (batch,
    *image_shape).

    ``family`` is the family of the codes: see ``standardised``.
    """
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = hidden_layers(standardised(codes, family), hidden, activation)
    pixels = layers.Dense(math.prod(image_shape), dtype="float32", name="pixels")(
        features
    )
    output = layers.Reshape(image_shape, dtype="float32", name="output")(pixels)
    return keras.Model(codes, output, name="decoder")


def hidden_layers(features, widths: Sequence[int], activation: str):
    """Return features (batch, d) after dense layers; one as wide as that before it adds to it."""
    for index, (before, units) in enumerate(
        itertools.pairwise([None, *widths]), start=1
    ):
        layer = ResidualDense if units == before else layers.Dense
        features = layer(
            units, activation, kernel_initializer="lecun_normal", name=f"hidden_{index}"
        )(features)
    return features


def conv_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    filters: Sequence[int] = (64, 128),
    squeeze: int = 48,
    activation: str = "silu",
) -> keras.Model:
    """Return a convolutional model like ``dense_encoder``.

    The first layer reads overlapping patches of 8 x 8, one every ``PATCH`` pixels: maps
    at the picture's full or half size would take most of the time. Each later layer
    halves height and width; a 1 x 1 convolution to ``squeeze`` channels comes before
    the heads, which hold most weights.
    """
    pictures = keras.Input(image_shape, name="x")
    features = pictures
    stages = zip(filters, strides(filters), strict=True)
    for index, (count, stride) in enumerate(stages, start=1):
        features = layers.Conv2D(
            count,
            2 * stride,
            stride,
            "same",
            activation=activation,
            name=f"down_{index}",
        )(features)
    features = layers.Conv2D(squeeze, 1, activation=activation, name="squeeze")(
        features
    )
    features = layers.Flatten(name="flatten")(features)
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def conv_decoder(
    image_shape: Shape,
    latent_size: int,
    filters: Sequence[int] = (128, 64),
    squeeze: int = 48,
    activation: str = "silu",
    family: str | Family = "normal",
) -> keras.Model:
    """Return a convolutional model like ``dense_decoder``, ``conv_encoder`` in reverse.

    Works for any picture size: it decodes to the next multiple of all strides' product
        and crops.
    The first layer makes ``squeeze`` channels, which a 1 x 1 convolution widens to
    ``filters[0]``.
    """
    height, width, channels = image_shape
    steps = strides(filters)[::-1]
    stride = math.prod(steps)
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = standardised(codes, family)
    features = layers.Dense(rows * columns * squeeze, activation, name="seed")(features)
    features = layers.Reshape((rows, columns, squeeze), name="seed_map")(features)
    features = layers.Conv2D(filters[0], 1, activation=activation, name="widen")(
        features
    )
    stages = zip([*filters[1:], channels], steps, strict=True)
    for index, (count, step) in enumerate(stages, start=1):
        last = index == len(filters)
        features = layers.Conv2DTranspose(
            count,
            2 * step,
            step,
            "same",
            activation=None if last else activation,
            dtype="float32" if last else None,
            name=f"up_{index}",
        )(features)
    excess = ((0, rows * stride - height), (0, columns * stride - width))
    output = layers.Cropping2D(excess, dtype="float32", name="output")(features)
    return keras.Model(codes, output, name="decoder")


def strides(filters: Sequence[int]) -> list[int]:
    """Return the strides of a convolutional encoder's layers: ``PATCH``, then 2 each."""
    return [PATCH] + [2] * (len(filters) - 1)


def standardised(codes, family: str | Family):
    """Return codes (batch, d) less their prior's mean, in units of its standard
    deviation.

    A network learns fast from inputs of mean 0 and variance 1. Codes under a normal or
    a learned prior pass through as they are.
    """
    family = get_family(family)
    if isinstance(family, Normal):
        return codes
    d = codes.shape[-1]
    scale = float(np.sqrt(family.prior_variance(d).mean()))
    offset = -float(family.prior_mean(d).mean()) / scale
    return layers.Rescaling(1 / scale, offset, name="standardised")(codes)


def heads(features, latent_size: int, outputs: Sequence[str]):
    """Return one linear layer a name: a tensor where there is one name, else a list."""
    size = checked_size(latent_size)
    tensors = [
        layers.Dense(size, dtype="float32", name=name)(features) for name in outputs
    ]
    return tensors[0] if len(tensors) == 1 else tensors


def checked_size(latent_size: int) -> int:
    """Return the number of latents, or raise ValueError unless it is an integer from 1 on."""
    if not isinstance(latent_size, int | np.integer) or latent_size < 1:
        raise ValueError(
            f"latent_size must be at least 1 and an integer, and is {latent_size!r}: it is the "
            "number of latents of a code, such as 2 or 32"
        )
    return int(latent_size)
