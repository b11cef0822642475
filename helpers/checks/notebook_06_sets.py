"""Checks of notebook 06, sets of codes: covered shares, directions, code lengths."""

from functools import partial

import numpy as np

from helpers.checks.comparing import Function, check, then


def distances(a, b, order=2):
    return np.linalg.norm(a[:, np.newaxis] - b, axis=2, ord=order)


def nearest(centres, k, own=1, order=2):
    return np.sort(distances(centres, centres, order), axis=1)[:, k - 1 + own]


def inside(points, centres, k, own=1, order=2):
    return distances(points, centres, order) <= nearest(centres, k, own, order)


def covered_share(points, centres, k, share=np.mean, **changes):
    return share(inside(points, centres, k, **changes).any(axis=1))


def of_radius(radius):
    """Return the share of points in a ball of ``radius(centres, k)`` of any centre."""
    return lambda p, c, k: np.mean((distances(p, c) <= radius(c, k)).any(axis=1))


def nearest_covers(points, centres, k):
    closest = distances(points, centres).argmin(axis=1)
    return np.mean(inside(points, centres, k)[np.arange(len(points)), closest])


def radii_to_points(points, centres, k, own=0):
    between = distances(points, centres)
    return np.mean((between <= np.sort(between, axis=0)[k - 1 + own]).any(axis=1))


def points_reach(points, centres, k):
    reach = nearest(points, k)[:, np.newaxis]
    return np.mean((distances(points, centres) <= reach).any(axis=1))


COVERED_SHARE = {
    "each centre is its own nearest neighbour: leave it out": partial(
        covered_share, own=0
    ),
    "one neighbour too far: place k of the sorted distances is the k-th other centre": (
        partial(covered_share, own=2)
    ),
    "the balls stand around the centres, and the points are counted": (
        lambda p, c, k: covered_share(c, p, k)
    ),
    "which points lie in a ball, not which balls have a point": (
        lambda p, c, k: np.mean(inside(p, c, k).any(axis=0))
    ),
    "one ball is enough for a point: any over the centres, then the mean": (
        then(inside, np.mean),
        lambda p, c, k: np.mean(inside(p, c, k).all(axis=1)),
    ),
    "one ball is enough for a point, and not k of them": (
        lambda p, c, k: np.mean(inside(p, c, k).sum(axis=1) >= k)
    ),
    "in two balls or in ten, a point counts once": (
        lambda p, c, k: np.mean(inside(p, c, k).sum(axis=1)),
        lambda p, c, k: np.sum(inside(p, c, k)) / (k * len(p)),
    ),
    "a ball further away may be larger: ask all of them, not the nearest alone": (
        nearest_covers
    ),
    "a ball reaches to other centres; the points have no say in its size": (
        radii_to_points,
        partial(radii_to_points, own=1),
        lambda p, c, k: np.mean(
            (distances(p, c) <= np.sort(distances(p, c), axis=1)[:, [k - 1]]).any(
                axis=1
            )
        ),
    ),
    "the balls belong to the centres, not to the points": points_reach,
    "every centre has a radius of its own, not one for all": (
        of_radius(lambda c, k: nearest(c, k).mean()),
        of_radius(lambda c, k: np.median(nearest(c, k))),
        of_radius(lambda c, k: nearest(c, k).max()),
        of_radius(lambda c, k: nearest(c, k).min()),
        of_radius(lambda c, k: np.sort(distances(c, c), axis=1)[k]),
    ),
    "to the k-th nearest centre, not to the mean of the k nearest": (
        of_radius(lambda c, k: np.sort(distances(c, c))[:, 1 : k + 1].mean(axis=1))
    ),
    "sort the distances: centre number k is not the k-th nearest": (
        of_radius(lambda c, k: distances(c, c)[:, k])
    ),
    "a radius is a distance, not the index of a centre: np.sort, not np.argsort": (
        of_radius(lambda c, k: np.argsort(distances(c, c), axis=1)[:, k])
    ),
    "the k nearest, not the k furthest": (
        of_radius(lambda c, k: np.sort(distances(c, c), axis=1)[:, -k])
    ),
    "distances with distances, squares with squares": (
        of_radius(lambda c, k: nearest(c, k) ** 2),
        of_radius(lambda c, k: np.sqrt(nearest(c, k))),
    ),
    "the straight distance: the root of the sum of squares": (
        partial(covered_share, order=1),
        partial(covered_share, order=np.inf),
    ),
    "k is an argument": (
        lambda p, c, k: covered_share(p, c, 3),
        lambda p, c, k: covered_share(p, c, 1),
        lambda p, c, k: covered_share(p, c, 5),
    ),
    "inside, not outside": then(covered_share, lambda share: 1 - share),
    "how many of the points, as a share of them": (
        partial(covered_share, share=np.sum),
        lambda p, c, k: covered_share(p, c, k, np.sum) / len(c),
    ),
    "one number: the mean over the points": partial(covered_share, share=np.array),
}


def check_covered_share(attempt: Function) -> str:
    """Check ``covered_share(points, centres, k)``: the share of the points (n, d)."""
    rng, inputs = np.random.default_rng(0), []
    for n, m, d, k, wide in (
        (150, 60, 2, 3, 1),
        (130, 70, 2, 5, 1),
        (120, 60, 3, 2, 3),
    ):
        centres = wide**3 * (0.3 + 0.7 * rng.normal(size=(m, d)))
        inputs.append((wide**4 * rng.normal(size=(n, d)), centres, k))
    return check(attempt, covered_share, inputs, COVERED_SHARE)


def centred(a):
    return a - a.mean(axis=0)


def directions(codes, attributes):
    return np.linalg.lstsq(centred(attributes), centred(codes), rcond=None)[0]


def through_zero(codes, attributes):
    return np.linalg.lstsq(attributes, codes, rcond=None)[0]


def covariances(codes, attributes):
    return centred(attributes).T @ centred(codes)


def one_by_one(codes, attributes):
    return (
        covariances(codes, attributes)
        / np.sum(centred(attributes) ** 2, axis=0)[:, np.newaxis]
    )


def with_ones(codes, attributes):
    ones = np.ones((len(attributes), 1))
    return through_zero(codes, np.concatenate([ones, attributes], axis=1))


def one_after_another(codes, attributes):
    slopes, rest = [], centred(codes)
    for attribute in centred(attributes).T:
        slopes.append(attribute @ rest / (attribute @ attribute))
        rest = rest - np.outer(attribute, slopes[-1])
    return np.stack(slopes)


def between_groups(codes, attributes, middle=np.median):
    high = attributes > middle(attributes, axis=0)
    return np.stack([codes[h].mean(axis=0) - codes[~h].mean(axis=0) for h in high.T])


def between_extremes(codes, attributes, scale=lambda a: 1.0):
    ends = zip(attributes.argmax(axis=0), attributes.argmin(axis=0), strict=True)
    steps = np.stack([codes[high] - codes[low] for high, low in ends])
    return steps / np.reshape(scale(attributes), (-1, 1))


def ridge(codes, attributes, strength=1.0):
    a = centred(attributes)
    return np.linalg.solve(
        a.T @ a + strength * np.eye(a.shape[1]), a.T @ centred(codes)
    )


DIRECTIONS = {
    "an intercept is missing: take the means out of codes and attributes first": (
        through_zero,
        lambda z, a: through_zero(centred(z), a),
    ),
    "that is the intercept's row too: leave it out": (
        with_ones,
        lambda z, a: np.roll(with_ones(z, a), -1, axis=0),
    ),
    "the row of the ones is the intercept: leave that one out": (
        lambda z, a: with_ones(z, a)[:-1]
    ),
    "one attribute at a time drags the correlated ones along: one regression for all": (
        one_by_one,
        lambda z, a: a.T @ z / np.sum(a**2, axis=0)[:, np.newaxis],
    ),
    "all attributes at once: one after another, the first takes what it shares": (
        one_after_another
    ),
    "the codes are explained by the attributes, not the attributes by the codes": (
        lambda z, a: directions(a, z).T,
        lambda z, a: directions(a, z),
        lambda z, a: through_zero(a, z),
        lambda z, a: through_zero(a, z).T,
    ),
    "one row per attribute: the shape should be (k, d)": then(directions, np.transpose),
    "a covariance is no slope yet": (
        lambda z, a: covariances(z, a) / len(z),
        lambda z, a: covariances(z, a) / (len(z) - 1),
        lambda z, a: covariances(z, a),
        lambda z, a: a.T @ z / len(z),
        lambda z, a: a.T @ z,
    ),
    "a correlation is no slope: it has lost the units of both": (
        lambda z, a: covariances(z, a) / np.outer(a.std(0), z.std(0)) / len(z)
    ),
    "a change of 1 in the attribute, not of one standard deviation": (
        lambda z, a: directions(z, a / a.std(axis=0)),
        lambda z, a: directions(z, a / a.std(axis=0, ddof=1)),
    ),
    "the codes keep their units: they are not divided by their deviations": (
        lambda z, a: directions(z / z.std(axis=0), a),
        lambda z, a: directions(z / z.std(axis=0), a / a.std(axis=0)),
    ),
    "slopes have a length: don't normalise them": (
        then(
            directions,
            lambda rows: rows / np.linalg.norm(rows, axis=1, keepdims=True),
        )
    ),
    "the difference of two groups' means is no slope, and mixes the attributes": (
        between_groups,
        partial(between_groups, middle=np.mean),
    ),
    "two codes alone are no regression": (
        between_extremes,
        partial(between_extremes, scale=partial(np.ptp, axis=0)),
    ),
    "plain least squares: a ridge pulls the slopes to 0": (
        ridge,
        partial(ridge, strength=0.1),
        partial(ridge, strength=10.0),
    ),
    "those are the codes that the attributes predict; their slopes are asked for": (
        lambda z, a: centred(a) @ directions(z, a) + z.mean(axis=0)
    ),
    "that is the intercept, the code where all attributes are 0; the slopes are asked "
    "for": lambda z, a: with_ones(z, a)[0],
    "the sign: how the code moves as the attribute grows": then(
        directions, np.negative
    ),
}


def check_directions(attempt: Function) -> str:
    """Check ``directions(codes, attributes)``: (n, d) and (n, k) to slopes (k, d)."""
    rng, inputs = np.random.default_rng(0), []
    for n, d, k in ((60, 4, 3), (80, 3, 2)):
        # attributes that are correlated, and neither they nor the codes around 0
        shared, own = rng.normal(size=(n, 1)), rng.normal(size=(n, k))
        attributes = (shared + own) * (0.5 + np.arange(k)) + 2
        noise = rng.normal(size=(n, d))
        inputs.append((attributes @ rng.normal(size=(k, d)) + noise - 1, attributes))
    return check(attempt, directions, inputs, DIRECTIONS, tolerance=1e-4)


def shares(column):
    return np.unique(column, axis=0, return_counts=True)[1] / len(column)


def entropy(column, log=np.log2):
    p = shares(column)
    return -np.sum(p * log(p))


def entropies(symbols, of=entropy):
    return np.array([of(column) for column in symbols.T])


code_length = then(entropies, np.sum)


def added(of):
    """Return the sum of what ``of`` makes of each coefficient's shares."""
    return lambda symbols: sum(of(shares(column)) for column in symbols.T)


def huffman(p):
    """Return the mean length of the best code of whole bits."""
    weights, length = sorted(p), 0.0
    while len(weights) > 1:
        joined = weights[0] + weights[1]
        weights, length = sorted([joined, *weights[2:]]), length + joined
    return length


CODE_LENGTH = {
    "bits: the logarithm to base 2": lambda s: sum(entropy(c, np.log) for c in s.T),
    "bits: divide the nats by ln 2, don't multiply": (
        lambda s: code_length(s) * np.log(2) ** 2
    ),
    "bits belong to the logarithm to base 2, not 10": (
        lambda s: sum(entropy(c, np.log10) for c in s.T)
    ),
    "a picture needs all its coefficients: add them up": then(entropies, np.mean),
    "each coefficient has its own table of counts; here all share one": (
        lambda s: entropy(s.reshape(-1)) * s.shape[1],
        lambda s: entropy(s.reshape(-1)),
    ),
    "each coefficient has its own table of counts; here whole pictures are counted": (
        entropy
    ),
    "each coefficient has its own table of counts; here the first one's serves all": (
        lambda s: entropy(s[:, 0]) * s.shape[1]
    ),
    "a coefficient is a column: its frequencies are counted over the pictures": (
        lambda s: code_length(s.T)
    ),
    "frequent values get shorter words: not log2 of how many different ones exist": (
        added(lambda p: np.log2(len(p))),
        added(lambda p: np.ceil(np.log2(len(p)))),
    ),
    "frequent values get shorter words: not log2 of the range": (
        lambda s: np.log2(np.ptp(s, axis=0) + 1).sum()
    ),
    "that is how many different values there are, not what they cost": (added(len)),
    "an ideal code has fractions of a bit: nothing is rounded up": (
        added(lambda p: np.ceil(-np.sum(p * np.log2(p)))),
        added(lambda p: np.sum(p * np.ceil(-np.log2(p)))),
        added(huffman),
        lambda s: np.ceil(code_length(s)),
    ),
    "a word's length is weighed by how often it comes": (
        added(lambda p: -np.sum(np.log2(p))),
        added(lambda p: -np.mean(np.log2(p))),
    ),
    "shares, not counts: divide by the number of pictures": (
        lambda s: sum(
            -np.sum(len(s) * shares(c) * np.log2(len(s) * shares(c))) for c in s.T
        )
    ),
    "a coefficient's shares add up to one: divide by the pictures, not all symbols": (
        lambda s: sum(
            -np.sum(shares(c) / s.shape[1] * np.log2(shares(c) / s.shape[1]))
            for c in s.T
        )
    ),
    "how often a value comes decides, not the value itself": (
        lambda s: sum(
            -np.sum(p[p > 0] * np.log2(p[p > 0]))
            for p in (np.abs(c) / np.abs(c).sum() for c in s.T)
        )
    ),
    "-1 and 1 are different symbols: the sign costs bits too": (
        lambda s: code_length(np.abs(s))
    ),
    "zeros are symbols too, and must be told from the others": (
        lambda s: sum(entropy(c[c != 0]) for c in s.T)
    ),
    "that is a normal's entropy; count the values": (
        lambda s: sum(0.5 * np.log2(2 * np.pi * np.e * c.var()) for c in s.T)
    ),
    "the mean of the logarithms, not the logarithm of the mean share": (
        added(lambda p: -np.log2(np.sum(p**2)))
    ),
    "an entropy has a logarithm: p (1 - p) is a variance": (
        added(lambda p: np.sum(p * (1 - p)))
    ),
    "the sign: a length is positive": then(code_length, np.negative),
    "bits per picture, not for all pictures": lambda s: code_length(s) * len(s),
    "one number: add up the coefficients": entropies,
    "one number, the mean over pictures": lambda s: np.full(len(s), code_length(s)),
}


def check_code_length(attempt: Function) -> str:
    """Check ``code_length(symbols)``: integers (pictures, coefficients) to bits."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3)) * [0.6, 1.0, 3.0]
    symbols = np.round(values + values[:, :1]).astype(int)  # they depend on each other
    inputs = [(symbols,), (symbols[:31, 1:],)]
    return check(attempt, code_length, inputs, CODE_LENGTH)
