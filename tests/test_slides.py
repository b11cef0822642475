"""The slides: whole, true to the saved notebooks, and legible without a network."""

import hashlib
import re

import nbformat
import pytest
from browser import BROWSER
from bs4 import BeautifulSoup
from notebook_words import numbers_of, saved_numbers

from helpers.engine import kernels, paths
from teaching import slides

NOTEBOOKS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
DECKS = {path.stem: slides.read(path) for path in slides.sources()}
RELEASED = {  # reveal.js 5.2.1, as npm serves it
    "LICENSE": "34014800f4126ac2525e224166f099f26628612e95c41f76d70841b63138c989",
    "notes.js": "df1201d19d03241a2897d39c3d38768177df1cbd4bde06327b321cb83461ae89",
    "reveal.css": "68f915a11ebf7203c0446576b7e952ff61c5dd02134a8a226ffaf62ed42136d2",
    "reveal.js": "46538b52db48724192f59bf46f5e851a18e302777c46f4a34c32709d010d6a29",
}

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@every_notebook
def test_a_deck_has_its_notebook_s_title_and_twenty_slides_or_so(path):
    deck = DECKS[path.stem[:2]]
    heading = nbformat.read(path, as_version=4).cells[0].source.splitlines()[0]
    assert heading == f"# {deck.title}"
    assert 15 <= 1 + len(deck.slides) <= 25
    assert sum(bool(each.figure) for each in deck.slides) >= 10


@pytest.mark.parametrize("number", DECKS)
def test_a_slide_says_little_and_the_speaker_more(number):
    assert DECKS[number].notes
    for each in DECKS[number].slides:
        points = re.findall(r"^- (.+)$", each.words, flags=re.M)
        assert 1 <= len(points) <= 3, each.title
        assert max(map(len, points)) <= 90, each.title
        assert len(each.title) <= 50
        assert len(each.notes) >= 40, each.title


@every_notebook
def test_a_number_is_one_that_the_notebook_shows(path):
    deck = DECKS[path.stem[:2]]
    for each in deck.slides:
        told = numbers_of(f"{each.title} {each.words} {each.notes}")
        assert told <= saved_numbers(path), each.title


def figure_of(notebook, name):
    """The first figure that a cell has saved."""
    [cell] = [cell for cell in notebook.cells if cell.id == name]
    return next(o for o in cell.outputs if kernels.FIGURES & set(o.get("data", {})))


@every_notebook
def test_a_page_has_the_saved_figures_and_loads_nothing(path):
    notebook, deck = nbformat.read(path, as_version=4), DECKS[path.stem[:2]]
    soup = BeautifulSoup(slides.page(deck, notebook), "html.parser")
    assert len(soup.find_all("section")) == 1 + len(deck.slides)
    wanted = [each.figure for each in deck.slides if each.figure]
    for image, name in zip(soup.find_all("img"), wanted, strict=True):
        figure = figure_of(notebook, name)
        [saved] = [figure.data[kind] for kind in kernels.FIGURES & set(figure.data)]
        assert image["src"].partition(";base64,")[2] == "".join(saved.split())
        assert image["alt"] == figure.metadata["alt"]
    assert not soup.find_all(["link", "iframe", "a"])
    assert not soup.find_all("script", src=True)
    assert not re.search(r"@import|url\((?!data:)", str(soup.find_all("style")))


WHOLE = "A title\n\nfigure: a-cell\n\n- one\n- two\n\n> Say it\n> so.\n"


def test_a_slide_is_read():
    found = slides.slide("a.md", WHOLE)
    assert found == slides.Slide("A title", "a-cell", "- one\n- two", "Say it\nso.")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("- one\n- two\n\n", "", "words"),
        ("> Say it\n> so.\n", "", "notes"),
        ("- one", "figure: b-cell\n\n- one", "one figure"),
    ],
)
def test_a_slide_that_lacks_something_says_what(old, new, said):
    with pytest.raises(ValueError, match=rf"a\.md, 'A title': .*{said}"):
        slides.slide("a.md", WHOLE.replace(old, new))


@pytest.mark.parametrize("name", ["nowhere", "title"])
def test_a_figure_that_is_not_saved_is_missed(name):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    with pytest.raises(ValueError, match=f"no cell '{name}' with a saved figure"):
        slides.picture(notebook, name)


def test_reveal_is_as_it_was_released():
    files = {path.name: path.read_bytes() for path in slides.REVEAL.iterdir()}
    assert {n: hashlib.sha256(b).hexdigest() for n, b in files.items()} == RELEASED


# In a browser, without a network

MEASURE = """() => {
  const page = Reveal.getCurrentSlide(), faults = [];
  const size = text => parseFloat(getComputedStyle(text).fontSize);
  for (const each of page.querySelectorAll("h1, h2, li, p, pre, img")) {
    if (each.closest("aside")) continue;
    const box = each.getBoundingClientRect(), foot = each.matches(".foot");
    const inside = box.left >= 0 && box.top >= 0 && box.right <= 1280;
    const low = foot ? 720 : page.querySelector(".foot")?.offsetTop ?? 720;
    if (!inside || box.bottom > low) faults.push([each.outerHTML.slice(0, 80), box]);
    if (!foot && !each.matches("img") && size(each) < 30) faults.push("small letters");
    if (each.matches("img") && (each.naturalWidth < 400 || !each.complete))
      faults.push("no picture");
  }
  const picture = page.querySelector("img"), words = page.querySelector(".body > div");
  if (picture) {
    const box = picture.getBoundingClientRect(), text = words.getBoundingClientRect();
    const scale = Math.min(box.width / picture.naturalWidth,
                           box.height / picture.naturalHeight);
    if (scale < 0.6) faults.push(["small picture", scale]);
    if (box.bottom > text.top + 1 && box.right > text.left + 1)
      faults.push("words on the picture");
  }
  return faults;
}"""


@pytest.fixture(scope="module")
def context():
    """A browser's window of 1280 x 720 without a network."""
    tools = pytest.importorskip("playwright.sync_api")
    with tools.sync_playwright() as tool:
        options = {"executable_path": BROWSER, "args": ["--no-sandbox"]}
        started = tool.chromium.launch(**options)
        size = {"width": 1280, "height": 720}
        yield started.new_context(viewport=size, offline=True)
        started.close()


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
@every_notebook
def test_every_slide_fits_and_can_be_read_from_the_back_row(path, context, tmp_path):
    slides.build(tmp_path, [path.stem])
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("requestfailed", lambda request: faults.append(request.url))
    page.goto((tmp_path / f"{path.stem[:2]}.html").as_uri())
    page.wait_for_function("Reveal.isReady()")
    for place in range(1 + len(DECKS[path.stem[:2]].slides)):
        assert page.evaluate("Reveal.getIndices().h") == place
        assert page.evaluate(MEASURE) == [], place
        page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.isLastSlide()")
    page.close()
    assert faults == []


@pytest.mark.slow
@pytest.mark.skipif(not BROWSER, reason="no Chromium here")
def test_the_speaker_sees_the_notes_in_another_window(context, tmp_path):
    slides.build(tmp_path, ["03"])
    page = context.new_page()
    page.goto((tmp_path / "03.html").as_uri())
    page.wait_for_function("Reveal.isReady()")
    page.keyboard.press("ArrowRight")
    with context.expect_page() as opened:
        page.keyboard.press("s")
    speaker = opened.value
    said = DECKS["03"].slides[0].notes.split()[:5]
    speaker.wait_for_function(
        "start => document.body.innerText.replace(/\\s+/g, ' ').includes(start)",
        arg=" ".join(said),
    )
