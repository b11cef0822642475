"""The ladder's VAEs: what they are made of, their gradients, and their NLL.

Codes are (n, d), pictures flat (n, D), binary and float32; seeds two numbers, as
``stateless`` has them.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from keras import ops

from helpers import likelihoods
from helpers.engine import stateless
from helpers.engine.studies import ladder_networks
from helpers.engine.studies.ladder_priors import (
    RealNVP,
    drawn,
    log_normal,
    prior_of,
    standard_normal,
)

ROWS = 10_000  # codes that are decoded at a time


class Model(NamedTuple):
    """A VAE with normal posteriors, and maybe more groups of codes under the first.

    Attributes:
        encoder: pictures (n, D) to ``[z_mean, z_log_var]``, each (n, d), followed by a
            context for ``posterior`` if there is one, and by each group's features.
        decoder: codes (n, d) to outputs (n, D), or to what the first group reads.
        prior: codes (n, d) and seeds to ln p(z), (n,); or to a draw of ln of what has
            the mean p(z), which is all that a bound needs.
        nll: (x, outputs) to -ln p(x|z), (n,).
        weights: all trained variables.
        groups: ``ladder_networks.Group``, from top to bottom.
        output: what the last group gives to outputs (n, D).
        posterior: draws (n, d) and a context to codes (n, d), and ln of the slope.
    """

    encoder: Callable
    decoder: Callable
    prior: Callable
    nll: Callable
    weights: list
    groups: tuple = ()
    output: Callable | None = None
    posterior: Callable | None = None

    def log_weights(self, x, z, z_mean, z_log_var, seeds):
        """Return ln p(x, z) - ln q(z|x), (k, n), of codes (k, n, d), without groups."""
        log_q = log_normal(z, z_mean, z_log_var)
        flat = ops.reshape(z, (-1, z.shape[-1]))  # (k n, d)
        nll = self.nll(tiled(x, z.shape[0]), self.decoder(flat))
        return ops.reshape(self.prior(flat, seeds) - nll, ops.shape(log_q)) - log_q

    def log_ratios(self, x, seeds, samples: int, landing: bool = False):
        """Return ln p(x, z) - ln q(z|x) at draws of q(z|x), (k, n).

        Args:
            landing: whether gradients reach q through the draws alone.

        Source: of groups, Sonderby et al. (2016), "Ladder variational autoencoders".
        """
        still = ops.stop_gradient if landing else ops.copy
        first, second, *others = stateless.split(seeds, 2 + len(self.groups))
        z_mean, z_log_var, *rest = (tiled(t, samples) for t in self.encoder(x))
        z = drawn(z_mean, z_log_var, first)
        total = -log_normal(z, still(z_mean), still(z_log_var))
        if self.posterior is not None:
            z, log_slope = self.posterior(z, rest.pop(0))
            total += log_slope
        total += self.prior(z, second)
        h = self.decoder(z)
        for group, features, noise in zip(self.groups, rest, others, strict=True):
            mean, log_var = group.prior(h)
            shift, change = group.correction([h, features])
            q = mean + ops.exp(log_var / 2) * shift, log_var + change
            z = drawn(*q, noise)
            total += log_normal(z, mean, log_var) - log_normal(z, *map(still, q))
            h = group.merge([h, z])
        outputs = self.output(h) if self.groups else h
        total -= self.nll(tiled(x, samples), outputs)
        return ops.reshape(total, (samples, -1))


def tiled(tensor, samples: int):
    """Return a tensor (n, ...) several times under itself."""
    return ops.tile(tensor, (samples,) + (1,) * (len(tensor.shape) - 1))


def build(x: np.ndarray, latents: int, **options) -> Model:
    """Return an untrained model.

    Args:
        x: training pictures (N, D), at whose mean the outputs may begin, and with some
            of which a VampPrior does.
        options: ``networks``, "dense" or "convolutional", and what these take;
            ``prior``, a name, and ``components``; ``posterior``, "normal" or "flow".
    """
    networks = getattr(ladder_networks, options["networks"])(x, latents, **options)
    encoder = networks.encoder
    prior, weights = prior_of(options["prior"], encoder, options.get("components"))
    if options["prior"] == "vamp":
        weights[0].assign(x[: options["components"]])
    posterior = None
    if options["posterior"] == "flow":
        flow = RealNVP(latents, layers=4, context=ladder_networks.CONTEXT)
        posterior, weights = flow.forward, weights + flow.trainable_variables
    nll = likelihoods.Bernoulli().negative_log_likelihood
    weights = networks.weights + weights
    own = (encoder, networks.start, prior, nll, weights)
    return Model(*own, tuple(networks.groups), networks.output, posterior)


# Gradients


def bound_gradients(model: Model, x, seeds, samples: int) -> list:
    """Return the gradients of minus the bound: the ELBO for one sample, else IWAE's.

    One sample under a normal prior has its KL in closed form.

    Source: Burda, Grosse and Salakhutdinov (2015), equations 8 and 13.
    """
    closed = samples == 1 and model.prior is standard_normal and not model.groups

    def loss():
        if not closed or model.posterior is not None:
            return -ops.mean(ops.logsumexp(model.log_ratios(x, seeds, samples), axis=0))
        z_mean, z_log_var = model.encoder(x)
        outputs = model.decoder(drawn(z_mean, z_log_var, seeds))
        rate = ops.square(z_mean) + ops.exp(z_log_var) - 1 - z_log_var
        return ops.mean(ops.sum(rate, axis=1) / 2 + model.nll(x, outputs))

    return stateless.gradients(loss, model.weights)


def doubly_gradients(model: Model, x, seeds, samples: int) -> list:
    """Return the same in the mean, with less noise: doubly reparameterised gradients.

    What reaches the encoder comes through the codes alone, weighed by the square of
    each code's share; for one sample that is "sticking the landing".

    Raises:
        ValueError: several samples of a model with groups or a flow as a posterior.

    Source: Tucker, Lawson, Gu and Maddison (2019), "Doubly reparameterized gradient
    estimators for Monte Carlo objectives", equation 8; Roeder, Wu and Duvenaud (2017).
    """
    if samples == 1 and model.posterior is None:
        return stateless.gradients(
            lambda: -ops.mean(model.log_ratios(x, seeds, 1, landing=True)),
            model.weights,
        )
    if model.groups or model.posterior is not None:
        raise ValueError("only one layer of normal codes has these gradients")
    first, second = stateless.split(seeds)

    def draw():
        z_mean, z_log_var = model.encoder(x)
        noise = stateless.normal((samples, *z_mean.shape), first)
        return z_mean + ops.exp(z_log_var / 2) * noise, (z_mean, z_log_var)

    def loss(z, q):
        log_weights = model.log_weights(x, z, *q, second)  # (k, n)
        shares = ops.stop_gradient(ops.softmax(log_weights, axis=0))
        mean = ops.sum(shares * log_weights) / x.shape[0]
        return -mean, ops.expand_dims(shares, 2)

    return stateless.gradients_through(draw, loss, model.weights)


# Measures


class Bounds:
    """The ELBO and ln p(x) of pictures, by importance sampling, compiled once.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.
    """

    def __init__(self, model: Model):
        def bounds(samples, x, seeds):
            log_weights = model.log_ratios(x, seeds, samples)
            mean = ops.logsumexp(log_weights, axis=0) - math.log(samples)
            return ops.mean(log_weights, axis=0), mean

        @functools.cache
        def of(samples: int) -> Callable:
            return stateless.compiled(functools.partial(bounds, samples), model.weights)

        self.of = of

    def parts(self, x: np.ndarray, samples: int, size: int, kind: int):
        """Return both for pictures, ``size`` of them at a time, (n,) each."""
        pairs = [
            self.of(samples)(x[i : i + size], stateless.seeds_of(kind, i))
            for i in range(0, len(x), size)
        ]
        each = zip(*pairs, strict=True)
        return [
            np.concatenate([ops.convert_to_numpy(t) for t in part]) for part in each
        ]

    def elbo(self, x: np.ndarray) -> np.ndarray:
        """Return the ELBO of pictures, one code each, (n,)."""
        return self.parts(x, 1, 1000, 1)[0]

    def likelihood(self, x: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray]:
        """Return ELBO and ln p(x), both by ``samples`` codes, (n,) each."""
        elbo, likelihood = self.parts(x, samples, max(1, ROWS // samples), 2)
        return elbo, likelihood
