"""Right and wrong answers to the exercises of notebook 09: Your own data.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import heapq
import math

import keras
import numpy as np
import pandas as pd
import scipy.linalg
import scipy.optimize
import scipy.spatial
import scipy.special
import scipy.stats
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.covariance import EmpiricalCovariance
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler


def copied(known, new):
    near = np.sort(cdist(new, known), axis=1)[:, :2]
    return np.mean(near[:, 0] <= near[:, 1] / 2)


def copied_loops(known, new):
    count = 0
    for row in new:
        far = sorted(np.linalg.norm(known - row, axis=1))
        count += far[0] <= 0.5 * far[1]
    return count / len(new)


def copied_neighbours(known, new):
    far = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(known)
    near = far.kneighbors(new)[0]
    return (near[:, 0] <= 0.5 * near[:, 1] + 1e-12).mean()


def own_copied(known, new):
    near = np.sort(cdist(known, known), axis=1)
    return np.mean(near[:, 1] <= near[:, 2] / 2)


def gain(z_train, z):
    mean, covariance = z_train.mean(axis=0), np.cov(z_train.T, bias=True)
    own = scipy.stats.multivariate_normal(mean, covariance).logpdf(z)
    return np.mean(own - scipy.stats.norm.logpdf(z).sum(axis=1))


def fitted_gain(z_train, z, mean=None, covariance=None):
    mean = z_train.mean(axis=0) if mean is None else mean
    covariance = np.cov(z_train.T, bias=True) if covariance is None else covariance
    own = scipy.stats.multivariate_normal(mean, covariance).logpdf(z)
    return own - scipy.stats.norm.logpdf(z).sum(axis=1)


def standardise(train, new):
    unit = train.std(axis=0)
    return (new - train.mean(axis=0)) / np.where(unit > 0, unit, 1)


def coins_of(x, logits):
    p = scipy.special.expit(logits)
    return -(x * np.log(p) + (1 - x) * np.log(1 - p))


def kl_of(z_mean, z_log_var):
    return -0.5 * (1 + z_log_var - z_mean**2 - np.exp(z_log_var))


def repaired(x, logits, z_mean, z_log_var):
    rate = kl_of(z_mean, z_log_var).sum(axis=1)
    return np.mean(coins_of(x, logits).sum(axis=1) + rate)


def repaired_loops(x, logits, z_mean, z_log_var):
    total = 0.0
    for pixels, outputs, means, log_vars in zip(
        x, logits, z_mean, z_log_var, strict=True
    ):
        for pixel, output in zip(pixels, outputs, strict=True):
            p = 1 / (1 + math.exp(-output))
            total -= math.log(p if pixel else 1 - p)
        for mean, log_var in zip(means, log_vars, strict=True):
            total += (mean**2 + math.exp(log_var) - 1 - log_var) / 2
    return total / len(x)


def repaired_keras(x, logits, z_mean, z_log_var):
    ops = keras.ops
    p = ops.sigmoid(ops.convert_to_tensor(logits))
    nats = ops.sum(x * ops.log(p) + (1 - x) * ops.log(1 - p), axis=-1)
    kl = ops.sum(1 + z_log_var - z_mean**2 - ops.exp(z_log_var), axis=-1)
    return float(-ops.mean(nats + kl / 2))


def repaired_scipy(x, logits, z_mean, z_log_var):
    nats = scipy.stats.bernoulli(scipy.special.expit(logits)).logpmf(x).sum(axis=1)
    return -nats.mean() + kl_of(z_mean, z_log_var).sum(axis=1).mean()


def repaired_tf(x, logits, z_mean, z_log_var):
    coins = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
    kl = tf.reduce_sum(tf.constant(kl_of(z_mean, z_log_var)), axis=1)
    return tf.reduce_mean(tf.reduce_sum(coins, axis=1) + kl)


def prior_gain_loops(z_train, z):
    mean = z_train.mean(axis=0)
    covariance = sum(np.outer(row - mean, row - mean) for row in z_train) / len(z_train)
    inverse, log_size = np.linalg.inv(covariance), np.log(np.linalg.det(covariance))
    gains = [0.5 * (r @ r - (r - mean) @ inverse @ (r - mean) - log_size) for r in z]
    return sum(gains) / len(z)


def prior_gain_whitened(z_train, z):
    mean = z_train.mean(axis=0)
    root = np.linalg.cholesky(np.cov(z_train, rowvar=False, bias=True))
    white = scipy.linalg.solve_triangular(root, (z - mean).T, lower=True)
    squared = np.sum(z**2, axis=1) - np.sum(white**2, axis=0)
    return squared.mean() / 2 - np.log(np.diag(root)).sum()


def prior_gain_turned(z_train, z):
    mean = z_train.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov(z_train, rowvar=False, ddof=0))
    along = (z - mean) @ axes
    own = scipy.stats.norm(0, np.sqrt(values)).logpdf(along).sum(axis=1)
    return np.mean(own - scipy.stats.norm.logpdf(z).sum(axis=1))


def prior_gain_moments(z_train, z):
    """The mean over codes, by their moments alone."""
    mean, covariance = z_train.mean(axis=0), np.cov(z_train, rowvar=False, ddof=0)
    apart = z - mean
    second = apart.T @ apart / len(z)
    own = np.trace(np.linalg.inv(covariance) @ second)
    return 0.5 * (np.mean(np.sum(z**2, 1)) - own - np.linalg.slogdet(covariance)[1])


def columns_one_by_one(train, new):
    made = []
    for known, column in zip(train.T, new.T, strict=True):
        unit = known.std()
        made.append((column - known.mean()) / (unit if unit > 0 else 1))
    return np.stack(made, axis=1)


def by_moments(train, new):
    mean, square = np.mean(train, axis=0), np.mean((train - train[0]) ** 2, axis=0)
    variance = square - (mean - train[0]) ** 2
    variance[np.ptp(train, axis=0) == 0] = 1
    return (new - mean) * variance**-0.5


def divided_where(train, new):
    centred, unit = new - train.mean(0), train.std(0)
    return np.divide(centred, unit, out=centred.copy(), where=unit > 0)


def by_pandas(train, new):
    known = pd.DataFrame(train)
    unit = known.std(ddof=0)
    unit = unit.where(unit > 1e-12, 1.0)
    return ((pd.DataFrame(new) - known.mean()) / unit).to_numpy()


def copied_partition(known, new):
    squared = cdist(new, known, "sqeuclidean")
    first, second = np.partition(squared, 1, axis=1)[:, :2].T
    return np.mean(4 * first <= second)


def copied_tree(known, new):
    near = scipy.spatial.cKDTree(known).query(new, k=2)[0]
    return np.mean(2 * near[:, 0] <= near[:, 1])


def copied_masked(known, new):
    far = np.linalg.norm(new[:, None] - known, axis=2)
    place = far.argmin(axis=1)
    first = far[np.arange(len(new)), place]
    far[np.arange(len(new)), place] = np.inf
    return np.mean(first <= far.min(axis=1) / 2)


def copied_keras(known, new):
    far = keras.ops.convert_to_tensor(cdist(new, known))
    near = -keras.ops.convert_to_numpy(keras.ops.top_k(-far, 2)[0])
    return float((near[:, 0] <= near[:, 1] / 2).mean())


def copied_heap(known, new):
    hits = 0
    for row in new:
        first, second = heapq.nsmallest(2, (math.dist(row, other) for other in known))
        hits += 2 * first <= second
    return hits / len(new)


METHODS = {
    "standardise": {
        "numpy": standardise,
        "sklearn": lambda t, n: StandardScaler().fit(t).transform(n),
        "columns": columns_one_by_one,
        "moments": by_moments,
        "divide where": divided_where,
        "pandas": by_pandas,
        "nan to num": lambda t, n: np.where(
            np.ptp(t, axis=0) == 0,
            n - t.mean(axis=0),
            (n - t.mean(axis=0)) / np.maximum(t.std(axis=0), 1e-300),
        ),
        "keras": lambda t, n: keras.ops.convert_to_numpy(
            (n - t.mean(axis=0)) / keras.ops.where(t.std(0) == 0, 1.0, t.std(0))
        ),
    },
    "hidden_sigma": {
        "power": lambda values: (values / 2) ** 0.5,
        "numpy": lambda values: np.sqrt(values / 2),
        "math": lambda values: math.sqrt(0.5 * values),
        "over root 2": lambda values: np.sqrt(values) / np.sqrt(2),
        "logarithm": lambda values: np.exp(0.5 * (np.log(values) - np.log(2))),
        "precision": lambda values: 1 / np.sqrt(2 / values),
        "solved": lambda values: scipy.optimize.brentq(
            lambda sigma: 1 / values - 1 / (2 * sigma**2), 1e-3, 1e4
        ),
        "hypot": lambda values: math.hypot(values**0.5 / 2, values**0.5 / 2),
    },
    "repaired": {
        "numpy": repaired,
        "loops": repaired_loops,
        "keras": repaired_keras,
        "scipy": repaired_scipy,
        "tensorflow": repaired_tf,
        "logaddexp": lambda x, a, m, v: (
            ((np.logaddexp(0, a) - x * a).sum() + kl_of(m, v).sum()) / len(x)
        ),
        "softplus": lambda x, a, m, v: (
            np.log1p(np.exp(np.where(x > 0, -a, a))).sum(1) + kl_of(m, v).sum(1)
        ).mean(),
        "concatenated": lambda x, a, m, v: np.mean(
            np.sum(np.hstack([coins_of(x, a), kl_of(m, v)]), axis=1)
        ),
        "einsum": lambda x, a, m, v: (
            np.einsum("nd->", coins_of(x, a)) / len(x)
            + np.einsum("nd->n", kl_of(m, v)).mean()
        ),
    },
    "copied": {
        "cdist": copied,
        "loops": copied_loops,
        "neighbours": copied_neighbours,
        "partition": copied_partition,
        "tree": copied_tree,
        "masked": copied_masked,
        "keras": copied_keras,
        "heap": copied_heap,
    },
    "prior_gain": {
        "scipy": gain,
        "loops": prior_gain_loops,
        "whitened": prior_gain_whitened,
        "turned": prior_gain_turned,
        "moments": prior_gain_moments,
        "sklearn": lambda t, z: (
            EmpiricalCovariance().fit(t).score(z)
            - scipy.stats.norm.logpdf(z).sum(1).mean()
        ),
        "mixture of one": lambda t, z: (
            GaussianMixture(reg_covar=0).fit(t).score(z)
            - scipy.stats.multivariate_normal(np.zeros(z.shape[1])).logpdf(z).mean()
        ),
        "solve": lambda t, z: np.mean(fitted_gain(t, z)),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}
MISTAKES = {
    "standardise": {
        "own mean and deviation, not by the new rows'": lambda t, n: standardise(n, n),
        "new rows must not be seen": lambda t, n: standardise(np.r_[t, n], n),
        "one mean and one deviation serve all": lambda t, n: (n - t.mean()) / t.std(),
        "subtract the mean too": lambda t, n: (
            n / np.where(t.std(axis=0) > 0, t.std(axis=0), 1)
        ),
        "divide by the standard deviation too": lambda t, n: n - t.mean(axis=0),
        "not by the variance": lambda t, n: (
            (n - t.mean(axis=0)) / np.where(t.var(axis=0) > 0, t.var(axis=0), 1)
        ),
        "divides by n - 1": lambda t, n: (
            (n - t.mean(axis=0)) / np.where(np.ptp(t, axis=0), t.std(axis=0, ddof=1), 1)
        ),
        "these are the training rows": lambda t, n: standardise(t, t),
        "that scales to [0, 1]": lambda t, n: (
            (n - t.min(axis=0)) / np.where(np.ptp(t, axis=0) > 0, np.ptp(t, axis=0), 1)
        ),
        "has the deviation 0": lambda t, n: (n - t.mean(axis=0)) / t.std(axis=0),
    },
    "hidden_sigma": {
        "its square, the variance": lambda d: d / 2,
        "that is for (x - m)^2 / (2 D)": lambda d: d**0.5,
        "so sigma grows with D": lambda d: (2 / d) ** 0.5,
        "the factor 2 stands below": lambda d: (2 * d) ** 0.5,
        "without the mean": lambda d: 0.5**0.5,
        "that is the beta of a sum of squares": lambda d: d,
        "its logarithm": lambda d: np.log(d / 2) / 2,
        "the precision": lambda d: 2 / d,
    },
    "repaired": {
        "the sign of the KL": lambda x, a, m, v: (
            coins_of(x, a).mean() - kl_of(m, v).mean()
        ),
        "pixels are still averaged": lambda x, a, m, v: (
            coins_of(x, a).mean() + kl_of(m, v).sum(1).mean()
        ),
        "latents are still averaged": lambda x, a, m, v: (
            coins_of(x, a).sum(1).mean() + kl_of(m, v).mean()
        ),
        "what is averaged is the batch": lambda x, a, m, v: (
            coins_of(x, a).sum() + kl_of(m, v).sum()
        ),
        "the mean over the batch": lambda x, a, m, v: (
            coins_of(x, a).sum(1) + kl_of(m, v).sum(1)
        ),
        "the distortion alone": lambda x, a, m, v: coins_of(x, a).sum(1).mean(),
        "the KL alone": lambda x, a, m, v: kl_of(m, v).sum(1).mean(),
        "the half before the KL": lambda x, a, m, v: (
            coins_of(x, a).sum(1).mean() + 2 * kl_of(m, v).sum(1).mean()
        ),
        "here it is two": lambda x, a, m, v: repaired(x, scipy.special.expit(a), m, v),
        "the variance's logarithm": lambda x, a, m, v: repaired(x, a, m, 2 * v),
    },
    "copied": {
        "not for each known one": lambda k, n: copied(n, k),
        "known rows among themselves": own_copied,
        "a quarter of them": lambda k, n: np.mean(
            np.sort(cdist(n, k) ** 2)[:, 0] <= np.sort(cdist(n, k) ** 2)[:, 1] / 2
        ),
        "near ones too": lambda k, n: np.mean(cdist(n, k).min(axis=1) == 0),
        "stands twice among the known": lambda k, n: np.mean(
            np.sort(cdist(n, k))[:, 0] < np.sort(cdist(n, k))[:, 1] / 2
        ),
        "leave none out": lambda k, n: copied(np.unique(k, axis=0), n),
        "divide by the number of new rows": lambda k, n: copied(k, n) * len(n),
        "those are the rows that are *not* copies": lambda k, n: 1 - copied(k, n),
        "one answer for each row": lambda k, n: (
            np.sort(cdist(n, k))[:, 0] <= np.sort(cdist(n, k))[:, 1] / 2
        ),
        "is every row: half as far": lambda k, n: 1.0,
        "not with the median": lambda k, n: np.mean(
            cdist(n, k).min(axis=1) <= np.median(cdist(n, k).min(axis=1)) / 2
        ),
    },
    "prior_gain": {
        "fit it to the training codes": lambda t, z: gain(z, z),
        "the sign": lambda t, z: -gain(t, z),
        "take the whole covariance": lambda t, z: fitted_gain(
            t, z, covariance=np.diag(t.var(axis=0))
        ).mean(),
        "not their sum": lambda t, z: fitted_gain(t, z).sum(),
        "the mean over the codes": fitted_gain,
        "the mean may move too": lambda t, z: fitted_gain(
            t, z, mean=np.zeros(t.shape[1])
        ).mean(),
        "the spread may change too": lambda t, z: fitted_gain(
            t, z, covariance=np.eye(t.shape[1])
        ).mean(),
        "np.cov divides by n - 1": lambda t, z: fitted_gain(
            t, z, covariance=np.cov(t.T)
        ).mean(),
        "these are bits": lambda t, z: gain(t, z) / np.log(2),
        "the fitted density alone": lambda t, z: (
            fitted_gain(t, z) + scipy.stats.norm.logpdf(z).sum(axis=1)
        ).mean(),
    },
}
