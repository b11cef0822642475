"""Bounds on ln p(x) of held-out pictures (n, height, width, channels), in nats.

Of other data, rows of a table (n, columns), they are in nats per row.
"""

import math
import operator
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from helpers.engine import checked
from helpers.likelihoods import Bernoulli, DiscretisedLogistic
from helpers.models import VAE, ConditionalVAE

AT_ONCE = 1000  # pictures in a batch


@dataclass(frozen=True)
class Bound:
    """The evidence lower bound (ELBO) of some pictures, in nats per picture."""

    rate: float  # mean KL(q(z|x), p(z))
    distortion: float  # mean -ln p(x|z)

    @property
    def elbo(self) -> float:
        """-(rate + distortion): the bound itself, without beta."""
        return -(self.rate + self.distortion)

    def __str__(self) -> str:
        parts = f"rate {self.rate:.2f} + distortion {self.distortion:.2f}"
        return f"ELBO {self.elbo:.2f} nats = -({parts})"


def elbo(vae: VAE, x: np.ndarray) -> Bound:
    """Return the ELBO of pictures, one z each; Kingma and Welling (2013), eq. 3.

    The mean over pictures, whatever their order. As in all measures, the pictures may
    be numbers of any type. A training's own figures go on as they were.

    Raises:
        ValueError: another shape, no picture, or pixels that leave [0, 1] (a Gaussian
            decoder's, far), and what else the likelihood has no density for; so in all
            measures.
    """
    pictures, _, _ = vae.checked_data(x, None, None, "measure")
    variables = [v for metric in vae.metrics for v in metric.variables]
    before = [ops.convert_to_numpy(variable) for variable in variables]
    try:
        vae.reset_metrics()
        for start in range(0, len(keras.tree.flatten(pictures)[0]), AT_ONCE):
            rows = operator.itemgetter(slice(start, start + AT_ONCE))
            vae(keras.tree.map_structure(rows, pictures))  # evaluate would trace first
        means = {metric.name: float(metric.result()) for metric in vae.metrics}
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)
    return Bound(means["rate"], means["distortion"])


def elbo_terms(vae: VAE, x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's rate and distortion, both (n,): minus the ELBO in sum."""
    x = plain_pictures(vae, x)
    parameters, z = sampled_codes(vae, x, seed)
    rate = ops.sum(vae.family.kl_divergence(parameters, z), axis=-1)
    nll = vae.likelihood.negative_log_likelihood
    starts = range(0, len(x), AT_ONCE)
    batches = [slice(start, start + AT_ONCE) for start in starts]
    distortion = ops.concatenate([nll(x[b], vae.decoder(z[b])) for b in batches])
    return ops.convert_to_numpy(rate), ops.convert_to_numpy(distortion)


def plain_pictures(vae: VAE, x: np.ndarray, purpose: str = "measure") -> np.ndarray:
    """Return pictures as float32; ValueError too for a model of pairs."""
    if isinstance(vae, ConditionalVAE):
        raise ValueError(
            "this measure is for a VAE of pictures alone, and got a ConditionalVAE: "
            "elbo, rate_per_latent and active_units take (pictures, labels)"
        )
    return vae.checked(x, purpose=purpose)


def sampled_codes(vae: VAE, x: np.ndarray, seed: int):
    """Return the posterior's parameters and one z ~ q(z|x), tensors (n, d)."""
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    return parameters, vae.family.sample_posterior(parameters, seed)


def iwae_bound(vae: VAE, x: np.ndarray, samples: int, seed: int = 0) -> float:
    """Return the importance-weighted bound with K = ``samples``, mean nats per picture.

    ln 1/K sum_k p(x, z_k) / q(z_k|x), z_k ~ q: the ELBO for K = 1, ln p(x) in the
    limit. Source: Burda, Grosse and Salakhutdinov (2015), equation 8.

    Raises:
        ValueError: ``samples`` is below 1, or the likelihood is Bernoulli and a pixel
            neither 0 nor 1. Figures in the literature are of binary pictures, and grey
            ones have a looser bound than those drawn from them (``binarised``) have on
            average by the same q, since ln of the mean weight is convex in x.
    """
    coins = isinstance(vae.likelihood, Bernoulli)
    x = plain_pictures(vae, x, "look" if coins else "measure")
    if samples < 1:
        raise ValueError(f"samples per picture must be at least 1, and are {samples}")
    others = x[(x != 0) & (x != 1)]
    if coins and others.size:
        raise ValueError(
            "bounds of Bernoulli decoders are compared on pixels 0 and 1, and one is "
            f"{others[0]:g}: call binarised(x) first"
        )
    noise = keras.random.SeedGenerator(seed)

    def log_mean_weight(pictures):
        """Return ln of the mean weight for pictures (b, ...): shape (b,)."""
        repeated = ops.repeat(pictures, samples, axis=0)  # (b K, ...)
        parameters = [ops.repeat(p, samples, axis=0) for p in vae.posterior(pictures)]
        z = vae.family.sample_posterior(parameters, noise)
        ratio = vae.family.log_prior(z) - vae.family.log_posterior(z, parameters)
        nll = vae.likelihood.negative_log_likelihood(repeated, vae.decoder(z))
        weights = ops.reshape(ops.sum(ratio, axis=-1) - nll, (-1, samples))  # (b, K)
        return ops.convert_to_numpy(ops.logsumexp(weights, axis=1)) - math.log(samples)

    size = max(1, 2000 // samples)  # bounds the memory, whatever K
    bounds = [log_mean_weight(x[i : i + size]) for i in range(0, len(x), size)]
    return float(np.concatenate(bounds).mean())


def binarised(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return pictures of zeros and ones, float32: 1 with the grey as probability.

    Raises:
        ValueError: the pixels leave [0, 1].
    """
    x = checked.pictures(x, fewest=0)
    return (np.random.default_rng(seed).random(x.shape) < x).astype(np.float32)


def rate_per_latent(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Return the mean KL of each latent, (d,); they sum to the rate.

    Raises:
        ValueError: the latents depend on each other, so that the KL is no such sum.
    """
    if not vae.family.factorised:
        raise ValueError(
            f"{vae.family.name!r} has one KL per code, elbo(vae, x).rate, not d of them"
        )
    kl = vae.family.kl_divergence(*sampled_codes(vae, x, seed=0))  # (n, d)
    return ops.convert_to_numpy(ops.mean(kl, axis=0))


def active_units(vae: VAE, x: np.ndarray, threshold: float = 0.01) -> int:
    """Return how many latents have a posterior mean that varies over ``x``.

    Their variance is above ``threshold`` in units of the prior's, so that families of
    all widths compare. Source: Burda, Grosse and Salakhutdinov (2015), section 5.2.
    """
    units = vae.family.prior_variance(vae.latent_size)  # (d,)
    return int(np.sum(np.var(vae.encode(x), axis=0) / units > threshold))


def bits_per_dimension(vae: VAE, x: np.ndarray, seed: int = 0) -> float:
    """Return the mean bits per pixel and channel that the ELBO promises.

    The pictures are 8-bit ones, multiples of 1/255. Uniform noise fills the steps
    between their 256 values, so that the density of the noisy pictures bounds the
    probability of the 8-bit ones. Source: Theis, van den Oord and Bethge (2016), "A
    note on the evaluation of generative models", section 3.1. A discretised logistic
    likelihood gives the probabilities themselves, without noise.

    Args:
        seed: of the noise; codes come, as for ``elbo``, from the model's own generator.

    Raises:
        ValueError: the likelihood is Bernoulli, which has no density of grey values, or
            not one of pixels; or the pixels leave [0, 1].
    """
    if isinstance(vae.likelihood, Bernoulli) or vae.likelihood.span.what != "pixels":
        raise ValueError(
            "bits need a density of grey pixels, and the likelihood is "
            f"{type(vae.likelihood).__name__}, of {vae.likelihood.span.what}: build it "
            "with likelihood='gaussian' or 'discretised_logistic'"
        )
    x = checked.pictures(plain_pictures(vae, x, "look"))
    if isinstance(vae.likelihood, DiscretisedLogistic):
        return -elbo(vae, x).elbo / math.prod(x.shape[1:]) / math.log(2)
    noise = np.random.default_rng(seed).random(x.shape, np.float32)
    nats = -elbo(vae, (255 * x + noise) / 256).elbo / math.prod(x.shape[1:])
    return nats / math.log(2) + 8  # a step is 1/256 wide
