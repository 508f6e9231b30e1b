# An active QIIME 2 conda environment: used as it is, none is created. Sourced by setup.sh.

in_qiime_conda() {
    [ -n "${CONDA_PREFIX:-}" ] && "$CONDA_PREFIX/bin/python" -c 'import qiime2' 2>/dev/null
}

prepare_conda() {
    local python="$CONDA_PREFIX/bin/python"
    say "using the active QIIME 2 environment $(basename "$CONDA_PREFIX"); none is created"
    mkdir -p build/plugin
    # Describes the plugin (entry point, requirements) in build/, without installing it.
    "$python" setup.py --quiet egg_info --egg-base build/plugin 2>/dev/null ||
        fail "setup.py could not be read by $python."
    install_missing "$python"
    case $PURPOSE in
    install | dev) install_plugin "$python" ;;
    demo | test) use_this_folder ;;
    esac
    export PATH="$CONDA_PREFIX/bin:$PATH"
}

# Installs what is missing and nothing else: all that the environment holds stays as it is.
install_missing() {
    local python=$1 missing
    mapfile -t missing < <("$python" recipe/missing.py build/plugin "$PURPOSE")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing with pip what this environment lacks: ${missing[*]}"
    say "(whatever is installed already keeps its version: build/installed.txt)"
    "$python" -m pip list --format=freeze --exclude-editable --disable-pip-version-check |
        grep -E '^[A-Za-z0-9][A-Za-z0-9_-]*==[0-9][A-Za-z0-9.+!]*$' >build/installed.txt
    "$python" -m pip install -qq --no-input --disable-pip-version-check \
        --constraint build/installed.txt "${missing[@]}" ||
        fail "pip could not install: ${missing[*]}." \
            "environment-files/ holds one for each QIIME 2 distribution; please try that."
}

install_plugin() {
    local how=()
    [ "$PURPOSE" = install ] || how=(--editable)
    say "installing q2-aam into this environment"
    rm -rf build/lib # setuptools would install files from there that are gone by now
    "$1" -m pip install -qq --no-input --disable-pip-version-check --no-deps \
        --no-build-isolation --use-pep517 "${how[@]}" . ||
        fail "pip could not install q2-aam into this environment."
    refresh_plugin_cache "$CONDA_PREFIX/bin/qiime" build/plugin/registration
    say "installed; try: qiime aam --help"
}

# QIIME 2 finds the plugin through Python's path: the environment itself stays unchanged.
use_this_folder() {
    export PYTHONPATH="$PROJECT:$PROJECT/build/plugin${PYTHONPATH:+:$PYTHONPATH}"
    refresh_plugin_cache "$CONDA_PREFIX/bin/qiime" build/plugin/registration
}
