#!/bin/sh
# Runs orc from a checkout.
checkout=$(dirname "$(readlink -f "$0")")
. "$checkout/deploy/node-of-checkout.sh"
exec "$node" --disable-warning=ExperimentalWarning "$checkout/orc.ts" "$@"
