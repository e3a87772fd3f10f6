#!/bin/sh
# Runs orc from a checkout, with the Node that npm brought.
here=$(dirname "$(readlink -f "$0")")
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node="$here/node_modules/node-linux-$arch/bin/node"
if [ ! -x "$node" ]; then
  echo "orc: this checkout is not set up yet; run: make -C $here build" >&2
  exit 1
fi
# Compiled code is kept from run to run, this file's too: half of the start. Not in /tmp, where others could plant some.
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/orc}"
exec "$node" --disable-warning=ExperimentalWarning "$here/orc.ts" "$@"
