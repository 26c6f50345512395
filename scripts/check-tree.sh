#!/usr/bin/env bash
# What neither the compiler nor clippy checks of the tree: the size of files, leftovers, missing descriptions.
set -uo pipefail
cd "$(dirname "$0")/.."
found=0
report() { # WHAT LINES
  [ -z "$2" ] && return
  printf 'check-tree: %s\n%s\n' "$1" "$2" >&2
  found=1
}

report "source files of more than 400 lines" \
  "$(git ls-files 'src/*.rs' 'tests/*.rs' | xargs wc -l | awk '$2 != "total" && $1 > 400')"
report "leftover markers" "$(git grep -nE '\b(todo|unimplemented|dbg)!|\b(TODO|FIXME|XXX)\b|#\[ignore' -- src tests)"
report "modules without a description" \
  "$(git ls-files 'src/*.rs' | xargs awk 'FNR == 1 && !/^\/\/!/ { print FILENAME }' | grep -v 'tests\.rs$')"
report "conflict markers" "$(git grep -nE '^(<<<<<<<|>>>>>>>) ')"
report "white space" "$(git grep -nIE '[[:blank:]]+$' -- '*.rs' '*.toml' '*.sh' '*.yml' '*.py' Makefile Dockerfile)"
exit $found
