"""Encoders and decoders: dense and convolutional."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras
import numpy as np
from keras import layers

from helpers.families import Family, Normal, get_family
from helpers.layers import ResidualDense

Shape = Sequence[int]
ENCODER_WIDTHS = (512, 256)
DECODER_WIDTHS = (256, 512, 512, 512)  # more: here they buy the most nats
PATCH = 4  # the stride, in pixels, of the convolution next to the picture
SQUEEZE = 48  # the channels of the map next to the code
FINISH = 16  # the channels of the full-size map under the picture
LAST = {"data_format": "channels_last"}  # whatever the reader's keras.json says


def dense_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    hidden: Sequence[int] = ENCODER_WIDTHS,
    activation: str = "silu",
) -> keras.Model:
    """Return a model from pictures to a linear head (batch, d) per name in ``outputs``.

    Source: Kingma and Welling (2013), appendix C, with more layers.
    """
    pictures = keras.Input(checked_shape(image_shape), name="x")
    flat = layers.Flatten(**LAST, name="flatten")(pictures)
    features = hidden_layers(flat, hidden, activation)
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def dense_decoder(
    image_shape: Shape,
    latent_size: int,
    hidden: Sequence[int] = DECODER_WIDTHS,
    activation: str = "silu",
    family: str | Family = "normal",
) -> keras.Model:
    """Return a model from a family's codes (batch, d) to unbounded pixels."""
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = hidden_layers(standardised(codes, family), hidden, activation)
    image_shape = checked_shape(image_shape)
    size = math.prod(image_shape)
    pixels = layers.Dense(size, dtype="float32", name="pixels")
    output = layers.Reshape(image_shape, dtype="float32", name="output")
    return keras.Model(codes, output(pixels(features)), name="decoder")


def hidden_layers(features, widths: Sequence[int], activation: str):
    """Return (batch, units) after dense layers, residual where a width repeats."""
    pairs = zip([None, *widths], widths, strict=False)
    for index, (before, width) in enumerate(pairs, start=1):
        units = int(width)  # Keras refuses NumPy's
        layer = ResidualDense if width == before else layers.Dense
        features = layer(
            units, activation, kernel_initializer="lecun_normal", name=f"hidden_{index}"
        )(features)
    return features


def conv_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    filters: Sequence[int] = (64, 128),
    blocks: int = 0,
) -> keras.Model:
    """Return a convolutional model like ``dense_encoder``.

    The first layer reads overlapping patches of 8 x 8, one every ``PATCH`` pixels: maps
    at the picture's full or half size would take most of the time. Each later layer
    halves height and width, and each is followed by so many residual ``blocks``; a
    1 x 1 convolution to ``SQUEEZE`` channels comes before the heads.
    """
    pictures = keras.Input(checked_shape(image_shape, conv=True), name="x")
    features = pictures
    stages = zip(filters, strides(filters), strict=True)
    for stage, (count, stride) in enumerate(stages, start=1):
        down = layers.Conv2D(
            count, 2 * stride, stride, "same", **LAST, name=f"down_{stage}"
        )
        features = refined(down(features), blocks, f"encoder_{stage}")
    squeeze = layers.Conv2D(SQUEEZE, 1, activation="silu", **LAST, name="squeeze")
    features = squeeze(features)
    features = layers.Flatten(**LAST, name="flatten")(features)
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def conv_decoder(
    image_shape: Shape,
    latent_size: int,
    filters: Sequence[int] = (128, 64),
    family: str | Family = "normal",
    blocks: int = 0,
) -> keras.Model:
    """Return a convolutional model like ``dense_decoder``, ``conv_encoder`` in reverse.

    Works for any picture size: it decodes to the next multiple of all strides' product
    and crops. The first layer makes ``SQUEEZE`` channels, which a 1 x 1 convolution
    widens to ``filters[0]``. The last but one draws ``FINISH`` channels at the full
    size, and the last mixes them over 3 x 3 pixels: where it drew the picture itself,
    every patch was a sum of the same few, and their edges showed.
    """
    height, width, channels = checked_shape(image_shape, conv=True)
    steps = strides(filters)[::-1]
    stride = math.prod(steps)
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = standardised(codes, family)
    features = layers.Dense(rows * columns * SQUEEZE, "silu", name="seed")(features)
    features = layers.Reshape((rows, columns, SQUEEZE), name="seed_map")(features)
    features = layers.Conv2D(filters[0], 1, **LAST, name="widen")(features)
    features = refined(features, blocks, "decoder_1")
    stages = zip([*filters[1:], FINISH], steps, strict=True)
    for stage, (count, step) in enumerate(stages, start=1):
        up = layers.Conv2DTranspose(
            count, 2 * step, step, "same", **LAST, name=f"up_{stage}"
        )
        last = stage == len(filters)
        count = 0 if last else blocks
        features = refined(up(features), count, f"decoder_{stage + 1}")
    options = {"padding": "same", "dtype": "float32", **LAST}
    pixels = layers.Conv2D(channels, 3, **options, name="pixels")
    excess = ((0, rows * stride - height), (0, columns * stride - width))
    output = layers.Cropping2D(excess, dtype="float32", **LAST, name="output")
    return keras.Model(codes, output(pixels(features)), name="decoder")


def refined(features: Any, blocks: int, name: str) -> Any:
    """Return maps (batch, h, w, c) after residual blocks of 3 x 3, and an activation.

    A block adds nothing at first, since its second convolution begins at zero. What it
    adds is computed from channels whose root mean square is 1 at every place, in
    training and afterwards alike. The sum itself is never normalised: it would forget
    how bright and how rich in contrast a place is, and pictures must be given back.

    Source: He et al. (2016), "Identity mappings in deep residual networks"; Zhang and
    Sennrich (2019), "Root mean square layer normalization".
    """
    count = features.shape[-1]
    for block in range(1, blocks + 1):
        added = layers.RMSNormalization(name=f"{name}_{block}_norm")(features)
        added = layers.Activation("silu", name=f"{name}_{block}_silu")(added)
        options = {"filters": count, "kernel_size": 3, "padding": "same", **LAST}
        inner = layers.Conv2D(**options, activation="silu", name=f"{name}_{block}_a")
        outer = layers.Conv2D(
            **options, kernel_initializer="zeros", name=f"{name}_{block}_b"
        )
        added = outer(inner(added))
        features = layers.Add(name=f"{name}_{block}")([features, added])
    return layers.Activation("silu", name=f"{name}_silu")(features)


def strides(filters: Sequence[int]) -> list[int]:
    """Return the strides of a convolutional encoder's layers: ``PATCH``, then 2s."""
    return [PATCH] + [2] * (len(filters) - 1)


def standardised(codes, family: str | Family):
    """Return codes (batch, d) less their prior's mean, in its standard deviations.

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


def heads(features: Any, latent_size: int, outputs: Sequence[str]) -> Any:
    """Return a linear layer's output (batch, d) per name; no list if there is one."""
    size = checked_size(latent_size)
    tensors = [
        layers.Dense(size, dtype="float32", name=name)(features) for name in outputs
    ]
    return tensors[0] if len(tensors) == 1 else tensors


def checked_shape(image_shape: Shape, conv: bool = False) -> tuple[int, ...]:
    """Return the shape of one picture, or row; ValueError unless networks have it."""
    sizes = tuple(image_shape) if isinstance(image_shape, Sequence) else ()
    whole = all(isinstance(size, Integral) and size > 0 for size in sizes)
    if not sizes or not whole or (conv and len(sizes) != 3):
        expected = "(height, width, channels)" if conv else "integers from 1 on, (42,),"
        raise ValueError(
            f"image_shape must be {expected} for this architecture, and is "
            f"{image_shape!r}: of an array x it is x.shape[1:], and 'dense' takes any"
        )
    return tuple(map(int, sizes))


def checked_size(latent_size: int) -> int:
    """Return the number of latents; ValueError unless it is an integer from 1 on."""
    if not isinstance(latent_size, int | np.integer) or latent_size < 1:
        raise ValueError(
            f"latent_size must be an integer from 1 on, and is {latent_size!r}"
        )
    return int(latent_size)
