"""Right and wrong answers to the exercises of notebook 02: The autoencoder.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import functools
import itertools
import math

import keras
import numpy as np
import scipy.interpolate
import tensorflow as tf
from scipy.spatial.distance import sqeuclidean
from sklearn.metrics import mean_squared_error

AXES = (1, 2, 3)


def squares(x, y):
    return np.mean((x - y) ** 2, axis=AXES)


def psnr_in_loops(x, y):
    decibels = []
    for a, b in zip(x, y, strict=True):
        total = sum((a[place] - b[place]) ** 2 for place in np.ndindex(a.shape))
        decibels.append(10 * math.log10(a.size / total))
    return decibels


def psnr_of_keras(x, y):
    error = keras.ops.mean(keras.ops.square(x - y), axis=AXES)
    return keras.ops.convert_to_numpy(-10 * keras.ops.log10(error))


def parameters_by_loop(sizes):
    total = 0
    for inputs, outputs in itertools.pairwise(sizes):
        total += (inputs + 1) * outputs
    return total


def parameters_by_recursion(sizes):
    if len(sizes) < 2:
        return 0
    return sizes[0] * sizes[1] + sizes[1] + parameters_by_recursion(sizes[1:])


def parameters_of_keras(sizes):
    layers = [keras.layers.Dense(units) for units in sizes[1:]]
    return keras.Sequential([keras.Input((sizes[0],)), *layers]).count_params()


def parameters_of_arrays(sizes):
    pairs = itertools.pairwise(sizes)
    arrays = [a for n, m in pairs for a in (np.zeros((n, m)), np.zeros(m))]
    return sum(a.size for a in arrays)


def encoder_alone(sizes):
    return parameters_by_loop(sizes[: sizes.index(min(sizes)) + 1])


def first_half(sizes):
    return parameters_by_loop(sizes[: len(sizes) // 2 + 1])


def each_kind_once(sizes):
    kinds = {(a, b): (a + 1) * b for a, b in itertools.pairwise(sizes)}
    return sum(kinds.values())


def residual_layers_free(sizes):
    pairs = itertools.pairwise(sizes)
    return sum(0 if a == b else (a + 1) * b for a, b in pairs)


def next_by_index(sizes):
    total = 0
    for size in sizes[:-1]:
        following = sizes[sizes.index(size) + 1]
        total += (sizes[sizes.index(size)] + 1) * following
    return total


def path(first, last, count):
    return np.array([first + i / (count - 1) * (last - first) for i in range(count)])


def path_by_steps(first, last, count):
    codes, step = [first], (last - first) / (count - 1)
    while len(codes) < count:
        codes.append(codes[-1] + step)
    return codes


def path_by_np_interp(first, last, count):
    places = np.linspace(0, 1, count)
    ends = zip(first, last, strict=True)
    return np.stack([np.interp(places, [0, 1], pair) for pair in ends], axis=1)


def path_by_matrix(first, last, count):
    t = np.linspace(0, 1, count)
    return np.stack([1 - t, t], axis=1) @ np.stack([first, last])


def path_from_the_middle(first, last, count):
    middle, half = (first + last) / 2, (last - first) / 2
    return middle + np.outer(np.linspace(-1, 1, count), half)


def arc(first, last, count):
    cosine = first @ last / np.linalg.norm(first) / np.linalg.norm(last)
    angle, codes = np.arccos(cosine), []
    for t in np.linspace(0, 1, count):
        shares = np.sin([(1 - t) * angle, t * angle]) / np.sin(angle)
        codes.append(shares[0] * first + shares[1] * last)
    return np.array(codes)


def shares(count):
    return np.linspace(0, 1, count).reshape(-1, 1)


def score_in_loops(noisy, cleaned, sigma):
    result = np.empty_like(noisy)
    for place in np.ndindex(noisy.shape):
        result[place] = (cleaned[place] - noisy[place]) / sigma / sigma
    return result


def score_by_autodiff(noisy, cleaned, sigma):
    x = tf.Variable(noisy)
    with tf.GradientTape() as tape:
        log_density = -tf.reduce_sum((x - cleaned) ** 2) / (2 * sigma**2)
    return tape.gradient(log_density, x).numpy()


METHODS = {
    "psnr": {
        "the formula": lambda x, y: -10 * np.log10(squares(x, y)),
        "loops": psnr_in_loops,
        "TensorFlow": lambda x, y: tf.image.psnr(x, y, max_val=1.0).numpy(),
        "Keras": psnr_of_keras,
        "the root, with 20": lambda x, y: -20 * np.log10(np.sqrt(squares(x, y))),
        "norms": lambda x, y: [
            10 * np.log10(a.size) - 20 * np.log10(np.linalg.norm(a - b))
            for a, b in zip(x, y, strict=True)
        ],
        "scikit-learn": lambda x, y: np.array(
            [
                -10 * np.log10(mean_squared_error(a.ravel(), b.ravel()))
                for a, b in zip(x, y, strict=True)
            ]
        ),
        "SciPy's distance": lambda x, y: [
            10 * np.log10(a.size / sqeuclidean(a.ravel(), b.ravel()))
            for a, b in zip(x, y, strict=True)
        ],
        "einsum": lambda x, y: (
            10 * np.log10(x[0].size / np.einsum("nhwc,nhwc->n", x - y, x - y))
        ),
        "natural logarithms, divided": lambda x, y: (
            -10 * np.log(squares(x, y)) / np.log(10)
        ),
        "float32 and a small constant": lambda x, y: (
            -10 * np.log10(squares(*np.float32([x, y])) + 1e-10)
        ),
    },
    "count_parameters": {
        "loop": parameters_by_loop,
        "map": lambda s: sum(map(lambda a, b: a * b + b, s[:-1], s[1:])),
        "recursion": parameters_by_recursion,
        "Keras counts": parameters_of_keras,
        "arrays made": parameters_of_arrays,
        "a scalar product": lambda s: np.add(s[:-1], 1) @ s[1:],
        "weights, then biases": lambda s: int(np.dot(s[:-1], s[1:]) + np.sum(s[1:])),
        "indices": lambda s: sum(s[i] * (s[i - 1] + 1) for i in range(1, len(s))),
        "reduce": lambda s: functools.reduce(
            lambda total, pair: total + (pair[0] + 1) * pair[1],
            itertools.pairwise(s),
            0,
        ),
        "a diagonal": lambda s: np.diag(np.outer(np.array(s) + 1, s), k=1).sum(),
    },
    "interpolate": {
        "one code after another": path,
        "NumPy's linspace": np.linspace,
        "weights": lambda a, b, n: (1 - shares(n)) * a + shares(n) * b,
        "steps": path_by_steps,
        "latent by latent": path_by_np_interp,
        "a matrix product": path_by_matrix,
        "from the middle": path_from_the_middle,
        "SciPy": lambda a, b, n: scipy.interpolate.interp1d(
            [0, n - 1], np.stack([a, b]), axis=0
        )(np.arange(n)),
        "einsum": lambda a, b, n: a + np.einsum("n,d->nd", shares(n)[:, 0], b - a),
        "backwards, then turned": lambda a, b, n: path(b, a, n)[::-1],
        "lists": lambda a, b, n: [
            [u + (v - u) * i / (n - 1) for u, v in zip(a, b, strict=True)]
            for i in range(n)
        ],
    },
    "score": {
        "the formula": lambda x, r, s: (r - x) / s**2,
        "loops": score_in_loops,
        "autodiff of the normal's logarithm": score_by_autodiff,
        "divided twice": lambda x, r, s: (r - x) / s / s,
        "the noise, turned": lambda x, r, s: -((x - r) / s) / s,
        "a power": lambda x, r, s: np.subtract(r, x) * s**-2.0,
        "term by term": lambda x, r, s: r / s**2 - x / s**2,
        "Keras": lambda x, r, s: keras.ops.convert_to_numpy(
            keras.ops.divide(keras.ops.subtract(r, x), keras.ops.square(s))
        ),
        "float32": lambda x, r, s: np.float32(r - x) / np.float32(s) ** 2,
        "np.square": lambda x, r, s: np.true_divide(r - x, np.square(s)),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}

MISTAKES = {
    "psnr": {
        "sign": lambda x, y: 10 * np.log10(squares(x, y)),
        "base 10": lambda x, y: -10 * np.log(squares(x, y)),
        "20 belongs to a root": lambda x, y: -20 * np.log10(squares(x, y)),
        "halves the decibels": lambda x, y: -10 * np.log10(np.sqrt(squares(x, y))),
        "not the sum": lambda x, y: -10 * np.log10(np.sum((x - y) ** 2, axis=AXES)),
        "one value per picture": lambda x, y: -10 * np.log10(np.square(x - y).mean()),
        "axis 0 holds": lambda x, y: -10 * np.log10(np.square(x - y).mean(axis=0)),
        "over axis 3 too": lambda x, y: -10 * np.log10(((x - y) ** 2).mean((1, 2))),
        "square the differences": lambda x, y: -10 * np.log10(abs(x - y).mean(AXES)),
        "signs cancel": lambda x, y: (
            -10 * np.log10(np.square(x.mean(AXES) - y.mean(AXES)))
        ),
        "not 255": lambda x, y: 10 * np.log10(255**2 / squares(x, y)),
        "that is the mean squared error": squares,
    },
    "count_parameters": {
        "has a bias too": lambda s: sum(a * b for a, b in itertools.pairwise(s)),
        "the input layer has none": lambda s: (
            sum(a * b for a, b in itertools.pairwise(s)) + sum(s)
        ),
        "not as inputs": lambda s: sum(a * (b + 1) for a, b in itertools.pairwise(s)),
        "not one per layer": lambda s: int(np.dot(s[:-1], s[1:])) + len(s) - 1,
        "is linear, and has biases": lambda s: parameters_by_loop(s) - s[-1],
        "the code is a layer too": lambda s: parameters_by_loop(s) - min(s),
        "as well as the encoder": encoder_alone,
        "not the encoder again": lambda s: 2 * encoder_alone(s),
        "in the middle of the list": lambda s: 2 * first_half(s),
        "the last layer": lambda s: parameters_by_loop(s) - (s[-2] + 1) * s[-1],
        "weights of their own": each_kind_once,
        "a residual layer has weights": residual_layers_free,
        "the first of equal sizes": next_by_index,
        "those are the biases": lambda s: sum(s) - s[0],
        "only neighbouring layers": math.prod,
    },
    "interpolate": {
        "last code is missing": lambda a, b, n: np.linspace(a, b, n, endpoint=False),
        "first code is missing": lambda a, b, n: np.linspace(a, b, n + 1)[1:],
        "both ends are missing": lambda a, b, n: path(a, b, n + 2)[1:-1],
        "one code too many": lambda a, b, n: [
            a + i / n * (b - a) for i in range(n + 1)
        ],
        "don't add them": lambda a, b, n: [a, *path(a, b, n + 2)[1:-1], b],
        "backwards": lambda a, b, n: path(b, a, n),
        "one row per code": lambda a, b, n: path(a, b, n).T,
        "must fall": lambda a, b, n: a + shares(n) * b,
        "add up to 1": lambda a, b, n: shares(n) * a + shares(n) * b,
        "away from the last code": lambda a, b, n: a + shares(n) * (a - b),
        "an arc": arc,
    },
    "score": {
        "the sign": lambda x, r, s: (x - r) / s**2,
        "square of sigma": lambda x, r, s: (r - x) / s,
        "the noise in units": lambda x, r, s: (x - r) / s,
        "that is the step": lambda x, r, s: r - x,
        "the same step means more": lambda x, r, s: s * s * (r - x),
        "not a place": lambda x, r, s: r / s**2,
        "brackets": lambda x, r, s: r - x / s**2,
        "the 2 of": lambda x, r, s: 0.5 * (r - x) / s**2,
        "not their squares": lambda x, r, s: ((r - x) / s) ** 2,
        "no sum": lambda x, r, s: np.sum((r - x) / s**2),
    },
}
