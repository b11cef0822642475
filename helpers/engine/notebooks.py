"""Run the notebooks into pages to read, save their outputs, stamp the repository's
address.

python -m helpers.engine.notebooks run [--budget quick|full] [NAME ...]
python -m helpers.engine.notebooks save [NAME ...]
python -m helpers.engine.notebooks stamp [--repo OWNER/NAME] [--tag TAG]
"""

import argparse
import base64
import html
import importlib.util
import io
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import nbclient
import nbformat
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from PIL import Image
from tqdm import tqdm

import helpers
from helpers.engine import files

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
STAMPED = ("helpers/__init__.py", "README.md", "notebooks/*.ipynb")
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
IMAGE_TAG = (
    "image:"  # a cell tagged image:NAME also saves its figure as images/NAME.png
)
FILE_TAG = (
    "file:"  # a cell tagged file:NAME leaves build/NAME, which is saved as images/NAME
)
WIDGET = "application/vnd.jupyter.widget-view+json"


class NotebookFailedError(Exception):
    """A cell failed; the message names the notebook, the cell and the error."""


def find_notebooks(names: list[str]) -> list[Path]:
    """Return the notebooks whose names begin with one of ``names``; all of them for
    none.

    Raises:
        ValueError: a name fits no notebook.
    """
    every = sorted((ROOT / "notebooks").glob("*.ipynb"))
    for name in names:
        if not any(path.name.startswith(name) for path in every):
            raise ValueError(
                f"no notebook begins with {name!r}; there are {[p.stem for p in every]}"
            )
    return [path for path in every if not names or path.name.startswith(tuple(names))]


def execute(path: Path) -> nbformat.NotebookNode:
    """Return the notebook run from start to finish in a fresh kernel, with a bar for
    its progress.

    Raises:
        NotebookFailedError: a cell raised an exception, or the kernel died.
    """
    notebook = nbformat.read(path, as_version=4)
    cells = sum(cell.cell_type == "code" for cell in notebook.cells)
    with tqdm(total=cells, desc=path.stem, unit="cell", file=sys.stdout) as bar:
        client = nbclient.NotebookClient(
            notebook,
            timeout=1800,
            kernel_name="python3",
            extra_arguments=[
                "--log-level=40"
            ],  # errors only: not the kernel's note on transport
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            coalesce_streams=True,
            on_cell_executed=lambda **_: bar.update(),
        )
        try:
            return without_widgets(client.execute())
        except CellExecutionError as error:
            text = re.sub(
                r"\x1b\[[0-9;]*m", "", str(error)
            )  # colour codes: unreadable in a log
            failed = f"{path.name}, code cell {bar.n} of {cells}:\n{text}"
        except DeadKernelError:
            failed = f"{path.name}, code cell {bar.n + 1} of {cells}: the kernel died (no memory?)"
    raise NotebookFailedError(failed)


def without_widgets(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return the notebook less its widgets, which only a running kernel can show."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if WIDGET not in o.get("data", {})]
    return notebook


def run(names: list[str], budget: str) -> None:
    """Run notebooks with a budget and leave one HTML page each, and an index, in ``build/``."""
    os.environ["VAE_COURSE_BUDGET"] = budget
    check_writable(BUILD)
    exporter = HTMLExporter(
        mathjax_url=copy_mathjax()
    )  # embed_images would unfold <details>
    start, rows = time.perf_counter(), []
    for path in find_notebooks(names):
        begin = time.perf_counter()
        notebook = execute(path)
        page = BUILD / f"{path.stem}.html"
        body, _ = exporter.from_notebook_node(
            notebook, {"metadata": {"path": str(path.parent)}}
        )
        page.write_text(body, encoding="utf-8")
        rows.append((page.name, title_of(notebook), time.perf_counter() - begin))
    (BUILD / "index.html").write_text(index_page(rows, budget), encoding="utf-8")
    print(
        f"{len(rows)} notebooks ran in {time.perf_counter() - start:.0f} s ({budget} budget). "
        f"Read them: {BUILD / 'index.html'}"
    )


def check_writable(folder: Path) -> None:
    """Make a folder if it is missing, and see whether it takes a file.

    Raises:
        ValueError: it doesn't.
    """
    try:
        folder.mkdir(exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"pages can't be written to {folder} ({error.strerror}): "
            "copy the course to a folder of your own and run it there"
        ) from error


def copy_mathjax() -> str:
    """Copy MathJax beside the pages, so that formulas need no network; return its address there."""
    package = Path(importlib.util.find_spec("nbclassic").origin).parent
    shutil.copytree(
        package / "static/components/MathJax", BUILD / "mathjax", dirs_exist_ok=True
    )
    return "mathjax/MathJax.js?config=TeX-AMS-MML_HTMLorMML-full"


def title_of(notebook: nbformat.NotebookNode) -> str:
    """Return the text of the notebook's first heading."""
    return notebook.cells[0].source.splitlines()[0].lstrip("# ")


def index_page(rows: list[tuple[str, str, float]], budget: str) -> str:
    """Return an HTML page that links to (page, title, seconds) rows."""
    items = "\n".join(
        f'<li><a href="{html.escape(page)}">{html.escape(title)}</a> ({seconds:.0f} s)</li>'
        for page, title, seconds in rows
    )
    return f"""<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Variational autoencoders: the notebooks</title>
<style>body {{ font: 18px/1.6 system-ui, sans-serif; max-width: 40em; margin: 3em auto; }}</style>
<h1>Variational autoencoders</h1>
<p>The notebooks, run from start to finish with the {html.escape(budget)} budget.</p>
<ul>
{items}
</ul>
</html>
"""


def save(names: list[str]) -> None:
    """Run notebooks with the full budget and save their outputs in place, cleaned of metadata."""
    os.environ["VAE_COURSE_BUDGET"] = "full"
    for path in find_notebooks(names):
        notebook = execute(path)
        clean(notebook)
        compress_figures(notebook)
        save_images(notebook)
        nbformat.validate(notebook)
        with files.whole(path) as file:
            file.write(f"{nbformat.writes(notebook)}\n".encode())
        print(f"saved {path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB")


def clean(notebook: nbformat.NotebookNode) -> None:
    """Keep only the metadata that readers need: the kernel's name and the cells' tags."""
    notebook.metadata = nbformat.from_dict(METADATA)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
        for output in cell.get("outputs", ()):
            if "metadata" in output:
                output.metadata = nbformat.from_dict({})


def compress_figures(notebook: nbformat.NotebookNode) -> None:
    """Store grey PNGs as grey and coloured ones with 256 colours: a third of the size, alike."""
    for output in (
        output for cell in notebook.cells for output in cell.get("outputs", ())
    ):
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output.data["image/png"])))
            picture = picture.convert("RGB")
            red, green, blue = picture.split()
            smaller = red if red == green == blue else picture.quantize(256, kmeans=3)
            file = io.BytesIO()
            smaller.save(file, "PNG", optimize=True)
            output.data["image/png"] = base64.b64encode(file.getvalue()).decode()


def save_images(notebook: nbformat.NotebookNode) -> None:
    """Write the figures of cells tagged ``image:NAME``, and files tagged ``file:NAME``,
    to images/.

    A notebook itself leaves its files in build/, so that a reader's run touches nothing
    of ours.
    """
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", ()):
            if tag.startswith(FILE_TAG):
                name = tag.removeprefix(FILE_TAG)
                with files.whole(ROOT / "images" / name) as file:
                    file.write((BUILD / name).read_bytes())
            if tag.startswith(IMAGE_TAG):
                target = ROOT / "images" / f"{tag.removeprefix(IMAGE_TAG)}.png"
                with files.whole(target) as file:
                    file.write(figures_of(cell)[-1])


def figures_of(cell: nbformat.NotebookNode) -> list[bytes]:
    """Return the PNG pictures among a cell's outputs."""
    pictures = (
        output.get("data", {}).get("image/png") for output in cell.get("outputs", ())
    )
    return [base64.b64decode(picture) for picture in pictures if picture]


def stamp(repository: str, tag: str, root: Path = ROOT) -> None:
    """Replace the repository's address and tag in every file that names them.

    Raises:
        ValueError: the repository is not owner/name, or the tag has characters that
            links don't.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise ValueError(
            f"the repository must read owner/name, and reads {repository!r}"
        )
    if not re.fullmatch(r"[\w.-]+", tag):
        raise ValueError(
            f"the tag must be letters, digits, dots and dashes, and is {tag!r}"
        )
    names = {helpers.REPOSITORY: repository, f"/{helpers.TAG}/": f"/{tag}/"}
    names[f'"{helpers.TAG}"'] = f'"{tag}"'
    names[f'\\"{helpers.TAG}\\"'] = f'\\"{tag}\\"'
    for path in (path for pattern in STAMPED for path in sorted(root.glob(pattern))):
        text = path.read_text(encoding="utf-8")
        for old, new in names.items():
            text = text.replace(old, new)
        with files.whole(path) as file:
            file.write(text.encode())
    print(f"stamped {repository} at {tag}")


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m helpers.engine.notebooks", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "save"):
        commands.add_parser(name).add_argument("names", nargs="*", metavar="NAME")
    commands.choices["run"].add_argument(
        "--budget", choices=("quick", "full"), default="quick"
    )
    stamper = commands.add_parser("stamp")
    stamper.add_argument("--repo", default=helpers.REPOSITORY, metavar="OWNER/NAME")
    stamper.add_argument("--tag", default=helpers.TAG)
    chosen = parser.parse_args(arguments)
    try:
        if chosen.command == "run":
            run(chosen.names, chosen.budget)
        elif chosen.command == "save":
            save(chosen.names)
        else:
            stamp(chosen.repo, chosen.tag)
    except (NotebookFailedError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
