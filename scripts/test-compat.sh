#!/bin/bash
# Tests with the official clients. Each set stands in a module of its own: they
# weigh a lot, and need releases of one module that exclude each other.
set -euo pipefail
cd "$(dirname "$0")/../test/compat"

for module in . sdk161; do
  (cd "$module" && go test -count=1 -timeout 15m ./...)
done
