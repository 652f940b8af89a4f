#!/bin/sh
# Makes the virtual environment and installs what requirements.lock pins. Does nothing where the lock has not changed.
# Usage: bootstrap.sh VENV STAMP; the variable PYTHON names the interpreter (default python3).
set -eu

venv=$1
stamp=$2
python=${PYTHON:-python3}

find_python() {
    for candidate in "$python" python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
}

if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    found=$(find_python)
    if [ -z "$found" ]; then
        version=$("$python" --version 2>&1 || true)
        echo "mixcv needs Python 3.11 or newer; \`$python\` is: ${version:-not there}." >&2
        echo "Install a newer one, or name it: make PYTHON=/path/to/python3.11 …" >&2
        exit 1
    fi
    echo "Making $venv with $("$found" --version) …"
    if ! "$found" -m venv "$venv"; then
        rm -rf "$venv"
        echo "The virtual environment could not be made. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 1
    fi
fi

# The environment's own Python is part of it: another one needs other wheels.
wanted=$("$venv/bin/python" -c '
import hashlib, sys
print(hashlib.sha256(open("requirements.lock", "rb").read()).hexdigest(), sys.version.split()[0])')
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

packages=$(grep -c '==' requirements.lock)
echo "Installing up to $packages packages, some GB; the first time this takes minutes …"
# No dependency resolution: the lock is complete, and leaves out on purpose what a bare machine cannot load.
if [ -t 1 ]; then
    # On a terminal pip draws its own bars.
    "$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --requirement requirements.lock
    echo "$wanted" >"$stamp"
    exit 0
fi
"$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --requirement requirements.lock |
    awk -v total="$packages" '
        /^(Collecting|Processing|Requirement already satisfied)/ {
            count++
            name = $1 == "Requirement" ? $4 : $2
            sub(/.*\//, "", name)
            printf "  %3d of %d  %s\n", count, total, name
            fflush()
            next
        }
        /^Installing collected/ { print "  unpacking …"; fflush() }
    ' || true
# The pipe hides pip's exit code; asking again what is missing is quick and also mends a half-done run.
"$venv/bin/python" -m pip install --disable-pip-version-check --quiet --quiet --no-deps --requirement requirements.lock
echo "$wanted" >"$stamp"
