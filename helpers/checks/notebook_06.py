"""Checks of notebook 06: Applications."""

from functools import partial

import numpy as np
from scipy.special import logsumexp

from helpers.checks.comparing import Function, check, then


def auc(normal, foreign, tie=0.5):
    against = foreign[:, np.newaxis]
    return np.mean((against > normal) + tie * (against == normal))


AUC = {
    "the other way round: a foreign picture should have the higher score": (
        lambda n, f: auc(f, n)
    ),
    "a tie counts half; here it counts nothing": partial(auc, tie=0.0),
    "a tie counts half; here it counts whole": partial(auc, tie=1.0),
    "a share of the pairs: divide by their number": (
        lambda n, f: auc(n, f) * len(n) * len(f)
    ),
    "the share of foreign scores above the normal mean: compare with all normal ones": (
        lambda n, f: np.mean(f > n.mean())
    ),
    "from 0 to 1: this runs from -1 to 1": lambda n, f: 2 * auc(n, f) - 1,
}


def check_auc(attempt: Function) -> str:
    """Check ``auc(normal, foreign)``: how often foreign scores, (m,), are higher."""
    normal = np.array([0.2, 1.0, 1.0, 3.0, 2.0, 0.5])
    foreign = np.array([1.0, 4.0, 2.0, 1.0, 0.1, 5.0])
    inputs = [(normal, foreign), (np.repeat(foreign, 2), normal)]
    return check(attempt, auc, inputs, AUC)


def log_weights(x, logits, visible, reduce=np.sum):
    nats = x * logits - np.logaddexp(0, logits)
    return reduce(nats[:, visible], axis=1)


def importance_weights(*arguments, sign=1.0, **changes):
    log_w = sign * log_weights(*arguments, **changes)
    return np.exp(log_w - logsumexp(log_w))


def naive_weights(*arguments):
    unnormalised = np.exp(log_weights(*arguments))
    return unnormalised / unnormalised.sum()


IMPORTANCE_WEIGHTS = {
    "only the visible pixels are known": (
        lambda x, o, v: importance_weights(x, o, np.full_like(v, True))
    ),
    "the visible pixels, not the hidden ones": (
        lambda x, o, v: importance_weights(x, o, ~v)
    ),
    "exp(-1000) is 0, and 0 / 0 is nan: scipy.special.softmax takes the largest out": (
        naive_weights
    ),
    "the sum over pixels; their mean makes all candidates alike": (
        partial(importance_weights, reduce=np.mean)
    ),
    "they must add up to one: divide by their sum": then(log_weights, np.exp),
    "these are logarithms of weights: exponentiate them": (
        then(log_weights, lambda log_w: log_w - logsumexp(log_w))
    ),
    "the sign: the more probable candidate weighs more": (
        partial(importance_weights, sign=-1.0)
    ),
}


def check_importance_weights(attempt: Function) -> str:
    """Check ``importance_weights(x, logits, visible)``: (D,), (K, D), (D,) to (K,)."""
    rng = np.random.default_rng(0)
    x, visible = (rng.random(8) < 0.5).astype(float), np.arange(8) < 5
    mild = rng.normal(size=(4, 8))
    wild = mild - 4000 * np.where(x > 0, 1, -1)  # every coin is against every pixel
    inputs = [(x, mild, visible), (x, wild, visible)]
    return check(attempt, importance_weights, inputs, IMPORTANCE_WEIGHTS)


def distances(a, b):
    return np.linalg.norm(a[:, np.newaxis] - b, axis=2)


def inside(points, centres, k, own=1):
    radii = np.sort(distances(centres, centres), axis=1)[:, k - 1 + own]
    return distances(points, centres) <= radii  # (points, centres)


def covered_share(points, centres, k, share=np.mean, **changes):
    return share(inside(points, centres, k, **changes).any(axis=1))


def nearest_covers(points, centres, k):
    closest = distances(points, centres).argmin(axis=1)
    return np.mean(inside(points, centres, k)[np.arange(len(points)), closest])


COVERED_SHARE = {
    "each centre is its own nearest neighbour: leave it out": partial(
        covered_share, own=0
    ),
    "the balls stand around the centres, and the points are counted": (
        lambda p, c, k: covered_share(c, p, k)
    ),
    "one ball is enough for a point: any over the centres, then the mean": (
        then(inside, np.mean)
    ),
    "a ball further away may be larger: ask all of them, not the nearest alone": (
        nearest_covers
    ),
    "how many of the points, as a share of them": partial(covered_share, share=np.sum),
}


def check_covered_share(attempt: Function) -> str:
    """Check ``covered_share(points, centres, k)``: the share of the points (n, d)."""
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(40, 2)), 0.3 + 0.7 * rng.normal(size=(40, 2))
    inputs = [(points, centres, k) for k in (3, 5)]
    return check(attempt, covered_share, inputs, COVERED_SHARE)


def entropies(symbols, log=np.log2):
    shares = [np.unique(c, return_counts=True)[1] / len(c) for c in symbols.T]
    return np.array([-np.sum(p * log(p)) for p in shares])


code_length = then(entropies, np.sum)

CODE_LENGTH = {
    "bits: the logarithm to base 2": lambda s: entropies(s, np.log).sum(),
    "a picture needs all its coefficients: add them up": then(entropies, np.mean),
    "each coefficient has its own table of counts; here all share one": (
        lambda s: entropies(s.reshape(-1, 1))[0] * s.shape[1]
    ),
    "frequent values get shorter words: not log2 of how many different ones exist": (
        lambda s: sum(np.log2(len(np.unique(c))) for c in s.T)
    ),
    "the sign: a length is positive": then(code_length, np.negative),
    "bits per picture, not for all pictures": lambda s: code_length(s) * len(s),
    "one number: add up the coefficients": entropies,
}


def check_code_length(attempt: Function) -> str:
    """Check ``code_length(symbols)``: integers (pictures, coefficients) to bits."""
    scales = [0.4, 1.0, 3.0]
    symbols = np.round(np.random.default_rng(0).normal(size=(50, 3)) * scales).astype(
        int
    )
    return check(attempt, code_length, [(symbols,), (symbols[:, :2],)], CODE_LENGTH)


def directions(codes, attributes, centre=True):
    moved = [a - a.mean(axis=0) if centre else a for a in (attributes, codes)]
    return np.linalg.lstsq(*moved)[0]


def covariances(codes, attributes):
    return (attributes - attributes.mean(axis=0)).T @ (codes - codes.mean(axis=0))


DIRECTIONS = {
    "an intercept is missing: take the means out of codes and attributes first": (
        partial(directions, centre=False)
    ),
    "one attribute at a time drags the correlated ones along: one regression for all": (
        lambda z, a: covariances(z, a) / (len(a) * a.var(axis=0)[:, np.newaxis])
    ),
    "the codes are explained by the attributes, not the attributes by the codes": (
        lambda z, a: directions(a, z).T
    ),
    "one row per attribute: the shape should be (k, d)": then(directions, np.transpose),
    "a covariance is no slope yet": lambda z, a: covariances(z, a) / len(z),
}


def check_directions(attempt: Function) -> str:
    """Check ``directions(codes, attributes)``: (n, d) and (n, k) to slopes (k, d)."""
    rng = np.random.default_rng(0)
    # attributes that are correlated, and neither they nor the codes around 0
    attributes = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + 2
    codes = attributes @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)) - 1
    return check(attempt, directions, [(codes, attributes)], DIRECTIONS)
