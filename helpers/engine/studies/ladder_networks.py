"""The ladder's networks: dense, in groups of codes too, and convolutional.

Pictures are flat (n, D), codes (n, d); sides and channels are of feature maps.
"""

import math
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from helpers.layers import ResidualDense

CONTEXT = 64  # numbers that a flow as a posterior reads off a picture
CHANNELS, BLOCKS = 64, 2  # of convolutional networks, blocks per side
NARROW, WIDTH = 16, 512  # channels next to their dense layers, and units of these
WIDEST = 4.0  # bound on the logarithm of a group's variances


class Group(NamedTuple):
    """Codes below others, from what lies above them, h, to what lies below them.

    Attributes:
        prior: h to mean and log-variance of p(z|above), each (n, m).
        correction: [h, features of the picture] to what q(z|above, x) adds to them; to
            the mean in units of the prior's deviation.
        merge: [h, z] to the next h.
    """

    prior: keras.Model
    correction: keras.Model
    merge: keras.Model


class Networks(NamedTuple):
    """Encoder, and decoder: ``start``, groups of codes, ``output`` to outputs (n, D).

    The encoder's outputs are z_mean, z_log_var, a context if one is asked for, and the
    features that each group wants.
    """

    encoder: keras.Model
    start: keras.Model
    groups: list
    output: keras.Model | None

    @property
    def weights(self) -> list:
        """Return all trained variables."""
        nets = [self.encoder, self.start, *(net for g in self.groups for net in g)]
        nets += [self.output] if self.output else []
        return [weight for net in nets for weight in net.trainable_variables]


def heads(features, latents: int, context: bool) -> list:
    """Return z_mean, z_log_var, and maybe a context, of dense features."""
    names = ("z_mean", "z_log_var")
    outputs = [layers.Dense(latents, name=name)(features) for name in names]
    return outputs + [layers.Dense(CONTEXT, "silu")(features)] * context


def logits_of(x: np.ndarray, bias: bool) -> np.ndarray:
    """Return where outputs begin: at the mean picture's logits, (D,), or at 0."""
    p = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
    return np.log(p / (1 - p)) * bias


def dense(x: np.ndarray, latents: int, **options) -> Networks:
    """Return dense networks for pictures such as (N, D), of ``widths`` on either side.

    Args:
        options: ``widths``; ``residual``, whether layers after the first add to their
            inputs; ``bias``, whether outputs begin at the mean picture; ``posterior``;
            ``groups``, how many groups of codes follow half of the decoder's layers.
    """
    activation = "silu" if options["residual"] else "relu"

    def hidden(tensor, widths):
        for units in widths:
            adds = options["residual"] and tensor.shape[1] == units
            kind = ResidualDense if adds else layers.Dense
            tensor = kind(units, activation)(tensor)
        return tensor

    widths, half = options["widths"], len(options["widths"]) // 2
    picture, code = keras.Input(x.shape[1:]), keras.Input((latents,))
    features = hidden(picture, widths)
    outputs = heads(features, latents, options["posterior"] == "flow")
    encoder = keras.Model(picture, outputs + [features] * options["groups"])
    begin = keras.initializers.Constant(logits_of(x, options["bias"]).tolist())
    last = layers.Dense(x.shape[1], bias_initializer=begin)
    if not options["groups"]:
        decoder = keras.Model(code, last(hidden(code, widths)))
        return Networks(encoder, decoder, [], None)
    start = keras.Model(code, hidden(code, widths[:half]))
    groups = [group(widths[half], latents) for _ in range(options["groups"])]
    h = keras.Input(widths[half:][:1])
    output = keras.Model(h, last(hidden(h, widths[half:])))
    return Networks(encoder, start, groups, output)


def group(width: int, latents: int) -> Group:
    """Return a group of codes between dense features, (n, width)."""
    h, e, z = keras.Input((width,)), keras.Input((width,)), keras.Input((latents,))

    def moments(tensor):
        tensor = layers.Dense(width, "silu")(tensor)
        zeros = {"kernel_initializer": "zeros"}
        mean, log_var = (layers.Dense(latents, **zeros)(tensor) for _ in range(2))
        return [mean, WIDEST * ops.tanh(log_var / WIDEST)]

    merged = layers.Add()([h, layers.Dense(width)(z)])
    merged = ResidualDense(width, "silu")(merged)
    correction = keras.Model([h, e], moments(layers.Concatenate()([h, e])))
    return Group(keras.Model(h, moments(h)), correction, keras.Model([h, z], merged))


def convolutional(x: np.ndarray, latents: int, **options) -> Networks:
    """Return residual convolutional networks for square pictures, of a side by four.

    Args:
        options: ``bias`` and ``posterior`` as in ``dense``.
    """
    side = math.isqrt(x.shape[1])
    quarter = side // 4
    picture, code = keras.Input(x.shape[1:]), keras.Input((latents,))
    tensor = layers.Reshape((side, side, 1))(picture)
    for size in (5, 3):
        tensor = layers.Conv2D(CHANNELS, size, strides=2, padding="same")(tensor)
        tensor = blocks(tensor)
    few = layers.Flatten()(convolution(tensor, NARROW))
    flat = layers.Dense(WIDTH, "silu")(silu(few))
    outputs = heads(flat, latents, options["posterior"] == "flow")
    encoder = keras.Model(picture, outputs)
    tensor = layers.Dense(WIDTH, "silu")(code)
    tensor = layers.Dense(quarter * quarter * NARROW)(tensor)
    tensor = layers.Reshape((quarter, quarter, NARROW))(tensor)
    tensor = blocks(convolution(tensor))
    outputs = painted(lifted(tensor), logits_of(x, options["bias"]))
    return Networks(encoder, keras.Model(code, outputs), [], None)


def silu(tensor):
    """Return the activation that all convolutions read."""
    return layers.Activation("silu")(tensor)


def convolution(tensor, channels: int = 0, begin: str = "glorot_uniform"):
    """Return a convolution of the activation of a tensor, to ``CHANNELS`` or others."""
    options = {"padding": "same", "kernel_initializer": begin}
    return layers.Conv2D(channels or CHANNELS, 3, **options)(silu(tensor))


def blocks(tensor):
    """Return a tensor plus what pairs of convolutions add to it: at first nothing.

    So it needs no normalisation. Source: Zhang, Dauphin and Ma (2019), "Fixup".
    """
    for _ in range(BLOCKS):
        tensor = layers.Add()([tensor, convolution(convolution(tensor), begin="zeros")])
    return tensor


def lifted(tensor):
    """Return features of twice the side."""
    return blocks(convolution(layers.UpSampling2D()(tensor)))


def painted(tensor, begin: np.ndarray):
    """Return outputs (n, D) of features of half their side."""
    wide = layers.Conv2DTranspose(CHANNELS // 2, 5, strides=2, padding="same")
    flat = layers.Flatten()(convolution(wide(silu(tensor)), 1))
    return OutputBias(begin)(flat)


class OutputBias(layers.Layer):
    """Add a number of its own to each output, which begins as given, (D,)."""

    def __init__(self, begin: np.ndarray):
        super().__init__()
        start = keras.initializers.Constant(begin.tolist())
        self.bias = self.add_weight(begin.shape, start, name="bias")

    def call(self, inputs):
        return inputs + self.bias
