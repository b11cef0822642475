"""Where the files of the course lie: in its checkout, else in the user's cache."""

import functools
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def in_checkout() -> bool:
    """Return whether folders that no wheel holds stand beside ``helpers``."""
    return all((ROOT / name).is_dir() for name in ("notebooks", "data/weights"))


def home_folder() -> Path:
    """Return the checkout or, outside one, the course's folder in the user's cache."""
    if in_checkout():
        return ROOT
    import pooch  # only here: 0.1 s that a checkout does without

    return Path(pooch.os_cache("vae-course"))


def data_folder() -> Path:
    """Return the folder where downloads land, which may be missing."""
    return home_folder() / "data"


def build_folder() -> Path:
    """Return the folder for what a run leaves behind, made if it is missing.

    Where it can't be written, as in a read-only checkout, that is a temporary folder,
    the same one for the whole process, and a message says so.
    """
    folder = home_folder() / "build"
    try:
        make_writable(folder)
    except OSError as error:
        spare = spare_folder()
        print(f"{folder} can't be written ({error.strerror}); files go to {spare}")
        return spare
    return folder


def make_writable(folder: Path) -> None:
    """Make a folder if it is missing; raise OSError if it takes no file."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


@functools.cache
def spare_folder() -> Path:
    """Return a temporary folder, made on the first call."""
    return Path(tempfile.mkdtemp(prefix="vae-course-"))
