"""Downloads that appear whole, checked and in bounded time, or not at all."""

import errno
import http.client
import queue
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from helpers.engine import files

SILENCE = 20.0  # seconds without an answer, or between two pieces of it
SLOWEST = 20_000  # bytes a second, the mean of all after so many seconds
PIECE = 2**16  # bytes written at once
REMEDIES = {
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room on the disk",
    errno.EACCES: "make the folder writable, or use another that VAE_COURSE_DATA names",
    errno.EPERM: "make the folder writable, or use another that VAE_COURSE_DATA names",
    errno.EROFS: "use another folder, which VAE_COURSE_DATA names",
}


def download(
    url: str,
    path: Path,
    check: Callable[[Path], object],
    *,
    largest: int,
    seconds: float,
) -> None:
    """Download a file that becomes ``path`` when it is there in full and has passed the
    check.

    Processes that download the same file at once don't meet: the last to finish gives
    the file.

    Args:
        check: takes the path of what came, and raises ValueError if that is not the
            file.
        largest: bytes at which to give up.
        seconds: time after which to give up, whatever came until then. A server that is
            silent for ``SILENCE`` seconds, or slower than ``SLOWEST`` on average, is
            given up earlier.

    Raises:
        OSError: the download failed, or the file can't be written; the message says
            why.
        ValueError: what came is not the file.
    """
    try:
        with files.unfinished(path) as part:
            print(f"Downloading {path.name}, once.")
            Transfer(url, part, largest).run(seconds)
            check(part)
    except OSError as error:
        if error.errno in REMEDIES:
            raise OSError(f"{error}: {REMEDIES[error.errno]}") from error
        raise


class Transfer:
    """One download to one file, in a thread of its own, since any step of it may hang.

    Looking up a name, shaking hands and reading headers know no limit in all, only one
    between two signs of life. So this thread watches the other's progress, and leaves
    it when that is too slow.
    """

    def __init__(self, url: str, part: Path, largest: int):
        self.url, self.part, self.largest = url, part, largest
        self.received, self.given_up = 0, False
        self.outcome = queue.SimpleQueue()  # None at the end, or an exception

    def run(self, seconds: float) -> None:
        """Download, and return when the file is there.

        Raises:
            OSError: it failed, or took too long.
        """
        start = time.monotonic()
        threading.Thread(target=self.work, daemon=True).start()
        try:
            while True:
                with suppress(queue.Empty):
                    error = self.outcome.get(timeout=0.1)
                    if error is None:
                        return
                    raise error
                self.check_speed(time.monotonic() - start, seconds)
        finally:
            self.given_up = True

    def check_speed(self, passed: float, seconds: float) -> None:
        """Raise TimeoutError if too little has come in the time that has passed."""
        slow = passed > SILENCE and self.received < SLOWEST * passed
        if slow or passed > seconds:
            raise TimeoutError(
                f"the server was too slow: {self.received:,} bytes in {passed:.0f} seconds"
            )

    def work(self) -> None:
        """Download, and say how it went."""
        try:
            self.fetch()
        except urllib.error.HTTPError as error:
            self.outcome.put(
                OSError(f"the server answered {error.code}, {error.reason}")
            )
        except urllib.error.URLError as error:
            self.outcome.put(OSError(f"the server can't be reached: {error.reason}"))
        except TimeoutError:
            self.outcome.put(OSError(f"the server was silent for {SILENCE:g} seconds"))
        except http.client.HTTPException as error:
            self.outcome.put(
                OSError(f"the server's answer broke off or made no sense: {error!r}")
            )
        except BaseException as error:
            self.outcome.put(error)
        else:
            self.outcome.put(None)

    def fetch(self) -> None:
        """Write what the server sends to the file, piece by piece, and check its length."""
        opener = urllib.request.build_opener(ShortRedirects)
        with opener.open(self.url, timeout=SILENCE) as response:
            announced = response.length
            try:
                with open(self.part, "xb") as file:
                    while not self.given_up and (piece := response.read1(PIECE)):
                        self.received += len(piece)
                        if self.received > self.largest:
                            raise OSError(f"more came than {self.largest:,} bytes")
                        file.write(piece)
            finally:
                if self.given_up:  # and nobody waits to remove it any more
                    self.part.unlink(missing_ok=True)
        if announced is not None and self.received != announced:
            raise OSError(
                f"the connection broke off at {self.received:,} of {announced:,} bytes"
            )


class ShortRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects without reading the page that comes with them, which may have no end."""

    def http_error_302(self, request, response, code, message, headers):
        response.close()
        return super().http_error_302(request, response, code, message, headers)

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302
