"""Results as text: the one way in which notebooks print rows of figures, and claims."""

from collections.abc import Mapping

from helpers.engine.budgets import budget


def table(
    rows: Mapping[str, Mapping[str, object]],
    formats: str | Mapping[str, str] = "",
    corner: str = "",
) -> str:
    """Return rows of figures as text, in columns as wide as their widest entry.

    Args:
        rows: label to column to figure; a row may lack columns, which stay empty.
        formats: a format for every number, such as ``".2f"``, or one by column. Text
            is shown as it is.
        corner: what stands over the labels: a unit, or what the rows are.
    """
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    by_column = dict.fromkeys(columns, formats) if isinstance(formats, str) else formats

    def shown(value: object, column: str) -> str:
        if isinstance(value, str):
            return value
        return format(value, by_column.get(column, ""))

    lines = [[corner, *columns]]
    for label, row in rows.items():
        lines.append([label, *(shown(row.get(name, ""), name) for name in columns)])
    label_width, *widths = (
        max(map(len, column)) for column in zip(*lines, strict=True)
    )
    return "\n".join(
        "   ".join([label.ljust(label_width), *map(str.rjust, cells, widths)]).rstrip()
        for label, *cells in lines
    )


def claims(statements: Mapping[str, bool]) -> str:
    """Return the text's statements, a line each, and whether this run bears them out.

    Args:
        statements: what the text says, and whether this run's figures say so too. With
            less than the full budget a statement that fails may need the full one.
    """
    failed = "fails here" if budget() == "full" else "needs the full budget"
    return "\n".join(
        f"{'holds here' if holds else failed}: {statement}"
        for statement, holds in statements.items()
    )
