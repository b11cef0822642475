"""How far samples are from real pictures, as whole sets: 0 or chance if not at all.

Sets are arrays (n, height, width, channels) in [0, 1]. The measures compare sets, so
that samples of one kind only, or copies of a few, count as worse, however good each is.
"""

import functools
from collections.abc import Sequence

import keras
import numpy as np
import scipy.stats
from keras import layers, ops

from helpers import models
from helpers.engine import checked
from helpers.engine.stateless import pays_to_trace
from helpers.metrics.pictures import PICTURE
from helpers.metrics.scores import Estimate
from helpers.models.guarded import build_optimizer
from helpers.models.networks import LAST

CLASSIFIER = models.WEIGHTS / "digit_classifier.npz"
DIGIT_SHAPE = (28, 28, 1)
SETS = 5  # of pictures, each with a value of its own
SMALLEST_SET = 20  # pictures
FEWEST = SETS * SMALLEST_SET


def sample_distance(
    samples: np.ndarray, reference: np.ndarray, size: int = 1000, seed: int = 0
) -> Estimate:
    """Return how far grey digits (n, 28, 28, 1) are from real ones, as a distribution.

    The unbiased squared maximum mean discrepancy with the kernel (a.b / d + 1)^3 in the
    d features of ``digit_classifier``: the kernel inception distance, with digits in
    the place of photographs. It is the mean over five pairs of sets, with the 95%
    interval of Student's t from their spread; they share no picture, so that they
    are independent.

    How to read it: lower is better. 0 is the ceiling, which real digits reach, below 0
    as often as above (of 300 intervals between real digits 274 held 0); there is no
    worst value. The unit is the features' own: compare values of this function only.
    Against the 10,000 validation digits: test digits 0.003 [-0.010, 0.015], and within
    0.001 of that when moved by a pixel; a VAE's samples 0.45 (32 latents, 1,500 steps)
    and 3.4 (2 latents); test digits of five classes 0.31, a hundred of them repeated
    0.19, threes alone 3.4, blurred (3 x 3) 1.4; one digit repeated 4.6 (the median of
    300), means of classes 4.5, noise 726.
    It compares strokes, their directions, width and greyness, and does not know whether
    they make a digit: test digits turned upside down 0.10, the upper half of one on the
    lower half of another 0.31, mirrored 1.4, with 0.8 of their ink 1.5.

    Args:
        reference: real pictures that the model has not seen.
        size: pictures in a set. If there are fewer than five such sets, a set is a
            fifth of the smaller number: the interval widens, the value's expectation
            stays.
        seed: chooses the sets.

    Raises:
        ValueError: pictures of another shape, fewer than 100 of them, pixels that leave
            [0, 1], or a size below 20.
        FileNotFoundError: the classifier's weights are missing.

    Sources: Gretton et al. (2012), "A kernel two-sample test", equation 3; Bińkowski
    et al. (2018), "Demystifying MMD GANs", section 4.
    """
    if size < SMALLEST_SET:
        raise ValueError(f"size must be at least {SMALLEST_SET}, and is {size}")
    pair = [
        checked.pictures(x, DIGIT_SHAPE, name, fewest=FEWEST)
        for name, x in (("samples", samples), ("reference", reference))
    ]
    size = min(size, *(len(x) // SETS for x in pair))
    rng = np.random.default_rng(seed)
    sets = []
    for x in pair:
        chosen = x[rng.permutation(len(x))[: SETS * size]]
        sets.append(kept_features(chosen.tobytes()).reshape(SETS, size, -1))
    values = [squared_mmd(a, b) for a, b in zip(*sets, strict=True)]
    half = scipy.stats.t.ppf(0.975, SETS - 1) * scipy.stats.sem(values)
    value = float(np.mean(values))
    return Estimate(value, value - float(half), value + float(half))


def squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Return the unbiased squared MMD of features (n, d) and (m, d), cubic kernel."""

    def kernel(u, v):
        products = u @ v.T / u.shape[1] + 1  # (n, m)
        return products * products * products

    def mean_of_pairs(u):
        """Return the kernel's mean over pairs of different pictures."""
        values, n = kernel(u, u), len(u)
        return (values.sum() - np.trace(values)) / (n * (n - 1))

    return float(mean_of_pairs(a) + mean_of_pairs(b) - 2 * kernel(a, b).mean())


@functools.lru_cache(maxsize=2)  # samples change, and the reference stays
def kept_features(digits: bytes) -> np.ndarray:
    """Return the ``digit_features`` of digits in float32."""
    return digit_features(np.frombuffer(digits, "float32").reshape(-1, *DIGIT_SHAPE))


def digit_features(x: np.ndarray) -> np.ndarray:
    """Return the features (n, d) of digits (n, 28, 28, 1), float64."""
    return models.in_batches(shipped_classifier(), x, 500)["features"].astype("float64")


@functools.cache
def shipped_classifier() -> keras.Model:
    """Return the classifier with the course's weights, read on the first call."""
    classifier = digit_classifier()
    models.load_weights(classifier, CLASSIFIER)
    return classifier


def digit_classifier(filters: Sequence[int] = (16, 32, 64)) -> keras.Model:
    """Return a new model from digits (n, 28, 28, 1) to ``logits`` and ``features``.

    The features are the mean and the standard deviation over positions of each channel
    of the convolutions, (n, 2 * sum of filters): where a stroke lies does not matter,
    how it looks does. Three choices keep them as they are when the digit moves: stride
    1, a margin, and average pooling over twice the stride, which leaves little that a
    coarser grid would see otherwise. Each layer's features are centred and scaled to
    weigh alike (``train_classifier.standardise``). Source for the pooling: Zhang
    (2019), "Making convolutional networks shift-invariant again".
    """
    pictures = keras.Input(DIGIT_SHAPE, name="x")
    maps = layers.ZeroPadding2D(4, **LAST, name="margin")(pictures)
    features = []
    for index, count in enumerate(filters, start=1):
        options = {"padding": "same", "activation": "relu", **LAST}
        maps = layers.Conv2D(count, 3, **options, name=f"conv_{index}")(maps)
        mean = ops.mean(maps, axis=(1, 2))  # (n, channels)
        spread = ops.sqrt(ops.var(maps, axis=(1, 2)) + 1e-6)
        both = ops.concatenate([mean, spread], axis=-1)
        # not trained: of a batch normalisation only the stored mean and variance
        units = layers.BatchNormalization(
            epsilon=0, center=False, scale=False, trainable=False, name=f"units_{index}"
        )
        features.append(units(both))
        pool = layers.AveragePooling2D(4, 2, "same", **LAST, name=f"pool_{index}")
        maps = pool(maps)
    logits = layers.Dense(10, name="logits")(layers.Flatten(**LAST)(maps))
    outputs = {"logits": logits, "features": layers.Concatenate()(features)}
    return keras.Model(pictures, outputs, name="digit_classifier")


def two_sample_test(
    samples: np.ndarray, reference: np.ndarray, steps: int = 400, seed: int = 0
) -> Estimate:
    """Return how often a network tells samples from real pictures, in [0, 1].

    A small convolutional network is trained anew on half of each set, and asked about
    the other half: its accuracy there, with a 95% interval (Wilson's) for the pictures
    asked about. Both sets are cut to the size of the smaller one. The network sees a
    window at a random place of each picture (``windows``), so that it learns little
    from a shift by a pixel.

    How to read it: 0.5 is the ceiling, which two sets of real pictures give: the
    network finds no difference. 1 is the floor: all samples show that they are none.
    It grows with what the network can learn from so many pictures in so many steps, so
    compare values of equal numbers and steps. It says that sets differ, not that
    samples look bad: a slight tint of all pictures is found like a blur. Of 1,000
    photographs of cats against 1,000: other cats 0.48 to 0.51 (five seeds), moved by a
    pixel 0.51, red raised by 0.05 0.82, blurred (3 x 3) 0.95, a hundred cats repeated
    0.77, one cat repeated 1.00; and of 1,000 samples of a VAE 0.99, more than blurred
    photographs (``latent_judged.csv``). For centred digits, which betray a shift
    (0.56), there is ``sample_distance``.

    Args:
        reference: real pictures of the same shape that the model has not seen. Twins
            in it raise the accuracy, as repeated samples do: one half gives the other
            away.
        steps: optimiser steps of 32 samples and 32 real pictures.
        seed: halves the sets, and starts and trains the network.

    Raises:
        ValueError: sets of unlike shapes, fewer than 100 pictures, pixels that leave
            [0, 1], or fewer steps than one.

    Source: Lopez-Paz and Oquab (2017), "Revisiting classifier two-sample tests".
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, and are {steps}")
    reference = checked.pictures(reference, PICTURE, "reference", fewest=FEWEST)
    shape = reference.shape[1:]
    samples = checked.pictures(samples, shape, "samples", fewest=FEWEST)
    count = min(len(samples), len(reference)) // 2
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(x)) for x in (samples, reference)]
    pairs = list(zip((samples, reference), orders, strict=True))
    fit = [x[order[:count]] for x, order in pairs]
    ask = [x[order[count : 2 * count]] for x, order in pairs]
    judge = trained_judge(fit[0], fit[1], steps, rng)
    logits = [models.in_batches(judge, windows(x, rng), 250) for x in ask]
    right = int(np.sum(logits[0] > 0) + np.sum(logits[1] <= 0))
    share = scipy.stats.binomtest(right, 2 * count)
    interval = share.proportion_ci(method="wilson")
    return Estimate(share.statistic, float(interval.low), float(interval.high))


def trained_judge(
    samples: np.ndarray, reference: np.ndarray, steps: int, rng: np.random.Generator
) -> keras.Model:
    """Return a network whose logit (n, 1) is above 0 for what looks like a sample."""
    judge = new_judge(windows(reference[:1], rng).shape[1:], rng)
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    eager = not pays_to_trace(steps)
    judge.compile(keras.optimizers.Adam(rate), loss, run_eagerly=eager)
    build_optimizer(judge)
    half = min(32, len(samples))
    targets = np.repeat([[1.0], [0.0]], half, axis=0)
    passes = len(samples) // half  # steps until every picture was seen
    for step in range(steps):
        if step % passes == 0:
            orders = [rng.permutation(len(samples)) for _ in range(2)]
        rows = slice(step % passes * half, (step % passes + 1) * half)
        pairs = zip((samples, reference), orders, strict=True)
        batch = np.concatenate([windows(x[order[rows]], rng) for x, order in pairs])
        judge.train_on_batch(batch, targets)
    return judge


def windows(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return of each picture a window, 8 pixels smaller per side, or by a quarter."""
    height, width = (side - min(8, side // 4) for side in x.shape[1:3])
    return cut(x, height, width, rng)


def cut(x: np.ndarray, height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Return of each picture (n, ...) a window (height, width) at a random place."""
    views = np.lib.stride_tricks.sliding_window_view(x, (height, width), (1, 2))
    rows, columns = (rng.integers(free, size=len(x)) for free in views.shape[1:3])
    chosen = views[np.arange(len(x)), rows, columns]  # (n, channels, height, width)
    return np.ascontiguousarray(np.moveaxis(chosen, 1, -1))


def new_judge(image_shape: Sequence[int], rng: np.random.Generator) -> keras.Model:
    """Return an untrained network from pictures to a logit (n, 1), seeded by ``rng``.

    Keras's global seed stays as it is. Three convolutions that halve the picture see
    textures and edges; a dense layer on all positions lets it know a picture again.
    """
    seeds = iter(rng.integers(2**31, size=5).tolist())

    def start():
        return keras.initializers.HeNormal(next(seeds))

    pictures = keras.Input(image_shape, name="x")
    maps = layers.Rescaling(2, -1)(pictures)
    for count, side in ((16, 5), (32, 3), (64, 3)):
        options = {"padding": "same", "activation": "relu", **LAST}
        convolution = layers.Conv2D(
            count, side, 2, **options, kernel_initializer=start()
        )
        maps = convolution(maps)
    features = layers.Dropout(0.3, seed=next(seeds))(layers.Flatten(**LAST)(maps))
    logit = layers.Dense(1, kernel_initializer=start())(features)
    return keras.Model(pictures, logit, name="judge")
