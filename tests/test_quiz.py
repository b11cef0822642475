"""The questions: whole, true to the saved notebooks, and read back from GIFT."""

import re
from collections import Counter

import nbformat
import pytest
from notebook_words import numbers_of, saved_numbers

from helpers.engine import paths
from teaching import quiz

NOTEBOOKS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
QUIZZES = {path.stem: quiz.read(path) for path in quiz.sources()}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_has_ten_questions_under_its_own_title(path):
    each = QUIZZES[path.stem[:2]]
    heading = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    assert heading == f"# {each.number} · {each.title}"
    assert len(each.questions) == 10
    assert len({q.title for q in each.questions}) == 10


@pytest.mark.parametrize("number", QUIZZES)
def test_neither_place_nor_length_tells_the_right_answer(number):
    questions = QUIZZES[number].questions
    places = Counter(q.right for q in questions)
    assert len(places) == 4
    assert max(places.values()) <= 4
    longest = [max(q.choices, key=len) == q.choices[q.right] for q in questions]
    assert 1 <= sum(longest) <= 5


@pytest.mark.parametrize("number", QUIZZES)
def test_a_number_is_one_that_the_notebook_shows(number):
    [path] = [path for path in NOTEBOOKS if path.stem.startswith(number)]
    for q in QUIZZES[number].questions:
        told = " ".join((q.text, q.choices[q.right], q.explanation))
        assert numbers_of(told) <= saved_numbers(path), q.title


WHOLE = """A title

What is asked?

- [ ] no
- [x] yes,
  on two lines
- [ ] never
- [ ] perhaps

> Because it is
> so.
"""
FAULTS = {
    "a text": ("What is asked?\n\n", ""),
    "one list": ("- [ ] never\n", "\n- [ ] never\n"),
    "before every choice": ("- [ ] never", "- [*] never"),
    "one right choice": ("[x]", "[ ]"),
    "one right choice, marked": ("[ ] never", "[x] never"),
    "three wrong": ("- [ ] never\n", ""),
    "that differ": ("perhaps", "Never"),
    "an explanation": ("> Because it is\n> so.\n", ""),
}


def test_a_whole_question_is_read():
    found = quiz.question("a.md", WHOLE)
    assert found.choices == ("no", "yes, on two lines", "never", "perhaps")
    assert (found.right, found.explanation) == (1, "Because it is so.")


@pytest.mark.parametrize("said", FAULTS)
def test_a_question_that_lacks_something_says_what(said):
    broken = WHOLE.replace(*FAULTS[said])
    assert broken != WHOLE
    with pytest.raises(ValueError, match=rf"a\.md, 'A title': .*{said}"):
        quiz.question("a.md", broken)


# GIFT, read by a parser of its own


def private(match):
    """An escaped mark, as a letter that nobody uses; n is the end of a line."""
    return chr(0xE000 + ord(match[1].replace("n", "\n")))


def public(text):
    plain = re.sub("[\ue000-\ue0ff]", lambda m: chr(ord(m[0]) - 0xE000), text)
    return plain.strip()


def questions_of(text):
    """Yield title, text, right answers, wrong answers and feedback of a GIFT file."""
    text = re.sub(r"\\([\\~=#{}:n])", private, text)
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("$CATEGORY:"):
            continue
        found = re.fullmatch(
            r"::([^:]*)::\[markdown\]([^{}=~#:]*)\{(.*)\}", block, re.S
        )
        assert found, block
        answers, mark, feedback = found[3].partition("####")
        assert mark
        assert not re.search("[{}=~#:]", feedback)
        listed = re.findall(r"([=~])([^=~#{}:]*)", answers)
        assert "".join(a + b for a, b in listed).strip() == answers.strip()
        right, wrong = ([public(b) for a, b in listed if a == m] for m in "=~")
        yield public(found[1]), public(found[2]), right, wrong, public(feedback)


def test_a_gift_file_says_what_the_source_says(tmp_path):
    quiz.build(tmp_path)
    assert len(list(tmp_path.glob("*.gift.txt"))) == len(NOTEBOOKS)
    for number, each in QUIZZES.items():
        text = (tmp_path / f"{number}.gift.txt").read_text(encoding="utf-8")
        expected = [
            (
                f"{number}-{place:02} {q.title}",
                q.text,
                [q.choices[q.right]],
                [c for place, c in enumerate(q.choices) if place != q.right],
                q.explanation,
            )
            for place, q in enumerate(each.questions, start=1)
        ]
        assert list(questions_of(text)) == expected


def test_marks_of_gift_are_escaped():
    nasty = r"a ~ b = c # d { e } f : g \ h \n i"
    q = quiz.Question(nasty, f"{nasty}\n\nx", (nasty, "=1", "~2", "\\"), 3, nasty)
    [found] = questions_of(quiz.gift(quiz.Quiz("01", "T", (q,))))
    assert found == (f"01-01 {nasty}", q.text, ["\\"], [nasty, "=1", "~2"], nasty)
