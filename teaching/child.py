"""The process in which a student's answers run; started by ``processes``.

It is run as a file, by ``python -I``, and imports nothing of the course. Requests come
as lines of JSON on what was standard input; each is answered by one line.
"""

import _posixsubprocess
import base64
import contextlib
import copy
import io
import json
import math
import os
import resource
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

LINE = 16_000_000  # bytes of the longest line either way
FILES = 200  # that an answer may open to write
CALLS = ("os.exec", "os.fork", "os.kill", "os.posix_spawn", "os.spawn", "os.system")
REFUSED = (*CALLS, "pty.", "socket.", "subprocess.")
CHANGES = {  # what changes files, and how many paths it is given first
    "os.chflags": 1,
    "os.chmod": 1,
    "os.chown": 1,
    "os.link": 2,
    "os.mkdir": 1,
    "os.remove": 1,
    "os.removexattr": 1,
    "os.rename": 2,
    "os.rmdir": 1,
    "os.setxattr": 1,
    "os.symlink": 2,
    "os.truncate": 1,
    "os.utime": 1,
}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


# What goes through the pipes


class Borrowed(np.ndarray):
    """An answer that shares the memory of an argument, its ``base``."""

    base: Any = None


def pack(value: Any) -> Any:
    """Return what JSON can hold of a value; of odd ones, type and beginning of text.

    Raises:
        ValueError: it is too large to be sent.
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return value[:1000]
    if isinstance(value, complex):
        return {"complex": [value.real, value.imag]}
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [pack(part) for part in value]}
    array = np.array({})
    with contextlib.suppress(Exception):
        array = np.asarray(value)
    if array.dtype.kind not in "biufcSU":
        return {"object": type(value).__name__, "text": text_of(value)}
    if array.nbytes > LINE // 2:
        raise ValueError(f"the answer is too large: {array.nbytes:,} bytes")
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return {"npy": base64.b64encode(file.getvalue()).decode()}


def unpack(packed: Any) -> Any:
    """Return what was packed, or a stand-in of the same type's name and text.

    Raises:
        Exception: of any kind, for what ``pack`` did not make.
    """
    if not isinstance(packed, dict):
        return packed
    ((kind, value), *others) = packed.items()
    if kind == "complex":
        return complex(*value)
    if kind in ("list", "tuple"):
        return (tuple if kind == "tuple" else list)(map(unpack, value))
    if kind == "npy":
        file = io.BytesIO(base64.b64decode(value, validate=True))
        array = np.array(np.lib.format.read_array(file, allow_pickle=False))
        return array if array.ndim else array[()]  # a number is no array
    text = str(dict(others)["text"])
    return type(str(value)[:60], (), {"__str__": lambda self: text})()


def text_of(value: object) -> str:
    """Return the beginning of a value's text, if it has one."""
    try:
        return str(value)[:300]
    except BaseException:
        return ""


def error_of(error: BaseException) -> dict:
    """Return the reply that tells of an error."""
    return {"error": [type(error).__name__, text_of(error)]}


def answered(function: Callable, packed: list) -> dict:
    """Call a function; return its answer, and what it did to its arguments."""
    arguments = [unpack(argument) for argument in packed]
    kept = copy.deepcopy(arguments)
    try:
        answer = function(*arguments)
        reply: dict = {"answer": pack(answer), "changed": {}, "owner": None}
    except BaseException as error:  # SystemExit too
        return error_of(error)
    for place, (now, before) in enumerate(zip(arguments, kept, strict=True)):
        if isinstance(now, np.ndarray | list) and not np.array_equal(now, before):
            reply["changed"][place] = pack(now)
            if answer is now or getattr(answer, "base", None) is now:
                reply["owner"] = place
    return reply


def received(reply: dict, arguments: tuple) -> Any:
    """Return the answer in a reply, and do to the arguments what the function did.

    Raises:
        Exception: what the function raised, or a stand-in of the same name.
    """
    if "error" in reply:
        name, text = map(str, reply["error"])
        if name == "NotImplementedError":
            raise NotImplementedError(text)
        raise type(name[:60], (Exception,), {})(text[:300])
    for place, packed in reply["changed"].items():
        arguments[int(place)][:] = unpack(packed)
    answer = unpack(reply["answer"])
    if reply["owner"] is None:
        return answer
    borrowed = np.asarray(answer).view(Borrowed)
    borrowed.base = arguments[reply["owner"]]
    return borrowed


# Limits


def limit(memory: int, file_size: int, seconds: int) -> None:
    """Limit this process's memory and its files, in bytes, and processor time."""
    for name, value in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_FSIZE", file_size),
        ("RLIMIT_NOFILE", 256),
        ("RLIMIT_CORE", 0),
    ):
        with contextlib.suppress(ValueError, OSError):  # some systems lack some
            resource.setrlimit(getattr(resource, name), (value, value))


def allow(seconds: float) -> None:
    """Have the system end this process after so much more processor time.

    A process can ignore that signal, but not the one at the limit of ``limit``.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    end = min(most, math.ceil(used.ru_utime + used.ru_stime + seconds))
    resource.setrlimit(resource.RLIMIT_CPU, (end, most))


def guard(own: str, readable: dict[str, bool]) -> None:
    """Refuse processes, signals, sockets, files that are hidden or another's to write.

    This stops what Python does by its own functions, and so accidents and the curious;
    machine code gets around it.

    Args:
        own: the only folder in which files may be made and changed.
        readable: folder to whether its files may be read; the innermost decides.
    """
    opened = 0

    def inside(path: str, folder: str) -> bool:
        return path == folder or path.startswith(folder + os.sep)

    def refuse_unless(allowed: bool, what: str) -> None:
        if not allowed:
            raise PermissionError(f"an answer must not do this: {what}")

    def hook(event: str, arguments: tuple) -> None:
        nonlocal opened
        refuse_unless(not event.startswith(REFUSED), event)
        if event in ("open", "os.listdir", "os.scandir", *CHANGES):
            for path in arguments[: CHANGES.get(event, 1)]:
                if not isinstance(path, str | bytes | os.PathLike):
                    continue  # a file that is open already
                path = os.path.realpath(os.fsdecode(path))
                writes = event in CHANGES
                if event == "open" and path != os.devnull:
                    writes = bool(arguments[2] & WRITING) or os.path.isdir(path)
                opened += writes
                around = [folder for folder in readable if inside(path, folder)]
                shown = not around or readable[max(around, key=len)]
                allowed = inside(path, own) and opened <= FILES if writes else shown
                refuse_unless(allowed, f"{event} {path}")

    def fork_exec(*_: object) -> None:
        refuse_unless(False, "start a process")

    vars(_posixsubprocess)["fork_exec"] = fork_exec  # of which no hook hears
    sys.addaudithook(hook)


# The answers


def loaded(statements: list[str], name: str) -> tuple[Callable | None, dict]:
    """Run an answer's statements; return its function, and what to reply."""
    names: dict[str, Any] = {"__name__": "__main__", "display": print}
    failed = None
    for statement in statements:
        try:
            exec(compile(statement, "<answer>", "exec"), names)
        except BaseException as error:
            failed = failed or error
    function = names.get(name)
    if function is None:
        return None, error_of(failed or NameError(f"{name} is not defined"))
    told = failed and f"{type(failed).__name__}: {text_of(failed)}"
    return function, {"failed": told}


def main() -> None:
    """Answer requests until there are no more."""
    requests, replies = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    setup = json.loads(requests.readline())
    sys.path.insert(0, setup["root"])
    limit(*setup["limits"])
    guard(os.getcwd(), setup["readable"])
    function: Callable | None = None
    for line in requests:
        request = json.loads(line)
        if "load" in request:
            allow(setup["loading"])
            function, reply = loaded(request["load"], request["name"])
            allow(setup["seconds"])
        elif function is not None:
            reply = answered(function, request["call"])
        text = json.dumps(reply)
        if len(text) >= LINE:
            text = json.dumps(error_of(ValueError("the answer is too large")))
        replies.write(f"{text}\n")
        replies.flush()


if __name__ == "__main__":
    main()
