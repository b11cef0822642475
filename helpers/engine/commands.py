"""Run a study's own command from a lesson, as a program beside it."""

import os
import subprocess
import sys

from helpers.engine import paths


def run_study(name: str, *arguments: object) -> None:
    """Run ``python -m`` with a study, and print its lines as they come.

    Where this call is interrupted the program ends, too.

    Args:
        name: of a file in ``helpers/engine/studies`` that is a command.
        arguments: of the command, as text or what becomes text.

    Raises:
        RuntimeError: the program failed; what it said is printed.
    """
    module = f"helpers.engine.studies.{name}"
    command = [sys.executable, "-u", "-P", "-m", module, *map(str, arguments)]
    path = [str(paths.ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    ) as child:
        try:
            for line in child.stdout or ():
                print(line, end="", flush=True)
        finally:
            if child.poll() is None and sys.exc_info()[0]:
                child.kill()
    if child.returncode:
        raise RuntimeError(f"{module} failed, with status {child.returncode}")
