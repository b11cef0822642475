"""What codes (n, d) are like: sparse, full of holes, informed, like another set's."""

import math

import numpy as np
import scipy.stats
from sklearn.metrics import mutual_info_score
from sklearn.neural_network import MLPClassifier
from sklearn.utils import check_array

from helpers.engine import checked


def excess_kurtosis(codes: np.ndarray) -> float:
    """Return the mean over latents of the codes' excess kurtosis: 0 if they are normal.

    nan if a latent is the same in all codes; ValueError if a code is not finite.
    """
    return float(scipy.stats.kurtosis(check_array(codes), axis=0).mean())


def hoyer_sparsity(codes: np.ndarray) -> float:
    """Return the codes' mean sparsity: 1 with one latent at work, 0 if all are equal.

    (sqrt d - |z|_1 / |z|_2) / (sqrt d - 1); 0 for a code of zeros. Source: Hoyer
    (2004), "Non-negative matrix factorization with sparseness constraints".

    Raises:
        ValueError: there are fewer than two latents, or a code is not finite.
    """
    codes = check_array(codes, ensure_min_features=2)
    size = math.sqrt(codes.shape[1])
    lengths = np.linalg.norm(codes, axis=1)
    sums = np.where(lengths > 0, np.linalg.norm(codes, ord=1, axis=1), size)
    norms = sums / np.where(lengths > 0, lengths, 1)
    return float(np.mean((size - norms) / (size - 1)))


def information(codes: np.ndarray, factors: np.ndarray, bins: int = 20) -> np.ndarray:
    """Return how much of each factor each latent tells, (factors, latents), in [0, 1].

    The mutual information of a latent and a factor, from (n, factors), as a share of
    the factor's entropy, both in ``bins`` of equal counts. Equal values share a bin;
    where there are no more values than bins, each has its own. Few codes tell too much:
    of a factor that has nothing to do with it a latent seems to tell about
    (bins - 1)^2 / (2 n ln bins), which is 0.3 for 200 codes in 20 bins. Source: Miller
    (1955), "Note on the bias of information estimates".

    Raises:
        ValueError: codes and factors differ in number or are not finite, a factor is
            constant, or the bins are below 2.
    """
    codes, factors = check_array(codes), check_array(factors)
    spread = np.ptp(factors, axis=0)
    if len(codes) != len(factors) or bins < 2 or not spread.all():
        raise ValueError(
            f"codes and factors must be as many, not {len(codes)} and {len(factors)}, "
            f"in 2 bins or more, not {bins}, and no factor may span {spread.min():g}"
        )

    def binned(values):
        """Return the bin of each of the values (n,)."""
        distinct, places = np.unique(values, return_inverse=True)
        ranks = scipy.stats.rankdata(values) - 1  # ties share their mean rank
        return places if len(distinct) <= bins else ranks * bins // len(values)

    def shared(a, b):
        """Return the mutual information in nats of two sets of bins (n,)."""
        counts = np.bincount(a * bins + b, minlength=bins * bins).reshape(bins, bins)
        return mutual_info_score(None, None, contingency=counts)

    latents, known = (
        np.apply_along_axis(binned, 0, a).astype(int).T for a in (codes, factors)
    )
    told = [[shared(factor, z) for z in latents] for factor in known]
    return np.divide(told, [[shared(factor, factor)] for factor in known])


def mutual_information_gap(shares: np.ndarray) -> float:
    """Return the MIG of ``information``'s shares: 1 if each factor has its own latent.

    The best latent's lead over the second best, mean over factors. Source: Chen et al.
    (2018), "Isolating sources of disentanglement in VAEs", section 4.1.

    Raises:
        ValueError: there is no factor, or fewer than two latents.
    """
    second, best = np.sort(check_array(shares, ensure_min_features=2))[:, -2:].T
    return float(np.mean(best - second))


def emptiness(codes: np.ndarray, window: np.ndarray, cells: int | None = None) -> float:
    """Return how much of a window of the plane is all but empty of codes, in [0, 1].

    The window is cut into ``cells`` by ``cells`` equal ones. It is the share of them
    that hold less than a tenth of an even share of the codes (n, 2) in the window.

    How to read it: 0 for codes spread evenly, near 1 for codes in a few clumps. Normal
    codes in the window of their central 99% per axis give 0.14, since its corners are
    nearly empty. Seen through the normal distribution function, as
    ``scipy.stats.norm.cdf(codes)`` in the unit square, they are even and give 0; there
    it is the share of draws of N(0, I) that fall where next to no code is.

    Args:
        codes: at least 20 in the window per cell, so that chance empties none.
        window: the lowest and the highest value of each axis, [[z_1, z_2], [z_1, z_2]].
        cells: by default 20, or fewer where there are less than 8,000 codes for them.

    Raises:
        ValueError: codes are not (n, 2) or not finite, the window is not (2, 2) with
            the lowest first, or too few codes are in it.
    """
    codes, window = check_array(codes), np.asarray(window)
    if (
        codes.shape[1] != 2
        or window.shape != (2, 2)
        or not (window[0] < window[1]).all()
    ):
        raise ValueError(
            "emptiness takes codes (n, 2) and a window [lowest, highest], each of two "
            f"values, and got {codes.shape} and {window.tolist()}"
        )
    bounds = [(float(low), float(high)) for low, high in window.T]
    if cells is None:
        inside = np.all((codes >= window[0]) & (codes <= window[1]), axis=1).sum()
        cells = max(2, min(20, math.isqrt(int(inside) // 20)))
    count = np.histogram2d(codes[:, 0], codes[:, 1], bins=cells, range=bounds)[0]
    if count.mean() < 20:
        raise ValueError(
            "chance must not empty a cell: give 20 codes in the window per cell, and "
            f"not {count.sum():.0f} for {cells} x {cells}, or fewer cells"
        )
    return float(np.mean(count < count.mean() / 10))


def overlap(codes: np.ndarray, others: np.ndarray, seed: int = 0) -> float:
    """Return an upper bound on the probability that two distributions share, in [0, 1].

    The integral of the smaller of two densities is twice the error of the best judge of
    where a code comes from. The judge here is a small network, asked about a quarter of
    the codes that it was not trained on; a better one would find less in common.

    Raises:
        ValueError: the two sets are not of the same shape.
    """
    checked.same_shape(codes=codes, others=others)
    both = np.concatenate([codes, others])
    origin = np.repeat([0, 1], len(codes))
    order = np.random.default_rng(seed).permutation(len(both))
    fit, ask = np.split(order, [len(both) * 3 // 4])
    options = {"early_stopping": True, "n_iter_no_change": 5, "random_state": seed}
    judge = MLPClassifier((200, 200), **options).fit(both[fit], origin[fit])
    return min(1.0, 2 * (1 - judge.score(both[ask], origin[ask])))
