"""Right and wrong answers to the exercises of notebook 03: The VAE.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import math

import keras
import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
from sklearn.feature_selection import VarianceThreshold

AXES = (1, 2, 3)


def by_entry(function):
    """Return a function that calls ``function`` on floats, one entry after another."""
    return lambda *arrays: [
        [function(*map(float, entries)) for entries in zip(*rows, strict=True)]
        for rows in zip(*arrays, strict=True)
    ]


def sample_in_loops(mean, log_var, noise):
    z = np.empty(mean.shape)
    for i, j in np.ndindex(*mean.shape):
        z[i, j] = mean[i, j] + math.exp(log_var[i, j] / 2) * noise[i, j]
    return z


def kl(m, v):
    return 0.5 * np.sum(m**2 + np.exp(v) - v - 1, axis=1)


def kl_by_quadrature(mean, log_var):
    q, p = scipy.stats.norm(mean, math.exp(log_var / 2)), scipy.stats.norm()
    ends = mean - 12 * q.std(), mean + 12 * q.std()
    return scipy.integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), *ends, epsabs=1e-10
    )[0]


def kl_by_hermite(m, v):
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    s = np.exp(v / 2)[..., None]
    z = m[..., None] + s * nodes
    ratio = scipy.stats.norm.logpdf(z, m[..., None], s) - scipy.stats.norm.logpdf(z)
    return (ratio @ weights / weights.sum()).sum(axis=1)


def kl_as_cross_entropy(m, v):
    cross = 0.5 * (np.log(2 * np.pi) + m**2 + np.exp(v))
    return (cross - scipy.stats.norm(m, np.exp(v / 2)).entropy()).sum(axis=1)


def nll_by_maximum(x, logits):
    stable = np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))
    return stable.sum(axis=AXES)


def nll_by_parts(x, o):
    return -(x * scipy.special.log_expit(o) + (1 - x) * scipy.special.log_expit(-o))


def nll_in_loops(x, logits):
    nats = np.zeros(len(x))
    for place in np.ndindex(*x.shape):
        o = logits[place]
        softplus = o if o > 30 else math.log1p(math.exp(o))
        nats[place[0]] += softplus - x[place] * o
    return nats


def nll_by_where(x, o):
    small = np.where(o > 0, 0, o)
    return np.where(o > 0, o + np.log1p(np.exp(-abs(o))), np.log1p(np.exp(small)))


def nll_by_keras(x, o):
    each = keras.ops.binary_crossentropy(x, o, from_logits=True)
    return keras.ops.convert_to_numpy(keras.ops.sum(each, axis=AXES))


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=AXES)


def log_mean_exp(w):
    return np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])


def iwae_by_folding(w):
    total = w[:, 0]
    for k in range(1, w.shape[1]):
        high, low = np.maximum(total, w[:, k]), np.minimum(total, w[:, k])
        total = high + np.log1p(np.exp(low - high))
    return total - math.log(w.shape[1])


def iwae_by_first_share(w):
    return w[:, 0] - scipy.special.log_softmax(w, axis=1)[:, 0] - np.log(w.shape[1])


def iwae_in_loops(w):
    bounds = []
    for row in w.tolist():
        top = max(row)
        total = math.fsum(math.exp(value - top) for value in row)
        bounds.append(top + math.log(total / len(row)))
    return bounds


def active_by_loops(z, threshold):
    count = 0
    for latent in z.T:
        middle = sum(latent) / len(latent)
        if sum((value - middle) ** 2 for value in latent) / len(latent) > threshold:
            count += 1
    return count


METHODS = {
    "sample": {
        "root of the variance": lambda m, v, e: m + e * np.sqrt(np.exp(v)),
        "exp of half": lambda m, v, e: m + np.exp(v / 2) * e,
        "a power of e": lambda m, v, e: m + np.e ** (0.5 * v) * e,
        "exp to the power 1/2": lambda m, v, e: np.add(m, np.exp(v) ** 0.5 * e),
        "loops": sample_in_loops,
        "lists of lists": by_entry(lambda m, v, e: m + math.sqrt(math.exp(v)) * e),
        "float32": lambda m, v, e: sample_in_loops(*map(np.float32, (m, v, e))),
        "Keras": lambda m, v, e: keras.ops.convert_to_numpy(
            m + keras.ops.exp(0.5 * keras.ops.convert_to_tensor(v)) * e
        ),
        "SciPy's quantiles": lambda m, v, e: scipy.stats.norm(m, np.exp(v / 2)).ppf(
            scipy.stats.norm.cdf(e)
        ),
    },
    "kl_normal": {
        "the formula": kl,
        "expm1": lambda m, v: (m * m + np.expm1(v) - v).sum(axis=-1) / 2,
        "sigma": lambda m, v: np.sum(
            (m**2 + np.exp(v / 2) ** 2 - 1) / 2 - np.log(np.exp(v / 2)), axis=1
        ),
        "quadrature": lambda m, v: np.sum(by_entry(kl_by_quadrature)(m, v), axis=1),
        "Gauss-Hermite": kl_by_hermite,
        "cross-entropy less entropy": kl_as_cross_entropy,
        "loops": lambda m, v: [
            sum((a * a + math.exp(b) - 1 - b) / 2 for a, b in zip(*rows, strict=True))
            for rows in zip(m, v, strict=True)
        ],
        "a product with ones": lambda m, v: (
            0.5 * (m**2 + np.exp(v) - 1 - v) @ np.ones(m.shape[1])
        ),
        "term by term": lambda m, v: (
            0.5 * np.einsum("nd,nd->n", m, m)
            + 0.5 * np.exp(v).sum(1)
            - 0.5 * v.sum(1)
            - m.shape[1] / 2
        ),
    },
    "bernoulli": {
        "maximum and log1p": nll_by_maximum,
        "logaddexp": lambda x, o: np.sum(np.logaddexp(0, o) - x * o, axis=AXES),
        "log_expit": lambda x, o: nll_by_parts(x, o).sum(axis=AXES),
        "loops": nll_in_loops,
        "where": lambda x, o: (nll_by_where(x, o) - x * o).sum(axis=AXES),
        "Keras, from logits": nll_by_keras,
        "two softplus": lambda x, o: np.sum(
            x * np.logaddexp(0, -o) + (1 - x) * np.logaddexp(0, o), axis=AXES
        ),
        "flat rows": lambda x, o: (
            np.logaddexp(0, o).reshape(len(x), -1).sum(axis=1)
            - np.einsum("nhwc,nhwc->n", x, o)
        ),
        "softplus of SciPy": lambda x, o: (scipy.special.softplus(o) - x * o).sum(AXES),
    },
    "iwae": {
        "logaddexp": log_mean_exp,
        "log-sum-exp of SciPy": lambda w: (
            scipy.special.logsumexp(w, axis=1) - np.log(w.shape[1])
        ),
        "weights 1/K inside": lambda w: scipy.special.logsumexp(
            w, axis=1, b=1 / w.shape[1]
        ),
        "ln K first": lambda w: np.logaddexp.reduce(w - np.log(w.shape[1]), axis=1),
        "folding": iwae_by_folding,
        "the first one's share": iwae_by_first_share,
        "loops": iwae_in_loops,
        "Keras": lambda w: keras.ops.convert_to_numpy(
            keras.ops.logsumexp(w, axis=1) - math.log(w.shape[1])
        ),
        "the largest taken out": lambda w: (
            w.max(1) + np.log(np.exp(w - w.max(1)[:, None]).mean(1))
        ),
    },
    "active_units": {
        "variance": lambda z, threshold: (np.var(z, axis=0) > threshold).sum(),
        "squared deviation": lambda z, t: int((np.std(z, axis=0) ** 2 > t).sum()),
        "deviation against the root": lambda z, t: sum(z.std(axis=0) > t**0.5),
        "moments": lambda z, t: np.count_nonzero(
            (z**2).mean(axis=0) - z.mean(axis=0) ** 2 > t
        ),
        "covariance": lambda z, t: int((np.diag(np.cov(z.T, bias=True)) > t).sum()),
        "the unbiased variance": lambda z, t: (z.var(axis=0, ddof=1) > t).sum(),
        "loops": active_by_loops,
        "scikit-learn": lambda z, t: VarianceThreshold(t).fit_transform(z).shape[1],
        "half the squared differences": lambda z, t: len(
            [c for c in z.T if np.subtract.outer(c[:60], c[:60]).var() / 2 > t]
        ),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}

MISTAKES = {
    "sample": {
        "square root": lambda m, v, e: m + np.exp(v) * e,
        "logarithm: exponentiate": lambda m, v, e: m + v * e,
        "half": lambda m, v, e: m + v / 2 * e,
        "nan: exponentiate first": lambda m, v, e: m + v**0.5 * e,
        "spreads z more widely": lambda m, v, e: m + e / np.sqrt(np.exp(v)),
        "softplus": lambda m, v, e: m + np.log1p(np.exp(v)) * e,
        "mean is missing": lambda m, v, e: np.exp(v / 2) * e,
        "not multiplied": lambda m, v, e: m * np.exp(v / 2) * e,
        "noise is missing": lambda m, v, e: m + np.exp(v / 2),
    },
    "kl_normal": {
        "sign: a KL": lambda m, v: 0.5 * np.sum(1 + v - m**2 - np.exp(v), axis=1),
        "1/2": lambda m, v: np.sum(m**2 + np.exp(v) - 1 - v, axis=1),
        "the -1 is missing": lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) - v, axis=1),
        "sign of z_log_var": lambda m, v: (
            0.5 * np.sum(m**2 + np.exp(v) - 1 + v, axis=1)
        ),
        "exponentiate it": lambda m, v: 0.5 * np.sum(m**2 + v - 1 - v, axis=1),
        "hidden beta": lambda m, v: 0.5 * np.mean(m**2 + np.exp(v) - 1 - v, axis=1),
        "not ln sigma": lambda m, v: (
            0.5 * np.sum(m**2 + np.exp(v) ** 2 - 1 - 2 * v, axis=1)
        ),
        "last axis only": lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) - 1 - v),
        "mean over the batch": lambda m, v: kl(m, v).mean(),
        "square the mean": lambda m, v: 0.5 * np.sum(m + np.exp(v) - 1 - v, axis=1),
        "sum over the latents, the": lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v),
        "axis 0 holds the pictures": lambda m, v: kl(m.T, v.T),
    },
    "bernoulli": {
        "saturated sigmoid": lambda x, o: nll_of_probabilities(
            x, scipy.special.expit(o)
        ),
        "exp(1000) overflows": lambda x, o: np.sum(
            np.log1p(np.exp(o)) - x * o, axis=AXES
        ),
        "clipped probabilities": lambda x, o: nll_of_probabilities(
            x, np.clip(scipy.special.expit(o), 1e-7, 1 - 1e-7)
        ),
        "log(p + 1e-8)": lambda x, o: (
            -np.sum(
                x * np.log(scipy.special.expit(o) + 1e-8)
                + (1 - x) * np.log(1 - scipy.special.expit(o) + 1e-8),
                axis=AXES,
            )
        ),
        "784 times": lambda x, o: nll_by_maximum(x, o) / x[0].size,
        "sign": lambda x, o: -nll_by_maximum(x, o),
        "one value per picture": lambda x, o: nll_by_maximum(x, o).sum(),
        "sigmoid is the probability": nll_of_probabilities,
        "swapped": lambda x, o: nll_by_maximum(1 - x, o),
        "paper counts too": lambda x, o: (
            -(x * scipy.special.log_expit(o)).sum(axis=AXES)
        ),
        "right for pixels 0 and 1 only": lambda x, o: (
            -scipy.special.log_expit((2 * x - 1) * o).sum(axis=AXES)
        ),
        "squared error": lambda x, o: ((x - scipy.special.expit(o)) ** 2).sum(AXES),
    },
    "iwae": {
        "ELBO": lambda w: w.mean(axis=1),
        "divide by K": lambda w: np.logaddexp.reduce(w, axis=1),
        "K samples of axis 1": lambda w: (
            np.logaddexp.reduce(w, axis=1) - np.log(len(w))
        ),
        "log-sum-exp": lambda w: np.log(np.exp(w).mean(axis=1)),
        "its own largest": lambda w: (
            np.log(np.exp(w - np.amax(w)).mean(axis=1)) + np.amax(w)
        ),
        "add it again": lambda w: np.log(
            np.exp(w - w.max(axis=1, keepdims=True)).mean(axis=1)
        ),
        "that is the largest log weight": lambda w: np.max(w, axis=1),
        "its logarithm is missing": lambda w: np.exp(w).sum(axis=1) / w.shape[1],
        "samples stand along axis 1": lambda w: (
            np.logaddexp.reduce(w, axis=0) - np.log(len(w))
        ),
        "mean over the pictures": lambda w: log_mean_exp(w).mean(),
    },
    "active_units": {
        "standard deviation": lambda z, t: int((z.std(axis=0) > t).sum()),
        "constant code": lambda z, t: int(((z**2).mean(axis=0) > t).sum()),
        "not their size": lambda z, t: int((abs(z.mean(axis=0)) > t).sum()),
        "over the pictures": lambda z, t: int((z.var(axis=1) > t).sum()),
        "not below": lambda z, t: int((z.var(axis=0) < t).sum()),
        "eigenvalues": lambda z, t: int(
            (
                np.linalg.svd(z - z.mean(0), compute_uv=False) ** 2 / (len(z) - 1) > t
            ).sum()
        ),
        "threshold is an argument": lambda z, t: int((z.var(axis=0) > 1e-2).sum()),
        "not which share": lambda z, t: (z.var(axis=0) > t).mean(),
        "sum up the latents": lambda z, t: z.var(axis=0) > t,
        "no count": lambda z, t: sum(v for v in z.var(axis=0) if v > t),
    },
}
