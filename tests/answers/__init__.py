"""Answers to the exercises: the right one by exercise, and wrong ones by their hint."""

from importlib import import_module

NAMES = ("01", "02", "03", "04", "05", "06", "07", "07_ladder")
NOTEBOOKS = [import_module(f"answers.notebook_{name}") for name in NAMES]
CORRECT = {name: right for each in NOTEBOOKS for name, right in each.CORRECT.items()}
MISTAKES = [  # the exercise, a wrong answer, words of the hint that it should get
    (name, wrong, words)
    for each in NOTEBOOKS
    for name, answers in each.MISTAKES.items()
    for words, wrong in answers.items()
]
