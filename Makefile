# Every target sets up .venv by itself and renews it when requirements.txt changes.
PYTHON ?= python3
BUDGET ?= quick
REPO ?=
TAG ?=
BIN := .venv/bin

.PHONY: run test soak lab lint save stamp clean

run: .venv/ready  ## run every notebook; pages to read land in build/
	$(BIN)/python -m helpers.notebooks run --budget $(BUDGET)

test: .venv/ready  ## unit tests, the notebooks as documents, and every notebook under nbval
	VAE_COURSE_BUDGET=quick $(BIN)/python -m pytest

soak: .venv/ready  ## the campaigns of faults, long: kills, bad servers, mutated files, random input
	VAE_COURSE_SOAK=1 $(BIN)/python -m pytest -s tests/test_interruption.py tests/test_downloads.py tests/test_fuzzing.py

lab: .venv/ready  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

save: .venv/ready  ## run with the full budget on real data and save the outputs in place
	$(BIN)/python -m helpers.notebooks save

stamp: .venv/ready  ## make stamp REPO=owner/name TAG=v1.0: rewrite every link to the course
	$(BIN)/python -m helpers.notebooks stamp $(if $(REPO),--repo $(REPO)) $(if $(TAG),--tag $(TAG))

clean:
	rm -rf .venv build .pytest_cache .ruff_cache

.venv/ready: requirements.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else 'Python 3.11 to 3.13 is needed, and this is %d.%d: make PYTHON=python3.12' % v)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch .venv/ready
