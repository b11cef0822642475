"""Figures 2 and 3 of "Auto-Encoding Variational Bayes", on MNIST.

Each run has three trainings, one for each rate that the paper tried; after their first
samples one goes on: that with the best bound (figure 2) or likelihood (figure 3) of
validation digits. The state of all is kept in ``build/paper``, and a run to ten million
samples goes on where the one to a million ended.
"""

import functools
import math

import numpy as np

from helpers.engine import paths
from helpers.engine.studies.digits import load

BATCH, RATES, FIRST = 100, (0.01, 0.02, 0.1), 100_000  # samples before a rate is chosen
MILLIONS = (1, 10)  # samples seen
HIDDEN = {2: 500, 3: 100}  # units, by figure
LATENTS, POINTS = (3, 5, 10, 20, 200), (1000, 50_000)
LEAPS, UPDATES = 10, 5  # of an iteration of Monte Carlo EM
EACH_MARK = {2: 5, 3: 2}  # measurements per factor of ten, by figure
SOME = 1000  # digits, drawn at random, on which the slower figures are taken
PARTS = ("train", "validation", "test")
KEYS = ("figure", "algorithm", "latents", "points", "millions")
FIGURES = (*(f"{part}_bound" for part in PARTS),)
FIGURES += (*(f"{part}_likelihood" for part in PARTS),)
FIGURES += (*(f"{part}_importance" for part in PARTS),)
FIGURES += ("test_likelihood_error", "seconds", "processor_seconds")
TRIED = tuple(f"first_{rate}" for rate in RATES)
COLUMNS = (*KEYS, "rate", *TRIED, "samples", *FIGURES)
CURVES = (*KEYS, "samples", *FIGURES)
TABLES = {"paper": COLUMNS, "paper_curves": CURVES}
RESUMES = True


def grid() -> list[dict]:
    """Return every run, all of a million samples before those of ten."""
    algorithms = ("aevb", "wake_sleep")
    runs = [(3, name, 3, points) for points in POINTS for name in algorithms]
    runs += [(3, "mcem", 3, POINTS[0])]  # needs a chain per digit
    runs += [
        (2, name, latents, POINTS[1]) for latents in LATENTS for name in algorithms
    ]
    runs += [(2, "aevb", 2, POINTS[1])]  # for the manifold, figure 4
    return [
        dict(zip(KEYS, (*each, millions), strict=True))
        for millions in MILLIONS
        for each in runs
    ]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Return one run's row and its curve; the weights stay in ``build/paper``."""
    digits = chosen_digits(configuration)
    trainings = {rate: Training(configuration, digits, rate) for rate in RATES}
    firsts = {}
    for rate, training in trainings.items():
        training.go_to(FIRST)
        firsts[rate] = training.steps.rows[0][training.judge]
    rate = max(firsts, key=lambda rate: firsts[rate])
    training = trainings[rate]
    marks = EACH_MARK[configuration["figure"]]
    end = configuration["millions"] * 1_000_000
    for place in range(1, 1 + math.floor(marks * math.log10(end / FIRST) + 1e-9)):
        training.go_to(FIRST * 10 ** (place / marks))
    rows = [
        row for row in training.steps.rows if row["samples"] <= training.rounded(end)
    ]
    tried = dict(zip(TRIED, firsts.values(), strict=True))
    return {"paper": [{"rate": rate, **tried, **rows[-1]}], "paper_curves": rows}


def chosen_digits(configuration: dict) -> dict[str, np.ndarray]:
    """Return flat pictures: grey ``points``, and binary ones of each part, float32.

    The training digits of figure 2 are tossed anew whenever they are seen. Figure 3 has
    a number of points, so that these are tossed once.
    """
    from helpers import metrics

    data = load()
    rng, digits = np.random.default_rng(0), {}
    for part in PARTS:
        grey = getattr(data, f"x_{part}").reshape(-1, data.x_train[0].size)
        grey = grey[rng.permutation(len(grey))]
        digits[part] = metrics.binarised(grey, seed=0)
        if part == "train":
            few = configuration["points"]
            digits["points"] = grey if configuration["figure"] == 2 else digits[part]
            digits["points"] = digits["points"][:few]
            digits[part] = digits[part][: min(few, 10_000)]
    return digits


class Training:
    """One training of an algorithm at one rate, and what is measured of it.

    Attributes:
        judge: the name of the figure that chooses the rate.
    """

    def __init__(self, configuration: dict, digits: dict, rate: float):
        import keras

        from helpers import likelihoods
        from helpers.engine.studies import paper_algorithms as algorithms
        from helpers.engine.studies.stepping import Steps

        self.configuration, self.digits, self.algorithms = (
            configuration,
            digits,
            algorithms,
        )
        self.figure, self.name = configuration["figure"], configuration["algorithm"]
        self.judge = "validation_bound" if self.figure == 2 else "validation_likelihood"
        keras.utils.set_random_seed(0)
        pixels = digits["points"].shape[1]
        built = algorithms.networks(
            pixels, configuration["latents"], HIDDEN[self.figure]
        )
        nll = likelihoods.Bernoulli().negative_log_likelihood
        self.model = algorithms.Model(*built, nll, algorithms.coins)
        self.optimizer = keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0)
        self.trained = built[1].trainable_variables
        if self.name != "mcem":
            self.trained = built[0].trainable_variables + self.trained
        self.optimizer.build(self.trained)
        kept, step = self.stepper()
        stem = "_".join(str(configuration[key]) for key in KEYS[:-1])
        file = paths.build_folder() / "paper" / f"{stem}_{rate}.npz"
        self.steps = Steps(step, kept, file, self.together)

    def stepper(self):
        """Return the variables that a step changes, and the step."""
        import tensorflow as tf

        algorithms, model = self.algorithms, self.model
        points = tf.constant(self.digits["points"])
        kept = [*self.trained, *self.optimizer.variables]
        if self.name == "mcem":
            self.samples, self.together = BATCH * (LEAPS + UPDATES), 20
            blocks = tf.reshape(points, (-1, BATCH, points.shape[1]))
            shape = (*blocks.shape[:2], self.configuration["latents"])
            chains = tf.Variable(tf.random.stateless_normal(shape, [0, 0]))
            sizes = tf.Variable(tf.fill((*shape[:2], 1), 0.1))

            def step(number):
                block = number % len(blocks)
                found = algorithms.mcem_step(
                    model,
                    *(array[block] for array in (blocks, chains, sizes)),
                    tf.stack([0, number]),
                    self.update,
                    LEAPS,
                    UPDATES,
                )
                for variable, value in zip((chains, sizes), found, strict=True):
                    place = [[block]]
                    value = tf.tensor_scatter_nd_update(variable, place, [value])
                    variable.assign(value)

            return [*kept, chains, sizes], step
        self.samples, self.together = BATCH, 100
        loss = getattr(algorithms, f"{self.name}_loss")

        def step(number):
            seeds = tf.unstack(tf.random.split(tf.stack([0, number]), 3))
            rows = tf.random.stateless_uniform(
                (BATCH,), seeds[0], 0, len(points), tf.int32
            )
            grey = tf.gather(points, rows)
            tossed = tf.random.stateless_uniform(grey.shape, seeds[1]) < grey
            x = tf.cast(tossed, tf.float32)
            self.update(lambda: loss(model, x, seeds[2]))

        return kept, step

    def update(self, loss) -> None:
        """Take a step of Adagrad to the mode of the weights, whose prior is N(0, I).

        A loss is a mean over digits, and the prior counts once for all of them.
        """
        import tensorflow as tf

        with tf.GradientTape() as tape:
            decay = sum(tf.reduce_sum(w**2) for w in self.trained) / 2
            value = loss() + decay / len(self.digits["points"])
        slopes = tape.gradient(value, self.trained)
        self.optimizer.apply(slopes, self.trained)

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
        times = {name: getattr(self.steps, name) for name in FIGURES[-2:]}
        self.steps.rows.append({"samples": samples, **self.measured(), **times})
        self.steps.keep()

    def measured(self) -> dict:
        """Return bounds, and for figure 3 both estimates of the likelihood."""
        figures = {}
        for part in PARTS:
            x = self.digits[part]
            if self.name != "mcem":
                figures[f"{part}_bound"] = self.bound(x)
            if self.figure == 3:
                paper, weighed = self.likelihood(x[:SOME])
                figures[f"{part}_likelihood"] = float(paper.mean())
                figures[f"{part}_importance"] = float(weighed.mean())
                if part == "test":
                    error = paper.std(ddof=1) / math.sqrt(len(paper))
                    figures["test_likelihood_error"] = float(error)
        return figures

    @functools.cached_property
    def likelihood(self):
        """The estimator of ln p(x), compiled once."""
        latents = self.configuration["latents"]
        return self.algorithms.Likelihood(self.model.log_joint, latents)

    def bound(self, x: np.ndarray) -> float:
        """Return the mean ELBO of pictures, with one z each."""
        import tensorflow as tf

        parts = np.split(x, range(1000, len(x), 1000))
        loss = self.algorithms.aevb_loss
        each = [
            float(loss(self.model, tf.constant(part), [1, place])) * len(part)
            for place, part in enumerate(parts)
        ]
        return -sum(each) / len(x)
