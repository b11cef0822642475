"""Right and wrong answers to the exercises of notebook 09: Your own data."""

import numpy as np
import scipy.stats
from scipy.spatial.distance import cdist
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


CORRECT = {
    "standardise": standardise,
    "hidden_sigma": lambda values: (values / 2) ** 0.5,
    "copied": copied,
    "prior_gain": gain,
}
OTHER_RIGHT = {
    "standardise": lambda t, n: StandardScaler().fit(t).transform(n),
    "copied loops": copied_loops,
    "copied neighbours": copied_neighbours,
}
MISTAKES = {
    "standardise": {
        "own mean and deviation, not by the new rows'": lambda t, n: standardise(n, n),
        "new rows must not be seen": lambda t, n: standardise(np.r_[t, n], n),
        "one mean and one deviation serve all": lambda t, n: (n - t.mean()) / t.std(),
        "subtract the mean too": lambda t, n: (
            n / np.where(t.std(axis=0) > 0, t.std(axis=0), 1)
        ),
        "divide by the standard deviation too": lambda t, n: n - t.mean(axis=0),
        "not by the variance": lambda t, n: (n - t.mean(axis=0)) / np.where(
            t.var(axis=0) > 0, t.var(axis=0), 1
        ),
        "these are the training rows": lambda t, n: standardise(t, t),
        "that scales to [0, 1]": lambda t, n: (n - t.min(axis=0)) / np.where(
            np.ptp(t, axis=0) > 0, np.ptp(t, axis=0), 1
        ),
        "has the deviation 0": lambda t, n: (n - t.mean(axis=0)) / t.std(axis=0),
    },
    "hidden_sigma": {
        "its square, the variance": lambda d: d / 2,
        "that is for (x - m)^2 / (2 D)": lambda d: d**0.5,
        "so sigma grows with D": lambda d: (2 / d) ** 0.5,
        "the factor 2 stands below": lambda d: (2 * d) ** 0.5,
        "without the mean": lambda d: 0.5**0.5,
        "beta is D times as large": lambda d: d,
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
