#!/usr/bin/env bash
# On the lent machine: starts the work and returns at once. It stops by itself SECONDS after the first take.sh.
#     scripts/lent_gpu/go.sh SECONDS
set -euo pipefail
root=${ROOT:-/root/lent_gpu}
cd "$root"
rm -f done
export PYTHONPATH="$root/site:$root/code" GLIOSEG_CACHE="$root/cache" MPLCONFIGDIR="$root/matplotlib" PYTHONUNBUFFERED=1
# Another session, so that it goes on when this command has ended.
setsid bash -c 'python3 code/scripts/lent_gpu/work.py "$1"; touch done' work "$1" > work.log 2>&1 < /dev/null &
sleep "${LOOK:-2}"
cat work.log
echo "$(($(date +%s) - $(cat began))) s since the first command"
