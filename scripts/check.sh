#!/bin/bash
# What can be said of the code without running it. Every check runs, then the
# exit status tells whether all of them passed.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
check() { # check NAME COMMAND...: fails when the command does
  local name=$1
  shift
  printf '%-12s' "$name"
  local out
  if out=$("$@" 2>&1); then echo ok; else echo FAILED; printf '%s\n' "$out" | sed 's/^/    /'; failed+=("$name"); fi
}

formatted() { local bad; bad=$(git ls-files -z --cached --others --exclude-standard '*.go' | xargs -0 gofmt -l); [ -z "$bad" ] || { printf 'run gofmt -w on:\n%s\n' "$bad"; return 1; }; }

lint() { go -C scripts/lint build -o "$PWD/bin/lint" . && go vet -vettool="$PWD/bin/lint" ./...; }

# fresh runs the generators on a copy of the tree and compares.
fresh() {
  local copy status=0
  copy=$(mktemp -d)
  git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - | tar -xf - -C "$copy"
  (cd "$copy" && go generate ./...) || status=1
  local f
  while IFS= read -r f; do
    cmp -s "$f" "$copy/$f" || { echo "$f is stale or should not be there; run make generate"; status=1; }
  done < <(git ls-files --cached --others --exclude-standard)
  while IFS= read -r f; do
    [ -e "$f" ] || { echo "$f is missing; run make generate"; status=1; }
  done < <(cd "$copy" && find . -type f)
  rm -rf "$copy"
  return $status
}

modules() {
  go mod verify && go mod tidy -diff && go -C test/compat mod tidy -diff && go -C scripts/lint mod tidy -diff
}

# vulnerable asks the database of known vulnerabilities. Where that cannot be
# reached nothing is known, and that is said; EHPC_TEST_NO_SKIP=1 makes it a failure.
vulnerable() {
  local out status=0
  out=$(go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./... 2>&1) || status=$?
  if grep -q 'vuln.go.dev' <<<"$out" && grep -Eq 'dial tcp|no such host|timeout|connection refused' <<<"$out"; then
    unknown="govulncheck could not reach https://vuln.go.dev: nothing is known about vulnerabilities"
    [ "${EHPC_TEST_NO_SKIP:-}" != 1 ] || { echo "$unknown"; return 1; }
    return 0
  fi
  printf '%s\n' "$out"
  return $status
}

check gofmt     formatted
check vet       go vet ./...
check lint      lint
check layers    go test -count=1 ./test/layers
check generated fresh
check modules   modules
unknown=
printf '%-12s' vulnerable
if vulnerable >/tmp/ehpc-vuln.$$ 2>&1; then
  if [ -n "$unknown" ]; then echo "UNKNOWN: $unknown"; else echo ok; fi
else
  echo FAILED
  sed 's/^/    /' /tmp/ehpc-vuln.$$
  failed+=(vulnerable)
fi
rm -f /tmp/ehpc-vuln.$$

[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}" >&2; exit 1; }
