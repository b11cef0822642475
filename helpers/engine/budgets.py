"""How much a notebook may compute."""

import os

BUDGETS = ("full", "short", "quick")


def budget() -> str:
    """Return which of ``BUDGETS`` ``VAE_COURSE_BUDGET`` names, by default "full".

    Raises:
        ValueError: the variable holds anything else.
    """
    name = os.environ.get("VAE_COURSE_BUDGET", "full")
    if name not in BUDGETS:
        raise ValueError(f"VAE_COURSE_BUDGET must be one of {BUDGETS}, and is {name!r}")
    return name


def by_budget(*, full: int, quick: int, short: int | None = None) -> int:
    """Return the number of steps or pictures that the current budget allows.

    Or, of True and False, whether it is so with this budget.

    Args:
        full: for the saved outputs.
        quick: for tests, that only see whether every cell runs.
        short: for ``make run``, where figures should look right within seconds; by
            default a tenth of ``full``, and no less than ``quick``; of True and False,
            as ``full``.
    """
    if short is None:
        short = full if isinstance(full, bool) else max(full // 10, quick)
    return {"full": full, "short": short, "quick": quick}[budget()]
