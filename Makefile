# `make train` and `make test` set up all they need. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints/tested.txt
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev,text]"
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## create the virtual environment; PYTHON=... selects the interpreter

.PHONY: train
train: setup ## train and evaluate RmLR; ARGS="experiment=upt seed=1" changes the run
	$(BIN)/rmlr-train $(ARGS)

# before the minutes that a setup may take
.PHONY: checkpoint-given
checkpoint-given:
	@test -n "$(CKPT)" || { echo "error: make eval needs CKPT=FILE, such as \
	CKPT=outputs/rmlr/checkpoints/best.ckpt" >&2; exit 2; }

.PHONY: eval
eval: checkpoint-given setup ## print the metrics of CKPT=outputs/rmlr/checkpoints/best.ckpt
	$(BIN)/rmlr-eval "checkpoint=$(CKPT)" $(ARGS)

# A sweep is a file of conf/sweep; REPORT_<sweep> are the options of its report.
SWEEP ?= ablation
RUNS ?= multirun/$(SWEEP)
JOBS_optuna := 1
JOBS ?= $(or $(JOBS_$(SWEEP)),2)
# A user or team of Weights & Biases
ENTITY ?= my-team
REPORT_ablation := --baseline visual
REPORT_short := --baseline visual
REPORT_sizes := --baseline visual
REPORT_unseen := --baseline unseen_linear
REPORT_tuning := --split val
REPORT_alignment := --split val
REPORT_loss_weights := --split val
REPORT_seeds := --baseline visual
REPORT_teachers := --baseline rmlr
REPORT_detectors := --baseline rmlr
REPORT_optuna := --split val
REPORT ?= $(REPORT_$(SWEEP))
ON_VAL = $(findstring --split val,$(REPORT))

# Tables and an HTML page, report.html. With rmlr-lightning[dashboard] also the workspace for
# Weights & Biases, which `rmlr-report wandb` saves there.
WRITE_REPORT = $(BIN)/rmlr-report "$(RUNS)" --out "$(RUNS)/report" --overwrite $(REPORT) && \
  { ! $(BIN)/python -c "import wandb_workspaces" 2>/dev/null || $(BIN)/rmlr-report wandb $(ENTITY) \
  --sweep "$(RUNS)" $(ON_VAL) --json "$(RUNS)/report/dashboard.json" --overwrite; }

# All jobs start the same sweep, and each run is done by the first job that locks it. The report is
# written here, and not by the last job, because its tables belong on the terminal.
.PHONY: ablation
ablation: setup ## full ablation and its report, JOBS=2 in parallel; rerun the command to resume
	@mkdir -p "$(RUNS)"; rm -f "$(RUNS)/.sweep.json"; pids=; watch=; \
	trap 'kill $$pids $$watch 2>/dev/null; wait; \
	  echo "stopped; the same command does the rest" >&2; exit 130' INT TERM; \
	for job in $$(seq $(JOBS)); do \
	  OMP_NUM_THREADS=1 $(BIN)/rmlr-train +sweep=$(SWEEP) "hydra.sweep.dir=$(RUNS)" $(ARGS) \
	    hydra.callbacks.sweep.report=false > "$(RUNS)/job$$job.log" 2>&1 & \
	  pids="$$pids $$!"; echo "job $$job: $(RUNS)/job$$job.log"; \
	done; \
	$(BIN)/rmlr-report --watch "$(RUNS)" 2>/dev/null & watch=$$!; \
	failed=0; for pid in $$pids; do wait $$pid || failed=1; done; \
	kill $$watch 2>/dev/null; wait $$watch; \
	{ $(WRITE_REPORT); } || failed=2; \
	test $$failed = 0 || { tail -n 3 "$(RUNS)"/job*.log >&2; \
	  echo "error: a job or the report failed, see these logs; rerun the command to resume" >&2; \
	  exit 2; }

.PHONY: sweep
sweep: SWEEP = short
sweep: ablation ## a short ablation and its report: 8 rows x 2 seeds; rerun the command to resume

.PHONY: report
report: setup ## report of the runs in RUNS=multirun/ablation; REPORT="--baseline upt"
	$(WRITE_REPORT)

ROWS := detector_tokens,upt,pvic,remine,visual,sentence,word,rmlr,shuffled,compositional,large
NOTES := $(wildcard docs/results/notes.md)

# ablation_runs.csv is a copy of the runs.csv that the report of `make ablation` writes.
.PHONY: results
results: setup ## write docs/RESULTS.md from docs/results/ablation_runs.csv
	$(BIN)/rmlr-report docs/results/ablation_runs.csv --rows $(ROWS) --baseline visual \
	  --compare rmlr:upt rmlr:remine rmlr:shuffled rmlr:compositional rmlr:large \
	  remine:detector_tokens word:sentence --title Results \
	  --page docs/RESULTS.md --plot docs/pictures/ablation.png --overwrite $(if $(NOTES),--notes $(NOTES))

.PHONY: detector
detector: setup ## train the detector of the synthetic benchmark; rerun the command to resume
	$(BIN)/rmlr-train experiment=detector resume=auto $(ARGS)

# Seed 0 of the default configuration. Its detector is shipped already and is referenced by its hash.
.PHONY: pretrained
pretrained: setup ## train and package the model that ships with the package, weights/rmlr_synthetic
	$(BIN)/rmlr-train hydra.run.dir=outputs/pretrained resume=auto $(ARGS)
	$(BIN)/rmlr-export outputs/pretrained/checkpoints/best.ckpt --format folder --half \
	  --shipped-detector --overwrite --out src/rmlr_lightning/weights/rmlr_synthetic

# A file of tests is one job; tests/conftest.py orders the files. The tests end where a process
# crashes: they would wait for a second one without end.
PARALLEL = -n $(JOBS) --dist loadfile --no-loadscope-reorder --max-worker-restart 0

.PHONY: test
test: setup ## all tests, JOBS=2 in parallel; ARGS="-m 'not slow'" for the fast ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) $(ARGS)

.PHONY: test-faults
test-faults: setup ## the tests of docs/RELIABILITY.md: damaged files, kills, wrong data, bad numbers
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m fault $(ARGS)

# Nightly. ARGS="--seed 7" repeats a run; ARGS="--keep FOLDER" writes the files that were found.
.PHONY: test-fuzz
test-fuzz: setup ## 100,000 damaged files for every reader; prints its seed
	OMP_NUM_THREADS=1 $(BIN)/python -W ignore -m tests.faults.fuzz --inputs 100000 $(ARGS)

.PHONY: test-kills
test-kills: setup ## kill 20 trainings at random moments, resume them, and compare (10 minutes)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.killed_runs "$$(mktemp -d)" --kills 20 $(ARGS)

# ARGS="--each 30 ops/matching" tries 30 changes of one module.
.PHONY: test-mutants
test-mutants: setup ## change the code in small ways and list what no test notices (hours)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.mutants $(ARGS)

# No version of gradio takes Pillow 13: the page runs with Pillow 12 in its place, which the package
# supports, too. `make -B setup` brings Pillow 13 back.
$(VENV)/.demo: $(VENV)/.ready
	grep -v '^pillow==' $(CONSTRAINTS) > $@.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $@.txt -e ".[demo]"
	@touch $@

.PHONY: demo
demo: $(VENV)/.demo ## a page in the browser to try a model; ARGS="--checkpoint FILE"
	$(BIN)/rmlr-demo $(ARGS)

# The tests in the browser need Chromium, playwright, the demo page's gradio and axe-core (from npm).
# `make test` leaves out those whose tools are not there.
AXE := $(VENV)/axe-core

.PHONY: has-browser
has-browser:
	@{ command -v chromium || command -v chromium-browser; } >/dev/null && \
	  command -v npm >/dev/null || { echo "error: make test-browser needs npm and Chromium:" \
	  "apt-get install npm chromium" >&2; exit 2; }

$(AXE)/package/axe.min.js: | $(VENV)/.ready
	mkdir -p $(AXE)
	cd $(AXE) && npm pack --silent axe-core@4 && tar -xzf axe-core-*.tgz && touch package/axe.min.js

$(VENV)/.browser: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $<.txt \
	  -e ".[demo,browser]"
	@touch $@

.PHONY: test-browser
test-browser: has-browser $(AXE)/package/axe.min.js $(VENV)/.browser ## all HTML pages, in Chromium
	RMLR_AXE="$(abspath $(AXE)/package/axe.min.js)" OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	  $(PARALLEL) -m browser tests/report tests/predictions tests/test_site.py $(ARGS)

# The lower bounds of pyproject.toml, in an environment of their own (several GB).
OLDEST := .venv-oldest

.PHONY: test-oldest
test-oldest: ## run the fast tests with the oldest allowed versions; PYTHON=python3.11
	$(PYTHON) -m venv $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  -c constraints/oldest.txt -e ".[dev,text]"
	OMP_NUM_THREADS=1 $(OLDEST)/bin/python -m pytest $(PARALLEL) -m "not slow" $(ARGS)

.PHONY: site
site: setup ## the documentation as a web site, site/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict

.PHONY: lint
lint: setup ## check with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: setup ## apply the fixes of ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove runs, data and environment
	rm -rf outputs multirun data site $(VENV) $(OLDEST)
