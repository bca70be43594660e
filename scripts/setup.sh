# Sourced by the other scripts: finds a Python, keeps the packages of .venv, and defines
#
#   root         the repository's folder
#   venv_python  the Python of root/.venv, usable after `set_up`
#   set_up demo  or  set_up dev
#
# A set-up that is done already takes no time; one that was broken off is taken up again.

root="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)"
venv="$root/.venv"
venv_python="$venv/bin/python"

# Packages that a caller's shell happens to show would be taken for installed ones.
unset PYTHONPATH PYTHONHOME

say() { printf 'mammoscope: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 2
}

# True when a command is a Python that is new enough.
is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if is_new_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    if command -v python3 >/dev/null 2>&1; then
        fail "$(python3 --version 2>&1) is too old, 3.11 or newer is needed; install a newer python3."
    fi
    fail "There is no python3, and 3.11 or newer is needed; install it with:" \
        "apt-get install python3 python3-venv"
}

make_venv() {
    local python
    python="$(find_python)"
    if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        fail "$python cannot make virtual environments;" \
            "install what is missing with: apt-get install python3-venv"
    fi
    say "making .venv with $("$python" --version 2>&1)"
    "$python" -m venv --clear "$venv"
}

# pip writes the file INSTALLER last: a package without it was broken off half-way, and pip would
# take it for installed.
forget_half_packages() {
    local info
    for info in "$venv"/lib/python*/site-packages/*.dist-info; do
        if [[ -d "$info" && ! -e "$info/INSTALLER" ]]; then
            rm -r -- "$info"
        fi
    done
}

pip_install() {
    "$venv_python" -m pip install --quiet --quiet --disable-pip-version-check \
        --constraint "$root/constraints.txt" "$@" ||
        fail "Installing failed, see above; run the same command again to go on."
}

# What an installed environment depends on.
digest_of() {
    {
        cat -- "$root/pyproject.toml" "$root/constraints.txt"
        "$venv_python" --version
        printf '%s\n%s\n' "$root" "$1"
    } | sha256sum | cut -d ' ' -f 1
}

is_done() {
    local stamp="$venv/.mammoscope-$1"
    [[ -e "$stamp" && "$(cat -- "$stamp")" == "$(digest_of "$1")" ]]
}

set_up() {
    local extra="$1"
    if ! is_new_enough "$venv_python" || ! "$venv_python" -c 'import pip' >/dev/null 2>&1; then
        make_venv
    fi
    # What developers install holds what the demo needs.
    if is_done "$extra" || is_done dev; then
        return
    fi
    forget_half_packages
    # torch first and by itself: the constraint keeps pip from trying its many builds in turn.
    say "installing torch, which takes minutes the first time"
    pip_install torch
    say "installing mammoscope[$extra]"
    pip_install --editable "$root[$extra]"
    digest_of "$extra" >"$venv/.mammoscope-$extra.new"
    mv -- "$venv/.mammoscope-$extra.new" "$venv/.mammoscope-$extra"
    say "the set-up is done"
}
