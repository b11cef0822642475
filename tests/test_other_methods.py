"""helpers/checks: an answer is judged by its values, whatever the method behind it."""

import answers
import pytest
from test_checks import spoils_its_inputs, verdict

LEAST = 8  # right answers by other methods, and wrong ones, to each exercise
OTHER = {}
for notebook in answers.NOTEBOOKS:
    OTHER |= getattr(notebook, "OTHER_METHODS", {})
CASES = [
    pytest.param(name, attempt, id=f"{name}-{method}")
    for name, methods in OTHER.items()
    for method, attempt in methods.items()
]


@pytest.mark.parametrize("name", OTHER)
def test_many_right_and_wrong_answers_are_tried(name):
    assert name in answers.CORRECT
    assert len(OTHER[name]) >= LEAST
    hints = [words for other, _, words in answers.MISTAKES if other == name]
    assert len(hints) >= LEAST


@pytest.mark.parametrize(("name", "attempt"), CASES)
def test_a_right_answer_by_another_method_is_correct(name, attempt):
    assert verdict(name, attempt).startswith("correct")
    assert verdict(name, spoils_its_inputs(attempt)).startswith("correct")


@pytest.mark.parametrize(("name", "attempt"), CASES)
def test_its_values_on_one_input_are_no_answer(name, attempt):
    """A constant that is right for the first input must fail on another."""
    first = []

    def constant(*arguments):
        first.append(first[0] if first else attempt(*arguments))
        return first[0]

    assert verdict(name, constant).startswith("not yet")
