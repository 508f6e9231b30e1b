#!/usr/bin/env bash
# What make test-newest runs in .venv-newest: the whole test suite, then the commands of the demo.
# Options go to pytest.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
OUTPUT=build/demo-newest
failed=0
# Of q2cli and q2-feature-table 2024.5, at every call.
export PYTHONWARNINGS="ignore:pkg_resources is deprecated:UserWarning"

say() { printf 'q2-aam: %s\n' "$*"; }

say "$(qiime info 2>/dev/null | grep -E 'version|^[a-z-]+: ' | paste -sd ';' | sed 's/;/; /g')"

summary=$(mktemp)
python -m pytest "$@" 2>&1 | tee "$summary" || failed=1
tests=$(grep -E ' in [0-9.]+s' "$summary" | tail -n 1)
rm -f "$summary"

# A state of an earlier run would spare the training that is to be checked.
rm -rf "$OUTPUT" && mkdir -p "$OUTPUT"
export Q2_AAM_RUN_DIR=$PWD/$OUTPUT/runs
unset OMP_NUM_THREADS
say "the demo, with little pretraining"
if PATH="$PWD/recipe/newest/bin:$PATH" bash recipe/demo/demo.sh "$OUTPUT"; then
    demo="the demo's commands ran"
else
    demo="the demo's commands FAILED" failed=1
fi

say "newest QIIME 2: ${tests:-the tests did not run}; $demo"
exit "$failed"
