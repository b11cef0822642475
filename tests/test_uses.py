"""Hundreds of uses, right and wrong, of every door: as NumPy has it, or refused."""

import warnings
from collections import Counter

import keras
import numpy as np
import pytest
import scipy.special
import tensorflow as tf
from campaign import tries
from linear_models import CLASSES, linear

from helpers import metrics, training

MODELS = tries(test=[0, 2, 3], soak=range(24))  # 3 takes labels, and warms up
CLOSE = {"rtol": 1e-3, "atol": 2e-4}
TYPES = ["float32", "float64", "float16", "bool", "uint8", "int64", "list", "tensor"]


def drawn_pictures(rng, shape, count):
    """Pictures in [0, 1] of any type, and the same in float64."""
    kind = TYPES[rng.integers(len(TYPES))]
    values = rng.random((count, *shape))
    if kind in ("bool", "uint8", "int64"):
        values = values > 0.5
    x = values.astype(kind if kind not in ("list", "tensor") else "float32")
    plain = x.astype("float64")
    if kind == "tensor":
        return tf.constant(x), plain
    return (x.tolist() if kind == "list" else x), plain


class Pieces(keras.utils.PyDataset):
    """Batches by number: of arrays, or of nested tuples of them."""

    def __init__(self, parts, size):
        super().__init__()
        self.parts = keras.tree.map_structure(np.asarray, parts)
        self.size = size

    def __len__(self):
        return -(-len(keras.tree.flatten(self.parts)[0]) // self.size)

    def __getitem__(self, index):
        rows = slice(self.size * index, self.size * (index + 1))
        return keras.tree.map_structure(lambda part: part[rows], self.parts)


def as_dataset(parts, size):
    arrays = keras.tree.map_structure(np.asarray, parts)
    return tf.data.Dataset.from_tensor_slices(arrays).batch(size)


def as_generator(parts, size):
    pieces = Pieces(parts, size)
    return (pieces[index] for index in range(len(pieces)))


SOURCES = {"dataset": as_dataset, "generator": as_generator, "PyDataset": Pieces}


class Use:
    """What one use needs, drawn at random; ``spoil`` makes it a wrong one."""

    def __init__(self, rng, purpose):
        self.rng = rng
        self.vae, self.numpy = linear(int(rng.choice(MODELS)), purpose)
        self.numpy.reset()
        self.shape, self.count = self.numpy.shape, int(rng.integers(2, 13))
        self.x, self.plain = drawn_pictures(rng, self.shape, self.count)
        self.labels = self.classes = rng.integers(CLASSES, size=self.count)
        self.size = int(rng.integers(1, self.count + 1))
        self.source = ["arrays", *SOURCES][rng.integers(4)]
        self.weights = [
            None,
            None,
            rng.uniform(0, 2, self.count),
            np.zeros(self.count),
        ][rng.integers(4)]
        self.fault = None

    @property
    def given(self):
        """The model's x: pictures, or pictures and labels."""
        return (self.x, self.labels) if self.numpy.conditional else self.x

    @property
    def known(self):
        """What NumPy needs for the same."""
        return self.plain, self.classes

    def figures(self):
        weights = 1.0 if self.weights is None else self.weights
        return self.numpy.figures(*self.known, weights)

    def packed(self):
        """Return x, targets and weights as a data set of batches, or as they are."""
        if self.source == "arrays":
            given = {} if self.weights is None else {"sample_weight": self.weights}
            targets = {"y": self.given} if self.rng.random() < 0.3 else {}
            return {"x": self.given, "batch_size": self.size, **targets, **given}
        if isinstance(self.x, list):
            self.x = np.asarray(self.x, "float32")
        parts = (self.given,)
        if self.weights is not None:
            parts = (self.given, self.x, self.weights)
            if self.numpy.conditional:
                parts = (self.given, self.given, self.weights)
        return {"x": SOURCES[self.source](parts, self.size)}


FAULTS = {  # of float32 pictures; who is asked to look only takes what is noisy
    "255": lambda x: 255 * np.maximum(x, 0.1),
    "bytes": lambda x: (255 * np.maximum(x, 0.1)).astype("uint8"),
    "minus": lambda x: -np.maximum(x, 0.1),
    "nan": lambda x: np.where(x == x[0].max(), np.nan, x),  # in the first batch
    "infinite": lambda x: np.where(x == x[0].max(), -np.inf, x),
    "squeezed": lambda x: x[..., 0],
    "one more axis": lambda x: x[..., np.newaxis],
    "larger": lambda x: np.concatenate([x, x], axis=1),
    "one picture": lambda x: x[0],
    "none": lambda x: x[:0],
    "complex": lambda x: 1j * x,
    "text": lambda x: x.astype("U3"),
    "objects": lambda x: np.array([None] * len(x)),
}
LABEL_FAULTS = {
    "classes": lambda y: y + CLASSES,
    "halves": lambda y: y + 0.5,
    "label columns": lambda y: y[:, np.newaxis],
    "fewer labels": lambda y: y[:-1],
}
WEIGHT_FAULTS = {
    "negative": lambda w: w - 3,
    "nan weights": lambda w: w * np.nan,
    "fewer weights": lambda w: w[:-1],
}


def spoil(use):
    """Make a use a wrong one: of its pictures, its labels or its weights."""
    faults = dict(FAULTS)
    if use.numpy.conditional:
        faults |= LABEL_FAULTS
    use.fault = list(faults)[use.rng.integers(len(faults))]
    if use.fault in FAULTS:
        use.x = FAULTS[use.fault](use.plain.astype("float32"))
        use.weights = None if use.fault == "none" else use.weights
    else:
        use.labels = LABEL_FAULTS[use.fault](use.labels)
    lost = use.fault in ("one picture", "none", "objects", "fewer labels")
    if lost or use.weights is not None:  # a data set can't be made of these
        use.source = "arrays"
    if use.source == "arrays" and use.weights is not None and use.rng.random() < 0.3:
        use.fault = list(WEIGHT_FAULTS)[use.rng.integers(len(WEIGHT_FAULTS))]
        use.x, use.labels = use.plain, use.classes
        use.weights = WEIGHT_FAULTS[use.fault](np.ones(use.count))


def same(found, expected):
    np.testing.assert_allclose(found, expected, **CLOSE)


# Doors that don't train


def evaluate(use):
    found = use.vae.evaluate(verbose=0, return_dict=True, **use.packed())
    expected = use.figures()
    same([found[name] for name in expected], list(expected.values()))


def measure_on_batch(use):
    weights = {} if use.weights is None else {"sample_weight": use.weights}
    use.vae.reset_metrics()  # Keras before 3.15 goes on from what came before
    found = use.vae.test_on_batch(use.given, return_dict=True, **weights)
    expected = use.figures()
    same([found[name] for name in expected], list(expected.values()))


def elbo(use):
    bound = metrics.elbo(use.vae, use.given)
    expected = use.numpy.figures(*use.known)
    same([bound.rate, bound.distortion], [expected["rate"], expected["distortion"]])


def elbo_terms(use):
    *_, rates, nats = use.numpy.forward(*use.known)
    same(metrics.elbo_terms(use.vae, use.given), [rates, nats])


def bits(use):
    found = metrics.bits_per_dimension(use.vae, use.given, seed=3)
    noise = np.random.default_rng(3).random(use.plain.shape, np.float32)
    figures = use.numpy.figures((255 * use.plain + noise) / 256)
    nats = (figures["rate"] + figures["distortion"]) / np.prod(use.shape)
    same(found, nats / np.log(2) + 8)


def encode(use):
    same(use.vae.encode(use.given), use.numpy.forward(*use.known)[2])


def reconstruct(use):
    logits = use.numpy.forward(*use.known)[4].reshape(-1, *use.shape)
    same(use.vae.reconstruct(use.given), scipy.special.expit(logits))


def predict(use):
    logits = use.numpy.forward(*use.known)[4].reshape(-1, *use.shape)
    found = use.vae.predict(use.given, batch_size=use.size, verbose=0)
    same(found, scipy.special.expit(logits))


def predict_on_batch(use):
    logits = use.numpy.forward(*use.known)[4].reshape(-1, *use.shape)
    same(use.vae.predict_on_batch(use.given), scipy.special.expit(logits))


def rate_per_latent(use):
    *_, mean, low, _, _, _ = use.numpy.forward(*use.known)
    kl = 0.5 * (mean**2 + np.exp(low) - 1 - low)
    same(metrics.rate_per_latent(use.vae, use.given), kl.mean(axis=0))


def active_units(use):
    means = use.numpy.forward(*use.known)[2]
    variances = np.sort(np.var(means, axis=0))
    threshold = float(0.7 * variances[0] + 0.3 * variances[-1])
    found = metrics.active_units(use.vae, use.given, threshold)
    unsure = np.isclose(variances, threshold, rtol=0.02).sum()  # one latent, or so near
    assert abs(found - np.sum(variances > threshold)) <= unsure


def binarised(use):
    expected = np.random.default_rng(5).random(use.plain.shape) < use.plain
    np.testing.assert_array_equal(metrics.binarised(use.x, seed=5), expected)


def mse_and_psnr(use):
    other = np.random.default_rng(1).random(use.plain.shape)
    error = ((use.plain - other) ** 2).reshape(use.count, -1).mean(axis=1)
    same(metrics.mse(use.x, other), error)
    same(metrics.psnr(other, use.x), -10 * np.log10(error))


LOOKING = [
    encode,
    reconstruct,
    predict,
    predict_on_batch,
    rate_per_latent,
    active_units,
]
MEASURING = [
    evaluate,
    measure_on_batch,
    elbo,
    elbo_terms,
    bits,
    binarised,
    mse_and_psnr,
]
DENSITIES = [evaluate, measure_on_batch, elbo, elbo_terms]
UNFIT = {  # what a door does not take by its nature, and refuses
    elbo_terms: lambda use: use.numpy.conditional,
    bits: lambda use: use.numpy.conditional or use.numpy.sigma is None,
    binarised: lambda use: False,
    mse_and_psnr: lambda use: len(use.shape) != 3,
}


def harmless(door, use):
    """Whether a fault is none for this door."""
    if use.fault is None:
        return True
    if use.fault in WEIGHT_FAULTS:
        return door not in (evaluate, measure_on_batch, fit, train_on_batch)
    if use.fault in LABEL_FAULTS:
        return door in (binarised, mse_and_psnr)
    if use.fault == "minus":  # noise, to a network, and to a density of all numbers
        gaussian = use.numpy.sigma is not None
        return door in LOOKING or (gaussian and door in DENSITIES)
    shapes = ("squeezed", "one more axis", "larger", "one picture", "none")
    return door is binarised and use.fault in shapes and np.ndim(use.x) > 1


def outcome(door, use):
    """Use a door: "right", or "refused" where it must be; else the test fails."""
    wrong = not harmless(door, use) or UNFIT.get(door, lambda _: False)(use)
    if not wrong and use.fault == "minus":
        use.plain = np.asarray(use.x, "float64")
    if not wrong and use.fault in FAULTS and door is binarised:
        return "right" if metrics.binarised(use.x).dtype == np.float32 else "wrong"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            door(use)
    except ValueError as error:
        assert wrong, f"{door.__name__} refused {describe(use)}: {error}"
        assert len(str(error)) > 40
        return "refused"
    assert not wrong, f"{door.__name__} took {describe(use)}"
    return "right"


def describe(use):
    kind = getattr(use.x, "dtype", type(use.x).__name__)
    about = (kind, use.shape, use.count, use.size, use.source, use.fault)
    return f"{about}, conditional {use.numpy.conditional}, sigma {use.numpy.sigma}"


def campaign(count, doors, purpose, seed, faulty):
    """Use doors at random; one in three after another use of the same model."""
    rng, counts = np.random.default_rng(seed), Counter()
    for _ in range(count):
        door = doors[rng.integers(len(doors))]
        use = Use(rng, purpose)
        if rng.random() < faulty:
            spoil(use)
        if rng.random() < 1 / 3:
            metrics.elbo(use.vae, linear_x(use))
        try:
            found = outcome(door, use)
        except Exception as error:
            error.add_note(f"{door.__name__}: {describe(use)}")
            raise
        counts[door.__name__, found] += 1
    for (name, found), number in sorted(counts.items()):
        print(f"\n{name}: {number} {found}", end="")
    print(f"\nin all {counts.total()}", end=" ")
    return counts


def linear_x(use):
    """Pictures of a use's model, sound ones."""
    pictures = np.full((3, *use.shape), 0.5)
    return (pictures, np.arange(3)) if use.numpy.conditional else pictures


@pytest.mark.slow
def test_uses_that_do_not_train():
    doors = LOOKING + MEASURING
    counts = campaign(tries(130, 10_000), doors, "use", seed=0, faulty=0.5)
    assert {found for _, found in counts} == {"right", "refused"}


# Doors that train: two steps


def fit(use):
    use.size = -(-use.count // 2)
    follow(use, use.vae.fit(shuffle=False, verbose=0, **use.packed()).history)


def follow(use, history):
    """Take the same steps by hand, and compare figures and weights."""
    seen = []
    for start in range(0, use.count, use.size):
        rows = slice(start, start + use.size)
        batch = use.plain[rows], use.classes[rows]
        weights = 1.0 if use.weights is None else use.weights[rows]
        figures = use.numpy.figures(*batch, weights)
        seen.append((len(batch[0]), *figures.values()))
        use.numpy.learn(*batch, weights)
    counts, *values = np.transpose(seen)
    expected = [np.average(value, weights=counts) for value in values]
    same([history[name][-1] for name in ("loss", "rate", "distortion")], expected)
    use.numpy.check_weights()
    moved = map(np.array_equal, use.vae.get_weights(), use.numpy.initial)
    assert not all(moved) or (use.weights is not None and not use.weights.any())


def train_on_batch(use):
    use.size, weights = use.count, {}
    if use.weights is not None:
        weights = {"sample_weight": use.weights}
    for _ in range(2):
        use.vae.reset_metrics()  # Keras before 3.15 goes on from what came before
        found = use.vae.train_on_batch(use.given, return_dict=True, **weights)
        follow(use, {name: [value] for name, value in found.items()})


def train(use):
    """``train`` has another optimiser: its first and last figures are NumPy's."""
    use.weights = None
    expected = use.numpy.figures(*use.known)
    options = {"steps": 2, "rounds": 2, "batch_size": use.count, "verbose": False}
    history = training.train(use.vae, use.given, held_out=use.given, **options)
    use.numpy.read()
    last = use.numpy.figures(*use.known)
    for name in ("loss", "rate", "distortion"):
        same(history[name][0], expected[name])
        same(history[f"val_{name}"][-1], last[name])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("door", "test", "soak"),
    [(fit, 12, 160), (train_on_batch, 6, 100), (train, 2, 40)],
)
def test_uses_that_train(door, test, soak):
    counts = campaign(tries(test, soak), [door], door.__name__, 1, faulty=0)
    assert counts[door.__name__, "right"] == tries(test, soak)


@pytest.mark.slow
def test_what_is_wrong_is_not_trained_on():
    doors = [fit, train_on_batch, train]
    counts = campaign(tries(30, 600), doors, "refused", 2, faulty=1)
    assert counts.total() == tries(30, 600)
