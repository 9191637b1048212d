#!/usr/bin/env bash
# Check and time mmlt on a GPU in one call, without network; about 5 minutes.
#   [WHEELS=FOLDER] [OUT=FOLDER] [PYTHON=FILE] [DEVICE=cpu] \
#       bash tools/benchmarks/accelerator.sh
# WHEELS holds what PYTHON lacks, OUT gets accelerator.md. See
# docs/benchmarks.md.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
device=${DEVICE:-cuda}
report=${OUT:+$OUT/accelerator.md}

if [[ -n ${WHEELS:-} ]]; then
  site=$(mktemp -d)
  trap 'rm -rf "$site"' EXIT
  "$python" -m pip install --quiet --no-index --no-deps --target "$site" \
    "$WHEELS"/*.whl
  # The packages, and mmlt itself if it is not among them.
  export PYTHONPATH=$site:${here%/tools/benchmarks}
fi

# On a CPU, one turn of one model shows that it runs.
steps=(--check)
if [[ $device == cpu ]]; then
  steps=(--model resnet32 --batch 2 --turns 1)
fi

measure() {
  local status=0
  "$python" "$here/accelerator.py" --device "$device" || status=1
  "$python" "$here/train_step.py" --device "$device" "${steps[@]}" || status=1
  return $status
}

measure | tee "${report:-/dev/null}"
