#!/usr/bin/env bash
# All commands of README.md on this machine, on its CPU, with a small data set: does anything break?
#     scripts/lent_gpu/dry_run.sh DATA FOLDER
# FOLDER is made; what came home stands in FOLDER/home afterwards. PYTHON is the Python of the lent machine.
set -euo pipefail
data=$(realpath "$1") folder=$(realpath -m "$2")
cd "$(dirname "$0")/../.."
mkdir -p "$folder/repository" "$folder/out" "$folder/home" "$folder/bin"
printf '#!/bin/sh\nexec "%s" "$@"\n' "$(command -v "${PYTHON:-python3}")" > "$folder/bin/python3"
chmod +x "$folder/bin/python3"
export ROOT="$folder/machine" OUT="$folder/out" DEVICE=cpu JOBS=${JOBS:-2}
export SETTINGS="${SETTINGS:-train.epochs=1 train.steps_per_epoch=2 prepare.size=64}"

there() { # CARRIED COMMAND: the tree and what is carried go there, the command runs, what lies in OUT comes home.
    git ls-files -co --exclude-standard -z ':!docs' ':!tests' ':!notebooks' ':!glioseg/weights/*.onnx' \
        ':!glioseg/server/static/vendor' ':!glioseg/samples/kaggle_3m' | tar c --null -T - | tar x -C "$folder/repository"
    [ "$1" = none ] || { mkdir -p "$folder/repository/.gpu" && cp -r "$1" "$folder/repository/.gpu"; }
    rm -rf "$OUT" && mkdir "$OUT"
    echo "--- $2"
    (cd "$folder/repository" && env -u PYTHONPATH PATH="$folder/bin:$PATH" bash -c "$2")
    cp -r "$OUT/." "$folder/home"
}

PART_SIZE=${PART_SIZE:-8MB} scripts/lent_gpu/prepare.sh "$data"
for part in .gpu/[0-9]*; do
    there "$part" 'bash scripts/lent_gpu/take.sh'
done
there none "bash scripts/lent_gpu/go.sh ${SECONDS_OF_WORK:-1200}"
there none 'python3 scripts/lent_gpu/home.py 60 first'
there none "python3 scripts/lent_gpu/home.py ${SECONDS_OF_WORK:-1200} second"
ls -l "$folder/home"
