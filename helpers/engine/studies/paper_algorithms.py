"""Three ways to train one model, AEVB, wake-sleep and Monte Carlo EM; its likelihood.

Source: Kingma and Welling (2013), "Auto-Encoding Variational Bayes", algorithm 1 and
appendices D and E. All noise comes from ``seeds``, as in ``engine.stateless``.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from helpers.engine import stateless
from helpers.families import get_family

NORMAL = get_family("normal")
WANTED, STRIDE = 0.9, 1.02  # share of trajectories to accept, factor that tunes a size
BEGUN, STARTS = 5000, 5  # draws from p(z) per picture of a ``Likelihood``; chains
SAMPLES, WEIGHED = 50, 200  # codes of a walk, and of importance sampling


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
        return ops.sum(NORMAL.log_prior(z), axis=1) - self.nll(x, self.decoder(z))


def coins(outputs, seeds):
    """Return binary pictures whose pixels are 1 with the outputs' sigmoid."""
    uniform = stateless.uniform(ops.shape(outputs), seeds)
    return ops.cast(uniform < ops.sigmoid(outputs), "float32")


def aevb_loss(model: Model, x, seeds):
    """Return minus the ELBO, with one z per picture and the KL in closed form."""
    z_mean, z_log_var = model.encoder(x)
    noise = stateless.normal(ops.shape(z_mean), seeds)
    z = z_mean + ops.exp(z_log_var / 2) * noise
    rate = ops.sum(NORMAL.kl_divergence([z_mean, z_log_var]), axis=1)
    return ops.mean(rate + model.nll(x, model.decoder(z)))


def wake_sleep_loss(model: Model, x, seeds):
    """Return the losses of both phases in sum; no gradient crosses from one to other.

    Awake, the decoder learns to draw x from z ~ q(z|x). Asleep, the encoder learns to
    find the z ~ p(z) of which the decoder dreamed a picture.

    Source: Hinton, Dayan, Frey and Neal (1995), "The wake-sleep algorithm".
    """
    wake, sleep, dream = stateless.split(seeds, 3)
    z_mean, z_log_var = model.encoder(x)
    noise = stateless.normal(ops.shape(z_mean), wake)
    z = ops.stop_gradient(z_mean + ops.exp(z_log_var / 2) * noise)
    drawn = model.nll(x, model.decoder(z))
    z = stateless.normal(ops.shape(z_mean), sleep)
    dreamed = ops.stop_gradient(model.draw(model.decoder(z), dream))
    found = ops.sum(NORMAL.log_posterior(z, model.encoder(dreamed)), axis=1)
    return ops.mean(drawn - found)


def trajectory(log_density: Callable, z, sizes, seeds, leaps: int):
    """Return z after a trajectory of Hybrid Monte Carlo, and step sizes (n, 1) tuned.

    Every chain has its own step size, which grows when its trajectory is accepted and
    shrinks when not, so that in the long run it accepts nine in ten.

    Args:
        log_density: codes (n, d) to ln of a density (n,), unnormalised.

    Source: Duane, Kennedy, Pendleton and Roweth (1987), "Hybrid Monte Carlo".
    """
    kick, toss = stateless.split(seeds)
    start = stateless.normal(ops.shape(z), kick)
    before, slope = stateless.gradient_at(log_density, z)
    there, momentum = z, start + sizes / 2 * slope
    for leap in range(leaps):
        there = there + sizes * momentum
        after, slope = stateless.gradient_at(log_density, there)
        momentum += (sizes if leap < leaps - 1 else sizes / 2) * slope
    energy = ops.sum(start**2 - momentum**2, axis=1) / 2
    uniform = stateless.uniform(ops.shape(before), toss)
    accepted = (ops.log(uniform) < after - before + energy)[:, None]
    shrink = STRIDE ** (-WANTED / (1 - WANTED))
    return ops.where(accepted, there, z), sizes * ops.where(accepted, STRIDE, shrink)


def mcem_step(model: Model, x, z, sizes, seeds, update: Callable, leaps=10, updates=5):
    """Return a batch's chains and sizes after one iteration, which trains the decoder.

    One trajectory towards p(z|x), then some updates with what it found.

    Args:
        update: takes a function that returns the loss, and improves the decoder.
    """
    z, sizes = trajectory(lambda z: model.log_joint(x, z), z, sizes, seeds, leaps)
    for _ in range(updates):
        update(lambda: ops.mean(model.nll(x, model.decoder(z))))
    return z, sizes


class Likelihood:
    """ln p(x) of pictures one by one, where codes have few dimensions, without q(z|x).

    Args:
        log_joint: (x, z) to ln p(x, z), (n,).
        d: the number of latents.
        variables: what ``log_joint`` reads.
    """

    def __init__(self, log_joint: Callable, d: int, variables: Sequence):
        self.d = d

        def joints(x, codes):
            return ops.map(lambda z: log_joint(x, z), codes)

        def walk(x, z, sizes, seeds):
            def move(state, seeds):
                state = trajectory(lambda z: log_joint(x, z), *state, seeds, leaps=4)
                return state, state  # Keras's scan wants twice the same

            (_, sizes), (found, _) = ops.scan(move, (z, sizes), seeds)
            return found, sizes

        self.joints = stateless.compiled(joints, variables)
        self.walk = stateless.compiled(walk, variables)

    def log_joint(self, x, codes) -> np.ndarray:
        """Return ln p(x, z) of codes (count, n, d), (count, n), in float64."""
        found = self.joints(x, ops.cast(codes, "float32"))
        return ops.convert_to_numpy(found).astype("float64")

    def begin(self, x, noise: np.random.Generator):
        """Return chains that have found p(z|x), and step sizes: (n, d) and (n, 1).

        A chain stays near where it begins. So of many draws from p(z) each picture
        keeps some by p(x|z), walks from each, and goes on where most of p(x) lies.
        """
        codes, count = noise.normal(size=(BEGUN, len(x), self.d)), len(x)
        score = self.log_joint(x, codes) + (codes**2).sum(axis=2) / 2  # ln p(x|z), +c
        score += noise.gumbel(size=score.shape)
        best = np.argpartition(-score, STARTS, axis=0)[:STARTS]
        z = codes[best, np.arange(count)].reshape(-1, self.d)
        many = ops.tile(x, (STARTS, *(1 for _ in x.shape[1:])))
        found, sizes = self.walked(many, z, np.full((len(z), 1), 0.1), place=0)
        each = self.weighed(many, found[SAMPLES // 2 :], noise)
        chosen = np.argmax(each.reshape(STARTS, count), axis=0) * count
        chosen += np.arange(count)
        return found[-1][chosen], ops.convert_to_numpy(sizes)[chosen]

    def walked(self, x, z, sizes, place: int):
        """Return codes of a walk, (SAMPLES, n, d), and step sizes."""
        each = [(77, place * SAMPLES + number) for number in range(SAMPLES)]
        seeds = ops.cast(np.array(each), stateless.SEEDS)
        z, sizes = (ops.cast(each, "float32") for each in (z, sizes))
        found, sizes = self.walk(x, z, sizes, seeds)
        return ops.convert_to_numpy(found), sizes

    def weighed(self, x, walk, noise: np.random.Generator) -> np.ndarray:
        """Return ln p(x) by importance sampling around a walk, (n,)."""
        mean, factor = fitted(walk)
        factor = 1.2 * factor
        normal = noise.normal(size=(WEIGHED, *mean.shape))
        codes = (mean + np.einsum("nij,snj->sni", factor, normal)).astype("float32")
        density = np.stack([log_normal(z, mean, factor) for z in codes])
        return log_mean(self.log_joint(x, codes) - density)

    def __call__(self, x):
        """Return two estimates of ln p(x), (n,) each: the paper's, and another.

        The paper's (appendix D): a density q, here a normal, is fitted to samples of
        p(z|x), others are drawn, and 1 / p(x) is their mean of q(z) / p(x, z). The
        other draws from this q, made a little wider, and averages p(x, z) / q(z):
        importance sampling. Where the chain has missed a mode, both are too low, and
        may agree.
        """
        noise, x = np.random.default_rng(0), ops.convert_to_tensor(x)
        z, sizes = self.begin(x, noise)
        first, sizes = self.walked(x, z, sizes, place=1)
        second, _ = self.walked(x, first[-1], sizes, place=2)
        mean, factor = fitted(first)
        density = np.stack([log_normal(z, mean, factor) for z in second])
        paper = -log_mean(density - self.log_joint(x, second))
        return paper, self.weighed(x, first, noise)


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
