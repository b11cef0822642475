"""One ladder of VAEs on binary MNIST, each rung a small change of the one before.

python -m helpers.engine.studies.ladder RUNG [--steps N] [--seconds S] [--seed N]

trains a rung here, prints a line for every mark, and its row at the end; the tables
stay as they are without ``--record``. Training digits are tossed anew whenever they are
seen; validation and test digits once. What a rung needs to go on is in
``build/ladder``, and in the end its weights.
"""

import argparse
import math
import sys
from collections.abc import Callable

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


def run(
    configuration: dict,
    seconds: float = math.inf,
    tell: Callable[[dict], None] = lambda row: None,
) -> dict[str, list[dict]]:
    """Return one run's row and its curve; its weights stay in ``build/ladder``.

    Likelihood and ELBO are of the same random ``DIGITS`` test digits for every rung,
    by ``codes`` codes each; ``gap`` is by how much the ELBO is the lower.

    Args:
        seconds: of training, after which its next measurement is its last: ``done``
            says how many steps it took.
        tell: called with each row of the curve as it is measured.
    """
    import helpers.engine.quiet_start  # noqa: F401  (before Keras)

    # isort: split
    import keras

    from helpers.engine import stateless
    from helpers.engine.studies import ladder_models, ladder_training

    digits = binary_digits()
    options = RUNGS[configuration["rung"]]
    keras.utils.set_random_seed(configuration["seed"])
    model = ladder_models.build(digits["grey"], LATENTS, **options)
    if "start" in options:
        begin_with(model, options["start"])
    given = configuration, options, model, digits
    training = ladder_training.for_steps(*given, seconds, tell)
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


def main(arguments: list[str] | None = None) -> int:
    """Train one rung and print what came out; return the exit status."""
    prog = "python -m helpers.engine.studies.ladder"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("rung", metavar="RUNG", help=", ".join(RUNGS))
    parser.add_argument("--steps", type=int, default=SHORT, help=f"{SHORT:,}")
    about = "of training, after which it ends at the next mark"
    parser.add_argument("--seconds", type=float, default=math.inf, help=about)
    parser.add_argument("--seed", type=int, default=0)
    about = "write the rows into data/results, for a run that the grid has"
    parser.add_argument("--record", action="store_true", help=about)
    given = parser.parse_args(arguments)
    if given.rung not in RUNGS:
        parser.error(f"the rungs are {', '.join(RUNGS)}, not {given.rung}")
    if given.steps < 1:
        parser.error(f"steps must be at least 1, and are {given.steps}")
    each = (given.rung, given.steps, RUNGS[given.rung]["peak"], given.seed)
    configuration = dict(zip(KEYS, each, strict=True))
    if given.record and configuration not in grid():
        parser.error("the tables hold the runs of the study's grid alone")
    try:
        made = run(configuration, given.seconds, lambda row: print(line_of(row)))
    except (OSError, ValueError) as error:  # no MNIST, or no weights to begin with
        print(error, file=sys.stderr)
        return 1
    print(told(configuration | made["ladder"][0]))
    if given.record:
        from helpers.engine import results

        results.record(sys.modules[__name__], configuration, made)
    return 0


def line_of(row: dict) -> str:
    """Return a mark of the curve in words."""
    return (
        f"step {row['step']:6,}: ELBO {row['train_elbo']:.2f} nats on training digits, "
        f"{row['validation_elbo']:.2f} on validation digits; {row['seconds']:.0f} s"
    )


def told(row: dict) -> str:
    """Return a run's row in words."""
    return (
        f"{row['rung']}, seed {row['seed']}, {row['done']:,} of {row['steps']:,} steps,"
        f" {row['parameters']:,} parameters, {row['machine']}: {row['seconds']:.0f} s "
        f"({row['processor_seconds']:.0f} s of processors)\n"
        f"NLL {row['nll']:.2f} ± {row['nll_error']:.2f} nats (K = {row['codes']:,}, "
        f"{DIGITS:,} random test digits), ELBO {row['elbo']:.2f}, gap {row['gap']:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
