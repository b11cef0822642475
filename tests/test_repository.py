"""The repository as a whole: requirements, floors, README, pictures, leftovers."""

import ast
import re
import subprocess

import nbformat
import pytest
from packaging.requirements import Requirement

from helpers.engine import budgets, notebooks

COLAB = {  # what a Colab notebook comes with; nothing is installed there
    "tensorflow": "2.20.0",
    "keras": "3.13.2",
    "numpy": "2.1.3",
    "matplotlib": "3.10.0",
    "scikit-learn": "1.6.1",
}
FLOORS = (
    "files",
    "runtime",
    "archives",
    "downloads",
    "drawn_cats",
    "datasets",
    "distributions",
    "likelihoods",
    "layers",
    "models",
    "weights",
    "conditional",
    "backups",
    "training",
    "metrics",
    "plots",
    "animations",
    "explorer",
    "checks",
    "notebooks",
)
PATHS = sorted((budgets.ROOT / "notebooks").glob("*.ipynb"))


def requirements(root):
    lines = [
        line.split("#")[0]
        for line in (root / "requirements.txt").read_text().splitlines()
    ]
    found = [Requirement(line) for line in lines if line.strip()]
    return {requirement.name: requirement for requirement in found}


@pytest.mark.parametrize("name", COLAB)
def test_the_ranges_admit_colab(root, name):
    assert requirements(root)[name].specifier.contains(COLAB[name])


def test_ranges_are_bounded_below_and_not_pinned(root):
    for requirement in requirements(root).values():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert operators & {">=", "=="}, requirement
        assert all(
            s.operator != "==" or "*" in s.version for s in requirement.specifier
        )


# The lock: one exact version of everything, each with its hashes

MACHINES = [
    {"python_full_version": python, "python_version": python[:4], **machine}
    for python in ("3.11.0", "3.11.9", "3.12.0", "3.13.0")
    for machine in (
        {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
        {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
        {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
    )
]


def locked(root):
    """The entries of requirements.lock: requirements, each with the text of its hashes."""
    text = (root / "requirements.lock").read_text()
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line[:1] != "#"]
    entries = [line.partition("--hash=") for line in lines]
    return [(Requirement(name), mark + hashes) for name, mark, hashes in entries]


def test_the_lock_pins_and_hashes_everything(root):
    for requirement, hashes in locked(root):
        (version,) = requirement.specifier
        assert version.operator == "==", requirement
        assert "*" not in version.version, requirement
        assert re.fullmatch(r"(--hash=sha256:[0-9a-f]{64}\s*)+", hashes), requirement


@pytest.mark.parametrize(
    "machine", MACHINES, ids=lambda m: f"{m['sys_platform']}-{m['python_full_version']}"
)
def test_the_lock_has_one_version_of_every_requirement_and_within_its_range(
    root, machine
):
    there = [
        r for r, _ in locked(root) if r.marker is None or r.marker.evaluate(machine)
    ]
    versions = {r.name: next(iter(r.specifier)).version for r in there}
    assert len(versions) == len(there), "a package is locked twice"
    for name, requirement in requirements(root).items():
        assert requirement.specifier.contains(versions[name]), name


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (
            "lock",
            "uv pip compile .*--universal .*--generate-hashes .*--output-file requirements.lock",
        ),
        (
            "audit",
            "pip-audit --strict --require-hashes .*--requirement requirements.lock",
        ),
        ("floor", "--resolution lowest-direct .*--requirement requirements.txt"),
    ],
)
def test_make_has_targets_for_the_dependencies(root, target, words):
    try:
        shown = subprocess.run(
            ["make", "--dry-run", target],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except FileNotFoundError:
        pytest.skip("no make")
    assert re.search(words, shown.stdout.replace("\\\n", " ").replace("\t", ""))


def imported_helpers(path):
    """The names of the helpers that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "helpers":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "helpers."
        ):
            names.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            names |= {
                part[1] for part in parts if part[0] == "helpers" and len(part) > 1
            }
        assert not (isinstance(node, ast.ImportFrom) and node.level), (
            f"{path}: relative import"
        )
    return names


def test_helpers_import_only_from_floors_above(root):
    for path in sorted((root / "helpers").glob("*.py")):
        if path.stem == "__init__":
            assert not imported_helpers(path)
            continue
        above = set(FLOORS[: FLOORS.index(path.stem)])
        assert imported_helpers(path) <= above, path.name


def test_model_code_names_no_backend(root):
    for name in ("distributions", "likelihoods", "layers", "models"):
        assert "import tensorflow" not in (root / "helpers" / f"{name}.py").read_text()


# README


@pytest.fixture(scope="module")
def readme():
    path = budgets.ROOT / "README.md"
    assert path.is_file(), "there is no README.md"
    return path.read_text()


def test_the_readme_links_lead_somewhere(readme, root):
    targets = re.findall(r"\]\(([^)\s]+)\)", readme)
    targets += re.findall(r'(?:src|href)="([^"]+)"', readme)
    assert targets
    for target in targets:
        if not re.match(r"https?://|#|mailto:", target):
            assert (root / target.split("#")[0]).exists(), target


def test_the_readme_images_have_words(readme):
    images = re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", readme)
    tags = re.findall(r"<img [^>]*>", readme)
    assert images or tags
    for words, target in images:
        assert len(words.strip()) > 4, target
    for tag in tags:
        assert re.search(r'alt="[^"]{5,}"', tag), tag


def test_the_readme_names_every_notebook_with_its_badge(readme):
    for path in PATHS:
        assert f"notebooks/{path.name}" in readme
        url = f"github/{notebooks.helpers.REPOSITORY}/blob/{notebooks.helpers.TAG}/notebooks/"
        assert f"https://colab.research.google.com/{url}{path.name}" in readme


def saved_texts():
    """Every text that the notebooks' saved outputs show."""
    texts = []
    for path in PATHS:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", ()):
                texts += [
                    output.get("text", ""),
                    output.get("data", {}).get("text/plain", ""),
                ]
    return "\n".join(texts).replace("\u2212", "-")


def test_the_readme_gallery_shows_saved_numbers_only(readme):
    section = re.search(
        r"^## [^\n]*(?:[Rr]esults|[Gg]allery|[Ww]hat comes out).*?(?=^## |\Z)",
        readme,
        re.M | re.S,
    )
    assert section, "the README has no section on results"
    prose = re.sub(r"\]\([^)]*\)|https?://\S+|<[^>]*>", " ", section.group(0))
    saved = set(re.findall(r"\d+\.\d+", saved_texts()))
    for number in re.findall(r"\d+\.\d+", prose):
        assert number in saved, f"no saved output shows {number}"


# Pictures


def tagged_figures():
    """Name to the bytes of the figure saved in the cell tagged ``image:NAME``."""
    figures = {}
    for path in PATHS:
        for cell in nbformat.read(path, as_version=4).cells:
            for tag in cell.metadata.get("tags", ()):
                if not tag.startswith(notebooks.IMAGE_TAG):
                    continue
                name = tag.removeprefix(notebooks.IMAGE_TAG)
                assert name not in figures, f"two cells are tagged {tag}"
                pictures = notebooks.figures_of(cell)
                assert pictures, f"{path.name}: the cell tagged {tag} has no figure"
                figures[name] = pictures[-1]
    return figures


def test_every_picture_is_the_figure_of_its_cell(root):
    figures = tagged_figures()
    assert {path.stem for path in (root / "images").glob("*.png")} == set(figures)
    for name, figure in figures.items():
        assert (root / "images" / f"{name}.png").read_bytes() == figure, name


# Leftovers


def tracked_files(root):
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [root / name for name in listed.stdout.split("\0") if name]


def test_no_file_names_a_machines_folders(root):
    for path in tracked_files(root):
        if path.suffix in {".png", ".gif", ".npz"}:
            continue
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            found = re.search(r"(?<![\w.])/(work|root|home|Users)/", text)
            assert not found, f"{path.relative_to(root)}: {found.group(0)}"


def test_no_download_is_tracked(root):
    tracked = {path.relative_to(root).as_posix() for path in tracked_files(root)}
    shipped = {name for name in tracked if name.startswith("data/weights/")}
    local = {
        name
        for name in tracked - shipped
        if name.startswith(("data/", "build/", ".venv/"))
    }
    assert local == {"data/README.md"}
    assert all(name.endswith(".npz") for name in shipped)
