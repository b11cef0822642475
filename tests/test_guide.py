"""The teacher's guide against what it speaks of: sections, exercises, wrong answers."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GUIDE = (ROOT / "teaching" / "guide.md").read_text(encoding="utf-8")
PARTS = re.split(r"^## ", GUIDE, flags=re.M)[1:]
NOTEBOOKS = {path.stem[:2]: path for path in (ROOT / "notebooks").glob("*.ipynb")}


def headings_of(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"]
    return re.findall(r"^#+ (.+)$", "\n".join(texts), flags=re.M)


def numbers_in(text):
    """Return the numbers that a list such as "1, 2: ..." or "3 to 6: ..." means."""
    listed = text.partition(":")[0]
    first, _, last = listed.partition(" to ")
    if last:
        return [*range(int(first), int(last) + 1)]
    return [int(number) for number in listed.split(", ")]


@pytest.mark.parametrize("number", sorted(NOTEBOOKS))
def test_each_notebook_has_a_part_whose_sections_are_its_own(number):
    [part] = [part for part in PARTS if part.startswith(number)]
    headings = headings_of(NOTEBOOKS[number])
    assert part.splitlines()[0] == headings[0]
    rows = re.findall(r"^\| (\d.*?) \| (\d+) \|$", part, flags=re.M)
    listed = [place for row, _ in rows for place in numbers_in(row)]
    known = [int(n) for n in re.findall(r"^(\d+)\. ", "\n".join(headings), flags=re.M)]
    assert listed == known[: len(listed)]
    assert len(listed) >= len(known) - 1  # what to take away may be missing
    for exercise in re.findall(r"[Ee]xercise (\d+)", part):
        assert any(h.startswith(f"Exercise {exercise}:") for h in headings), exercise


def test_the_wrong_answers_are_those_that_the_checks_name():
    files = (ROOT / "helpers" / "checks").glob("*.py")
    source = " ".join(file.read_text(encoding="utf-8") for file in files)
    source = re.sub(r"\"\s+\"", "", source)  # strings in two halves
    expected = re.findall(r"\"([^\"]+)\"", GUIDE)
    assert len(expected) >= 12
    for sentence in expected:
        assert re.sub(r"\s+", " ", sentence) in source, sentence
