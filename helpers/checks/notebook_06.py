"""Checks of notebook 06: Applications; scores and weights of pictures."""

from functools import partial

import numpy as np
from scipy.special import expit, log_expit, logsumexp, ndtr, softmax

from helpers.checks.comparing import Function, check, right_on, then


def auc(normal, foreign, tie=0.5, share=np.mean):
    against = foreign[:, np.newaxis]
    return share((against > normal) + tie * (against == normal))


def above(threshold):
    """Return the share of foreign scores above a threshold of the normal ones."""
    return lambda n, f: np.mean(f > threshold(n))


def in_pairs(normal, foreign):
    count = min(len(normal), len(foreign))
    return np.mean(foreign[:count] > normal[:count])


def rates(normal, foreign):
    """Return for every threshold the share of alarms among both, (2, thresholds)."""
    thresholds = np.unique(np.concatenate([normal, foreign]))
    return np.array([[np.mean(s >= t) for t in thresholds] for s in (normal, foreign)])


def average_precision(normal, foreign):
    total = 0.0
    for threshold in np.unique(foreign):
        hits, alarms = np.sum(foreign >= threshold), np.sum(normal >= threshold)
        total += hits / (hits + alarms) * np.mean(foreign == threshold)
    return total


AUC = {
    "the other way round: a foreign picture should have the higher score": (
        lambda n, f: auc(f, n)
    ),
    "a tie counts half; here it counts nothing": partial(auc, tie=0.0),
    "a tie counts half; here it counts whole": partial(auc, tie=1.0),
    "a tie counts half, among all pairs; here ties are left out": (
        lambda n, f: auc(n, f, 0.0) / (1 - np.mean(f[:, np.newaxis] == n))
    ),
    "a share of the pairs: divide by their number": (
        partial(auc, share=np.sum),
        lambda n, f: auc(n, f) * len(n),
        lambda n, f: auc(n, f) * len(f),
    ),
    "there are n x m pairs: divide by that": (
        lambda n, f: auc(n, f) * len(f) / len(n),
        lambda n, f: auc(n, f) * len(n) / len(f),
        lambda n, f: auc(n, f, share=np.sum) / (len(n) + len(f)),
    ),
    "a probability, from 0 to 1: no per cent": lambda n, f: 100 * auc(n, f),
    "every foreign score meets every normal one: not the first the first": (
        in_pairs,
        lambda n, f: in_pairs(np.sort(n), np.sort(f)),
    ),
    "the share of foreign scores above the normal mean: compare with all normal ones": (
        above(np.mean)
    ),
    "one threshold, the normal median, is not all of them": above(np.median),
    "above all normal scores is too much asked: every pair counts": above(np.max),
    "above one of the normal scores is too little: every pair counts": above(np.min),
    "the means alone: one outlier moves them, and no pair more": (
        lambda n, f: float(f.mean() > n.mean()),
        lambda n, f: f.mean() - n.mean(),
        lambda n, f: np.median(f) - np.median(n),
    ),
    "scores are not normal: compare them, and not their means and variances": (
        lambda n, f: ndtr((f.mean() - n.mean()) / np.sqrt(n.var() + f.var()))
    ),
    "from 0 to 1: this runs from -1 to 1": lambda n, f: 2 * auc(n, f) - 1,
    "below 0.5 is an answer too: the detector is worse than guessing": (
        lambda n, f: max(auc(n, f), 1 - auc(n, f))
    ),
    "that is the accuracy at the best threshold": (
        lambda n, f: max(
            np.mean(np.concatenate([n < t, f >= t])) for t in np.concatenate([n, f])
        )
    ),
    "that is the largest distance between the two curves, not an area": (
        lambda n, f: np.abs(np.subtract(*rates(n, f))).max()
    ),
    "that is the average precision: alarms are counted among all normal pictures": (
        average_precision
    ),
    "one number: the mean over the foreign scores too": (
        lambda n, f: auc(n, f, share=partial(np.mean, axis=1)),
        lambda n, f: auc(n, f, share=partial(np.mean, axis=0)),
        lambda n, f: auc(n, f, share=lambda pairs: pairs),
    ),
}


def check_auc(attempt: Function) -> str:
    """Check ``auc(normal, foreign)``: how often foreign scores, (m,), are higher."""
    normal = np.array([0.2, 1.0, 1.0, 3.0, 2.0, 0.5, 0.7])
    foreign = np.array([1.0, 4.0, 2.0, 1.1, 1.0, 0.1])
    inputs = [(normal, foreign), (np.array([*foreign, 5.0, 2.5, 2.0]), normal)]
    return check(attempt, auc, inputs, AUC)


def log_pixels(x, logits):
    return x * logits - np.logaddexp(0, logits)


def importance_weights(x, logits, visible, each=log_pixels, sign=1.0, reduce=np.sum):
    return softmax(sign * reduce(each(x, logits)[:, visible], axis=1))


def log_weights(x, logits, visible):
    return np.sum(log_pixels(x, logits)[:, visible], axis=1)


def naive_weights(x, logits, visible, each=log_pixels):
    unnormalised = np.exp(np.sum(each(x, logits)[:, visible], axis=1))
    return unnormalised / unnormalised.sum()


def naive_softplus(x, logits):
    return x * logits - np.log(1 + np.exp(logits))


def agreement(x, logits):
    return expit((2 * x - 1) * logits)


def square(weights):
    return weights**2 / np.sum(weights**2)


IMPORTANCE_WEIGHTS = {
    "only the visible pixels are known": (
        lambda x, o, v: importance_weights(x, o, np.full_like(v, True)),
        lambda x, o, v: importance_weights(x * v, o, np.full_like(v, True)),
    ),
    "the visible pixels, not the hidden ones": (
        lambda x, o, v: importance_weights(x, o, ~v)
    ),
    "the mask says which pixels are visible; they need not be the first ones": (
        lambda x, o, v: importance_weights(x, o, np.arange(len(v)) < v.sum())
    ),
    "exp(-1000) is 0, and 0 / 0 is nan: scipy.special.softmax takes the largest out": (
        naive_weights,
        lambda x, o, v: np.nan_to_num(naive_weights(x, o, v)),
    ),
    "exp(1000) overflows: np.logaddexp(0, logits) is ln(1 + exp(logits)) without it": (
        partial(importance_weights, each=naive_softplus),
        partial(naive_weights, each=naive_softplus),
    ),
    "the sum over pixels; their mean makes all candidates alike": (
        partial(importance_weights, reduce=np.mean)
    ),
    "probabilities of independent pixels are multiplied, their logarithms added": (
        lambda x, o, v: (lambda p: p / p.sum())(agreement(x, o)[:, v].sum(axis=1)),
        lambda x, o, v: softmax(agreement(x, o)[:, v].sum(axis=1)),
    ),
    "they must add up to one: divide by their sum": then(log_weights, np.exp),
    "divide by their sum, not by the largest": (
        then(log_weights, lambda log_w: np.exp(log_w - log_w.max()))
    ),
    "they add up to one: the mean is taken with them, so no division by K": (
        lambda x, o, v: importance_weights(x, o, v) / len(o)
    ),
    "these are logarithms of weights: exponentiate them": (
        log_weights,
        then(log_weights, lambda log_w: log_w - logsumexp(log_w)),
    ),
    "exponentiate before you divide by the sum: logarithms are no weights": (
        then(log_weights, lambda log_w: log_w / log_w.sum())
    ),
    "the sign: the more probable candidate weighs more": (
        partial(importance_weights, sign=-1.0)
    ),
    "the roles of 0 and 1 are swapped": (
        lambda x, o, v: importance_weights(1 - x, o, v)
    ),
    "paper counts too: -ln(1 + e^o) belongs to every pixel": (
        partial(importance_weights, each=lambda x, o: x * o),
        partial(importance_weights, each=lambda x, o: x * log_expit(o)),
    ),
    "weights of probabilities, not of squared errors": (
        partial(importance_weights, each=lambda x, o: -((x - expit(o)) ** 2)),
        partial(importance_weights, each=lambda x, o: -((x - expit(o)) ** 2) / 2),
    ),
    "how many pixels agree is too coarse: how sure the decoder is counts": (
        lambda x, o, v: softmax(np.sum((o > 0) == (x > 0.5), axis=1, where=v)),
        lambda x, o, v: (lambda hits: hits / hits.sum())(
            np.mean((o > 0) == (x > 0.5), axis=1, where=v)
        ),
    ),
    "the candidates compete, not their pixels: add up the pixels first": (
        lambda x, o, v: softmax(log_pixels(x, o)[:, v], axis=1),
        lambda x, o, v: softmax(log_pixels(x, o)[:, v], axis=0),
        lambda x, o, v: softmax(log_pixels(x, o)[:, v], axis=0).mean(axis=1),
    ),
    "one weight per candidate: add up the pixels, not the candidates": (
        lambda x, o, v: softmax(log_pixels(x, o).sum(axis=0)),
        lambda x, o, v: softmax(log_pixels(x, o)[:, v].sum(axis=0)),
    ),
    "one weight per candidate: the shape should be (K,)": (
        lambda x, o, v: importance_weights(x, o, v)[:, np.newaxis]
    ),
    "the most probable candidate is not the only one": (
        lambda x, o, v: np.eye(len(o))[np.argmax(log_weights(x, o, v))]
    ),
    "the candidates are not equally good: weigh them": (
        lambda x, o, v: np.full(len(o), 1 / len(o))
    ),
    "the weights, not their squares": then(importance_weights, square),
}
CLIPPED = (
    "right for ordinary logits, but not in the thousands: clipped probabilities or "
    "logits make bad candidates alike; stay with the logits"
)


def check_importance_weights(attempt: Function) -> str:
    """Check ``importance_weights(x, logits, visible)``: (D,), (K, D), (D,) to (K,)."""
    rng, inputs = np.random.default_rng(0), []
    for pixels, candidates in ((8, 5), (6, 3)):
        x = (np.arange(pixels) % 3 > 0).astype(float)
        visible = np.arange(pixels) % 4 != 1
        mild = rng.normal(size=(candidates, pixels))
        wild = mild - 4000 * np.where(x > 0, 1, -1)  # every coin is against every pixel
        sure = mild.copy()
        sure[0] = 4000 * np.where(x > 0, 1, -1)  # one candidate is right everywhere
        inputs += [(x, logits, visible) for logits in (mild, wild, sure)]
    clipped = right_on(
        lambda x, o, v: np.abs(o).max() < 100, attempt, importance_weights
    )
    mistakes = IMPORTANCE_WEIGHTS | {CLIPPED: clipped}
    return check(attempt, importance_weights, inputs, mistakes)
