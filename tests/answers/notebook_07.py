"""Right and wrong answers to the exercises of notebook 07: The paper's results.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import math

import keras
import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf

LOG_2_PI = math.log(2 * math.pi)


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


def coin(x, o):
    return np.logaddexp(0, o) - x * o


def ws(x, o, z, m, v):
    asleep = 0.5 * (LOG_2_PI + v + (z - m) ** 2 / np.exp(v))
    return np.array([coin(x, o).sum(1).mean(), asleep.sum(1).mean()])


def ws_scipy(x, o, z, m, v):
    awake = -scipy.special.log_expit((2 * x - 1) * o).sum() / len(x)
    asleep = -scipy.stats.norm(m, np.exp(v / 2)).logpdf(z).sum() / len(x)
    return awake, asleep


def ws_loops(x, o, z, m, v):
    awake = asleep = 0.0
    for i in range(len(x)):
        for pixel, logit in zip(x[i], o[i], strict=True):
            signed = logit if pixel else -logit
            awake += max(-signed, 0) + math.log1p(math.exp(-abs(signed)))
        for code, centre, log in zip(z[i], m[i], v[i], strict=True):
            asleep += (LOG_2_PI + log + (code - centre) ** 2 * math.exp(-log)) / 2
    return [awake / len(x), asleep / len(x)]


def ws_keras(x, o, z, m, v):
    x, o, z, m, v = (keras.ops.convert_to_tensor(a, "float64") for a in (x, o, z, m, v))
    awake = keras.ops.sum(keras.ops.softplus(o) - x * o, axis=1)
    asleep = keras.ops.sum(
        0.5 * (LOG_2_PI + v + keras.ops.square(z - m) * keras.ops.exp(-v)), axis=1
    )
    return [float(keras.ops.mean(awake)), float(keras.ops.mean(asleep))]


def ws_tf(x, o, z, m, v):
    awake = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=o)
    asleep = 0.5 * (LOG_2_PI + v + ((z - m) / np.exp(v / 2)) ** 2)
    both = tf.reduce_mean(tf.reduce_sum(awake, 1)), np.mean(np.sum(asleep, 1))
    return np.array([float(each) for each in both])


def ws_dot(x, o, z, m, v):
    ones = np.ones(len(x)) / len(x)
    asleep = (LOG_2_PI + v + np.exp(2 * np.log(abs(z - m)) - v)) / 2
    awake = np.maximum(o, 0) - x * o + np.log1p(np.exp(-abs(o)))
    return np.stack([ones @ awake.sum(1), ones @ asleep.sum(1)])


def ws_multivariate(x, o, z, m, v):
    asleep = [
        -scipy.stats.multivariate_normal(mean, np.diag(np.exp(log))).logpdf(code)
        for code, mean, log in zip(z, m, v, strict=True)
    ]
    return np.mean([coin(x, o).sum(1), asleep], axis=1)


def ws_einsum(x, o, z, m, v):
    awake = np.einsum(
        "nd->n", np.where(x == 1, np.logaddexp(0, -o), np.logaddexp(0, o))
    )
    squared = np.einsum("nd,nd,nd->n", z - m, z - m, np.exp(-v))
    asleep = (z.shape[1] * LOG_2_PI + v.sum(1) + squared) / 2
    return np.array([np.average(awake), np.average(asleep)])


def ml(q, j):
    return np.log(len(q)) - scipy.special.logsumexp(q - j, axis=0)


def ml_shift(q, j):
    ratio = q - j
    top = ratio.max(0)
    return -top - np.log(np.exp(ratio - top).mean(0))


def ml_loops(q, j):
    found = []
    for column in (q - j).T:
        top = max(column)
        total = sum(math.exp(each - top) for each in column)
        found.append(math.log(len(column)) - top - math.log(total))
    return found


def ml_pairwise(q, j):
    return np.log(len(q)) - np.logaddexp.reduce(q - j, axis=0)


def ml_weighted(q, j):
    return -scipy.special.logsumexp(q - j, axis=0, b=1 / len(q))


def ml_keras(q, j):
    ratio = keras.ops.convert_to_tensor(q - j, "float64")
    return numpy_of(np.log(len(q)) - keras.ops.logsumexp(ratio, axis=0))


def ml_tf(q, j):
    return (math.log(len(q)) - tf.reduce_logsumexp(q - j, 0)).numpy()


def ml_softmax(q, j):
    ratio = q - j
    share = scipy.special.log_softmax(ratio, axis=0)
    return np.log(len(q)) - (ratio - share)[0]


def lf(z, m, p, s, n, half=(0.5, 0.5), slope=lambda z, p: -z @ p):
    m = m + half[0] * s * slope(z, p)
    for k in range(n):
        z = z + s * m
        m = m + (half[1] if k == n - 1 else 1) * s * slope(z, p)
    return np.stack([z, m])


def lf_pairs(z, m, p, s, n):
    for _ in range(n):
        m = m - s / 2 * z @ p
        z = z + s * m
        m = m - s / 2 * z @ p
    return z, m


def lf_verlet(z, m, p, s, n):
    path = [z, z + s * m - s**2 / 2 * z @ p]
    for _ in range(n):
        path.append(2 * path[-1] - path[-2] - s**2 * path[-1] @ p)
    return path[n], (path[n + 1] - path[n - 1]) / (2 * s)


def lf_matrix(z, m, p, s, n):
    eye, kick = np.eye(len(p)), -s / 2 * p
    half = np.block([[eye, 0 * p], [kick, eye]])
    drift = np.block([[eye, s * eye], [0 * p, eye]])
    whole = np.linalg.matrix_power(half @ drift @ half, n)
    return np.split((np.hstack([z, m]) @ whole.T), 2, axis=1)


def lf_modes(z, m, p, s, n):
    values, vectors = np.linalg.eigh(p)
    z, m = lf(z @ vectors, m @ vectors, np.diag(values), s, n)
    return z @ vectors.T, m @ vectors.T


def lf_loops(z, m, p, s, n):
    return np.swapaxes([lf(*one, p, s, n) for one in zip(z, m, strict=True)], 0, 1)


def lf_keras(z, m, p, s, n):
    z, m, p = (keras.ops.convert_to_tensor(a, "float64") for a in (z, m, p))
    for _ in range(n):
        m = m - s / 2 * keras.ops.matmul(z, p)
        z = z + s * m
        m = m - s / 2 * keras.ops.matmul(z, p)
    return numpy_of(z), numpy_of(m)


def lf_tape(z, m, p, s, n):
    def slope(z):
        z = tf.constant(z)
        with tf.GradientTape() as tape:
            tape.watch(z)
            log_p = -tf.einsum("nd,de,ne->", z, p, z) / 2
        return tape.gradient(log_p, z).numpy()

    return lf(z, m, p, s, n, slope=lambda z, _: slope(z))


def euler(z, m, p, s, n):
    for _ in range(n):
        z, m = z + s * m, m - s * z @ p
    return z, m


def _halves(z, m, p, s, n):
    m = m - s / 2 * z @ p
    for _ in range(n):
        z = z + s * m
        m = m - s / 2 * z @ p
    return z, m


def _unscaled(z, m, p, s, n):
    for _ in range(n):
        m = m - s / 2 * z @ p
        z = z + m
        m = m - s / 2 * z @ p
    return z, m


def drifting(z, m, p, s, n):
    for _ in range(n):
        z = z + s / 2 * m
        m = m - s * z @ p
        z = z + s / 2 * m
    return z, m


def one(change):
    """Return a wrong answer: the right one, changed."""
    return lambda *arguments: change(ws(*arguments))


def asleep(found):
    """Return a wrong answer whose second loss is the mean of what is found."""
    return lambda x, o, z, m, v: np.array(
        [coin(x, o).sum(1).mean(), found(z, m, v).sum(1).mean()]
    )


def awake(found):
    """Return a wrong answer whose first loss is the mean of what is found."""
    return lambda x, o, z, m, v: np.array(
        [found(x, o).sum(1).mean(), ws(x, o, z, m, v)[1]]
    )


def sg(o):
    return scipy.special.expit(o)


def overflowing(x, o):
    with np.errstate(all="ignore"):
        return np.log1p(np.exp(o)) - x * o


METHODS = {
    "wake_sleep": {
        "by hand": ws,
        "scipy.stats.norm": ws_scipy,
        "loops": ws_loops,
        "Keras": ws_keras,
        "TensorFlow": ws_tf,
        "products": ws_dot,
        "multivariate_normal": ws_multivariate,
        "einsum": ws_einsum,
    },
    "leapfrog": {
        "halves at the ends": lf,
        "pairs of halves": lf_pairs,
        "Verlet": lf_verlet,
        "a power of a matrix": lf_matrix,
        "eigenvectors": lf_modes,
        "loops": lf_loops,
        "Keras": lf_keras,
        "a tape": lf_tape,
    },
    "marginal_likelihood": {
        "logsumexp": ml,
        "shifted": ml_shift,
        "loops": ml_loops,
        "logaddexp.reduce": ml_pairwise,
        "weights": ml_weighted,
        "Keras": ml_keras,
        "TensorFlow": ml_tf,
        "log_softmax": ml_softmax,
    },
}
CORRECT = {name: next(iter(ways.values())) for name, ways in METHODS.items()}
MISTAKES = {
    "wake_sleep": {
        "nats per picture": lambda x, o, z, m, v: [
            coin(x, o).mean(),
            -scipy.stats.norm(m, np.exp(v / 2)).logpdf(z).mean(),
        ],
        "the mean over pictures, not": lambda x, o, z, m, v: len(x) * ws(x, o, z, m, v),
        "the sign of a likelihood": one(lambda both: -both),
        "that of a deviation": asleep(
            lambda z, m, v: -scipy.stats.norm(m, np.exp(v)).logpdf(z)
        ),
        "its exponential is the variance": asleep(
            lambda z, m, v: -scipy.stats.norm(m, np.sqrt(abs(v))).logpdf(z)
        ),
        "by the variance": asleep(
            lambda z, m, v: v / 2 - scipy.stats.norm(m).logpdf(z)
        ),
        "not the KL to the prior": asleep(
            lambda z, m, v: (m**2 + np.exp(v) - v - 1) / 2
        ),
        "not under the prior": asleep(lambda z, m, v: -scipy.stats.norm.logpdf(z)),
        "belongs to the density": asleep(
            lambda z, m, v: (v + (z - m) ** 2 / np.exp(v)) / 2
        ),
        "the density's height": asleep(
            lambda z, m, v: (LOG_2_PI + (z - m) ** 2 / np.exp(v)) / 2
        ),
        "half the squared distance": asleep(
            lambda z, m, v: LOG_2_PI / 2 + v + (z - m) ** 2 / np.exp(v)
        ),
        "blank paper counts too": awake(lambda x, o: x * np.logaddexp(0, -o)),
        "the roles of 0 and 1": awake(lambda x, o: np.logaddexp(0, o) - (1 - x) * o),
        "not by squared errors": awake(lambda x, o: (x - sg(o)) ** 2),
        "the first is the wake phase": one(lambda both: both[::-1]),
        "not their sum": one(sum),
        "one pair of losses": lambda x, o, z, m, v: [
            coin(x, o).sum(1),
            -scipy.stats.norm(m, np.exp(v / 2)).logpdf(z).sum(1),
        ],
        "overflows, to infinity": awake(overflowing),
        "right for ordinary logits": awake(
            lambda x, o: (
                -x * np.log(np.clip(sg(o), 1e-12, 1))
                - (1 - x) * np.log(np.clip(sg(-o), 1e-12, 1))
            )
        ),
    },
    "leapfrog": {
        "here all are whole": lambda *a: lf(*a, half=(1, 1)),
        "here all are halves": lambda z, m, p, s, n: _halves(z, m, p, s, n),
        "the last half of a kick": lambda *a: lf(*a, half=(0.5, 0)),
        "the first half of a kick": lambda *a: lf(*a, half=(0, 0.5)),
        "the last kick is a half": lambda *a: lf(*a, half=(0.5, 1)),
        "the first kick is a half": lambda *a: lf(*a, half=(1, 0.5)),
        "uphill of ln p": lambda *a: lf(*a, slope=lambda z, p: z @ p),
        "belongs to the slope": lambda *a: lf(*a, slope=lambda z, p: -z),
        "not its inverse": lambda *a: lf(
            *a, slope=lambda z, p: -np.linalg.solve(p, z.T).T
        ),
        "its slope none": lambda *a: lf(*a, slope=lambda z, p: -z @ p / 2),
        "not its diagonal": lambda *a: lf(*a, slope=lambda z, p: -z * p.diagonal()),
        "by size times momentum": lambda z, m, p, s, n: _unscaled(z, m, p, s, n),
        "in the kicks too": lambda z, m, p, s, n: lf(z, m, p / s, s, n),
        "from the same place": euler,
        "is the other order": drifting,
        "asked for; here is one": lambda z, m, p, s, n: lf(z, m, p, s, 1),
        "one too few": lambda z, m, p, s, n: lf(z, m, p, s, n - 1),
        "codes first": lambda *a: lf(*a)[::-1],
        "codes and momenta, both": lambda *a: lf(*a)[0],
    },
    "marginal_likelihood": {
        "right for samples of q; these": lambda q, j: (
            scipy.special.logsumexp(j - q, axis=0) - np.log(len(q))
        ),
        "turn it round": lambda q, j: -ml(q, j),
        "a mean, not a sum": lambda q, j: -scipy.special.logsumexp(q - j, axis=0),
        "the sign of ln L": lambda q, j: ml(q, j) - 2 * np.log(len(q)),
        "not of logarithms": lambda q, j: (j - q).mean(0),
        "the mean over samples, the rows": lambda q, j: ml(q.T, j.T),
        "not their mean": lambda q, j: ml(q, j).mean(),
        "not their sum": lambda q, j: ml(q, j).sum(),
        "not p(x)": lambda q, j: np.exp(ml(q, j)),
        "q(z) belongs to it": lambda q, j: ml(0 * q, j),
        "p(x, z) belongs to it": lambda q, j: ml(q, 0 * j),
        "the logarithms are subtracted": lambda q, j: ml(q, -j),
        "the largest quotient": lambda q, j: (j - q).min(0),
        "one sample is not the mean: the first": lambda q, j: j[0] - q[0],
        "the median of the quotients": lambda q, j: np.median(j - q, 0),
        "sample by sample": lambda q, j: ml(0 * q, -j) * -1 + ml(q, 0 * j),
        "right for mild numbers": lambda q, j: -np.log(np.mean(np.exp(q - j), axis=0)),
    },
}
