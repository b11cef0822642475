"""Bounds on ln p(x) of held-out pictures, in nats, and what they are made of."""

import math
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from helpers.likelihoods import Bernoulli
from helpers.models import VAE, in_batches


@dataclass(frozen=True)
class Bound:
    """The evidence lower bound of a set of pictures, in nats a picture, and its two
    parts.

    Attributes:
        rate: mean KL(q(z|x), p(z)).
        distortion: mean -ln p(x|z).
    """

    rate: float
    distortion: float

    @property
    def elbo(self) -> float:
        """-(rate + distortion): the bound itself, without beta."""
        return -(self.rate + self.distortion)

    def __str__(self) -> str:
        parts = f"rate {self.rate:.2f} + distortion {self.distortion:.2f}"
        return f"ELBO {self.elbo:.2f} nats = -({parts})"


def elbo(vae: VAE, x: np.ndarray) -> Bound:
    """Return the ELBO of pictures (n, height, width, channels), one sample of z a
    picture.

    Source: Kingma and Welling (2013), equation 3.
    """
    vae.checked(x)
    if not vae.compiled:
        vae.compile()  # a model with loaded weights may never have been trained here
    results = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    return Bound(results["rate"], results["distortion"])


def iwae_bound(vae: VAE, x: np.ndarray, samples: int, seed: int = 0) -> float:
    """Return the importance-weighted bound with K = ``samples``, mean nats a picture.

    ln 1/K sum_k p(x, z_k) / q(z_k|x), z_k ~ q: the ELBO for K = 1, ln p(x) in the
    limit.

    Raises:
        ValueError: the likelihood is Bernoulli and a pixel is neither 0 nor 1. On grey
            targets the Bernoulli ELBO bounds an expectation over binary pictures, and
            this logarithm of a mean bounds nothing: draw binaries first
            (``binarised``). Or ``samples`` is below 1.

    Source: Burda, Grosse and Salakhutdinov (2015), equation 8.
    """
    x = vae.checked(x)
    if samples < 1:
        raise ValueError(
            f"samples must be at least 1 a picture, and is {samples}: try 100"
        )
    others = x[(x != 0) & (x != 1)]
    if isinstance(vae.likelihood, Bernoulli) and others.size:
        raise ValueError(
            "the importance-weighted bound of a Bernoulli decoder needs pixels that are 0 or 1, "
            f"and found others, such as {others[0]:g}: call binarised(x) first"
        )
    noise = keras.random.SeedGenerator(seed)

    def log_mean_weight(pictures):
        """Return ln of the mean weight for pictures (b, ...): shape (b,)."""
        repeated = ops.repeat(pictures, samples, axis=0)
        parameters = [ops.repeat(p, samples, axis=0) for p in vae.posterior(pictures)]
        z = vae.family.sample_posterior(parameters, noise)
        log_ratio = ops.sum(
            vae.family.log_prior(z) - vae.family.log_posterior(z, parameters), axis=-1
        )
        log_likelihood = -vae.likelihood.negative_log_likelihood(
            repeated, vae.decoder(z)
        )
        weights = ops.reshape(log_likelihood + log_ratio, (-1, samples))
        return ops.logsumexp(weights, axis=1) - math.log(samples)

    pictures_a_batch = max(1, 2000 // samples)  # bounds the memory, whatever K
    starts = range(0, len(x), pictures_a_batch)
    batches = (x[start : start + pictures_a_batch] for start in starts)
    means = [ops.convert_to_numpy(log_mean_weight(batch)) for batch in batches]
    return float(np.concatenate(means).mean())


def binarised(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return pictures whose pixels are 1 with the grey as probability, else 0; float32."""
    return (np.random.default_rng(seed).random(x.shape) < x).astype(np.float32)


def rate_per_latent(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Return the mean KL of each latent, in nats, shape (d,); they sum to the rate.

    Raises:
        ValueError: the prior's latents depend on each other, so that the KL is no such
            sum.
    """
    if not vae.family.factorised:
        raise ValueError(
            f"the KL to the prior {vae.family.name!r} belongs to whole codes, not to single "
            "latents: ask elbo(vae, x).rate for it"
        )
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    z = vae.family.sample_posterior(parameters, seed=0)
    return ops.convert_to_numpy(
        ops.mean(vae.family.kl_divergence(parameters, z), axis=0)
    )


def active_units(vae: VAE, x: np.ndarray, threshold: float = 0.01) -> int:
    """Return the number of latents whose posterior mean has a variance over ``x`` above
    threshold.

    The variance is in units of the prior's, so that priors of all widths compare.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.2.
    """
    variance = np.var(vae.encode(x), axis=0) / vae.family.prior_variance(
        vae.latent_size
    )
    return int(np.sum(variance > threshold))


def bits_per_dimension(vae: VAE, x: np.ndarray, seed: int = 0) -> float:
    """Return the mean bits a pixel and channel that the ELBO promises for 8-bit
    pictures.

    Uniform noise fills the steps between the 256 values, so that the density of the
    noisy pictures bounds the probability of the 8-bit ones; it needs a Gaussian
    likelihood, and pictures (n, height, width, channels) whose pixels are multiples of
    1/255.

    Source: Theis, van den Oord and Bethge (2016), "A note on the evaluation of
        generative models",
    section 3.1.

    Raises:
        ValueError: the likelihood is Bernoulli, which has no density of grey values.
    """
    if isinstance(vae.likelihood, Bernoulli):
        raise ValueError(
            "bits per dimension need a density of pixel values, and the likelihood is Bernoulli: "
            "build the model with likelihood='gaussian'"
        )
    noise = np.random.default_rng(seed).random(x.shape, np.float32)
    nats = -elbo(vae, (255 * x + noise) / 256).elbo / math.prod(x.shape[1:])
    return nats / math.log(2) + 8  # a step is 1/256 wide


def elbo_terms(vae: VAE, x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's rate and distortion in nats, two arrays (n,), one sample of
    z each.

    Their sum is the negative ELBO of each of the pictures (n, height, width, channels).
    """
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    z = vae.family.sample_posterior(parameters, seed)
    rate = ops.sum(vae.family.kl_divergence(parameters, z), axis=-1)
    outputs = in_batches(vae.decoder, z)
    pictures = ops.convert_to_tensor(np.asarray(x, np.float32))
    distortion = vae.likelihood.negative_log_likelihood(pictures, outputs)
    return ops.convert_to_numpy(rate), ops.convert_to_numpy(distortion)
