"""How much a notebook may compute."""

import os

BUDGETS = ("full", "quick")


def budget() -> str:
    """Return which of ``BUDGETS`` ``VAE_COURSE_BUDGET`` names, by default "full".

    Raises:
        ValueError: the variable holds anything else.
    """
    name = os.environ.get("VAE_COURSE_BUDGET", "full")
    if name not in BUDGETS:
        raise ValueError(f"VAE_COURSE_BUDGET must be one of {BUDGETS}, and is {name!r}")
    return name


def by_budget(*, full: int, quick: int) -> int:
    """Return the number of steps or pictures that the current budget allows."""
    return {"full": full, "quick": quick}[budget()]
