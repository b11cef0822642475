"""The process in which a student's answers run, seen from the one that marks them.

The marking process alone knows what is right. It sends arguments, and gets back numbers
and arrays, which it only reads.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from helpers.engine import paths
from teaching import child
from teaching.answers import Answer

HIDDEN = ("build", "helpers/checks", "notebooks", "teaching", "tests")


@dataclass(frozen=True)
class Limits:
    """What an answer may use."""

    seconds: float = 10.0  # of processor time, all calls of one answer together
    loading: float = 60.0  # seconds of it for the answer's definition and imports
    waiting: float = 120.0  # seconds on the clock, for calls and for loading
    memory: int = 4 << 30  # bytes of address space
    file_size: int = 1 << 20  # bytes of each file that it writes
    hidden: tuple[Path, ...] = ()  # folders, beside the course's, not to be read


class Failure(BaseException):  # no Exception, so that checks let it through
    """The process gave no reply; says why."""


class Child:
    """A process of its own, in an empty folder of its own, that runs answers."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.folder = os.path.realpath(tempfile.mkdtemp(prefix="answers-"))
        self.process = subprocess.Popen(
            [sys.executable, "-IB", child.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=self.folder,
            env=environment(self.folder),
            start_new_session=True,
        )
        assert self.process.stdin and self.process.stdout
        self.requests = self.process.stdin.fileno()
        self.replies = self.process.stdout.fileno()
        os.set_blocking(self.requests, False)
        total = int(limits.loading + 10 * limits.seconds)  # of all its answers
        readable = {str(paths.ROOT / name): False for name in HIDDEN}
        readable |= {os.path.realpath(folder): False for folder in limits.hidden}
        readable |= {os.path.realpath(sys.prefix): True, self.folder: True}
        self.unsent = self.line(
            {
                "root": str(paths.ROOT),
                "limits": [limits.memory, limits.file_size, total],
                "loading": limits.loading,
                "seconds": limits.seconds,
                "readable": readable,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, what it started in its session, and its folder."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def load(self, answer: Answer) -> str | None:
        """Define an answer; return what failed on the way without harm, if anything.

        Raises:
            Failure: the answer can't be defined.
        """
        request = {"load": list(answer.statements), "name": answer.name}
        reply = self.ask(request, time.monotonic() + self.limits.waiting)
        if "error" in reply:
            raise Failure("{}: {}".format(*reply["error"]))
        failed = reply.get("failed")
        return failed and str(failed)

    def function(self) -> Callable[..., Any]:
        """Return the answer that was loaded, as a function of this process."""
        left = self.limits.waiting

        def call(*arguments: Any) -> Any:
            nonlocal left
            request = {"call": [child.pack(argument) for argument in arguments]}
            begin = time.monotonic()
            reply = self.ask(request, begin + left)
            left -= time.monotonic() - begin
            return child.received(reply, arguments)

        return call

    def ask(self, request: dict, deadline: float) -> dict:
        """Send a request and return the reply.

        Raises:
            Failure: none came before the deadline, or none that is one.
        """
        unsent, came = memoryview(self.unsent + self.line(request)), bytearray()
        self.unsent = b""
        while not came.endswith(b"\n"):
            left = max(0.0, deadline - time.monotonic())
            writes = [self.requests] if unsent else []
            ready, open_, _ = select.select([self.replies], writes, [], left)
            if ready:
                part = os.read(self.replies, 1 << 20)
                came += part
                if not part:
                    raise Failure(self.ending())
                if len(came) > child.LINE:
                    raise Failure("it sent more than can be an answer")
            elif open_:
                try:
                    unsent = unsent[os.write(self.requests, unsent) :]
                except BrokenPipeError:
                    unsent = unsent[:0]  # what ended is seen as the end of replies
            else:
                raise Failure("it gave no answer in time: does it wait for something?")
        with contextlib.suppress(ValueError, RecursionError):
            reply = json.loads(came)
            if isinstance(reply, dict):
                return reply
        raise Failure("it sent what is no answer")

    def ending(self) -> str:
        """Return how the process ended."""
        try:
            status = self.process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return "it closed its connection"
        if status >= 0:
            return f"it ended the whole process, with status {status}"
        if -status == signal.SIGXCPU:
            return "it used up its processor time: does it ever end?"
        return f"its process was ended by {signal.Signals(-status).name}"

    @staticmethod
    def line(request: dict) -> bytes:
        """Return a request as a line of JSON."""
        return f"{json.dumps(request)}\n".encode()


def try_out(limits: Limits) -> None:
    """Run an answer that can't fail.

    Raises:
        RuntimeError: it failed, so that all others would.
    """
    try:
        with Child(limits) as process:
            process.load(Answer("f", 1, ("def f():\n    return 1",)))
            process.function()()
    except Failure as error:
        raise RuntimeError(f"no answer can be run here: {error}") from None


def environment(folder: str) -> dict[str, str]:
    """Return the environment variables of an answer: none of the marker's own."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return {
        **dict.fromkeys(threads, "1"),
        **dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), folder),
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
