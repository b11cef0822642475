"""Downloads that appear whole, checked and in bounded time, or not at all."""

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tqdm import tqdm

from helpers.engine import files

SILENCE = 20.0  # seconds without an answer, or between two pieces of it
SLOWEST = 20_000  # bytes per second, the mean of all, once ``SILENCE`` has passed
PIECE = 2**14  # bytes received at once
ELSEWHERE = (
    "make the folder writable, or put the file in one that VAE_COURSE_DATA names"
)
REMEDIES = {
    **dict.fromkeys([errno.ENOSPC, errno.EDQUOT], "make room on the disk"),
    **dict.fromkeys([errno.EACCES, errno.EPERM, errno.EROFS], ELSEWHERE),
}
Check = Callable[[Path], object]


def download(url: str, path: Path, check: Check, largest: int, seconds: float) -> None:
    """Download a file that becomes ``path`` once it is there in full and checked.

    Processes that download the same file at once don't meet: the last to finish gives
    the file. (``pooch.retrieve`` would leave what a killed process began for ever, and
    a file that only its owner may read.)

    Args:
        check: takes the path of what came; raises ValueError if that is not the file.
        largest: bytes at which to give up.
        seconds: time after which to give up. A server that is silent for ``SILENCE``
            seconds, or slower than ``SLOWEST`` on average, is given up earlier.

    Raises:
        OSError: the download failed, or the file can't be written; it says why.
        ValueError: what came is not the file.
    """
    try:
        with files.unfinished(path) as part:
            print(f"Downloading {path.name}, once.")
            shown = {"unit": "B", "unit_scale": True, "disable": None}  # on a screen
            with open(part, "xb") as file, tqdm(desc=path.name, **shown) as bar:
                Transfer(file, largest, bar).run(url, seconds)
            check(part)
    except OSError as error:
        if error.errno in REMEDIES:
            raise OSError(f"{error}: {REMEDIES[error.errno]}") from error
        raise


class Transfer:
    """What pooch writes to in a thread of its own, watched and left if it hangs.

    By hand, because pooch and requests bound neither the size nor the time in all, only
    that between two signs of life: a server that drips would hold them for ever.
    """

    def __init__(self, file: IO[bytes], largest: int, bar: tqdm):
        self.file, self.largest, self.bar = file, largest, bar
        self.received, self.given_up = 0, False
        self.response, self.error = None, None

    def run(self, url: str, seconds: float) -> None:
        """Download, and return when the file is there; OSError if it fails or drags."""
        worker = threading.Thread(target=self.fetch, args=[url], daemon=True)
        start = time.monotonic()
        worker.start()
        try:
            while worker.is_alive():
                worker.join(0.1)
                passed = time.monotonic() - start
                slow = passed > SILENCE and self.received < SLOWEST * passed
                if worker.is_alive() and (slow or passed > seconds):
                    came = f"{self.received:,} bytes in {passed:.0f} seconds"
                    raise TimeoutError(f"the server was too slow: {came}")
        finally:
            self.given_up = True
        if self.error is not None:
            raise self.error

    def fetch(self, url: str) -> None:
        """Have pooch download to this object, and keep the error if there is one."""
        import pooch  # only here: 0.3 s that most starts do without
        import requests

        options = {"timeout": SILENCE, "hooks": {"response": self.begin}}
        try:
            pooch.HTTPDownloader(chunk_size=PIECE, **options)(url, self, None)
        except requests.RequestException as error:
            reason: BaseException = error
            while reason.__context__ is not None:  # what requests has wrapped
                reason = reason.__context__
            self.error = OSError(f"the server sent no file: {reason!r}")
        except BaseException as error:
            self.error = error
        finally:
            if self.response is not None:  # pooch leaves it open
                self.response.close()

    def begin(self, response, **_) -> None:
        """Keep a response; leave the page of a redirect unread, which may not end."""
        self.response = response
        self.bar.total = int(response.headers.get("Content-Length", 0)) or None
        if response.is_redirect:
            response.raw.close()

    def write(self, piece: bytes) -> None:
        """Write a piece to the file, unless it is too much or comes too late."""
        self.received += len(piece)
        if self.given_up or self.received > self.largest:
            raise OSError(f"more came than {self.largest:,} bytes, or too late")
        self.file.write(piece)
        self.bar.update(len(piece))

    def flush(self) -> None:
        """Do nothing: pooch asks for this after every piece."""
