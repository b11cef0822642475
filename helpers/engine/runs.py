"""Run every notebook on this machine; a page for each lands beside the book.

Two notebooks run at a time. A run that was interrupted, or failed, goes on with the
notebooks that it lacks, unless notebooks, helpers or the budget have changed since.
"""

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from pathlib import Path

import nbformat
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from helpers.engine import book, files, kernels, paths

JOBS = min(2, os.cpu_count() or 1)
LONGEST = ("04", "03", "05", "02", "06", "09", "08", "07", "01")  # first, as measured
LINK = re.compile(r"\]\((\d\d_\w+)\.ipynb")
DOCUMENT = re.compile(r"\]\(\.\./([\w/]+)\.md")
DATA = re.compile(r"^.+: [\d,]+ training\b.+ test pictures of .+$", re.MULTILINE)
CLAIM = "claim"  # tags cells that print whether what the prose says holds here too
TEMPLATE = """{%- extends "lab/index.html.j2" -%}
{%- block html_head_js_requirejs -%}{%- endblock -%}
{%- block html_head_css -%}{{ super() }}
<style>.jp-RenderedMarkdown :is(p, li) a:any-link { text-decoration: underline }</style>
<script>UNFOLD</script>
{%- endblock -%}
{%- macro with_words(image, output) -%}
{%- set words = output.metadata.alt | default("") | escape_html -%}
{{ image | replace("<img ", '<img alt="' ~ words ~ '" ' if words else "<img ") }}
{%- endmacro -%}
{%- block data_png -%}{{ with_words(super(), output) }}{%- endblock -%}
{%- block data_jpg -%}{{ with_words(super(), output) }}{%- endblock -%}
""".replace("UNFOLD", book.UNFOLD)


def run(names: list[str], budget: str, jobs: int = JOBS) -> None:
    """Run notebooks; leave a page for each, and an index of them, in ``build/run/``.

    Raises:
        RuntimeError: a cell failed; says which, and how. What else ran is stopped.
        ValueError: a name fits no notebook.
        OSError: the folder can't be written.
    """
    chosen, folder = kernels.find_notebooks(names), paths.ROOT / "build" / "run"
    paths.make_writable(folder)
    set_environment(budget, jobs)
    book.copy_mathjax(folder / "mathjax")
    begin, notes = time.perf_counter(), folder / "unfinished.json"
    done = noted(notes, signature(chosen, budget))
    reports = done["notebooks"]
    if reports:
        print(f"Going on: {', '.join(reports)} had been run before.")
    todo = [path for path in chosen if path.stem not in reports]
    todo.sort(key=lambda path: [*LONGEST, path.stem[:2]].index(path.stem[:2]))
    for report in run_all(todo, folder, budget, jobs):
        reports[report["name"]] = report
        with files.whole(notes) as file:
            file.write(json.dumps(done).encode())
    write_index(folder, budget, [reports[path.stem] for path in chosen])
    notes.unlink(missing_ok=True)
    said = f"{len(chosen)} notebooks ran in {time.perf_counter() - begin:.0f} s"
    print(f"{said} ({budget} budget). Read them: {folder / 'index.html'}")


def run_all(todo: list[Path], folder: Path, budget: str, jobs: int) -> Iterator[dict]:
    """Run so many notebooks at a time; yield the report of each when it is done.

    After a failure, or the reader's Ctrl-C, what runs is stopped and nothing begun.
    """
    over = threading.Event()

    def unless_over(path):
        if over.is_set():
            raise CancelledError
        try:
            return run_one(path, folder, budget)
        except BaseException:
            over.set()  # here, before this thread is given the next one
            raise

    with ThreadPoolExecutor(jobs) as pool:
        started = [pool.submit(unless_over, path) for path in todo]
        try:
            for future in as_completed(started):
                yield future.result()
        except BaseException:
            over.set()
            kernels.stop()
            raise


def set_environment(budget: str, jobs: int) -> None:
    """Tell the kernels how much to compute and download, and to share the cores."""
    os.environ["VAE_COURSE_BUDGET"] = budget
    os.environ["VAE_COURSE_DOWNLOADS"] = "small"
    threads = str(max(1, (os.cpu_count() or 1) // jobs))
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        os.environ.setdefault(name, threads)


def signature(chosen: list[Path], budget: str) -> str:
    """Return what tells one run from another: its budget and all of its code."""
    digest = hashlib.sha256(budget.encode())
    for path in [*chosen, *sorted((paths.ROOT / "helpers").rglob("*.py"))]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def noted(notes: Path, run: str) -> dict:
    """Return what an unfinished run like this one has done; nothing, if there is none.

    Of a file that is damaged nothing is taken.
    """
    try:
        found = json.loads(notes.read_text(encoding="utf-8"))
        pages = [notes.with_name(f"{name}.html") for name in found["notebooks"]]
        if found["run"] == run and all(page.exists() for page in pages):
            return found
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {"run": run, "notebooks": {}}


def run_one(path: Path, folder: Path, budget: str) -> dict:
    """Run a notebook and write its page; return what the index says of it."""
    begin, saved = time.perf_counter(), nbformat.read(path, as_version=4)
    notebook = kernels.execute(path)
    report = {
        "name": path.stem,
        "title": notebook.cells[0].source.splitlines()[0].lstrip("# "),
        "seconds": round(time.perf_counter() - begin),
        "data": data_of(notebook),
        "saved_data": data_of(saved),
        "claims": claims_of(notebook),
    }
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell(banner(report, budget)))
    write_page(folder / f"{path.stem}.html", notebook)
    return report


def texts_of(cells: list[NotebookNode]) -> str:
    """Return what code cells have printed."""
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    return "".join(output.get("text", "") for output in outputs)


def data_of(notebook: NotebookNode) -> list[str]:
    """Return the lines in which a notebook says what data it has."""
    return list(dict.fromkeys(DATA.findall(texts_of(notebook.cells))))


def claims_of(notebook: NotebookNode) -> list[str]:
    """Return the lines that cells tagged as claims have printed."""
    cells = [c for c in notebook.cells if CLAIM in c.metadata.get("tags", ())]
    return texts_of(cells).splitlines()


def banner(report: dict, budget: str) -> str:
    """Return what stands above a page: what differs from the saved notebook."""
    lines = [f"**Run on this machine, with the {budget} budget.**"]
    if budget != "full":
        lines[0] += " Fewer steps and pictures: what the text says may not hold here."
    here, there = report["data"], report["saved_data"]
    if here != there:
        lines.append(f"Data here: {'; '.join(here) or 'none'}.")
        lines.append(f"Data of the saved outputs: {'; '.join(there) or 'none'}.")
    link = f"../book/notebooks/{report['name']}.html"
    lines.append(f"[The saved outputs, in the book]({link}) · [All pages](index.html)")
    return "\n\n".join(lines)


def relinked(text: str) -> str:
    """Return prose whose links lead to the other pages, and into the book."""
    text = book.BADGE.sub(book.badge, text)
    text = text.replace("](../images/", "](../book/images/")
    text = DOCUMENT.sub(r"](../book/\1.html", text)
    return LINK.sub(r"](\1.html", text)


def write_page(path: Path, notebook: NotebookNode) -> None:
    """Write a page that needs no network, with figures' words and links that hold."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = relinked(cell.source)
    # embed_images would unfold <details>
    address = "mathjax/MathJax.js?config=course"
    exporter = HTMLExporter(mathjax_url=address, raw_template=TEMPLATE)
    exporter.register_filter("clean_html", lambda html: html)  # slow; ours is clean
    body, _ = exporter.from_notebook_node(notebook)
    with files.whole(path) as file:
        file.write(body.encode())


def write_index(folder: Path, budget: str, reports: list[dict]) -> None:
    """Write the page that lists the others, with each one's time and claims."""
    lines = ["# Run on this machine", f"With the {budget} budget. The course itself:"]
    lines[1] += " [the book](../book/index.html), whose outputs are full runs."
    for report in reports:
        link = f"[{report['title']}]({report['name']}.html), {report['seconds']} s"
        facts = report["data"] + report["claims"]
        lines.append("\n".join([f"- {link}", *(f"  - {fact}" for fact in facts)]))
    cells = [nbformat.v4.new_markdown_cell("\n\n".join(lines))]
    write_page(folder / "index.html", nbformat.v4.new_notebook(cells=cells))
