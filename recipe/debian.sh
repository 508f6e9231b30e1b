# Debian: QIIME 2 from Debian's packages, everything else in .venv. Sourced by setup.sh.

DEBIAN_PACKAGES=(python3-venv q2cli q2-types q2templates q2-sample-classifier q2-feature-table
    q2-metadata q2-diversity-lib q2-emperor)

prepare_debian() {
    prepare_venv .venv recipe/constraints.txt fill_debian recipe/debian.sh
    case $PURPOSE in install | dev)
        say "installed; try: .venv/bin/qiime aam --help (or: source .venv/bin/activate)" ;;
    esac
}

fill_debian() {
    command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || fail \
        "QIIME 2 was not found, and this is not a Debian machine on which it could be installed." \
        "Please activate a QIIME 2 conda environment (conda activate <its name>) and run make again."
    install_debian_packages "${DEBIAN_PACKAGES[@]}"
    create_venv "pip, qiime2" --system-site-packages
    install_pytorch
    say "installing q2-aam and its other requirements with pip"
    pip_install --no-build-isolation --use-pep517 --editable ".[test,dev]"
}
