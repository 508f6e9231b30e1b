# Debian: QIIME 2 from Debian's packages, everything else in .venv. Sourced by setup.sh.

DEBIAN_PACKAGES=(python3-venv q2cli q2-types q2templates q2-sample-classifier q2-feature-table
    q2-metadata q2-diversity-lib q2-emperor)
TORCH="torch==2.13.0"
VENV="$PROJECT/.venv"
STAMP="$VENV/q2-aam-set-up"
UNFINISHED="$PROJECT/.venv.unfinished"

prepare_debian() {
    # Two make commands at once must not set up the same folder.
    exec 9>"$PROJECT/.venv.lock"
    flock --nonblock 9 || { say "waiting for another set-up of this folder"; flock 9; }
    if [ "$(cat "$STAMP" 2>/dev/null)" = "$(set_up_key)" ]; then
        say "using .venv"
    else
        install_debian_packages
        create_venv
        install_python_packages
        write_qiime_command
        set_up_key >"$STAMP"
        rm -f "$UNFINISHED"
        say "set-up is complete"
    fi
    use_venv
    [ "$PURPOSE" = lint ] || refresh_plugin_cache "$VENV/bin/qiime" "$VENV/q2-aam-registration"
    exec 9>&-
    case $PURPOSE in install | dev)
        say "installed; try: .venv/bin/qiime aam --help (or: source .venv/bin/activate)" ;;
    esac
}

# The folder is part of the key: an environment that was copied or moved is completed anew.
set_up_key() {
    { printf '%s\n' "$PROJECT"
      /usr/bin/python3 --version 2>/dev/null || true
      cat setup.py recipe/setup.sh recipe/debian.sh recipe/constraints.txt
    } | sha256sum | cut -d ' ' -f 1
}

install_debian_packages() {
    local package log missing=()
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || fail \
        "QIIME 2 was not found, and this is not a Debian machine on which it could be installed." \
        "Please activate a QIIME 2 conda environment (conda activate <its name>) and run make again."
    for package in "${DEBIAN_PACKAGES[@]}"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    [ "$(id -u)" -eq 0 ] || fail \
        "${#missing[@]} Debian packages are missing, and installing them needs root. Please run:" \
        "  sudo apt-get update" \
        "  sudo apt-get install --no-install-recommends ${missing[*]}" \
        "and then make again, or activate a QIIME 2 conda environment and run make there."
    say "installing ${#missing[@]} Debian packages with apt-get: ${missing[*]}"
    log=$(mktemp)
    if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        fail "apt-get could not install the packages: see the lines above (all of it: $log)."
    fi
    rm -f "$log"
}

create_venv() {
    if [ -e "$UNFINISHED" ]; then
        say "the last set-up was interrupted: starting .venv anew"
        rm -rf "$VENV"
    fi
    if [ -e "$VENV" ]; then
        "$VENV/bin/python" -s -c 'import pip, qiime2' 2>/dev/null || fail \
            "the folder .venv is there but its Python does not see Debian's QIIME 2 and pip." \
            "Please move .venv away and run make again: it will then be made as needed."
        say "completing .venv"
        return
    fi
    say "creating .venv on Debian's Python"
    touch "$UNFINISHED"
    /usr/bin/python3 -m venv --system-site-packages "$VENV"
}

pip_install() {
    PYTHONNOUSERSITE=1 "$VENV/bin/python" -m pip install -qq --no-input \
        --disable-pip-version-check --constraint recipe/constraints.txt "$@" ||
        fail "pip could not install: $*. Please check the connection and run make again."
}

install_python_packages() {
    if "$VENV/bin/python" -s -c \
        'import torch; assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 3)' \
        2>/dev/null; then
        say "PyTorch is there already"
    else
        say "installing PyTorch with pip (the largest part, about a minute)"
        pip_install "$TORCH"
    fi
    say "installing q2-aam and its other requirements with pip"
    pip_install --no-build-isolation --use-pep517 --editable ".[test,dev]"
}

# Debian's own qiime command does not look into .venv, and shares one cache between environments.
write_qiime_command() {
    cat >"$VENV/bin/qiime" <<'END'
#!/bin/sh
venv=$(dirname "$(dirname "$(readlink -f "$0")")")
# An active conda environment without QIIME 2 must not receive this environment's cache.
unset CONDA_PREFIX
XDG_CONFIG_HOME="$venv/config" exec "$venv/bin/python" -s -P -c \
    'from q2cli.__main__ import qiime; qiime(prog_name="qiime")' "$@"
END
    chmod +x "$VENV/bin/qiime"
}

use_venv() {
    export PATH="$VENV/bin:$PATH" VIRTUAL_ENV="$VENV" PYTHONNOUSERSITE=1
    export XDG_CONFIG_HOME="$VENV/config"
    unset CONDA_PREFIX PYTHONHOME
}
