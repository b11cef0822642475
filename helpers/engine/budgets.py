"""How much a notebook may compute, and where it leaves what it makes."""

import functools
import os
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUDGETS = ("full", "quick")


def budget() -> str:
    """Return ``"full"`` or ``"quick"``, as the variable ``VAE_COURSE_BUDGET`` says
    (default full).

    Raises:
        ValueError: the variable holds anything else.
    """
    name = os.environ.get("VAE_COURSE_BUDGET", "full")
    if name not in BUDGETS:
        raise ValueError(f"VAE_COURSE_BUDGET must be one of {BUDGETS}, and is {name!r}")
    return name


def by_budget(full: int, quick: int) -> int:
    """Return the number of steps or images that the current budget allows."""
    return {"full": full, "quick": quick}[budget()]


def build_folder(folder: Path = ROOT / "build") -> Path:
    """Return the folder for what a run leaves behind: ``build/``, made if it is
    missing.

    Where it can't be written, as in a read-only checkout, that is a temporary folder,
    the same one for the whole process, and a message says so.
    """
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        print(
            f"{folder.name}/ can't be written ({error.strerror}); files go to {spare_folder()}"
        )
        return spare_folder()


@functools.cache
def spare_folder() -> Path:
    """Return a temporary folder, made on the first call."""
    return Path(tempfile.mkdtemp(prefix="vae-course-"))
