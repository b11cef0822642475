"""Mark the answers of one notebook, by the checks that the notebooks use."""

from dataclasses import dataclass

import numpy as np

from helpers import checks
from teaching.answers import Answer, Code
from teaching.exercises import Exercise, course
from teaching.processes import Child, Failure, Limits
from teaching.submissions import Submission, UnreadableError, read


@dataclass(frozen=True)
class Row:
    """One mark, or one file that could not be marked."""

    student: str
    notebook: str
    exercise: str
    mark: int | None  # 1 is right, 0 is not; None is for a teacher to look at
    message: str
    where: str

    @property
    def worth(self) -> int:
        """How good the mark is; a missing one is the worst."""
        return -1 if self.mark is None else self.mark


def mark_submission(submission: Submission, limits: Limits) -> list[Row]:
    """Return the marks of a file; whatever it holds, at least one row."""
    try:
        cells = read(submission.path)
        exercises = exercises_in(cells)
        if not exercises:
            raise UnreadableError("no exercise of the course is in it")
        marked = mark_exercises(exercises, Code(cells), limits)
    except Exception as error:
        known = isinstance(error, UnreadableError)
        told = str(error) if known else f"{type(error).__name__}: {error}"
        told = f"not marked: {told[:300]}"
        return [Row(submission.student, "", "", None, told, submission.where)]
    return [
        Row(
            submission.student,
            exercise.notebook,
            exercise.title,
            mark,
            message[:1000],
            f"{submission.where}, cell {answer.cell}" if answer else submission.where,
        )
        for exercise, answer, mark, message in marked
    ]


def exercises_in(cells: list[tuple[int, str]]) -> list[Exercise]:
    """Return the exercises of the notebook that has most of its names in the cells."""
    text = "\n".join(source for _, source in cells)

    def found(exercises: list[Exercise]) -> int:
        words = [word for e in exercises for word in (f"def {e.function}(", e.check)]
        return sum(word in text for word in words)

    best = max(course().values(), key=found)
    return best if found(best) else []


def mark_exercises(
    exercises: list[Exercise], code: Code, limits: Limits
) -> list[tuple[Exercise, Answer | None, int, str]]:
    """Return answer, mark and message for each exercise.

    All answers run in one process, until one of them ends it. One that is not right
    after others ran there is tried in a process of its own: they may be to blame.
    """
    results, process, used = [], Child(limits), False
    try:
        for exercise in exercises:
            answer = code.answer(exercise.function)
            if answer is None:
                mark, message = 0, absent(exercise, code)
            else:
                mark, message, alive = mark_answer(exercise, answer, process)
                if used and not mark:
                    with Child(limits) as own:
                        mark, message, _ = mark_answer(exercise, answer, own)
                used = alive
                if not alive:
                    process.close()
                    process = Child(limits)
                broken = code.broken_cells(exercise.function)
                message += f" ({broken})" if broken else ""
            results.append((exercise, answer, mark, message))
    finally:
        process.close()
    return results


def mark_answer(
    exercise: Exercise, answer: Answer, process: Child
) -> tuple[int, str, bool]:
    """Return mark and message, and whether the process can go on."""
    failed = None
    try:
        failed = process.load(answer)
        with np.errstate(all="ignore"):
            message = getattr(checks, exercise.check)(process.function())
    except Failure as error:
        return 0, f"not yet: {error}", False
    except Exception as error:  # in the check itself, as of an answer of odd shape
        return 0, f"not yet: {type(error).__name__}: {error}", True
    right = message.startswith("correct")
    if failed and not right:
        message += f" (before that, {failed})"
    return int(right), message, True


def absent(exercise: Exercise, code: Code) -> str:
    """Return why there is no answer."""
    broken = code.broken_cells(exercise.function)
    if broken:
        return f"not yet: {broken}"
    if code.has_stub(exercise.function):
        return "not attempted"
    return f"no function {exercise.function} was found"
