"""The versions of the notebooks that a class gets."""

import ast
import json
import re

import nbformat
import pytest

from helpers.engine import paths
from teaching import versions
from teaching.exercises import course

PATHS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def made(request):
    """A notebook's name, the notebook, and its student and solution versions."""
    path = request.param
    notebook = nbformat.read(path, as_version=4)
    kinds = [make(notebook, path.stem) for make in versions.MAKERS.values()]
    return path.stem, notebook, *kinds


def code_of(notebook):
    """The text of the code cells by their ids."""
    return {c.id: c.source for c in notebook.cells if c.cell_type == "code"}


def stubs_of(name, notebook):
    """The exercises by the ids of their stubs."""
    return {notebook.cells[e.place + 1].id: e for e in course()[name]}


def test_every_exercise_is_in_both(made):
    name, notebook, student, solution = made
    assert len(course()[name]) >= 4
    for exercise in course()[name]:
        cells = notebook.cells[exercise.place : exercise.place + 3]
        for version in (student, solution):
            assert {cell.id for cell in cells} <= {cell.id for cell in version.cells}
        assert cells[1].source in code_of(student).values()
        assert exercise.solution in code_of(solution).values()


def test_no_line_of_a_solution_is_in_the_student_version(made):
    name, notebook, student, _ = made
    text = json.dumps([student, versions.without_outputs(student)], ensure_ascii=False)
    assert "<summary>Solution" not in text
    stubs = [notebook.cells[exercise.place + 1].source for exercise in course()[name]]
    for exercise in course()[name]:
        folded = notebook.cells[exercise.place + 3].source.splitlines()
        marks = {"", "```", "```python", "<details>", "</details>"}
        lines = {line.strip() for line in folded} - marks
        assert any(line.startswith("return ") for line in lines)
        for line in lines - {line for stub in stubs for line in stub.splitlines()}:
            assert json.dumps(line, ensure_ascii=False)[1:-1] not in text, line


def test_all_other_cells_are_as_they_were(made):
    """So both run from start to end, as the notebook does, whatever the answers are."""
    name, notebook, student, solution = made
    stubs = stubs_of(name, notebook)
    assert code_of(student) == code_of(notebook)
    for place, (key, code) in enumerate(code_of(solution).items()):
        assert key == list(code_of(notebook))[place]
        assert code == (stubs[key].solution if key in stubs else code_of(notebook)[key])
    prose = [c.source for c in student.cells if c.cell_type == "markdown"]
    assert len(prose) == sum(c.cell_type == "markdown" for c in notebook.cells) - len(
        stubs
    )


def test_the_answers_of_the_solution_version_pass_their_checks(made):
    """Run alone, in this process, after the imports."""
    name, notebook, _, solution = made
    names = {}
    for code in code_of(solution).values():
        body = ast.parse(code).body
        imports = [n for n in body if isinstance(n, ast.Import | ast.ImportFrom)]
        exec("\n".join(map(ast.unparse, imports)), names)
    cells = {cell.id: cell for cell in solution.cells}
    for key, exercise in stubs_of(name, notebook).items():
        exec(cells[key].source, names)
        check = cells[notebook.cells[exercise.place + 2].id]
        said = eval(ast.unparse(ast.parse(check.source).body[-1].value.args[0]), names)
        assert said.startswith("correct")
        assert check.outputs[0].text.startswith("correct")


def test_versions_are_notebooks_with_all_outputs_or_none(made):
    _, notebook, student, solution = made
    figures = re.findall(r'"image/(?:png|jpeg)"', json.dumps(notebook))
    for version in (student, solution):
        nbformat.validate(version)
        assert re.findall(r'"image/(?:png|jpeg)"', json.dumps(version)) == figures
        assert "saved" not in version.metadata
        assert "Open in Colab" not in json.dumps(version)
        bare = versions.without_outputs(version)
        nbformat.validate(bare)
        for cell in bare.cells:
            assert not cell.get("outputs") and cell.get("execution_count") is None
        assert code_of(bare) == code_of(version)


def test_a_solution_that_a_check_refuses_is_not_written():
    notebook = nbformat.read(PATHS[1], as_version=4)
    place = course()[PATHS[1].stem][0].place + 3
    right = notebook.cells[place].source
    notebook.cells[place].source = right.replace("a * b + b", "a * b")
    with pytest.raises(RuntimeError, match="count the parameters: not yet"):
        versions.solution_version(notebook, PATHS[1].stem)


def test_the_kit_has_four_versions_and_what_they_link_to(tmp_path):
    versions.build(tmp_path, ["05"])
    kinds = {"student", "student-outputs", "solution", "solution-outputs"}
    found = {path.parent.name for path in tmp_path.glob("*/05_latent_space.ipynb")}
    assert found == kinds
    links = re.findall(r"\]\((\.\./[^)#\s]+)", (PATHS[4]).read_text())
    assert links
    for link in links:
        assert (tmp_path / "student" / link).is_file()
