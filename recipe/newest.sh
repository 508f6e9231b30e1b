# The newest QIIME 2 without conda: its framework from PyPI, its plugins from Debian's development
# branch (sid), in .venv-newest, which sees nothing of the machine's own QIIME 2. Sourced by setup.sh.

SID_PLUGINS=(q2-types q2cli q2templates q2-sample-classifier q2-feature-table)
# What the pages of q2templates link to.
SID_FILES=(libjs-bootstrap libjs-jquery node-normalize.css fonts-glyphicons-halflings)
# Imported by the plugins above.
PLUGIN_REQUIREMENTS=(rachis scikit-bio biom-format h5py scikit-learn matplotlib seaborn ijson ipywidgets
    Jinja2 setuptools)

prepare_newest() {
    prepare_venv .venv-newest recipe/newest/constraints.txt fill_newest \
        recipe/newest.sh recipe/newest/qiime2.py
}

fill_newest() {
    command -v dpkg-deb >/dev/null && command -v apt-get >/dev/null || fail \
        "make test-newest takes the newest plugins from Debian, and this is not a Debian machine." \
        "Inside an active QIIME 2 conda environment, make test tests that environment."
    install_debian_packages python3-venv
    SID=$(mktemp -d)
    open_sid
    leave_if_sid_lacks "${SID_PLUGINS[@]}" "${SID_FILES[@]}"
    create_venv pip
    install_pytorch
    say "installing the framework of QIIME 2, q2-aam and their requirements with pip"
    pip_install setuptools
    pip_install --no-build-isolation --use-pep517 \
        "${PLUGIN_REQUIREMENTS[@]}" --editable ".[test]"
    unpack_sid
    rm -rf "$SID"
}

# Lists, cache and state of its own: what apt knows and has installed on this machine is not touched.
open_sid() {
    local mirror
    mirror=$(debian_mirror)
    if [ -z "$mirror" ] && [ "$(id -u)" -eq 0 ]; then
        apt-get update >"$SID/update.log" 2>&1 || true
        mirror=$(debian_mirror)
    fi
    [ -n "$mirror" ] || fail "apt names no mirror of Debian. Please run apt-get update, then make again."
    mkdir -p "$SID"/{lists/partial,cache/archives/partial,parts,packages,files}
    touch "$SID/status"
    printf 'deb [signed-by=%s] %s sid main\n' \
        /usr/share/keyrings/debian-archive-keyring.gpg "$mirror" >"$SID/sources.list"
    cat >"$SID/apt.conf" <<END
Dir::Etc::SourceList "$SID/sources.list";
Dir::Etc::SourceParts "$SID/parts";
Dir::Etc::Preferences "$SID/preferences";
Dir::Etc::PreferencesParts "$SID/parts";
Dir::State::Lists "$SID/lists";
Dir::State::status "$SID/status";
Dir::Cache "$SID/cache";
Acquire::Languages "none";
END
    say "asking Debian sid for its plugins"
    with_sid apt-get update >"$SID/update.log" 2>&1 || {
        tail -n 15 "$SID/update.log" >&2
        fail "apt-get could not read Debian sid's list of packages: see the lines above."
    }
}

with_sid() { APT_CONFIG="$SID/apt.conf" "$@"; }

# The mirror that this machine uses already.
debian_mirror() {
    apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' 2>/dev/null |
        awk 'NR == 1'
}

# Not the project's fault, so no failure: it is said, and nothing is tested.
leave_if_sid_lacks() {
    local package carried lacking=()
    carried=$(with_sid apt-cache show "$@" 2>/dev/null | sed -n 's/^Package: //p' | paste -sd ' ')
    for package in "$@"; do
        [[ " $carried " == *" $package "* ]] || lacking+=("$package")
    done
    [ ${#lacking[@]} -gt 0 ] || return 0
    rm -rf "$SID"
    say "newest QIIME 2: not tested, as Debian sid no longer carries ${lacking[*]}"
    exit 0
}

unpack_sid() {
    local package site
    site=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    say "unpacking from Debian sid: ${SID_PLUGINS[*]}"
    (cd "$SID/packages" && with_sid apt-get download "${SID_PLUGINS[@]}" "${SID_FILES[@]}") \
        >"$SID/download.log" 2>&1 || {
        tail -n 15 "$SID/download.log" >&2
        fail "apt-get could not download the packages: see the lines above."
    }
    for package in "$SID"/packages/*.deb; do dpkg-deb -x "$package" "$SID/files"; done
    # Links to JavaScript and fonts become the files themselves.
    cp -rL "$SID/files/usr/lib/python3/dist-packages/." "$site"
    # One usage example of q2-feature-table 2024.5 has a blank in a name, which rachis refuses, and
    # with it the whole qiime command.
    sed -i "s/'visual summary'/'visual_summary'/" "$site/q2_feature_table/_examples.py"
    cp recipe/newest/qiime2.py "$site"
}
