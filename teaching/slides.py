"""Slides for each notebook: one page that needs no network, of the saved figures.

The source of the words is ``teaching/decks/``, a file for each notebook, to be edited
by hand; a slide names the cell whose saved figure it shows. reveal.js turns the pages:
arrow keys, ``s`` for the speaker's notes, ``?`` for the other keys.
"""

import base64
import html
import io
import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbconvert.filters import markdown2html
from nbformat import NotebookNode
from PIL import Image

from helpers.engine import files, kernels, paths

HERE = paths.ROOT / "teaching"
FOLDER, REVEAL = HERE / "decks", HERE / "reveal"
FIGURE = re.compile(r"^figure: ([\w-]+)$")
WIDE = 1.7  # width over height, from which on words stand below a figure


@dataclass(frozen=True)
class Slide:
    """One slide: Markdown, with a figure or without."""

    title: str
    figure: str  # the id of a cell, or nothing
    words: str  # a list, or code and a list
    notes: str  # for the speaker


@dataclass(frozen=True)
class Deck:
    """The slides of one notebook, after a first one with its title."""

    title: str
    notes: str
    slides: tuple[Slide, ...]


def sources() -> list[Path]:
    """Return the files of slides, in the notebooks' order."""
    return sorted(FOLDER.glob("*.md"))


def read(path: Path) -> Deck:
    """Return the slides of a file.

    Raises:
        ValueError: a slide lacks words or notes, or has two figures; says which.
    """
    first, *parts = re.split(r"^## ", path.read_text(encoding="utf-8"), flags=re.M)
    title, _, notes = first.strip().partition("\n")
    found = tuple(slide(path.name, part) for part in parts)
    return Deck(title.removeprefix("# "), unquoted(notes), found)


def slide(name: str, part: str) -> Slide:
    """Return the slide of one part of a file: title, figure, words and notes.

    Raises:
        ValueError: it isn't whole; ``name`` is the file's, for the message.
    """
    title, _, rest = part.partition("\n")
    blocks = re.split(r"\n{2,}", rest.strip())
    notes = [block for block in blocks if block.startswith(">")]
    figures = [m[1] for block in blocks if (m := FIGURE.match(block))]
    words = [b for b in blocks if not (b.startswith(">") or FIGURE.match(b))]
    for fault, found in {
        "words under its title": not "".join(words),
        "notes for the speaker, with '> ' before their lines": not notes,
        "one figure at most": len(figures) > 1,
    }.items():
        if found:
            raise ValueError(f"{name}, '{title}': a slide needs {fault}")
    figure = figures[0] if figures else ""
    return Slide(title, figure, "\n\n".join(words), unquoted("\n".join(notes)))


def unquoted(text: str) -> str:
    """Return the text of a Markdown quotation."""
    return re.sub(r"^> ?", "", text.strip(), flags=re.M)


def picture(notebook: NotebookNode, name: str) -> tuple[str, float]:
    """Return the figure that a cell shows, as an HTML image, and width over height.

    Raises:
        ValueError: there is no cell of this id, or it has no saved figure.
    """
    cells = [cell for cell in notebook.cells if cell.id == name]
    for output in [o for cell in cells for o in cell.get("outputs", ())]:
        for kind in kernels.FIGURES & set(output.get("data", {})):
            data = output.data[kind].strip()
            width, height = Image.open(io.BytesIO(base64.b64decode(data))).size
            words = html.escape(output.metadata.get("alt", ""))
            source = f"data:{kind};base64,{''.join(data.split())}"
            return f'<img alt="{words}" src="{source}">', width / height
    raise ValueError(f"no cell {name!r} with a saved figure")


def section(each: Slide, notebook: NotebookNode, foot: str) -> str:
    """Return a slide as HTML.

    Raises:
        ValueError: its figure is not among the notebook's.
    """
    shown, shape = "", "words"
    if each.figure:
        image, ratio = picture(notebook, each.figure)
        shown = f"<figure>{image}</figure>"
        shape = "wide" if ratio >= WIDE else "tall"
    title = markdown2html(each.title).replace("<p>", "").replace("</p>", "")
    return f"""<section>
<h2>{title}</h2>
<div class="body {shape}">{shown}<div>{markdown2html(each.words)}</div></div>
<p class="foot">{html.escape(foot)}</p>
<aside class="notes">{markdown2html(each.notes)}</aside>
</section>"""


def opening(deck: Deck, promise: str) -> str:
    """Return the first slide as HTML: a notebook's title and what it promises."""
    return f"""<section>
<div class="body opening"><h1>{html.escape(deck.title)}</h1>
<div>{markdown2html(promise)}</div></div>
<aside class="notes">{markdown2html(deck.notes)}</aside>
</section>"""


def page(deck: Deck, notebook: NotebookNode) -> str:
    """Return a deck as one page of HTML that loads nothing.

    Raises:
        ValueError: a figure is not among the notebook's.
    """
    promise = notebook.cells[0].source.split("\n\n")[1].strip("*")
    parts = [opening(deck, promise)]
    parts += [section(each, notebook, deck.title) for each in deck.slides]
    filled = {
        "TITLE": html.escape(deck.title),
        "SLIDES": "\n".join(parts),
        "REVEAL_CSS": (REVEAL / "reveal.css").read_text(encoding="utf-8"),
        "REVEAL_JS": (REVEAL / "reveal.js").read_text(encoding="utf-8"),
        "NOTES_JS": (REVEAL / "notes.js").read_text(encoding="utf-8"),
    }
    template = (HERE / "slides_page.html").read_text(encoding="utf-8")
    made = re.sub(r"\{\{(\w+)\}\}", lambda m: filled[m[1]], template)
    return re.sub(r"\n//# sourceMappingURL=\S+", "", made)


def build(folder: Path, names: list[str] | None = None) -> None:
    """Write the slides of every notebook, or of some, into a folder.

    Raises:
        ValueError: a slide lacks something, or its figure is not there.
        OSError: the folder can't be written.
    """
    for path in kernels.find_notebooks(names or []):
        source = FOLDER / f"{path.stem[:2]}.md"
        notebook = nbformat.read(path, as_version=4)
        with files.whole(folder / f"{source.stem}.html") as file:
            file.write(page(read(source), notebook).encode())
