"""Run the notebooks into pages, save their outputs, stamp the repository's address.

python -m helpers.engine.notebooks run [--budget quick|full] [NAME ...]
python -m helpers.engine.notebooks save [NAME ...]
python -m helpers.engine.notebooks stamp [--repo OWNER/NAME] [--tag TAG]
"""

import argparse
import base64
import importlib.util
import io
import os
import re
import shutil
import sys
import time
from pathlib import Path

import nbclient
import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from PIL import Image
from tqdm import tqdm

import helpers
from helpers.engine import budgets, files, paths

STAMPED = ("helpers/__init__.py", "README.md", "notebooks/*.ipynb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
IMAGE_TAG = "image:"  # a cell tagged image:NAME has its figure saved as images/NAME.png
FILE_TAG = "file:"  # a cell tagged file:NAME makes build/NAME, saved as images/NAME
ALTERNATIVES = """{%- extends "lab/index.html.j2" -%}
{%- macro with_words(image, output) -%}
{%- set words = output.metadata.alt | default("") | escape_html -%}
{{ image | replace("<img ", '<img alt="' ~ words ~ '" ' if words else "<img ") }}
{%- endmacro -%}
{%- block data_png -%}{{ with_words(super(), output) }}{%- endblock -%}
{%- block data_jpg -%}{{ with_words(super(), output) }}{%- endblock -%}
"""
FIGURES = {"image/png", "image/jpeg"}
WIDGET = "application/vnd.jupyter.widget-view+json"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # unreadable in a log


def find_notebooks(names: list[str]) -> list[Path]:
    """Return those that begin with one of ``names``, or all; ValueError for no fit."""
    every = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
    names = names or [""]
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            there = f"in {paths.ROOT} are {[path.stem for path in every]}"
            raise ValueError(f"no notebook begins with {name!r}: {there}")
    return [path for path in every if path.name.startswith(tuple(names))]


def execute(path: Path) -> nbformat.NotebookNode:
    """Return a notebook run in a fresh kernel, without widgets, which need one.

    Raises:
        RuntimeError: a cell failed; says which, and how.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=cells, desc=path.stem, unit="cell", file=sys.stdout) as bar:
        client = nbclient.NotebookClient(
            notebook,
            timeout=1800,
            kernel_name="python3",
            extra_arguments=["--log-level=40"],  # not the kernel's note on transport
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            coalesce_streams=True,
            on_cell_executed=lambda **_: bar.update(),
        )
        try:
            client.execute()
        except (CellExecutionError, DeadKernelError) as error:
            died = isinstance(error, DeadKernelError)
            said = "the kernel died (no memory?)" if died else f"\n{error}"
            place = f"{path.name}, code cell {bar.n + died} of {cells}"
            raise RuntimeError(COLOURS.sub("", f"{place}: {said}")) from None
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    attach_alternatives(notebook, path.name)
    return notebook


def attach_alternatives(notebook: nbformat.NotebookNode, name: str) -> None:
    """Move what ``plots.describe`` said to the metadata of the figures, in order.

    Raises:
        RuntimeError: a cell describes some of its figures, or more than it shows.
    """
    for cell in notebook.cells:
        outputs = cell.get("outputs", [])
        said = [o for o in outputs if "alt" in o.get("metadata", {}) and not o.data]
        if said:
            cell.outputs = [output for output in outputs if output not in said]
            figures = [o for o in outputs if FIGURES & set(o.get("data", {}))]
            if len(figures) != len(said):
                counts = f"{len(figures)} figures and {len(said)} descriptions"
                raise RuntimeError(f"{name}, cell {cell.id}: {counts}")
            for figure, words in zip(figures, said, strict=True):
                figure.metadata["alt"] = words.metadata["alt"]


def run(names: list[str], budget: str) -> None:
    """Run notebooks; leave a page for each, and an index of them, in ``build/``."""
    os.environ["VAE_COURSE_BUDGET"] = budget
    chosen, begin = find_notebooks(names), time.perf_counter()
    build = paths.ROOT / "build"
    paths.make_writable(build)
    mathjax = Path(importlib.util.find_spec("nbclassic").origin).parent
    mathjax /= "static/components/MathJax"  # beside the pages, it needs no network
    shutil.copytree(mathjax, build / "mathjax", dirs_exist_ok=True)
    address = "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"
    # embed_images would unfold <details>
    exporter = HTMLExporter(mathjax_url=address, raw_template=ALTERNATIVES)

    def write_page(name, notebook):
        body, _ = exporter.from_notebook_node(notebook)
        (build / f"{name}.html").write_text(body, encoding="utf-8")

    index = [f"# Variational autoencoders\n\nRun with the {budget} budget:\n"]
    for path in chosen:
        start, notebook = time.perf_counter(), execute(path)
        write_page(path.stem, notebook)
        title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
        seconds = time.perf_counter() - start
        index.append(f"- [{title}]({path.stem}.html) ({seconds:.0f} s)")
    cells = [nbformat.v4.new_markdown_cell("\n".join(index))]
    write_page("index", nbformat.v4.new_notebook(cells=cells))
    said = f"{len(index) - 1} notebooks ran in {time.perf_counter() - begin:.0f} s"
    print(f"{said} ({budget} budget). Read them: {build / 'index.html'}")


def save(names: list[str]) -> None:
    """Run notebooks with the full budget; save their outputs, cleaned, in place."""
    os.environ["VAE_COURSE_BUDGET"] = "full"
    for path in find_notebooks(names):
        notebook = execute(path)
        clean(notebook)
        compress_figures(notebook)
        save_images(notebook)
        nbformat.validate(notebook)
        with files.whole(path) as file:
            file.write(f"{nbformat.writes(notebook)}\n".encode())
        print(f"saved {path.name}: {path.stat().st_size / 1e3:.0f} kB")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep only what readers need: the kernel's name, cells' tags, figures' words."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                words = output.metadata.get("alt")
                output.metadata = nbformat.from_dict({"alt": words} if words else {})


def compress_figures(notebook: nbformat.NotebookNode) -> None:
    """Store grey PNGs as grey and others with 256 colours: a third as large, alike."""
    for output in (o for cell in notebook.cells for o in cell.get("outputs", ())):
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
            picture = picture.convert("RGB")
            red, green, blue = picture.split()
            smaller = red if red == green == blue else picture.quantize(256, kmeans=3)
            file = io.BytesIO()
            smaller.save(file, "PNG", optimize=True)
            output.data["image/png"] = base64.b64encode(file.getvalue()).decode()


def save_images(notebook: nbformat.NotebookNode) -> None:
    """Write what cells tagged ``image:NAME`` and ``file:NAME`` made to images/.

    A notebook itself leaves its files in build/, so that a reader's run touches nothing
    of ours.
    """
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", ()):
            if tag.startswith(IMAGE_TAG):
                name, content = (
                    f"{tag.removeprefix(IMAGE_TAG)}.png",
                    figures_of(cell)[-1],
                )
            elif tag.startswith(FILE_TAG):
                name = tag.removeprefix(FILE_TAG)
                content = (paths.ROOT / "build" / name).read_bytes()
            else:
                continue
            with files.whole(paths.ROOT / "images" / name) as file:
                file.write(content)


def figures_of(cell: nbformat.NotebookNode) -> list[bytes]:
    """Return the PNG pictures among a cell's outputs."""
    data = [output.get("data", {}) for output in cell.get("outputs", ())]
    return [base64.b64decode(d["image/png"]) for d in data if "image/png" in d]


def stamp(repository: str, tag: str) -> None:
    """Replace the repository's address and tag in every file that names them."""
    forms = (repository, r"[\w.-]+/[\w.-]+"), (tag, r"v\d+(\.\d+)*(rc\d+)?")
    for given, pattern in forms:
        if not re.fullmatch(pattern, given):
            raise ValueError(
                "the repository must read owner/name, and the tag, from which the "
                f"package has its version, as v1.0: {given!r} does not fit"
            )
    tagged = re.compile(rf'(?<=[/"]){re.escape(helpers.TAG)}(?=[/"\\])')
    for path in (path for each in STAMPED for path in sorted(paths.ROOT.glob(each))):
        text = path.read_text(encoding="utf-8").replace(helpers.REPOSITORY, repository)
        with files.whole(path) as file:
            file.write(tagged.sub(tag, text).encode())
    print(f"stamped {repository} at {tag}")


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return the exit status."""
    prog = "python -m helpers.engine.notebooks"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "save"):
        commands.add_parser(name).add_argument("names", nargs="*", metavar="NAME")
    runner, stamper = commands.choices["run"], commands.add_parser("stamp")
    runner.add_argument("--budget", choices=budgets.BUDGETS, default="quick")
    stamper.add_argument("--repo", default=helpers.REPOSITORY, dest="repository")
    stamper.add_argument("--tag", default=helpers.TAG)
    chosen = vars(parser.parse_args(arguments))
    command = {"run": run, "save": save, "stamp": stamp}[chosen.pop("command")]
    try:
        command(**chosen)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
