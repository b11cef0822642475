"""Train a model for a number of optimiser steps, the same way everywhere."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import keras
import numpy as np
from keras.optimizers.schedules import CosineDecay, PolynomialDecay

from helpers.engine import processes
from helpers.engine.backups import Backup
from helpers.engine.budgets import budget, by_budget  # noqa: F401
from helpers.engine.commands import run_study  # noqa: F401
from helpers.engine.feeding import endless_batches
from helpers.engine.quiet_start import start_xla
from helpers.engine.stateless import pays_to_trace
from helpers.engine.sweeps import sweep  # noqa: F401
from helpers.models import VAE
from helpers.models.guarded import build_optimizer, checked_arrays, steps_taken

Arrays = np.ndarray | tuple[np.ndarray, ...]
LOOP_FROM = 50  # steps of a training: below, a loop takes longer to trace than it saves
XLA_FROM = 500  # steps: below, what XLA compiles takes longer to compile


def one_cycle(steps: int, peak: float) -> CosineDecay:
    """Return a learning rate: up to ``peak`` in a tenth of the steps, then down to 0.

    Source: Smith and Topin (2018), "Super-convergence", with a cosine for the way down.
    """
    rise = max(1, steps // 10)
    fall = max(1, steps - rise)
    return CosineDecay(peak / 10, fall, warmup_target=peak, warmup_steps=rise)


def warm_up(steps: int, end: float = 1.0) -> PolynomialDecay:
    """Return a beta that rises from 0 to ``end`` linearly over ``steps``, and stays."""
    return PolynomialDecay(0.0, steps, end_learning_rate=end)


def report(each: int) -> keras.callbacks.Callback:
    """Return what prints step, figures, held out too, and time after ``each`` steps."""
    start = time.perf_counter()

    def line(epoch, logs):
        figures = []
        for name in [n for n in ("loss", "rate", "distortion") if n in logs]:
            held_out = logs.get(f"val_{name}")
            also = "" if held_out is None else f" (held out {held_out:.4g})"
            figures.append(f"{name} {logs[name]:.4g}{also}")
        seconds = time.perf_counter() - start
        step = (epoch + 1) * each
        print(f"step {step:6,}: {', '.join(figures)}, {seconds:.0f} s")

    return keras.callbacks.LambdaCallback(on_epoch_end=line)


class DivergedError(ArithmeticError):
    """The loss became nan, infinite or a thousandfold; the message says when."""


class Guard(keras.callbacks.Callback):
    """Stop at once when the loss makes no sense, with the last round's weights.

    Keras's ``TerminateOnNaN`` leaves the spoilt weights, and lets a loss explode.

    Raises:
        DivergedError: the mean loss of a round is not finite, or more than a thousand
            times the first one seen; or, when a round ends, a weight is not finite or
            a thousand times the largest of its layer before, which no loss shows yet.
        ValueError: a weight is not finite when a round begins.
    """

    def on_train_begin(self, logs=None):
        self.first = None

    def on_epoch_begin(self, epoch, logs=None):
        self.round, self.good = epoch + 1, self.model.get_weights()
        self.most = 1000 * np.maximum(1, self.largest())
        if not self.finite():
            raise ValueError(
                f"a weight of the model is nan or infinite before round {self.round}: "
                "build the model anew, or load weights that are finite"
            )

    def largest(self) -> np.ndarray:
        """Return the largest size of each trainable variable's weights."""
        values = map(keras.ops.convert_to_numpy, self.model.trainable_variables)
        return np.array([np.abs(value).max(initial=0) for value in values])

    def finite(self) -> bool:
        """Return whether all weights are finite, and none beyond ``most``."""
        weights = self.model.get_weights()
        bounded = (self.largest() <= self.most).all()
        return bool(bounded and all(np.isfinite(weight).all() for weight in weights))

    def on_train_batch_end(self, batch, logs=None):
        loss = float(logs["loss"])
        self.first = loss if self.first is None else self.first
        sound = np.isfinite(loss) and loss <= 1000 * max(1.0, abs(self.first))
        ends = batch + 1 == self.params["steps"]
        if sound and (not ends or self.finite()):
            return
        step = steps_taken(self.model.optimizer)
        self.model.set_weights(self.good)
        raise DivergedError(
            f"the loss was {self.first:.4g} at first, and is {loss:.4g} at step {step} "
            f"(round {self.round}, batch {batch + 1}), or the weights are beyond all "
            "bounds: most often the learning rate is too high. The model has the "
            "finite weights again of before this round; halve learning_rate"
        )


VIEWS = {"codes": "encode", "pictures": "reconstruct", "samples": "decode"}


class Snapshots(keras.callbacks.Callback):
    """Keep what a model makes of fixed pictures and codes at chosen steps, for a film.

    Takes no random numbers: the training is the same with and without it. A step that
    ``train`` passes between two calls is kept at the next (``steps_per_execution``).

    Args:
        steps: the steps to keep, 0 being the untrained model; or how many, which spaces
            them as squares: densely at the start, where most happens.
        steps_an_epoch: steps in one pass over the pictures, ``len(x) / batch_size``.
        codes_of: pictures (n, height, width, channels) whose codes to keep.
        pictures_of: pictures whose reconstructions to keep.
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
        if isinstance(steps, int | np.integer):
            count, first = int(steps), 0
        else:
            count, first = len(steps), min(steps, default=0)
        if count < 2 or first < 0:
            raise ValueError(f"steps must be two or more, from 0 on, and are {steps}")
        if not steps_an_epoch > 0:
            raise ValueError(
                f"steps_an_epoch must be len(x) / batch_size, and is {steps_an_epoch!r}"
            )
        if not self.given:
            raise ValueError("give codes_of, pictures_of or samples_at")
        self.steps, self.steps_an_epoch = steps, steps_an_epoch
        self.step = self.epoch = self.codes = self.pictures = self.samples = None

    def on_train_begin(self, logs=None):
        due = self.steps
        if np.ndim(due) == 0:
            last = self.params["epochs"] * self.params["steps"]
            due = np.round(last * np.linspace(0, 1, due) ** 2).astype(int)
        self.due = sorted(set(due))
        self.kept = {"step": [], **{name: [] for name in self.given}}

    def on_train_batch_end(self, batch, logs=None):
        """Keep a frame if a chosen step has been reached or, between calls, passed."""
        step = steps_taken(self.model.optimizer)
        if not self.due or step < self.due[0]:
            return
        self.due = [later for later in self.due if later > step]
        self.kept["step"].append(step)
        for name, array in self.given.items():
            self.kept[name].append(getattr(self.model, VIEWS[name])(array))

    on_epoch_begin = on_train_batch_end  # before the first step, whose number is 0

    def on_train_end(self, logs=None):
        for name, frames in self.kept.items():
            setattr(self, name, np.asarray(frames))
        self.epoch = self.step / self.steps_an_epoch


def train(
    model: keras.Model,
    x: Arrays,
    *,
    steps: int,
    targets: np.ndarray | None = None,
    held_out: Arrays | None = None,
    batch_size: int = 128,
    learning_rate: float = 3e-3,
    weight_decay: float | None = None,
    rounds: int = 10,
    seed: int = 0,
    verbose: bool = True,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    steps_per_execution: int | None = None,
    jit_compile: bool | str = "auto",
    backup: Path | None = None,
) -> dict[str, np.ndarray]:
    """Train with Adam and a one-cycle rate, over Keras's ``compile`` and ``fit``.

    The rate ends at 0, and is saved with the model: to go on, also after loading, call
    ``train`` again, or ``compile`` with another optimizer and ``fit``.

    On JAX it trains on all devices of a ``keras.distribution.DataParallel`` that is set
    before the model is built, as on one up to rounding. In several processes, each
    makes the same call with all pictures, and is fed its share of every batch; the
    first one prints, and keeps the backup. See "When one machine is not enough".

    Args:
        model: a ``VAE``, which brings its own loss, or any other model from pictures to
            pictures, which is trained on the mean squared error.
        x: pictures (n, height, width, channels) in [0, 1], or arrays of the model's own
            shape and likelihood, not a data set; for a ``ConditionalVAE`` the tuple
            (pictures, labels), and so ``held_out``.
        steps: optimiser steps in all, rounded up to a multiple of ``rounds``.
        targets: what to compare the outputs with, where that is not ``x``, which may
            then be noisy and leave [0, 1]. A VAE takes none but a ``DenoisingVAE``.
        held_out: pictures to evaluate on after every round, against themselves; of a
            ``DenoisingVAE``, (noisy, clean) too.
        learning_rate: the peak.
        weight_decay: the share of itself that a weight loses per step, times the
            learning rate; 0.1 helps held-out digits in long trainings. Source:
            Loshchilov and Hutter (2019), "Decoupled weight decay regularization".
        rounds: how many reports ``steps`` is cut into.
        seed: orders the pictures; weights and noise come from Keras's global seed.
        verbose: print a line per round.
        callbacks: Keras callbacks; an "epoch" is a round to them. The learning rate is
            not theirs to set.
        steps_per_execution: steps between two calls of ``on_train_batch_end``, at most
            (they must divide a round); the results are the same up to rounding. None:
            20, or 1 in a training of fewer steps than ``LOOP_FROM``.
        jit_compile: True has XLA compile the step of a training of ``XLA_FROM`` steps
            or more, which takes seconds, draws other noise, and on a processor makes
            dense layers faster, convolutions slower; "auto" does so on a GPU alone.
        backup: a folder that keeps every finished round until the end, so that the same
            call goes on after an interruption, to the same weights bit for bit (on the
            same CPU); ``callbacks`` begin anew.

    Returns:
        ``step`` and each figure's value per round, held-out ones named ``val_``, and
        the ``seconds`` of all rounds; those before an interruption are included.

    Raises:
        DivergedError: the loss became nan or exploded; the model has the weights of the
            last finished round.
        RuntimeError: another training uses the folder ``backup``; as its kind
            ``ProcessLostError``: another process of this training ended.
        ValueError: pictures, targets or ``held_out`` don't fit the model, are fewer
            than a batch or each other, or their pixels not in [0, 1]; a callback sets
            the learning rate; a weight is not finite before; ``steps``, ``rounds`` or
            ``steps_per_execution`` is below 1; ``backup`` holds that of another
            training; devices can't share a batch alike, or processes differ.
    """
    rounds, each, together = divided(steps, rounds, steps_per_execution)
    x, targets = checked_arrays(model, x, targets, "x", batch_size)
    if held_out is not None:
        held_out, _ = checked_arrays(model, held_out, None, "held_out", 1)
    processes.check(batch_size, held_out, jit_compile)
    schedule = one_cycle(rounds * each, learning_rate)
    optimizer = keras.optimizers.Adam(schedule, beta_2=0.99, weight_decay=weight_decay)
    compile_with(model, optimizer, together, xla_if_it_pays(jit_compile, steps))
    about: dict[str, object] = {"steps": rounds * each, "rounds": rounds, "seed": seed}
    about |= {"batch_size": batch_size, "learning_rate": learning_rate}
    about |= {"weight_decay": weight_decay, "x": described(x)}
    about |= {"targets": described(targets), "held_out": described(held_out)}
    with processes.together(about, backup), Backup(backup, about) as kept:
        batches = endless_batches(x, targets, batch_size, seed, kept.rounds * each)
        pace = {"epochs": rounds, "initial_epoch": kept.rounds, "steps_per_epoch": each}
        said = [report(each)] if verbose and processes.rank() == 0 else []
        heard = [*listeners(callbacks), kept, *said]
        options = pace | {"callbacks": heard} | processes.evaluated(held_out)
        fit(model, batches, steps, **options)
    history = {name: np.asarray(values) for name, values in kept.history.items()}
    steps_done = each * np.arange(1, kept.rounds + 1)
    return {"step": steps_done, "seconds": kept.seconds, **history}


def train_seeded(
    model: keras.Model, x: Arrays, *, steps: int, seed: int = 0, **options
) -> dict[str, np.ndarray]:
    """``train`` after seeding Keras, so that the noise repeats as the order does."""
    keras.utils.set_random_seed(seed)
    return train(model, x, steps=steps, seed=seed, **options)


def xla_if_it_pays(jit: bool | str, steps: int) -> bool | str:
    """Return what Keras's ``jit_compile`` should be in a training of so many steps."""
    return "auto" if jit is True and steps < XLA_FROM else jit


def fit(model: keras.Model, batches: Iterator, steps: int, **options) -> None:
    """Call Keras's ``fit`` of a compiled model on endless batches, silently.

    Without a trace, if that takes longer than ``steps`` do.

    Args:
        options: of Keras's method; by default all steps are one epoch.
    """
    build_optimizer(model)
    few = model.jit_compile is not True and not pays_to_trace(steps)
    model.run_eagerly = few
    options = {"steps_per_epoch": steps, "shuffle": False, "verbose": 0} | options
    try:
        keras.Model.fit(model, batches, **options)
    finally:
        if few:  # what comes later may be longer
            model.run_eagerly = False
            model.train_function = model.test_function = None


def divided(steps: int, rounds: int, together: int | None) -> tuple[int, int, int]:
    """Return rounds, steps per round, and as many ``together`` as divide a round.

    None together: 20, or 1 of fewer steps than ``LOOP_FROM``.

    Raises:
        ValueError: a number is below 1.
    """
    if together is None:
        together = 20 if steps >= LOOP_FROM else 1
    if min(steps, rounds, together) < 1:
        raise ValueError(
            "steps, rounds and steps_per_execution must be at least 1, and are "
            f"{steps}, {rounds} and {together}"
        )
    rounds = min(rounds, steps)
    each = math.ceil(steps / rounds)
    return rounds, each, max(n for n in range(1, together + 1) if each % n == 0)


def compile_with(
    model: keras.Model,
    optimizer: keras.Optimizer,
    together: int,
    jit: bool | str,
    own_loss: bool = False,
) -> None:
    """Compile a model, with its own loss or the mean squared error.

    Args:
        together: steps per execution.
        jit: whether XLA compiles the step.
        own_loss: the model adds its loss itself, as a VAE does in any case.
    """
    if processes.replicas() > 1:  # Keras can't do more than a step at once there
        together = 1
    if jit is True:
        start_xla()
    loss = None if own_loss or isinstance(model, VAE) else "mse"
    options = {"steps_per_execution": together, "jit_compile": jit}
    model.compile(optimizer, loss, **options)
    build_optimizer(model)


def listeners(callbacks: Sequence[keras.callbacks.Callback]) -> list:
    """Return a guard and the callbacks; ValueError if one sets the learning rate."""
    setters = keras.callbacks.ReduceLROnPlateau, keras.callbacks.LearningRateScheduler
    for callback in callbacks:
        if isinstance(callback, setters):
            raise ValueError(
                f"train sets the learning rate itself, and {type(callback).__name__} "
                "would too: leave it out, or compile the model and call fit"
            )
    return [Guard(), *callbacks]


def described(arrays: Arrays | None) -> str:
    """Return shapes, and a checksum of some hundred pictures, to tell data apart."""
    if arrays is None:
        return "none"
    if isinstance(arrays, tuple):
        return " and ".join(map(described, arrays))
    some = arrays[:: len(arrays) // 500 + 1].tobytes()
    return f"{arrays.shape} {zlib.crc32(some):08x}"
