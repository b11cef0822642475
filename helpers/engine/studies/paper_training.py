"""One training of one of the paper's algorithms, and what is measured of it."""

import functools
import math

import keras
import numpy as np
from keras import ops

from helpers import likelihoods
from helpers.engine import stateless
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
        self.points = keras.Variable(digits["points"], trainable=False)
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
        file = paper.state_file(configuration, f"{rate}.npz")
        self.steps = Steps(step, kept, file, self.together, read=[self.points])
        self.loss_of = stateless.compiled(
            lambda x: algorithms.aevb_loss(self.model, x, stateless.seeds_of(1, 0)),
            self.trained,
        )

    def batches(self):
        """Return no more variables, and a step of AEVB or wake-sleep."""
        loss = getattr(algorithms, f"{self.name}_loss")
        self.samples, self.together = paper.BATCH, paper.TOGETHER

        def step(number):
            seeds = stateless.split(stateless.seeds_of(0, number), 3)
            count = self.points.shape[0]
            rows = stateless.integers((paper.BATCH,), seeds[0], count)
            grey = ops.take(self.points, rows, axis=0)
            tossed = stateless.uniform(grey.shape, seeds[1]) < grey
            x = ops.cast(tossed, "float32")
            self.update(lambda: loss(self.model, x, seeds[2]))

        return [], step

    def chains(self):
        """Return a chain for every point, and a step of Monte Carlo EM.

        Samples are counted through the decoder, in trajectories too.
        """
        self.samples = paper.BATCH * (paper.LEAPS + paper.UPDATES)
        self.together = paper.TOGETHER // 25
        count = self.points.shape[0]
        first = stateless.normal((count, self.latents), stateless.seeds_of(1, 0))
        z = keras.Variable(first, trainable=False)
        sizes = keras.Variable(np.full((count, 1), 0.1, "float32"), trainable=False)

        def step(number):
            rows = (number * paper.BATCH + ops.arange(paper.BATCH)) % count
            here = [ops.take(each, rows, axis=0) for each in (self.points, z, sizes)]
            options = {"leaps": paper.LEAPS, "updates": paper.UPDATES}
            seeds = stateless.seeds_of(0, number)
            options |= {"seeds": seeds, "update": self.update}
            found = algorithms.mcem_step(self.model, *here, **options)
            for variable, value in zip((z, sizes), found, strict=True):
                changed = ops.scatter_update(variable, rows[:, None], value)
                variable.assign(changed)

        return [z, sizes], step

    def update(self, loss) -> None:
        """Take a step of Adagrad to the mode of the weights, whose prior is N(0, I).

        A loss is a mean over digits, and the prior counts once for all of them.
        """

        def with_prior():
            decay = sum(ops.sum(ops.square(w)) for w in self.trained) / 2
            return loss() + decay / self.points.shape[0]

        found = stateless.gradients(with_prior, self.trained)
        self.optimizer.apply(found, self.trained)

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
        times |= {"machine": stateless.machine()}
        self.steps.rows.append({"samples": samples, **self.measured(), **times})
        self.steps.keep()

    def measured(self) -> dict[str, float]:
        """Return bounds, and for figure 3 both estimates of the likelihood.

        Those of each digit are one text, for comparisons digit by digit.
        """
        figures = {}
        for part in paper.PARTS:
            x = self.digits[part]
            if self.name != "mcem":
                figures[f"{part}_bound"] = self.bound(x)
            if self.figure == 3:
                some = x[: paper.SOME]
                if self.name != "mcem":
                    figures[f"{part}_some_bound"] = self.bound(some)
                each, weighed = self.likelihood(some)
                figures[f"{part}_likelihood"] = float(each.mean())
                figures[f"{part}_importance"] = float(weighed.mean())
                error = each.std(ddof=1) / math.sqrt(len(each))
                figures[f"{part}_error"] = float(error)
                told = " ".join(f"{one:.2f}" for one in each)
                figures[f"{part}_likelihoods"] = told
        return figures

    @functools.cached_property
    def likelihood(self):
        """The estimator of ln p(x), compiled once."""
        log_joint, weights = self.model.log_joint, self.model.decoder.variables
        return algorithms.Likelihood(log_joint, self.latents, weights)

    def bound(self, x: np.ndarray) -> float:
        """Return the mean ELBO of pictures, with one z each."""
        return -float(self.loss_of(ops.convert_to_tensor(x)))
