#!/usr/bin/env bash
# Makes an environment in which Unsloth trains, and prints the path of its Python as the last line of stdout.
#
# Unsloth wants older versions than .venv has. So they get a folder of their own, kept outside the checkout, which sees
# the packages of .venv, torch and ours among them, behind its own: 0.2 GB and half a minute instead of 1.7 GB.
# With --find it makes nothing: it prints the path, or ends with 1 where there is no such environment.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\033[1munsloth\033[0m %s\n' "$*" >&2; }
fail() { printf 'unsloth-env: %s\n' "$*" >&2; exit 1; }

python=$PWD/.venv/bin/python
requirements=tools/unsloth-requirements.txt
[ -x "$python" ] || fail "there is no .venv. Call: make setup"

cache=${PEFTW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/peft-workbench}
key=$({ cat "$requirements" tools/unsloth-env.sh; "$python" -VV; echo "$PWD"; } | sha256sum | cut -c1-12)
folder=$cache/unsloth-$key
if [ -x "$folder/bin/python" ]; then
  printf '%s\n' "$folder/bin/python"
  exit 0
fi
[ "${1:-}" != --find ] || exit 1

mkdir -p "$cache"
making=$(mktemp -d "$cache/.unsloth-making-XXXXXX")
trap 'rm -rf "$making"' EXIT
say "making the environment of Unsloth, once for this checkout (about half a minute) …"
begin=$SECONDS
"$python" -m venv --without-pip "$making/env"
# Nothing of what these packages declare is fetched: .venv has it, or it is not needed (see the list).
"$python" -m pip --python "$making/env/bin/python" install --disable-pip-version-check --quiet --no-deps \
  -r "$requirements" >"$making/log" 2>&1 ||
  { tail -n 25 "$making/log" >&2; fail "the packages could not be installed; the lines above say why."; }
site=$("$making/env/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
behind=$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
# A web application that comes along in the wheel; it is not used, and has another licence.
rm -rf "$site/studio"
printf 'import site; site.addsitedir(%s)\n' "'$behind'" >"$site/behind.pth"
echo "$PWD" >"$making/env/checkout"

# Environments that this checkout, or one that is gone, has no more use for.
for other in "$cache"/unsloth-*/; do
  of=$(cat "$other/checkout" 2>/dev/null || true)
  if [ "$of" = "$PWD" ] || [ ! -d "$of" ]; then rm -rf "$other"; fi
done
# Another builder may have been faster; its environment is as good.
"$python" -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$making/env" "$folder" 2>/dev/null || true
"$folder/bin/python" -c 'import peft_engine, importlib.metadata as m; m.version("unsloth")' ||
  fail "the environment in $folder does not work."
say "made in $((SECONDS - begin)) s: $folder"
printf '%s\n' "$folder/bin/python"
