"""How timings are taken and printed: medians of three, with a range."""

import time

import numpy as np

REPEATS = 3


def row(name: str, figures: list[float], unit: str) -> None:
    """Print a median and a range."""
    low, middle, high = np.quantile(figures, [0, 0.5, 1])
    print(f"{name:58s}{middle:10.2f} [{low:.2f}, {high:.2f}] {unit}", flush=True)


def seconds(function, *arguments, **options) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start
