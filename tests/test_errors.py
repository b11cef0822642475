"""helpers/ERRORS.md against the code: every error that helpers raise has its row, and no other."""

import ast
import re

import pytest

from helpers.engine import budgets

HELPERS = budgets.ROOT / "helpers"
LEFT_OUT = ("checks",)  # hints to exercises, lessons of their own
ROW = re.compile(
    r"^\| `(?P<message>.+?)` \| (?P<meaning>[^|]+) \| (?P<fix>[^|]+) \|$", re.MULTILINE
)


def literal(node):
    """The text of a message, with ... in place of every value: "" if it is no literal."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or "..." for part in node.values)
    if isinstance(node, ast.BinOp):
        return literal(node.left) + literal(node.right)
    return ""


def raised(source):
    """The beginning of each message that a module raises: up to the first colon after a word."""
    raises = [n.exc for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Raise)]
    messages = [
        literal(exc.args[0]) for exc in raises if isinstance(exc, ast.Call) and exc.args
    ]
    beginnings = (re.match(r"\W*\w.*?(?=: |:$|$)", message) for message in messages)
    return {beginning[0] for beginning in beginnings if beginning}


def in_code():
    paths = [path for path in sorted(HELPERS.glob("*.py")) if path.stem not in LEFT_OUT]
    return {
        (path.name, message) for path in paths for message in raised(path.read_text())
    }


def in_index():
    text = (HELPERS / "ERRORS.md").read_text()
    sections = re.split(r"^## `(.+)`$", text, flags=re.MULTILINE)[1:]
    return [
        (module, row["message"])
        for module, rows in zip(sections[::2], sections[1::2], strict=True)
        for row in ROW.finditer(rows)
    ]


def test_every_error_is_in_the_index():
    missing = sorted(in_code() - set(in_index()))
    rows = "\n".join(
        f"## `{module}`\n| `{message}` | WHAT | FIX |" for module, message in missing
    )
    assert not missing, (
        f"helpers/ERRORS.md lacks these rows, each under its module:\n{rows}"
    )


def test_every_row_of_the_index_is_an_error():
    stale = sorted(set(in_index()) - in_code())
    assert not stale, (
        f"no code raises what these rows of helpers/ERRORS.md say: {stale}"
    )


def test_no_row_stands_twice_and_every_row_is_read():
    rows = in_index()
    assert len(rows) == len(set(rows))
    lines = (HELPERS / "ERRORS.md").read_text().splitlines()
    assert sum(line.startswith("| `") for line in lines) == len(rows), (
        "a row is not a row of three"
    )


@pytest.mark.parametrize(
    ("code", "messages"),
    [
        ('raise ValueError(f"x is {x!r}, not {1}: mend it")', {"x is ..., not ..."}),
        ('raise ValueError("a " f"b {c}" "d")', {"a b ...d"}),
        ('raise ValueError("a " + f"b: {c}")', {"a b"}),
        (
            'raise ValueError(f"{path}: {key} must be b: mend it")',
            {"...: ... must be b"},
        ),
        ("raise NotImplementedError", set()),
        ("raise ValueError(message)", set()),
        ('raise OSError(f"{error}: {remedy}")', set()),
        ("try:\n    f()\nexcept OSError:\n    raise", set()),
    ],
)
def test_messages_are_found_in_code(code, messages):
    assert raised(code) == messages
