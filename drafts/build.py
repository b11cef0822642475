import json, sys, re
src = json.load(open('build/notebooks/06_applications.ipynb'))
boot = next(c for c in src['cells'] if c['id'] == 'bootstrap')
cells = []
def md(id, text): cells.append({"cell_type": "markdown", "id": id, "metadata": {}, "source": text.strip("\n").splitlines(keepends=True)})
def code(id, text, *tags):
    cells.append({"cell_type": "code", "execution_count": None, "id": id, "metadata": ({"tags": list(tags)} if tags else {}), "outputs": [], "source": text.strip("\n").splitlines(keepends=True)})
def exercise(name, title, text, signature, solution, more=""):
    slug = name.replace("_", "-")
    md(f"exercise-{slug}", f"### {title}\n\n{text}")
    code(f"exercise-{slug}-stub", f'def {signature}:\n    raise NotImplementedError("your turn")')
    code(f"exercise-{slug}-check", f"print(checks.check_{name}({name}))", "nbval-check-output")
    md(f"exercise-{slug}-solution", f"<details>\n<summary>Solution</summary>\n\n{more}```python\n{solution}\n```\n\n</details>")
exec(open('build/cells.py').read())
cells[1] = {**{k: boot[k] for k in ("cell_type","id","metadata","source")}, "execution_count": None, "outputs": []}
nb = {"cells": cells, "metadata": {k: v for k, v in src["metadata"].items() if k in ("kernelspec", "language_info")}, "nbformat": 4, "nbformat_minor": 5}
for c in cells:
    if c["cell_type"] == "code":
        lines = "".join(c["source"]).splitlines()
        if len(lines) > 25 or max(map(len, lines)) > 88: print("LONG", c["id"], len(lines), max(map(len, lines)))
open(sys.argv[1], "w").write(json.dumps(nb, indent=1, ensure_ascii=False) + "\n")
