"""One training of one of the paper's algorithms, and what is measured of it."""

import functools
import math

import keras
import numpy as np
import tensorflow as tf

from helpers import likelihoods
from helpers.engine import paths
from helpers.engine.studies import paper
from helpers.engine.studies import paper_algorithms as algorithms
from helpers.engine.studies.stepping import Steps


class Training:
    """One training of a run at one rate, which goes on from the file that it keeps.

    Args:
        configuration: of the run, by ``paper.KEYS``.
        digits: as ``paper.chosen_digits`` returns them.
        rate: the step size of Adagrad, whose sums of squares begin at 0.

    Attributes:
        judge: the name of the figure that chooses the rate.
        steps: ``Steps``, whose rows are the curve.
    """

    def __init__(self, configuration: dict, digits: dict[str, np.ndarray], rate: float):
        self.digits, self.latents = digits, configuration["latents"]
        self.figure, self.name = configuration["figure"], configuration["algorithm"]
        self.judge = "validation_bound" if self.figure == 2 else "validation_likelihood"
        keras.utils.set_random_seed(0)
        self.points = tf.constant(digits["points"])
        sizes = self.points.shape[1], self.latents, paper.HIDDEN[self.figure]
        encoder, decoder = algorithms.networks(*sizes)
        nll = likelihoods.Bernoulli().negative_log_likelihood
        self.model = algorithms.Model(encoder, decoder, nll, algorithms.coins)
        has_encoder = self.name != "mcem"
        networks = (encoder, decoder) if has_encoder else (decoder,)
        self.trained = [w for each in networks for w in each.trainable_variables]
        self.optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0)
        self.optimizer.build(self.trained)
        more, step = self.batches() if has_encoder else self.chains()
        kept = [*self.trained, *self.optimizer.variables, *more]
        stem = "_".join(str(configuration[key]) for key in paper.KEYS[:-1])
        file = paths.build_folder() / "paper" / f"{stem}_{rate}.npz"
        self.steps = Steps(step, kept, file, self.together)

    def batches(self):
        """Return no more variables, and a step of AEVB or wake-sleep."""
        loss = getattr(algorithms, f"{self.name}_loss")
        self.samples, self.together = paper.BATCH, paper.TOGETHER

        def step(number):
            seeds = tf.unstack(tf.random.split(tf.stack([0, number]), 3))
            size, count = (paper.BATCH,), len(self.points)
            rows = tf.random.stateless_uniform(size, seeds[0], 0, count, tf.int32)
            grey = tf.gather(self.points, rows)
            tossed = tf.random.stateless_uniform(grey.shape, seeds[1]) < grey
            x = tf.cast(tossed, tf.float32)
            self.update(lambda: loss(self.model, x, seeds[2]))

        return [], step

    def chains(self):
        """Return a chain for every point, and a step of Monte Carlo EM.

        Samples are counted through the decoder, in trajectories too.
        """
        self.samples = paper.BATCH * (paper.LEAPS + paper.UPDATES)
        self.together = paper.TOGETHER // 5
        blocks = tf.reshape(self.points, (-1, paper.BATCH, self.points.shape[1]))
        shape = (*blocks.shape[:2], self.latents)
        z = tf.Variable(tf.random.stateless_normal(shape, [0, 0]))
        sizes = tf.Variable(tf.fill((*shape[:2], 1), 0.1))

        def step(number):
            block = number % len(blocks)
            here = [tf.gather(array, block) for array in (blocks, z, sizes)]
            options = {"leaps": paper.LEAPS, "updates": paper.UPDATES}
            options |= {"seeds": tf.stack([0, number]), "update": self.update}
            found = algorithms.mcem_step(self.model, *here, **options)
            for variable, value in zip((z, sizes), found, strict=True):
                place = [[block]]
                variable.assign(tf.tensor_scatter_nd_update(variable, place, [value]))

        return [z, sizes], step

    def update(self, loss) -> None:
        """Take a step of Adagrad to the mode of the weights, whose prior is N(0, I).

        A loss is a mean over digits, and the prior counts once for all of them.
        """
        with tf.GradientTape() as tape:
            decay = sum(tf.reduce_sum(w**2) for w in self.trained) / 2
            value = loss() + decay / len(self.points)
        self.optimizer.apply(tape.gradient(value, self.trained), self.trained)

    def rounded(self, samples: float) -> int:
        """Return the samples seen where the training stops that is to see so many."""
        each = self.samples * self.together
        return each * math.ceil(samples / each - 1e-6)

    def go_to(self, samples: float) -> None:
        """Train until so many samples are seen, and measure, unless that is done."""
        samples = self.rounded(samples)
        if any(row["samples"] == samples for row in self.steps.rows):
            return
        self.steps.go_to(samples // self.samples)
        times = {name: getattr(self.steps, name) for name in paper.TIMES}
        self.steps.rows.append({"samples": samples, **self.measured(), **times})
        self.steps.keep()

    def measured(self) -> dict[str, float]:
        """Return bounds, and for figure 3 both estimates of the likelihood."""
        figures = {}
        for part in paper.PARTS:
            x = self.digits[part]
            if self.name != "mcem":
                figures[f"{part}_bound"] = self.bound(x)
            if self.figure == 3:
                each, weighed = self.likelihood(x[: paper.SOME])
                figures[f"{part}_likelihood"] = float(each.mean())
                figures[f"{part}_importance"] = float(weighed.mean())
                error = each.std(ddof=1) / math.sqrt(len(each))
                figures[f"{part}_error"] = float(error)
        return figures

    @functools.cached_property
    def likelihood(self):
        """The estimator of ln p(x), compiled once."""
        return algorithms.Likelihood(self.model.log_joint, self.latents)

    def bound(self, x: np.ndarray) -> float:
        """Return the mean ELBO of pictures, with one z each."""
        parts = np.split(x, range(1000, len(x), 1000))
        each = [
            float(algorithms.aevb_loss(self.model, tf.constant(part), [1, place]))
            for place, part in enumerate(parts)
        ]
        return -float(np.average(each, weights=[len(part) for part in parts]))
