#!/bin/bash
# Runs every fuzz test for a while, 20 s unless FUZZ_TIME says otherwise, or those
# whose name holds the argument. An input that fails is written into the package's
# testdata/fuzz, where every later `go test` tries it again.
set -uo pipefail
cd "$(dirname "$0")/.."

only=${1:-}
failed=()
while IFS=: read -r file _ line; do
  name=${line#func }
  name=${name%%(*}
  [[ $name == *"$only"* ]] || continue
  dir=$(dirname "$file")
  printf '%-48s' "$dir $name"
  # Making what is interesting smaller could take all the time there is.
  if out=$(timeout 600 go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZ_TIME:-20s}" -fuzzminimizetime 500ms "./$dir" 2>&1); then
    sed -n 's/^fuzz: elapsed: .* execs: \([0-9]*\).*/\1 inputs/p' <<<"$out" | tail -n 1
  else
    echo FAILED
    printf '%s\n' "$out" | sed 's/^/    /'
    failed+=("$dir $name")
  fi
done < <(git ls-files -z --cached --others --exclude-standard '*_test.go' | sort -z | xargs -0 grep -nE '^func Fuzz[A-Za-z0-9]*\(' /dev/null)

[ ${#failed[@]} -eq 0 ] || { printf 'failed: %s\n' "${failed[@]}" >&2; exit 1; }
