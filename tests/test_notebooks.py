"""The notebooks as documents: what a reader on GitHub, in Colab or in a class must find."""

import ast
import dis
import itertools
import re
import types

import nbformat
import pytest

import helpers
from helpers.engine import budgets, notebooks

PATHS = sorted((budgets.ROOT / "notebooks").glob("*.ipynb"))
CHECKED = "nbval-check-output"
MACHINE = re.compile(
    r"(?<![\w./])/(home|work|root|tmp|Users)/|\b[A-Z]:\\(?!n)|\b0x[0-9a-f]{6,}"
)
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
SOLUTION = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module", params=PATHS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(path):
    return nbformat.read(path, as_version=4)


def cells_of(notebook, kind):
    return [cell for cell in notebook.cells if cell.cell_type == kind]


def outputs_of(notebook):
    return [output for cell in cells_of(notebook, "code") for output in cell.outputs]


def texts_of(output):
    """Every text of an output: a stream's, or its data's."""
    return [output.get("text", ""), *map(str, output.get("data", {}).values())]


def prose_of(cell):
    """A Markdown cell without its fenced code and its inline code."""
    return re.sub(
        r"`[^`\n]*`", "", re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
    )


def test_there_are_notebooks():
    assert PATHS


def test_it_is_a_valid_notebook(notebook):
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert notebook.nbformat_minor >= 5


def test_cell_ids_are_unique_and_readable(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name), name
        assert not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", name), name


def test_metadata_is_what_readers_need_and_no_more(notebook):
    assert dict(notebook.metadata) == notebooks.METADATA
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
    for output in outputs_of(notebook):
        assert not output.get("metadata")


def test_every_code_cell_was_run_once_in_order(notebook):
    counts = [cell.execution_count for cell in cells_of(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))


def test_outputs_hold_no_errors_and_no_noise(notebook):
    for output in outputs_of(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert not {"image/svg+xml", "application/vnd.jupyter.widget-view+json"} & set(
            output.get("data", {})
        )


def test_nothing_tells_of_the_machine_it_ran_on(notebook):
    texts = [cell.source for cell in notebook.cells]
    texts += [
        text
        for output in outputs_of(notebook)
        for kind, text in [
            ("text", output.get("text", "")),
            *output.get("data", {}).items(),
        ]
        if not kind.startswith("image/")
    ]
    for text in texts:
        assert not MACHINE.search(str(text)), text[:300]


def test_the_first_cell_says_what_this_is(notebook, path):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    for words in ("Open in Colab", "will be able to", "need", "minute"):
        assert words in first.source, words
    url = (
        "https://colab.research.google.com/github/"
        f"{helpers.REPOSITORY}/blob/{helpers.TAG}/notebooks/{path.name}"
    )
    assert f"]({url})" in first.source


def test_the_second_cell_is_the_bootstrap(notebook):
    cell = notebook.cells[1]
    assert cell.cell_type == "code"
    assert f'REPOSITORY, TAG = "{helpers.REPOSITORY}", "{helpers.TAG}"' in cell.source
    assert "sys.path.insert(0" in cell.source
    assert "pip" not in cell.source
    assert cell.outputs == []


def test_the_bootstrap_is_the_same_everywhere():
    sources = {nbformat.read(path, as_version=4).cells[1].source for path in PATHS}
    assert len(sources) == 1


def test_headings_start_at_one_and_skip_no_level(notebook):
    levels = []
    for cell in cells_of(notebook, "markdown"):
        found = re.findall(r"^(#+) \S", prose_of(cell), re.MULTILINE)
        levels += [len(marks) for marks in found]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in itertools.pairwise(levels):
        assert after <= before + 1


def test_links_lead_somewhere_and_images_have_words(notebook, path):
    for cell in cells_of(notebook, "markdown"):
        for is_image, text, target in LINK.findall(prose_of(cell)):
            assert text.strip(), f"{cell.id}: {target} has no text"
            if not re.match(r"https?://|#|mailto:|attachment:", target):
                assert (path.parent / target.split("#")[0]).exists(), target
            if is_image:
                assert len(text.strip()) > 4
        for tag in re.findall(r"<img [^>]*>", cell.source):
            assert re.search(r'alt="[^"]+"', tag), tag


def test_code_is_short_and_parses(notebook):
    for cell in cells_of(notebook, "code"):
        ast.parse(cell.source)
        lines = cell.source.splitlines()
        assert 0 < len(lines) <= 25, cell.id
        assert max(map(len, lines)) <= 88, cell.id


RUNNERS = {"subprocess", "system", "popen", "get_ipython", "Popen", "pip"}


def test_only_the_bootstrap_runs_other_programs(notebook):
    """A line that begins with ! or % is no Python, and so fails above."""
    for cell in cells_of(notebook, "code")[1:]:
        used = set()
        for node in ast.walk(ast.parse(cell.source)):
            used |= {getattr(node, "id", None), getattr(node, "attr", None)}
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [
                    getattr(node, "module", None),
                    *(alias.name for alias in node.names),
                ]
                used |= {part for name in names if name for part in name.split(".")}
        assert not used & RUNNERS, (cell.id, used & RUNNERS)


INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
CHANGERS = {
    "append",
    "extend",
    "insert",
    "pop",
    "remove",
    "add",
    "update",
    "setdefault",
    "clear",
}


def operations(code):
    """Yield the name and argument of every operation of a cell, and of its comprehensions."""
    for operation in dis.get_instructions(code):
        if (
            isinstance(operation.argval, types.CodeType)
            and operation.argval.co_name in INLINE
        ):
            yield from operations(operation.argval)
        yield operation.opname, operation.argval


def carried_over(source):
    """The names whose values a cell changes: it reads them first, and then sets or changes them.

    To join a dictionary or set (``|=``) is let pass: once more changes nothing.
    """
    read, written, found = set(), set(), set()
    for operation, name in operations(compile(source, "cell", "exec")):
        if operation in ("LOAD_NAME", "LOAD_GLOBAL") and name not in written:
            read.add(name)
        elif operation == "STORE_NAME":
            written.add(name)
            found |= {name} & read
    nodes = list(ast.walk(ast.parse(source)))
    own = {
        node.id for node in nodes if isinstance(node, ast.Name) and node.id not in read
    }
    own |= {
        node.id for node in nodes if isinstance(node, ast.Name) and not is_read(node)
    }
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if node.func.attr in CHANGERS and isinstance(owner, ast.Name):
                found |= {owner.id} - own - {"np"}
        if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitOr):
            found -= {getattr(node.target, "id", None)}
    return found


def is_read(node):
    return isinstance(node.ctx, ast.Load)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("x = x + 1", {"x"}),
        ("x += 1", {"x"}),
        ("y = [x for _ in range(3)]\nx = y", {"x"}),
        ("rows.append(1)", {"rows"}),
        ("rows = []\nrows.append(x)", set()),
        ("def f(rows):\n    rows = []\n    rows.append(x)\n    return rows", set()),
        ("x = 1\nx += 1", set()),
        ("table |= {1: x}", set()),
        ("y = np.append(x, 1)", set()),
    ],
)
def test_what_a_cell_carries_over_is_found(source, names):
    assert carried_over(source) == names


def test_a_cell_can_be_run_again(notebook):
    """A reader runs a cell again: it must not start from what its first run left behind."""
    for cell in cells_of(notebook, "code"):
        assert not carried_over(cell.source), (cell.id, carried_over(cell.source))


def test_a_seed_is_set(notebook):
    code = "\n".join(cell.source for cell in cells_of(notebook, "code"))
    assert re.search(r"set_random_seed\(\d+\)|default_rng\(\d+\)", code)


def test_the_file_is_small(path):
    assert path.stat().st_size < 2_000_000


def test_tags_are_known(notebook):
    """A tag that nbval does not know, or a marker in the code, would be ignored in silence."""
    for cell in cells_of(notebook, "code"):
        assert "NBVAL" not in cell.source, cell.id
        for tag in cell.metadata.get("tags", ()):
            known = CHECKED, r"image:[a-z_]+", r"file:[a-z_0-9]+\.(gif|html)"
            assert any(re.fullmatch(pattern, tag) for pattern in known), (cell.id, tag)


def test_checked_cells_have_outputs(notebook):
    """Cleared outputs would pass nbval without a check."""
    code = cells_of(notebook, "code")
    checked = [cell for cell in code if CHECKED in cell.metadata.get("tags", ())]
    assert checked
    for cell in checked:
        texts = [text.strip() for output in cell.outputs for text in texts_of(output)]
        assert any(texts), cell.id


def test_shown_figures_are_there(notebook):
    for cell in cells_of(notebook, "code"):
        if "plt.show()" in cell.source:
            assert notebooks.figures_of(cell), cell.id
            assert cell.source.splitlines()[-1] == "plt.show()", cell.id
        assert len(notebooks.figures_of(cell)) == cell.source.count("plt.show()"), (
            cell.id
        )


def test_notebooks_with_data_ran_on_the_real_digits(notebook):
    code = "\n".join(cell.source for cell in cells_of(notebook, "code"))
    if "load_mnist" not in code:
        pytest.skip("needs no digits")
    said = "".join(text for output in outputs_of(notebook) for text in texts_of(output))
    assert "MNIST: 60,000 training" in said


# Exercises: a Markdown cell, a stub, a check, and a folded solution


def exercises_of(path):
    """Yield the four cells of each exercise."""
    cells = nbformat.read(path, as_version=4).cells
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and re.match(r"#+ Exercise\b", cell.source):
            yield cells[index : index + 4]


EXERCISES = [
    pytest.param(path, *cells, id=f"{path.stem}-{cells[0].id}")
    for path in PATHS
    for cells in exercises_of(path)
]


def imports_of(path):
    """Every import statement of a notebook, as code."""
    found = []
    for cell in cells_of(nbformat.read(path, as_version=4), "code"):
        found += [
            ast.unparse(node)
            for node in ast.parse(cell.source).body
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
    return "\n".join(found)


def verdict_of(path, source, check):
    """What the check cell says after the given code has run."""
    names = {}
    exec(imports_of(path), names)
    exec(source, names)
    call = ast.parse(check.source).body[-1].value
    assert call.func.id == "print"
    return eval(ast.unparse(call.args[0]), names)


def test_there_are_at_least_four_exercises(path):
    assert len(list(exercises_of(path))) >= 4


@pytest.mark.parametrize(("path", "text", "stub", "check", "solution"), EXERCISES)
def test_an_exercise_has_four_cells(path, text, stub, check, solution):
    assert [stub.cell_type, check.cell_type, solution.cell_type] == [
        "code",
        "code",
        "markdown",
    ]
    assert "raise NotImplementedError" in stub.source
    assert re.search(r"print\(checks\w*\.check_\w+\(\w+\)\)$", check.source)
    assert "".join(output.text for output in check.outputs) == "not attempted\n"
    assert solution.source.startswith("<details>")
    assert solution.source.rstrip().endswith("</details>")
    assert "<summary>" in solution.source
    assert SOLUTION.search(solution.source)


@pytest.mark.parametrize(("path", "text", "stub", "check", "solution"), EXERCISES)
def test_the_solution_is_correct_and_the_stub_not_attempted(
    path, text, stub, check, solution
):
    assert verdict_of(path, stub.source, check) == "not attempted"
    code = "\n".join(SOLUTION.findall(solution.source))
    assert verdict_of(path, code, check).startswith("correct")


@pytest.mark.parametrize(("path", "text", "stub", "check", "solution"), EXERCISES)
def test_no_other_cell_needs_the_readers_function(path, text, stub, check, solution):
    names = {
        node.name
        for node in ast.parse(stub.source).body
        if isinstance(node, ast.FunctionDef)
    }
    for cell in cells_of(nbformat.read(path, as_version=4), "code"):
        if cell.id not in (stub.id, check.id):
            used = {
                node.id
                for node in ast.walk(ast.parse(cell.source))
                if isinstance(node, ast.Name)
            }
            assert not names & used, cell.id
