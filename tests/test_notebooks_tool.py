"""helpers/notebooks.py: run, save, stamp."""

import base64
import io
import re
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

import helpers
from helpers.engine import notebooks

FIGURE = """import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()"""


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty course folder that the tool takes for its own."""
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    monkeypatch.setattr(notebooks, "BUILD", tmp_path / "build")
    monkeypatch.setenv("VAE_COURSE_BUDGET", "quick")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "images").mkdir()
    return tmp_path


def write(course, name, *sources):
    """Write a notebook: a title, then code cells."""
    cells = [new_markdown_cell(f"# The {name} & more"), *map(new_code_cell, sources)]
    path = course / "notebooks" / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_notebooks_are_found_in_order_and_by_beginning(course):
    for name in ("02_two", "01_one", "10_ten"):
        write(course, name)
    stems = [path.stem for path in notebooks.find_notebooks([])]
    assert stems == ["01_one", "02_two", "10_ten"]
    assert [path.stem for path in notebooks.find_notebooks(["10", "02_two"])] == [
        "02_two",
        "10_ten",
    ]
    with pytest.raises(ValueError, match="no notebook begins with '03'"):
        notebooks.find_notebooks(["02", "03"])


def test_run_leaves_a_page_and_an_index(course, capsys):
    code = "import os, pathlib\nprint(os.environ['VAE_COURSE_BUDGET'], pathlib.Path.cwd().name)"
    path = write(course, "02_two", code)
    before = path.read_bytes()
    assert notebooks.main(["run", "--budget", "full"]) == 0
    page = (course / "build" / "02_two.html").read_text()
    assert "full notebooks" in page
    (script,) = set(re.findall(r'src="([^"?]*MathJax\.js)', page))
    assert (course / "build" / script).is_file()
    index = (course / "build" / "index.html").read_text()
    assert '<a href="02_two.html">The 02_two &amp; more</a>' in index
    assert "full budget" in index
    said = capsys.readouterr().out
    assert "1 notebooks ran" in said
    assert str(course / "build" / "index.html") in said
    assert "02_two: 100%" in said
    assert path.read_bytes() == before


def test_solutions_stay_folded_in_the_page(course):
    path = write(course, "02_two", "a = 1")
    notebook = nbformat.read(path, as_version=4)
    folded = "<details>\n<summary>Solution</summary>\n\n```python\nsecret = 1\n```\n\n</details>"
    notebook.cells.append(new_markdown_cell(folded))
    nbformat.write(notebook, path)
    assert notebooks.main(["run"]) == 0
    page = (course / "build" / "02_two.html").read_text()
    assert page.index("<details>") < page.index("secret") < page.index("</details>")


def test_a_failing_cell_stops_the_run(course, capsys):
    write(course, "02_two", "a = 1", "spam = a / 0", "print('never')")
    write(course, "03_three", "open('ran', 'w')")
    assert notebooks.main(["run"]) == 1
    said = capsys.readouterr().err
    assert "02_two.ipynb, code cell 2 of 3" in said
    assert "spam = a / 0" in said
    assert "ZeroDivisionError: division by zero" in said
    assert "\x1b" not in said
    assert not (course / "notebooks" / "ran").exists()
    assert not (course / "build" / "index.html").exists()


def test_a_dead_kernel_stops_the_run(course, capsys):
    write(course, "02_two", "a = 1", "import os; os._exit(1)")
    assert notebooks.main(["run"]) == 1
    assert "02_two.ipynb, code cell 2 of 2: the kernel died" in capsys.readouterr().err


def test_a_folder_that_takes_no_pages_is_named_before_anything_runs(course, capsys):
    write(course, "02_two", "open('ran', 'w')")
    (course / "build").write_text("a file, no folder")
    assert notebooks.main(["run"]) == 1
    said = capsys.readouterr().err
    assert f"pages can't be written to {course / 'build'} (" in said
    assert "copy the course to a folder of your own" in said
    assert not (course / "notebooks" / "ran").exists()


def test_an_unknown_name_ends_with_an_error(course, capsys):
    write(course, "02_two")
    assert notebooks.main(["run", "07"]) == 1
    assert "no notebook begins with '07'" in capsys.readouterr().err


def test_the_command_exits_with_the_status():
    command = [
        sys.executable,
        "-m",
        "helpers.engine.notebooks",
        "stamp",
        "--repo",
        "no-owner",
    ]
    run = subprocess.run(command, cwd=notebooks.ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert "owner/name" in run.stderr


def test_save_writes_outputs_and_figures_and_nothing_else(course):
    code = (
        "import os, time\n"
        "print(os.environ['VAE_COURSE_BUDGET'], flush=True)\n"
        "time.sleep(0.3)  # two messages, and one output\n"
        "print('ran')"
    )
    path = write(course, "02_two", code, FIGURE)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2].metadata = {"tags": ["image:line"], "collapsed": True}
    notebook.metadata["widgets"] = {"state": {}}
    nbformat.write(notebook, path)
    assert notebooks.main(["save", "02"]) == 0
    saved = nbformat.read(path, as_version=4)
    assert dict(saved.metadata) == notebooks.METADATA
    assert [cell.metadata for cell in saved.cells] == [{}, {}, {"tags": ["image:line"]}]
    assert [cell.execution_count for cell in saved.cells[1:]] == [1, 2]
    assert [output.text for output in saved.cells[1].outputs] == ["full\nran\n"]
    (figure,) = notebooks.figures_of(saved.cells[2])
    assert figure.startswith(b"\x89PNG")
    assert Image.open(io.BytesIO(figure)).mode == "P"
    assert (course / "images" / "line.png").read_bytes() == figure
    assert [cell.id for cell in saved.cells] == [cell.id for cell in notebook.cells]


def test_a_failing_notebook_is_not_saved(course):
    path = write(course, "02_two", "a = 1", "1 / 0")
    before = path.read_bytes()
    assert notebooks.main(["save"]) == 1
    assert path.read_bytes() == before


def test_clean_keeps_tags_only():
    output = new_output(
        "display_data", {"text/plain": "x"}, metadata={"needs": "light"}
    )
    cell = new_code_cell(
        "x", outputs=[output], metadata={"tags": ["image:x"], "scrolled": True}
    )
    plain = new_markdown_cell("y", metadata={"jp": 1})
    notebook = new_notebook(cells=[cell, plain], metadata={"widgets": {"state": {}}})
    notebooks.clean(notebook)
    assert dict(notebook.metadata) == notebooks.METADATA
    assert cell.metadata == {"tags": ["image:x"]}
    assert plain.metadata == {}
    assert cell.outputs[0].metadata == {}


def picture(array):
    """The PNG of an array (h, w, 3), with an opaque alpha channel, as Matplotlib writes it."""
    opaque = np.full((*array.shape[:2], 1), 255, "uint8")
    file = io.BytesIO()
    Image.fromarray(np.concatenate([array, opaque], axis=2), "RGBA").save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def compressed(array):
    """What ``compress_figures`` makes of a picture (h, w, 3), opened, and its size in bytes."""
    text = new_output("stream", text="hello")
    output = new_output(
        "display_data", {"image/png": picture(array), "text/plain": "x"}
    )
    cell = new_code_cell("x", outputs=[text, output])
    notebooks.compress_figures(new_notebook(cells=[new_markdown_cell("y"), cell]))
    assert cell.outputs[0].text == "hello"
    assert cell.outputs[1].data["text/plain"] == "x"
    (figure,) = notebooks.figures_of(cell)
    return Image.open(io.BytesIO(figure)), len(figure)


GREY = np.repeat(np.arange(40 * 31, dtype="uint8").reshape(40, 31, 1), 3, axis=2)


def test_a_grey_figure_keeps_every_pixel():
    found, _ = compressed(GREY)
    assert (found.format, found.mode) == ("PNG", "L")
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), GREY)


@pytest.mark.parametrize("channel", [0, 1, 2])
def test_a_figure_with_one_coloured_pixel_is_coloured(channel):
    array = GREY // 2
    array[7, 5, channel] += 1
    found, _ = compressed(array)
    assert (found.format, found.mode) == ("PNG", "P")
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), array)


@pytest.mark.parametrize("colours", [2, 100, 256])
def test_a_figure_of_up_to_256_colours_keeps_every_pixel(colours):
    rng = np.random.default_rng(0)
    palette = rng.integers(0, 256, size=(colours, 3), dtype="uint8")
    array = palette[rng.integers(0, colours, size=(60, 80))]
    found, _ = compressed(array)
    np.testing.assert_array_equal(np.asarray(found.convert("RGB")), array)


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


def test_a_smooth_grey_figure_gets_smaller():
    array = np.repeat(
        np.add.outer(np.arange(60), np.arange(80))[..., np.newaxis], 3, axis=2
    )
    _, size = compressed(array.astype("uint8"))
    assert size < 0.8 * len(base64.b64decode(picture(array.astype("uint8"))))


def test_the_last_figure_of_a_tagged_cell_is_saved(course):
    outputs = [
        new_output("display_data", {"image/png": base64.b64encode(data).decode()})
        for data in (b"first", b"last")
    ]
    text = new_output("stream", text="hello")
    tagged = new_code_cell(
        "x", outputs=[text, *outputs], metadata={"tags": ["image:mine"]}
    )
    other = new_code_cell("y", outputs=outputs, metadata={"tags": ["other"]})
    notebooks.save_images(new_notebook(cells=[tagged, other]))
    assert [path.name for path in (course / "images").iterdir()] == ["mine.png"]
    assert (course / "images" / "mine.png").read_bytes() == b"last"
    assert notebooks.figures_of(tagged) == [b"first", b"last"]


def test_files_of_a_tagged_cell_are_copied_from_build(course):
    (course / "build").mkdir()
    (course / "build" / "film.gif").write_bytes(b"GIF")
    (course / "build" / "other.gif").write_bytes(b"GIF")
    tagged = new_code_cell("x", metadata={"tags": ["file:film.gif"]})
    notebooks.save_images(new_notebook(cells=[tagged]))
    assert [path.name for path in (course / "images").iterdir()] == ["film.gif"]
    assert (course / "images" / "film.gif").read_bytes() == b"GIF"


WIDGETS = """import ipywidgets
display(ipywidgets.IntSlider())
print("above a slider")"""


def test_widgets_are_neither_saved_nor_left_in_pages(course):
    path = write(course, "01_sliders", WIDGETS)
    assert notebooks.main(["save"]) == 0
    (saved,) = nbformat.read(path, as_version=4).cells[1].outputs
    assert saved.text == "above a slider\n"
    assert "widget" not in path.read_text().replace("ipywidgets", "")
    assert notebooks.main(["run"]) == 0
    page = (course / "build" / "01_sliders.html").read_text()
    assert "above a slider" in page
    assert "widget-view" not in page


@pytest.fixture
def stamped_copy(tmp_path, root):
    """A copy of every file that a stamp changes, with a notebook and a README of known text."""
    (tmp_path / "helpers").mkdir()
    (tmp_path / "notebooks").mkdir()
    shutil.copy(root / "helpers" / "__init__.py", tmp_path / "helpers")
    repository, tag = helpers.REPOSITORY, helpers.TAG
    link = f"https://colab.research.google.com/github/{repository}/blob/{tag}/notebooks/01_a.ipynb"
    cells = [
        new_markdown_cell(f"# A\n[![Open]({link})]({link}) version 1.0 of {tag}x"),
        new_code_cell(f'REPOSITORY, TAG = "{repository}", "{tag}"'),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "notebooks" / "01_a.ipynb")
    (tmp_path / "README.md").write_text(
        f"[a]({link}) `git clone github.com/{repository}`\n"
    )
    return tmp_path


def stamped(folder):
    """What the copy says: (module's repository, tag), the notebook's code, the two texts."""
    names = {}
    exec((folder / "helpers" / "__init__.py").read_text(), names)
    notebook = nbformat.read(folder / "notebooks" / "01_a.ipynb", as_version=4)
    code = {}
    exec(notebook.cells[1].source, code)
    return names, code, notebook.cells[0].source, (folder / "README.md").read_text()


def stamp_in_a_process(folder, repository, tag):
    """Stamp with the copy's own idea of the present names, as the command would."""
    code = (
        "import sys, pathlib; folder = pathlib.Path(sys.argv[1])\n"
        "import helpers; exec((folder / 'helpers/__init__.py').read_text(), vars(helpers))\n"
        "from helpers import notebooks; notebooks.stamp(*sys.argv[2:4], root=folder)\n"
    )
    command = [sys.executable, "-c", code, str(folder), repository, tag]
    subprocess.run(command, cwd=notebooks.ROOT, check=True, capture_output=True)


def test_a_stamp_reaches_every_link_and_so_does_a_second(stamped_copy):
    old = (helpers.REPOSITORY, helpers.TAG)
    for repository, tag in (("ada/vae", "v2.0"), ("grace.h/deep_vae", "v2.1-rc")):
        stamp_in_a_process(stamped_copy, repository, tag)
        module, code, badge, readme = stamped(stamped_copy)
        assert (module["REPOSITORY"], module["TAG"]) == (repository, tag)
        assert (code["REPOSITORY"], code["TAG"]) == (repository, tag)
        link = f"github/{repository}/blob/{tag}/notebooks/01_a.ipynb"
        assert badge.count(link) == 2
        assert link in readme
        assert f"github.com/{repository}`" in readme
        assert old[0] not in badge + readme
        old = (repository, tag)


def test_a_stamp_of_the_present_names_changes_nothing(stamped_copy):
    files = [path for path in stamped_copy.rglob("*") if path.is_file()]
    before = [path.read_bytes() for path in files]
    notebooks.stamp(helpers.REPOSITORY, helpers.TAG, root=stamped_copy)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.parametrize(
    "repository", ["name", "a/b/c", "a b/c", "", "https://github.com/a/b"]
)
def test_a_bad_repository_is_refused(stamped_copy, repository):
    with pytest.raises(ValueError, match="owner/name"):
        notebooks.stamp(repository, "v1", root=stamped_copy)


@pytest.mark.parametrize("tag", ["", "v 1", "v1/2", 'v"1"'])
def test_a_bad_tag_is_refused(stamped_copy, tag):
    with pytest.raises(ValueError, match="tag must be"):
        notebooks.stamp("ada/vae", tag, root=stamped_copy)
