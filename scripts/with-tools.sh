#!/usr/bin/env bash
# Runs a command with what the tests need besides Rust, installed into .tools/ and tests/tools/ when it is not there yet:
#   TEST_SCIM_SERVER   a real SCIM 2.0 server          (needs python 3.11 or newer)
#   TEST_MOTO_SERVER   AWS on this machine             (the same)
#   TEST_NODE_TOOLS    folder of the npm packages      (needs node and npm)
#   TEST_CHROMIUM      a browser
# What can't be had is said, and left out: the tests that need it say that they are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
log() { echo "with-tools: $*" >&2; }

# Installs once per content of the list: `once LIST STAMP COMMAND…`.
once() {
  local list=$1 stamp=$2
  shift 2
  cmp -s "$list" "$stamp" && return
  "$@" >&2 && cp "$list" "$stamp"
}

python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    "$candidate" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$candidate" && return
  done
  return 1
}

# Debian's packages, when that is allowed without asking anybody.
apt_install() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  log "installing $*"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"; } >&2
}

servers() {
  local python
  python=$(python) || { apt_install python3 python3-venv && python=$(python); } || return 1
  install_venv() { "$python" -m venv --clear .tools/venv && .tools/venv/bin/pip install --quiet --disable-pip-version-check -r "$1"; }
  once tests/tools/requirements.txt .tools/venv/requirements.txt install_venv tests/tools/requirements.txt || return 1
  echo "$root/.tools/venv/bin"
}

node_tools() {
  command -v node >/dev/null && command -v npm >/dev/null || return 1
  once tests/tools/package-lock.json tests/tools/node_modules/.installed \
    npm ci --prefix tests/tools --ignore-scripts --no-audit --no-fund --loglevel=error || return 1
  echo "$root/tests/tools"
}

browser() {
  local candidate
  for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$candidate" ] && command -v "$candidate" && return
  done
  apt_install chromium && command -v chromium
}

mkdir -p .tools
if found=$(servers); then
  export TEST_SCIM_SERVER=$found/scim2-server TEST_MOTO_SERVER=$found/moto_server
else
  log "no SCIM server and no AWS: they take python 3.11 or newer"
fi
if found=$(node_tools); then export TEST_NODE_TOOLS=$found; else log "no npm packages: they take node and npm"; fi
if found=$(browser); then export TEST_CHROMIUM=$found; else log "no browser: name one in CHROMIUM"; fi
exec "$@"
