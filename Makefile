# Two commands do everything: `make train` and `make test`. `make help` lists the rest.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints/tested.txt
ARGS ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.ready: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e ".[dev,text]"
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready ## make the virtual environment; PYTHON=... chooses the interpreter

.PHONY: train
train: setup ## train, evaluate and draw RmLR on the embedded world; ARGS="experiment=upt seed=1" changes what
	$(BIN)/rmlr-train $(ARGS)

.PHONY: eval
eval: setup ## print the figures of a checkpoint again: make eval CKPT=outputs/rmlr/checkpoints/best.ckpt
	@test -n "$(CKPT)" || { echo "error: make eval needs CKPT=FILE, such as CKPT=outputs/rmlr/checkpoints/best.ckpt" >&2; exit 2; }
	$(BIN)/rmlr-eval "checkpoint='$(CKPT)'" $(ARGS)

SWEEP ?= ablation
RUNS ?= multirun/$(SWEEP)
JOBS ?= 2
REPORT_ablation := --baseline visual
REPORT_sizes := --baseline visual
REPORT_unseen := --baseline unseen_linear
REPORT_tuning := --split val
REPORT_alignment := --split val
REPORT ?= $(REPORT_$(SWEEP))

.PHONY: ablation
ablation: setup ## all rows and seeds of conf/sweep/ablation.yaml (or SWEEP=...), JOBS=2 at a time, then the report; goes on where it stopped
	@mkdir -p "$(RUNS)"; pids=; trap 'kill $$pids 2>/dev/null; wait; exit 130' INT TERM; \
	for job in $$(seq $(JOBS)); do \
	  OMP_NUM_THREADS=1 $(BIN)/rmlr-train +sweep=$(SWEEP) "hydra.sweep.dir='$(RUNS)'" $(ARGS) > "$(RUNS)/job$$job.log" 2>&1 & \
	  pids="$$pids $$!"; echo "job $$job: $(RUNS)/job$$job.log"; \
	done; \
	failed=0; for pid in $$pids; do wait $$pid || failed=1; done; \
	$(BIN)/rmlr-report "$(RUNS)" --out "$(RUNS)/report" $(REPORT) || failed=2; \
	test $$failed = 0 || { tail -n 3 "$(RUNS)"/job*.log >&2; echo "error: a job ended with an error, see these logs; the same line goes on" >&2; exit 2; }

.PHONY: report
report: setup ## tables and a plot of the runs below RUNS=multirun/ablation; REPORT="--baseline upt --compare a:b" says what
	$(BIN)/rmlr-report "$(RUNS)" --out "$(RUNS)/report" $(REPORT)

.PHONY: detector
detector: setup ## train the embedded world's detector anew; goes on where it stopped
	$(BIN)/rmlr-train experiment=detector resume=auto $(ARGS)

.PHONY: test
test: setup ## all tests; ARGS="-m 'not slow'" for the fast ones
	$(BIN)/python -m pytest $(ARGS)

.PHONY: lint
lint: setup ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: setup ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: clean
clean: ## remove runs, data and environment
	rm -rf outputs multirun data $(VENV)
