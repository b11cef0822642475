"""How Sphinx turns README, notebooks and docstrings into the course's book.

`make book` copies what it needs into one folder; nothing here asks a network.
"""

import os
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import helpers
from helpers.engine import book
from teaching import quiz

project = "Variational autoencoders"
author = "the course's authors"
copyright = "the course's authors; text and pictures CC BY 4.0, code MIT"
release = helpers.TAG
language = "en"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["README.md"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_inline", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False
bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "unsrt"
autodoc_preserve_defaults = True  # as the source has them, no path of this machine
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # Keras's own
autodoc_typehints_format = "short"
napoleon_google_docstring, napoleon_numpy_docstring = True, False
napoleon_use_rtype = False  # what stands there is a name, not a type

html_theme = "sphinx_book_theme"
html_title = "Variational autoencoders, from the paper to pictures"
html_static_path = ["_static"]
html_css_files = ["course.css"]
html_extra_path = ["extra"]
html_sourcelink_suffix = ""  # a notebook is downloaded as it is
html_show_search_summary = False  # it would fetch pages, which no file system allows
html_sidebars = {"_modules/**": ["navbar-logo.html", "search-button-field.html"]}
html_context = {"default_mode": "auto"}
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": False,
    "use_source_button": False,
    "show_toc_level": 2,
    "navbar_persistent": [],
}
# Drawn as SVG, formulas need no fonts; they print as they are shown.
mathjax_path = "mathjax/MathJax.js"
mathjax2_config = book.MATHJAX


def read(app, name: str, source: list[str]) -> None:
    """Change a page's source where the book says it otherwise than GitHub or Colab."""
    folder = Path(app.srcdir)
    if name.startswith("notebooks/"):
        works = (folder / "references.bib").read_text(encoding="utf-8")
        source[0] = book.notebook_page(source[0], works)
        return
    if name.startswith("teaching/quizzes/"):
        source[0] = quiz.page(quiz.read(folder / f"{name}.md"))
        return
    source[0] = book.without_address(source[0])
    for mark, make in book.MADE.items():
        if mark in source[0]:
            source[0] = source[0].replace(mark, make(folder))
            for path in [folder / "README.md", *sorted(folder.glob("notebooks/*"))]:
                app.env.note_dependency(str(path))


def setup(app) -> None:
    """Connect what changes sources and figures."""
    app.add_js_file(None, body=book.UNFOLD)
    app.connect("source-read", read)
    app.connect("doctree-read", book.give_words)
    app.connect("html-page-context", book.page_context)
    app.connect("autodoc-process-docstring", book.plain, priority=0)
