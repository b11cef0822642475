"""Checks of notebook 06: Applications."""

import numpy as np
from scipy.special import logsumexp

from helpers.checks.comparing import Function, check


def check_auc(attempt: Function) -> str:
    """Check ``auc(normal, foreign)``: how often a foreign score is the higher, (n,), (m,)."""
    normal = np.array([0.2, 1.0, 1.0, 3.0, 2.0, 0.5])
    foreign = np.array([1.0, 4.0, 2.0, 1.0, 0.1, 5.0])

    def share(normal, foreign, tie=0.5):
        against = foreign[:, np.newaxis]
        return np.mean((against > normal) + tie * (against == normal))

    return check(
        attempt,
        share,
        [(normal, foreign), (np.repeat(foreign, 2), normal)],
        {
            "the other way round: a foreign picture should have the higher score": (
                lambda n, f: share(f, n)
            ),
            "a tie counts half; here it counts nothing": lambda n, f: share(
                n, f, tie=0.0
            ),
            "a tie counts half; here it counts whole": lambda n, f: share(
                n, f, tie=1.0
            ),
            "a share of the pairs: divide by their number": (
                lambda n, f: share(n, f) * len(n) * len(f)
            ),
            "the share of foreign scores above the normal mean: compare with every normal one": (
                lambda n, f: np.mean(f > n.mean())
            ),
            "from 0 to 1: this runs from -1 to 1": lambda n, f: 2 * share(n, f) - 1,
        },
    )


def check_importance_weights(attempt: Function) -> str:
    """Check ``importance_weights(x, logits, visible)``: (D,), (K, D), (D,) to weights (K,)."""
    rng = np.random.default_rng(0)
    x, visible = (rng.random(8) < 0.5).astype(float), np.arange(8) < 5
    mild = rng.normal(size=(4, 8))
    wild = mild - 4000 * np.where(x > 0, 1, -1)  # every coin is against every pixel

    def log_weights(x, logits, visible, reduce=np.sum):
        nats = x * logits - np.logaddexp(0, logits)
        return reduce(nats[:, visible], axis=1)

    def weights(*arguments, sign=1.0, **changes):
        log_w = sign * log_weights(*arguments, **changes)
        return np.exp(log_w - logsumexp(log_w))

    def naive(x, logits, visible):
        unnormalised = np.exp(log_weights(x, logits, visible))
        return unnormalised / unnormalised.sum()

    return check(
        attempt,
        weights,
        [(x, mild, visible), (x, wild, visible)],
        {
            "only the visible pixels are known": lambda x, o, v: weights(
                x, o, np.full_like(v, 1)
            ),
            "the visible pixels, not the hidden ones": lambda x, o, v: weights(
                x, o, ~v
            ),
            "exp(-1000) is 0, and 0 / 0 is nan: scipy.special.softmax takes the largest out": naive,
            "the sum over pixels; their mean makes all candidates alike": (
                lambda *args: weights(*args, reduce=np.mean)
            ),
            "they must add up to one: divide by their sum": (
                lambda *args: np.exp(log_weights(*args))
            ),
            "these are logarithms of weights: exponentiate them": (
                lambda *args: log_weights(*args) - logsumexp(log_weights(*args))
            ),
            "the sign: the more probable candidate weighs more": (
                lambda *args: weights(*args, sign=-1.0)
            ),
        },
    )


def check_covered_share(attempt: Function) -> str:
    """Check ``covered_share(points, centres, k)``: (n, d) and (n, d) to a share of the points."""
    rng = np.random.default_rng(0)
    points, centres = rng.normal(size=(40, 2)), 0.3 + 0.7 * rng.normal(size=(40, 2))

    def distances(a, b):
        return np.linalg.norm(a[:, np.newaxis] - b, axis=2)

    def inside(points, centres, k, own=1):
        radii = np.sort(distances(centres, centres), axis=1)[:, k - 1 + own]
        return distances(points, centres) <= radii

    def nearest(points, centres, k):
        closest = distances(points, centres).argmin(axis=1)
        return np.mean(inside(points, centres, k)[np.arange(len(points)), closest])

    return check(
        attempt,
        lambda *args: np.mean(inside(*args).any(axis=1)),
        [(points, centres, 3), (points, centres, 5)],
        {
            "each centre is its own nearest neighbour: leave it out": (
                lambda *args: np.mean(inside(*args, own=0).any(axis=1))
            ),
            "the balls stand around the centres, and the points are counted": (
                lambda p, c, k: np.mean(inside(c, p, k).any(axis=1))
            ),
            "one ball is enough for a point: any over the centres, then the mean": (
                lambda *args: np.mean(inside(*args))
            ),
            "a ball further away may be larger: ask all of them, not the nearest alone": nearest,
            "how many of the points, as a share of them": (
                lambda *args: np.sum(inside(*args).any(axis=1))
            ),
        },
    )


def check_code_length(attempt: Function) -> str:
    """Check ``code_length(symbols)``: bits a picture, from integers (pictures, coefficients)."""
    rng = np.random.default_rng(0)
    symbols = np.round(rng.normal(size=(50, 3)) * [0.4, 1.0, 3.0]).astype(int)

    def entropies(symbols, log=np.log2):
        shares = [np.unique(c, return_counts=True)[1] / len(c) for c in symbols.T]
        return np.array([-np.sum(p * log(p)) for p in shares])

    def pooled(symbols):
        return entropies(symbols.reshape(-1, 1))[0] * symbols.shape[1]

    return check(
        attempt,
        lambda symbols: entropies(symbols).sum(),
        [(symbols,), (symbols[:, :2],)],
        {
            "bits: the logarithm to base 2": lambda s: entropies(s, np.log).sum(),
            "a picture needs all its coefficients: add them up": lambda s: entropies(
                s
            ).mean(),
            "each coefficient has its own table of counts; here all share one": pooled,
            "frequent values get shorter words: not log2 of how many different ones there are": (
                lambda s: sum(np.log2(len(np.unique(c))) for c in s.T)
            ),
            "the sign: a length is positive": lambda s: -entropies(s).sum(),
            "bits a picture, not for all pictures": lambda s: (
                entropies(s).sum() * len(s)
            ),
            "one number: add up the coefficients": entropies,
        },
    )


def check_directions(attempt: Function) -> str:
    """Check ``directions(codes, attributes)``: (n, d) and (n, k) to slopes (k, d)."""
    rng = np.random.default_rng(0)
    attributes = (
        rng.normal(size=(60, 3)) @ rng.normal(size=(3, 3)) + 2
    )  # correlated, off centre
    codes = attributes @ rng.normal(size=(3, 4)) + rng.normal(size=(60, 4)) - 1

    def slopes(codes, attributes, centre=True):
        moved = [a - a.mean(axis=0) if centre else a for a in (attributes, codes)]
        return np.linalg.lstsq(*moved)[0]

    def one_by_one(codes, attributes):
        centred = attributes - attributes.mean(axis=0)
        return centred.T @ codes / np.sum(centred**2, axis=0)[:, np.newaxis]

    return check(
        attempt,
        slopes,
        [(codes, attributes)],
        {
            "an intercept is missing: take the means out of codes and attributes first": (
                lambda z, a: slopes(z, a, centre=False)
            ),
            "one attribute at a time drags the correlated ones along: one regression for all": (
                one_by_one
            ),
            "the codes are explained by the attributes, not the attributes by the codes": (
                lambda z, a: slopes(a, z).T
            ),
            "one row an attribute: the shape should be (k, d)": lambda z, a: (
                slopes(z, a).T
            ),
            "a covariance is no slope yet": lambda z, a: (
                (a - a.mean(axis=0)).T @ (z - z.mean(axis=0)) / len(z)
            ),
        },
    )
