#!/usr/bin/env bash
# Prepare an environment in which QIIME 2 knows q2-aam, then run a command in it.
# Usage: recipe/setup.sh demo|test|newest|lint|install|dev [command ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
PROJECT=$PWD
PURPOSE=${1:?"usage: recipe/setup.sh demo|test|newest|lint|install|dev [command ...]"}
shift

say() { printf 'q2-aam: %s\n' "$*" >&2; }

fail() {
    printf 'q2-aam: %s\n' "$@" >&2
    exit 1
}

# One hash of what QIIME 2 remembers of the plugin: names, parameters, defaults, types, examples.
registration_key() {
    { find q2_aam/actions q2_aam/config -name '*.py' 2>/dev/null || true
      ls q2_aam/{__init__,plugin_setup,types,parameters,examples}.py 2>/dev/null || true
    } | LC_ALL=C sort | xargs cat | sha256sum | cut -d ' ' -f 1
}

# QIIME 2 recognizes a plugin by name and version alone, so it misses other changes.
# $1: the qiime command; $2: the file that holds the hash of what QIIME 2 knows.
refresh_plugin_cache() {
    local key log
    key=$(registration_key)
    [ "$(cat "$2" 2>/dev/null)" != "$key" ] || return 0
    say "telling QIIME 2 about the plugin's present actions (qiime dev refresh-cache)"
    if log=$("$1" dev refresh-cache 2>&1); then
        printf '%s\n' "$key" >"$2"
    else
        printf '%s\n' "$log" | tail -n 15 >&2
        case $PURPOSE in test | newest) ;; *)
            fail "QIIME 2 cannot load the plugin: see the lines above." ;;
        esac
        say "QIIME 2 cannot load the plugin; running the tests all the same"
    fi
}

# shellcheck source=recipe/conda.sh
source recipe/conda.sh
# shellcheck source=recipe/venv.sh
source recipe/venv.sh
# shellcheck source=recipe/debian.sh
source recipe/debian.sh
# shellcheck source=recipe/newest.sh
source recipe/newest.sh

if [ "$PURPOSE" = newest ]; then
    prepare_newest
elif in_qiime_conda; then
    prepare_conda
else
    prepare_debian
fi
[ $# -eq 0 ] || exec "$@"
