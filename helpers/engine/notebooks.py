"""Run the notebooks into pages, save their outputs, stamp the repository's address.

python -m helpers.engine.notebooks run [--budget short|quick|full] [--jobs N] [NAME ...]
python -m helpers.engine.notebooks save [NAME ...]
python -m helpers.engine.notebooks stamp [--repo OWNER/NAME] [--tag TAG]
"""

import argparse
import base64
import io
import os
import sys

import helpers.engine.light_schemas  # before nbformat

# isort: split
import nbformat
from PIL import Image, ImageChops, ImageStat

import helpers
from helpers.engine import budgets, files, kernels, paths, runs, saved
from helpers.engine.kernels import FIGURES
from helpers.engine.release import stamp

STAND_IN = "on with a stand-in"  # as datasets say it
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
IMAGE_TAG = "image:"  # a cell tagged image:NAME has its figure in images/, .png or .jpg
PNG = b"\x89PNG"
BANDED = 1.1  # root mean square error of 256 colours, of 255: plots have less than 1
FILE_TAG = "file:"  # a cell tagged file:NAME makes build/NAME, saved as images/NAME


def save(names: list[str]) -> None:
    """Run notebooks with the full budget; save their outputs, cleaned, in place.

    Raises:
        RuntimeError: a cell failed, or a notebook ran on stand-ins for real data.
    """
    os.environ["VAE_COURSE_BUDGET"] = "full"
    for path in kernels.find_notebooks(names):
        notebook = kernels.execute(path)
        refuse_stand_ins(path.name, notebook)
        clean(notebook)
        compress_figures(notebook)
        save_images(notebook)
        notebook.metadata[saved.KEY] = saved.digest(notebook)
        nbformat.validate(notebook)
        with files.whole(path) as file:
            file.write(f"{nbformat.writes(notebook)}\n".encode())
        print(f"saved {path.name}: {path.stat().st_size / 1e3:.0f} kB")


def refuse_stand_ins(name: str, notebook: nbformat.NotebookNode) -> None:
    """Raise RuntimeError if a cell said that it went on with a stand-in."""
    outputs = (o for cell in notebook.cells for o in cell.get("outputs", ()))
    if any(STAND_IN in output.get("text", "") for output in outputs):
        raise RuntimeError(
            f"{name} ran on a stand-in, and saved outputs are of real data, so nothing "
            "was saved: type make data, or set VAE_COURSE_DATA to the data's folder"
        )


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
    """Store figures in a third of the bytes, and alike.

    Grey PNGs become grey, others have 256 colours; photographs, which 256 colours would
    band, become JPEG.
    """
    for output in (o for cell in notebook.cells for o in cell.get("outputs", ())):
        if "image/png" in output.get("data", {}):
            content = base64.b64decode(output.data.pop("image/png"))
            content = compressed(Image.open(io.BytesIO(content)).convert("RGB"))
            kind = "image/png" if content.startswith(PNG) else "image/jpeg"
            output.data[kind] = base64.b64encode(content).decode()


def compressed(picture: Image.Image) -> bytes:
    """Return the smallest file in which a coloured picture looks the same."""
    red, green, blue = picture.split()
    if red == green == blue:
        return written(red, "PNG", optimize=True)
    few = picture.quantize(256, kmeans=3)
    errors = ImageStat.Stat(ImageChops.difference(picture, few.convert("RGB"))).rms
    if max(errors) > BANDED:
        return written(picture, "JPEG", quality=92, subsampling=0)
    return written(few, "PNG", optimize=True)


def written(picture: Image.Image, kind: str, **options) -> bytes:
    """Return the file of a picture."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def save_images(notebook: nbformat.NotebookNode) -> None:
    """Write what cells tagged ``image:NAME`` and ``file:NAME`` made to images/.

    A notebook itself leaves its files in build/, so that a reader's run touches nothing
    of ours.
    """
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", ()):
            if tag.startswith(IMAGE_TAG):
                content = figures_of(cell)[-1]
                stem, endings = tag.removeprefix(IMAGE_TAG), ("png", "jpg")
                ending, other = endings if content.startswith(PNG) else endings[::-1]
                name = f"{stem}.{ending}"
                (paths.ROOT / "images" / f"{stem}.{other}").unlink(missing_ok=True)
            elif tag.startswith(FILE_TAG):
                name = tag.removeprefix(FILE_TAG)
                content = (paths.ROOT / "build" / name).read_bytes()
            else:
                continue
            with files.whole(paths.ROOT / "images" / name) as file:
                file.write(content)


def figures_of(cell: nbformat.NotebookNode) -> list[bytes]:
    """Return the pictures, PNG or JPEG, among a cell's outputs."""
    data = [output.get("data", {}) for output in cell.get("outputs", ())]
    return [base64.b64decode(d[kind]) for d in data for kind in FIGURES & set(d)]


def main(arguments: list[str] | None = None) -> int:
    """Carry out one command; return the exit status."""
    prog = "python -m helpers.engine.notebooks"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("run", "save"):
        commands.add_parser(name).add_argument("names", nargs="*", metavar="NAME")
    runner, stamper = commands.choices["run"], commands.add_parser("stamp")
    runner.add_argument("--budget", choices=budgets.BUDGETS, default="short")
    runner.add_argument("--jobs", type=int, default=runs.JOBS, help="at a time")
    stamper.add_argument("--repo", default=helpers.REPOSITORY, dest="repository")
    stamper.add_argument("--tag", default=helpers.TAG)
    chosen = vars(parser.parse_args(arguments))
    command = {"run": runs.run, "save": save, "stamp": stamp}[chosen.pop("command")]
    try:
        command(**chosen)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The same command goes on with what is left.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
