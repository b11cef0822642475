"""Measure models on held-out pictures: bounds in nats, active units, PSNR and SSIM."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from sklearn.neighbors import KNeighborsClassifier

from helpers.likelihoods import Bernoulli
from helpers.models import VAE


@dataclass(frozen=True)
class Bound:
    """The evidence lower bound of a set of pictures, in nats a picture, and its two parts.

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
    """Return the ELBO of pictures (n, height, width, channels), one sample of z a picture.

    Source: Kingma and Welling (2013), equation 3.
    """
    results = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    return Bound(results["rate"], results["distortion"])


def iwae_bound(vae: VAE, x: np.ndarray, samples: int, seed: int = 0) -> float:
    """Return the importance-weighted bound with K = ``samples``, mean nats a picture.

    ln 1/K sum_k p(x, z_k) / q(z_k|x), z_k ~ q: the ELBO for K = 1, ln p(x) in the limit.

    Raises:
        ValueError: the likelihood is Bernoulli and a pixel is neither 0 nor 1. On grey targets the
            Bernoulli ELBO bounds an expectation over binary pictures, and this logarithm of a mean
            bounds nothing: draw binaries first (``binarised``).

    Source: Burda, Grosse and Salakhutdinov (2015), equation 8.
    """
    others = x[(x != 0) & (x != 1)]
    if isinstance(vae.likelihood, Bernoulli) and others.size:
        raise ValueError(
            "the importance-weighted bound of a Bernoulli decoder needs pixels that are 0 or 1, "
            f"and found others, such as {others[0]:g}: call binarised(x) first"
        )
    noise = keras.random.SeedGenerator(seed)

    @tf.function
    def log_mean_weight(pictures):
        """Return ln of the mean weight for pictures (b, ...): shape (b,)."""
        repeated = ops.repeat(pictures, samples, axis=0)
        parameters = [ops.repeat(p, samples, axis=0) for p in vae.posterior(pictures)]
        z = vae.prior.sample(parameters, noise)
        log_ratio = ops.sum(vae.prior.log_prior(z) - vae.prior.log_prob(z, parameters), axis=-1)
        log_likelihood = -vae.likelihood.negative_log_likelihood(repeated, vae.decoder(z))
        weights = ops.reshape(log_likelihood + log_ratio, (-1, samples))
        return ops.logsumexp(weights, axis=1) - math.log(samples)

    pictures_a_batch = max(1, 2000 // samples)  # bounds the memory, whatever K
    batches = tf.data.Dataset.from_tensor_slices(x).batch(pictures_a_batch)
    return float(np.concatenate([log_mean_weight(batch) for batch in batches]).mean())


def binarised(x: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return pictures whose pixels are 1 with the grey as probability, else 0; float32."""
    return (np.random.default_rng(seed).random(x.shape) < x).astype(np.float32)


def rate_per_latent(vae: VAE, x: np.ndarray) -> np.ndarray:
    """Return the mean KL of each latent, in nats, shape (d,); they sum to the rate."""
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    z = vae.prior.sample(parameters, seed=0)
    return ops.convert_to_numpy(ops.mean(vae.prior.kl_divergence(parameters, z), axis=0))


def active_units(vae: VAE, x: np.ndarray, threshold: float = 0.01) -> int:
    """Return the number of latents whose posterior mean has a variance over ``x`` above threshold.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.2.
    """
    return int(np.sum(np.var(vae.encode(x), axis=0) > threshold))


def mse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each pair of pictures in [0, 1], shape (n,)."""
    return np.mean(np.square(x - y), axis=(1, 2, 3))


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio, in dB, of each pair of pictures in [0, 1]."""
    return tf.image.psnr(x, y, max_val=1.0).numpy()


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each pair of pictures in [0, 1], shape (n,).

    Source: Wang, Bovik, Sheikh and Simoncelli (2004); pictures of at least 11 x 11 pixels.
    """
    return tf.image.ssim(x, y, max_val=1.0).numpy()


def quality(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the mean MSE, PSNR (dB) and SSIM of reconstructions ``y`` of pictures ``x``."""
    measures = {"mse": mse, "psnr": psnr, "ssim": ssim}
    return {name: float(measure(x, y).mean()) for name, measure in measures.items()}


def recognisable_share(
    pictures: np.ndarray, x_train: np.ndarray, y_train: np.ndarray, neighbours: int = 10
) -> float:
    """Return the share of pictures that real ones agree about.

    A picture counts if its nearest ``neighbours`` among the first 10,000 training pictures, by
    squared distance of pixels, are all of one class. Pictures are (n, height, width, channels).
    """
    flat = [array.reshape(len(array), -1) for array in (x_train[:10_000], pictures)]
    classifier = KNeighborsClassifier(neighbours).fit(flat[0], y_train[:10_000])
    return float(np.mean(classifier.predict_proba(flat[1]).max(axis=1) == 1))
