#!/bin/bash
# check.sh OUTPUT: compares the last thermodynamic line of a run of in.melt with
# reference.txt. Fails when a value is missing, is no number, or is off by more
# than its tolerance, and when the run did not reach its end.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: check.sh OUTPUT" >&2; exit 2; }

exec awk '
  function fail(why) { print "physics: " why; bad = 1 }
  function number(s) { return s ~ /^[-+]?[0-9]+([.][0-9]*)?([eE][-+]?[0-9]+)?$/ }

  FNR == NR { if ($1 != "" && $1 !~ /^#/) { order[++wanted] = $1; ref[$1] = $2; tol[$1] = $3 }; next }
  $1 == "Step"         { delete column; for (i = 1; i <= NF; i++) column[$i] = i; table = 1; next }
  /^Loop time of/      { table = 0; atoms = $(NF - 1); looped = 1; next }
  table && number($1)  { last = $0 }

  END {
    if (!wanted)         fail("the reference is empty")
    if (!looped)         fail("the run has no \"Loop time\" line: it did not reach its end")
    else if (atoms != 32000) fail("the run had " atoms " atoms, expected 32000")
    n = split(last, value)
    if (n == 0 || value[1] != 100) fail("the last line is step \"" value[1] "\", expected 100")
    for (k = 1; k <= wanted; k++) {
      name = order[k]
      got = (name in column) ? value[column[name]] : ""
      if (!number(got)) { fail(name " is \"" got "\", which is no number"); continue }
      off = (got - ref[name]) / ref[name]; if (off <= 0) off = 0 - off
      if (!(off <= tol[name])) { fail(sprintf("%s is %s, expected %s within %s (off by %.1e)", name, got, ref[name], tol[name], off)); continue }
      printf "physics: %-7s %12s  expected %12s  off by %.1e, at most %s\n", name, got, ref[name], off, tol[name]
    }
    exit bad
  }
' "$(dirname "$0")/reference.txt" "$1"
