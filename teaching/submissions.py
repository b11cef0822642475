"""What was handed in: a folder of notebooks, of any names, in any subfolders."""

import json
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST = 64 << 20  # bytes of a notebook


@dataclass(frozen=True)
class Submission:
    """One file of one student."""

    student: str
    path: Path
    where: str  # its path in the folder


class UnreadableError(ValueError):
    """A file is no notebook; says why."""


def find(folder: Path) -> list[Submission]:
    """Return all notebooks and links, other files on top, folders without notebooks.

    A student is the folder on the top level, else the file without the notebook's name.
    Names that begin with a dot are passed over, such as Jupyter's checkpoints.
    """
    found = [
        Submission(student_of(inner), folder / inner, str(inner))
        for inner in visible(folder)
        if is_notebook(inner) or len(inner.parts) == 1 or (folder / inner).is_symlink()
    ]
    students = {submission.student for submission in found}
    for path in sorted(folder.iterdir()):
        own = path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
        if own and path.name not in students:
            found.append(Submission(path.name, path, path.name))
    return found


def visible(folder: Path) -> Iterator[Path]:
    """Yield files and links below a folder, as paths in it; links are not followed."""
    for around, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if Path(around, name).is_symlink()]
        for name in sorted([*names, *links]):
            if not name.startswith("."):
                yield Path(around, name).relative_to(folder)


def is_notebook(path: Path) -> bool:
    """Whether a file is named like a notebook."""
    return path.suffix.lower() == ".ipynb"


def student_of(inner: Path) -> str:
    """Return whose file this is, from its path in the folder of all."""
    if len(inner.parts) > 1:
        return inner.parts[0]
    name = re.sub(r"[ _.-]*0[1-6]_[a-z]+(_[a-z]+)*[ _.-]*", "", inner.stem)
    return name or inner.stem


def read(path: Path) -> list[tuple[int, str]]:
    """Return number, from 1, and text of every code cell of a notebook.

    Raises:
        UnreadableError: it is a link, too large, not JSON, or no notebook.
    """
    try:
        text = content(path).decode("utf-8-sig")
        cells = json.loads(text)["cells"]
        if not isinstance(cells, list):
            raise TypeError
    except UnreadableError:
        raise
    except OSError as error:
        raise UnreadableError(f"it can't be read: {error.strerror}") from None
    except UnicodeError:
        raise UnreadableError("it is no notebook: it is not text") from None
    except (KeyError, TypeError):
        raise UnreadableError(
            "it is no notebook of this decade: it has no cells"
        ) from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"it is no notebook: {error}") from None
    numbered = enumerate(cells, start=1)
    return [(number, source_of(cell)) for number, cell in numbered if is_code(cell)]


def is_code(cell: object) -> bool:
    """Whether this is a code cell."""
    return isinstance(cell, dict) and cell.get("cell_type") == "code"


def source_of(cell: dict) -> str:
    """Return a cell's text, which may be stored as lines; nothing for anything else."""
    source = cell.get("source")
    lines = source if isinstance(source, list) else [source]
    return "".join(line for line in lines if isinstance(line, str))


def content(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        UnreadableError: it is a link, empty, too large, or no file at all.
        OSError: it can't be read.
    """
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        raise UnreadableError("it is a link, and links are not followed")
    if stat.S_ISDIR(status.st_mode):
        raise UnreadableError("there is no notebook (.ipynb) in this folder")
    if not stat.S_ISREG(status.st_mode) or not is_notebook(path):
        raise UnreadableError("it is no notebook (.ipynb)")
    if status.st_size == 0:
        raise UnreadableError("it is empty")
    if status.st_size > LARGEST:
        size = f"{status.st_size / 1e6:,.0f} MB"
        raise UnreadableError(f"it has {size}: clear its outputs and hand it in again")
    return path.read_bytes()
