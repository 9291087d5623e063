#!/bin/bash
# Prints the path of a Go that can build this, or says which is needed, which was
# found and where to get one. sudo and cron leave /usr/local/go/bin out of PATH.
set -uo pipefail
cd "$(dirname "$0")/.."

needs=$(sed -n 's/^go \([0-9.]*\).*/\1/p' go.mod)

# enough VERSION: VERSION, as 1.26.8, is not older than what is needed
enough() { [ "$(printf '%s\n%s\n' "$needs" "$1" | sort -V | head -n 1)" = "$needs" ]; }

found=()
try() { # try PROGRAM: prints it and ends, if it is good enough
  local path version
  path=$(command -v "$1" 2>/dev/null) || return
  # In this directory a Go from 1.21 on fetches the version that go.mod names, and
  # is that one then; without a network it fails and tells its own.
  version=$("$path" version 2>/dev/null) || version=$(GOTOOLCHAIN=local "$path" version 2>/dev/null)
  version=$(sed -n 's/^go version go\([0-9][0-9.]*\).*/\1/p' <<<"$version")
  if enough "${version:-0}"; then
    echo "$path"
    exit 0
  fi
  found+=("${version:-something else} in $path")
}

if [ -n "${1:-}" ]; then
  try "$1"
else
  try go
  try /usr/local/go/bin/go
fi

if [ ${#found[@]} -eq 0 ]; then
  have="none was found at ${1:-/usr/local/go/bin/go or in PATH}"
else
  have="found was $(printf '%s, ' "${found[@]}" | sed 's/, $//')"
fi
echo "ehpc is built with Go $needs or newer, and $have: unpack one from https://go.dev/dl into /usr/local/go, or name yours: make GO=/path/to/bin/go" >&2
exit 1
