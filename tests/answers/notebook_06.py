"""Right and wrong answers to the exercises of notebook 06: Applications."""

import numpy as np
import scipy.spatial
import scipy.special
import scipy.stats
from sklearn.linear_model import LinearRegression


def auc_by_ranks(normal, foreign):
    ranks = scipy.stats.rankdata(np.concatenate([normal, foreign]))[len(normal) :]
    return (ranks.mean() - (len(foreign) + 1) / 2) / len(normal)


def visible_nats(x, logits, visible):
    against = np.where(x > 0, -logits, logits)[:, visible]
    return -np.logaddexp(0, against).sum(axis=1)


def weights_by_softmax(x, logits, visible):
    o = logits[:, visible]
    return scipy.special.softmax((x[visible] * o - np.logaddexp(0, o)).sum(axis=1))


def covered_by_loop(points, centres, k, own=1):
    covered = 0
    for point in points:
        for centre in centres:
            radius = sorted(np.linalg.norm(centres - centre, axis=1))[k - 1 + own]
            if np.linalg.norm(point - centre) <= radius:
                covered += 1
                break
    return covered / len(points)


def within(points, centres, k):
    radii = np.sort(scipy.spatial.distance.cdist(centres, centres))[:, k]
    return scipy.spatial.distance.cdist(points, centres) <= radii


def covered_by_nearest(points, centres, k):
    nearest = scipy.spatial.distance.cdist(points, centres).argmin(axis=1)
    return within(points, centres, k)[range(len(points)), nearest].mean()


def entropy_by_column(symbols):
    counts = [np.unique(column, return_counts=True)[1] for column in symbols.T]
    return np.array([scipy.stats.entropy(count, base=2) for count in counts])


def slopes_by_sklearn(codes, attributes, **arguments):
    return LinearRegression(**arguments).fit(attributes, codes).coef_.T


def slopes_one_by_one(codes, attributes):
    return np.stack(
        [slopes_by_sklearn(codes, a[:, np.newaxis])[0] for a in attributes.T]
    )


CORRECT = {
    "auc": auc_by_ranks,
    "importance_weights": weights_by_softmax,
    "covered_share": covered_by_loop,
    "code_length": lambda symbols: entropy_by_column(symbols).sum(),
    "directions": slopes_by_sklearn,
}

MISTAKES = {
    "auc": {
        "other way round": lambda n, f: 1 - auc_by_ranks(n, f),
        "counts nothing": lambda n, f: np.mean([a > b for a in f for b in n]),
        "counts whole": lambda n, f: np.mean([a >= b for a in f for b in n]),
        "divide by their number": lambda n, f: auc_by_ranks(n, f) * f.size * n.size,
        "all normal ones": lambda n, f: np.mean(f > np.mean(n)),
        "from 0 to 1": lambda n, f: 2 * auc_by_ranks(n, f) - 1,
    },
    "importance_weights": {
        "are known": lambda x, o, v: weights_by_softmax(x, o, v | True),
        "not the hidden ones": lambda x, o, v: weights_by_softmax(x, o, ~v),
        "scipy.special.softmax": lambda *args: (
            np.exp(visible_nats(*args)) / np.exp(visible_nats(*args)).sum()
        ),
        "mean makes all candidates alike": lambda x, o, v: scipy.special.softmax(
            visible_nats(x, o, v) / v.sum()
        ),
        "add up to one": lambda *args: np.exp(visible_nats(*args)),
        "logarithms of weights": lambda *args: scipy.special.log_softmax(
            visible_nats(*args)
        ),
        "sign": lambda *args: scipy.special.softmax(-visible_nats(*args)),
    },
    "covered_share": {
        "its own nearest": lambda p, c, k: covered_by_loop(p, c, k, own=0),
        "around the centres": lambda p, c, k: covered_by_loop(c, p, k),
        "one ball is enough": lambda p, c, k: within(p, c, k).mean(),
        "ask all of them": covered_by_nearest,
        "as a share": lambda p, c, k: len(p) * covered_by_loop(p, c, k),
    },
    "code_length": {
        "base 2": lambda s: entropy_by_column(s).sum() * np.log(2),
        "add them up": lambda s: entropy_by_column(s).mean(),
        "its own table": lambda s: (
            entropy_by_column(s.reshape(-1, 1)).sum() * s.shape[1]
        ),
        "shorter words": lambda s: np.log2([len(set(column)) for column in s.T]).sum(),
        "sign": lambda s: -entropy_by_column(s).sum(),
        "not for all": lambda s: len(s) * entropy_by_column(s).sum(),
        "one number": entropy_by_column,
    },
    "directions": {
        "intercept is missing": lambda z, a: slopes_by_sklearn(
            z, a, fit_intercept=False
        ),
        "drags the correlated ones along": slopes_one_by_one,
        "explained by the attributes": lambda z, a: slopes_by_sklearn(a, z).T,
        "one row per attribute": lambda z, a: slopes_by_sklearn(z, a).T,
        "no slope yet": lambda z, a: np.cov(a.T, z.T, bias=True)[:3, 3:],
    },
}
