#!/bin/bash
# go build with the arguments, which shows how far it is: a build from nothing
# compiles some hundred packages and is silent for minutes otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."

"${GO:-go}" build -v -o bin/ "$@" ./cmd/... 2>&1 | {
  n=0
  while IFS= read -r line; do
    if [[ $line == *[[:space:]:]* ]]; then
      printf '%s\n' "$line"
    elif n=$((n + 1)); [ $((n % 25)) -eq 0 ]; then
      echo "  $n packages compiled"
    fi
  done
}
