"""The notebooks as documents: what a reader must find on GitHub, in Colab, in class."""

import ast
import dis
import functools
import itertools
import re
import types

import nbformat
import pytest

import helpers
from helpers.engine import kernels, notebooks, paths, saved

PATHS = sorted((paths.ROOT / "notebooks").glob("*.ipynb"))
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
    """Every text of an output: a stream's, or that of its data but pictures."""
    data = output.get("data", {}).items()
    texts = [str(value) for kind, value in data if not kind.startswith("image/")]
    return [output.get("text", ""), *texts]


def prose_of(cell):
    """A Markdown cell without its fenced code and its inline code."""
    text = re.sub(r"```.*?```", "", cell.source, flags=re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text)


def names_in(code):
    """Every name that code uses, attributes and what it imports included."""
    found = set()
    for node in ast.walk(code if isinstance(code, ast.AST) else ast.parse(code)):
        found |= {getattr(node, "id", None), getattr(node, "attr", None)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [getattr(node, "module", None), *(a.name for a in node.names)]
            found |= {part for name in names if name for part in name.split(".")}
    return found - {None}


def test_it_is_a_valid_and_small_notebook(notebook, path):
    nbformat.validate(notebook)
    assert notebook.nbformat == 4
    assert notebook.nbformat_minor >= 5
    assert path.stat().st_size < 2_500_000


def test_cells_have_readable_ids_of_their_own_and_ran_once_in_order(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name), name
        assert not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", name), name
    counts = [cell.execution_count for cell in cells_of(notebook, "code")]
    assert counts == list(range(1, len(counts) + 1))


def test_sizes_that_the_digest_leaves_out_are_those_of_smaller_budgets(notebook):
    for cell in cells_of(notebook, "code"):
        calls = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, ast.Call)]
        for call in calls:
            if {key.arg for key in call.keywords} & {"short", "quick"}:
                assert ast.unparse(call.func) == "training.by_budget", cell.id


def test_metadata_and_outputs_are_what_readers_need_and_no_more(notebook):
    metadata = dict(notebook.metadata)
    assert metadata.pop(saved.KEY, None) in (None, saved.digest(notebook))
    assert metadata == notebooks.METADATA
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
    for output in outputs_of(notebook):
        words = {"alt"} if kernels.FIGURES & set(output.get("data", {})) else set()
        assert set(output.get("metadata", {})) <= words
        assert output.output_type != "error"
        assert output.get("name") != "stderr"
        assert not {"image/svg+xml", kernels.WIDGET} & set(output.get("data", {}))


def test_nothing_tells_of_the_machine_it_ran_on(notebook):
    texts = [cell.source for cell in notebook.cells]
    texts += [text for output in outputs_of(notebook) for text in texts_of(output)]
    for text in texts:
        assert not MACHINE.search(text), text[:300]


def test_the_first_cell_says_what_this_is(notebook, path):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    for words in ("Open in Colab", "will be able to", "need", "minute"):
        assert words in first.source, words
    address = f"{helpers.REPOSITORY}/blob/{helpers.TAG}/notebooks/{path.name}"
    assert f"](https://colab.research.google.com/github/{address})" in first.source


def test_the_second_cell_is_the_same_bootstrap_everywhere():
    cells = [nbformat.read(path, as_version=4).cells[1] for path in PATHS]
    (source,) = {cell.source for cell in cells}
    assert f'REPOSITORY, TAG = "{helpers.REPOSITORY}", "{helpers.TAG}"' in source
    assert "sys.path.insert(0" in source
    assert "pip" not in source
    assert not any(cell.outputs for cell in cells)


def test_headings_start_at_one_and_skip_no_level(notebook):
    prose = "\n".join(map(prose_of, cells_of(notebook, "markdown")))
    levels = [len(marks) for marks in re.findall(r"^(#+) \S", prose, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    for before, after in itertools.pairwise(levels):
        assert after <= before + 1


def test_links_lead_somewhere_and_images_have_words(notebook, path):
    for cell in cells_of(notebook, "markdown"):
        for is_image, text, target in LINK.findall(prose_of(cell)):
            assert len(text.strip()) > (4 if is_image else 0), target
            if not re.match(r"https?://|#|mailto:|attachment:", target):
                assert (path.parent / target.split("#")[0]).exists(), target
        for tag in re.findall(r"<img [^>]*>", cell.source):
            assert re.search(r'alt="[^"]+"', tag), tag


RUNNERS = {"subprocess", "system", "popen", "get_ipython", "Popen", "pip"}


def test_code_is_short_and_only_the_bootstrap_runs_other_programs(notebook):
    """A line that begins with ! or % is no Python, and so fails here."""
    for index, cell in enumerate(cells_of(notebook, "code")):
        assert index == 0 or not names_in(cell.source) & RUNNERS, cell.id
        lines = cell.source.splitlines()
        assert 0 < len(lines) <= 25, cell.id
        assert max(map(len, lines)) <= 88, cell.id


INLINE = ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>")
OF_LISTS = {"append", "extend", "insert", "pop", "remove"}
CHANGERS = OF_LISTS | {"add", "update", "setdefault", "clear"}


def operations(code):
    """Yield name and argument of the operations of a cell and its comprehensions."""
    for operation in dis.get_instructions(code):
        inner = operation.argval
        if isinstance(inner, types.CodeType) and inner.co_name in INLINE:
            yield from operations(inner)
        yield operation.opname, inner


def carried_over(source):
    """The names whose values a cell reads first, and then sets or changes.

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
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {n.id for n in names if n.id not in read or not isinstance(n.ctx, ast.Load)}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(ast.Name(owner), changer)):
                found |= {owner} - own - {"np"} if changer in CHANGERS else set()
            case ast.AugAssign(target=ast.Name(joined), op=ast.BitOr()):
                found -= {joined}
    return found


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
    """A reader runs a cell again: it must not start from what its first run left."""
    for cell in cells_of(notebook, "code"):
        assert not carried_over(cell.source), (cell.id, carried_over(cell.source))


def test_a_seed_is_set_and_data_are_the_real_digits(notebook):
    code = "\n".join(cell.source for cell in cells_of(notebook, "code"))
    assert re.search(r"set_random_seed\(\d+\)|default_rng\(\d+\)", code)
    said = "".join(text for output in outputs_of(notebook) for text in texts_of(output))
    assert "load_mnist" not in code or re.search("MNIST: [56]0,000 training", said)


def test_tags_are_known(notebook):
    """nbval would ignore in silence a tag it does not know, or a marker in the code."""
    known = r"nbval-check-output|claim|image:[a-z_]+|file:[a-z_0-9]+\.(gif|html)"
    for cell in cells_of(notebook, "code"):
        assert "NBVAL" not in cell.source, cell.id
        for tag in cell.metadata.get("tags", ()):
            assert re.fullmatch(known, tag), (cell.id, tag)


def test_shown_figures_are_there(notebook):
    for cell in cells_of(notebook, "code"):
        shown = cell.source.count("plt.show()")
        assert len(notebooks.figures_of(cell)) == shown, cell.id
        assert not shown or cell.source.splitlines()[-1] == "plt.show()", cell.id


def test_pictures_of_photographs_are_saved_as_jpeg():
    """256 colours, as plots have, would band them."""
    names = {path.name for path in (paths.ROOT / "images").glob("*cat*")}
    assert {"cats_samples.jpg", "cat_directions.jpg", "cats_diffusion.jpg"} <= names
    assert not [name for name in names if name.endswith(".png")]


# Text alternatives, as plots.describe leaves them.

NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")


def descriptions_of(cell):
    """Yield the arguments of a cell's calls of ``plots.describe``."""
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.Call) and "describe" in names_in(node.func):
            yield node.args[0]


def written_numbers(source, description):
    """The numbers that a description has in words, and does not compute.

    A name stands for the strings of the cell that are assigned to it.
    """
    names = names_in(description)
    made = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign | ast.AugAssign)
        and names & names_in(getattr(node, "target", None) or node.targets[0])
    ]
    found = set()
    for part in [description, *made]:
        for node in ast.walk(part):
            if isinstance(node, ast.FormattedValue):
                node.format_spec = None
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(NUMBER.findall(node.value))
    return found


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ('plots.describe(f"{x:.2f} nats")', set()),
        ('plots.describe(f"{x:.2f} nats, not 94.7, of 10,000 z1")', {"94.7", "10,000"}),
        ('t = f"{y} of 12"\nt += " 13"\ns = "14"\ndescribe(t)', {"12", "13"}),
    ],
)
def test_the_numbers_that_a_description_does_not_compute_are_found(source, numbers):
    (description,) = descriptions_of(nbformat.v4.new_code_cell(source))
    assert written_numbers(source, description) == numbers


def figures_in(cell):
    """The outputs of a code cell that hold a picture."""
    return [o for o in cell.outputs if kernels.FIGURES & set(o.get("data", {}))]


def lacking_words(notebook):
    """The cells that show a figure without a text alternative."""
    cells = cells_of(notebook, "code")
    return [
        c.id for c in cells if any(not f.metadata.get("alt") for f in figures_in(c))
    ]


def large_constants(source):
    """The numbers above 100 that stand in code, as of units or digits, as words."""
    nodes = (getattr(node, "value", None) for node in ast.walk(ast.parse(source)))
    return {f"{n:,}" for n in nodes if type(n) in (int, float) and n > 100}


def quantiles(source):
    """The shares, in percent, that code asks for: 95 of ``np.quantile(x, 0.95)``."""
    calls = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call))
    named = (call for call in calls if getattr(call.func, "attr", "") == "quantile")
    shares = (getattr(argument, "value", None) for c in named for argument in c.args)
    return {f"{100 * share:g}" for share in shares if type(share) is float}


def wrong_words(notebook):
    """Alternatives that no call of their cell gives, and written numbers not printed.

    A number that a call computes is the run's own; one in words must be printed, or be
    a large one of the code, or the share of a quantile that its cell computes.
    """
    said = "".join(text for output in outputs_of(notebook) for text in texts_of(output))
    shown, wrong = set(NUMBER.findall(said)), []
    for cell in cells_of(notebook, "code"):
        shown |= large_constants(cell.source)
    for cell in cells_of(notebook, "code"):
        texts = [f.metadata["alt"] for f in figures_in(cell) if "alt" in f.metadata]
        calls = list(descriptions_of(cell)) if texts else []
        patterns = [re.sub(r"(\\\s|\s)+", r"\\s+", pattern(call)) for call in calls]
        for text in texts:
            wrong += [text] * (not any(re.fullmatch(p, text, re.S) for p in patterns))
        for call in calls:
            own = shown | quantiles(cell.source)
            wrong += written_numbers(cell.source, call) - own
    return wrong


@pytest.mark.parametrize(
    ("source", "saved", "wrong"),
    [
        ('describe(f"falls to {x:.1f} nats")', "falls to 94.7 nats", []),
        ('describe(f"falls\\n to {x}: 86.3")', "falls to 94.7: 86.3", []),
        ('describe("falls to 94.7 nats")', "falls to 94.7 nats", ["94.7"]),
        ('describe(f"rises to {x}")', "falls to 94.7", ["falls to 94.7"]),
        ("plot()", "falls to 94.7", ["falls to 94.7"]),
        ('describe(f"95%: {np.quantile(x, 0.95)}; 90")', "95%: 2.5; 90", ["90"]),
        ('units = 1024\ndescribe("of 1,024 units")', "of 1,024 units", []),
        ('units = 94\ndescribe("of 94 units")', "of 94 units", ["94"]),
    ],
)
def test_a_wrong_alternative_is_found(source, saved, wrong):
    data = nbformat.v4.new_output("display_data", {"image/png": ""})
    printed = nbformat.v4.new_output("stream", text="ELBO -86.3")
    cell = nbformat.v4.new_code_cell(source, outputs=[printed, data])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    assert lacking_words(notebook) == [cell.id]
    cell.outputs[1].metadata["alt"] = saved
    assert lacking_words(notebook) == []
    assert wrong_words(notebook) == wrong


def test_every_figure_has_words(notebook):
    assert not lacking_words(notebook)


def test_words_of_figures_say_what_their_cells_compute(notebook):
    assert not wrong_words(notebook)


# Statements of the text that a run bears out, or not


def test_every_claim_holds_in_the_saved_outputs_and_is_marked_as_one(notebook):
    for cell in cells_of(notebook, "code"):
        tagged = "claim" in cell.metadata.get("tags", [])
        assert tagged == ("claims" in names_in(cell.source)), cell.id
        for output in cell.outputs if tagged else []:
            lines = output["text"].splitlines()
            assert [line for line in lines if not line.startswith("holds")] == []


# Saved outputs and code in step: what a cell prints in any case stands in its output


def in_any_case(node):
    """Yield the nodes that run whenever a cell does: those of no function and no if."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda | ast.If):
            yield child
            yield from in_any_case(child)


def printed(source):
    """Yield what a cell prints: arguments of print, labels and columns of tables."""
    nodes = list(in_any_case(ast.parse(source)))
    assigned = [node for node in nodes if isinstance(node, ast.Assign)]
    for node in nodes:
        match node:
            case ast.Call(func=ast.Name("print" | "report"), args=args):
                yield from args
            case ast.Call(func=ast.Attribute(attr="table"), args=[rows, *others]):
                yield from others[1:]  # the corner; others[0] are formats
                names = names_in(rows)
                made = [a for a in assigned if names & names_in(a.targets[0])]
                for part in itertools.chain(*map(ast.walk, [rows, *made])):
                    yield from getattr(part, "keys", ())
                    if isinstance(getattr(part, "ctx", None), ast.Store):
                        yield getattr(part, "slice", None)


def pattern(node):
    """The regular expression of what printing an expression shows."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(map(pattern, parts))
        case ast.Call(func=ast.Attribute(ast.Constant(str(text)), "format")):
            return ".*".join(map(re.escape, re.split(r"{.*?}", text)))
    return ".*"


def lacking(source, output):
    """What a cell prints in any case and its saved output does not show."""
    patterns = map(pattern, printed(source))
    return [p for p in patterns if not (output.strip() and re.search(p, output, re.S))]


def test_what_a_saved_output_lacks_is_found():
    source = """rows = {"VAE": {"ELBO, K": x}}
rows["PPCA"] = metrics.elbo(y)
print(metrics.table(rows, ".2f", "held out"), y)
report(f"bias {x:.1f} nats in {'a' if x else 'b'}", x)
print("below {:g}:".format(4), x > 4)
if x > 4:
    print("never")"""
    output = (
        "held out   ELBO, K\nVAE      -94.2\nPPCA\nbias 0.1 nats in a\nbelow 4: False"
    )
    assert lacking(source, output) == []
    for planted in ("VAE", "PPCA", "ELBO, K", "held out", "bias", "nats", "below"):
        assert len(lacking(source, output.replace(planted, "x"))) == 1, planted
    assert lacking(source, "\n")


def test_saved_outputs_are_those_of_the_code(notebook):
    for cell in cells_of(notebook, "code"):
        output = "".join(output.get("text", "") for output in cell.outputs)
        missed = lacking(cell.source, output)
        assert not missed, (cell.id, missed)


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


@functools.cache
def trees_of(path):
    """The syntax trees of a notebook's code cells, by their ids."""
    cells = cells_of(nbformat.read(path, as_version=4), "code")
    return {cell.id: ast.parse(cell.source) for cell in cells}


def verdict_of(path, source, check):
    """What the check cell says after the imports and the given code have run."""
    names = {}
    for tree in trees_of(path).values():
        imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
        exec("\n".join(map(ast.unparse, imports)), names)
    exec(source, names)
    call = ast.parse(check.source).body[-1].value
    assert call.func.id == "print"
    return eval(ast.unparse(call.args[0]), names)


def test_there_are_at_least_four_exercises(path):
    assert len(list(exercises_of(path))) >= 4


@pytest.mark.parametrize(("path", "text", "stub", "check", "solution"), EXERCISES)
def test_an_exercise_is_whole_and_its_solution_correct(
    path, text, stub, check, solution
):
    kinds = stub.cell_type, check.cell_type, solution.cell_type
    assert kinds == ("code", "code", "markdown")
    assert "raise NotImplementedError" in stub.source
    assert re.search(r"print\(checks\w*\.check_\w+\(\w+\)\)$", check.source)
    assert "".join(output.text for output in check.outputs) == "not attempted\n"
    assert solution.source.startswith("<details>")
    assert solution.source.rstrip().endswith("</details>")
    assert "<summary>" in solution.source
    assert SOLUTION.search(solution.source)
    functions = re.findall(r"^def (\w+)", stub.source, re.MULTILINE)
    for name, tree in trees_of(path).items():
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert name == check.id or not used & set(functions), name
    assert verdict_of(path, stub.source, check) == "not attempted"
    code = "\n".join(SOLUTION.findall(solution.source))
    assert verdict_of(path, code, check).startswith("correct")
