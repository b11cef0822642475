"""Write files whole or not at all: under another name first, beside the old one."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

LEFT_BEHIND = 3600.0  # seconds after which what is unfinished is nobody's any more


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield another name, whose file takes the place of ``path`` at the end.

    Whatever happens, ``path`` is the old file or the new one. An error leaves nothing
    else behind; a killed process leaves an unfinished file, which a call an hour later
    removes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(path.parent, older_than=LEFT_BEHIND)
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        yield part
        os.replace(part, path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file that becomes ``path`` if the block ends without an error."""
    with unfinished(path) as part, part.open("xb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())  # or a power cut could leave an empty file so named


def remove_unfinished(folder: Path, older_than: float) -> None:
    """Remove what killed processes left, if untouched for ``older_than`` seconds."""
    for path in folder.glob(f"*.{'[0-9a-f]' * 8}.unfinished"):
        with suppress(OSError):  # gone already, or in use on Windows
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()
