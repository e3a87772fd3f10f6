# Sourced with $checkout set: sets $node to the Node that npm brought, and keeps compiled code from run to run. The cache
# is the user's own and not in /tmp, where others could plant code for root.
case $(uname -m) in aarch64) arch=arm64 ;; *) arch=x64 ;; esac
node="$checkout/node_modules/node-linux-$arch/bin/node"
if [ ! -x "$node" ]; then
  echo "this checkout is not set up yet; run: make -C $checkout build" >&2
  exit 1
fi
export NODE_COMPILE_CACHE="${NODE_COMPILE_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/orc}"
