"""Train the digit classifier whose features ``metrics.sample_distance`` compares.

``python -m helpers.metrics.train_classifier`` writes data/weights/digit_classifier.npz
in some minutes. It learns from the last 50,000 training digits, so that the first
10,000, which are for validation, and the test digits stay unseen.
"""

from pathlib import Path

import keras
import numpy as np
from keras import ops
from keras.losses import SparseCategoricalCrossentropy

from helpers import datasets, models
from helpers.metrics.samples import CLASSIFIER, DIGIT_SHAPE, cut, digit_classifier

TRAINED_ON = 50_000  # the last of the training digits
EPOCHS, BATCH, PEAK_RATE = 6, 128, 5e-3
FURTHEST = 2  # pixels that a digit is moved


def train_classifier(
    x: np.ndarray, y: np.ndarray, epochs: int = EPOCHS, seed: int = 0
) -> keras.Model:
    """Return a classifier of digits (n, 28, 28, 1) with labels (n,), trained.

    Every epoch moves each digit anew, by up to ``FURTHEST`` pixels per axis.
    """
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    classifier = digit_classifier()
    logits = keras.Model(classifier.input, classifier.output["logits"])
    steps = epochs * -(-len(x) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(PEAK_RATE, steps)
    optimizer = keras.optimizers.Adam(rate, beta_2=0.99)
    logits.compile(optimizer, SparseCategoricalCrossentropy(from_logits=True))
    for _ in range(epochs):
        logits.fit(moved(x, rng), y, batch_size=BATCH, verbose=0)
    standardise(classifier, x)
    return classifier


def moved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return pictures (n, height, width, channels), each moved at random."""
    padded = np.pad(x, ((0, 0), *[(FURTHEST, FURTHEST)] * 2, (0, 0)))
    return cut(padded, x.shape[1], x.shape[2], rng)


def standardise(classifier: keras.Model, x: np.ndarray) -> None:
    """Give the features of pictures mean 0, and the mean variance 1 in every layer."""
    layers = [layer for layer in classifier.layers if layer.name.startswith("units")]
    statistics = keras.Model(classifier.input, [layer.input for layer in layers])
    for layer, values in zip(layers, models.in_batches(statistics, x), strict=True):
        values = values.astype("float64")
        layer.moving_mean.assign(values.mean(axis=0))
        layer.moving_variance.assign(
            ops.full(values.shape[1:], values.var(axis=0).mean())
        )


def accuracy(classifier: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    """Return the share of pictures (n, 28, 28, 1) with the right label, of (n,)."""
    logits = models.in_batches(classifier, x)["logits"]
    return float(np.mean(logits.argmax(axis=1) == y))


def main(path: Path = CLASSIFIER) -> None:
    """Train, print the accuracy on test digits, and write the weights."""
    data = datasets.load_mnist()
    x, y = data.x_train[-TRAINED_ON:], np.asarray(data.y_train)[-TRAINED_ON:]
    if data.name != "MNIST" or len(x) != TRAINED_ON or x.shape[1:] != DIGIT_SHAPE:
        raise SystemExit(f"the classifier is trained on MNIST, and this is {data}")
    classifier = train_classifier(x, y)
    models.save_weights(classifier, path)
    models.load_weights(classifier, path)  # of half the digits, as they will be used
    share = accuracy(classifier, data.x_test, np.asarray(data.y_test))
    print(f"{path.name}: {share:.2%} of {len(data.x_test):,} test digits are right")


if __name__ == "__main__":
    main()
