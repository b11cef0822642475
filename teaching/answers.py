"""Find an answer in a notebook: a function, and whatever of the cells it needs."""

import ast
import re
import symtable
from dataclasses import dataclass

CELL = 50_000  # characters of a cell; longer ones are not read
ALL = 2_000_000  # characters of all cells together
MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


@dataclass(frozen=True)
class Statement:
    """A statement of a cell, outermost level: a definition, an import, a loop."""

    cell: int  # the number of its cell, from 1, Markdown cells counted too
    code: str
    binds: frozenset[str]  # names
    needs: frozenset[str]  # names, those in functions' bodies too
    is_definition: bool  # of a function or class
    is_stub: bool


@dataclass(frozen=True)
class Answer:
    """A function's name, its cell, and the statements that define it, in order."""

    name: str
    cell: int
    statements: tuple[str, ...]


class Code:
    """What the code cells of a notebook define.

    Args:
        cells: number and text of each code cell.

    Raises:
        ValueError: there is more code than a notebook of the course can have.
    """

    def __init__(self, cells: list[tuple[int, str]]) -> None:
        if sum(len(text) for _, text in cells) > ALL:
            raise ValueError(f"more than {ALL:,} characters of code")
        self.statements: list[Statement] = []
        self.broken: list[tuple[int, str, str]] = []  # cell, text, what is wrong
        for cell, text in cells:
            try:
                self.statements += statements_of(cell, text)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                self.broken.append((cell, text, fault_of(error)))

    def answer(self, name: str) -> Answer | None:
        """Return the last definition of a name, stubs left out; None if there is none.

        Of every name that it needs, and they need, the last definition comes first. Any
        other value of a name, as in ``f = f(3)``, counts only where none is defined.
        """
        kept = [s for s in self.statements if not s.is_stub]
        kept.sort(key=lambda s: s.is_definition)
        last = {name: statement for statement in kept for name in statement.binds}
        if name not in last:
            return None
        chosen, seen = [s for s in self.statements if "*" in s.binds], set()

        def choose(needed: str) -> None:
            statement = last.get(needed)
            if statement is not None and statement not in seen:
                seen.add(statement)
                for other in sorted(statement.needs):
                    choose(other)
                chosen.append(statement)

        choose(name)
        return Answer(name, last[name].cell, tuple(s.code for s in chosen))

    def has_stub(self, name: str) -> bool:
        """Whether the exercise's stub is there."""
        return any(s.is_stub and name in s.binds for s in self.statements)

    def broken_cells(self, name: str) -> str:
        """Return where a name is defined by what is no Python, or nothing."""
        defines = re.compile(rf"^\s*(async\s+)?def\s+{name}\b", re.MULTILINE)
        return "; ".join(
            f"cell {cell} defines it, but is no Python: {fault}"
            for cell, text, fault in self.broken
            if defines.search(text)
        )


def statements_of(cell: int, text: str) -> list[Statement]:
    """Return the statements of a cell; lines that begin with % or ! are left out.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: it is no Python, or too
            much of it.
    """
    if len(text) > CELL:
        raise ValueError(f"longer than {CELL:,} characters")
    try:
        tree = ast.parse(text)
    except SyntaxError:
        tree = ast.parse(MAGIC.sub(r"\1pass", text))
    return [statement_of(cell, node) for node in tree.body]


def statement_of(cell: int, node: ast.stmt) -> Statement:
    """Return a statement with the names that it binds and needs."""
    code = ast.unparse(node)
    top = symtable.symtable(code, f"cell {cell}", "exec")
    symbols = top.get_symbols()
    binds = {s.get_name() for s in symbols if s.is_assigned() or s.is_imported()}
    if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
        binds = {"*"}
    needs = {s.get_name() for s in symbols if s.is_referenced()}
    tables = top.get_children()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        found = (s for s in table.get_symbols() if s.is_global() and s.is_referenced())
        needs |= {s.get_name() for s in found}
    definition = isinstance(node, ast.FunctionDef | ast.ClassDef) or (
        isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
    )
    return Statement(
        cell, code, frozenset(binds), frozenset(needs), definition, is_stub(node)
    )


def is_stub(node: ast.stmt) -> bool:
    """Whether this is a function that does nothing but raise NotImplementedError."""
    if not isinstance(node, ast.FunctionDef):
        return False
    match node.body[ast.get_docstring(node) is not None :]:
        case [ast.Raise(exc=ast.Call(func=ast.Name(id=name)) | ast.Name(id=name))]:
            return name == "NotImplementedError"
    return False


def fault_of(error: BaseException) -> str:
    """Return what is wrong with a cell."""
    if isinstance(error, SyntaxError):
        return f"{error.msg} (line {error.lineno})"
    return str(error) or type(error).__name__
