"""helpers/engine/release.py and saved.py: what a release must have, and its archive."""

import json
import re
import shutil
import subprocess
import sys
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from test_places import git

import helpers
from helpers.engine import notebooks, paths, release, saved

ADDRESS, TAG = "ada/vae", "v2.1"
LOCK = "numpy==2.1.3 \\\n    --hash=sha256:0123\n    --hash=sha256:4567\n"
LOCK += "scipy==1.16.3 ; sys_platform == 'linux' \\\n    --hash=sha256:89ab\n"
WHOLE = {
    "CHANGELOG.md": "# Changes\n\n## 2.1, 2026-02-03\n\n- More.\n",
    "CITATION.cff": 'title: "VAE"\nversion: "2.1"\ndate-released: 2026-02-03\n',
    "README.md": f"https://github.com/{ADDRESS}\n",
    "requirements.txt": "numpy>=2.1,<3\n# more\nscipy>=1.15\n",
    "requirements.lock": LOCK,
    ".gitignore": "build/\n",
}


def example():
    """A notebook as the saver leaves it: prose, bootstrap, code with two outputs."""
    picture = {"image/png": "iVBORw0KGgo=\n", "text/plain": "<Figure>\nwide"}
    outputs = [
        new_output("stream", text="one\ntwo\n"),
        new_output("display_data", picture, metadata={"alt": "Two lines meet."}),
    ]
    cells = [
        new_markdown_cell("# A title"),
        new_code_cell(f'TAG = "{TAG}"', id="bootstrap", execution_count=1),
        new_code_cell("print(1)\nshow()", id="a", outputs=outputs, execution_count=2),
    ]
    notebook = new_notebook(cells=cells, metadata=notebooks.METADATA)
    notebook.metadata[saved.KEY] = saved.digest(notebook)
    return notebook


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A checkout that can be released as it is."""
    for name, text in WHOLE.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "data" / "weights").mkdir(parents=True)
    nbformat.write(example(), tmp_path / "notebooks" / "01_one.ipynb")
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commit(tmp_path)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(helpers, "REPOSITORY", ADDRESS)
    monkeypatch.setattr(helpers, "TAG", TAG)
    return tmp_path


def commit(folder):
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--allow-empty", "--message=More")


def test_a_whole_checkout_is_released(course, capsys):
    assert release.main(["check"]) == 0
    assert f"{ADDRESS} {TAG}: stamped" in capsys.readouterr().out
    git(course, "tag", TAG)
    assert release.main(["check", "--repo", ADDRESS, "--tag", TAG]) == 0
    git(course, "tag", "--force", "--annotate", "--message=x", TAG)
    assert release.faults(ADDRESS, TAG) == []


def replace(name, old, new):
    def change(course):
        text = (course / name).read_text()
        assert old in text
        (course / name).write_text(text.replace(old, new))

    return change


def grow(name, size):
    def change(course):
        (course / name).write_bytes(bytes(size))

    return change


BROKEN = {
    "address": (replace("README.md", ADDRESS, release.PLACEHOLDER), "README.md names"),
    "version": (replace("CITATION.cff", '"2.1"', '"2.0"'), 'lacks .*version: "2.1"'),
    "date": (replace("CHANGELOG.md", "02-03", "02-04"), "lacks .*2026-02-04"),
    "changes": (replace("CHANGELOG.md", "2.1,", "2.2,"), "no section '## 2.1"),
    "lock": (replace("requirements.lock", "scipy==", "sci=="), "lacks scipy"),
    "hash": (replace("requirements.lock", "--hash=sha256:89ab", ""), "lacks scipy"),
    "output": (replace("notebooks/01_one.ipynb", "two", "six"), "01_one.*changed"),
    "code": (replace("notebooks/01_one.ipynb", "(1)", "(2)"), "01_one.*changed"),
    "words": (replace("notebooks/01_one.ipynb", "meet", "part"), "01_one.*changed"),
    "unsaved": (replace("notebooks/01_one.ipynb", '"saved"', '"x"'), "not the saver"),
    "weights": (grow("data/weights/a.npz", 43_000_001), "data/weights has 43.0 MB"),
    "notebook": (
        replace("notebooks/01_one.ipynb", "# A title", "x" * 2_500_000),
        "01_one.ipynb has 2.5 MB",
    ),
}


@pytest.mark.parametrize("change, said", BROKEN.values(), ids=BROKEN)
def test_a_release_that_lacks_something_is_refused(course, capsys, change, said):
    change(course)
    commit(course)
    assert release.main(["check"]) == 1
    error = capsys.readouterr().err
    assert re.search(said, error)
    assert len(error.splitlines()) == 2, "one fault is one line"


def test_another_name_another_commit_and_loose_ends_are_refused(course, capsys):
    assert release.main(["check", "--repo", "grace/vae"]) == 1
    assert "not grace/vae v2.1" in capsys.readouterr().err
    git(course, "tag", TAG)
    (course / "README.md").write_text("new")
    (course / "loose").touch()
    found = release.faults(ADDRESS, TAG)
    assert [said.split(":")[0] for said in found] == ["not committed"] * 2
    commit(course)
    (said,) = release.faults(ADDRESS, TAG)
    assert "another commit" in said


def test_the_address_before_there_is_one_is_refused(course, monkeypatch):
    monkeypatch.setattr(helpers, "REPOSITORY", release.PLACEHOLDER)
    (said,) = release.unstamped(release.PLACEHOLDER, TAG)
    assert "make stamp" in said


def test_the_archive_holds_the_commit_and_no_more(course, capsys, monkeypatch):
    (course / "loose").touch()
    assert release.main(["archive"]) == 0
    said = capsys.readouterr().out
    names = zipfile.ZipFile(course / "build" / "vae-2.1.zip").namelist()
    files = {name for name in names if not name.endswith("/")}
    assert files == {f"vae-2.1/{n}" for n in (*WHOLE, "notebooks/01_one.ipynb")}
    assert re.search(r"build/vae-2.1.zip: .* sha256 [0-9a-f]{64}", said)
    monkeypatch.setattr(release, "LARGEST_ARCHIVE", 10)
    assert release.main(["archive"]) == 1


def test_prose_metadata_stamps_and_the_form_of_the_file_change_no_digest(tmp_path):
    notebook = example()
    first = saved.digest(notebook)
    notebook.cells[0].source = "# Another title"
    notebook.cells[1].source = 'TAG = "v9.9"'
    notebook.metadata["kernelspec"] = {"name": "other"}
    assert saved.digest(notebook) == first
    digests = []
    for sizes in (
        "full=5_000, short=300, quick=20",
        "full=5_000, short=7, quick=1_0",
        "full=5_000, quick=20",
        "full=5_001, short=300, quick=20",
    ):
        notebook.cells[2].source = f"n = training.by_budget({sizes})"
        digests.append(saved.digest(notebook))
    assert digests[0] == digests[1] == digests[2] != digests[3]
    notebook = example()
    path = tmp_path / "01_one.ipynb"
    for text in (nbformat.writes(notebook), json.dumps(notebook)):
        path.write_text(text)
        assert saved.digest(json.loads(path.read_text())) == first
        assert saved.digest(nbformat.read(path, as_version=4)) == first
        assert saved.fault(path) is None
    cells = notebook.cells
    notebook.cells = [*cells, new_code_cell("", id="b")]
    assert saved.digest(notebook) != first
    cells[2].execution_count = 3
    cells[2].outputs.reverse()
    notebook.cells = cells
    assert saved.digest(notebook) != first


def test_the_hook_names_the_notebook_and_fails(course, capsys):
    path = course / "notebooks" / "01_one.ipynb"
    assert saved.main([]) == saved.main([str(path)]) == 0
    path.write_text(path.read_text().replace("show()", "hide()"))
    assert saved.main([str(path)]) == 1
    assert "01_one.ipynb: code or outputs changed" in capsys.readouterr().err


def test_stamp_and_check_need_nothing_installed():
    """The workflows that may write run them with the system's Python."""
    code = "import helpers.engine.release"
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path += ['.']; {code}",
    ]
    subprocess.run(command, cwd=paths.ROOT, check=True)


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
def test_make_release_checks_before_it_tests_and_writes_last():
    shown = ["make", "--dry-run", "release"]
    text = subprocess.check_output(shown, cwd=paths.ROOT, text=True)
    steps = ("release check", "ruff check", "mypy", "-m pytest", "release archive")
    places = [text.index(step) for step in steps]
    assert places == sorted(places)
