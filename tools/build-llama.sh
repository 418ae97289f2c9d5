#!/usr/bin/env bash
# Builds the llama-cpp-python wheel once for this machine and prints its path as the last line of stdout.
#
# PyPI has only its source. A build for the processor at hand (GGML_NATIVE) crashes on some machines with AMX, so this one
# is for any processor with AVX2. It leaves out the vision tools and the command-line helpers, which halves its time.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1mllama.cpp\033[0m %s\n' "$*" >&2; }
fail() { printf 'build-llama: %s\n' "$*" >&2; exit 1; }

python=.venv/bin/python
[ -x "$python" ] || python=${PYTHON:-python3}
version=$(sed -n 's/^llama[-_]cpp[-_]python==//p' constraints.txt)
[ -n "$version" ] || fail "constraints.txt names no version of llama-cpp-python."
flags="-DGGML_NATIVE=OFF -DLLAVA_BUILD=OFF"

# The wheel has no Python ABI: the library in it is loaded through ctypes, so the tag is py3 for every version.
platform=$("$python" -c 'import sysconfig; print(sysconfig.get_platform())')
cache=${PEFTW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/peft-workbench}/wheels
folder=$cache/llama_cpp_python-$version-$(printf '%s' "$flags" | sha256sum | cut -c1-8)-py3-$platform
present() {
  local wheels=("$folder"/*.whl)
  [ ! -e "${wheels[0]}" ] || printf '%s\n' "${wheels[0]}"
}

wheel=$(present)
if [ -n "$wheel" ]; then
  printf '%s\n' "$wheel"
  exit 0
fi

compiler=${CXX:-c++}
command -v "$compiler" >/dev/null ||
  fail "there is no C++ compiler ($compiler). Install one (Debian: apt-get install g++; macOS: xcode-select --install) and try again."
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip. Install it (Debian: apt-get install python3-venv)."

mkdir -p "$cache"
making=$(mktemp -d "$cache/.making-XXXXXX")
trap 'rm -rf "$making"' EXIT
echo 'set(LLAMA_BUILD_COMMON OFF)' >"$making/nocommon.cmake"
mkdir "$making/wheel"
jobs=$("$python" -c 'import os; print(os.cpu_count() or 1)')
say "building llama-cpp-python $version, once for this machine (about four minutes on two cores) …"
begin=$SECONDS
# CMake and Ninja come from PyPI into pip's isolated build when the system has none. pip's cache of built wheels does not
# look at flags, so it is left out.
CMAKE_BUILD_PARALLEL_LEVEL=$jobs \
  CMAKE_ARGS="$flags -DCMAKE_PROJECT_llama.cpp_INCLUDE=$making/nocommon.cmake" \
  "$python" -m pip wheel --disable-pip-version-check --no-deps --no-binary llama-cpp-python --no-cache-dir \
  --wheel-dir "$making/wheel" "llama-cpp-python==$version" >"$making/log" 2>&1 ||
  { tail -n 25 "$making/log" >&2; fail "the build failed; the lines above say why."; }
say "built in $((SECONDS - begin)) s"

# Another builder may have been faster; its wheel is as good.
"$python" -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$making/wheel" "$folder" 2>/dev/null || true
wheel=$(present)
[ -n "$wheel" ] || fail "the wheel could not be moved to $folder."
printf '%s\n' "$wheel"
