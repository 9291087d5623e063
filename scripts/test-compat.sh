#!/bin/bash
# Tests with the official clients, unmodified, against a dev service that each
# test starts. They are a module of their own: the clients weigh a lot. Two
# releases of one client exclude each other, so the older has its own module file.
# That of Node.js is installed with npm from its lock file.
set -euo pipefail
cd "$(dirname "$0")/.."
export EHPC_BIN=${EHPC_BIN:-$PWD/bin}

go -C test/compat test -p 1 -count=1 -timeout 20m ./...
go -C test/compat test -count=1 -timeout 10m -modfile=v1.61.112.mod -tags sdk161 ./classic
