"""Stamp the repository's address, check that a release is whole, write its archive.

python -m helpers.engine.release stamp [--repo OWNER/NAME] [--tag TAG]
python -m helpers.engine.release check [--repo OWNER/NAME] [--tag TAG]
python -m helpers.engine.release archive

Needs Python's own library and git, nothing installed.
"""

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path

import helpers
from helpers.engine import files, paths, saved

STAMPED = (
    "helpers/__init__.py",
    "README.md",
    "INSTALL.md",
    "CITATION.cff",
    "notebooks/*.ipynb",
)
PLACEHOLDER = "your-name/vae-course"  # the address before there is one
LARGEST_FILES = {"notebooks/*.ipynb": 2_500_000, "images/*": 3_000_000}  # bytes
LARGEST_FOLDERS = {"data/weights": 43_000_000}
LARGEST_ARCHIVE = 60_000_000


def stamp(repository: str, tag: str) -> None:
    """Replace the repository's address and tag in every file that names them.

    Raises:
        ValueError: the address does not read owner/name, or the tag not v1.0.
    """
    forms = (repository, r"[\w.-]+/[\w.-]+"), (tag, r"v\d+(\.\d+)*(rc\d+)?")
    for given, pattern in forms:
        if not re.fullmatch(pattern, given):
            raise ValueError(
                "the repository must read owner/name, and the tag, from which the "
                f"package has its version, as v1.0: {given!r} does not fit"
            )
    tagged = re.compile(rf'(?<=[/"]){re.escape(helpers.TAG)}(?=[/"\\?])')
    for path in stamped_files():
        text = path.read_text(encoding="utf-8").replace(helpers.REPOSITORY, repository)
        text = tagged.sub(tag, text)
        if path.suffix == ".cff":
            version = f'version: "{tag.removeprefix("v")}"'
            text = re.sub(r"(?m)^version: .*$", version, text)
        with files.whole(path) as file:
            file.write(text.encode())
    print(f"stamped {repository} at {tag}")


def stamped_files() -> list[Path]:
    """Return the files that name the repository's address or its tag."""
    return [path for each in STAMPED for path in sorted(paths.ROOT.glob(each))]


def faults(repository: str, tag: str) -> list[str]:
    """Return all that keeps the checkout from being that release, in words."""
    found = unstamped(repository, tag)
    for look in (undated, unsaved, unlocked, too_large, unclean):
        found += look()
    return found


def unstamped(repository: str, tag: str) -> list[str]:
    """Return what names no address yet, or another one."""
    if helpers.REPOSITORY == PLACEHOLDER:
        return [f"the address is still {PLACEHOLDER}: make stamp REPO=owner/name"]
    found = [
        f"{path.name} names {PLACEHOLDER}: make stamp"
        for path in stamped_files()
        if PLACEHOLDER in path.read_text(encoding="utf-8")
    ]
    if (repository, tag) != (helpers.REPOSITORY, helpers.TAG):
        stamped = f"{helpers.REPOSITORY} {helpers.TAG}"
        found.append(f"it is stamped {stamped}, not {repository} {tag}: make stamp")
    return found


def undated() -> list[str]:
    """Return what CHANGELOG.md and CITATION.cff lack of the version that is stamped."""
    version = helpers.TAG.removeprefix("v")
    changes = (paths.ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    citation = (paths.ROOT / "CITATION.cff").read_text(encoding="utf-8")
    head = rf"(?m)^## {re.escape(version)}, (\d{{4}}-\d\d-\d\d)$"
    if not (found := re.search(head, changes)):
        return [f"CHANGELOG.md has no section '## {version}, YYYY-MM-DD'"]
    lines = f'version: "{version}"', f"date-released: {found.group(1)}"
    lacking = [line for line in lines if line not in citation.splitlines()]
    return [f"CITATION.cff lacks the line {line!r}" for line in lacking]


def unsaved() -> list[str]:
    """Return which notebooks' outputs are not those that the saver made."""
    found = map(saved.fault, sorted((paths.ROOT / "notebooks").glob("*.ipynb")))
    return [said for said in found if said]


def unlocked() -> list[str]:
    """Return which requirements are not pinned with hashes; tests compare versions."""
    lock = (paths.ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"(?m)^([\w.-]+)==[^\\\n]+\\\n +--hash=", lock))
    needed = (paths.ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"(?m)^([\w.-]+)", needed)
    return [f"requirements.lock lacks {n}: make lock" for n in names if n not in pinned]


def too_large() -> list[str]:
    """Return which tracked files, and which folders, exceed their sizes."""
    tracked = [Path(name) for name in git("ls-files", "-z").split("\0") if name]
    there = [path for path in tracked if (paths.ROOT / path).is_file()]
    sizes = {path: (paths.ROOT / path).stat().st_size for path in there}
    found = []
    for pattern, limit in LARGEST_FILES.items():
        found += [(p, s, limit) for p, s in sizes.items() if p.match(pattern)]
    for folder, limit in LARGEST_FOLDERS.items():
        total = sum(s for p, s in sizes.items() if Path(folder) in p.parents)
        found.append((folder, total, limit))
    return [megabytes(*each) for each in found if each[1] > each[2]]


def megabytes(name: str | Path, size: int, limit: int) -> str:
    """Return a sentence on what is too large; sizes in bytes."""
    return f"{name} has {size / 1e6:.1f} MB, and may have {limit / 1e6:g}"


def unclean() -> list[str]:
    """Return what differs from the commit, and a tag that is another commit's."""
    found = [f"not committed: {line}" for line in git("status", "--short").splitlines()]
    at = git("tag", "--list", helpers.TAG, "--format=%(objectname) %(*objectname)")
    if at.strip() and git("rev-parse", "HEAD").strip() not in at.split():
        found.append(f"the tag {helpers.TAG} is another commit: stamp a new one")
    return found


def git(*arguments: str) -> str:
    """Return what git says of the checkout."""
    command = ["git", "-C", str(paths.ROOT), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def archive() -> Path:
    """Write what the commit holds to ``build/NAME-VERSION.zip``; return its path.

    Raises:
        RuntimeError: it is larger than it should be.
    """
    name = f"{helpers.REPOSITORY.split('/')[1]}-{helpers.TAG.removeprefix('v')}"
    path = paths.ROOT / "build" / f"{name}.zip"
    paths.make_writable(path.parent)
    git("archive", "--format=zip", f"--prefix={name}/", f"--output={path}", "HEAD")
    if (size := path.stat().st_size) > LARGEST_ARCHIVE:
        raise RuntimeError(megabytes(path.name, size, LARGEST_ARCHIVE))
    hashed = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"build/{path.name}: {size / 1e6:.1f} MB, sha256 {hashed}")
    return path


def check(repository: str, tag: str) -> None:
    """Print that the checkout can be released.

    Raises:
        RuntimeError: it can't; says all that is missing.
    """
    if found := faults(repository, tag):
        raise RuntimeError("\n".join(["no release yet:", *found]))
    said = "stamped, dated, saved, locked, within its sizes, committed"
    print(f"{repository} {tag}: {said}")


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return the exit status."""
    prog = "python -m helpers.engine.release"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("archive")
    for name in ("check", "stamp"):
        one = commands.add_parser(name)
        one.add_argument("--repo", default=helpers.REPOSITORY, dest="repository")
        one.add_argument("--tag", default=helpers.TAG)
    chosen = vars(parser.parse_args(arguments))
    named = {"check": check, "archive": archive, "stamp": stamp}
    command = named[chosen.pop("command")]
    try:
        command(**chosen)
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError) as error:
        print(getattr(error, "stderr", None) or error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
