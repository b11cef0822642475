"""What a notebook says and shows, for tests of texts that quote it."""

import functools
import re

import nbformat

NUMBER = re.compile(r"(?<![\w.])\d[\d,_]*(?:\.\d+)?")


def numbers_of(text):
    """The numbers of a text, without separators of thousands."""
    return {re.sub("[,_]", "", number).rstrip(".") for number in NUMBER.findall(text)}


@functools.cache
def saved_numbers(path):
    """The numbers that a notebook's text, code, outputs and alternatives show."""
    parts = []
    for cell in nbformat.read(path, as_version=4).cells:
        parts.append(cell.source)
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            parts += [output.get("text", ""), data.get("text/plain", "")]
            parts.append(output.get("metadata", {}).get("alt", ""))
    return numbers_of("\n".join(parts))
