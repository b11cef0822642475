# Every target sets up .venv (or build/tools) by itself and renews it when its requirements change.
PYTHON ?= python3
BUDGET ?= short
JOBS ?=
MINUTES ?= 30
FOLDER ?= submissions
REPO ?=
TAG ?=
BIN := .venv/bin
TOOLS := build/tools/bin
# whole files to three workers, so that two cores work while one waits for a browser or a kernel; in the
# order of pyproject.toml's testpaths: notebooks, the longest, first
PARALLEL := --numprocesses 3 --dist loadfile --no-loadscope-reorder

.PHONY: run book data test fast soak lab lint save results kit grade pack stamp release lock audit floor scale clean

run: book  ## the book, then every notebook run on this machine; pages land in build/run/
	$(BIN)/python -m helpers.engine.notebooks run --budget $(BUDGET) $(if $(JOBS),--jobs $(JOBS))

book: .venv/ready  ## the course as a book, of the saved outputs: build/book/index.html
	$(BIN)/python -m helpers.engine.book

data: .venv/ready  ## download MNIST and the cats, once
	$(BIN)/python -m helpers.datasets

test: .venv/test-ready  ## unit tests, the notebooks as documents, and every notebook under nbval
	VAE_COURSE_BUDGET=quick $(BIN)/python -m pytest $(PARALLEL)

fast: .venv/test-ready  ## the unit tests that take no seconds each, in less than a minute
	VAE_COURSE_BUDGET=quick $(BIN)/python -m pytest tests -m "not slow" --numprocesses 2

soak: .venv/test-ready  ## the campaigns of faults, long: kills, bad servers, mutated files, random input
	VAE_COURSE_SOAK=1 $(BIN)/python -m pytest -s tests/test_interruption.py tests/test_downloads.py \
		tests/test_fuzzing.py tests/test_families.py tests/test_machines.py tests/test_sweeps.py \
		tests/test_uses.py tests/test_places.py tests/test_grading.py tests/test_scaling.py \
		tests/test_results.py

lab: .venv/ready  ## open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

lint: .venv/test-ready  ## style of code and notebook cells, and the types of helpers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

save: .venv/ready  ## run with the full budget on real data and save the outputs in place
	$(BIN)/python -m helpers.engine.notebooks save

results: .venv/ready  ## half an hour of the experiment behind data/results; again goes on with it
	$(BIN)/python -m helpers.engine.results --minutes $(MINUTES)

kit: .venv/ready  ## for a class: notebooks without answers and with all, slides, quizzes: build/kit/
	$(BIN)/python -m teaching.kit

grade: .venv/ready  ## make grade FOLDER=submissions: marks and feedback land in build/grades/
	$(BIN)/python -m teaching.grade "$(FOLDER)"

pack: .venv/ready  ## one archive for a machine like this one without a network: build/vae-course-*.zip
	$(BIN)/python -m teaching.pack

stamp: .venv/ready  ## make stamp REPO=owner/name TAG=v1.0: rewrite every link to the course
	$(BIN)/python -m helpers.engine.notebooks stamp $(if $(REPO),--repo $(REPO)) $(if $(TAG),--tag $(TAG))

release: .venv/test-ready  ## check that all is stamped, saved, locked, small and tested; write the archive
	$(BIN)/python -m helpers.engine.release check
	$(MAKE) lint test
	$(BIN)/python -m helpers.engine.release archive

lock: build/tools/ready  ## renew requirements.lock: a version moves only if requirements.txt excludes it
	$(TOOLS)/uv pip compile --no-config --universal --python-version 3.11 --generate-hashes --no-annotate \
		--custom-compile-command "make lock  (the versions that the saved outputs were made with)" \
		--output-file requirements.lock requirements.txt >build/lock.log

audit: build/tools/ready  ## known vulnerabilities of every locked version; needs a network
	$(TOOLS)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock

floor: build/tools/ready  ## tests and notebooks with the oldest versions that pyproject.toml admits
	$(TOOLS)/uv venv --no-config --quiet --clear --seed --python $(PYTHON) build/floor
	$(TOOLS)/uv pip install --no-config --quiet --python build/floor/bin/python \
		--resolution lowest-direct --requirement pyproject.toml --extra notebooks --extra test
	VAE_COURSE_BUDGET=quick build/floor/bin/python -m pytest $(PARALLEL)

scale: build/tools/ready  ## the sweep on a cluster of two workers here, in an environment with Dask
	$(TOOLS)/uv venv --no-config --quiet --clear --python $(PYTHON) build/scale
	$(TOOLS)/uv pip install --no-config --quiet --python build/scale/bin/python \
		--requirement pyproject.toml --extra scale --extra test
	build/scale/bin/python -m pytest tests/test_cluster.py --numprocesses 0

clean:
	rm -rf .venv build .pytest_cache .ruff_cache .mypy_cache .coverage

.venv/ready: requirements.txt
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else 'Python 3.11 to 3.13 is needed, and this is %d.%d: make PYTHON=python3.12' % v)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch .venv/ready

.venv/test-ready: .venv/ready pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable ".[test]"
	touch .venv/test-ready

build/tools/ready:
	$(PYTHON) -m venv build/tools
	$(TOOLS)/python -m pip install --quiet --disable-pip-version-check uv pip-audit
	touch build/tools/ready
