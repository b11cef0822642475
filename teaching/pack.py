"""All that a machine without a network needs, in one archive.

python -m teaching.pack

It holds the course's files, a wheel of every locked package for this system and this
Python, MNIST, the book and the kit. On the other machine, unpack it, and in its folder
type ``python3 teaching/set_up.py``.
"""

import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import helpers
from helpers.datasets import dataset, digits
from helpers.engine import book, files, paths, release
from teaching import kit, set_up


def fetch_wheels(lock: Path, folder: Path) -> None:
    """Download what a lock names into a folder, for this machine; hashes are compared.

    Raises:
        RuntimeError: something can't be had, or has another hash; pip has said what.
    """
    options = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options]
    command += ["--requirement", str(lock), "--dest", str(folder)]
    if subprocess.run(command, check=False).returncode:
        raise RuntimeError("not all wheels of requirements.lock could be had")


def find_digits() -> Path:
    """Return MNIST's file, downloaded if it is nowhere.

    Raises:
        RuntimeError: there is none, and no network.
        ValueError: another ``mnist.npz`` stands in its place, or a damaged one.
    """
    where = digits.MNIST_HOMES, digits.check_hash, digits.MNIST_LIMITS
    found = dataset.find_or_download("mnist.npz", *where)
    if not found:
        raise RuntimeError("MNIST is not here, and could not be downloaded")
    if (name := digits.read_mnist(*found).name) != "MNIST":
        raise ValueError(f"{found[0]} holds {name}, and not MNIST's digits")
    return found[0]


def contents(root: Path, names: list[str], wheels: Path) -> dict[str, Path]:
    """Return the files of an archive by their names in it, all but the digits.

    Args:
        root: the course's folder, in which the book and the kit are built.
        names: its own files, from there.
        wheels: the folder of the wheels.
    """
    found = {name: root / name for name in names if (root / name).is_file()}
    for folder in ("build/book", "build/kit"):
        every = (path for path in (root / folder).rglob("*") if path.is_file())
        found |= {path.relative_to(root).as_posix(): path for path in every}
    return found | {f"wheels/{path.name}": path for path in wheels.glob("*.whl")}


def write(path: Path, found: dict[str, Path]) -> None:
    """Write files into an archive, in a folder of its name, and what it is made for.

    Raises:
        OSError: it can't be written.
    """
    with (
        files.unfinished(path) as part,
        zipfile.ZipFile(part, "x", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
    ):
        archive.writestr(f"{path.stem}/pack.json", json.dumps(set_up.machine()))
        for name, file in sorted(found.items()):
            packed = file.suffix in (".whl", ".npz", ".png", ".jpg", ".gif")
            how = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
            archive.write(file, f"{path.stem}/{name}", how)


def main() -> int:
    """Build the book and the kit, and pack everything; return the exit status."""
    folder = paths.build_folder()
    version = helpers.TAG.removeprefix("v")
    made_for = "-".join(set_up.machine().values()).lower().replace(" ", "-")
    path = folder / f"vae-course-{version}-{made_for}.zip"
    try:
        mnist = find_digits()  # first: without them nothing is built or fetched
        if book.main([str(folder)]) or kit.main([]):
            return 1
        names = release.git("ls-files", "-z").split("\0")
        with tempfile.TemporaryDirectory(dir=folder) as wheels:
            fetch_wheels(paths.ROOT / "requirements.lock", Path(wheels))
            found = contents(paths.ROOT, names, Path(wheels))
            write(path, found | {"data/mnist.npz": mnist})
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{path}: {path.stat().st_size / 1e6:.0f} MB. On the other machine: unpack")
    print("it, and in its folder type: python3 teaching/set_up.py")
    return 0


if __name__ == "__main__":
    sys.exit(main())
