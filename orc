#!/bin/sh
# Runs orc from a checkout: its bundle, or the sources if there is a newer one among them.
checkout=$(dirname "$(readlink -f "$0")")
. "$checkout/deploy/node-of-checkout.sh"
program=$checkout/build/orc.js
sources() {
  cd "$checkout" && find orc.ts programs.ts package.json api base agent cli controller dev native/*.ts "$@" -print -quit
}
[ -f "$program" ] && [ -z "$(sources -newer "$program")" ] || program=$checkout/orc.ts
# Less memory for a little more work: a young generation that stays small, one arena, and what is freed goes back.
export MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072
exec "$node" --disable-warning=ExperimentalWarning --max-semi-space-size=2 "$program" "$@"
