"""The book: built without a warning, whole without a network, readable for everyone."""

import gc
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

import helpers
from helpers.engine import book, kernels, paths, runs

TOOLS = ("sphinx", "myst_nb", "sphinx_book_theme", "sphinxcontrib.bibtex")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), "")
LARGEST = 60_000_000  # bytes
PATHS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*deprecated"),  # of Sphinx, by its extensions
]


def there(name):
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None


needs_tools = pytest.mark.skipif(
    not all(map(there, TOOLS)), reason="no Sphinx here: make test installs it"
)
needs_browser = pytest.mark.skipif(
    not (BROWSER and there("playwright") and there("axe_playwright_python")),
    reason="no Chromium here, or nothing that drives it",
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the built book: Sphinx fails if it warns of anything."""
    folder, often = tmp_path_factory.mktemp("book"), gc.get_threshold()
    assert book.main([str(folder)]) == 0
    gc.set_threshold(*often)
    return folder / "book"


@needs_tools
def test_the_command_says_what_failed_and_exits_with_one(tmp_path):
    place = tmp_path / "file"
    place.touch()
    command = [sys.executable, "-m", "helpers.engine.book", place]
    ran = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert ran.returncode == 1 and str(place) in ran.stderr


def bare(path):
    """A page's text without the marks of coloured code, most of its tags."""
    text = path.read_text("utf-8")
    return re.sub(r'<span class="[^"]*">([^<]*)</span>', r"\1", text)


class Pages(dict):
    """Pages by their place in a folder, parsed when they are asked for."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def __missing__(self, place):
        soup = BeautifulSoup(bare(self.folder / place), "html.parser")
        return self.setdefault(place, soup)


@pytest.fixture(scope="module")
def pages(built):
    """The pages of the book."""
    return Pages(built)


LEADS = {"a": "href", "link": "href"}
LEADS |= dict.fromkeys(("img", "script", "iframe", "source"), "src")


class Ends(HTMLParser):
    """What a page's tags lead to or load, and the ids that others may lead to."""

    def __init__(self, path):
        super().__init__()
        self.targets, self.ids = [], set()
        self.feed(bare(path))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.ids |= {given["id"]} if "id" in given else set()
        if LEADS.get(tag) in given:
            self.targets.append((tag, given[LEADS[tag]]))


def broken(folder):
    """Return how many pages of ours there are, and their links that lead nowhere.

    What a page loads from elsewhere is among them.
    """
    pages = {
        path.relative_to(folder): Ends(path)
        for path in sorted(folder.rglob("*.html"))
        if not path.is_relative_to(folder / "_static")
    }
    found = []
    for place, page in pages.items():
        for tag, target in page.targets:
            address, fragment = urllib.parse.urldefrag(target)
            parts = urllib.parse.urlsplit(address)
            if parts.scheme in ("http", "https", "mailto", "data"):
                outside = tag != "a" and parts.scheme != "data"
                found += [(place, target)] * outside
                continue
            path = (folder / place).parent / urllib.parse.unquote(parts.path)
            path = path if parts.path else folder / place
            known = path.resolve().relative_to(folder.resolve())
            other = pages.get(known)
            there = not fragment or other is None or fragment in other.ids
            if not (path.is_file() and there):
                found.append((place, target))
    return len(pages), found


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    text = """<h1 id="top">A</h1><a href="#top"></a><a href="b.html#no">b</a>
<a href="c.html">c</a><img src="https://a.com/x.png"><a href="https://a.com">d</a>"""
    for name, body in (("a.html", text), ("b.html", "<p id='yes'>")):
        (tmp_path / name).write_text(body)
    count, found = broken(tmp_path)
    wanted = ["b.html#no", "c.html", "https://a.com/x.png"]
    assert (count, [target for _, target in found]) == (2, wanted)


@needs_tools
def test_every_link_inside_resolves_and_nothing_is_loaded_from_outside(built):
    count, found = broken(built)
    assert count > 20
    assert found == []
    assert (
        sum(path.stat().st_size for path in built.rglob("*") if path.is_file())
        < LARGEST
    )


@needs_tools
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_run_s_page_leads_to_pages_of_the_book(built, path):
    cells = nbformat.read(path, as_version=4).cells
    prose = [runs.relinked(c.source) for c in cells if c.cell_type == "markdown"]
    leads = re.findall(r"\]\((\.\./[^)#]+)", "\n".join(prose))
    assert [lead for lead in leads if not lead.startswith("../book/")] == []
    assert all((built.parent / lead.removeprefix("../")).is_file() for lead in leads)


NO_PROSE = re.compile(
    r'<(script|pre|code)\b.*?</\1>|<(span|div) class="math.*?</\2>', re.DOTALL
)


@needs_tools
def test_every_formula_is_taken_as_one(built):
    """No dollar is left in prose."""
    for path in sorted(built.rglob("*.html")):
        prose = NO_PROSE.sub("", path.read_text("utf-8"))
        assert (path.stem, re.findall(r".*\$.*", prose)) == (path.stem, [])


@needs_tools
def test_the_front_page_shows_the_picture_and_the_path(pages):
    front = pages[Path("index.html")]
    article = front.find("article")
    assert article.find("img")["alt"].startswith("Left: the codes")
    links = [link["href"] for link in article.find_all("a")]
    for path in PATHS:
        assert f"notebooks/{path.stem}.html" in links
    placeholder = helpers.REPOSITORY == book.PLACEHOLDER
    assert ("colab.research.google.com" in str(article)) != placeholder


@needs_tools
@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_notebook_s_page_has_its_figures_words_and_folded_solutions(pages, path):
    notebook = nbformat.read(path, as_version=4)
    article = pages[Path(f"notebooks/{path.stem}.html")].find("article")
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", ())]
    figures = [o for o in outputs if kernels.FIGURES & set(o.get("data", {}))]
    shown = article.select(".cell_output img")
    words = [" ".join(image.get("alt", "").split()) for image in shown]
    assert words == [figure.metadata.get("alt", "") for figure in figures]
    sources = "\n".join(cell.source for cell in notebook.cells)
    solutions = [fold for fold in article.find_all("details") if fold.pre]
    assert len(solutions) >= sources.count("<summary>Solution")
    reading = sources.partition("Further reading")[2].strip().splitlines()
    for line in reading:
        assert not line.startswith("- ") or "{cite}" in book.cite(line, WORKS), line


WORKS = book.works((paths.ROOT / "book/references.bib").read_text("utf-8"))


def test_a_work_is_known_by_its_title_or_by_its_number():
    assert book.cite(
        "- D. P. Kingma, *Auto-encoding variational Bayes*", WORKS
    ).endswith(" {cite}`kingma2013`")
    assert "{cite}`roeder2017`" in book.cite("- [arXiv](https://x/1703.09194)", WORKS)
    assert book.cite("- A. Nobody, *Nothing*", WORKS) == "- A. Nobody, *Nothing*"


def test_colab_and_binder_wait_for_an_address(monkeypatch):
    launch = "[launch it](https://mybinder.org/v2/gh/a/b/c?d); soon"
    cell = nbformat.read(PATHS[0], as_version=4)
    before = nbformat.writes(cell)
    monkeypatch.setattr(helpers, "REPOSITORY", book.PLACEHOLDER)
    assert (
        "colab.research"
        not in json.loads(book.notebook_page(before, ""))["cells"][0]["source"]
    )
    assert book.without_address(launch) == "launch it; soon"
    monkeypatch.setattr(helpers, "REPOSITORY", "ada/vae")
    assert book.without_address(launch) == launch
    shown = "".join(json.loads(book.notebook_page(before, ""))["cells"][0]["source"])
    assert re.search(
        r'<a class="colab" href="https://colab[^"]*01_paper_math.ipynb">', shown
    )
    assert "badge.svg" not in shown


@needs_tools
def test_symbols_glossary_and_interface_are_whole(pages):
    symbols = pages[Path("symbols.html")].find("article").get_text()
    for meaning in ("the ELBO, in nats", "weight of the KL", "the encoder's"):
        assert meaning in symbols.replace("’", "'")
    assert len(pages[Path("glossary.html")].find_all("dt")) >= 30
    api = pages[Path("api.html")]
    headings = [part.get_text() for part in api.find_all("h3")]
    assert any(text.startswith("helpers.datasets.__main__") for text in headings)
    for name in ("models.vae.VAE", "training.train", "plots.alternatives.describe"):
        assert api.find(id=f"helpers.{name}"), name


@needs_tools
@pytest.mark.parametrize("number", [path.stem[:2] for path in PATHS])
def test_a_quiz_has_ten_questions_whose_answers_are_folded(pages, number):
    article = pages[Path(f"teaching/quizzes/{number}.html")].find("article")
    assert article.h1.get_text().startswith(f"Quiz {number}")
    answers = [fold.extract().get_text() for fold in article.find_all("details")]
    assert len(answers) == len(article.find_all("h2")) == 10
    assert all(re.match(r"\s*Answer\s+[A-D] is right\. \w", each) for each in answers)
    assert not re.search(r"[A-D] is right", article.get_text())
    letters = [item.strong.get_text() for item in article.find_all("li")]
    assert letters.count("A") == letters.count("D") == 10


def test_docstrings_are_taken_as_plain_text():
    lines = ["|x| times 2 * ``a * |b|`` and *", "no mark"]
    book.plain(None, None, None, None, None, lines)
    assert lines == [r"\|x\| times 2 \* ``a * |b|`` and \*", "no mark"]


# In a browser, without a network


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        options = ["--no-sandbox", "--disable-gpu"]
        started = tool.chromium.launch(executable_path=BROWSER, args=options)
        yield started
        started.close()


@pytest.fixture
def look(browser, built):
    """A function that opens a page offline on a phone, and what it complained of."""
    viewport = {"width": 390, "height": 900}
    context = browser.new_context(viewport=viewport, offline=True)
    faults = []

    def opened(name):
        page = context.new_page()
        page.on("console", lambda m: m.type == "error" and faults.append(m.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("requestfailed", lambda request: faults.append(request.url))
        page.goto(f"{built.as_uri()}/{name}")
        return page

    yield opened
    context.close()
    assert faults == []


TYPESET = """() => window.MathJax && MathJax.isReady && document.querySelector("svg")
    && document.querySelectorAll(".MJX_Assistive_MathML").length
        === document.querySelectorAll('script[type^="math/tex"]').length"""
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
WIDER = """() => [...document.querySelectorAll("article :is(svg, img, table, pre)")]
    .map(part => part.getBoundingClientRect())
    .filter(box => box.width && box.right > window.innerWidth + 1).length"""
PAPER = ("notebooks/01_paper_math", "notebooks/04_latent_priors")


@needs_tools
@needs_browser
@pytest.mark.parametrize("name", ["index", *PAPER, "api", "explorer"])
def test_a_page_opens_without_a_network_and_fits(look, name):
    """On a phone, on a desk, and on A4: 717 pixels between margins of a centimetre."""
    page = look(f"{name}.html")
    for width in (390, 1300):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator("article h1").first.is_visible()
        if "explorer" not in name and name != "api":
            page.wait_for_function(TYPESET, timeout=60_000)
            assert not page.locator(".MathJax_Error, .merror").count()
        assert page.evaluate(OVERFLOW) <= 0
    if name in PAPER:
        page.set_viewport_size({"width": 717, "height": 900})
        page.emulate_media(media="print")
        folded = page.locator("details:not([open])")
        before = folded.count()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert before > folded.count() == 0
        assert page.evaluate(WIDER) == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert folded.count() == before


@needs_tools
@needs_browser
def test_the_search_finds_a_page(look):
    page = look("search.html?q=Jensen")
    for width in (390, 1300):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_selector("#search-results li a", timeout=30_000)
    found = page.locator("#search-results li a").evaluate_all("a => a.map(x => x.href)")
    assert any("notebooks/01_paper_math.html" in address for address in found)


ONCE = """() => {
    const known = new Set();
    const parts = [...document.querySelectorAll(".highlight span[class]")];
    for (const part of parts.filter(part => part.checkVisibility())) {
        const ground = part.closest(".highlight").parentElement.className;
        const key = part.className + "/" + ground;
        if (known.has(key)) part.replaceWith(part.textContent);
        known.add(key);
    }
    return known.size;
}"""
COLOURS = "color-contrast"


def serious(page, **options):
    """What axe finds, of impact."""
    from axe_playwright_python.sync_playwright import Axe

    options |= {"preload": False, "resultTypes": ["violations"]}  # else half a minute
    return [
        (fault["id"], [node["html"][:200] for node in fault["nodes"][:3]])
        for fault in Axe().run(page, options=options).response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


@needs_tools
@needs_browser
@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "notebooks/02_autoencoder.html",
        "glossary.html",
        "images/explorer.html",
        "bibliography.html",
        "search.html?q=ELBO",
    ],
)
def test_axe_finds_nothing_serious(browser, built, name):
    """Each kind of mark in code stays marked once, and is looked at light and dark."""
    context = browser.new_context(color_scheme="light", offline=True)
    page, theme = context.new_page(), "document.documentElement.dataset.theme"
    page.goto(f"{built.as_uri()}/{name}")
    if name in ("index.html", "notebooks/02_autoencoder.html"):
        page.wait_for_function(TYPESET, timeout=60_000)
    if "search" in name:
        page.wait_for_selector("#search-results .highlighted", timeout=30_000)
    assert page.evaluate(ONCE) > 10 or "notebooks" not in name
    for scheme, asked in (("light", {}), ("dark", {"runOnly": [COLOURS]})):
        page.emulate_media(color_scheme=scheme)
        if "explorer" not in name:
            page.wait_for_function(f"{theme} === '{scheme}'")
        page.evaluate("Promise.all(document.getAnimations().map(a => a.finished))")
        assert (scheme, serious(page, **asked)) == (scheme, [])
    context.close()


@needs_browser
def test_nor_in_the_index_of_a_run(browser, tmp_path):
    report = {"title": "The first", "name": "01_paper_math", "seconds": 60}
    report |= {"data": ["MNIST digits"], "claims": ["holds here: the loss falls"]}
    runs.write_index(tmp_path, "short", [report])
    page = browser.new_page()
    page.goto((tmp_path / "index.html").as_uri())
    assert page.get_by_role("link").count() == 2 and serious(page) == []
    page.close()
