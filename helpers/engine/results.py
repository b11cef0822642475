"""Make data/results: what takes longer to train than a notebook should.

python -m helpers.engine.results [--minutes 30] [--workers 2] [STUDY ...]

Each call goes on with the runs that the tables lack.
"""

import argparse
import csv
import io
import sys
import time
from pathlib import Path
from types import ModuleType

from helpers.engine import files, paths, sweeps
from helpers.engine.studies import (
    autoencoders,
    cats,
    diagnose,
    factors,
    families,
    ladder,
    latent_cats,
    latent_judged,
    paper,
    planes,
    recipes,
)

RESULTS = paths.data_folder() / "results"
STUDIES = {
    study.__name__.rpartition(".")[2]: study
    for study in (
        autoencoders,
        recipes,
        planes,
        families,
        factors,
        diagnose,
        cats,
        ladder,
        latent_cats,
        latent_judged,
        paper,
    )
}
Rows = dict[str, list[dict]]  # by table


def recorded(study: ModuleType, folder: Path) -> dict[tuple[str, ...], Rows]:
    """Return by run what all of a study's tables hold: its rows in each."""
    runs: dict[tuple[str, ...], Rows] = {}
    for name in study.TABLES:
        for row in read_csv(folder / f"{name}.csv"):
            run = runs.setdefault(key_of(study, row), {})
            run.setdefault(name, []).append(row)
    return {key: run for key, run in runs.items() if run.keys() == study.TABLES.keys()}


def read_csv(path: Path) -> list[dict]:
    """Return a table's rows, all as text; none where there is no table yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key_of(study: ModuleType, run: dict) -> tuple[str, ...]:
    """Return what tells a run from all others, as the tables write it."""
    return tuple(str(run[key]) for key in study.KEYS)


def with_keys(study: ModuleType, configuration: dict, result: Rows) -> Rows:
    """Return a finished run's rows by table, its keys in each."""
    keys = {key: configuration[key] for key in study.KEYS}
    return {name: [keys | row for row in rows] for name, rows in result.items()}


def write_csv(path: Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    """Write rows of figures, six digits each; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shown = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(shown)
    with files.whole(path) as file:
        file.write(text.getvalue().encode())


def write_tables(study: ModuleType, runs: list[Rows]) -> None:
    """Write a study's tables, of finished runs in order."""
    for name, columns in study.TABLES.items():
        rows = [row for run in runs for row in run[name]]
        write_csv(RESULTS / f"{name}.csv", columns, rows)


def record(study: ModuleType, configuration: dict, result: Rows) -> None:
    """Write one finished run into the tables, in the place of an older one.

    Raises:
        ValueError: the study's grid has no such run.
    """
    order = [key_of(study, each) for each in study.grid()]
    key = key_of(study, configuration)
    if key not in order:
        raise ValueError(f"the tables hold the runs of a grid, which lacks {key}")
    runs = recorded(study, RESULTS)
    runs[key] = with_keys(study, configuration, result)
    write_tables(study, [runs[key] for key in order if key in runs])


def go_on(study: ModuleType, workers: int, minutes: float) -> bool:
    """Run what a study's tables lack, write them, and return whether all went well."""
    kept, every, well = recorded(study, RESULTS), study.grid(), True
    todo = [each for each in every if key_of(study, each) not in kept]
    function, raw = f"{study.__name__}:run", paths.build_folder() / "results"
    if todo and minutes > 0:
        try:
            study.load()  # once, before workers do so at the same time
            options = {"minutes": minutes, "resumes": getattr(study, "RESUMES", False)}
            sweeps.sweep(function, todo, raw, workers, **options)
        except (OSError, RuntimeError, ValueError) as error:
            print(error, file=sys.stderr)
            well = False
    results = sweeps.finished(function, todo, raw) if todo else []
    for each, result in zip(todo, results, strict=True):
        if result is not None:
            kept[key_of(study, each)] = with_keys(study, each, result)
    done = [kept[key_of(study, each)] for each in every if key_of(study, each) in kept]
    if done:
        write_tables(study, done)
    name = " and ".join(f"{table}.csv" for table in study.TABLES)
    print(f"{len(done)} of {len(every)} runs are in {name}")
    return well


def main(arguments: list[str] | None = None) -> int:
    """Go on with one study after another for some minutes; return the exit status."""
    prog = "python -m helpers.engine.results"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(STUDIES))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.studies if name not in STUDIES]:
        parser.error(f"the studies are {', '.join(STUDIES)}, not {unknown[0]}")
    end, well = time.monotonic() + 60 * given.minutes, True
    for name in given.studies or STUDIES:
        left = (end - time.monotonic()) / 60
        well &= go_on(STUDIES[name], given.workers, left)
    print("Rows that a table lacks are made by the next call; delete some to renew.")
    return int(not well)


if __name__ == "__main__":
    sys.exit(main())
