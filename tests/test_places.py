"""Where the course runs: as in Colab or Kaggle, without a network, without make.

`make floor` runs these tests with the oldest versions admitted, about those of Colab.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbclient
import nbformat
import pytest
import yaml
from campaign import tries

import helpers
from helpers.engine import paths

PATHS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
INSTALL = (paths.ROOT / "INSTALL.md").read_text(encoding="utf-8")
AUTHOR = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def git(folder, *arguments):
    command = ["git", *AUTHOR, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def copy_of_the_repository(folder):
    """Commit the files of this checkout that git knows, as they are, in a new one."""
    try:
        names = git(paths.ROOT, "ls-files", "-z").split("\0")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    for name in names:
        if (paths.ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(paths.ROOT / name, folder / name)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "core.compression", "0")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=All")
    git(folder, "tag", helpers.TAG)
    return folder


def bare_clone(source, folder):
    """Clone a repository as a server holds it; this one doesn't search for deltas."""
    git(source, "clone", "--quiet", "--bare", str(source), folder)
    git(folder, "config", "pack.window", "0")
    git(folder, "config", "pack.compression", "0")
    return folder


@pytest.fixture
def public_home(tmp_path, monkeypatch):
    """A bare repository, which git takes for the course's public address."""
    source = copy_of_the_repository(tmp_path / "source")
    home = tmp_path / "home"
    bare_clone(source, home / helpers.REPOSITORY)
    shutil.rmtree(source)
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", f"url.{home.as_uri()}/.insteadOf")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "https://github.com/")
    return home


@pytest.fixture
def lone_python(tmp_path):
    """A Python with this one's packages, far from any checkout of the course."""
    folder = tmp_path / "python"
    venv.create(folder, symlinks=os.name != "nt")
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.check_output([python, "-c", ask], text=True).strip()
    packages = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    Path(site, "packages.pth").write_text("\n".join(packages))
    return python


WHERE = "print(helpers.__file__, 'google.colab' in sys.modules, sep='\\n')"
PLACES = {
    "colab": {"COLAB_RELEASE_TAG": "release", "COLAB_GPU": ""},
    "kaggle": {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"},
}
TRIED = [
    pytest.param(place, path, id=f"{place}-{path.stem}")
    for place in PLACES
    for path in PATHS
][: tries(test=1, soak=99)]
OFFLINE = [pytest.param(path, id=path.stem) for path in PATHS][: tries(test=0, soak=99)]


@pytest.mark.slow
@pytest.mark.parametrize(("place", "path"), TRIED)
def test_a_notebook_alone_fetches_the_course_and_runs(
    place, path, public_home, lone_python, tmp_path, monkeypatch
):
    """As Colab opens it: a Python without the course, an empty folder."""
    content, modules = tmp_path / "content", tmp_path / "modules"
    content.mkdir()
    modules.mkdir()
    if place == "colab":
        (modules / "google" / "colab").mkdir(parents=True)
        (modules / "google" / "colab" / "__init__.py").touch()
        (modules / "sitecustomize.py").write_text("import google.colab\n")
    notebook = nbformat.read(path, as_version=4)
    del notebook.cells[tries(test=5, soak=1000) :]  # nbval runs all, elsewhere
    notebook.cells.append(nbformat.v4.new_code_cell(f"import helpers, sys\n{WHERE}"))
    environment = PLACES[place] | {
        "HOME": str(tmp_path),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": str(modules),
        "VAE_COURSE_BUDGET": "quick",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    options = {"timeout": 1800, "resources": {"metadata": {"path": str(content)}}}
    client = nbclient.NotebookClient(notebook, **options)
    client.create_kernel_manager().kernel_spec.argv[0] = str(lone_python)
    client.execute()
    clone = content / helpers.REPOSITORY.split("/")[1]
    said = notebook.cells[-1].outputs[0].text
    assert said.splitlines() == [
        str(clone / "helpers" / "__init__.py"),
        str(place == "colab"),
    ]
    tagged = git(public_home / helpers.REPOSITORY, "rev-parse", helpers.TAG)
    assert git(clone, "rev-parse", "HEAD") == tagged


def has_namespaces():
    command = ["unshare", "--map-root-user", "--net", "true"]
    return (
        shutil.which("unshare") and not subprocess.run(command, check=False).returncode
    )


@pytest.mark.slow
@pytest.mark.skipif(not has_namespaces(), reason="no machine without a network")
@pytest.mark.parametrize("path", OFFLINE)
def test_a_notebook_runs_where_there_is_no_network(path, tmp_path, monkeypatch):
    course = copy_of_the_repository(tmp_path / "course")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("VAE_COURSE_DATA", raising=False)
    run = f"'{sys.executable}' -m helpers.engine.notebooks run {path.stem}"
    command = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    subprocess.run([*command, f"ip link set lo up; {run}"], cwd=course, check=True)
    assert (course / "build" / "run" / f"{path.stem}.html").is_file()


# Windows, without make: the commands of INSTALL.md and of the workflow are make's own


def commands(text):
    """What shell lines do: Python's arguments, with the folder of Windows as Unix's."""
    text = re.sub(r"\\\n\s*", "", text).replace("\\", "/").replace("/Scripts/", "/bin/")
    found = re.findall(
        r"^\s*(?:[A-Z_]+=\S+ )*(?:\S*/)?(?:py|python3?) (-m .*)", text, re.M
    )
    plain = [re.sub(r" --(quiet|disable-pip-version-check)\b", "", f) for f in found]
    return [f.replace("--requirement", "-r").strip() for f in plain]


def block(heading):
    """The indented or fenced code below a heading of INSTALL.md."""
    section = re.search(rf"^## {heading}\n.*?```\n(.*?)```", INSTALL, re.M | re.S)
    return section.group(1)


@pytest.mark.skipif(not shutil.which("make"), reason="no make to compare with")
def test_the_commands_for_windows_are_those_of_make():
    shown = ["make", "--dry-run", "--always-make", "run", "test"]
    made = commands(subprocess.check_output(shown, cwd=paths.ROOT, text=True))
    given = commands(block("Windows, without make"))
    assert sorted(given) == sorted(made)
    assert len(given) == 6


def test_the_workflow_uses_the_commands_for_windows():
    workflow = (paths.ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    steps = yaml.safe_load(workflow)["jobs"]["test"]["steps"]
    (step,) = [s for s in steps if s.get("if") == "matrix.system == 'windows'"]
    given = commands(block("Windows, without make"))
    assert commands(step["run"]) == [c for c in given if "helpers.engine" not in c]


NO_WINDOWS = {"_posixsubprocess", "fcntl", "grp", "pty", "pwd", "resource", "termios"}


def imported(path):
    """The modules that a file imports whenever it is imported itself."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def test_what_runs_on_windows_imports_nothing_that_it_lacks():
    tests = paths.ROOT / "tests"
    text = (tests / "conftest.py").read_text(encoding="utf-8")
    left_out = ast.literal_eval(re.search(r"collect_ignore = (\[.*\])", text).group(1))
    todo = [path for path in tests.glob("test_*.py") if path.name not in left_out]
    todo += (paths.ROOT / "helpers").rglob("*.py")
    seen = set(todo)
    while todo:
        path = todo.pop()
        for name in imported(path):
            assert name not in NO_WINDOWS, path
            stems = [base / name.replace(".", "/") for base in (tests, paths.ROOT)]
            places = [
                Path(f"{s}{end}") for s in stems for end in (".py", "/__init__.py")
            ]
            new = {place for place in places if place.is_file()} - seen
            todo += new
            seen |= new
