# Two commands do everything: `make demo` (`make demo BUNDLE=simsid`, `ocad` or `sagan` for another bundle) and `make test`.
# `make node` serves a node to look at.
# The README shows the same in plain pip and python lines.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
BUNDLE ?= sepiad
CONFIGS := bundles/$(BUNDLE)/configs
PIP := $(PY) -m pip install --quiet --disable-pip-version-check
# Threads that wait for each other sleep after a moment, as in monai_anomaly/utils/waiting_threads.py, not after 5 ms.
ifeq ($(origin GOMP_SPINCOUNT)$(origin OMP_WAIT_POLICY),undefinedundefined)
export GOMP_SPINCOUNT := 3000
endif
# Where Python may not keep what it compiled, every process compiles the package and the tests anew.
unexport PYTHONDONTWRITEBYTECODE
PYTEST := OMP_NUM_THREADS=1 $(PY) -m pytest --numprocesses 2 --dist worksteal
# No bundles, no detectors, no pictures of phantoms, no other processes; nor exports to ONNX.
FAST := $(addprefix tests/,calibration data/arrays data/dicom data/lists data/sets docs engines handlers losses metrics \
	networks/blocks report transforms utils bundles/test_generated.py)

.PHONY: compiled demo node bundles style check test commands slow label deploy ray docs timings benchmark ratios clean

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable ".[pretrained]"
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(PIP) --editable ".[dev]"
	touch $@

$(VENV)/installed-node: $(VENV)/installed
	$(PIP) --editable ".[node,pretrained]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(PIP) --editable ".[docs]"
	touch $@

$(VENV)/installed-all: setup.cfg pyproject.toml  # all of that at once
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(PIPFLAGS) --editable ".[dev,docs]"
	touch $(VENV)/installed $(VENV)/installed-dev $(VENV)/installed-docs $@

compiled: $(VENV)/installed-all  # what pip left to be compiled, with --no-compile in PIPFLAGS
	-$(PY) -m compileall -q $(VENV)/lib >$(VENV)/compiled.txt 2>&1

demo: $(VENV)/installed
	$(PY) -m monai.bundle run training --config_file $(CONFIGS)/train.json
	$(PY) -m monai.bundle run calibrate --config_file $(CONFIGS)/calibrate.json
	$(PY) -m monai.bundle run --config_file $(CONFIGS)/evaluate.json

DETECTOR := bundles/embedding/models/calibration.json

$(DETECTOR): | $(VENV)/installed
	$(PY) -m monai_anomaly train embedding
	$(PY) -m monai_anomaly calibrate embedding

PHANTOM := from monai_anomaly.phantom.phantom import phantom_dir; print(phantom_dir(kind="radiograph"))

node: $(VENV)/installed-node $(DETECTOR)  # on this machine alone, with 39 generated radiographs in its folder
	mkdir -p output/node_in
	cp "$$($(PY) -c '$(PHANTOM)')"/test/00[0-3]?.dcm output/node_in
	$(PY) -m monai_anomaly serve integrations/node/try.yaml

bundles:  # the committed configurations, from bundles/_base
	$(PYTHON) bundles/_base/generate.py

style: $(VENV)/installed-dev  # style, types, layers, spelling; as .pre-commit-config.yaml
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(VENV)/bin/codespell

check: style  # and the fast tests
	$(PYTEST) -k 'not onnx' $(FAST)

test: style  # with COVERAGE=--cov it measures the coverage, too
	$(PYTEST) $(COVERAGE)

commands: $(VENV)/installed-dev  # every command and every piece of Python of the pages
	$(PYTEST) -m commands

slow: $(VENV)/installed-dev  # the tests that take minutes
	$(PYTEST) -m slow

label: $(VENV)/installed-dev  # MONAI Label's server; makes its environment in .venv-label, or in MONAI_ANOMALY_LABEL_ENV
	OMP_NUM_THREADS=1 $(PY) -m pytest -m label

deploy: $(VENV)/installed-dev  # MONAI Deploy's SDK; makes its environment in .venv-deploy, or in MONAI_ANOMALY_DEPLOY_ENV
	OMP_NUM_THREADS=1 $(PY) -m pytest -m deploy

ray: $(VENV)/installed-dev  # Ray's commands, workers and nodes are killed
	OMP_NUM_THREADS=1 $(PY) -m pytest -m ray

docs: $(VENV)/installed-docs
	rm -rf docs/_build docs/api
	$(PY) -m sphinx --jobs 2 --fail-on-warning --keep-going --conf-dir docs/site . docs/_build/html

timings: $(VENV)/installed
	OMP_NUM_THREADS=1 $(PY) -m measurements.timings --bundle bundles/$(BUNDLE)

benchmark: $(VENV)/installed  # what every bundle costs, beside the commits before; on an idle machine
	$(PY) -m measurements.benchmark

ratios: $(VENV)/installed  # the same in some minutes, ten at most, with more noise; keeps nothing and fails on nothing
	-timeout 600 $(PY) -m measurements.benchmark --short

clean:
	rm -rf $(VENV) build dist docs/_build docs/api *.egg-info
