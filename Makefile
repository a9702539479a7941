# Two commands for a newcomer: `make demo` and `make test`. Each makes .venv by itself.
PYTHON ?= python3
BIN := .venv/bin
BENCH ?= ../shared/bench
STAMP := .venv/.installed

.PHONY: demo test test-slow test-verify test-crash test-hostile test-determinism test-mutation lint format install docs bench bench-detect bench-clean bench-floor bench-prove bench-correlations bench-preference bench-pairs bench-scale clean

$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/tunevet demo

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

# Prints at its end: classes, files, silent losses or changes, crashes of the parent.
test-hostile: $(STAMP)
	$(BIN)/python -m pytest -q tests/hostile -m "hostile or not hostile"

# Kills and refuses at every step, and prints how many it tried; half an hour on 2 cores.
test-crash: $(STAMP)
	$(BIN)/python -m pytest tests/crash -m "crash or not crash"

# Prints how many of 24 variants of a real scan are equal; a quarter of an hour on 2 cores.
test-determinism: $(STAMP)
	$(BIN)/python -m pytest -q tests/determinism -m "slow or not slow"

# Prints how many cases of tampering were caught.
test-verify: $(STAMP)
	$(BIN)/python -m pytest tests/verify

# Takes each guard out of a copy and expects a test to fail; prints how many were caught. MORE="-n 2" for two processes.
test-mutation: $(STAMP)
	$(BIN)/python -m pytest -q tests/mutation -m "mutation or not mutation" $(MORE)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict audit flows

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)
	$(BIN)/tunevet rules --markdown > docs/detectors.md

# Options of the benchmarks: BENCH=folder ONLY=text PROBE=off|quick|full MORE="--keep --quick ..."
HARNESS = PYTHONPATH=tests $(BIN)/python -m benchmarks
OPTIONS = --bench "$(BENCH)" --only "$(ONLY)" $(if $(PROBE),--probe $(PROBE)) $(MORE)

bench: $(STAMP)
	$(HARNESS) cases $(OPTIONS)

bench-detect: $(STAMP)
	$(HARNESS) detect $(OPTIONS)

bench-clean: $(STAMP)
	$(HARNESS) clean $(OPTIONS)

bench-floor: $(STAMP)
	$(HARNESS) floor $(OPTIONS)

bench-prove: $(STAMP)
	$(HARNESS) prove $(OPTIONS)

bench-correlations: $(STAMP)
	$(HARNESS) correlations $(OPTIONS)

bench-preference: $(STAMP)
	$(HARNESS) preference $(OPTIONS)

# 100,000 pairs; MORE="--rows 10000" for a tenth of it.
bench-pairs: $(STAMP)
	OMP_NUM_THREADS=2 PYTHONPATH=tests $(BIN)/python -m benchmarks.pairs --bench "$(BENCH)" --write $(MORE)

# Takes about half an hour and 8 GB of disk; MORE="--rows 100000" for a tenth of it.
bench-scale: $(STAMP)
	OMP_NUM_THREADS=2 PYTHONPATH=tests $(BIN)/python -m benchmarks.scale --write $(MORE)

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
