"""How often the doctor finds a planted fault, and leaves a sound model in peace."""

import math
from dataclasses import replace

import numpy as np

from helpers.engine.studies.cases import built, case_of, fitted
from helpers.engine.studies.faults import FAULTS

HALVES = {  # thresholds are fixed on the first, and judged on the second
    "small_digits": "fix",
    "signals": "fix",
    "cancer": "fix",
    "digits": "judge",
    "cats": "judge",
    "wine": "judge",
}
SEEDS = {"fix": (0, 1), "judge": (2, 3)}
NUMBERS = ("latents", "values", "weights_finite", "noise", "noise_slope", "kl_ratio")
NUMBERS += ("beta", "distortion_ratio", "bounded", "reach_low", "reach_high")
NUMBERS += ("shift", "shift_errors", "scale", "column_spread", "copied")
NUMBERS += ("copied_within", "sigma", "sigma_ratio", "rate", "dead", "smallest_rate")
NUMBERS += ("told", "variety", "sample_variety", "prior_gain", "slack", "train")
NUMBERS += ("held_out", "gap_error", "constant_train", "constant_held_out")
NUMBERS += ("linear_train", "linear_held_out", "lead_error", "grey")
KEYS = ("data", "seed")
TABLES = {"diagnose": (*KEYS, "half", "fault", "expected", "of_data", *NUMBERS)}


def grid() -> list[dict]:
    """Return every data set with its half's seeds, the first seeds first."""
    return [
        {"data": name, "seed": SEEDS[half][place]}
        for place in range(2)
        for name, half in HALVES.items()
    ]


def load() -> None:
    """All data are at hand, or drawn."""


def run(configuration: dict) -> dict[str, list[dict]]:
    """Plant every fault in one data set, with one seed; return what was measured."""
    case = case_of(configuration["data"], configuration["seed"])
    case = replace(case, sound=fitted(case, built(case)))
    rows = []
    for name, (expected, plant) in FAULTS.items():
        planted = plant(case)
        if planted is not None:
            rows.append({"fault": name, **looked_at(*planted, expected)})
            rows[-1]["half"] = HALVES[case.data]
    return {"diagnose": rows}


def looked_at(vae, x: np.ndarray, new: np.ndarray, expected: tuple) -> dict:
    """Return what the doctor measures on a model, and finds in its data alone."""
    from helpers import metrics

    seen = metrics.diagnose(vae, (x, new))
    numbers = {name: seen.numbers.get(name) for name in NUMBERS}
    numbers = {k: None if v is None or math.isnan(v) else v for k, v in numbers.items()}
    found = " ".join(finding.name for finding in seen if not seen.numbers)
    return {"expected": " ".join(expected), "of_data": found, **numbers}
