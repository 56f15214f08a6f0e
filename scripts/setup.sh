# Sourced by the other scripts: installs what is missing, once; silent and offline afterwards.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
venv=$root/.venv

say() { printf 'jambridge: %s\n' "$*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# apt_install WHY PACKAGE...: only what is not there yet
apt_install() {
    local why=$1 missing=() package
    shift
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null || { say "please install ${missing[*]} ($why)"; exit 69; }
    say "installing ${missing[*]}: $why"
    as_root apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return
    as_root apt-get update -q >/dev/null || { say "no network? ${missing[*]} could not be installed"; exit 69; }
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# npm_install: what the tests take from the npm registry, once
npm_install() {
    local folder=$root/tests/npm wanted
    wanted=$(sha256sum <"$folder/package.json")
    [ "$(cat "$folder/node_modules/.installed" 2>/dev/null)" = "$wanted" ] && return
    say "installing the npm packages of the tests"
    (cd "$folder" && npm install --silent --no-package-lock --no-audit --no-fund) >&2
    echo "$wanted" >"$folder/node_modules/.installed"
}

# The newest Python from 3.11 on that can make virtual environments.
find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; raise SystemExit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

# can_build PYTHON: what it takes to make a virtual environment with everything in it
can_build() {
    if ! "$1" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "jambridge keeps its libraries in a folder of its own" python3-venv
    fi
    if "$1" -c 'import sys; raise SystemExit(sys.version_info < (3, 13))'; then
        # python-rtmidi has no wheel for Python 3.13 yet: it is built here
        apt_install "building the MIDI library for $("$1" --version)" \
            build-essential pkg-config python3-dev libasound2-dev libjack-jackd2-dev
    fi
}

# set_up EXTRA: the virtual environment with the package, and "dev" for what tests need as well
set_up() {
    local extra=$1 stamp wanted python
    stamp=$venv/.installed-$extra
    wanted=$(cat "$root/pyproject.toml" "$root/scripts/setup.sh" | sha256sum)
    if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then return; fi
    trap 'say "interrupted: run it again, it goes on where it stopped"; exit 130' INT
    if ! find_python >/dev/null; then apt_install "jambridge is written in Python" python3; fi
    python=$(find_python) || { say "Python 3.11 or newer is needed; this system has $(python3 --version 2>&1)"; exit 69; }
    apt_install "sound cards (PortAudio), Opus and certificates" libportaudio2 libopus0 ca-certificates
    can_build "$python"
    say "installing libraries into $venv (once; a minute or two)"
    "$venv/bin/python" -c 'import pip' 2>/dev/null || "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
        --editable "$root$([ "$extra" = run ] || echo "[$extra]")" >&2 ||
        { say "the libraries could not be installed: is there a network?"; exit 69; }
    rm -f "$venv"/.installed-*
    printf '%s' "$wanted" >"$venv/.installed-run"
    printf '%s' "$wanted" >"$stamp"
    trap - INT
}
