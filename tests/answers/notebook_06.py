"""Right and wrong answers to the exercises of notebook 06: Applications.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import collections
import math

import keras
import numpy as np
import scipy.integrate
import scipy.linalg
import scipy.optimize
import scipy.spatial
import scipy.special
import scipy.stats
import sklearn.metrics
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.metrics import mutual_info_score, roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

from helpers import metrics


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


def auc_loops(a, b):
    return sum((y > x) + 0.5 * (y == x) for x in a for y in b) / len(a) / len(b)


def auc_ranks(a, b):
    r = scipy.stats.rankdata(np.concatenate([a, b]))[len(a) :]
    return (r.sum() - len(b) * (len(b) + 1) / 2) / len(a) / len(b)


def auc_search(a, b):
    a = np.sort(a)
    return (
        (np.searchsorted(a, b, "left") + np.searchsorted(a, b, "right")).mean()
        / 2
        / len(a)
    )


def auc_trap(a, b):
    t = np.unique(np.concatenate([a, b, [np.inf]]))[::-1]
    return np.trapezoid([(b >= x).mean() for x in t], [(a >= x).mean() for x in t])


def truth(a, b):
    return np.r_[np.zeros(len(a)), np.ones(len(b))]


def pairs_won(a, b):
    return np.mean((b[:, None] > a) + 0.5 * (b[:, None] == a))


def cs(p, c, k):
    return (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).any(1).mean()


def cs_loops(p, c, k):
    inside = 0
    for x in p:
        for i, y in enumerate(c):
            others = sorted((math.dist(y, o) for j, o in enumerate(c) if j != i))
            if math.dist(x, y) <= others[k - 1]:
                inside += 1
                break
    return inside / len(p)


def cs_tree(p, c, k):
    r = scipy.spatial.KDTree(c).query(c, k + 1)[0][:, -1]
    t = scipy.spatial.KDTree(p)
    s = set()
    for y, q in zip(c, r, strict=True):
        s |= set(t.query_ball_point(y, q))
    return len(s) / len(p)


def cs_keras(p, c, k):
    p, c = (keras.ops.convert_to_tensor(a, "float64") for a in (p, c))
    own, d = (keras.ops.norm(a[:, None] - c, axis=-1) for a in (c, p))
    inside = d <= keras.ops.sort(own, axis=1)[:, k]
    return float(
        keras.ops.mean(keras.ops.cast(keras.ops.any(inside, axis=1), "float64"))
    )


def cs_infdiag(p, c, k):
    own = cdist(c, c)
    np.fill_diagonal(own, np.inf)
    return np.mean(
        np.any(cdist(p, c) <= np.partition(own, k - 1, axis=1)[:, k - 1], axis=1)
    )


sm = scipy.special.softmax


def lp(x, o):
    return x * o - np.logaddexp(0, o)


def iw_loops(x, o, v):
    logs = []
    for row in o:
        t = 0.0
        for a, b, seen in zip(x, row, v, strict=True):
            if seen:
                t += (b if a else 0) - (max(b, 0) + math.log1p(math.exp(-abs(b))))
        logs.append(t)
    w = [math.exp(t - max(logs)) for t in logs]
    return [a / math.fsum(w) for a in w]


def iw_keras(x, o, v):
    o = keras.ops.convert_to_tensor(o, "float64")
    e = -keras.ops.binary_crossentropy(
        keras.ops.broadcast_to(keras.ops.convert_to_tensor(x, "float64"), o.shape),
        o,
        from_logits=True,
    )
    return numpy_of(keras.ops.softmax(keras.ops.sum(e * v.astype(float), axis=1)))


def iw_tf(x, o, v):
    e = tf.nn.sigmoid_cross_entropy_with_logits(
        labels=np.broadcast_to(x, o.shape).astype(float), logits=o
    )
    return tf.nn.softmax(-tf.reduce_sum(tf.boolean_mask(e, v, axis=1), axis=1)).numpy()


def iw_max(x, o, v):
    t = (lp(x, o) * v).sum(1)
    w = np.exp(t - t.max())
    return w / w.sum()


def iw_pairs(x, o, v):
    t = (lp(x, o) * v).sum(1)
    with np.errstate(over="ignore"):
        return 1 / np.exp(t[None] - t[:, None]).sum(1)


def raw(x, o, v):
    p = 1 / (1 + np.exp(-o))
    return np.where(x > 0, p, 1 - p)[:, v].prod(1)


def cen(a):
    return a - a.mean(0)


def di(c, a):
    return np.linalg.lstsq(cen(a), cen(c), rcond=None)[0]


def di_ones(c, a):
    return np.linalg.lstsq(np.c_[np.ones(len(a)), a], c, rcond=None)[0][1:]


def di_gd(c, a):
    a, c = (cen(a), cen(c))
    w = np.zeros((a.shape[1], c.shape[1]))
    step = 1 / np.linalg.eigvalsh(a.T @ a).max()
    for _ in range(3000):
        w -= step * a.T @ (a @ w - c)
    return w


def di_fwl(c, a):
    out = []
    for j in range(a.shape[1]):
        o = np.c_[np.ones(len(a)), np.delete(a, j, 1)]
        r = a[:, j] - o @ np.linalg.lstsq(o, a[:, j], rcond=None)[0]
        out.append(r @ c / (r @ r))
    return np.array(out)


def di_loops(c, a):
    return np.stack(
        [scipy.optimize.lsq_linear(np.c_[a, np.ones(len(a))], y).x[:-1] for y in c.T],
        axis=1,
    )


def di_cov(c, a):
    k = a.shape[1]
    pairs_won = np.cov(a.T, c.T)
    pairs_won = np.atleast_2d(pairs_won)
    return np.linalg.solve(pairs_won[:k, :k], pairs_won[:k, k:])


def di_keras(c, a):
    return numpy_of(
        keras.ops.lstsq(
            keras.ops.convert_to_tensor(cen(a)), keras.ops.convert_to_tensor(cen(c))
        )
    )


def di_qr(c, a):
    q, r = np.linalg.qr(np.c_[np.ones(len(a)), a])
    return scipy.linalg.solve_triangular(r, q.T @ c)[1:]


def di_svd(c, a):
    u, s, v = np.linalg.svd(cen(a), full_matrices=False)
    return v.T @ (u.T @ c / s[:, None])


def _stepwise(c, a):
    out, r = ([], cen(c))
    for x in a.T:
        x = cen(x)
        s = x @ r / (x @ x)
        out.append(s)
        r = r - np.outer(x, s)
    return np.array(out)


entropy_of = scipy.stats.entropy


def cnt(col):
    return np.unique(col, return_counts=True)[1]


def cl(s):
    return sum(entropy_of(cnt(c), base=2) for c in s.T)


def cl_loops(s):
    bits = 0.0
    for j in range(s.shape[1]):
        t = {}
        for x in s[:, j].tolist():
            t[x] = t.get(x, 0) + 1
        for n in t.values():
            bits -= n / len(s) * math.log2(n / len(s))
    return bits


def cl_self(s):
    cost = np.zeros(len(s))
    for c in s.T:
        _, place, n = np.unique(c, return_inverse=True, return_counts=True)
        cost -= np.log2(n[place] / len(c))
    return cost.mean()


def cl_counts(s):
    return sum(np.log2(len(c)) - (cnt(c) * np.log2(cnt(c))).sum() / len(c) for c in s.T)


def cl_bincount(s):
    t = 0
    for c in s.T.astype(int):
        p = np.bincount(c - c.min()) / len(c)
        p = p[p > 0]
        t -= p @ np.log2(p)
    return t


def cl_hist(s):
    t = 0
    for c in s.T:
        p = np.histogram(c, np.arange(c.min() - 0.5, c.max() + 1))[0] / len(c)
        t += scipy.special.entr(p).sum() / np.log(2)
    return t


def cl_onehot(s):
    return sum(
        scipy.special.entr((c[:, None] == np.unique(c)).mean(0)).sum() for c in s.T
    ) / math.log(2)


def cl_keras(s):
    t = 0.0
    for c in s.T:
        p = keras.ops.convert_to_tensor(cnt(c) / len(c), "float64")
        t -= float(keras.ops.sum(p * keras.ops.log2(p)))
    return t


def rows(s):
    return np.unique(s, axis=0, return_counts=True)[1]


METHODS = {
    "auc": {
        "matrix": lambda a, b: np.mean((b[:, None] > a) + 0.5 * (b[:, None] == a)),
        "loops": auc_loops,
        "ranks": auc_ranks,
        "searchsorted": auc_search,
        "trapezoids": auc_trap,
        "sklearn": lambda a, b: roc_auc_score(truth(a, b), np.r_[a, b]),
        "mannwhitney": lambda a, b: (
            scipy.stats.mannwhitneyu(b, a).statistic / len(a) / len(b)
        ),
        "sign": lambda a, b: (1 + np.sign(np.subtract.outer(b, a)).mean()) / 2,
        "heaviside": lambda a, b: np.heaviside(b[:, None] - a[None], 0.5).mean(),
        "one minus": lambda a, b: (
            1 - ((a[:, None] > b).mean() + (a[:, None] == b).mean() / 2)
        ),
        "roc curve": lambda a, b: np.trapezoid(
            *roc_curve(truth(a, b), np.r_[a, b])[1::-1]
        ),
        "helpers": lambda a, b: metrics.auc(a, b).value,
        "keras": lambda a, b: float(
            keras.ops.mean(keras.ops.sign(b[:, None] - a)) / 2 + 0.5
        ),
        "somers": lambda a, b: (
            0.5 + scipy.stats.somersd(truth(a, b), np.r_[a, b]).statistic / 2
        ),
        "cdf": lambda a, b: np.mean(
            [((a < y).mean() + (a <= y).mean()) / 2 for y in b]
        ),
    },
    "covered_share": {
        "sort": cs,
        "loops": cs_loops,
        "tree": cs_tree,
        "keras": cs_keras,
        "inf diagonal": cs_infdiag,
        "neighbours": lambda p, c, k: np.mean(
            (
                cdist(p, c)
                <= NearestNeighbors(n_neighbors=k).fit(c).kneighbors()[0][:, -1]
            ).any(1)
        ),
        "squares": lambda p, c, k: (
            (cdist(p, c, "sqeuclidean") <= np.sort(cdist(c, c, "sqeuclidean"), 1)[:, k])
            .any(1)
            .mean()
        ),
        "helpers": lambda p, c, k: metrics.covered_share(p, c, k),
        "broadcast": lambda p, c, k: (
            (
                np.linalg.norm(p[:, None] - c, axis=2)
                <= np.partition(np.linalg.norm(c[:, None] - c, axis=2), k, axis=1)[:, k]
            )
            .max(1)
            .mean()
        ),
        "min of difference": lambda p, c, k: np.mean(
            (cdist(p, c) - np.sort(cdist(c, c))[:, k]).min(1) <= 0
        ),
        "min of ratio": lambda p, c, k: (
            ((cdist(p, c) / np.sort(cdist(c, c))[:, k]).min(1) <= 1).sum() / len(p)
        ),
        "strict": lambda p, c, k: (
            (cdist(p, c) < np.sort(cdist(c, c), 1)[:, k]).any(1).mean()
        ),
        "not outside": lambda p, c, k: (
            1 - (cdist(p, c) > np.sort(cdist(c, c), 1)[:, k]).all(1).mean()
        ),
        "delete self": lambda p, c, k: np.mean(
            (
                cdist(p, c)
                <= [np.sort(np.delete(r, i))[k - 1] for i, r in enumerate(cdist(c, c))]
            ).sum(1)
            > 0
        ),
    },
    "importance_weights": {
        "softmax": lambda x, o, v: sm(lp(x, o)[:, v].sum(1)),
        "loops": iw_loops,
        "keras": iw_keras,
        "tf": iw_tf,
        "largest subtracted": iw_max,
        "pairs": iw_pairs,
        "mask times": lambda x, o, v: sm(lp(x, o) @ v),
        "logsumexp": lambda x, o, v: (lambda t: np.exp(t - scipy.special.logsumexp(t)))(
            (lp(x, o) * v).sum(1)
        ),
        "log_expit": lambda x, o, v: sm(
            (scipy.special.log_expit((2 * x - 1) * o) * v).sum(1)
        ),
        "where": lambda x, o, v: sm(
            np.where(
                v, np.where(x > 0, -np.logaddexp(0, -o), -np.logaddexp(0, o)), 0
            ).sum(1)
        ),
        "log_softmax": lambda x, o, v: np.exp(
            scipy.special.log_softmax(lp(x[v], o[:, v]).sum(axis=1))
        ),
        "einsum": lambda x, o, v: sm(np.einsum("kd,d->k", lp(x, o), v.astype(float))),
        "index": lambda x, o, v: sm(sum(lp(x[j], o[:, j]) for j in np.flatnonzero(v))),
        "sign trick": lambda x, o, v: sm(
            -np.logaddexp(0, (1 - 2 * x[v]) * o[:, v]).sum(1)
        ),
        "logaddexp fold": lambda x, o, v: (
            lambda t: np.exp(t - np.logaddexp.reduce(t))
        )((lp(x, o) * v).sum(1)),
    },
    "directions": {
        "centred": di,
        "ones": di_ones,
        "descent": di_gd,
        "Frisch-Waugh": di_fwl,
        "lsq_linear": di_loops,
        "covariances": di_cov,
        "keras": di_keras,
        "qr": di_qr,
        "svd": di_svd,
        "sklearn": lambda c, a: LinearRegression().fit(a, c).coef_.T,
        "pinv": lambda c, a: np.linalg.pinv(cen(a)) @ c,
        "normal equations": lambda c, a: np.linalg.solve(
            cen(a).T @ cen(a), cen(a).T @ cen(c)
        ),
        "inv": lambda c, a: (lambda x: (np.linalg.inv(x.T @ x) @ x.T @ c)[:-1])(
            np.c_[a, np.ones(len(a))]
        ),
        "tiny ridge": lambda c, a: Ridge(1e-9).fit(a, c).coef_.T,
        "codes not centred": lambda c, a: scipy.linalg.lstsq(cen(a), c)[0],
        "standardised, undone": lambda c, a: di(c, a / a.std(0)) / a.std(0)[:, None],
    },
    "code_length": {
        "entropy": cl,
        "loops": cl_loops,
        "cost": cl_self,
        "counts": cl_counts,
        "bincount": cl_bincount,
        "histogram": cl_hist,
        "onehot": cl_onehot,
        "keras": cl_keras,
        "Counter": lambda s: sum(
            -n / len(s) * math.log2(n / len(s))
            for c in s.T
            for n in collections.Counter(c.tolist()).values()
        ),
        "nats / ln 2": lambda s: sum(entropy_of(cnt(c)) for c in s.T) / np.log(2),
        "mutual": lambda s: sum(mutual_info_score(c, c) for c in s.T) / np.log(2),
        "pairs": lambda s: (
            -np.mean([np.log2((c == c[:, None]).mean(1)) for c in s.T], axis=1).sum()
        ),
        "log2 1/p": lambda s: np.sum(
            [np.sum(cnt(c) / len(c) * np.log2(len(c) / cnt(c))) for c in s.T]
        ),
        "apply_along_axis": lambda s: np.apply_along_axis(
            lambda c: entropy_of(cnt(c), base=2), 0, s
        ).sum(),
        "perplexity": lambda s: np.log2(
            np.prod([np.exp(entropy_of(cnt(c))) for c in s.T])
        ),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}

MISTAKES = {
    "auc": {
        "the other way round": lambda a, b: pairs_won(b, a),
        "a tie counts half; here it counts nothing": lambda a, b: (
            b[:, None] > a
        ).mean(),
        "a tie counts half; here it counts whole": lambda a, b: (
            b[:, None] >= a
        ).mean(),
        "a tie counts half, among": lambda a, b: (
            (b[:, None] > a).sum() / (b[:, None] != a).sum()
        ),
        "a share of the pairs": lambda a, b: np.sum(
            (b[:, None] > a) + 0.5 * (b[:, None] == a)
        ),
        "there are n x m pairs": lambda a, b: (
            np.sum((b[:, None] > a) + 0.5 * (b[:, None] == a)) / len(a) ** 2
        ),
        "a probability": lambda a, b: 100 * pairs_won(a, b),
        "every foreign score meets every normal one": lambda a, b: np.mean(
            b[: min(len(a), len(b))] > a[: min(len(a), len(b))]
        ),
        "the share of foreign": lambda a, b: np.mean(b > a.mean()),
        "one threshold": lambda a, b: np.mean(b > np.median(a)),
        "above all normal scores is too much asked": lambda a, b: np.mean(b > a.max()),
        "above one of the normal scores is too little": lambda a, b: (
            (b[:, None] > a).any(1).mean()
        ),
        "the means alone": lambda a, b: float(b.mean() > a.mean()),
        "scores are not normal": lambda a, b: scipy.stats.norm.cdf(
            (b.mean() - a.mean()) / np.sqrt(a.var() + b.var())
        ),
        "from 0 to 1: this": lambda a, b: 2 * pairs_won(a, b) - 1,
        "below 0.5 is an answer too": lambda a, b: max(
            pairs_won(a, b), 1 - pairs_won(a, b)
        ),
        "that is the accuracy at the best threshold": lambda a, b: max(
            np.mean(np.r_[a < t, b >= t]) for t in np.r_[a, b]
        ),
        "that is the largest": lambda a, b: scipy.stats.ks_2samp(a, b).statistic,
        "that is the average precision": lambda a, b: (
            sklearn.metrics.average_precision_score(truth(a, b), np.r_[a, b])
        ),
        "one number": lambda a, b: ((b[:, None] > a) + 0.5 * (b[:, None] == a)).mean(1),
    },
    "covered_share": {
        "each centre is its own nearest neighbour": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k - 1]).any(1).mean()
        ),
        "one neighbour too far": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k + 1]).any(1).mean()
        ),
        "the balls stand around the centres": lambda p, c, k: cs(c, p, k),
        "which points lie in a ball": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).any(0).mean()
        ),
        "one ball is enough for a point: any": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).all(1).mean()
        ),
        "one ball is enough for a point, and": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).sum(1) >= k
        ).mean(),
        "in two balls or in ten": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).sum() / (k * len(p))
        ),
        "a ball further away may be larger": lambda p, c, k: np.mean(
            cdist(p, c).min(1) <= np.sort(cdist(c, c), 1)[cdist(p, c).argmin(1), k]
        ),
        "a ball reaches to other centres": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(p, c), 0)[k - 1]).any(1).mean()
        ),
        "the balls belong to the centres": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(p, p), 1)[:, k, None]).any(1).mean()
        ),
        "every centre has a radius of its own": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k].mean()).any(1).mean()
        ),
        "to the k-th nearest centre": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, 1 : k + 1].mean(1)).any(1).mean()
        ),
        "sort the distances": lambda p, c, k: (
            (cdist(p, c) <= cdist(c, c)[:, k]).any(1).mean()
        ),
        "a radius is a distance": lambda p, c, k: (
            (cdist(p, c) <= np.argsort(cdist(c, c), 1)[:, k]).any(1).mean()
        ),
        "the k nearest, not": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, -k]).any(1).mean()
        ),
        "distances with distances": lambda p, c, k: (
            (cdist(p, c, "sqeuclidean") <= np.sort(cdist(c, c), 1)[:, k]).any(1).mean()
        ),
        "the straight distance": lambda p, c, k: (
            (cdist(p, c, "cityblock") <= np.sort(cdist(c, c, "cityblock"), 1)[:, k])
            .any(1)
            .mean()
        ),
        "k is an argument": lambda p, c, k: cs(p, c, 3),
        "inside": lambda p, c, k: 1 - cs(p, c, k),
        "how many of the points": lambda p, c, k: (
            (cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]).any(1).sum()
        ),
        "one number": lambda p, c, k: (
            cdist(p, c) <= np.sort(cdist(c, c), 1)[:, k]
        ).any(1),
    },
    "importance_weights": {
        "only the visible pixels are known": lambda x, o, v: sm(lp(x, o).sum(1)),
        "the visible pixels, not": lambda x, o, v: sm(lp(x, o)[:, ~v].sum(1)),
        "the mask says which pixels are visible": lambda x, o, v: sm(
            lp(x, o)[:, : v.sum()].sum(1)
        ),
        "exp(-1000) is 0": lambda x, o, v: raw(x, o, v) / raw(x, o, v).sum(),
        "exp(1000) overflows": lambda x, o, v: sm(
            (x * o - np.log(1 + np.exp(o)))[:, v].sum(1)
        ),
        "the sum over pixels": lambda x, o, v: sm(lp(x, o)[:, v].mean(1)),
        "probabilities of independent pixels": lambda x, o, v: (lambda w: w / w.sum())(
            scipy.special.expit((2 * x - 1) * o)[:, v].sum(1)
        ),
        "they must add up to one": lambda x, o, v: np.exp(lp(x, o)[:, v].sum(1)),
        "divide by their sum, not": lambda x, o, v: (lambda t: np.exp(t - t.max()))(
            lp(x, o)[:, v].sum(1)
        ),
        "they add up to one": lambda x, o, v: sm(lp(x, o)[:, v].sum(1)) / len(o),
        "these are logarithms of weights": lambda x, o, v: lp(x, o)[:, v].sum(1),
        "exponentiate before you divide by the sum": lambda x, o, v: (
            lp(x, o)[:, v].sum(1) / lp(x, o)[:, v].sum()
        ),
        "the sign": lambda x, o, v: sm(-lp(x, o)[:, v].sum(1)),
        "the roles of 0 and 1 are swapped": lambda x, o, v: sm(
            lp(1 - x, o)[:, v].sum(1)
        ),
        "paper counts too": lambda x, o, v: sm((x * o)[:, v].sum(1)),
        "weights of probabilities": lambda x, o, v: sm(
            -((x - scipy.special.expit(o)) ** 2)[:, v].sum(1)
        ),
        "how many pixels agree is too coarse": lambda x, o, v: (lambda w: w / w.sum())(
            ((o > 0) == (x > 0))[:, v].mean(1)
        ),
        "the candidates compete": lambda x, o, v: sm(lp(x, o)[:, v], axis=1),
        "one weight per candidate: add": lambda x, o, v: sm(lp(x, o).sum(0)),
        "one weight per candidate: the": lambda x, o, v: sm(lp(x, o)[:, v].sum(1))[
            :, None
        ],
        "the most probable candidate is not the only one": lambda x, o, v: np.eye(
            len(o)
        )[np.argmax(lp(x, o)[:, v].sum(1))],
        "the candidates are not equally good": lambda x, o, v: np.full(
            len(o), 1 / len(o)
        ),
        "the weights": lambda x, o, v: (lambda w: w**2 / (w**2).sum())(
            sm(lp(x, o)[:, v].sum(1))
        ),
        "right for ordinary logits": lambda x, o, v: sm(
            np.log(np.clip(scipy.special.expit((2 * x - 1) * o), 1e-7, 1))[:, v].sum(1)
        ),
    },
    "directions": {
        "an intercept is missing": lambda c, a: np.linalg.lstsq(a, c, rcond=None)[0],
        "that is the intercept's row too": lambda c, a: np.linalg.lstsq(
            np.c_[np.ones(len(a)), a], c, rcond=None
        )[0],
        "the row of the ones is the intercept": lambda c, a: np.linalg.lstsq(
            np.c_[np.ones(len(a)), a], c, rcond=None
        )[0][:-1],
        "one attribute at a": lambda c, a: np.stack(
            [cen(x) @ cen(c) / (cen(x) @ cen(x)) for x in a.T]
        ),
        "all attributes at once": _stepwise,
        "the codes are explained by the attributes": lambda c, a: (
            np.linalg.lstsq(cen(c), cen(a), rcond=None)[0].T
        ),
        "one row per attribute": lambda c, a: di(c, a).T,
        "a covariance is no slope yet": lambda c, a: cen(a).T @ cen(c) / len(a),
        "a correlation is no slope": lambda c, a: np.corrcoef(a.T, c.T)[
            : a.shape[1], a.shape[1] :
        ],
        "a change of 1 in the attribute": lambda c, a: di(c, a / a.std(0)),
        "the codes keep their units": lambda c, a: di(c / c.std(0), a / a.std(0)),
        "slopes have a length": lambda c, a: (
            di(c, a) / np.linalg.norm(di(c, a), axis=1, keepdims=True)
        ),
        "the difference of two groups' means is no slope": lambda c, a: np.stack(
            [c[x > np.median(x)].mean(0) - c[x <= np.median(x)].mean(0) for x in a.T]
        ),
        "two codes alone are no regression": lambda c, a: np.stack(
            [c[x.argmax()] - c[x.argmin()] for x in a.T]
        ),
        "plain least squares": lambda c, a: Ridge(1.0).fit(a, c).coef_.T,
        "those are the codes that the attributes predict": lambda c, a: (
            LinearRegression().fit(a, c).predict(a)
        ),
        "that is the intercept, the": lambda c, a: (
            LinearRegression().fit(a, c).intercept_
        ),
        "the sign": lambda c, a: -di(c, a),
    },
    "code_length": {
        "bits: the logarithm to": lambda s: sum(entropy_of(cnt(c)) for c in s.T),
        "bits: divide the nats": lambda s: (
            sum(entropy_of(cnt(c)) for c in s.T) * np.log(2)
        ),
        "bits belong to the logarithm to base 2": lambda s: sum(
            entropy_of(cnt(c), base=10) for c in s.T
        ),
        "a picture needs all its coefficients": lambda s: np.mean(
            [entropy_of(cnt(c), base=2) for c in s.T]
        ),
        "each coefficient has its own table of counts; here all": lambda s: entropy_of(
            cnt(s), base=2
        ),
        "each coefficient has its own table of counts; here whole": lambda s: (
            entropy_of(rows(s), base=2)
        ),
        "each coefficient has its own table of counts; here the": lambda s: (
            s.shape[1] * entropy_of(cnt(s[:, 0]), base=2)
        ),
        "a coefficient is a column": lambda s: cl(s.T),
        "frequent values get shorter words: not log2 of how": lambda s: sum(
            np.log2(len(cnt(c))) for c in s.T
        ),
        "frequent values get shorter words: not log2 of the": lambda s: sum(
            np.log2(c.max() - c.min() + 1) for c in s.T
        ),
        "that is how many different values there are": lambda s: sum(
            len(cnt(c)) for c in s.T
        ),
        "an ideal code has fractions of a bit": lambda s: sum(
            np.ceil(entropy_of(cnt(c), base=2)) for c in s.T
        ),
        "a word's length is weighed by how often it comes": lambda s: (
            -sum(np.log2(cnt(c) / len(c)).sum() for c in s.T)
        ),
        "shares, not counts: divide": lambda s: (
            -sum((cnt(c) * np.log2(cnt(c))).sum() for c in s.T)
        ),
        "a coefficient's shares add up to one": lambda s: (
            -sum((cnt(c) / s.size * np.log2(cnt(c) / s.size)).sum() for c in s.T)
        ),
        "how often a value comes decides": lambda s: sum(
            entropy_of(abs(c), base=2) for c in s.T
        ),
        "-1 and 1 are different symbols": lambda s: cl(abs(s)),
        "zeros are symbols too": lambda s: sum(
            entropy_of(cnt(c[c != 0]), base=2) for c in s.T if (c != 0).any()
        ),
        "that is a normal's entropy": lambda s: sum(
            0.5 * np.log2(2 * np.pi * np.e * (c.var() + 1e-12)) for c in s.T
        ),
        "the mean of the logarithms": lambda s: (
            -sum(np.log2(((cnt(c) / len(c)) ** 2).sum()) for c in s.T)
        ),
        "an entropy has a logarithm": lambda s: sum(
            (cnt(c) / len(c) * (1 - cnt(c) / len(c))).sum() for c in s.T
        ),
        "the sign: a length": lambda s: -cl(s),
        "bits per picture": lambda s: len(s) * cl(s),
        "one number: add up": lambda s: [entropy_of(cnt(c), base=2) for c in s.T],
        "one number, the mean": lambda s: np.full(len(s), cl(s)),
    },
}
