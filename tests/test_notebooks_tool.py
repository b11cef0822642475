"""helpers/engine/notebooks.py: run, save, stamp."""

import base64
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import helpers
from helpers.datasets import dataset
from helpers.engine import kernels, notebooks, paths, runs
from helpers.engine.saved import fault


def test_tools_start_soon():
    """Without TensorFlow, and the grammar that jsonschema would make with lark."""
    code = """import sys; sys.path.insert(0, "tests")
import conftest, helpers.engine.book, helpers.engine.notebooks, teaching.kit
print({"keras", "lark", "tensorflow"} & set(sys.modules))"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert ran.stdout == "set()\n", ran.stderr


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty course folder that the tool takes for its own."""
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setenv("VAE_COURSE_BUDGET", "quick")
    for name in ("VAE_COURSE_DOWNLOADS", "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, "1")  # so that what a run sets ends with the test
    for name in ("notebooks", "images", "helpers"):
        (tmp_path / name).mkdir()
    return tmp_path


def write(course, name, *cells):
    """Write a notebook: a title, then cells, code where they are text."""
    cells = [new_code_cell(c) if isinstance(c, str) else c for c in cells]
    cells.insert(0, new_markdown_cell(f"# The {name} & more"))
    path = course / "notebooks" / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_notebooks_are_found_in_order_and_by_beginning(course):
    for name in ("02_two", "01_one", "10_ten"):
        write(course, name)
    stems = [path.stem for path in kernels.find_notebooks([])]
    assert stems == ["01_one", "02_two", "10_ten"]
    stems = [path.stem for path in kernels.find_notebooks(["10", "02_two"])]
    assert stems == ["02_two", "10_ten"]
    with pytest.raises(ValueError, match="'03'"):
        kernels.find_notebooks(["02", "03"])


WIDGETS = "import ipywidgets\ndisplay(ipywidgets.IntSlider())\nprint('above a slider')"
CODE = "```python\nsecret\n```"
SOLUTION = f"<details>\n<summary>Solution</summary>\n\n{CODE}\n\n</details>"
SOLUTION += "\n\n[how](../data/results/README.md), [what](03_three.ipynb#there)"
WHERE = (
    "import os\nprint(os.environ['VAE_COURSE_BUDGET'], os.path.basename(os.getcwd()))"
)


@pytest.mark.slow
def test_run_leaves_a_page_and_an_index(course, capsys):
    path = write(course, "02_two", WHERE, WIDGETS, new_markdown_cell(SOLUTION))
    before = path.read_bytes()
    assert notebooks.main(["run", "--budget", "full"]) == 0
    page = (course / "build/run/02_two.html").read_text()
    assert "full notebooks" in page
    assert "above a slider" in page
    assert "widget-view" not in page
    assert page.index("<details>") < page.index("secret") < page.index("</details>")
    assert 'href="../book/data/results/README.html"' in page
    assert 'href="03_three.html#there"' in page
    assert "beforeprint" in page  # and what is folded is unfolded then
    (script,) = set(re.findall(r'src="([^"?]+)', page))  # and nothing from elsewhere
    assert (course / "build/run" / script).is_file()
    index = (course / "build/run/index.html").read_text()
    assert '<a href="02_two.html">The 02_two &amp; more</a>' in index
    assert "full budget" in index
    assert "../book/index.html" in index
    assert "../book/notebooks/02_two.html" in page
    said = capsys.readouterr().out
    assert "1 notebooks ran" in said
    assert str(course / "build/run/index.html") in said
    assert "02_two: 100%" in said
    assert path.read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("spam = a / 0", "spam = a / 0.*ZeroDivisionError: division by zero"),
        ("import os; os._exit(1)", "died"),
    ],
)
@pytest.mark.parametrize("command", ["run", "save"])
def test_a_failing_cell_stops_everything(course, capsys, command, cell, said):
    path = write(course, "02_two", "a = 1", cell, "print('never')")
    write(course, "06_six", "open('ran', 'w')")
    before = path.read_bytes()
    assert notebooks.main([command, *["--jobs=1"] * (command == "run")]) == 1
    error = capsys.readouterr().err
    failing = nbformat.read(path, as_version=4).cells[2].id
    place = rf"02_two.ipynb, code cell 2 of 3 \({failing}\)"
    assert re.search(f"(?s){place}.*{said}", error)
    assert "\x1b" not in error
    assert not (course / "notebooks" / "ran").exists()
    assert not (course / "build/run/index.html").exists()
    assert path.read_bytes() == before


WAIT = """import pathlib, time
pathlib.Path('{mine}').touch()
end = time.time() + 60
while not pathlib.Path('{other}').exists() and time.time() < end:
    time.sleep(0.05)
print('together', pathlib.Path('{other}').exists())"""


@pytest.mark.slow
def test_two_notebooks_run_at_a_time(course):
    write(course, "02_two", WAIT.format(mine="two", other="three"))
    write(course, "03_three", WAIT.format(mine="three", other="two"))
    assert notebooks.main(["run", "--jobs=2"]) == 0
    for name in ("02_two", "03_three"):
        assert "together True" in (course / f"build/run/{name}.html").read_text()


COUNT = "with open('ran', 'a') as file:\n    file.write('{0} ')"
HANG = """import pathlib, time
pathlib.Path('begun').touch()
while not pathlib.Path('free').exists():
    time.sleep(0.1)"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends the signal of Ctrl-C")
def test_a_stopped_run_leaves_no_kernel_and_goes_on(course):
    """As by Ctrl-C while the longer notebook is done and the other at work."""
    folder = course / "notebooks"
    write(course, "06_six", COUNT.format("six"))
    write(course, "01_one", HANG, COUNT.format("one"))
    ours = Path(helpers.__file__).parent
    shutil.copytree(ours, course / "helpers", dirs_exist_ok=True)
    command = [sys.executable, "-m", "helpers.engine.notebooks", "run", "--jobs=1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, cwd=course, **pipes)
    for _ in range(1200):
        if (folder / "begun").exists():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "goes on with what is left" in said
    assert "Traceback" not in said
    assert (course / "build/run/06_six.html").exists()
    assert not (course / "build/run/01_one.html").exists()
    (folder / "free").touch()
    time.sleep(0.5)
    assert (folder / "ran").read_text() == "six "  # a kernel left would write now
    again = subprocess.run(command, cwd=course, **pipes)
    assert "Going on: 06_six" in again.stdout
    assert (folder / "ran").read_text() == "six one "
    index = (course / "build/run/index.html").read_text()
    assert "06_six.html" in index and "01_one.html" in index
    assert not (course / "build/run/unfinished.json").exists()


def test_a_run_of_other_code_or_budget_starts_anew(course):
    path = write(course, "01_one", "a = 1")
    notes = course / "unfinished.json"
    first = runs.signature([path], "short")
    (course / "01_one.html").touch()
    notes.write_text(json.dumps({"run": first, "notebooks": {"01_one": {}}}))
    assert runs.noted(notes, first)["notebooks"] == {"01_one": {}}
    assert runs.noted(notes, runs.signature([path], "full"))["notebooks"] == {}
    write(course, "01_one", "a = 2")
    assert runs.signature([path], "short") != first
    (course / "01_one.html").unlink()
    assert runs.noted(notes, first)["notebooks"] == {}
    for damaged in ("", "[]", "{}", '{"notebooks": 3}'):
        notes.write_text(damaged)
        assert runs.noted(notes, first) == {"run": first, "notebooks": {}}


DIGITS = "MNIST: 50 training, 10 validation and 9 test pictures of 2 x 2, from a file"


@pytest.mark.slow
def test_a_page_says_what_differs_and_the_index_what_was_claimed(course):
    claim = new_code_cell("print('ELBO above -100: no')", metadata={"tags": ["claim"]})
    links = new_markdown_cell("[next](03_x.ipynb), [film](../images/a.gif)")
    badge = "[![Open in Colab](https://a/b.svg)](https://colab.x/github/02_two.ipynb)"
    cells = f"print({DIGITS!r})", claim, links, new_markdown_cell(badge)
    path = write(course, "02_two", *cells)
    notebook = nbformat.read(path, as_version=4)
    theirs = DIGITS.replace("50 training", "50,000 training")
    notebook.cells[1].outputs = [new_output("stream", text=theirs)]
    nbformat.write(notebook, path)
    assert notebooks.main(["run", "--budget", "short"]) == 0
    page, index = (
        BeautifulSoup((course / f"build/run/{name}.html").read_text(), "html.parser")
        for name in ("02_two", "index")
    )
    said = page.get_text()
    assert f"Data here: {DIGITS}" in said
    assert f"Data of the saved outputs: {theirs}" in said
    assert "short budget" in said
    found = {link.get("href") for link in page.find_all("a")}
    assert {"03_x.html", "../book/images/a.gif"} <= found
    assert not any("colab" in str(address) for address in found)
    assert "ELBO above -100: no" in index.get_text()
    assert DIGITS in index.get_text()


def test_a_folder_that_takes_no_pages_is_named_before_anything_runs(course, capsys):
    write(course, "02_two", "open('ran', 'w')")
    (course / "build").write_text("a file, no folder")
    assert notebooks.main(["run"]) == 1
    assert str(course / "build") in capsys.readouterr().err
    assert not (course / "notebooks" / "ran").exists()


@pytest.mark.slow
def test_the_command_exits_with_the_status():
    command = [sys.executable, "-m", "helpers.engine.notebooks", "run", "no such name"]
    run = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert "no such name" in run.stderr
    assert "Traceback" not in run.stderr


FIGURE = """import matplotlib.pyplot as plt
plt.figure(facecolor="none").gca().plot([1, 2])
plt.show()"""
TWICE = "print('one', flush=True)\nimport time; time.sleep(0.3)\nprint('two')"


@pytest.mark.slow
def test_save_writes_outputs_and_figures_and_nothing_else(course):
    figure = new_code_cell(FIGURE, metadata={"tags": ["image:line"], "collapsed": True})
    path = write(course, "02_two", WHERE, TWICE, WIDGETS, figure)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].metadata["jp"] = 1
    notebook.metadata["widgets"] = {"state": {}}
    nbformat.write(notebook, path)
    assert notebooks.main(["save", "02"]) == 0
    assert fault(path) is None
    saved = nbformat.read(path, as_version=4)
    assert set(saved.metadata.pop("saved")) <= set("0123456789abcdef")
    assert dict(saved.metadata) == notebooks.METADATA
    _, *cells, figure = saved.cells
    assert [cell.metadata for cell in saved.cells[:-1]] == [{}] * 4
    assert figure.metadata == {"tags": ["image:line"]}
    assert [output.metadata for output in figure.outputs] == [{}]
    assert [cell.execution_count for cell in saved.cells[1:]] == [1, 2, 3, 4]
    texts = [[output.text for output in cell.outputs] for cell in cells]
    assert texts == [["full notebooks\n"], ["one\ntwo\n"], ["above a slider\n"]]
    (data,) = notebooks.figures_of(figure)
    assert data.startswith(b"\x89PNG")
    assert Image.open(io.BytesIO(data)).mode == "P"
    assert (course / "images" / "line.png").read_bytes() == data
    assert [cell.id for cell in saved.cells] == [cell.id for cell in notebook.cells]


def test_what_ran_on_a_stand_in_is_not_saved(course, monkeypatch, capsys):
    monkeypatch.setattr(dataset, "find_file", lambda *_: None)
    nowhere, limits = ["http://127.0.0.1:1/none.npz"], {"largest": 1, "seconds": 1}
    assert dataset.find_or_download("none.npz", nowhere, print, limits) is None
    said = capsys.readouterr().out
    path = write(course, "02_two", f"print({said!r})")
    before = path.read_bytes()
    assert notebooks.main(["save", "02"]) == 1
    assert "02_two.ipynb ran on a stand-in" in capsys.readouterr().err
    assert path.read_bytes() == before


DESCRIBED = """import matplotlib.pyplot as plt
from helpers import plots
for height in (3.25, 4.75):
    plt.figure().gca().plot([1, height])
    plots.describe(f'A "line"\\n  rises to {height:.2f} <b>.')
    plt.show()"""


def described(count):
    """A cell with two figures, ``count`` of them described, and code's own output."""
    outputs = [new_output("display_data", {"image/png": picture(GREY)})] * 2
    words = {"metadata": {"alt": "what it shows"}}
    outputs = [new_output("display_data", {}, **words)] * count + outputs
    return new_notebook(cells=[new_markdown_cell("x"), new_code_cell(outputs=outputs)])


@pytest.mark.slow
def test_figures_carry_their_alternatives_in_notebook_and_page(course):
    ours = f"import sys; sys.path.insert(0, {str(Path(helpers.__file__).parents[1])!r})"
    path = write(course, "02_two", ours, DESCRIBED)
    words = [f'A "line" rises to {height} <b>.' for height in ("3.25", "4.75")]
    assert notebooks.main(["run", "--budget", "quick"]) == 0
    page = (course / "build/run/02_two.html").read_text()
    assert [
        image["alt"] for image in BeautifulSoup(page, "html.parser").find_all("img")
    ] == words
    assert notebooks.main(["save"]) == 0
    outputs = nbformat.read(path, as_version=4).cells[-1].outputs
    assert [output.metadata for output in outputs] == [{"alt": w} for w in words]


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_descriptions_as_figures(count):
    with pytest.raises(RuntimeError, match=f"02.*2 figures and {count} descriptions"):
        kernels.attach_alternatives(described(count), "02_two.ipynb")


def test_figures_without_a_description_stay_as_they_are():
    notebook = described(0)
    kernels.attach_alternatives(notebook, "02_two.ipynb")
    assert notebook == described(0) | {"cells": notebook.cells}
    assert [output.metadata for output in notebook.cells[1].outputs] == [{}, {}]


def picture(array):
    """The PNG of an array (h, w, 3), with an opaque alpha channel, as Matplotlib's."""
    opaque = np.full((*array.shape[:2], 1), 255, "uint8")
    file = io.BytesIO()
    Image.fromarray(np.concatenate([array, opaque], axis=2), "RGBA").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def compressed(array):
    """What ``compress_figures`` makes of a picture (h, w, 3), and its size in bytes."""
    text, data = new_output("stream", text="hello"), {"image/png": picture(array)}
    output = new_output("display_data", data | {"text/plain": "x"})
    cell = new_code_cell("x", outputs=[text, output])
    notebooks.compress_figures(new_notebook(cells=[new_markdown_cell("y"), cell]))
    assert cell.outputs[0].text == "hello"
    assert cell.outputs[1].data["text/plain"] == "x"
    (figure,) = notebooks.figures_of(cell)
    return Image.open(io.BytesIO(figure)), len(figure)


GREY = np.repeat(np.arange(40 * 31, dtype="uint8").reshape(40, 31, 1), 3, axis=2)
RNG = np.random.default_rng(0)
ONE = np.eye(GREY.size, 1, dtype="uint8").reshape(GREY.shape)  # coloured pixel
COLOURED = [GREY // 2 + np.roll(ONE, place) for place in (0, 100, 200)]
COLOURED += [
    RNG.integers(0, 256, (colours, 3), "uint8")[RNG.integers(0, colours, (60, 80))]
    for colours in (2, 100, 256)
]


@pytest.mark.parametrize("array", [GREY, *COLOURED])
def test_a_figure_of_up_to_256_colours_keeps_every_pixel(array):
    found, _ = compressed(array)
    assert (found.format, found.mode) == ("PNG", "L" if array is GREY else "P")
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), array)


def test_a_photograph_becomes_a_jpeg_without_bands():
    """Soft colours under grain, as of a photograph, in a frame of white paper."""
    rows, columns = np.mgrid[0:200, 0:300] / 100
    soft = np.stack(
        [np.sin(rows * f + columns * g) for f, g in ((1, 2), (2, 1), (3, 2))]
    )
    array = 128 + 80 * soft.transpose(1, 2, 0) + RNG.normal(0, 2, (200, 300, 3))
    array = array.clip(0, 255).astype("uint8")
    found, size = compressed(array)
    assert (found.format, found.mode) == ("JPEG", "RGB")
    error = np.asarray(found).astype(int) - array
    banded = Image.fromarray(array).quantize(256, kmeans=3).convert("RGB")
    assert np.std(error) < 0.8 * np.std(np.asarray(banded).astype(int) - array)
    assert size < 0.5 * len(base64.b64decode(picture(array)))


def test_a_figure_of_more_colours_looks_alike_and_gets_smaller():
    figure, ax = plt.subplots(figsize=(6, 4))
    rng = np.random.default_rng(0)
    ax.scatter(*rng.normal(size=(2, 2000)), c=rng.random(2000), cmap="coolwarm", s=5)
    figure.canvas.draw()
    array = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    assert len(np.unique(array.reshape(-1, 3), axis=0)) > 1000
    found, size = compressed(array)
    error = np.abs(np.asarray(found.convert("RGB")).astype(int) - array)
    assert error.mean() < 0.5
    assert error.max() < 64
    assert size < 0.6 * len(base64.b64decode(picture(array)))


def test_what_tagged_cells_made_is_saved_as_images(course):
    outputs = [
        new_output("display_data", {"image/png": base64.b64encode(data).decode()})
        for data in (b"first", notebooks.PNG + b"last")
    ]
    outputs.insert(0, new_output("stream", text="hello"))
    (course / "build").mkdir()
    for name in ("film.gif", "other.gif"):
        (course / "build" / name).write_bytes(b"GIF")
    cells = [
        new_code_cell("x", outputs=outputs, metadata={"tags": [tag]})
        for tag in ("image:mine", "file:film.gif", "other")
    ]
    photograph = {"image/jpeg": base64.b64encode(b"photograph").decode()}
    tags = {"tags": ["image:cat"]}
    outputs = [new_output("display_data", photograph)]
    cells.append(new_code_cell("x", outputs=outputs, metadata=tags))
    (course / "images" / "cat.png").write_bytes(b"what it was before")
    notebooks.save_images(new_notebook(cells=cells))
    saved = {path.name: path.read_bytes() for path in (course / "images").iterdir()}
    assert saved == {
        "mine.png": notebooks.PNG + b"last",
        "film.gif": b"GIF",
        "cat.jpg": b"photograph",
    }
    assert notebooks.figures_of(cells[0]) == [b"first", notebooks.PNG + b"last"]


@pytest.fixture
def stamped_course(course):
    """What a stamp changes: the package, a notebook and a README of known text."""
    shutil.copy(helpers.__file__, course / "helpers")
    repository, tag = helpers.REPOSITORY, helpers.TAG
    link = f"https://colab.research.google.com/github/{repository}/blob/{tag}/notebooks/01_a"
    badge = new_markdown_cell(f"[![Open]({link})]({link}) {tag}x x{tag}/")
    code = f'REPOSITORY, TAG = "{repository}", "{tag}"'
    write(course, "01_a", badge, code)
    readme = f"[a]({link}) `git clone github.com/{repository}`\n"
    (course / "README.md").write_text(readme)
    return course


def test_a_stamp_reaches_every_link_and_so_does_a_second(stamped_course, monkeypatch):
    old, badge = helpers.REPOSITORY, f"{helpers.TAG}x x{helpers.TAG}/"
    for repository, tag in (("ada/vae", "v2.0"), ("grace.h/deep_vae", "v2.1rc1")):
        assert notebooks.main(["stamp", "--repo", repository, "--tag", tag]) == 0
        path = stamped_course / "notebooks" / "01_a.ipynb"
        _, text, code = nbformat.read(path, as_version=4).cells
        for source in (
            (stamped_course / "helpers/__init__.py").read_text(),
            code.source,
        ):
            names = {}
            exec(source, names)
            assert (names["REPOSITORY"], names["TAG"]) == (repository, tag)
        link, readme = (
            f"github/{repository}/blob/{tag}/",
            (stamped_course / "README.md").read_text(),
        )
        assert text.source.count(link) == 2
        assert badge in text.source
        assert link in readme
        assert f"github.com/{repository}`" in readme
        assert old not in text.source + readme
        old = repository
        monkeypatch.setattr(helpers, "REPOSITORY", repository)
        monkeypatch.setattr(helpers, "TAG", tag)


def test_a_stamp_of_the_present_names_changes_nothing(stamped_course):
    files = [path for path in stamped_course.rglob("*") if path.is_file()]
    before = [path.read_bytes() for path in files]
    notebooks.stamp(helpers.REPOSITORY, helpers.TAG)
    assert [path.read_bytes() for path in files] == before


BAD = [(name, "v1", name) for name in ("name", "a/b/c", "a b/c", "https://a.com/a/b")]
BAD += [("a/b", tag, tag) for tag in ("", "v 1", "v1/2", 'v"1"', "spring")]


@pytest.mark.parametrize(("repository", "tag", "bad"), BAD)
def test_a_bad_repository_or_tag_is_refused(stamped_course, repository, tag, bad):
    with pytest.raises(ValueError, match=re.escape(repr(bad))):
        notebooks.stamp(repository, tag)
    assert helpers.REPOSITORY in (stamped_course / "README.md").read_text()
