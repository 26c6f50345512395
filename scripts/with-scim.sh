#!/usr/bin/env bash
# Runs a command beside two throw-away SCIM servers with the realms PRIMARY and SECONDARY: a plain one, named in TEST_SCIM_URL, and one
# that has WSO2's extension of the schema as well, named in TEST_SCIM_WSO2_URL.
# The server is the one in TEST_SCIM_SERVER; without it, or with a TEST_SCIM_URL already given, just runs the command.
set -euo pipefail
[ -z "${TEST_SCIM_URL:-}" ] && [ -n "${TEST_SCIM_SERVER:-}" ] || exec "$@"

wso2=$(cd "$(dirname "$0")/.." && pwd)/tests/tools/scim-wso2
logs=$(mktemp -d)
servers=()
trap 'kill "${servers[@]}" 2>/dev/null || true; wait "${servers[@]}" 2>/dev/null || true; rm -rf "$logs"' EXIT
trap 'exit 130' INT TERM

start() { # NAME OPTION…; leaves the server's URL in $url
  local port log=$logs/$1
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  "$TEST_SCIM_SERVER" --port "$port" --bearer-token directory-token --tenant PRIMARY --tenant SECONDARY "${@:2}" >"$log" 2>&1 &
  servers+=("$!")
  url=http://127.0.0.1:$port
  for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
    kill -0 "${servers[-1]}" 2>/dev/null || break
    sleep 0.1
  done
  echo "with-scim: the server does not start" >&2
  cat "$log" >&2
  exit 1
}

start plain
plain=$url
start wso2 --schema "$wso2/schemas.json" --resource-type "$wso2/resource_types.json"
TEST_SCIM_URL=$plain TEST_SCIM_WSO2_URL=$url "$@"
