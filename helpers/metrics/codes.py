"""What codes are like: sparsity, information on factors, overlap with another set."""

import math

import numpy as np
import scipy.stats
from sklearn.metrics import mutual_info_score
from sklearn.neural_network import MLPClassifier


def excess_kurtosis(codes: np.ndarray) -> float:
    """Return the mean over latents of the excess kurtosis of codes (n, d): 0 if normal.

    nan if a latent is the same in all codes.

    Raises:
        ValueError: the codes are not one or more, all finite.
    """
    check_codes(codes)
    return float(scipy.stats.kurtosis(codes, axis=0).mean())


def hoyer_sparsity(codes: np.ndarray) -> float:
    """Return the mean sparsity of codes (n, d): 1 with one latent at work, 0 if all are
    equal.

    (sqrt d - |z|_1 / |z|_2) / (sqrt d - 1); 0 for a code of zeros. Source: Hoyer
    (2004), "Non-negative matrix factorization with sparseness constraints", section
    3.1.

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
        raise ValueError(
            "codes must be finite, and some are nan or infinite: leave those out"
        )


def information(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> np.ndarray:
    """Return how much of each factor each latent tells, (factors, latents), from 0 to
    1.

    The mutual information of a latent and a factor, both cut into ``bins`` of equal
    counts, as a share of the factor's entropy. Codes are (n, d), factors (n, factors).

    Raises:
        ValueError: codes and factors differ in number or are not finite, or the bins
            are below 2.
    """
    check_codes(codes)
    check_codes(factors)
    if len(codes) != len(factors) or bins < 2:
        raise ValueError(
            "codes and factors must be as many, in two or more bins, and are "
            f"{len(codes)} and {len(factors)}, in {bins}"
        )
    ranks = [
        np.argsort(np.argsort(a, axis=0), axis=0) * bins // len(a)
        for a in (codes, factors)
    ]
    shares = [
        [mutual_info_score(factor, latent) / math.log(bins) for latent in ranks[0].T]
        for factor in ranks[1].T
    ]
    return np.array(shares)


def mutual_information_gap(shares: np.ndarray) -> float:
    """Return the MIG of ``information``'s (factors, latents): 1 if each factor has its
    own latent.

    The lead of the best latent over the second best, mean over factors. Source: Chen,
    Li, Grosse and Duvenaud (2018), "Isolating sources of disentanglement in VAEs",
    section 4.1.

    Raises:
        ValueError: there is no factor, or fewer than two latents.
    """
    check_codes(shares, latents=2)
    second, best = np.sort(shares, axis=1)[:, -2:].T
    return float(np.mean(best - second))


def overlap(codes: np.ndarray, others: np.ndarray, seed: int = 0) -> float:
    """Return an upper bound on the probability that two distributions share, from codes
    (n, d).

    The integral of the smaller of the two densities is twice the error of the best
    judge of where a code comes from. The judge here is a small network, asked about a
    quarter of the codes that it was not trained on; a better one would find less in
    common. 1: it can't tell them apart.

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
    judge = MLPClassifier(
        (200, 200), early_stopping=True, n_iter_no_change=5, random_state=seed
    )
    error = 1 - judge.fit(both[fit], origin[fit]).score(both[ask], origin[ask])
    return min(1.0, 2 * error)
