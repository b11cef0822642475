"""Make what a class gets, from the notebooks and the files of this folder.

python -m teaching.kit [NOTEBOOK ...]
"""

import sys

from helpers.engine import paths
from teaching import quiz, slides, versions


def main(names: list[str]) -> int:
    """Build the kit, with all notebooks or those named; return the exit status."""
    folder = paths.build_folder() / "kit"
    try:
        versions.build(folder, names)
        quiz.build(folder / "moodle")
        slides.build(folder / "slides", names)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{folder} has {', '.join(sorted(path.name for path in folder.iterdir()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
