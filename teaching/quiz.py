"""Ten questions for each notebook: as pages of the book, and as GIFT for Moodle.

The one source is ``teaching/quizzes/``, a file for each notebook, to be edited by hand.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from helpers.engine import files, paths

FOLDER = paths.ROOT / "teaching" / "quizzes"
CHOICE = re.compile(r"^- \[([ x])\] ")
SPECIAL = re.compile(r"[\\~=#{}:]")  # what GIFT reads as its own marks
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Question:
    """One question: Markdown without formulas, so that it reads alike everywhere."""

    title: str
    text: str
    choices: tuple[str, ...]
    right: int  # the place of the right one among the choices, from 0
    explanation: str


@dataclass(frozen=True)
class Quiz:
    """The questions on one notebook, in the order of its sections."""

    number: str  # of the notebook, such as "01"
    title: str
    questions: tuple[Question, ...]


def sources() -> list[Path]:
    """Return the files of questions, in the notebooks' order."""
    return sorted(FOLDER.glob("*.md"))


def read(path: Path) -> Quiz:
    """Return the questions of a file.

    Raises:
        ValueError: a question lacks something, or has it twice; says which and what.
    """
    first, *parts = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)
    number, _, title = first.strip().removeprefix("# ").partition(" · ")
    return Quiz(number, title, tuple(question(path.name, part) for part in parts))


def question(name: str, part: str) -> Question:
    """Return the question of one part of a file: title, text, choices, explanation.

    Raises:
        ValueError: it isn't whole; ``name`` is the file's, for the message.
    """
    title, *blocks = [block.strip() for block in re.split(r"\n{2,}", part.strip())]
    texts = [joined(b) for b in blocks if not b.startswith(("- [", ">"))]
    choices = [re.split(r"\n(?=- \[)", b) for b in blocks if b.startswith("- [")]
    lines = [joined(line) for block in choices for line in block]
    told = [joined(re.sub(r"^> ?", "", b, flags=re.M)) for b in blocks if b[:1] == ">"]
    marks = [mark[1] if (mark := CHOICE.match(line)) else "" for line in lines]
    said = tuple(CHOICE.sub("", line) for line in lines)
    for fault, found in {
        "a text of its own before the choices": not texts,
        "one list of choices": len(choices) != 1,
        "'- [ ] ' or '- [x] ' before every choice": "" in marks,
        "one right choice, marked [x]": marks.count("x") != 1,
        "three wrong choices or more": marks.count(" ") < 3,
        f"at most {len(LETTERS)} choices": len(marks) > len(LETTERS),
        "choices that differ": len(set(map(str.lower, said))) != len(said),
        "an explanation, with '> ' before its lines": not "".join(told),
    }.items():
        if found:
            raise ValueError(f"{name}, '{title}': a question needs {fault}")
    where = marks.index("x")
    return Question(title, "\n\n".join(texts), said, where, "\n\n".join(told))


def joined(text: str) -> str:
    """Return a paragraph as one line."""
    return " ".join(text.split())


def page(quiz: Quiz) -> str:
    """Return a quiz as a page of the book: each answer folded under its question."""
    notebook = next((paths.ROOT / "notebooks").glob(f"{quiz.number}_*.ipynb")).name
    parts = [
        f"# Quiz {quiz.number} · {quiz.title}",
        f"Questions on [notebook {quiz.number}](../../notebooks/{notebook}); each has "
        "one right answer. Decide, say why, and only then unfold.",
    ]
    for number, each in enumerate(quiz.questions, start=1):
        parts += [f"## {number}. {each.title}", each.text]
        pairs = zip(LETTERS, each.choices, strict=False)
        parts += ["\n".join(f"- **{letter}** · {text}" for letter, text in pairs)]
        parts += ["<details>\n<summary>Answer</summary>"]
        parts += [f"**{LETTERS[each.right]}** is right. {each.explanation}"]
        parts += ["</details>"]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return a text as GIFT reads it back: its marks escaped, no line left empty."""
    return SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")


def gift(quiz: Quiz) -> str:
    """Return a quiz in Moodle's GIFT format, for "Import" in a question bank."""
    category = f"Variational autoencoders/{quiz.number} {quiz.title}"
    parts = [f"$CATEGORY: {category}"]
    for number, each in enumerate(quiz.questions, start=1):
        title = escaped(f"{quiz.number}-{number:02} {each.title}")
        lines = [f"::{title}::[markdown]{escaped(each.text)} {{"]
        for place, choice in enumerate(each.choices):
            lines.append(f"{'=' if place == each.right else '~'}{escaped(choice)}")
        lines += [f"####{escaped(each.explanation)}", "}"]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def build(folder: Path) -> None:
    """Write a GIFT file for each notebook into a folder.

    Raises:
        ValueError: a question lacks something.
        OSError: the folder can't be written.
    """
    for path in sources():
        with files.whole(folder / f"{path.stem}.gift.txt") as file:
            file.write(gift(read(path)).encode())
