#!/usr/bin/env bash
# Installs what tests in real editors need from the system: for VS Code's workbench a browser and a compiler, or Neovim.
#
#   tools/install-system.sh            install what the workbench needs
#   tools/install-system.sh --check    only look
#   tools/install-system.sh neovim     install Neovim
#
# Exit codes: 0 everything is there, 2 wrong use, 3 something is missing and cannot be installed from here. After a 3 the
# caller skips the layer with the reason printed here; it must never count it as passed.
set -euo pipefail

has_browser() {
  local name
  [[ -x ${PEFTW_CHROMIUM:-} ]] && return
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    # Ubuntu's package of that name is a script that only says that the browser comes as a snap.
    command -v "$name" >/dev/null && "$name" --version >/dev/null 2>&1 && return
  done
  return 1
}
has_venv() { python3 -c 'import venv, ensurepip' 2>/dev/null; }
has_npm() { npm --version >/dev/null 2>&1; }
has_make() { command -v make >/dev/null; }
has_compiler() { command -v c++ >/dev/null; }
has_neovim() { command -v nvim >/dev/null; }

wanted="workbench"
[[ ${1:-} == neovim ]] && wanted="neovim"

# Prints the Debian packages that are missing, one a line.
missing() {
  if [[ $wanted == neovim ]]; then
    has_neovim || echo neovim
    return
  fi
  has_browser || echo chromium
  has_venv || echo python3-venv
  has_npm || echo npm
  has_make || echo make
  has_compiler || echo g++
}

give_up() {
  {
    echo "The tests in the real editor ($wanted) cannot run: $1."
    echo "Missing (by Debian's names): ${packages[*]}"
    echo "To install them:  sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
    [[ $wanted == neovim ]] ||
      echo "Another Chromium or Chrome serves as well: put it on the PATH, or name it in PEFTW_CHROMIUM."
  } >&2
  exit 3
}

case "${1:-}" in
  "" | --check | neovim) ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac

mapfile -t packages < <(missing)
if ((${#packages[@]} == 0)); then
  echo "system: all that $wanted needs is there"
  exit 0
fi
[[ ${1:-} == --check ]] && give_up "something is missing"
command -v apt-get >/dev/null || give_up "there is no apt-get here"

as_root=()
if ((EUID != 0)); then
  command -v sudo >/dev/null && sudo -n true 2>/dev/null || give_up "this needs root, or sudo without a password"
  as_root=(sudo -n)
fi

echo "system: installing ${packages[*]}"
# Lists that are out of date are no reason to stop: the packages may be in reach all the same.
"${as_root[@]}" apt-get update -qq || true
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null || give_up "apt-get failed"

mapfile -t packages < <(missing)
((${#packages[@]} == 0)) || give_up "apt-get was content, but something is still missing"
echo "system: ready"
