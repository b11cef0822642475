"""Trainings of the ladder's rungs: for a number of steps, or by a clock."""

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from helpers import training
from helpers.engine import stateless
from helpers.engine.studies import ladder, ladder_models
from helpers.engine.studies.stepping import Steps

PIECE = 25  # steps that are compiled as one, and between two looks at a clock
RISE = 0.1  # the share of the time in which a rate rises


def for_steps(
    configuration: dict,
    options: dict,
    model: ladder_models.Model,
    digits: dict[str, np.ndarray],
    seconds: float = math.inf,
    tell: Callable[[dict], None] = lambda row: None,
) -> Steps:
    """Train a model, or go on with it, and return its ``Steps``, curve included.

    It is left with the averages of its weights, if it has such.

    Args:
        tell: called with each row of the curve, those of an earlier call too.
    """
    steps = configuration["steps"]
    optimizer = optimizer_for(options["cycle"], steps, configuration["rate"])
    optimizer.build(model.weights)
    grey = keras.Variable(digits["grey"], trainable=False)
    step = step_of(configuration["seed"], options, model, optimizer, grey)
    kept = [*model.weights, *optimizer.variables]
    file = ladder.folder() / f"{ladder.name_of(configuration)}.npz"
    done = Steps(step, kept, file, ladder.TOGETHER, [grey])
    bounds = ladder_models.Bounds(model)
    for mark in range(1, ladder.MARKS + 1):
        if done.rows and done.seconds > seconds:
            break
        done.go_to(steps * mark // ladder.MARKS)
        if len(done.rows) < mark:
            raw = [ops.convert_to_numpy(weight) for weight in model.weights]
            optimizer.finalize_variable_values(model.weights)  # the averages, if any
            done.rows.append({"step": done.done} | elbos(bounds, digits))
            done.rows[-1] |= {name: getattr(done, name) for name in ladder.TIMES}
            for weight, value in zip(model.weights, raw, strict=True):
                weight.assign(value)
            done.keep()
        tell(done.rows[mark - 1])
    optimizer.finalize_variable_values(model.weights)
    return done


def elbos(bounds: ladder_models.Bounds, digits: dict[str, np.ndarray]) -> dict:
    """Return the mean ELBO of training and of validation digits."""
    parts = ("train", "validation")
    return {f"{part}_elbo": float(bounds.elbo(digits[part]).mean()) for part in parts}


def step_of(
    seed: int,
    options: dict,
    model: ladder_models.Model,
    optimizer: keras.optimizers.Optimizer,
    grey: keras.Variable,
    batch: int | None = None,
) -> Callable:
    """Return a step of a training on digits tossed from grey ones."""
    kind = "doubly" if options["doubly"] else "bound"
    gradients = getattr(ladder_models, f"{kind}_gradients")
    size = (batch or ladder.BATCH,)

    def step(number):
        seeds = stateless.split(stateless.seeds_of(seed, number), 3)
        rows = stateless.integers(size, seeds[0], grey.shape[0])
        chances = ops.take(grey, rows, axis=0)
        tossed = stateless.uniform(chances.shape, seeds[1]) < chances
        x = ops.cast(tossed, "float32")
        slopes = gradients(model, x, seeds[2], options["samples"])
        optimizer.apply(slopes, model.weights)

    return step


def optimizer_for(cycle: bool, steps: int, rate: float) -> keras.optimizers.Optimizer:
    """Return Adam at a constant rate; or with a cycle, weight decay, and averages."""
    if not cycle:
        return keras.optimizers.Adam(rate)
    return keras.optimizers.Adam(
        training.one_cycle(steps, rate),
        beta_2=ladder.BETA_2,
        weight_decay=ladder.DECAY,
        use_ema=True,
        ema_momentum=1 - 1 / max(1.0, ladder.AVERAGED * steps),
    )


# By the clock


def cycle(done: float) -> float:
    """Return the share of the peak rate where so much of a training is over."""
    if done < RISE:
        return 0.1 + 0.9 * done / RISE
    return 0.5 + 0.5 * math.cos(math.pi * min(1.0, (done - RISE) / (1 - RISE)))


def by_clock(task: Any, rung: str, batch: int | None = None, **changes) -> Iterator:
    """Train a rung as an entry of the board, by a cycle that ends with its time.

    The rate changes between ``PIECE`` steps, and averages of the weights are taken
    there too.

    Args:
        task: of ``tests/ladder_board.py``; its ``done`` is the share of time over.
        rung: a name in ``ladder.RUNGS``.
        batch: digits per step.
        changes: of the rung's options.

    Yields:
        Steps taken, a function that returns log weights of digits, and the variables
        from which the training goes on.
    """
    options = ladder.RUNGS[rung] | changes
    keras.utils.set_random_seed(task.seed)
    model = ladder_models.build(task.grey, ladder.LATENTS, **options)
    grey = keras.Variable(task.grey, trainable=False)
    more = {"beta_2": ladder.BETA_2, "weight_decay": ladder.DECAY}
    optimizer = keras.optimizers.Adam(
        options["peak"], **more if options["cycle"] else {}
    )
    optimizer.build(model.weights)
    averages = Averages(model.weights)
    changed = [*model.weights, *optimizer.variables]
    kept = [*changed, *averages.variables, averages.before]
    if task.kept:
        for variable, array in zip(kept, task.kept, strict=True):
            variable.assign(array)
    xla = options["networks"] == "dense" or "core" not in stateless.machine()
    step = step_of(task.seed, options, model, optimizer, grey, batch)
    several = stateless.repeated(step, changed, PIECE, [grey], xla)
    log_weights = log_weights_of(model, averages.variables, xla)
    steps = task.steps
    while True:
        if options["cycle"]:
            optimizer.learning_rate = options["peak"] * cycle(task.done)
        several(steps)
        steps += PIECE
        averages.take(task.done if options["cycle"] else 0.0)
        yield steps, log_weights, kept


class Averages:
    """Moving averages of weights, taken now and then: at first the weights."""

    def __init__(self, weights: list):
        values = map(ops.convert_to_numpy, weights)  # a variable would be the same one
        self.variables = [keras.Variable(value, trainable=False) for value in values]
        self.before = keras.Variable(0.0, trainable=False)
        self.share = keras.Variable(1.0, trainable=False)

        def blend(_):
            for average, weight in zip(self.variables, weights, strict=True):
                average.assign(average + self.share * (weight - average))

        read = [*weights, self.share]
        self.blend = stateless.repeated(blend, self.variables, 1, read)

    def take(self, done: float) -> None:
        """Average over ``AVERAGED`` of the time, of which a share is over."""
        passed = done - float(self.before)
        self.share.assign(min(1.0, passed / ladder.AVERAGED) if passed > 0 else 1.0)
        self.before.assign(done)
        self.blend(0)


def log_weights_of(
    model: ladder_models.Model, averages: list, xla: bool = True
) -> Callable:
    """Return a function of digits (n, D), samples and a seed to log weights, (k, n).

    It is of the model with these averages for its weights.
    """

    def ratios(samples, x, seeds):
        pairs = [(w, a.value) for w, a in zip(model.weights, averages, strict=True)]
        with keras.StatelessScope(pairs):
            return model.log_ratios(x, seeds, samples)

    @functools.cache
    def of(samples: int) -> Callable:
        bound = functools.partial(ratios, samples)
        return stateless.compiled(bound, averages, xla)

    return lambda x, samples, seed: of(samples)(x, stateless.seeds_of(2, seed))
