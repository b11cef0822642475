"""The board's logs, and the table of who was first below some nats.

A log is ``tests/board/ENTRY.csv``: runs one after another, each with a row for every
mark, the last of them at its end.
"""

import re
from pathlib import Path

from helpers.engine import files, paths, results

FOLDER = Path(__file__).resolve().parent / "board"
README = paths.ROOT / "README.md"
PLACE = re.compile(r"(<!-- board -->\n).*?(<!-- end of board -->)", re.DOTALL)
TARGETS = (90, 87, 85, 83, 80)  # nats
RUN = ("minutes", "seed", "machine")  # what tells a run from the entry's others
COUNTS = ("seed", "steps", "codes", "digits")
LOG = (*RUN, "steps", "seconds", "processor_seconds", "codes", "digits")
LOG += ("nll", "nll_error")
HEAD = ("nats", "seconds", "processor seconds", "entry", "machine", "NLL of the run")


class EntryError(ValueError):
    """An entry or its log is not as the board needs it; the message says how not."""


def names() -> list[str]:
    """Return the entries' names."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def log_of(name: str) -> list[dict]:
    """Return an entry's log: its runs one after another, each with its last row last.

    Raises:
        EntryError: it lacks a column, or a figure is none.
    """
    path = FOLDER / f"{name}.csv"
    rows = results.read_csv(path)
    for row in rows:
        try:
            for column in set(LOG) - {"machine"}:
                row[column] = (int if column in COUNTS else float)(row[column])
        except (KeyError, TypeError, ValueError) as error:
            raise EntryError(f"{path.name}: {error!r} in the row {row}") from error
    return rows


def run_of(row: dict) -> tuple:
    """Return what tells a run of an entry from its others."""
    return tuple(row[key] for key in RUN)


def write(name: str, run: dict, rows: list[dict]) -> None:
    """Write a run into its entry's log, in the place of an older one of the kind."""
    others = [row for row in log_of(name) if run_of(row) != run_of(run)]
    results.write_csv(FOLDER / f"{name}.csv", LOG, others + [run | r for r in rows])


def table() -> list[dict]:
    """Return by target and machine the run that was first below it.

    Returns:
        Rows with ``target`` (nats); and, where a run has reached it, ``seconds``,
        ``processor_seconds``, ``entry``, ``machine``, and the run's ``minutes``,
        ``nll`` and ``nll_error`` at its end.
    """
    runs: dict[tuple, list[dict]] = {}
    for name in names():
        for row in log_of(name):
            runs.setdefault((name, *run_of(row)), []).append(row)
    found = []
    for target in TARGETS:
        first: dict[str, dict] = {}
        for (name, *_), rows in runs.items():
            below = next((row for row in rows if row["nll"] < target), None)
            best = first.get(rows[0]["machine"])
            if below and (best is None or below["seconds"] < best["seconds"]):
                end = {key: rows[-1][key] for key in ("nll", "nll_error")}
                first[below["machine"]] = below | end | {"entry": name}
        found += [{"target": target} | first[machine] for machine in sorted(first)]
        found += [{"target": target}] * (not first)
    return found


def cells(row: dict) -> tuple[str, ...]:
    """Return a row of the table as text."""
    if "entry" not in row:
        return str(row["target"]), "", "", "none yet", "", ""
    end = f"{row['nll']:.2f} ± {row['nll_error']:.2f}, {row['minutes']:g} minutes"
    times = [f"{row[key]:,.0f}" for key in ("seconds", "processor_seconds")]
    return str(row["target"]), *times, row["entry"], row["machine"], end


def as_text(rows: list[dict]) -> str:
    """Return the table for a terminal."""
    lines = [HEAD, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def as_markdown(rows: list[dict]) -> str:
    """Return the table for README.md."""
    lines = [HEAD, ["---"] * len(HEAD), *map(cells, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_readme() -> None:
    """Put the table in its place in README.md."""
    text = README.read_text(encoding="utf-8")
    shown = as_markdown(table())
    text = PLACE.sub(lambda found: found[1] + shown + found[2], text)
    with files.whole(README) as file:
        file.write(text.encode())
