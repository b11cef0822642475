"""Build the course as a book: pages that open from the file system, without a network.

python -m helpers.engine.book [FOLDER]

Sphinx makes them from README, the saved notebooks, ``book/`` and the docstrings. What
a page says otherwise than GitHub or Colab do is changed here, as Sphinx reads it.
"""

import argparse
import gc
import importlib.util
import json
import re
import shutil
import sys
import time
from pathlib import Path

import helpers.engine.light_schemas  # before nbformat

# isort: split
import nbformat

import helpers
from helpers.engine import paths

PLACEHOLDER = "your-name/vae-course"  # until `make stamp`, no address to link to
STATUS = re.compile(
    r"^\[!\[(?!Open in Colab).*?\]\(https://\S+\)\]\(\S+\)\n", re.MULTILINE
)
BADGE = re.compile(
    r"\[!\[Open in Colab\]\([^)]*\)\]\((https://colab[^)]*/([\w.-]+)\.ipynb)\)"
)
PICTURE = re.compile(r"\[([^\]]+)\]\(\.\./images/([\w.-]+\.gif)\)")
LAUNCH = re.compile(r"\[([^\]]+)\]\(https://mybinder\.org\S*?\)")
TABLE = re.compile(r"^\| symbol \|.*\n\|[-|]+\n((?:\|.*\n?)+)", re.MULTILINE)
ENTRY = re.compile(r"^@\w+\{([^,]+),(.*?)^\}", re.MULTILINE | re.DOTALL)
MATHJAX = {
    "jax": ["input/TeX", "output/SVG"],
    "extensions": [
        "tex2jax.js",
        "TeX/AMSmath.js",
        "TeX/AMSsymbols.js",
        "toMathML.js",
        "AssistiveMML.js",  # for screen readers
    ],
    "SVG": {"font": "STIX-Web", "scale": 94, "EqnChunk": 1000, "EqnChunkDelay": 0},
    "tex2jax": {
        "inlineMath": [["$", "$"], ["\\(", "\\)"]],
        "displayMath": [["$$", "$$"], ["\\[", "\\]"]],
        "processEscapes": True,
    },
    "showMathMenu": False,
    "messageStyle": "none",
}
UNFOLD = """addEventListener("beforeprint", () => {
    const folded = document.querySelectorAll("details:not([open])");
    for (const part of folded) { part.open = true; part.dataset.folded = ""; }
});
addEventListener("afterprint", () => {
    for (const part of document.querySelectorAll("details[data-folded]")) {
        part.open = false;
        delete part.dataset.folded;
    }
});"""  # what is folded on a screen is printed
SUBSET = (  # of MathJax, 4 of 12 MB
    "MathJax.js",
    "jax/input/TeX",
    "jax/element",
    "jax/output/SVG",
    "extensions/TeX",
    "extensions/tex2jax.js",
    "extensions/MathEvents.js",
    "extensions/toMathML.js",
    "extensions/AssistiveMML.js",
)


def copy_mathjax(folder: Path) -> None:
    """Copy of nbclassic's MathJax what draws formulas as SVG, with our settings."""
    home = Path(importlib.util.find_spec("nbclassic").origin).parent
    home /= "static/components/MathJax"
    for name in SUBSET:
        source, target = home / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    (folder / "config").mkdir(exist_ok=True)
    told = f"MathJax.Hub.Config({json.dumps(MATHJAX)});\n"
    told += 'MathJax.Ajax.loadComplete("[MathJax]/config/course.js");\n'
    (folder / "config/course.js").write_text(told, encoding="utf-8")


def badge(match: re.Match) -> str:
    """Return a Colab button of our own, or nothing while there is no address."""
    if helpers.REPOSITORY == PLACEHOLDER:
        return ""
    return f'<a class="colab" href="{match[1]}">Open in Colab</a>'


def normal(text: str) -> str:
    """Return a text's letters and digits alone, in small letters, to compare titles."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"\\\W", "", text).lower())


def works(bibliography: str) -> dict[str, set[str]]:
    """Return a bibliography's keys, each with what a mention is known by."""
    return {
        key: {
            normal(m)[:40]
            for m in re.findall(r"(?:title|eprint) = \{(.*?)\},?\n", body)
        }
        for key, body in ENTRY.findall(bibliography)
    }


def cite(line: str, known: dict[str, set[str]]) -> str:
    """Return a line of "Further reading" with a link to each work it names."""
    said = normal(line)
    keys = [key for key, marks in known.items() if any(m in said for m in marks)]
    return f"{line} {{cite}}`{','.join(keys)}`" if keys else line


def notebook_page(source: str, bibliography: str) -> str:
    """Return a notebook's JSON as the book shows it."""
    notebook, known = nbformat.reads(source, as_version=4), works(bibliography)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text = BADGE.sub(badge, cell.source)
            text = PICTURE.sub(r'<a href="../images/\2">\1</a>', text)
            text = text.replace("(../images/explorer.html)", "(../explorer.md)")
            before, heading, after = text.partition("Further reading")
            lines = after.split("\n") if heading else []
            lines = [cite(s, known) if s.startswith("- ") else s for s in lines]
            cell.source = before + heading + "\n".join(lines)
    notebook.cells[1].metadata["tags"] = ["hide-input"]  # the bootstrap cell
    return nbformat.writes(notebook)


def without_address(source: str) -> str:
    """Return a page's text without the links to launch what has no address yet."""
    if helpers.REPOSITORY == PLACEHOLDER:
        return LAUNCH.sub(r"\1", source)
    return source


def front_page(folder: Path) -> str:
    """Return README as the front page, without GitHub's badges of its own state."""
    readme = STATUS.sub("", (folder / "README.md").read_text(encoding="utf-8"))
    readme = readme.replace("(images/explorer.html)", "(explorer.md)")
    return re.sub(r"[ ·,]*" + BADGE.pattern, lambda m: badge(m), readme)


def symbols(folder: Path) -> str:
    """Return one table of the notebooks' tables of symbols."""
    rows: dict[tuple[str, str], list[str]] = {}
    for path in sorted(folder.glob("notebooks/*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for table in TABLE.findall("\n".join(cell.source for cell in notebook.cells)):
            for row in table.splitlines():
                symbol, meaning = [each.strip() for each in row.split(" | ")][:2]
                entry = symbol.removeprefix("| "), meaning.removesuffix(" |")
                link = f"[{path.name[:2]}](notebooks/{path.name})"
                rows.setdefault(entry, []).append(link)
    lines = [f"| {s} | {m} | {', '.join(links)} |" for (s, m), links in rows.items()]
    return "\n".join(["| symbol | meaning | in |", "|---|---|---|", *lines])


def interface(folder: Path) -> str:
    """Return a heading and Sphinx's directive for each module of the reading room."""
    parts = []
    for path in sorted((paths.ROOT / "helpers").rglob("*.py")):
        name = ".".join(path.relative_to(paths.ROOT).with_suffix("").parts)
        if re.match(r"helpers\.(engine|checks)\b|helpers.__init__", name):
            continue
        name = name.removesuffix(".__init__")
        members = "" if path.name == "__init__.py" else ":members:\n:show-inheritance:"
        heading = "##" if name.count(".") == 1 else "###"
        heading += f" {name}".replace("_", r"\_")
        directive = f"```{{eval-rst}}\n.. automodule:: {name}\n"
        options = "".join(f"   {option}\n" for option in members.split())
        parts.append(f"{heading}\n\n{directive}{options}```\n")
    return "\n".join(parts)


DOCUMENTS = (
    "README.md",
    "INSTALL.md",
    "CONTRIBUTING.md",
    "NOTICE.md",
    "data/README.md",
    "LICENSE",
    "LICENSE-CC-BY-4.0",
    "CITATION.cff",
)
MADE = {"{{README}}": front_page, "{{SYMBOLS}}": symbols, "{{API}}": interface}


def give_words(app, document) -> None:
    """Give each figure of a notebook the alternative that its output carries."""
    from docutils import nodes

    path = Path(app.env.doc2path(app.env.docname))
    if path.suffix != ".ipynb":
        return
    outputs = [
        output
        for cell in nbformat.read(path, as_version=4).cells
        for output in cell.get("outputs", ())
        if {"image/png", "image/jpeg"} & set(output.get("data", {}))
    ]
    shown = [
        image
        for bundle in document.findall(nodes.container)
        if bundle.get("nb_element") == "mime_bundle"
        for image in bundle.findall(nodes.image)
    ]
    for image, output in zip(shown, outputs, strict=True):
        image["alt"] = output.metadata.get("alt", "")


def page_context(app, name: str, template: str, context: dict, document) -> None:
    """Take back a role that docutils gives a list whose items have another."""
    if "body" in context:
        role = ' role="list" class="citation-list"'
        context["body"] = context["body"].replace(role, ' class="citation-list"')


def plain(app, kind, name, member, options, lines: list[str]) -> None:
    """Keep Sphinx from reading the |x| and 2 * x of a docstring as its own marks."""
    for number, line in enumerate(lines):
        parts = line.split("``")  # every other one is code
        parts[::2] = [re.sub(r"(?<!\\)([*|])", r"\\\1", part) for part in parts[::2]]
        lines[number] = "``".join(parts)


def gather(folder: Path) -> None:
    """Copy what the book is made of; what has not changed keeps its date."""
    wanted = {Path(name): paths.ROOT / name for name in DOCUMENTS}
    folders = ("notebooks/*.ipynb", "images/*", "data/results/README.md")
    for pattern in (*folders, "teaching/*.md", "teaching/quizzes/*.md"):
        wanted |= {p.relative_to(paths.ROOT): p for p in paths.ROOT.glob(pattern)}
    for path in (path for path in (paths.ROOT / "book").rglob("*") if path.is_file()):
        wanted[path.relative_to(paths.ROOT / "book")] = path
    for path in paths.ROOT.glob("images/*.gif"):  # linked, and played by the browser
        wanted["extra" / path.relative_to(paths.ROOT)] = path
    wanted[Path("extra/images/explorer.html")] = paths.ROOT / "images/explorer.html"
    for target, source in wanted.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, folder / target)
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        if path.relative_to(folder) not in wanted and "mathjax" not in path.parts:
            path.unlink()
    copy_mathjax(folder / "_static/mathjax")


def build(home: Path) -> Path:
    """Build the book in a folder; return its front page.

    Raises:
        RuntimeError: Sphinx warned of something; it has said of what.
    """
    from sphinx.cmd.build import build_main

    source, target, kept = home / "book-source", home / "book", home / "book-doctrees"
    gather(source)
    arguments = ["-W", "--keep-going", "-q", "-d", str(kept), str(source), str(target)]
    gc.set_threshold(1_000_000)  # else a quarter of the time goes into collecting
    if build_main(arguments):
        shutil.rmtree(kept, ignore_errors=True)  # so that the next build warns again
        raise RuntimeError("the book has faults, see above")
    return target / "index.html"


def main(arguments: list[str] | None = None) -> int:
    """Build the book and say where it is; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m helpers.engine.book")
    where = {"type": Path, "nargs": "?", "default": paths.ROOT / "build"}
    parser.add_argument("folder", **where)
    folder, start = parser.parse_args(arguments).folder, time.perf_counter()
    try:
        page = build(folder)
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"The book, made in {time.perf_counter() - start:.0f} s: {page}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
