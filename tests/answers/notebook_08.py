"""Right and wrong answers to the exercises of notebook 08: Towards diffusion.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import cmath
import math

import numpy as np
import scipy.spatial
import scipy.special
import scipy.stats
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors


def sm(x, y, b, n):
    a = n / b
    return (math.sqrt(a) * (1 - b) * x + math.sqrt(b) * (1 - a) * y) / (1 - n)


def sm_precisions(x, y, b, n):
    a = n / b
    first, second = a / (1 - a), 1 / (1 - b)
    return (first * x / a**0.5 + second * b**0.5 * y) / (first + second)


def sm_kalman(x, y, b, n):
    a = n / b
    gain = a**0.5 * (1 - b) / (a * (1 - b) + 1 - a)
    return b**0.5 * y + gain * (x - a**0.5 * b**0.5 * y)


def sm_noise(x, y, b, n):
    a = n / b
    e = (x - n**0.5 * y) / (1 - n) ** 0.5
    return (x - (1 - a) / (1 - n) ** 0.5 * e) / a**0.5


def sm_walk(x, y, b, n):
    s = (1 - n / b) * (1 - b) / (1 - n)
    e = (x - n**0.5 * y) / (1 - n) ** 0.5
    return b**0.5 * y + (1 - b - s) ** 0.5 * e


def sm_joint(x, y, b, n):
    a = n / b
    covariance = np.array([[1 - b, a**0.5 * (1 - b)], [a**0.5 * (1 - b), 1 - n]])
    mean = np.array([b**0.5, n**0.5])
    return mean[0] * y + covariance[0, 1] / covariance[1, 1] * (x - mean[1] * y)


def sm_grid(x, y, b, n):
    z = np.linspace(-12, 12, 4001)
    log_p = scipy.stats.norm.logpdf(z, b**0.5 * y[..., None], (1 - b) ** 0.5)
    a = n / b
    log_p = log_p + scipy.stats.norm.logpdf(x[..., None], a**0.5 * z, (1 - a) ** 0.5)
    return scipy.special.softmax(log_p, axis=-1) @ z


def sm_loops(x, y, b, n):
    return [
        [sm(p, q, b, n) for p, q in zip(*rows, strict=True)]
        for rows in zip(x, y, strict=True)
    ]


def fv(x, v, k):
    c, s = math.sqrt(k), math.sqrt(1 - k)
    return np.array([c * x - s * v, s * x + c * v])


def fv_angle(x, v, k):
    angle = np.arccos(k**0.5)
    turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return np.einsum("ij,jnd->ind", np.array(turn), np.stack([x, v]))


def fv_complex(x, v, k):
    turned = (x + 1j * v) * cmath.exp(1j * math.acos(math.sqrt(k)))
    return np.stack([turned.real, turned.imag])


def fv_solve(x, v, k):
    c, s = k**0.5, (1 - k) ** 0.5
    both = np.linalg.solve([[c, s], [-s, c]], np.stack([x.ravel(), v.ravel()]))
    return both.reshape(2, *x.shape)


def fv_picture(x, v, k):
    picture = k**0.5 * x - (1 - k) ** 0.5 * v
    return picture, (x - k**0.5 * picture) / (1 - k) ** 0.5


def fv_noise(x, v, k):
    noise = (1 - k) ** 0.5 * x + k**0.5 * v
    return [(x - (1 - k) ** 0.5 * noise) / k**0.5, noise]


def logit_pdf(x, k):
    normal = scipy.stats.norm
    up = normal.logpdf(x, k**0.5, (1 - k) ** 0.5)
    return up - normal.logpdf(x, -(k**0.5), (1 - k) ** 0.5)


def logit_bayes(x, k):
    normal = scipy.stats.norm
    up, down = (normal.pdf(x, m * k**0.5, (1 - k) ** 0.5) for m in (1, -1))
    return scipy.special.logit(up / (up + down))


def logit_squares(x, k):
    return ((x + k**0.5) ** 2 - (x - k**0.5) ** 2) / (2 * (1 - k))


def logit_snr(x, k):
    snr = k / (1 - k)
    return 2 * np.sqrt(snr * (1 + snr)) * x


def vg(v, b, w, x, c):
    e = b[((v[:, None] - b) ** 2).sum(-1).argmin(1)]
    return 2 * (e @ w - x) @ w.T + 2 * c * (v - e)


def vg_lengths(v, b, w, x, c):
    e = b[np.argmin((b**2).sum(1) - 2 * v @ b.T, axis=1)]
    error = np.einsum("nd,dp->np", e, w) - x
    return 2 * np.einsum("np,dp->nd", error, w) + 2 * c * (v - e)


def vg_loops(v, b, w, x, c):
    out = []
    for each, wanted in zip(v, x, strict=True):
        e = min(b, key=lambda entry: math.dist(entry, each))
        error = e @ w - wanted
        out.append([2 * error @ row for row in w] + 2 * c * (each - e))
    return out


def vg_tree(v, b, w, x, c):
    _, place = scipy.spatial.KDTree(b).query(v)
    return 2 * (b[place] @ w - x) @ w.T + 2 * c * (v - b[place])


def vg_one_hot(v, b, w, x, c):
    away = cdist(v, b)
    share = 1.0 * (away == away.min(axis=1, keepdims=True))
    return 2 * (share @ b @ w - x) @ w.T + 2 * c * (v - share @ b)


def vg_neighbours(v, b, w, x, c):
    place = NearestNeighbors(n_neighbors=1).fit(b).kneighbors(v, return_distance=False)
    e = np.take_along_axis(b, np.repeat(place, b.shape[1], axis=1), axis=0)
    return 2 * ((e @ w - x) @ w.T + c * (v - e))


def vg_tape(v, b, w, x, c):
    """By automatic differentiation of the loss, straight through."""
    v, e = tf.constant(v), tf.constant(b[cdist(v, b).argmin(1)])
    with tf.GradientTape() as tape:
        tape.watch(v)
        z = v + tf.stop_gradient(e - v)
        loss = tf.reduce_sum((z @ w - x) ** 2) + c * tf.reduce_sum((v - e) ** 2)
    return tape.gradient(loss, v)


def vg_slopes(v, b, w, x, c, step=1e-5):
    """By differences, where what is added to v stays as it is."""
    e = b[cdist(v, b).argmin(1)]

    def loss(z):
        return (((z + e - v) @ w - x) ** 2).sum(1) + c * ((z - e) ** 2).sum(1)

    sides = step * np.eye(v.shape[1])
    return np.stack([(loss(v + s) - loss(v - s)) / (2 * step) for s in sides], axis=1)


def g_for(u, c, w):
    out = np.empty_like(u)
    for place in np.ndindex(u.shape):
        out[place] = u[place] + w * (c[place] - u[place])
    return out


METHODS = {
    "step_mean": {
        "formula": sm,
        "precisions": sm_precisions,
        "kalman": sm_kalman,
        "by the noise": sm_noise,
        "as a walk": sm_walk,
        "joint normal": sm_joint,
        "grid": sm_grid,
        "loops": sm_loops,
        "tensorflow": lambda x, y, b, n: sm(tf.constant(x), tf.constant(y), b, n),
    },
    "from_velocity": {
        "formula": fv,
        "angle": fv_angle,
        "complex": fv_complex,
        "solve": fv_solve,
        "by the picture": fv_picture,
        "by the noise": fv_noise,
        "tuple": lambda x, v, k: tuple(fv(x, v, k)),
        "lists": lambda x, v, k: fv(x, v, k).tolist(),
        "tensorflow": lambda x, v, k: tf.stack(list(fv(x, v, k))),
    },
    "own_logit": {
        "formula": lambda x, k: 2 * k**0.5 * x / (1 - k),
        "log densities": logit_pdf,
        "bayes": logit_bayes,
        "squares": logit_squares,
        "snr": logit_snr,
        "loop": lambda x, k: [2 * math.sqrt(k) * each / (1 - k) for each in x],
        "artanh": lambda x, k: 2 * np.arctanh(np.tanh(k**0.5 * x / (1 - k))),
        "tensorflow": lambda x, k: tf.constant(x) * (2 * k**0.5 / (1 - k)),
    },
    "guided": {
        "formula": lambda u, c, w: u + w * (c - u),
        "two weights": lambda u, c, w: (1 - w) * u + w * c,
        "beyond the told": lambda u, c, w: c + (w - 1) * (c - u),
        "loop": g_for,
        "einsum": lambda u, c, w: np.einsum("i,ind->nd", [1 - w, w], np.stack([u, c])),
        "tensordot": lambda u, c, w: np.tensordot([1 - w, w], [u, c], axes=1),
        "average": lambda u, c, w: np.average([u, c], axis=0, weights=[1 - w, w]),
        "tensorflow": lambda u, c, w: tf.constant(u) + w * tf.constant(c - u),
    },
    "vector_gradient": {
        "formula": vg,
        "by lengths": vg_lengths,
        "loops": vg_loops,
        "tree": vg_tree,
        "one-hot": vg_one_hot,
        "neighbours": vg_neighbours,
        "automatic": vg_tape,
        "differences": vg_slopes,
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}


def walk(x, y, b, n):
    return b**0.5 * y + ((1 - b) / (1 - n)) ** 0.5 * (x - n**0.5 * y)


def own_kept(a):
    """Return the exercise's answer with a wrong a_t."""
    return lambda x, y, b, n: (
        (a(b, n) ** 0.5 * (1 - b) * x + b**0.5 * (1 - a(b, n)) * y) / (1 - n)
    )


def rescaled(u, c, w):
    out = u + w * (c - u)
    return out * np.linalg.norm(c) / np.linalg.norm(out)


def entry(v, b):
    return b[cdist(v, b).argmin(axis=1)]


def vg_of(chosen):
    """Return the answer with entries that a wrong rule chose."""
    return lambda v, b, w, x, c: (
        2 * (b[chosen(v, b)] @ w - x) @ w.T + 2 * c * (v - b[chosen(v, b)])
    )


MISTAKES = {
    "step_mean": {
        "products already": own_kept(lambda b, n: n),
        "here it is A_{t-1}": own_kept(lambda b, n: b),
        "divide the later": own_kept(lambda b, n: b / n),
        "not their product": own_kept(lambda b, n: b * n),
        "x_t and x_0 have changed": lambda x, y, b, n: sm(y, x, b, n),
        "before and now have changed": lambda x, y, b, n: (
            (np.sqrt(b / n) * (1 - n) * x + np.sqrt(n) * (1 - b / n) * y) / (1 - b)
        ),
        "not by 1 - A_{t-1}": lambda x, y, b, n: sm(x, y, b, n) * (1 - n) / (1 - b),
        "divide the two together": lambda x, y, b, n: sm(x, y, b, n) * (1 - n),
        "only x_0's part is divided": lambda x, y, b, n: (
            np.sqrt(n / b) * (1 - b) * x + np.sqrt(b) * (1 - n / b) * y / (1 - n)
        ),
        "only x_t's part is here": lambda x, y, b, n: sm(x, 0 * y, b, n),
        "only x_0's part is here": lambda x, y, b, n: sm(0 * x, y, b, n),
        "which does not know x_t": lambda x, y, b, n: b**0.5 * y,
        "scale by their roots": lambda x, y, b, n: (
            (n / b * (1 - b) * x + b * (1 - n / b) * y) / (1 - n)
        ),
        "both parts are added": lambda x, y, b, n: sm(x, -y, b, n),
        "the walk without fresh noise": walk,
    },
    "from_velocity": {
        "and x must come out": lambda x, v, k: fv(x, -v, k) * [[[1]], [[-1]]],
        "the picture's sign": lambda x, v, k: np.stack(
            [k**0.5 * x + (1 - k) ** 0.5 * v, (1 - k) ** 0.5 * x + k**0.5 * v]
        ),
        "the noise's sign": lambda x, v, k: np.stack(
            [k**0.5 * x - (1 - k) ** 0.5 * v, -((1 - k) ** 0.5) * x + k**0.5 * v]
        ),
        "A_t is the square of the cosine": lambda x, v, k: np.stack(
            [k * x - (1 - k) * v, (1 - k) * x + k * v]
        ),
        "cosine and sine have changed": lambda x, v, k: fv(x, v, 1 - k),
        "the order": lambda x, v, k: fv(x, v, k)[[1, 0]],
        "takes the velocity for the noise": lambda x, v, k: [
            (x - (1 - k) ** 0.5 * v) / k**0.5,
            v,
        ],
        "takes the velocity for the picture": lambda x, v, k: [
            v,
            (x - k**0.5 * v) / (1 - k) ** 0.5,
        ],
        "flow matching's velocity": lambda x, v, k: (
            np.stack([x - (1 - k) ** 0.5 * v, x + k**0.5 * v])
            / (k**0.5 + (1 - k) ** 0.5)
        ),
        "the turn keeps lengths": lambda x, v, k: fv(x, v, k) / k**0.5,
        "the velocity's part is missing": lambda x, v, k: fv(x, 0 * v, k),
        "picture and noise side by side": lambda x, v, k: np.concatenate(fv(x, v, k)),
        "the noise is asked for": lambda x, v, k: fv(x, v, k)[0],
        "the picture is asked for": lambda x, v, k: fv(x, v, k)[1],
    },
    "own_logit": {
        "half of it": lambda x, k: k**0.5 * x / (1 - k),
        "twice too much": lambda x, k: 4 * k**0.5 * x / (1 - k),
        "the sign": lambda x, k: -2 * k**0.5 * x / (1 - k),
        "not by its root": lambda x, k: 2 * k**0.5 * x / (1 - k) ** 0.5,
        "its negative, not A_t": lambda x, k: 2 * k * x / (1 - k),
        "its negative, not 1 and -1": lambda x, k: 2 * x / (1 - k),
        "the variance of the noise": lambda x, k: 2 * k**0.5 * x,
        "A_t has changed places": lambda x, k: 2 * (1 - k) ** 0.5 * x / k,
        "not the probability": lambda x, k: scipy.special.expit(logit_pdf(x, k)),
        "not the mean": lambda x, k: np.tanh(k**0.5 * x / (1 - k)),
        "the logarithm of the odds": lambda x, k: np.exp(logit_pdf(x, k)),
        "not yet minus that of paper": lambda x, k: scipy.special.log_expit(
            logit_pdf(x, k)
        ),
        "subtract that of paper": lambda x, k: scipy.stats.norm.logpdf(
            x, k**0.5, (1 - k) ** 0.5
        ),
        "a guess of x_0 on its own": lambda x, k: x / k**0.5,
        "not 0 and 1": lambda x, k: (x**2 - (x - k**0.5) ** 2) / (2 * (1 - k)),
    },
    "guided": {
        "the roles are swapped": lambda u, c, w: c + w * (u - c),
        "leads away": lambda u, c, w: u + w * (u - c),
        "start from the prediction without": lambda u, c, w: (1 + w) * c - w * u,
        "the difference is weighed": lambda u, c, w: u + w * c,
        "without is not added once more": lambda u, c, w: 2 * u + w * (c - u),
        "no clipping": lambda u, c, w: u + min(w, 1) * (c - u),
        "this is w = 1": lambda u, c, w: c,
        "this is w = 0": lambda u, c, w: u,
        "added to the prediction without": lambda u, c, w: w * (c - u),
        "add up to 1": lambda u, c, w: (u + w * c) / (1 + w),
        "no average": lambda u, c, w: u + w / 2 * (c - u),
        "not squared": lambda u, c, w: u + w**2 * (c - u),
        "not its sign": lambda u, c, w: u + w * np.sign(c - u),
        "no rescaling": rescaled,
    },
    "vector_gradient": {
        "not at v": lambda v, b, w, x, c: (
            2 * (v @ w - x) @ w.T + 2 * c * (v - entry(v, b))
        ),
        "only the pull is here": lambda v, b, w, x, c: 2 * c * (v - entry(v, b)),
        "only the decoder's part": lambda v, b, w, x, c: (
            2 * (entry(v, b) @ w - x) @ w.T
        ),
        "the pull's sign": lambda v, b, w, x, c: vg(v, b, w, x, -c),
        "decoded minus wanted": lambda v, b, w, x, c: (
            2 * (x - entry(v, b) @ w) @ w.T + 2 * c * (v - entry(v, b))
        ),
        "weighed by c": lambda v, b, w, x, c: vg(v, b, w, x, 1),
        "not by 1 + c": lambda v, b, w, x, c: vg(v, b, w, x, 1 + c),
        "the whole loss": lambda v, b, w, x, c: c * vg(v, b, w, x, 1),
        "half of it": lambda v, b, w, x, c: (
            (entry(v, b) @ w - x) @ w.T + c * (v - entry(v, b))
        ),
        "the pull is a square": lambda v, b, w, x, c: vg(v, b, w, x, c / 2),
        "the decoder's part is a square": lambda v, b, w, x, c: (
            (entry(v, b) @ w - x) @ w.T + 2 * c * (v - entry(v, b))
        ),
        "W turned": lambda v, b, w, x, c: (
            2 * (entry(v, b) @ w - x) @ w + 2 * c * (v - entry(v, b))
        ),
        "once more": lambda v, b, w, x, c: (
            2 * (entry(v, b) @ w - x) + 2 * c * (v - entry(v, b))
        ),
        "not the farthest": vg_of(lambda v, b: cdist(v, b).argmax(axis=1)),
        "by distance": vg_of(lambda v, b: np.argmax(v @ b.T, axis=1)),
        "an entry of its own": vg_of(
            lambda v, b: np.full(len(v), cdist([v.mean(0)], b).argmin())
        ),
        "not averaged": lambda v, b, w, x, c: (
            2 * (entry(v, b) @ w - x) @ w.T / len(w) + 2 * c * (v - entry(v, b))
        ),
        "not their mean": lambda v, b, w, x, c: vg(v, b, w, x, c) / len(v),
        "turned round": lambda v, b, w, x, c: 2 * (entry(v, b) - v),
        "is not 0": lambda v, b, w, x, c: np.zeros(v.shape),
    },
}
