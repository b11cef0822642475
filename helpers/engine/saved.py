"""Whether a notebook's outputs are those that the saver made of its code.

python -m helpers.engine.saved [NOTEBOOK ...]

The saver writes a digest of code and outputs into the notebook's metadata. It guards
against accidents (code changed afterwards, outputs saved by hand); it is no signature.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from helpers.engine import paths

KEY = "saved"  # of a notebook's metadata
BOOTSTRAP = "bootstrap"  # has no outputs, and a stamp changes it
# sizes that no saved output is of, and whether there is one of its own for `short`
SMALLER = re.compile(r"\bshort=[\d_]+,? ?|(?<=\bquick=)[\d_]+")


def digest(notebook: dict) -> str:
    """Return the hash of a notebook's code cells and their outputs, in order.

    Prose, metadata, the bootstrap cell and the sizes that ``training.by_budget`` gives
    for smaller budgets don't count: they change no saved output.
    """
    cells = [
        (
            cell["id"],
            SMALLER.sub("", joined(cell["source"])),
            joined(cell["outputs"]),
        )
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and cell["id"] != BOOTSTRAP
    ]
    text = json.dumps(cells, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def joined(value):
    """Return a JSON value with its lists of lines as one text, as nbformat reads it."""
    if isinstance(value, dict):
        return {key: joined(part) for key, part in value.items()}
    if isinstance(value, list):
        if value and all(isinstance(line, str) for line in value):
            return "".join(value)
        return [joined(part) for part in value]
    return value


def fault(path: Path) -> str | None:
    """Return what is wrong with a notebook's outputs, or None.

    Raises:
        OSError: the file can't be read.
        ValueError: it is not JSON.
        KeyError: it is no notebook.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    said = notebook["metadata"].get(KEY)
    if said == digest(notebook):
        return None
    if said is None:
        return f"{path.name}: its outputs are not the saver's: make save"
    return f"{path.name}: code or outputs changed since they were saved: make save"


def main(names: list[str]) -> int:
    """Check notebooks, or all; print what is wrong and return the exit status."""
    every = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
    faults = [fault(Path(name)) for name in names or every]
    for said in filter(None, faults):
        print(said, file=sys.stderr)
    return int(any(faults))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
