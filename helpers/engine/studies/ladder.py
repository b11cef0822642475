"""One ladder of VAEs on binary MNIST, each rung a small change of the one before.

Training digits are tossed anew whenever they are seen; validation and test digits once.
What a rung needs to go on is in ``build/ladder``, and in the end its weights.
"""

import math

import numpy as np

from helpers.engine import files, paths
from helpers.engine.studies.digits import load

LATENTS, BATCH, TOGETHER = 50, 256, 100  # steps that are compiled as one
PLAIN = {"networks": "dense", "widths": [512, 512], "residual": False, "bias": False}
PLAIN |= {"prior": "normal", "posterior": "normal", "groups": 0}
PLAIN |= {"samples": 1, "doubly": False}
PLAIN |= {"cycle": False, "peak": 1e-3}  # a constant rate, or the peak of a cycle
WELL = PLAIN | {"widths": [512] * 4, "residual": True, "bias": True, "cycle": True}
WELL |= {"peak": 3e-3}
DOUBLY = {"samples": 5, "doubly": True}
CONVOLUTIONAL = {"networks": "convolutional", "peak": 2e-3}
CHAINED = {"peak": 1e-3, "start": "conv_20000_0.002_0"}  # the weights to go on from
RUNGS = {
    "plain": PLAIN,
    "trained_well": WELL,
    "importance": WELL | {"samples": 5},
    "doubly": WELL | DOUBLY,
    "mixture": WELL | {"prior": "mixture", "components": 500},
    "vamp": WELL | {"prior": "vamp", "components": 500},
    "flow": WELL | {"prior": "flow"},
    "flow_posterior": WELL | {"prior": "flow", "posterior": "flow"},
    "two_layers": WELL | {"prior": "layer"} | DOUBLY,
    "flow_doubly": WELL | {"prior": "flow"} | DOUBLY,
    "hierarchy": WELL | {"prior": "flow", "groups": 2},
    "conv": WELL | {"prior": "flow"} | CONVOLUTIONAL,
    "conv_doubly": WELL | {"prior": "flow"} | CONVOLUTIONAL | DOUBLY,
    "conv_chained": WELL | {"prior": "flow"} | CONVOLUTIONAL | DOUBLY | CHAINED,
}
DECAY, BETA_2 = 0.1, 0.99  # of a cycle
AVERAGED = 0.05  # share of the steps over which a cycle averages its weights
SHORT, LONG = 3000, 12_000  # steps
SEEDS, MARKS = (0, 1, 2), 10  # measurements on the way
DIGITS = 1000  # test digits, drawn at random
CODES = {"dense": 5000, "convolutional": 500}  # for each of them
TARGETS = (90, 87, 85, 83, 80)  # nats
ALL_CODES = 500  # for each of all test digits, after LONG steps or more
KEYS = ("rung", "steps", "rate", "seed")
TIMES = ("seconds", "processor_seconds")  # of the training alone
FIGURES = ("train_elbo", "validation_elbo", *TIMES)
NLL = ("codes", "nll", "nll_error", "elbo", "gap", "all_codes", "nll_all")
COLUMNS = (*KEYS, "machine", "done", "parameters", *NLL, *FIGURES)
CURVES = (*KEYS, "step", *FIGURES)
TABLES = {"ladder": COLUMNS, "ladder_curves": CURVES}
RESUMES = True


def grid() -> list[dict]:
    """Return every run: dense rungs, other rates and seeds, and longer trainings.

    The longer ones want a graphics processor.
    """

    def one(rung, steps=SHORT, factor=1.0, seed=0):
        rate = factor * RUNGS[rung]["peak"]
        return dict(zip(KEYS, (rung, steps, rate, seed), strict=True))

    short = [name for name in RUNGS if RUNGS[name]["networks"] == "dense"]
    runs = [one(rung, seed=seed) for seed in SEEDS for rung in short]
    runs += [one(n, factor=f) for n in ("plain", "trained_well") for f in (0.5, 2.0)]
    runs += [one(rung, LONG) for rung in ("trained_well", "mixture", "flow_doubly")]
    runs += [one("flow_doubly", 24_000, 0.5)]  # at the whole rate a longer one diverged
    runs += [one("conv", 20_000), one("conv_doubly", 24_000)]
    return [*runs, one("conv_chained", 5000)]


def board(rows: list[dict]) -> list[dict]:
    """Return by target and machine the run that had the likelihood first.

    Args:
        rows: of the study's table, as text or numbers.

    Returns:
        Rows with ``target`` (nats), ``machine``, ``seconds`` and ``rung``, ``steps``,
        ``seed``, ``nll`` of the run; none for what no run has reached.
    """
    found = []
    for target in TARGETS:
        enough = [row for row in rows if float(row["nll"]) <= target]
        for machine in sorted({row["machine"] for row in enough}):
            own = [row for row in enough if row["machine"] == machine]
            first = min(own, key=lambda row: float(row["seconds"]))
            told = {name: first[name] for name in ("rung", "steps", "seed", "nll")}
            seconds = float(first["seconds"])
            found.append({"target": target, "machine": machine, "seconds": seconds})
            found[-1] |= told
    return found


def run(configuration: dict, seconds: float = math.inf) -> dict[str, list[dict]]:
    """Return one run's row and its curve; its weights stay in ``build/ladder``.

    Likelihood and ELBO are of the same random ``DIGITS`` test digits for every rung,
    by ``codes`` codes each; ``gap`` is by how much the ELBO is the lower.

    Args:
        seconds: of training, after which its next measurement is its last: ``done``
            says how many steps it took.
    """
    import keras

    from helpers.engine import stateless
    from helpers.engine.studies import ladder_models

    digits = binary_digits()
    options = RUNGS[configuration["rung"]]
    keras.utils.set_random_seed(configuration["seed"])
    model = ladder_models.build(digits["grey"], LATENTS, **options)
    if "start" in options:
        begin_with(model, options["start"])
    training = trained(configuration, options, model, digits, seconds)
    stem = name_of(configuration)
    with files.whole(folder() / f"{stem}.weights.npz") as file:
        np.savez(
            file, *[keras.ops.convert_to_numpy(weight) for weight in model.weights]
        )
    row = {"machine": stateless.machine(), "done": training.done}
    row |= {"parameters": sum(math.prod(w.shape) for w in model.weights)}
    row |= measured(
        ladder_models.Bounds(model), digits, configuration["steps"], options
    )
    last = {name: training.rows[-1][name] for name in FIGURES}
    return {"ladder": [row | last], "ladder_curves": training.rows}


def begin_with(model, name: str) -> None:
    """Give a model the weights that a run of this name left, in 16 bits."""
    file = folder() / f"{name}.weights.npz"
    if not file.exists():
        raise FileNotFoundError(f"{file} is missing: make the run {name} first")
    with np.load(file) as archive:
        for place, weight in enumerate(model.weights):
            weight.assign(archive[f"arr_{place}"].astype("float16").astype("float32"))


def measured(bounds, digits: dict, steps: int, options: dict) -> dict:
    """Return the row's figures of test digits, in nats."""
    codes = CODES[options["networks"]]
    elbo, likelihood = bounds.likelihood(digits["test"], codes)
    error = likelihood.std(ddof=1) / math.sqrt(len(likelihood))
    row = {"codes": codes, "nll": float(-likelihood.mean()), "nll_error": float(error)}
    row |= {"elbo": float(elbo.mean()), "gap": float((likelihood - elbo).mean())}
    if steps < LONG and "start" not in options:
        return row | {"all_codes": None, "nll_all": None}
    _, likelihood = bounds.likelihood(digits["all"], ALL_CODES)
    return row | {"all_codes": ALL_CODES, "nll_all": float(-likelihood.mean())}


def folder():
    """Return where states and weights are kept."""
    return paths.build_folder() / "ladder"


def name_of(configuration: dict) -> str:
    """Return what the files of a run are called."""
    return "_".join(str(configuration[key]) for key in KEYS)


def binary_digits() -> dict[str, np.ndarray]:
    """Return flat pictures, float32: ``grey`` to train on, binary ones to measure on.

    Of training digits 10,000 are drawn at random, as many as there are for validation;
    ``all`` are the test digits, and ``test`` some of them.
    """
    from helpers import metrics

    data = load()
    grey = {
        part: getattr(data, f"x_{part}").reshape(-1, data.x_train[0].size)
        for part in ("train", "validation", "test")
    }
    digits = {part: metrics.binarised(x, seed=0) for part, x in grey.items()}
    digits["all"] = digits["test"]
    for part, count in (("train", 10_000), ("test", DIGITS)):
        x = digits[part]
        chosen = np.random.default_rng(0).permutation(len(x))[:count]
        digits[part] = x[np.sort(chosen)]
    return {"grey": grey["train"], **digits}


def trained(
    configuration: dict, options: dict, model, digits: dict, seconds: float = math.inf
):
    """Train a model, or go on with it, and return its ``Steps``, curve included.

    It is left with the averages of its weights, if it has such.
    """
    import keras
    from keras import ops

    from helpers.engine.studies import ladder_models
    from helpers.engine.studies.stepping import Steps

    steps = configuration["steps"]
    optimizer = optimizer_for(options["cycle"], steps, configuration["rate"])
    optimizer.build(model.weights)
    grey = keras.Variable(digits["grey"], trainable=False)
    step = step_of(configuration["seed"], options, model, optimizer, grey)
    kept = [*model.weights, *optimizer.variables]
    file = folder() / f"{name_of(configuration)}.npz"
    training = Steps(step, kept, file, TOGETHER, [grey])
    bounds = ladder_models.Bounds(model)
    for mark in range(1, MARKS + 1):
        if training.rows and training.seconds > seconds:
            break
        training.go_to(steps * mark // MARKS)
        if len(training.rows) >= mark:
            continue
        raw = [ops.convert_to_numpy(weight) for weight in model.weights]
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


def step_of(seed: int, options: dict, model, optimizer, grey):
    """Return a step of a training on digits tossed from grey ones, a variable."""
    from keras import ops

    from helpers.engine import stateless
    from helpers.engine.studies import ladder_models

    kind = "doubly" if options["doubly"] else "bound"
    gradients = getattr(ladder_models, f"{kind}_gradients")

    def step(number):
        seeds = stateless.split(stateless.seeds_of(seed, number), 3)
        rows = stateless.integers((BATCH,), seeds[0], grey.shape[0])
        chances = ops.take(grey, rows, axis=0)
        tossed = stateless.uniform(chances.shape, seeds[1]) < chances
        x = ops.cast(tossed, "float32")
        slopes = gradients(model, x, seeds[2], options["samples"])
        optimizer.apply(slopes, model.weights)

    return step


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
