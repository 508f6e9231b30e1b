#!/usr/bin/env bash
# Speed, memory and precision on a GPU: results.json and table.md in OUT, whatever fails on the way.
#
#   bash benchmarks/gpu.sh OUT [BUDGET]                    # BUDGET: seconds in all, 240 by default
#   PARTS="lengths:2 speed-768:3" bash benchmarks/gpu.sh OUT 150
#
# Needs torch, accelerate, safetensors, numpy and scipy. Each part has a process of its own and, by
# the number behind its name, a share of the time that is left. Without a GPU the parts run on the
# CPU with sizes that say nothing, to try the script.

set -u
out=${1:?where to write the results} budget=${2:-240}
parts=${PARTS:-speed-768:80 speed-128:50 lengths:60 agreement:25}
mkdir -p "$out" && out=$(cd "$out" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
export PYTHONPATH="$(cd .. && pwd)${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
python=${PYTHON:-$(command -v python3 || command -v python)}
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
shares=0
for part in $parts; do shares=$((shares + ${part##*:})); done
end=$((SECONDS + budget))
for part in $parts; do
    name=${part%%:*} share=${part##*:} started=$SECONDS
    limit=$(((end - SECONDS) * share / shares))
    shares=$((shares - share))
    timeout -k 5 "$((limit > 0 ? limit : 1))" "$python" gpu.py "$name" "$logs/$name.jsonl" \
        >"$logs/$name.log" 2>&1
    echo "$? $((SECONDS - started))" >"$logs/$name.status"
    "$python" gpu_table.py "$logs" "$out"
done
cat "$out/table.md"
