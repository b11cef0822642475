"""Measure models on held-out pictures: bounds in nats, active units, PSNR and SSIM."""

import math
from dataclasses import dataclass

import keras
import numpy as np
import scipy.stats
import tensorflow as tf
from keras import ops
from scipy.spatial.distance import cdist
from sklearn.metrics import mutual_info_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier

from helpers.likelihoods import Bernoulli
from helpers.models import VAE, in_batches


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
    vae.checked(x)
    if not vae.compiled:
        vae.compile()  # a model with loaded weights may never have been trained here
    results = vae.evaluate(x, batch_size=1000, verbose=0, return_dict=True)
    return Bound(results["rate"], results["distortion"])


def iwae_bound(vae: VAE, x: np.ndarray, samples: int, seed: int = 0) -> float:
    """Return the importance-weighted bound with K = ``samples``, mean nats a picture.

    ln 1/K sum_k p(x, z_k) / q(z_k|x), z_k ~ q: the ELBO for K = 1, ln p(x) in the limit.

    Raises:
        ValueError: the likelihood is Bernoulli and a pixel is neither 0 nor 1. On grey targets the
            Bernoulli ELBO bounds an expectation over binary pictures, and this logarithm of a mean
            bounds nothing: draw binaries first (``binarised``). Or ``samples`` is below 1.

    Source: Burda, Grosse and Salakhutdinov (2015), equation 8.
    """
    x = vae.checked(x)
    if samples < 1:
        raise ValueError(f"samples must be at least 1 a picture, and is {samples}: try 100")
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
        z = vae.prior.sample(parameters, noise)
        log_ratio = ops.sum(vae.prior.log_prior(z) - vae.prior.log_prob(z, parameters), axis=-1)
        log_likelihood = -vae.likelihood.negative_log_likelihood(repeated, vae.decoder(z))
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
        ValueError: the prior's latents depend on each other, so that the KL is no such sum.
    """
    if not vae.prior.factorised:
        raise ValueError(
            f"the KL to the prior {vae.prior.name!r} belongs to whole codes, not to single "
            "latents: ask elbo(vae, x).rate for it"
        )
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    z = vae.prior.sample(parameters, seed=0)
    return ops.convert_to_numpy(ops.mean(vae.prior.kl_divergence(parameters, z), axis=0))


def active_units(vae: VAE, x: np.ndarray, threshold: float = 0.01) -> int:
    """Return the number of latents whose posterior mean has a variance over ``x`` above threshold.

    The variance is in units of the prior's, so that priors of all widths compare.

    Source: Burda, Grosse and Salakhutdinov (2015), section 5.2.
    """
    variance = np.var(vae.encode(x), axis=0) / vae.prior.prior_variance(vae.latent_size)
    return int(np.sum(variance > threshold))


def bits_per_dimension(vae: VAE, x: np.ndarray, seed: int = 0) -> float:
    """Return the mean bits a pixel and channel that the ELBO promises for 8-bit pictures.

    Uniform noise fills the steps between the 256 values, so that the density of the noisy pictures
    bounds the probability of the 8-bit ones; it needs a Gaussian likelihood, and pictures
    (n, height, width, channels) whose pixels are multiples of 1/255.

    Source: Theis, van den Oord and Bethge (2016), "A note on the evaluation of generative models",
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


def excess_kurtosis(codes: np.ndarray) -> float:
    """Return the mean over latents of the excess kurtosis of codes (n, d): 0 if normal.

    nan if a latent is the same in all codes.

    Raises:
        ValueError: the codes are not one or more, all finite.
    """
    check_codes(codes)
    return float(scipy.stats.kurtosis(codes, axis=0).mean())


def hoyer_sparsity(codes: np.ndarray) -> float:
    """Return the mean sparsity of codes (n, d): 1 with one latent at work, 0 if all are equal.

    (sqrt d - |z|_1 / |z|_2) / (sqrt d - 1); 0 for a code of zeros. Source: Hoyer (2004),
    "Non-negative matrix factorization with sparseness constraints", section 3.1.

    Raises:
        ValueError: the codes are not one or more of at least two latents, all finite.
    """
    check_codes(codes, latents=2)
    size = math.sqrt(codes.shape[1])
    lengths = np.linalg.norm(codes, axis=1)
    sums = np.where(lengths > 0, np.linalg.norm(codes, ord=1, axis=1), size)
    norms = sums / np.where(lengths > 0, lengths, 1)
    return float(np.mean((size - norms) / (size - 1)))


def check_codes(codes: np.ndarray, latents: int = 1) -> None:
    """Raise ValueError unless codes are (n, d), n above 0, d from ``latents`` on, and finite."""
    shape = np.shape(codes)
    if len(shape) != 2 or shape[0] < 1 or shape[1] < latents:
        raise ValueError(
            f"codes must be (n, d), one or more, of at least {latents} latents, and have shape "
            f"{shape}"
        )
    if not np.isfinite(codes).all():
        raise ValueError("codes must be finite, and some are nan or infinite: leave those out")


def information(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> np.ndarray:
    """Return how much of each factor each latent tells, (factors, latents), from 0 to 1.

    The mutual information of a latent and a factor, both cut into ``bins`` of equal counts, as a
    share of the factor's entropy. Codes are (n, d), factors (n, factors).

    Raises:
        ValueError: codes and factors differ in number or are not finite, or the bins are below 2.
    """
    check_codes(codes)
    check_codes(factors)
    if len(codes) != len(factors) or bins < 2:
        raise ValueError(
            "codes and factors must be as many, in two or more bins, and are "
            f"{len(codes)} and {len(factors)}, in {bins}"
        )
    ranks = [np.argsort(np.argsort(a, axis=0), axis=0) * bins // len(a) for a in (codes, factors)]
    shares = [
        [mutual_info_score(factor, latent) / math.log(bins) for latent in ranks[0].T]
        for factor in ranks[1].T
    ]
    return np.array(shares)


def mutual_information_gap(shares: np.ndarray) -> float:
    """Return the MIG of ``information``'s (factors, latents): 1 if each factor has its own latent.

    The lead of the best latent over the second best, mean over factors. Source: Chen, Li, Grosse
    and Duvenaud (2018), "Isolating sources of disentanglement in VAEs", section 4.1.

    Raises:
        ValueError: there is no factor, or fewer than two latents.
    """
    check_codes(shares, latents=2)
    second, best = np.sort(shares, axis=1)[:, -2:].T
    return float(np.mean(best - second))


def mse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each pair of pictures in [0, 1], shape (n,).

    Raises:
        ValueError: the pictures are not (n, height, width, channels), or no pairs.
    """
    check_pairs(x, y)
    return np.mean(np.square(x - y), axis=(1, 2, 3))


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio, in dB, of each pair of pictures in [0, 1].

    Raises:
        ValueError: the pictures are not (n, height, width, channels), or no pairs.
    """
    check_pairs(x, y)
    return tf.image.psnr(x, y, max_val=1.0).numpy()


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each pair of pictures in [0, 1], shape (n,).

    Source: Wang, Bovik, Sheikh and Simoncelli (2004).

    Raises:
        ValueError: the pictures are not (n, height, width, channels), no pairs, or smaller than
            11 x 11 pixels.
    """
    check_pairs(x, y, side=11)
    return tf.image.ssim(x, y, max_val=1.0).numpy()


def check_pairs(x: np.ndarray, y: np.ndarray, side: int = 1) -> None:
    """Raise ValueError unless x and y are as many pictures of one shape, of ``side`` or more."""
    shapes = np.shape(x), np.shape(y)
    if shapes[0] != shapes[1] or len(shapes[0]) != 4 or min(shapes[0][1:3]) < side:
        raise ValueError(
            "both must be as many pictures (n, height, width, channels), of at least "
            f"{side} x {side} pixels, and have the shapes {shapes[0]} and {shapes[1]}: cut both to "
            "the same n; x[..., np.newaxis] adds a missing channel axis"
        )


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

    Raises:
        ValueError: ``neighbours`` is below 1, or more than the training pictures.
    """
    check_neighbours(neighbours, len(x_train))
    flat = [array.reshape(len(array), -1) for array in (x_train[:10_000], pictures)]
    classifier = KNeighborsClassifier(neighbours).fit(flat[0], y_train[:10_000])
    return float(np.mean(classifier.predict_proba(flat[1]).max(axis=1) == 1))


def check_neighbours(neighbours: int, most: int) -> None:
    """Raise ValueError unless there are so many neighbours to be had."""
    if not 1 <= neighbours <= most:
        raise ValueError(
            f"neighbours must be from 1 to {most}, as many as there are to find, and is "
            f"{neighbours}: give more pictures, or lower it"
        )


class TrackQuality(keras.callbacks.Callback):
    """Add MSE, PSNR and SSIM of the model's reconstructions to every round's figures.

    Args:
        x: training pictures (n, height, width, channels).
        held_out: held-out pictures, whose figures get the prefix ``val_``.
    """

    def __init__(self, x: np.ndarray, held_out: np.ndarray):
        super().__init__()
        self.pictures = {"": x, "val_": held_out}

    def on_epoch_end(self, epoch, logs=None):
        for prefix, x in self.pictures.items():
            figures = quality(x, self.model.reconstruct(x))
            logs.update({prefix + name: value for name, value in figures.items()})


def overlap(codes: np.ndarray, others: np.ndarray, seed: int = 0) -> float:
    """Return an upper bound on the probability that two distributions share, from codes (n, d).

    The integral of the smaller of the two densities is twice the error of the best judge of where a
    code comes from. The judge here is a small network, asked about a quarter of the codes that it
    was not trained on; a better one would find less in common. 1: it can't tell them apart.

    Raises:
        ValueError: the two sets are not of the same shape.
    """
    if codes.shape != others.shape:
        raise ValueError(
            f"both sets must have the same shape (n, d), and have {codes.shape} and {others.shape}"
        )
    both = np.concatenate([codes, others])
    origin = np.repeat([0, 1], len(codes))
    order = np.random.default_rng(seed).permutation(len(both))
    fit, ask = np.split(order, [len(both) * 3 // 4])
    judge = MLPClassifier((200, 200), early_stopping=True, n_iter_no_change=5, random_state=seed)
    error = 1 - judge.fit(both[fit], origin[fit]).score(both[ask], origin[ask])
    return min(1.0, 2 * error)


def elbo_terms(vae: VAE, x: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return each picture's rate and distortion in nats, two arrays (n,), one sample of z each.

    Their sum is the negative ELBO of each of the pictures (n, height, width, channels).
    """
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    z = vae.prior.sample(parameters, seed)
    rate = ops.sum(vae.prior.kl_divergence(parameters, z), axis=-1)
    outputs = in_batches(vae.decoder, z)
    pictures = ops.convert_to_tensor(np.asarray(x, np.float32))
    distortion = vae.likelihood.negative_log_likelihood(pictures, outputs)
    return ops.convert_to_numpy(rate), ops.convert_to_numpy(distortion)


@dataclass(frozen=True)
class Estimate:
    """A figure from a sample, and the bounds of its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auc(normal: np.ndarray, foreign: np.ndarray, resamples: int = 500, seed: int = 0) -> Estimate:
    """Return the area under the ROC curve of scores (n,) and (m,), with a bootstrap interval.

    The area is the probability that a foreign picture scores above a normal one, ties half; both
    sets are resampled. Source: Efron and Tibshirani (1993), "An introduction to the bootstrap".

    Raises:
        ValueError: one of the two is empty, or a score is not a number.
    """
    if not (len(normal) and len(foreign)) or np.isnan([*normal, *foreign]).any():
        raise ValueError(
            f"both sets need scores that are numbers, and have {len(normal)} and {len(foreign)}, "
            f"{np.isnan([*normal, *foreign]).sum()} of them nan: leave those pictures out"
        )
    against = foreign[:, np.newaxis]
    wins = np.float32(against > normal) + 0.5 * np.float32(against == normal)
    rng = np.random.default_rng(seed)
    weights = [
        rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float32) / count
        for count in wins.shape
    ]
    areas = np.sum((weights[0] @ wins) * weights[1], axis=1)
    return Estimate(float(wins.mean()), *map(float, np.quantile(areas, [0.025, 0.975])))


def covered_share(points: np.ndarray, centres: np.ndarray, neighbours: int = 3) -> float:
    """Return the share of points (n, d) that lie in the ball of at least one centre (m, d).

    The ball of a centre reaches to its ``neighbours``-th nearest other centre. With features of
    real and invented pictures, the share of invented ones in balls of real ones is the precision,
    and the share of real ones in balls of invented ones the recall. Compare sets of equal size.

    Source: Kynkäänniemi, Karras, Laine, Lehtinen and Aila (2019), "Improved precision and recall
    metric for assessing generative models", section 2.

    Raises:
        ValueError: points or centres are not finite, or the centres no more than ``neighbours``.
    """
    check_codes(points)
    check_codes(centres)
    check_neighbours(neighbours, len(centres) - 1)
    radii = np.sort(cdist(centres, centres), axis=1)[:, neighbours]  # place 0 is itself
    return float(np.mean((cdist(points, centres) <= radii).any(axis=1)))
