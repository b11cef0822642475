"""Three ways to train one model, AEVB, wake-sleep and Monte Carlo EM; its likelihood.

Source: Kingma and Welling (2013), "Auto-Encoding Variational Bayes", algorithm 1 and
appendices D and E. All noise comes from ``seeds``, two numbers of int32, (2,).
"""

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from helpers.engine.quiet_start import start_xla
from helpers.families import get_family

NORMAL = get_family("normal")
WANTED, STRIDE = 0.9, 1.02  # share of trajectories to accept, factor that tunes a size
BEGUN, SAMPLES, WEIGHED = 100, 50, 200  # codes per picture, of which a ``Likelihood``


class Model(NamedTuple):
    """p(z) = N(0, I), and networks for p(x|z) and q(z|x).

    Attributes:
        encoder: pictures (n, D) to ``[z_mean, z_log_var]``, each (n, d).
        decoder: codes (n, d) to outputs (n, D).
        nll: (x, outputs) to -ln p(x|z), (n,).
        draw: (outputs, seeds) to x ~ p(x|z), (n, D).
    """

    encoder: Callable
    decoder: Callable
    nll: Callable
    draw: Callable

    def log_joint(self, x, z):
        """Return ln p(x, z), (n,)."""
        return tf.reduce_sum(NORMAL.log_prior(z), 1) - self.nll(x, self.decoder(z))


def coins(outputs, seeds):
    """Return binary pictures whose pixels are 1 with the outputs' sigmoid."""
    uniform = tf.random.stateless_uniform(tf.shape(outputs), seeds)
    return tf.cast(uniform < tf.sigmoid(outputs), tf.float32)


def aevb_loss(model: Model, x, seeds):
    """Return minus the ELBO, with one z per picture and the KL in closed form."""
    z_mean, z_log_var = model.encoder(x)
    noise = tf.random.stateless_normal(tf.shape(z_mean), seeds)
    z = z_mean + tf.exp(z_log_var / 2) * noise
    rate = tf.reduce_sum(NORMAL.kl_divergence([z_mean, z_log_var]), 1)
    return tf.reduce_mean(rate + model.nll(x, model.decoder(z)))


def wake_sleep_loss(model: Model, x, seeds):
    """Return the losses of both phases in sum; no gradient crosses from one to other.

    Awake, the decoder learns to draw x from z ~ q(z|x). Asleep, the encoder learns to
    find the z ~ p(z) of which the decoder dreamed a picture.

    Source: Hinton, Dayan, Frey and Neal (1995), "The wake-sleep algorithm".
    """
    wake, sleep, dream = tf.unstack(tf.random.split(seeds, 3))
    z_mean, z_log_var = model.encoder(x)
    noise = tf.random.stateless_normal(tf.shape(z_mean), wake)
    z = tf.stop_gradient(z_mean + tf.exp(z_log_var / 2) * noise)
    drawn = model.nll(x, model.decoder(z))
    z = tf.random.stateless_normal(tf.shape(z_mean), sleep)
    dreamed = tf.stop_gradient(model.draw(model.decoder(z), dream))
    found = tf.reduce_sum(NORMAL.log_posterior(z, model.encoder(dreamed)), 1)
    return tf.reduce_mean(drawn - found)


def trajectory(log_density: Callable, z, sizes, seeds, leaps: int):
    """Return z after a trajectory of Hybrid Monte Carlo, and step sizes (n, 1) tuned.

    Every chain has its own step size, which grows when its trajectory is accepted and
    shrinks when not, so that in the long run it accepts nine in ten.

    Args:
        log_density: codes (n, d) to ln of a density (n,), unnormalised.

    Source: Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo".
    """

    def height_and_slope(z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            height = log_density(z)
        return height, tape.gradient(height, z)

    kick, toss = tf.unstack(tf.random.split(seeds))
    start = tf.random.stateless_normal(tf.shape(z), kick)
    before, slope = height_and_slope(z)
    there, momentum = z, start + sizes / 2 * slope
    for leap in range(leaps):
        there = there + sizes * momentum
        after, slope = height_and_slope(there)
        momentum += (sizes if leap < leaps - 1 else sizes / 2) * slope
    energy = tf.reduce_sum(start**2 - momentum**2, 1) / 2
    uniform = tf.random.stateless_uniform(tf.shape(before), toss)
    accepted = (tf.math.log(uniform) < after - before + energy)[:, tf.newaxis]
    shrink = STRIDE ** (-WANTED / (1 - WANTED))
    return tf.where(accepted, there, z), sizes * tf.where(accepted, STRIDE, shrink)


def mcem_step(model: Model, x, z, sizes, seeds, update: Callable, leaps=10, updates=5):
    """Return a batch's chains and sizes after one iteration, which trains the decoder.

    One trajectory towards p(z|x), then some updates with what it found.

    Args:
        update: takes a function that returns the loss, and improves the decoder.
    """
    z, sizes = trajectory(lambda z: model.log_joint(x, z), z, sizes, seeds, leaps)
    for _ in range(updates):
        update(lambda: tf.reduce_mean(model.nll(x, model.decoder(z))))
    return z, sizes


class Likelihood:
    """ln p(x) of pictures one by one, where codes have few dimensions, without q(z|x).

    Args:
        log_joint: (x, z) to ln p(x, z), (n,).
        d: the number of latents.
    """

    def __init__(self, log_joint: Callable, d: int):
        start_xla()
        self.d = d

        @tf.function(jit_compile=True)
        def move(x, z, sizes, seeds):
            return trajectory(lambda z: log_joint(x, z), z, sizes, seeds, leaps=4)

        self.move, self.joint = move, tf.function(log_joint, jit_compile=True)

    def log_joint(self, x, z) -> np.ndarray:
        """Return ln p(x, z), (n,), in float64."""
        return self.joint(x, z).numpy().astype("float64")

    def begin(self, x, noise: np.random.Generator):
        """Return codes (n, d): of draws from p(z) each picture keeps one by p(x|z)."""
        best = np.full(len(x), -np.inf)
        chosen = np.zeros((len(x), self.d), "float32")
        for _ in range(BEGUN):
            z = noise.normal(size=chosen.shape).astype("float32")
            score = self.log_joint(x, z) + (z**2).sum(axis=1) / 2  # ln p(x|z), nearly
            score += noise.gumbel(size=len(x))
            better = score > best
            best[better], chosen[better] = score[better], z[better]
        return tf.constant(chosen)

    def walk(self, x, z, sizes, count: int, first: int):
        """Return codes (count, n, d) of as many trajectories, and the sizes."""
        found = []
        for number in range(first, first + count):
            z, sizes = self.move(x, z, sizes, tf.constant([77, number]))
            found.append(z)
        return tf.stack(found), sizes

    def __call__(self, x):
        """Return two estimates of ln p(x), (n,) each: the paper's, and another.

        The paper's (appendix D): a normal q is fitted to samples of p(z|x), others are
        drawn, and 1 / p(x) is their mean of q(z) / p(x, z). The other draws from this
        q, made a little wider, and averages p(x, z) / q(z): importance sampling.
        """
        noise, x, samples = np.random.default_rng(0), tf.constant(x), SAMPLES
        z, sizes = self.begin(x, noise), tf.fill((len(x), 1), 0.1)
        found, sizes = self.walk(x, z, sizes, samples, 0)  # forgets where it began
        found, sizes = self.walk(x, found[-1], sizes, samples, samples)
        mean, factor = fitted(found)
        others, _ = self.walk(x, found[-1], sizes, samples, 2 * samples)
        each = [log_normal(z, mean, factor) - self.log_joint(x, z) for z in others]
        paper = -log_mean(each)
        each, factor = [], 1.2 * factor
        for _ in range(WEIGHED):
            z = noise.normal(size=mean.shape)
            z = (mean + np.einsum("nij,nj->ni", factor, z)).astype("float32")
            each.append(self.log_joint(x, z) - log_normal(z, mean, factor))
        return paper, log_mean(each)


def fitted(found) -> tuple[np.ndarray, np.ndarray]:
    """Return means (n, d) and Cholesky factors (n, d, d) of codes (samples, n, d)."""
    found = np.asarray(found, "float64")
    mean = found.mean(axis=0)
    apart = found - mean
    covariance = np.einsum("sni,snj->nij", apart, apart) / (len(found) - 1)
    return mean, np.linalg.cholesky(covariance + 1e-6 * np.eye(mean.shape[1]))


def log_normal(z, mean, factor) -> np.ndarray:
    """Return ln N(z; mean, factor factor'), (n,)."""
    apart = np.asarray(z, "float64") - mean
    scaled = np.linalg.solve(factor, apart[..., np.newaxis])[..., 0]
    log_slope = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
    constant = mean.shape[1] / 2 * np.log(2 * np.pi)
    return -(scaled**2).sum(axis=1) / 2 - log_slope - constant


def log_mean(each) -> np.ndarray:
    """Return ln of the mean of exp of (samples, n), over samples: (n,)."""
    each = np.asarray(each, "float64")
    return np.logaddexp.reduce(each, axis=0) - np.log(len(each))


def networks(pixels: int, d: int, hidden: int):
    """Return encoder and decoder, a tanh layer each, all weights from N(0, 0.01)."""

    def dense(units, activation=None, name=None):
        start = {
            key: keras.initializers.RandomNormal(stddev=0.1)  # a variance of 0.01
            for key in ("kernel_initializer", "bias_initializer")
        }
        return keras.layers.Dense(units, activation, name=name, **start)

    picture, code = keras.Input((pixels,)), keras.Input((d,))
    features = dense(hidden, "tanh")(picture)
    heads = [dense(d, name=name)(features) for name in NORMAL.parameter_names]
    outputs = dense(pixels)(dense(hidden, "tanh")(code))
    return keras.Model(picture, heads), keras.Model(code, outputs)
