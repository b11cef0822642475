"""Set the course up from an offline pack: nothing is asked of a network.

python3 teaching/set_up.py

Needs Python alone, the one that the pack was made for.
"""

import json
import os
import platform
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def machine() -> dict[str, str]:
    """Return what wheels depend on: the Python, and the system with its processor."""
    python = "Python {}.{}".format(*sys.version_info)
    return {"python": python, "system": f"{platform.system()} {platform.machine()}"}


def install(python: Path | str, root: Path) -> int:
    """Install the locked wheels of a pack; return pip's exit status."""
    options = ["--no-index", "--require-hashes", "--no-deps", "--quiet"]
    options += ["--disable-pip-version-check", "--find-links", str(root / "wheels")]
    command = [str(python), "-m", "pip", "install", *options]
    command += ["--requirement", str(root / "requirements.lock")]
    return subprocess.run(command, check=False).returncode


def main(root: Path = ROOT) -> int:
    """Install what the pack's folder holds into its .venv; return the exit status."""
    if not (root / "pack.json").is_file():
        print(f"{root} is no offline pack: make pack writes one", file=sys.stderr)
        return 1
    wanted, here = json.loads((root / "pack.json").read_text()), machine()
    if wanted != here:
        said = [" on ".join(each.values()) for each in (wanted, here)]
        print(f"this pack is for {said[0]}, and here is {said[1]}", file=sys.stderr)
        return 1
    home = root / ".venv"
    venv.create(home, with_pip=True, symlinks=os.name != "nt")
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    if failed := install(binaries / "python", root):
        return failed
    (home / "ready").touch()  # so that make, too, leaves it as it is
    print(f"""The course is set up, in {root}.
The notebooks: {binaries / "jupyter"} lab notebooks
The book, to be opened in a browser: {root / "build/book/index.html"}
The slides, likewise: {root / "build/kit/slides"}""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
