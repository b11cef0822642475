"""What the rungs of the ladder are made of: networks, priors, gradients, NLL.

Codes are (n, d), pictures flat (n, D), binary and float32; seeds two numbers of int32.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from helpers import families, likelihoods
from helpers.engine.quiet_start import start_xla
from helpers.layers import ResidualDense

LOG_2_PI = math.log(2 * math.pi)


class Model(NamedTuple):
    """A VAE with normal posteriors.

    Attributes:
        encoder: pictures (n, D) to ``[z_mean, z_log_var]``, each (n, d).
        decoder: codes (n, d) to outputs (n, D).
        prior: codes (n, d) and seeds to ln p(z), (n,); or to a draw of ln of what has
            the mean p(z), which is all that a bound needs.
        nll: (x, outputs) to -ln p(x|z), (n,).
        weights: all trained variables.
    """

    encoder: Callable
    decoder: Callable
    prior: Callable
    nll: Callable
    weights: list

    def log_weights(self, x, z, z_mean, z_log_var, seeds):
        """Return ln p(x, z) - ln q(z|x), (k, n), of codes (k, n, d)."""
        log_q = log_normal(z, z_mean, z_log_var)
        flat = tf.reshape(z, (-1, z.shape[-1]))  # (k n, d)
        nll = self.nll(tf.tile(x, (z.shape[0], 1)), self.decoder(flat))
        return tf.reshape(self.prior(flat, seeds) - nll, tf.shape(log_q)) - log_q


# Networks and priors


def build(x: np.ndarray, latents: int, **options) -> Model:
    """Return an untrained model.

    Args:
        x: training pictures (N, D), at whose mean the outputs may begin, and with some
            of which a VampPrior does.
        options: ``widths``, of the hidden layers of each network; ``residual``, whether
            those after the first add to their inputs; ``bias``, whether the outputs
            begin at the mean picture; ``prior``, a name, and ``components``.
    """
    activation = "silu" if options["residual"] else "relu"

    def hidden(tensor):
        for place, units in enumerate(options["widths"]):
            adds = place > 0 and options["residual"]
            kind = ResidualDense if adds else keras.layers.Dense
            tensor = kind(units, activation)(tensor)
        return tensor

    begin = "zeros"
    if options["bias"]:
        p = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
        begin = keras.initializers.Constant(np.log(p / (1 - p)).tolist())
    picture, code = keras.Input(x.shape[1:]), keras.Input((latents,))
    features = hidden(picture)
    names = ("z_mean", "z_log_var")
    heads = [keras.layers.Dense(latents, name=name)(features) for name in names]
    outputs = keras.layers.Dense(x.shape[1], bias_initializer=begin)(hidden(code))
    encoder, decoder = keras.Model(picture, heads), keras.Model(code, outputs)
    prior, weights = prior_of(options["prior"], encoder, options.get("components"))
    if options["prior"] == "vamp":
        weights[0].assign(x[: options["components"]])
    weights = encoder.trainable_variables + decoder.trainable_variables + weights
    nll = likelihoods.Bernoulli().negative_log_likelihood
    return Model(encoder, decoder, prior, nll, weights)


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
    squared = tf.square(z - mean) * tf.exp(-log_var)
    return -tf.reduce_sum(squared + log_var + LOG_2_PI, -1) / 2


def standard_normal(z, seeds=None):
    """Return ln N(z; 0, I), (n,)."""
    return log_normal(z, 0.0, tf.zeros_like(z))


def mixture(z, log_shares, means, log_vars):
    """Return ln of a mixture of K normals, (n,), by two matrix products.

    The square in a normal's exponent is multiplied out, so that nothing has the shape
    (n, K, d), as it has where the families compute it more exactly.

    Args:
        log_shares: (K,).
        means, log_vars: (K, d).
    """
    precision = tf.exp(-log_vars)
    squared = tf.matmul(tf.square(z), precision, transpose_b=True)
    squared -= 2 * tf.matmul(z, means * precision, transpose_b=True)
    own = tf.reduce_sum(tf.square(means) * precision + log_vars + LOG_2_PI, 1)
    return tf.reduce_logsumexp(log_shares - (squared + own) / 2, 1)


class RealNVP(keras.layers.Layer):
    """A flow: an invertible map between codes (n, d) and draws of N(0, I).

    Each layer leaves half of the numbers as they are, which tell a network by how much
    to shift and scale the other half; then the halves change places. It begins as the
    identity.

    Source: Dinh, Sohl-Dickstein and Bengio (2017), "Density estimation using Real NVP".
    """

    def __init__(self, d: int, layers: int = 8, width: int = 256):
        super().__init__()
        self.sizes = [d // 2, d - d // 2]  # kept, moved; then the other way round
        self.readers = []
        for place in range(layers):
            kept, moved = self.sizes[:: 1 - 2 * (place % 2)]
            self.readers.append(network(kept, moved, width))

    def move(self, place: int, kept):
        """Return the shift and the log scale that a layer reads off the kept half."""
        shift, log_scale = tf.split(self.readers[place](kept), 2, axis=1)
        return shift, 2 * tf.tanh(log_scale / 2)

    def forward(self, z):
        """Return draws of N(0, I), (n, d), and ln of the slope, (n,)."""
        log_slope = tf.zeros(tf.shape(z)[0])
        for place in range(len(self.readers)):
            kept, moved = tf.split(z, self.sizes[:: 1 - 2 * (place % 2)], axis=1)
            shift, log_scale = self.move(place, kept)
            z = tf.concat([(moved - shift) * tf.exp(-log_scale), kept], axis=1)
            log_slope -= tf.reduce_sum(log_scale, 1)
        return z, log_slope

    def inverse(self, u):
        """Return the codes (n, d) that ``forward`` maps to these."""
        for place in reversed(range(len(self.readers))):
            moved, kept = tf.split(u, self.sizes[:: 2 * (place % 2) - 1], axis=1)
            shift, log_scale = self.move(place, kept)
            u = tf.concat([kept, shift + moved * tf.exp(log_scale)], axis=1)
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
        mean, log_var = tf.split(self.above(z), 2, axis=1)
        noise = tf.random.stateless_normal(tf.shape(mean), seeds)
        u = mean + tf.exp(log_var / 2) * noise
        log_joint = standard_normal(u) + log_normal(
            z, *tf.split(self.below(u), 2, axis=1)
        )
        return log_joint - log_normal(u, mean, log_var)


def network(inputs: int, outputs: int, width: int) -> keras.Sequential:
    """Return two hidden layers and twice as many outputs, all 0 at first."""
    dense = keras.layers.Dense
    last = dense(2 * outputs, kernel_initializer="zeros")
    layers = [dense(width, "silu"), ResidualDense(width, "silu"), last]
    return keras.Sequential([keras.Input((inputs,)), *layers])


# Gradients


def sampled(model: Model, x, seeds, samples: int):
    """Return the posterior's parameters, and codes (k, n, d) drawn from it."""
    z_mean, z_log_var = model.encoder(x)
    noise = tf.random.stateless_normal((samples, *z_mean.shape), seeds)
    return z_mean, z_log_var, z_mean + tf.exp(z_log_var / 2) * noise


def bound_gradients(model: Model, x, seeds, samples: int) -> list:
    """Return the gradients of minus the bound: the ELBO for one sample, else IWAE's.

    One sample under a normal prior has its KL in closed form.

    Source: Burda, Grosse and Salakhutdinov (2015), equations 8 and 13.
    """
    with tf.GradientTape() as tape:
        z_mean, z_log_var, z = sampled(model, x, seeds, samples)
        if samples == 1 and model.prior is standard_normal:
            rate = tf.square(z_mean) + tf.exp(z_log_var) - 1 - z_log_var
            nll = model.nll(x, model.decoder(z[0]))
            loss = tf.reduce_mean(tf.reduce_sum(rate, 1) / 2 + nll)
        else:
            log_weights = model.log_weights(x, z, z_mean, z_log_var, 1 + seeds)
            loss = -tf.reduce_mean(tf.reduce_logsumexp(log_weights, 0))
    return tape.gradient(loss, model.weights)


def doubly_gradients(model: Model, x, seeds, samples: int) -> list:
    """Return the same in the mean, with less noise: doubly reparameterised gradients.

    What reaches the encoder comes through the codes alone, weighed by the square of
    each code's share; for one sample that is "sticking the landing".

    Source: Tucker, Lawson, Gu and Maddison (2019), "Doubly reparameterized gradient
    estimators for Monte Carlo objectives", equation 8; Roeder, Wu and Duvenaud (2017).
    """
    with tf.GradientTape() as outer:
        z_mean, z_log_var, drawn = sampled(model, x, seeds, samples)
    z, z_mean, z_log_var = map(tf.stop_gradient, (drawn, z_mean, z_log_var))
    with tf.GradientTape() as inner:
        inner.watch(z)
        log_weights = model.log_weights(x, z, z_mean, z_log_var, 1 + seeds)  # (k, n)
        shares = tf.stop_gradient(tf.nn.softmax(log_weights, axis=0))
        loss = -tf.reduce_sum(shares * log_weights) / x.shape[0]
    to_z, *direct = inner.gradient(loss, [z, *model.weights])
    to_z *= shares[..., tf.newaxis]
    through_z = outer.gradient(drawn, model.weights, to_z)
    pairs = zip(direct, through_z, strict=True)
    return [sum(part for part in pair if part is not None) for pair in pairs]


# Measures


class Bounds:
    """The ELBO and ln p(x) of pictures, by importance sampling, compiled once.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.
    """

    def __init__(self, model: Model):
        start_xla()

        def bounds(x, seeds, samples: int):
            z_mean, z_log_var, z = sampled(model, x, seeds, samples)
            log_weights = model.log_weights(x, z, z_mean, z_log_var, 1 + seeds)
            mean = tf.reduce_logsumexp(log_weights, 0) - math.log(samples)
            return tf.reduce_mean(log_weights, 0), mean

        self.bounds = tf.function(bounds, jit_compile=True)

    def elbo(self, x: np.ndarray) -> np.ndarray:
        """Return the ELBO of pictures, one code each, (n,)."""
        parts = np.split(x, range(1000, len(x), 1000))
        each = [
            self.bounds(part, tf.constant([1, i]), 1)[0] for i, part in enumerate(parts)
        ]
        return np.concatenate(each)

    def likelihood(self, x: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ELBO and ln p(x), both by ``samples`` codes, (n,) each."""
        pairs = [
            self.bounds(x[i : i + 1], tf.constant([2, i]), samples)
            for i in range(len(x))
        ]
        elbo, likelihood = (np.concatenate(each) for each in zip(*pairs, strict=True))
        return elbo, likelihood
