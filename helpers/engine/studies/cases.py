"""Six small data sets that are always at hand, and sound VAEs of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

SETTINGS = {  # latents, hidden units, steps, learning rate
    "small_digits": (8, (128,), 1200, 3e-3),
    "signals": (6, (128,), 1000, 3e-3),
    "cancer": (5, (64,), 500, 3e-3),
    "digits": (12, (128,), 800, 3e-3),
    "cats": (10, (128,), 800, 3e-3),
    "wine": (3, (32,), 400, 3e-3),
}
SCALE = 1.0  # of all steps: a test takes fewer


@dataclass(frozen=True)
class Case:
    """Data, and a sound model of them, to plant a fault in."""

    data: str
    seed: int
    x: np.ndarray  # to train on
    new: np.ndarray  # held out
    order: np.ndarray  # a class, or a factor, of all rows, training rows first
    sound: Any = None

    @property
    def pictures(self) -> bool:
        """Whether rows are pictures, which lie in [0, 1]."""
        return self.data in ("small_digits", "digits", "cats")

    @property
    def coins(self) -> bool:
        """Whether the likelihood is Bernoulli's."""
        return self.data in ("small_digits", "digits")


def rows_of(data: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all rows (n, ...) and a class, or a factor, of each, (n,)."""
    from sklearn import datasets as offline

    from helpers.datasets import digits, drawn_cats

    if data == "small_digits":
        found = offline.load_digits()
        return found.images[..., np.newaxis] / 16, found.target
    if data == "digits":
        found = digits.digits_stand_in()
        x = np.concatenate([found.x_train, found.x_test])
        return x, np.concatenate([found.y_train, found.y_test])
    if data == "cats":
        factors = drawn_cats.random_factors(2500, seed)
        return drawn_cats.draw(factors, 16), factors[:, 0]
    if data == "signals":
        return signals(2500, seed)
    found = offline.load_breast_cancer() if data == "cancer" else offline.load_wine()
    return found.data, found.target


def signals(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return sums of two waves with noise, (count, 48, 1), and the first's period."""
    rng = np.random.default_rng(seed)
    time = np.arange(48) / 48
    period = rng.uniform(1, 4, size=(count, 1))
    phases = rng.uniform(0, 2 * np.pi, size=(2, count, 1))
    sizes = rng.uniform(0.5, 1.5, size=(2, count, 1))
    waves = sizes[0] * np.sin(2 * np.pi * period * time + phases[0])
    waves = waves + 0.5 * sizes[1] * np.sin(2 * np.pi * 5 * time + phases[1])
    noisy = waves + rng.normal(0, 0.1, size=waves.shape)
    return noisy[..., np.newaxis], period[:, 0]


def case_of(data: str, seed: int) -> Case:
    """Return a case without a model: 7 rows in 10 to train on, drawn at random."""
    x, order = rows_of(data, seed)
    chosen = np.random.default_rng(seed).permutation(len(x))
    x, order, cut = x[chosen], order[chosen], int(0.7 * len(x))
    known, new = x[:cut], x[cut:]
    if data in ("cancer", "wine", "signals"):
        axes = 0 if x.ndim == 2 else None
        mean, unit = known.mean(axis=axes), known.std(axis=axes)
        known, new = (known - mean) / unit, (new - mean) / unit
    return Case(data, seed, known.astype("float32"), new.astype("float32"), order)


def built(case: Case, family="normal", likelihood=None, hidden=None, **options) -> Any:
    """Return an untrained, seeded VAE for a case."""
    import keras

    from helpers import models
    from helpers.likelihoods import Gaussian

    latents, own, *_ = SETTINGS[case.data]
    if likelihood is None:
        coins = case.coins
        likelihood = "bernoulli" if coins else Gaussian("optimal", case.pictures)
    keras.utils.set_random_seed(case.seed)
    shape, hidden = case.x.shape[1:], own if hidden is None else hidden
    options = {"family": family, "likelihood": likelihood, "hidden": hidden} | options
    return models.build_vae(shape, latents, **options)


def fitted(
    case: Case, vae: Any, x=None, steps=None, rate=None, stop=True, decay=None
) -> Any:
    """Train a VAE, with the weights of the round that is best on held-out rows."""
    import keras

    from helpers import training

    *_, own, usual = SETTINGS[case.data]
    x = case.x if x is None else x
    best = keras.callbacks.EarlyStopping(patience=30, restore_best_weights=True)
    steps = max(2, round(SCALE * (own if steps is None else steps)))
    training.train_seeded(
        vae,
        x,
        steps=steps,
        seed=case.seed,
        held_out=case.new if stop else None,
        batch_size=min(64, len(x)),
        learning_rate=usual if rate is None else rate,
        weight_decay=decay,
        rounds=min(15, steps) if stop else 1,
        callbacks=[best] if stop else (),
        verbose=False,
    )
    return vae
