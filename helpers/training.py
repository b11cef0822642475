"""Train a model for a number of optimiser steps, the same way everywhere."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math
import time
import weakref
import zlib
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras.optimizers.schedules import CosineDecay, PolynomialDecay

from helpers.engine.backups import Backup
from helpers.engine.budgets import budget, by_budget  # noqa: F401
from helpers.engine.quiet_start import start_xla
from helpers.models import VAE


def one_cycle(steps: int, peak: float) -> CosineDecay:
    """Return a learning rate that rises to ``peak`` over a tenth of the steps and falls
    to 0.

    Source: Smith and Topin (2018), "Super-convergence", with a cosine for the way down.
    """
    rise = max(1, steps // 10)
    return CosineDecay(
        peak / 10, max(1, steps - rise), warmup_target=peak, warmup_steps=rise
    )


def warm_up(steps: int, end: float = 1.0) -> PolynomialDecay:
    """Return a beta that rises from 0 to ``end`` in a straight line over ``steps``, and stays."""
    return PolynomialDecay(0.0, steps, end_learning_rate=end)


def endless_batches(
    x: np.ndarray | tuple[np.ndarray, ...],
    targets: np.ndarray | None,
    batch_size: int,
    seed: int,
    skip: int = 0,
) -> tf.data.Dataset:
    """Return batches of (x, targets) without end, shuffled anew, by ``seed``, in every
    pass.

    The first ``skip`` batches are left out, without a look at their pictures. Without
    targets the pictures are their own; a tuple's arrays, such as pictures and labels,
    stay beside each other. NumPy picks the pictures: made a tensor, the whole array
    would stand in memory three times.
    """
    given = (x,) if targets is None else (x, targets)
    arrays = [np.asarray(array) for array in tf.nest.flatten(given)]
    types, count = [array.dtype for array in arrays], len(arrays[0])
    order = (
        tf.data.Dataset.range(count)
        .shuffle(count, seed=seed)
        .repeat()
        .batch(batch_size)
    )

    def choose(chosen):
        batch = tf.numpy_function(
            lambda rows: [a[rows] for a in arrays], [chosen], types
        )
        for tensor, array in zip(batch, arrays, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        batch = tf.nest.pack_sequence_as(given, batch)
        return batch[0], batch[-1]

    batches = order.skip(skip).map(choose).prefetch(tf.data.AUTOTUNE)
    weakref.finalize(batches, arrays.clear)  # TensorFlow never lets go of `choose`
    return batches


class Report(keras.callbacks.Callback):
    """Print a line a round: the step, every figure in training and held out, and the time."""

    def __init__(self, steps_a_round: int):
        super().__init__()
        self.steps_a_round = steps_a_round

    def on_train_begin(self, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        figures = [
            f"{name} {logs[name]:.4g}"
            + (
                f" (held out {logs['val_' + name]:.4g})"
                if f"val_{name}" in logs
                else ""
            )
            for name in ("loss", "rate", "distortion")
            if name in logs
        ]
        seconds = time.perf_counter() - self.start
        step = (epoch + 1) * self.steps_a_round
        print(f"step {step:6,}: {', '.join(figures)}, {seconds:.0f} s")


class DivergedError(ArithmeticError):
    """The loss became nan or infinite, or grew a thousandfold; the message says when, and why."""


class Guard(keras.callbacks.Callback):
    """Stop at once when the loss makes no sense, with the weights of the last finished
    round.

    Raises:
        DivergedError: the mean loss of a round is not finite, or more than a thousand
            times the first one seen.
    """

    def on_train_begin(self, logs=None):
        self.first = None
        self.keep()

    def on_epoch_begin(self, epoch, logs=None):
        self.round = epoch + 1

    def keep(self) -> None:
        """Remember the weights, those of the likelihood and of the prior included."""
        self.good = self.model.get_weights()

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"])
        self.first = loss if self.first is None else self.first
        if np.isfinite(loss) and loss <= 1000 * max(1.0, abs(self.first)):
            return
        step = int(self.model.optimizer.iterations)
        self.model.set_weights(self.good)
        raise DivergedError(
            f"the loss was {self.first:.4g} at first, and is {loss:.4g} at step {step} (round "
            f"{self.round}, batch {batch + 1}): most often the learning rate is too high, or a "
            "pixel is nan. The model has the weights of the last finished round again; lower "
            "learning_rate, for example to a half, and check the pictures with np.isfinite"
        )

    def on_epoch_end(self, epoch, logs=None):
        self.keep()


class Snapshots(keras.callbacks.Callback):
    """Keep what a model makes of fixed pictures and codes at chosen steps: the frames
    of a film.

    Takes no random numbers, so that the training is the same with and without it. A
    step that ``train`` passes between two calls is kept at the next: see its
    ``steps_per_execution``.

    Args:
        steps: the steps to keep, 0 being the untrained model; or how many, which spaces
            them as squares from first to last: densely at the start, where most
            happens.
        steps_an_epoch: steps in one pass over the pictures, ``len(x) / batch_size``.
        codes_of: pictures (n, height, width, channels) whose codes to keep.
        pictures_of: pictures (n, height, width, channels) whose reconstructions to
            keep.
        samples_at: codes (n, d) whose decoded pictures to keep.

    Attributes:
        step, epoch: of each frame kept, (frames,).
        codes: (frames, n, d).
        pictures, samples: (frames, n, height, width, channels).

    Raises:
        ValueError: fewer than two steps, a step below 0, ``steps_an_epoch`` not above
            0, or nothing to keep.
    """

    def __init__(
        self,
        steps: int | Sequence[int] = 60,
        *,
        steps_an_epoch: float,
        codes_of: np.ndarray | None = None,
        pictures_of: np.ndarray | None = None,
        samples_at: np.ndarray | None = None,
    ):
        super().__init__()
        given = {"codes": codes_of, "pictures": pictures_of, "samples": samples_at}
        self.given = {name: array for name, array in given.items() if array is not None}
        wrong = steps < 2 if np.ndim(steps) == 0 else len(steps) < 2 or min(steps) < 0
        if wrong:
            raise ValueError(f"steps must be two or more, from 0 on, and are {steps}")
        if not steps_an_epoch > 0:
            raise ValueError(
                f"steps_an_epoch must be len(x) / batch_size, and is {steps_an_epoch!r}"
            )
        if not self.given:
            raise ValueError(
                "nothing to keep: give codes_of, pictures_of or samples_at"
            )
        self.steps, self.steps_an_epoch = steps, steps_an_epoch
        self.step = self.epoch = self.codes = self.pictures = self.samples = None

    def on_train_begin(self, logs=None):
        due = self.steps
        if np.ndim(due) == 0:
            last = self.params["epochs"] * self.params["steps"]
            due = np.round(last * np.linspace(0, 1, due) ** 2).astype(int)
        self.due = sorted(set(due))
        self.kept = {"step": [], **{name: [] for name in self.given}}

    def on_epoch_begin(self, epoch, logs=None):
        self.keep_if_due()  # before the first step, whose number is 0

    def on_train_batch_end(self, batch, logs=None):
        self.keep_if_due()

    def keep_if_due(self) -> None:
        """Keep a frame if a chosen step has been reached or, between two calls, passed."""
        step = int(self.model.optimizer.iterations)
        if not self.due or step < self.due[0]:
            return
        self.due = [later for later in self.due if later > step]
        self.kept["step"].append(step)
        views = {
            "codes": self.model.encode,
            "pictures": self.model.reconstruct,
            "samples": self.model.decode,
        }
        for name, array in self.given.items():
            self.kept[name].append(views[name](array))

    def on_train_end(self, logs=None):
        for name, frames in self.kept.items():
            setattr(self, name, np.asarray(frames))
        self.epoch = self.step / self.steps_an_epoch


def train(
    model: keras.Model,
    x: np.ndarray | tuple[np.ndarray, np.ndarray],
    *,
    steps: int,
    targets: np.ndarray | None = None,
    held_out: np.ndarray | None = None,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float | None = None,
    rounds: int = 10,
    seed: int = 0,
    verbose: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps_per_execution: int = 20,
    jit_compile: bool | str = "auto",
    backup: Path | None = None,
) -> dict[str, np.ndarray]:
    """Train with Adam and a one-cycle learning rate, over Keras's ``compile`` and
    ``fit``.

    Args:
        model: a ``VAE``, which brings its own loss, or any other model from pictures to
            pictures, which is trained on the mean squared error.
        x: pictures to train on, float32 in [0, 1], (n, height, width, channels); for a
            ``ConditionalVAE`` the tuple (pictures, labels), and so ``held_out``.
        steps: optimiser steps in all, rounded up to a multiple of ``rounds``.
        targets: what to compare the outputs with, where that is not ``x``.
        held_out: pictures to evaluate on after every round, against themselves.
        learning_rate: the peak.
        weight_decay: the share of itself that every weight loses a step, times the
            learning rate; 0.1 narrows the gap between training and held-out digits in
            long trainings. Source: Loshchilov and Hutter (2019), "Decoupled weight
            decay regularization".
        rounds: how many reports ``steps`` is cut into.
        seed: orders the pictures; the weights and the noise come from Keras's global
            seed.
        verbose: print a line a round.
        callbacks: Keras callbacks; an "epoch" is a round to them.
        steps_per_execution: how many steps run between two calls of
            ``on_train_batch_end``, at most (they must divide a round); the results are
            the same up to rounding.
        jit_compile: True has XLA compile the whole step, which takes about 2 s, draws
            other noise, and on a processor makes a step of dense layers faster, one of
            convolutions slower; "auto": Keras's choice, which is to do so on a GPU
            alone.
        backup: a folder in which every finished round is kept until the end, so that
            the same call goes on after an interruption, to the same weights bit for bit
            (on the same CPU); ``callbacks`` begin anew.

    Returns:
        The history: ``step`` and, for each figure, one value a round, those before an
            interruption
        included; ``val_`` marks held-out ones; ``seconds`` holds the time that the
        rounds took.

    Raises:
        DivergedError: the loss became nan or exploded; the model has the weights of the
            last finished round.
        RuntimeError: another training uses the folder ``backup``.
        ValueError: the pictures are fewer than a batch, or their pixels not in [0, 1];
            ``steps``, ``rounds`` or ``steps_per_execution`` is below 1; ``backup``
            holds that of another training.
    """
    if min(steps, rounds, steps_per_execution) < 1:
        raise ValueError(
            "steps, rounds and steps_per_execution must be at least 1, and are "
            f"{steps}, {rounds} and {steps_per_execution}"
        )
    check_pictures(x[0] if isinstance(x, tuple) else x, batch_size)
    rounds = min(rounds, steps)
    steps_a_round = math.ceil(steps / rounds)
    extra = [Report(steps_a_round)] if verbose else []
    schedule = one_cycle(rounds * steps_a_round, learning_rate)
    loss = None if isinstance(model, VAE) else "mse"
    together = max(
        n for n in range(1, steps_per_execution + 1) if steps_a_round % n == 0
    )
    optimizer = keras.optimizers.Adam(schedule, beta_2=0.99, weight_decay=weight_decay)
    if jit_compile is True:
        start_xla()
    model.compile(
        optimizer=optimizer,
        loss=loss,
        steps_per_execution=together,
        jit_compile=jit_compile,
    )
    if model.built:
        optimizer.build(
            model.trainable_variables
        )  # else the whole step would be traced twice
    about = {
        "x": described(x),
        "targets": described(targets),
        "held_out": described(held_out),
        "steps": rounds * steps_a_round,
        "rounds": rounds,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "seed": seed,
    }
    with Backup(backup, about) as kept:
        model.fit(
            endless_batches(
                x, targets, batch_size, seed, skip=kept.rounds * steps_a_round
            ),
            epochs=rounds,
            initial_epoch=kept.rounds,
            steps_per_epoch=steps_a_round,
            validation_data=None if held_out is None else (held_out, held_out),
            validation_batch_size=1000,
            shuffle=False,  # endless_batches has shuffled them
            callbacks=[
                *callbacks,
                *extra,
                kept,
                Guard(),
            ],  # which keeps the weights that kept read
            verbose=0,
        )
    return {
        "step": steps_a_round * np.arange(1, kept.rounds + 1),
        "seconds": kept.seconds,
        **{name: np.asarray(values) for name, values in kept.history.items()},
    }


def described(arrays: np.ndarray | tuple[np.ndarray, ...] | None) -> str:
    """Return the shapes, and a checksum of some hundred pictures, to tell data sets apart."""
    if arrays is None:
        return "none"
    if isinstance(arrays, tuple):
        return " and ".join(map(described, arrays))
    some = np.ascontiguousarray(arrays[:: len(arrays) // 500 + 1])
    return f"{arrays.shape} {zlib.crc32(some):08x}"


def check_pictures(x: np.ndarray, batch_size: int) -> None:
    """Raise ValueError unless ``x`` is at least a batch of pictures in [0, 1]."""
    x = np.asarray(x)
    if x.ndim != 4 or len(x) < batch_size or not x.size:
        raise ValueError(
            f"x must be at least {batch_size} pictures, (n, height, width, channels), and has "
            f"shape {x.shape}: add the missing axis, or lower batch_size"
        )
    if x.dtype.kind not in "fiub":
        raise ValueError(f"pixels must be real numbers, and are {x.dtype}: use float32")
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"pixels must lie in [0, 1], and span [{low:g}, {high:g}]: divide by 255?"
        )
