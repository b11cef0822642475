"""One ladder of VAEs on binary MNIST, each rung a small change of the one before.

Training digits are tossed anew whenever they are seen; validation and test digits once.
What a rung needs to go on is in ``build/ladder``, and in the end its weights.
"""

import math

import numpy as np

from helpers.engine import files, paths
from helpers.engine.studies.digits import load

LATENTS, BATCH, TOGETHER = 50, 256, 20  # steps that are compiled as one
PLAIN = {"widths": [512, 512], "residual": False, "bias": False, "prior": "normal"}
PLAIN |= {"samples": 1, "doubly": False, "cycle": False}
WELL = PLAIN | {"widths": [512] * 4, "residual": True, "bias": True, "cycle": True}
RUNGS = {
    "plain": PLAIN,
    "trained_well": WELL,
    "importance": WELL | {"samples": 5},
    "doubly": WELL | {"samples": 5, "doubly": True},
    "mixture": WELL | {"prior": "mixture", "components": 500},
    "vamp": WELL | {"prior": "vamp", "components": 500},
    "flow": WELL | {"prior": "flow"},
    "two_layers": WELL | {"prior": "layer", "samples": 5, "doubly": True},
    "flow_doubly": WELL | {"prior": "flow", "samples": 5, "doubly": True},
}
RATES = {False: 1e-3, True: 3e-3}  # constant; the peak of a cycle
DECAY, BETA_2 = 0.1, 0.99  # of a cycle
AVERAGED = 0.05  # share of the steps over which a cycle averages its weights
SHORT, LONG, LONGEST = 3000, 12_000, 60_000  # steps
SEEDS, MARKS = (0, 1, 2), 10  # measurements on the way
DIGITS, IMPORTANCE = 1000, 5000  # test digits, drawn at random; codes for each
KEYS = ("rung", "steps", "rate", "seed")
TIMES = ("seconds", "processor_seconds")  # of the training alone
FIGURES = ("train_elbo", "validation_elbo", *TIMES)
COLUMNS = (*KEYS, "parameters", "nll", "nll_error", "elbo", "gap", *FIGURES)
CURVES = (*KEYS, "step", *FIGURES)
TABLES = {"ladder": COLUMNS, "ladder_curves": CURVES}
RESUMES = True


def grid() -> list[dict]:
    """Return every run: all rungs, other rates and seeds, and then longer trainings."""

    def one(rung, steps=SHORT, factor=1.0, seed=0):
        rate = factor * RATES[RUNGS[rung]["cycle"]]
        return dict(zip(KEYS, (rung, steps, rate, seed), strict=True))

    runs = [one(rung) for rung in RUNGS]
    runs += [one(n, factor=f) for n in ("plain", "trained_well") for f in (0.5, 2.0)]
    runs += [one("flow", LONG)]
    runs += [one(rung, seed=seed) for seed in SEEDS[1:] for rung in RUNGS]
    runs += [one(rung, LONG) for rung in ("trained_well", "mixture", "flow_doubly")]
    return [*runs, one("flow", LONGEST), one("flow_doubly", LONGEST)]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Return one run's row and its curve; its weights stay in ``build/ladder``.

    Likelihood and ELBO are of the same random ``DIGITS`` test digits for every rung,
    by ``IMPORTANCE`` codes each; ``gap`` is by how much the ELBO is the lower.
    """
    import keras

    from helpers.engine.studies import ladder_models

    digits = binary_digits()
    options = RUNGS[configuration["rung"]]
    keras.utils.set_random_seed(configuration["seed"])
    model = ladder_models.build(digits["grey"], LATENTS, **options)
    training = trained(configuration, options, model, digits)
    stem = name_of(configuration)
    with files.whole(folder() / f"{stem}.weights.npz") as file:
        np.savez(file, *[weight.numpy() for weight in model.weights])
    elbo, likelihood = ladder_models.Bounds(model).likelihood(
        digits["test"], IMPORTANCE
    )
    error = likelihood.std(ddof=1) / math.sqrt(len(likelihood))
    row = {"parameters": sum(math.prod(w.shape) for w in model.weights)}
    row |= {"nll": float(-likelihood.mean()), "nll_error": float(error)}
    row |= {"elbo": float(elbo.mean()), "gap": float((likelihood - elbo).mean())}
    last = {name: training.rows[-1][name] for name in FIGURES}
    return {"ladder": [row | last], "ladder_curves": training.rows}


def folder():
    """Return where states and weights are kept."""
    return paths.build_folder() / "ladder"


def name_of(configuration: dict) -> str:
    """Return what the files of a run are called."""
    return "_".join(str(configuration[key]) for key in KEYS)


def binary_digits() -> dict[str, np.ndarray]:
    """Return flat pictures, float32: ``grey`` to train on, binary ones to measure on.

    Of training digits 10,000 are drawn at random, as many as there are for validation.
    """
    from helpers import metrics

    data = load()
    grey = {
        part: getattr(data, f"x_{part}").reshape(-1, data.x_train[0].size)
        for part in ("train", "validation", "test")
    }
    digits = {part: metrics.binarised(x, seed=0) for part, x in grey.items()}
    for part, count in (("train", 10_000), ("test", DIGITS)):
        x = digits[part]
        chosen = np.random.default_rng(0).permutation(len(x))[:count]
        digits[part] = x[np.sort(chosen)]
    return {"grey": grey["train"], **digits}


def trained(configuration: dict, options: dict, model, digits: dict):
    """Train a model, or go on with it, and return its ``Steps``, curve included.

    It is left with the averages of its weights, if it has such.
    """
    import tensorflow as tf

    from helpers.engine.studies import ladder_models
    from helpers.engine.studies.stepping import Steps

    steps, seed = configuration["steps"], configuration["seed"]
    optimizer = optimizer_for(options["cycle"], steps, configuration["rate"])
    optimizer.build(model.weights)
    grey = tf.constant(digits["grey"])
    kind = "doubly" if options["doubly"] else "bound"
    gradients = getattr(ladder_models, f"{kind}_gradients")

    def step(number):
        seeds = tf.unstack(tf.random.split(tf.stack([seed, number]), 3))
        rows = tf.random.stateless_uniform((BATCH,), seeds[0], 0, len(grey), tf.int32)
        chances = tf.gather(grey, rows)
        tossed = tf.random.stateless_uniform(chances.shape, seeds[1]) < chances
        x = tf.cast(tossed, tf.float32)
        slopes = gradients(model, x, seeds[2], options["samples"])
        optimizer.apply(slopes, model.weights)

    kept = [*model.weights, *optimizer.variables]
    training = Steps(step, kept, folder() / f"{name_of(configuration)}.npz", TOGETHER)
    bounds = ladder_models.Bounds(model)
    for mark in range(1, MARKS + 1):
        training.go_to(steps * mark // MARKS)
        if len(training.rows) >= mark:
            continue
        raw = [weight.numpy() for weight in model.weights]
        optimizer.finalize_variable_values(model.weights)  # the averages, if any
        row = {"step": training.done}
        for part in ("train", "validation"):
            row[f"{part}_elbo"] = float(bounds.elbo(digits[part]).mean())
        training.rows.append(row | {name: getattr(training, name) for name in TIMES})
        for weight, value in zip(model.weights, raw, strict=True):
            weight.assign(value)
        training.keep()
    optimizer.finalize_variable_values(model.weights)
    return training


def optimizer_for(cycle: bool, steps: int, rate: float):
    """Return Adam at a constant rate; or with a cycle, weight decay, and averages."""
    import keras

    from helpers import training

    if not cycle:
        return keras.optimizers.Adam(rate)
    return keras.optimizers.Adam(
        training.one_cycle(steps, rate),
        beta_2=BETA_2,
        weight_decay=DECAY,
        use_ema=True,
        ema_momentum=1 - 1 / max(1.0, AVERAGED * steps),
    )
