"""Right and wrong answers to the exercises of notebook 07's ladder.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import math
import statistics

import keras
import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf

LN_2_PI = math.log(2 * math.pi)


def both(each):
    """Return the NLL of ln p(x), (n,), and its standard error."""
    return np.array([-np.mean(each), np.std(each, ddof=1) / len(each) ** 0.5])


def lme(w):
    return scipy.special.logsumexp(w, axis=1) - np.log(w.shape[1])


def plain(w):
    return np.log(np.exp(w).mean(axis=1))


def estimate_in_loops(w):
    each = []
    for row in w.tolist():
        top = max(row)
        each.append(top + math.log(sum(math.exp(a - top) for a in row) / len(row)))
    mean = sum(each) / len(each)
    spread = math.sqrt(sum((a - mean) ** 2 for a in each) / (len(each) - 1))
    return [-mean, spread / math.sqrt(len(each))]


def estimate_by_statistics(w):
    each = lme(w).tolist()
    return -statistics.fmean(each), statistics.stdev(each) / math.sqrt(len(each))


def estimate_by_keras(w):
    each = keras.ops.logsumexp(keras.ops.convert_to_tensor(w, "float64"), axis=1)
    return both(keras.ops.convert_to_numpy(each) - math.log(w.shape[1]))


def halves(z):
    return np.split(z, 2, axis=1)


def density(z, t, s):
    kept, moved = halves(z)
    u = np.hstack([kept, (moved - t) * np.exp(-s)])
    return scipy.stats.norm.logpdf(u).sum(axis=1) - s.sum(axis=1)


def density_in_loops(z, t, s):
    answers = []
    for a, b, c in zip(z, t, s, strict=True):
        total, half = 0.0, len(b)
        for i in range(half):
            total -= (a[i] ** 2 + LN_2_PI) / 2
            u = (a[half + i] - b[i]) / math.exp(c[i])
            total -= (u**2 + LN_2_PI) / 2 + c[i]
        answers.append(total)
    return answers


def density_by_scale(z, t, s):
    kept, moved = halves(z)
    second = scipy.stats.norm(t, np.exp(s)).logpdf(moved)
    return np.sum(scipy.stats.norm.logpdf(kept) + second, axis=1)


def density_by_jacobian(z, t, s):
    half, answers = t.shape[1], []
    for a, b, c in zip(z, t, s, strict=True):
        slope = np.diag(np.r_[np.ones(half), np.exp(-c)])
        u = slope @ (a - np.r_[np.zeros(half), b])
        log_p = scipy.stats.multivariate_normal(np.zeros(2 * half)).logpdf(u)
        answers.append(log_p + np.linalg.slogdet(slope)[1])
    return answers


def density_by_covariance(z, t, s):
    zero = np.zeros(t.shape[1])
    return [
        scipy.stats.multivariate_normal(
            np.r_[zero, b], np.diag(np.exp(np.r_[zero, 2 * c]))
        ).logpdf(a)
        for a, b, c in zip(z, t, s, strict=True)
    ]


def density_by_keras(z, t, s):
    ops = keras.ops
    kept, moved = ops.split(ops.convert_to_tensor(z), 2, axis=1)
    u = ops.concatenate([kept, (moved - t) / ops.exp(s)], axis=1)
    return -ops.sum((u**2 + LN_2_PI) / 2, axis=1) - ops.sum(s, axis=1)


def density_by_tensorflow(z, t, s):
    kept, moved = tf.split(tf.constant(z), 2, axis=1)
    u = tf.concat([kept, (moved - t) * tf.exp(-s)], axis=1)
    return (-tf.reduce_sum(u**2 + LN_2_PI, 1) / 2 - tf.reduce_sum(s, 1)).numpy()


def shares(w):
    return scipy.special.softmax(w, axis=0)


def factor_in_loops(w):
    columns = []
    for column in w.T.tolist():
        weights = [math.exp(a - max(column)) for a in column]
        columns.append([(a / math.fsum(weights)) ** 2 for a in weights])
    return np.array(columns).T


def factor_by_slope(w):
    """The share is the slope of logsumexp."""
    w = tf.constant(w)
    with tf.GradientTape() as tape:
        tape.watch(w)
        value = tf.reduce_logsumexp(w, axis=0)
    return tape.gradient(value, w).numpy() ** 2


CORRECT = {
    "estimate": lambda w: both(lme(w)),
    "flow_density": density,
    "doubly_factor": lambda w: shares(w) ** 2,
}
METHODS = {
    "estimate": {
        "logsumexp": lambda w: both(lme(w)),
        "loops": estimate_in_loops,
        "statistics": estimate_by_statistics,
        "Keras": estimate_by_keras,
        "logsumexp with b": lambda w: both(
            scipy.special.logsumexp(w, axis=1, b=1 / w.shape[1])
        ),
        "logaddexp": lambda w: both(
            np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])
        ),
        "TensorFlow": lambda w: both(
            tf.reduce_logsumexp(w, axis=1).numpy() - np.log(w.shape[1])
        ),
        "sem": lambda w: (-lme(w).mean(), scipy.stats.sem(lme(w))),
        "variance": lambda w: [-lme(w).mean(), np.sqrt(lme(w).var(ddof=1) / len(w))],
    },
    "flow_density": {
        "norm": density,
        "loops": density_in_loops,
        "conditional normal": density_by_scale,
        "Jacobian": density_by_jacobian,
        "covariance": density_by_covariance,
        "Keras": density_by_keras,
        "TensorFlow": density_by_tensorflow,
        "squares": lambda z, t, s: (
            -(halves(z)[0] ** 2).sum(1) / 2
            - (((halves(z)[1] - t) / np.exp(s)) ** 2).sum(1) / 2
            - s.sum(1)
            - z.shape[1] * LN_2_PI / 2
        ),
    },
    "doubly_factor": {
        "softmax": lambda w: shares(w) ** 2,
        "loops": factor_in_loops,
        "slope of logsumexp": factor_by_slope,
        "log_softmax": lambda w: np.exp(2 * scipy.special.log_softmax(w, axis=0)),
        "logsumexp": lambda w: np.exp(2 * (w - scipy.special.logsumexp(w, axis=0))),
        "Keras": lambda w: keras.ops.convert_to_numpy(
            keras.ops.softmax(keras.ops.convert_to_tensor(w), axis=0) ** 2
        ),
        "TensorFlow": lambda w: tf.nn.softmax(w, axis=0).numpy() ** 2,
        "pairs": lambda w: (
            1
            / np.exp(w[:, None] - w[None]).sum(axis=0).T.reshape(w.shape[1], -1).T ** 2
        ),
        "transposed": lambda w: scipy.special.softmax(w.T, axis=1).T ** 2,
    },
}


def part(change):
    """Return a wrong estimate: the right NLL, and another error."""
    return lambda w: np.array([-lme(w).mean(), change(lme(w), w)])


MISTAKES = {
    "estimate": {
        "this is the ELBO": lambda w: both(w.mean(axis=1)),
        "subtract ln K": lambda w: both(scipy.special.logsumexp(w, axis=1)),
        "along axis 1": lambda w: both(lme(w.T)),
        "not one mean of all": lambda w: np.array(
            [-lme(w.reshape(1, -1))[0], both(lme(w))[1]]
        ),
        "take the largest out first": lambda w: both(plain(w)),
        "the best code alone": lambda w: both(w.max(axis=1)),
        "minus the logarithm": lambda w: both(lme(w)) * [-1, 1],
        "divide the deviation": part(lambda each, w: each.std(ddof=1)),
        "not the number": part(lambda each, w: each.std(ddof=1) / len(w)),
        "ddof=1": part(lambda each, w: each.std() / len(w) ** 0.5),
        "root of a variance": part(lambda each, w: each.var(ddof=1) / len(w)),
        "not n K": part(lambda each, w: w.std(ddof=1) / len(w) ** 0.5),
        "the other way round": lambda w: both(lme(w))[::-1],
    },
    "flow_density": {
        "is missing": lambda z, t, s: density(z, t, s) + s.sum(1),
        "minus the sum of log_scale": lambda z, t, s: density(z, t, s) + 2 * s.sum(1),
        "a sum, not a mean": lambda z, t, s: density(z, t, s) + s.sum(1) - s.mean(1),
        "not the product": lambda z, t, s: (
            density(z, t, s) + s.sum(1) - np.exp(s).prod(1)
        ),
        "undoes the shift first": lambda z, t, s: density(z, t * np.exp(s), s),
        "this is the way back": lambda z, t, s: (
            scipy.stats.norm.logpdf(
                np.hstack([halves(z)[0], t + halves(z)[1] * np.exp(s)])
            ).sum(1)
            - s.sum(1)
        ),
        "part of the draw": lambda z, t, s: (
            scipy.stats.norm(t, np.exp(s)).logpdf(halves(z)[1]).sum(1)
        ),
        "the first half is kept": lambda z, t, s: density(
            np.hstack(halves(z)[::-1]), t, s
        ),
        "has ln 2 pi": lambda z, t, s: density(z, t, s) + z.shape[1] * LN_2_PI / 2,
        "a half of the square": lambda z, t, s: (
            2 * (density(z, t, s) + s.sum(1)) + z.shape[1] * LN_2_PI / 2 - s.sum(1)
        ),
        "the logarithm of the density": lambda z, t, s: np.exp(density(z, t, s)),
        "its exponential divides": lambda z, t, s: density(z, t, np.log(abs(s))),
        "comes later": lambda z, t, s: density(z, t, s).mean(),
    },
    "doubly_factor": {
        "that is the share itself": shares,
        "normalise, then square": lambda w: scipy.special.softmax(2 * w, axis=0),
        "stand along axis 0": lambda w: scipy.special.softmax(w, axis=1) ** 2,
        "exp(-1000) is 0": lambda w: (np.exp(w) / np.exp(w).sum(0)) ** 2,
        "not over all": lambda w: scipy.special.softmax(w) ** 2,
        "are shares of their sum": lambda w: np.exp(w) ** 2,
        "it is not 1 / K": lambda w: np.full(w.shape, 1 / len(w) ** 2),
        "softmax's own slope": lambda w: shares(w) * (1 - shares(w)),
        "a square is positive": lambda w: -(shares(w) ** 2),
        "don't add them up": lambda w: (shares(w) ** 2).sum(axis=0),
        "no K before them": lambda w: shares(w) ** 2 * len(w),
        "not its root": lambda w: np.sqrt(shares(w)),
    },
}
