#!/bin/bash
# The main job, on this machine and through the public API alone: a cluster, an
# account, a LAMMPS run over two nodes, its result. Exits 0 only if every step
# happened, and leaves nothing behind but packages and the node image.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=$PWD/bin:$PATH

[ "$(id -u)" -eq 0 ] || { echo "cannot make nodes: needs root; run: sudo make demo" >&2; exit 1; }

data=$(mktemp -d /var/tmp/ehpc-demo.XXXXXX)
server=
begun=$SECONDS

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
die() { echo "demo: $*" >&2; exit 1; }

# start_server starts the service and waits until it has written where it is.
start_server() {
  rm -f "$data/credentials.env"
  # In a session of its own: an interrupt is for this script, which then needs
  # the service to delete the cluster.
  setsid ehpc dev --data "$data" --listen 127.0.0.1:0 >>"$data/server.log" 2>&1 &
  server=$!
  local n
  for n in $(seq 300); do
    [ -s "$data/credentials.env" ] && ehpc cluster list >/dev/null 2>&1 && return 0
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$data/server.log" >&2
  echo "demo: the service did not start" >&2
  return 1
}

stop_server() {
  kill -TERM "$server" 2>/dev/null || true
  wait "$server" || die "the service ended with status $?"
  server=
}

# leftovers prints what of the demo is still on the host.
leftovers() {
  local instance bridge
  instance=$(cat "$data/instance" 2>/dev/null || true)
  awk -v d="$data/" 'index($2, d) == 1 { print "mount " $2 }' /proc/mounts
  [ -n "$instance" ] || return 0
  find /sys/fs/cgroup -type d -path "*/ehpc/$instance" -printf 'cgroup %p\n' 2>/dev/null || true
  grep -l "/ehpc/$instance/" /proc/[0-9]*/cgroup 2>/dev/null | sed 's/^/process /' || true
  nft list tables | grep "ehpc_$instance" | sed 's/^/nftables /' || true
  for bridge in $bridges; do
    [ ! -e "/sys/class/net/$bridge" ] || echo "bridge $bridge"
  done
}

bridges=
cleanup() {
  local status=$?
  trap - EXIT
  trap '' INT TERM
  if [ "$status" -ne 0 ]; then
    echo "demo: failed; cleaning up" >&2
    tail -n 30 "$data/server.log" >&2 || true
    { [ -n "$server" ] && kill -0 "$server" 2>/dev/null; } || start_server || true
    for cluster in $(ehpc cluster list -o id 2>/dev/null); do
      ehpc cluster delete "$cluster" --yes --wait --timeout 2m >&2 || true
    done
    { kill -TERM "$server" && wait "$server"; } 2>/dev/null || true
  fi
  local rest
  rest=$(leftovers)
  if [ -n "$rest" ]; then
    printf 'demo: still on this host, with its data in %s:\n%s\n' "$data" "$rest" >&2
    exit 1
  fi
  rm -rf "$data"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say "1. Start a service on this machine"
export EHPC_CREDENTIALS=$data/credentials.env
echo "$ ehpc dev --data $data --listen 127.0.0.1:0 &"
start_server
echo "it listens on $(sed -n 's/^EHPC_ENDPOINT=//p' "$data/credentials.env")"

say "2. Make a cluster: a manager, a login node, two compute nodes"
show ehpc cluster create lab --login 1 --compute 2 --wait
show ehpc node list lab
bridges=$(nft list table inet "ehpc_$(cat "$data/instance")" | grep -o '"[a-z0-9]*"' | tr -d '"' | sort -u)
[ -n "$bridges" ] || die "the cluster has no network of its own"

say "3. Add an account"
EHPC_PASSWORD=Melt-$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
export EHPC_PASSWORD
show ehpc user add lab lovelace

say "4. Put the input and the job script into its home"
show ehpc file put lab examples/lammps/in.melt melt/in.melt --as lovelace
show ehpc file put lab examples/lammps/melt.sh melt/melt.sh --as lovelace

say "5. Submit the job over both compute nodes"
echo '$ ehpc job submit lab --as lovelace --name melt --nodes 2 --dir melt -o id -- bash melt.sh'
job=$(ehpc job submit lab --as lovelace --name melt --nodes 2 --dir melt -o id -- bash melt.sh)
echo "$job"

say "6. Follow it"
show ehpc job follow lab "$job" --timeout 5m

say "7. The end of its output"
echo "$ ehpc job log lab $job | sed -n '1p; /^Step/,/^Loop time/p'"
ehpc job log lab "$job" >"$data/out.txt"
sed -n '1p; /^Step/,/^Loop time/p' "$data/out.txt"
ran_on=$(sed -n 's/^job .* ranks on //p' "$data/out.txt" | head -1)
[ "$ran_on" = 'compute000 compute001' ] || die "the job ran on \"$ran_on\", not on both compute nodes"

say "8. Check the physics against examples/lammps/reference.txt"
examples/lammps/check.sh "$data/out.txt"

say "9. The jobs of the cluster"
show ehpc job list lab
ehpc job list lab --state finished -o id | grep -qx "$job" || die "job $job is not among the finished ones"

say "10. Delete the cluster, stop the service"
show ehpc cluster delete lab --yes --wait
[ -z "$(ehpc cluster list -o id)" ] || die "there still is a cluster"
stop_server
rest=$(leftovers)
[ -z "$rest" ] || die "still on this host: $rest"

printf '\nDone in %d s. Every step happened; nothing is left but packages and the node image.\n' $((SECONDS - begun))
