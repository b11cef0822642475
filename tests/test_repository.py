"""The repository as a whole: requirements, the house, what is written, leftovers."""

import ast
import functools
import importlib
import importlib.metadata
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from test_engine import run_python

import helpers
from helpers import models
from helpers.engine import notebooks

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MODULES = sorted((ROOT / "helpers").rglob("*.py"))
FLOORS = (
    {"engine", "checks"},
    {"families", "likelihoods"},
    {"layers", "datasets"},
    {"diffusion"},
    {"models"},
    {"training", "metrics"},
    {"plots"},
)
ROOMS = set().union(*FLOORS)
KIT = sorted((ROOT / "teaching").glob("*.py"))  # for classes; no part of the package
COMMANDS = {  # only they import each other, so on top of all
    ROOT / "helpers/engine/results.py",
    *(ROOT / "helpers/engine/studies").glob("*.py"),
}
homes_of_imports = functools.cache(importlib.metadata.packages_distributions)


# Requirements: pyproject.toml, requirements.txt, requirements.lock, Colab

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def requirements(lines):
    """Name to requirement, of lines as in requirements.txt."""
    found = [Requirement(text) for line in lines if (text := line.split("#")[0])]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


RUNTIME = requirements(PROJECT["dependencies"])
NEEDED = requirements((ROOT / "requirements.txt").read_text().splitlines())
COLAB = (ROOT / "tests" / "colab_packages.txt").read_text().splitlines()
COLAB = dict(line.split("==") for line in COLAB if line[:1] != "#")


def test_requirements_are_those_of_the_project_its_notebooks_and_its_book():
    extras = EXTRAS["notebooks"] + EXTRAS["book"]
    assert requirements(PROJECT["dependencies"] + extras) == NEEDED


def test_ranges_are_bounded_below_and_not_pinned():
    extras = EXTRAS["test"] + EXTRAS["scale"]
    for requirement in (NEEDED | requirements(extras)).values():
        specifiers = requirement.specifier
        assert {s.operator for s in specifiers} & {">=", "=="}, requirement
        assert all(s.operator != "==" or "*" in s.version for s in specifiers)


def colab_serves(name):
    """Whether Colab's image has a package, and in a version that we admit."""
    admitted = NEEDED[name].specifier if name in NEEDED else SpecifierSet()
    return name in COLAB and COLAB[name] in admitted


def test_colab_has_every_dependency():
    assert [name for name in RUNTIME if not colab_serves(name)] == []


@functools.cache
def imports_of(code):
    """The dotted names of everything that code imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative import"
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return names


def modules_of(names):
    """The helpers' files among dotted names, and those of the packages around them."""
    parts = [name.split(".") for name in names if name.split(".")[0] == "helpers"]
    stems = {ROOT.joinpath(*p[:n]) for p in parts for n in range(1, len(p) + 1)}
    files = {file for s in stems for file in (s.with_suffix(".py"), s / "__init__.py")}
    return files & set(MODULES)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_colab_has_whatever_a_notebook_reaches(path):
    cells = nbformat.read(path, as_version=4).cells
    names = imports_of("\n".join(c.source for c in cells if c.cell_type == "code"))
    seen = set()
    while new := modules_of(names) - seen:
        seen |= new
        names = names.union(*(imports_of(path.read_text()) for path in new))
    tops = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert {"helpers", "numpy"} < tops
    for top in tops - {"helpers"}:
        homes = map(canonicalize_name, homes_of_imports()[top])
        assert any(map(colab_serves, homes)), top


SYSTEMS = [
    {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
]


@functools.cache
def locked():
    """The requirements of requirements.lock, each with the text of its hashes."""
    text = (ROOT / "requirements.lock").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line[:1] != "#"]
    entries = [line.partition("--hash=") for line in lines]
    return [(Requirement(name), mark + hashes) for name, mark, hashes in entries]


def test_the_lock_pins_and_hashes_everything():
    for requirement, hashes in locked():
        (version,) = requirement.specifier
        assert version.operator == "==" and "*" not in version.version, requirement
        assert re.fullmatch(r"(--hash=sha256:[0-9a-f]{64}\s*)+", hashes), requirement


@pytest.mark.parametrize("python", ["3.11.0", "3.11.9", "3.12.0", "3.13.0"])
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system["sys_platform"])
def test_the_lock_has_one_version_of_all_that_is_needed(system, python):
    machine = system | {"python_full_version": python, "python_version": python[:4]}
    there = [r for r, _ in locked() if r.marker is None or r.marker.evaluate(machine)]
    versions = {r.name: next(iter(r.specifier)).version for r in there}
    assert len(versions) == len(there), "a package is locked twice"
    for name, requirement in NEEDED.items():
        assert requirement.specifier.contains(versions[name]), name


TARGETS = {
    "lock": "--universal .*--generate-hashes .*requirements.txt",
    "audit": "pip-audit --strict --require-hashes .*requirements.lock",
    "floor": "--resolution lowest-direct .*--extra test\n.* -m pytest --numprocesses 3",
    "scale": "--extra scale --extra test\n.* -m pytest tests/test_cluster.py",
    "fast": 'pytest tests -m "not slow"',
    "results": "-m helpers.engine.results --minutes 30",
    "kit": "-m teaching.kit",
    "pack": "-m teaching.pack",
    "grade": '-m teaching.grade "submissions"',
}


@pytest.mark.skipif(not shutil.which("make"), reason="no make")
@pytest.mark.parametrize("target", TARGETS)
def test_make_has_a_target(target):
    shown = subprocess.check_output(["make", "-n", target], cwd=ROOT, text=True)
    assert re.search(TARGETS[target], re.sub(r"\\\n\s*", "", shown))


# The house: eleven rooms, on floors, each small


def test_the_top_level_shows_the_eleven_rooms():
    shown = {path.name for path in (ROOT / "helpers").iterdir()} - {"__pycache__"}
    files = {"__init__.py", "py.typed", "diffusion.py", "layers.py", "training.py"}
    assert shown == files | {room for room in ROOMS if f"{room}.py" not in files}


def room_of(path):
    return path.relative_to(ROOT / "helpers").parts[0].removesuffix(".py")


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_from_floors_below_only(room):
    floor = next(i for i, rooms in enumerate(FLOORS) if room in rooms)
    below = set().union({room}, *FLOORS[:floor]) if room != "checks" else {room}
    for path in [path for path in MODULES if room_of(path) == room]:
        names = imports_of(path.read_text())
        if path in COMMANDS:
            continue
        assert not COMMANDS & modules_of(names), path
        rooms = {name.split(".")[1] for name in names if name.startswith("helpers.")}
        assert rooms & ROOMS <= below, path


def test_model_code_names_no_backend():
    for path in MODULES:
        if room_of(path) in {"families", "likelihoods", "layers", "models"}:
            tops = {name.split(".")[0] for name in imports_of(path.read_text())}
            assert not tops & {"tensorflow", "jax", "torch"}, path


def length(function):
    """The lines of a function, its docstring not counted."""
    lines, first = function.end_lineno - function.lineno + 1, function.body[0]
    documented = ast.get_docstring(function) is not None
    return lines - documented * (first.end_lineno - first.lineno + 1)


def test_no_helper_needs_the_kit_for_classes():
    for path in MODULES:
        tops = {name.split(".")[0] for name in imports_of(path.read_text())}
        assert "teaching" not in tops, path


@pytest.mark.parametrize("path", MODULES + KIT, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_and_its_functions_are_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef)]
    assert [f.name for f in functions if length(f) > 40] == []


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_a_lesson_names_no_engine(path):
    cells = nbformat.read(path, as_version=4).cells
    for cell in cells[:1] + cells[2:]:  # all but the bootstrap
        assert not re.search(r"helpers[./]engine|import .*\bengine", cell.source)


@pytest.mark.parametrize("room", sorted(ROOMS - {"engine"}))
def test_public_functions_are_typed(room):
    for name, function in vars(importlib.import_module(f"helpers.{room}")).items():
        if inspect.isfunction(function) and "helpers" in function.__module__:
            parameters = inspect.signature(function).parameters.values()
            plain = {p.name for p in parameters if "VAR" not in p.kind.name}
            assert plain | {"return"} <= function.__annotations__.keys(), name


LOAD_AND_IMPORT_ALL = """
import importlib, os, pkgutil, sys
import matplotlib
before = dict(matplotlib.rcParams)
tools = ("IPython", "ipywidgets", "nbclient", "nbconvert", "nbformat", "nbclassic")
sys.modules.update(dict.fromkeys(tools))  # to import one is an error
sys.path.insert(0, sys.argv[1])
import helpers.models, keras, numpy as np
vae = keras.saving.load_model(sys.argv[2])
x, given_back = np.load(sys.argv[3])
np.testing.assert_allclose(vae.reconstruct(x), given_back, atol=1e-6)
vae.compile("sgd", jit_compile=True)
vae.fit(x, verbose=2)
for module in pkgutil.walk_packages([sys.argv[1] + "/helpers"], "helpers."):
    if module.name.rpartition(".")[2] not in ("book", "kernels", "notebooks", "runs"):
        importlib.import_module(module.name)
assert dict(matplotlib.rcParams) == before, "a style was set"
assert not os.listdir("."), "a file was written"
"""


@pytest.mark.slow
def test_the_package_is_whole_and_needs_no_notebook_tools(pictures, tmp_path):
    """With one import it loads a model, and goes on to train it without a log line."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d"]
    subprocess.run([*build, tmp_path], cwd=ROOT, check=True)
    (wheel,) = tmp_path.glob(f"vae_course-{helpers.TAG.removeprefix('v')}-*.whl")
    folder, empty = tmp_path / "installed", tmp_path / "empty"
    shutil.unpack_archive(wheel, folder, "zip")
    there = {path for path in (ROOT / "helpers").rglob("*.*") if path.suffix != ".pyc"}
    packed = set(folder.joinpath("helpers").rglob("*.*"))
    assert {p.relative_to(folder) for p in packed} == {
        p.relative_to(ROOT) for p in there
    }
    empty.mkdir()
    vae = models.build_vae((8, 8, 1), 2, "exponential", hidden=())
    vae.save(tmp_path / "vae.keras")
    np.save(tmp_path / "x.npy", [pictures, vae.reconstruct(pictures)])
    places = map(str, (folder, tmp_path / "vae.keras", tmp_path / "x.npy"))
    assert "loss" in run_python(LOAD_AND_IMPORT_ALL, *places, folder=empty)


# What is written: README, CONTRIBUTING, data/README.md

README = (ROOT / "README.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        "CONTRIBUTING.md",
        "INSTALL.md",
        "NOTICE.md",
        "SECURITY.md",
        "data/README.md",
        "data/results/README.md",
        "teaching/grading.md",
        "teaching/guide.md",
    ],
)
def test_links_and_names_of_files_lead_somewhere(name):
    text = (ROOT / name).read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    links = [link for link in links if not re.match(r"https?://|#|mailto:", link)]
    named = re.findall(r"`((?:helpers|teaching|tests)/[^`*\s]*)`", text)
    assert links or named
    for link in links:
        assert ((ROOT / name).parent / link.split("#")[0]).exists(), link
    for file in named:
        assert (ROOT / file).exists(), file


def test_the_readme_images_have_words():
    assert re.findall(r"!\[[^\]]{5,}\]\(", README)
    assert not re.findall(r"!\[[^\]]{0,4}\]\(", README)


def test_the_two_commands_of_the_readme_fit_a_phone():
    """At 390 pixels GitHub shows 40 characters of a block of code."""
    for block in re.findall(r"^```\n(make run.*?)```", README, re.M | re.S):
        assert max(map(len, block.splitlines())) <= 40, block


def test_the_readme_names_every_notebook_with_its_badge():
    for path in PATHS:
        assert f"notebooks/{path.name}" in README
        url = f"github/{helpers.REPOSITORY}/blob/{helpers.TAG}/notebooks/{path.name}"
        assert f"https://colab.research.google.com/{url}" in README


def test_the_readme_gallery_shows_saved_numbers_only():
    section = re.search(r"^## What comes out.*?(?=^## |\Z)", README, re.M | re.S)
    cells = [cell for p in PATHS for cell in nbformat.read(p, as_version=4).cells]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    texts = [f"{o.get('text')} {o.get('data', {}).get('text/plain')}" for o in outputs]
    saved = set(re.findall(r"\d+\.\d+", "\n".join(texts)))
    prose = re.sub(r"\]\([^)]*\)|https?://\S+|<[^>]*>", " ", section.group(0))
    for number in re.findall(r"\d+\.\d+", prose):
        assert number in saved, f"no saved output shows {number}"


def test_the_comparison_asks_the_same_of_everybody_and_counts_rightly():
    why = (ROOT / "book/why.md").read_text(encoding="utf-8")
    points = re.findall(r"^\*\*\w.*\*\*\n\n((?:[- ].*\n)+)", why, re.M)
    asked = [re.findall(r"^- (.*?): ", point, re.M) for point in points]
    assert len(asked) > 5
    assert all(names == asked[0] for names in asked)
    cited = re.findall(r"\[(\d)\]", "\n".join(asked[0]))
    sources = re.findall(r"^(\d)\. ", why, re.M)
    assert set(cited) <= set(re.findall(r"\[(\d)\]", why)) == set(sources)
    assert "at least four per notebook" in why
    for path in PATHS:
        text = path.read_text(encoding="utf-8")
        assert len(set(re.findall(r"checks\.check_\w+\(", text))) >= 4, path


# Pictures and leftovers


def test_every_picture_is_the_figure_of_its_cell():
    figures = {}
    for path in PATHS:
        for cell in nbformat.read(path, as_version=4).cells:
            for tag in cell.metadata.get("tags", ()):
                if tag.startswith(notebooks.IMAGE_TAG):
                    name = tag.removeprefix(notebooks.IMAGE_TAG)
                    assert name not in figures, f"two cells are tagged {tag}"
                    figures[name] = notebooks.figures_of(cell)[-1]
    pictures = {p for e in ("png", "jpg") for p in (ROOT / "images").glob(f"*.{e}")}
    assert sorted(path.stem for path in pictures) == sorted(figures)
    for path in pictures:
        figure = figures[path.stem]
        assert path.read_bytes() == figure, path
        assert (path.suffix == ".png") == figure.startswith(notebooks.PNG), path


def tracked_files():
    command = ["git", "ls-files", "-z"]
    try:
        listed = subprocess.check_output(command, cwd=ROOT, text=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [name for name in listed.split("\0") if (ROOT / name).is_file()]


def test_no_file_names_a_machines_folders():
    for name in tracked_files():
        if not name.endswith((".png", ".jpg", ".gif", ".npz")):
            text = (ROOT / name).read_text(encoding="utf-8")
            found = re.search(r"(?<![\w.])/(work|root|home|Users)/", text)
            assert not found, f"{name}: {found.group(0)}"


def test_no_download_is_tracked():
    local = {n for n in tracked_files() if n.startswith(("data/", "build/", ".venv/"))}
    ours = r"data/weights/.*\.npz|data/results/(README\.md|\w+\.csv)"
    shipped = {name for name in local if re.fullmatch(ours, name)}
    assert local - shipped == {"data/README.md", "data/cats_groups.npz"}
