"""How often campaigns of faults try: little in ``make test``, much in ``make soak``."""

import os


def tries(test: int, soak: int) -> int:
    """Return ``test``, or ``soak`` where the variable ``VAE_COURSE_SOAK`` is set."""
    return soak if os.environ.get("VAE_COURSE_SOAK") else test
