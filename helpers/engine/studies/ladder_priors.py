"""Densities of codes for the ladder: normal, mixture, flow, and another layer.

Codes are (n, d), float32; seeds two numbers, as ``stateless`` has them.
"""

import math
from collections.abc import Callable

import keras
from keras import ops

from helpers import families
from helpers.engine import stateless
from helpers.layers import ResidualDense

LOG_2_PI = math.log(2 * math.pi)


def prior_of(name: str, encoder, components: int | None) -> tuple[Callable, list]:
    """Return a prior by name, and its weights.

    It is "normal", "mixture", "vamp", "flow", or another "layer" of latents.
    """
    d = encoder.outputs[0].shape[-1]
    if name == "normal":
        return standard_normal, []
    if name in ("flow", "layer"):
        own = RealNVP(d) if name == "flow" else SecondLayer(d)
        return own.log_density, own.trainable_variables
    family = families.registry()[name](components)
    family.connect(encoder)
    return lambda z, _: mixture(z, *family.mixture()), family.trainable_variables


def log_normal(z, mean, log_var):
    """Return ln N(z; mean, exp(log_var)) of codes (..., d), (...,)."""
    squared = ops.square(z - mean) * ops.exp(-log_var)
    return -ops.sum(squared + log_var + LOG_2_PI, axis=-1) / 2


def standard_normal(z, seeds=None):
    """Return ln N(z; 0, I), (n,)."""
    return log_normal(z, 0.0, ops.zeros_like(z))


def drawn(mean, log_var, seeds):
    """Return a draw of N(mean, exp(log_var)) that gradients pass through."""
    return mean + ops.exp(log_var / 2) * stateless.normal(ops.shape(mean), seeds)


def mixture(z, log_shares, means, log_vars):
    """Return ln of a mixture of K normals, (n,), by two matrix products.

    The square in a normal's exponent is multiplied out, so that nothing has the shape
    (n, K, d), as it has where the families compute it more exactly.

    Args:
        log_shares: (K,).
        means, log_vars: (K, d).
    """
    precision = ops.exp(-log_vars)
    squared = ops.matmul(ops.square(z), ops.transpose(precision))
    squared -= 2 * ops.matmul(z, ops.transpose(means * precision))
    own = ops.sum(ops.square(means) * precision + log_vars + LOG_2_PI, axis=1)
    return ops.logsumexp(log_shares - (squared + own) / 2, axis=1)


class RealNVP(keras.layers.Layer):
    """A flow: an invertible map between codes (n, d) and draws of N(0, I).

    Each layer leaves half of the numbers as they are, which tell a network by how much
    to shift and scale the other half; then the halves change places. It begins as the
    identity. The networks may read a context (n, c) too.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".
    """

    def __init__(self, d: int, layers: int = 8, width: int = 256, context: int = 0):
        super().__init__()
        self.sizes = [d // 2, d - d // 2]  # kept, moved; then the other way round
        self.readers = []
        for place in range(layers):
            kept, moved = self.sizes[:: 1 - 2 * (place % 2)]
            self.readers.append(network(kept + context, moved, width))

    def move(self, place: int, kept, context=None):
        """Return the shift and the log scale that a layer reads off the kept half."""
        seen = kept if context is None else ops.concatenate([kept, context], axis=1)
        shift, log_scale = ops.split(self.readers[place](seen), 2, axis=1)
        return shift, 2 * ops.tanh(log_scale / 2)

    def forward(self, z, context=None):
        """Return draws of N(0, I), (n, d), and ln of the slope, (n,)."""
        log_slope = ops.zeros_like(z[:, 0])
        for place in range(len(self.readers)):
            kept, moved = ops.split(z, [self.sizes[place % 2]], axis=1)
            shift, log_scale = self.move(place, kept, context)
            z = ops.concatenate([(moved - shift) * ops.exp(-log_scale), kept], axis=1)
            log_slope -= ops.sum(log_scale, axis=1)
        return z, log_slope

    def inverse(self, u):
        """Return the codes (n, d) that ``forward`` maps to these."""
        for place in reversed(range(len(self.readers))):
            moved, kept = ops.split(u, [self.sizes[1 - place % 2]], axis=1)
            shift, log_scale = self.move(place, kept)
            u = ops.concatenate([kept, shift + moved * ops.exp(log_scale)], axis=1)
        return u

    def log_density(self, z, seeds=None):
        """Return ln of the density of codes, (n,)."""
        u, log_slope = self.forward(z)
        return standard_normal(u) + log_slope


class SecondLayer(keras.layers.Layer):
    """A prior that is a VAE itself: codes u ~ N(0, I) decide on mean and scale of z.

    ``log_density`` draws u ~ q(u|z) and returns ln p(z, u) - ln q(u|z): inside the
    bound on ln p(x), that is the bound of a VAE with two stochastic layers.

    Source: Burda, Grosse and Salakhutdinov (2015), section 2.
    """

    def __init__(self, d: int, inner: int = 50, width: int = 256):
        super().__init__()
        self.above, self.below = (
            network(rows, columns, width) for rows, columns in ((d, inner), (inner, d))
        )

    def log_density(self, z, seeds):
        """Return ln of what has the mean p(z), (n,)."""
        mean, log_var = ops.split(self.above(z), 2, axis=1)
        u = drawn(mean, log_var, seeds)
        below = ops.split(self.below(u), 2, axis=1)
        log_joint = standard_normal(u) + log_normal(z, *below)
        return log_joint - log_normal(u, mean, log_var)


def network(inputs: int, outputs: int, width: int) -> keras.Sequential:
    """Return two hidden layers and twice as many outputs, all 0 at first."""
    dense = keras.layers.Dense
    last = dense(2 * outputs, kernel_initializer="zeros")
    layers = [dense(width, "silu"), ResidualDense(width, "silu"), last]
    return keras.Sequential([keras.Input((inputs,)), *layers])
