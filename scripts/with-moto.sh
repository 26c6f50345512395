#!/usr/bin/env bash
# Runs a command beside a throw-away AWS (moto), named in TEST_MOTO_URL.
# The server is the one in TEST_MOTO_SERVER; without it, or with a TEST_MOTO_URL already given, just runs the command.
set -euo pipefail
[ -z "${TEST_MOTO_URL:-}" ] && [ -n "${TEST_MOTO_SERVER:-}" ] || exec "$@"

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
log=$(mktemp)
"$TEST_MOTO_SERVER" -H 127.0.0.1 -p "$port" >"$log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -f "$log"' EXIT
trap 'exit 130' INT TERM

for _ in $(seq 300); do
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    TEST_MOTO_URL="http://127.0.0.1:$port" "$@"
    exit
  fi
  kill -0 "$server" 2>/dev/null || break
  sleep 0.1
done
echo "with-moto: the server does not start" >&2
cat "$log" >&2
exit 1
