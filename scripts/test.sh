#!/usr/bin/env bash
# Runs the tests on the databases named (`sqlite`, `postgres`) and ends with the sum, as one line in cargo's words.
# On SQLite all tests run; on PostgreSQL those that look for TEST_DATABASE_URL, themselves or through the harness.
set -uo pipefail
cd "$(dirname "$0")/.."
output=$(mktemp)
trap 'rm -f "$output"' EXIT
verdict=ok

run() { # NAME COMMAND…
  echo "== tests on $1"
  "${@:2}" 2>&1 | tee -a "$output" || verdict=FAILED
}

for database in "$@"; do
  case $database in
    sqlite) run SQLite env -u TEST_DATABASE_URL cargo test --features failpoints --no-fail-fast ;;
    postgres)
      targets=$(grep -rlE --include='*.rs' 'TEST_DATABASE_URL|support/database' tests | cut -d/ -f2 | sed 's/\.rs$//; s/^/--test /' | sort -u)
      # shellcheck disable=SC2086
      run PostgreSQL scripts/with-postgres.sh cargo test --features failpoints --no-fail-fast $targets
      ;;
    *) echo "usage: $0 [sqlite] [postgres]" >&2; exit 2 ;;
  esac
done

grep -h "^skipped: " "$output" | sort | uniq -c
echo "== all tests, $*"
awk -v verdict=$verdict -v seconds=$SECONDS '
  /^test result: / { passed += $4; failed += $6; ignored += $8; filtered += $12 }
  END { printf "test result: %s. %d passed; %d failed; %d ignored; 0 measured; %d filtered out; finished in %d.00s\n",
        verdict, passed, failed, ignored, filtered, seconds }' "$output"
[ $verdict = ok ]
