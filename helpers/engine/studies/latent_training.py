"""One training of a part of ``latent_cats``, by steps or by seconds, with its curve."""

import time
from collections.abc import Callable

import keras
import numpy as np
from keras import ops

from helpers.engine import files, paths, stateless
from helpers.engine.studies.stepping import Steps

MARKS = 20  # measurements on the way
RISE = 0.05  # the share of a training in which the rate rises; then it falls to 0
AVERAGED = {True: 0.995, False: 0.999}  # of the weights' average per step, by "cores"
EACH = 30.0  # seconds between two states kept


def folder():
    """Return where states and weights are kept."""
    return paths.build_folder() / "latent_cats"


def averaged() -> float:
    """Return how the weights' moving average goes: a processor takes fewer steps."""
    return AVERAGED["core" in stateless.machine()]


def cycle(progress: float) -> float:
    """Return the share of the peak rate where so much of a training is done."""
    if progress < RISE:
        return 0.1 + 0.9 * progress / RISE
    return 0.5 + 0.5 * np.cos(np.pi * min(1.0, (progress - RISE) / (1 - RISE)))


class Training:
    """A training of a model, which goes on from the file that it keeps.

    Args:
        name: of the files in ``folder()``.
        model: what is trained.
        batch: a function of seeds that returns the tensors of a batch, drawn from
            ``data``.
        loss: a function of these tensors that returns a number.
        validation: a function that returns the figures of the model as it stands, of
            which the one called ``loss`` chooses the weights.
        data: variables that a batch is drawn from.
        rate: the learning rate's peak.
        decay: the weight decay.
        together: steps that are compiled as one.
        between: called with the share that is done, between ``together`` steps.
    """

    def __init__(
        self,
        name: str,
        model: keras.Model,
        batch: Callable,
        loss: Callable,
        validation: Callable[[], dict[str, float]],
        data: list,
        rate: float,
        decay: float = 0.0,
        together: int = 25,
        between: Callable[[float], None] = lambda done: None,
    ):
        self.name, self.model, self.validation = name, model, validation
        self.batch, self.loss, self.between = batch, loss, between
        self.weights, self.peak = model.trainable_variables, rate
        self.optimizer = keras.optimizers.Adam(
            rate,
            beta_2=0.99,
            weight_decay=decay or None,
            global_clipnorm=1.0,
            use_ema=True,
            ema_momentum=averaged(),
        )
        self.optimizer.build(self.weights)
        trained = {id(weight) for weight in self.weights}
        self.others = [v for v in model.variables if id(v) not in trained]
        kept = [*self.weights, *self.others, *self.optimizer.variables]
        file = folder() / f"{name}.state.npz"
        file.parent.mkdir(parents=True, exist_ok=True)
        self.steps = Steps(self.step, kept, file, together, data, xla=False)

    def step(self, number) -> None:
        """Take a step; its noise, that of dropout too, comes from its number alone."""
        seeds, masks = stateless.split(stateless.seeds_of(0, number))
        layers = [v for v in self.others if "seed_generator" in v.path]
        fresh = stateless.split(masks, len(layers) + 1)
        for variable, mask in zip(layers, fresh, strict=False):
            variable.assign(ops.cast(mask, variable.dtype))
        tensors = self.batch(seeds)
        slopes = stateless.gradients(
            lambda: self.loss(*tensors), self.weights, self.others
        )
        self.optimizer.apply(slopes, self.weights)

    @property
    def rows(self) -> list[dict]:
        """The curve: figures by step."""
        return self.steps.rows

    def go(self, steps: int = 0, seconds: float = 0.0) -> None:
        """Train for so many steps or, if they are 0, seconds; leave the best weights.

        The rate reaches its end in either case. Seconds are those of the steps, and the
        first ones, which are compiled, leave the rate where it begins. What chooses
        among the marks is the validation loss of the averaged weights.
        """
        last, compiling = time.monotonic(), 0.0
        while True:
            spent, done = self.steps.seconds, self.steps.done / max(1, steps)
            if not steps:
                done = (spent - compiling) / max(1e-3, seconds - compiling)
            self.mark(min(1.0, done))
            if done >= 1:
                break
            self.between(done)
            self.optimizer.learning_rate = self.peak * cycle(done)
            self.steps.go_to(self.steps.done + self.steps.together)
            compiling = compiling or self.steps.seconds - spent
            if time.monotonic() - last > EACH:
                self.steps.keep()
                last = time.monotonic()
        self.steps.keep()
        with np.load(self.file) as archive:
            for place, weight in enumerate(self.model.weights):
                weight.assign(archive[f"arr_{place}"])

    @property
    def file(self):
        """Where the best weights are, in 32 bits."""
        return folder() / f"{self.name}.weights.npz"

    def mark(self, done: float) -> None:
        """Measure, if it is time, and keep the averaged weights if none were better."""
        known = any(row["step"] == self.steps.done for row in self.rows)
        if known or done * MARKS < len(self.rows) + 1:
            return
        raw = [ops.convert_to_numpy(weight) for weight in self.weights]
        self.optimizer.finalize_variable_values(self.weights)
        figures = self.validation()
        best = min((row["loss"] for row in self.rows), default=np.inf)
        if figures["loss"] < best or not self.file.exists():
            arrays = [ops.convert_to_numpy(weight) for weight in self.model.weights]
            with files.whole(self.file) as file:
                np.savez(file, *arrays)
        row = {"step": self.steps.done, "seconds": self.steps.seconds, **figures}
        print(self.name, *(f"{k} {v:.5g}" for k, v in row.items()), flush=True)
        self.rows.append(row)
        for weight, value in zip(self.weights, raw, strict=True):
            weight.assign(value)
