"""The process that computes one configuration of a sweep (see ``sweeps``)."""

import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path

from helpers.engine import files


def leave_with_parent() -> None:
    """End this process as soon as the one that started it is gone."""
    os.read(0, 1)  # nothing comes; the end does, when the parent's end is closed
    os._exit(1)


def plain(value):
    """Return NumPy's numbers and arrays as Python's, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"a result must be what JSON can hold, not {type(value).__name__}")


def main(request: str) -> None:
    """Compute one configuration, and write what came out."""
    threading.Thread(target=leave_with_parent, daemon=True).start()
    full_name, configuration, path = json.loads(request)
    module, _, name = full_name.partition(":")
    start = time.perf_counter()
    given = json.loads(request)[1]  # a copy: what the function does to its own is lost
    result = getattr(importlib.import_module(module), name)(given)
    record = {"function": full_name, "configuration": configuration}
    record |= {"seconds": time.perf_counter() - start, "result": result}
    text = json.dumps(record, default=plain, allow_nan=False, indent=1)
    with files.whole(Path(path)) as file:
        file.write(text.encode())


if __name__ == "__main__":
    main(sys.argv[1])
