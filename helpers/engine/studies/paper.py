"""Figures 2 and 3 of "Auto-Encoding Variational Bayes", on MNIST.

Each run has three trainings, one for each rate that the paper tried; after their first
samples one goes on: that with the best bound (figure 2) or likelihood (figure 3) of
validation digits. The state of all is kept in ``build/paper``, and a run to ten million
samples goes on where the one to a million ended.
"""

import contextlib
import json
import math
from pathlib import Path

import numpy as np

from helpers.engine import files, paths
from helpers.engine.studies.digits import load

BATCH, RATES, FIRST = 100, (0.01, 0.02, 0.1), 100_000  # samples before a rate is chosen
MILLIONS = (1, 10)  # samples seen
HIDDEN = {2: 500, 3: 100}  # units, by figure
LATENTS, POINTS = (3, 5, 10, 20, 200), (1000, 50_000)
SHIPPED = (2, 5, 10, 20)  # latents of AEVB's decoders in data/weights: figures 4 and 5
LEAPS, UPDATES = 10, 5  # of an iteration of Monte Carlo EM
TOGETHER = 500  # steps that are compiled as one; of Monte Carlo EM one in 25 of them
EACH_MARK = {2: 5, 3: 2}  # measurements per factor of ten, by figure
SOME = 1000  # digits, drawn at random, on which the slower figures are taken
PARTS = ("train", "validation", "test")
KEYS = ("figure", "algorithm", "latents", "points", "millions")
MEASURES = ("bound", "some_bound", "likelihood", "importance", "error")
TIMES = ("seconds", "processor_seconds")  # of the training alone
FIGURES = (*(f"{part}_{each}" for part in PARTS for each in MEASURES), *TIMES)
TRIED = tuple(f"first_{rate}" for rate in RATES)
COLUMNS = (*KEYS, "rate", *TRIED, "samples", *FIGURES, "machine")
CURVES = (*KEYS, "samples", *FIGURES, "machine")
DIGITS = (*KEYS, "part", "likelihoods")
TABLES = {"paper": COLUMNS, "paper_curves": CURVES, "paper_digits": DIGITS}
RESUMES = True


def grid() -> list[dict]:
    """Return every run, all of a million samples before those of ten."""
    algorithms = ("aevb", "wake_sleep")
    latents = [2, *LATENTS]  # 2 for the manifold, figure 4
    runs = [(2, "aevb", d, POINTS[1]) for d in latents]
    runs += [(2, "wake_sleep", d, POINTS[1]) for d in LATENTS]
    runs += [(3, name, 3, points) for points in POINTS for name in algorithms]
    runs += [(3, "mcem", 3, POINTS[0])]  # needs a chain per digit
    return [
        dict(zip(KEYS, (*each, millions), strict=True))
        for millions in MILLIONS
        for each in runs
    ]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Return one run's row and its curve; the state stays in ``build/paper``."""
    from helpers import models
    from helpers.engine.studies.paper_training import Training

    digits = chosen_digits(configuration)
    firsts = first_figures(configuration, digits)
    rate = max(firsts, key=lambda rate: firsts[rate])
    training = Training(configuration, digits, rate)
    marks = EACH_MARK[configuration["figure"]]
    end = configuration["millions"] * 1_000_000
    for place in range(1 + math.floor(marks * math.log10(end / FIRST) + 1e-9)):
        training.go_to(FIRST * 10 ** (place / marks))
    figure, algorithm, latents, *_ = (configuration[key] for key in KEYS)
    if (figure, algorithm) == (2, "aevb") and latents in SHIPPED:
        path = models.WEIGHTS / f"paper_{latents}.npz"
        models.save_weights(training.model.decoder, path)
    rows = [
        row for row in training.steps.rows if row["samples"] <= training.rounded(end)
    ]
    tried = {f"first_{rate}": value for rate, value in firsts.items()}
    return tables_of({"rate": rate, **tried}, rows)


def tables_of(run: dict, rows: list[dict]) -> dict[str, list[dict]]:
    """Return a run's rows by table, of its figures at every mark."""
    names = {"samples", *FIGURES, "machine"}
    curve = [{name: row[name] for name in row if name in names} for row in rows]
    digits = [
        {"part": part, "likelihoods": rows[-1].get(f"{part}_likelihoods", "")}
        for part in PARTS
    ]
    tables = [{**run, **curve[-1]}], curve, digits
    return dict(zip(TABLES, tables, strict=True))


def first_figures(
    configuration: dict, digits: dict[str, np.ndarray]
) -> dict[float, float]:
    """Return by rate what judges it after its first samples, if it did not diverge.

    The best rate's training stays, and what the others came to, in a file.
    """
    from helpers.engine.studies.paper_training import Training
    from helpers.training import DivergedError

    file, firsts = state_file(configuration, "firsts.json"), {}
    if file.exists():
        return {float(rate): value for rate, value in json.loads(file.read_text())}
    for rate in RATES:
        training = Training(configuration, digits, rate)
        with contextlib.suppress(DivergedError):
            training.go_to(FIRST)
            firsts[rate] = training.steps.rows[0][training.judge]
    with files.whole(file) as whole:
        whole.write(json.dumps(list(firsts.items())).encode())
    for rate in set(RATES) - {max(firsts, key=lambda rate: firsts[rate])}:
        state_file(configuration, f"{rate}.npz").unlink(missing_ok=True)
    return firsts


def state_file(configuration: dict, end: str) -> Path:
    """Return the file of a run, however many samples it will see."""
    stem = "_".join(str(configuration[key]) for key in KEYS[:-1])
    return paths.build_folder() / "paper" / f"{stem}_{end}"


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
