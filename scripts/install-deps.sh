#!/bin/bash
# Installs the Debian packages the host needs to run nodes, and those that are
# named as arguments, as far as they are missing. Does nothing, and needs no root,
# when all are there.
set -euo pipefail

# runc runs nodes, iproute2 and nftables make their networks, mmdebstrap makes
# the image they stand on.
packages=(runc iproute2 nftables mmdebstrap "$@")

missing=()
for p in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true)" = installed ] || missing+=("$p")
done
if [ ${#missing[@]} -eq 0 ]; then
  echo "host packages: ${packages[*]} (all there)"
  exit 0
fi
if [ "$(id -u)" -ne 0 ]; then
  echo "cannot install ${missing[*]}: needs root; run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

retry() { # mirrors fail for moments
  local n
  for n in 1 2 3; do
    "$@" && return 0
    [ "$n" -eq 3 ] || { echo "attempt $n failed: $*; trying again" >&2; sleep $((n * 5)); }
  done
  echo "cannot install ${missing[*]}: failed three times: $*" >&2
  return 1
}

echo "host packages: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
if [[ " ${missing[*]} " = *" postgresql "* ]]; then
  # Only the programs are wanted: the tests make databases of their own.
  mkdir -p /etc/postgresql-common/createcluster.d
  echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/ehpc-tests.conf
fi
retry apt-get -qq update
retry apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
echo "host packages: installed ${missing[*]}"
