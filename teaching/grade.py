"""Mark a folder of notebooks that students handed in.

python -m teaching.grade FOLDER [--out FOLDER] [--jobs N] [--seconds N]
"""

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from helpers.engine import paths
from teaching import reports, submissions
from teaching.marks import Row, mark_submission
from teaching.processes import Limits, try_out

JOBS = min(2, os.cpu_count() or 1)


def grade(folder: Path, out: Path, limits: Limits, jobs: int = JOBS) -> list[Row]:
    """Mark every notebook below a folder; write and return the marks.

    Raises:
        NotADirectoryError: there is no such folder.
        OSError: the marks can't be written.
        RuntimeError: no answer at all can be run here.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder")
    try_out(limits)
    found = submissions.find(folder)
    rows: list[Row] = []
    with ThreadPoolExecutor(jobs) as threads:
        marking = threads.map(partial(mark_submission, limits=limits), found)
        for submission, marked in zip(found, marking, strict=True):
            rows += marked
            right = sum(row.mark or 0 for row in marked)
            said = f"{right} of {len(marked)} right"
            if marked[0].mark is None:
                said = marked[0].message
            print(reports.one_line(f"{submission.where}: {said}"))
    rows = reports.best(rows)
    reports.write(rows, out)
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Carry out the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m teaching.grade")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, help="where marks go: build/grades")
    parser.add_argument("--jobs", type=int, default=JOBS, help="notebooks at a time")
    parser.add_argument("--seconds", type=float, default=Limits.seconds)
    chosen = parser.parse_args(arguments)
    out = chosen.out or paths.build_folder() / "grades"
    limits = Limits(seconds=chosen.seconds, hidden=(chosen.folder, out))
    try:
        rows = grade(chosen.folder, out, limits, chosen.jobs)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    students = len({row.student for row in rows})
    print(f"{students} students: {out / 'marks.csv'}, {out / 'feedback'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
