"""Write files whole or not at all."""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Yield a binary file that takes the place of ``path`` when the block ends without an error.

    Whatever happens, ``path`` is the old file or the new one. An error leaves nothing else behind;
    a killed process leaves an unfinished file beside it, which a call an hour later removes.
    """
    remove_unfinished(path.parent, older_than=3600)
    unfinished = path.with_name(f"{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # or a power cut could leave the new name on an empty file
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def remove_unfinished(folder: Path, older_than: float) -> None:
    """Remove what killed processes left in a folder, if untouched for ``older_than`` seconds."""
    for path in folder.glob(f"*.{'[0-9a-f]' * 8}.unfinished"):
        with suppress(OSError):  # gone already, or in use on Windows
            if time.time() - path.stat().st_mtime >= older_than:
                path.unlink()
