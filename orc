#!/bin/sh
# Runs orc from a checkout, with the Node that npm brought.
here=$(dirname "$(readlink -f "$0")")
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node="$here/node_modules/node-linux-$arch/bin/node"
if [ ! -x "$node" ]; then
  echo "orc: this checkout is not set up yet; run: make -C $here build" >&2
  exit 1
fi
exec "$node" --disable-warning=ExperimentalWarning "$here/orc.ts" "$@"
