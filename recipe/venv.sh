# An environment of its own beside the code: made once, completed when its set-up changes, made anew
# after an interruption. Sourced by debian.sh and newest.sh, which say what goes into theirs.

# The only version of which a small CPU wheel is at hand; others bring gigabytes for GPUs.
TORCH="torch==2.13.0"

# $1: the folder; $2: the versions that pip must keep to; $3: the function that fills it;
# then the files that describe it.
prepare_venv() {
    local fill=$3
    VENV="$PROJECT/$1" CONSTRAINTS=$2
    STAMP="$VENV/q2-aam-set-up" UNFINISHED="$VENV.unfinished"
    shift 3
    # Two make commands at once must not set up the same folder.
    exec 9>"$VENV.lock"
    flock --nonblock 9 || { say "waiting for another set-up of this folder"; flock 9; }
    if [ "$(cat "$STAMP" 2>/dev/null)" = "$(set_up_key "$@")" ]; then
        say "using $(basename "$VENV")"
    else
        "$fill"
        write_qiime_command
        set_up_key "$@" >"$STAMP"
        rm -f "$UNFINISHED"
        say "set-up is complete"
    fi
    use_venv
    [ "$PURPOSE" = lint ] || refresh_plugin_cache "$VENV/bin/qiime" "$VENV/q2-aam-registration"
    exec 9>&-
}

# The folder is part of the key: an environment that was copied or moved is completed anew.
set_up_key() {
    { printf '%s\n' "$PROJECT"
      /usr/bin/python3 --version 2>/dev/null || true
      cat setup.py recipe/setup.sh recipe/venv.sh "$CONSTRAINTS" "$@"
    } | sha256sum | cut -d ' ' -f 1
}

install_debian_packages() {
    local package log missing=()
    for package in "$@"; do
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

# $1: what Python must be able to import in it; then options for a new one.
create_venv() {
    local name needed=$1
    name=$(basename "$VENV")
    shift
    if [ -e "$UNFINISHED" ]; then
        say "the last set-up was interrupted: starting $name anew"
        rm -rf "$VENV"
    fi
    if [ -e "$VENV" ]; then
        "$VENV/bin/python" -s -c "import $needed" 2>/dev/null || fail \
            "the folder $name is there but its Python cannot import $needed." \
            "Please move $name away and run make again: it will then be made as needed."
        say "completing $name"
        return
    fi
    say "creating $name on Debian's Python"
    touch "$UNFINISHED"
    /usr/bin/python3 -m venv "$@" "$VENV"
}

pip_install() {
    PYTHONNOUSERSITE=1 "$VENV/bin/python" -m pip install -qq --no-input \
        --disable-pip-version-check --constraint "$CONSTRAINTS" "$@" ||
        fail "pip could not install: $*. Please check the connection and run make again."
}

install_pytorch() {
    if "$VENV/bin/python" -s -c \
        'import torch; assert tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 3)' \
        2>/dev/null; then
        say "PyTorch is there already"
    else
        say "installing PyTorch with pip (the largest part, about a minute)"
        pip_install "$TORCH"
    fi
}

# Debian's own qiime command does not look into the environment, and shares one cache between all.
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
