#!/bin/sh
# Runs orc from a checkout: its bundle, or the sources if there is a newer one among them.
checkout=$(dirname "$(readlink -f "$0")")
. "$checkout/deploy/node-of-checkout.sh"
program=$checkout/build/orc.js
sources() {
  cd "$checkout" && find orc.ts package.json api base agent cli controller dev native/*.ts "$@" -print -quit
}
[ -f "$program" ] && [ -z "$(sources -newer "$program")" ] || program=$checkout/orc.ts
# A young generation that stays small: less memory for a little more collecting. One arena, for the same reason.
export MALLOC_ARENA_MAX=1
exec "$node" --disable-warning=ExperimentalWarning --max-semi-space-size=2 "$program" "$@"
