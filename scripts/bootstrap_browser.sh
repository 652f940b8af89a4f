#!/bin/sh
# Installs a Chromium for the browser tests where there is none: Debian's where this is root, else Playwright's own.
# Usage: bootstrap_browser.sh BIN (the folder of the virtual environment's programs).
set -eu

bin=$1

# The tests' own search, so that both always agree.
present() {
    "$bin/python" - <<'PYTHON'
import sys

sys.path.insert(0, ".")
from playwright.sync_api import sync_playwright

from tests.browser import executable

with sync_playwright() as playwright:
    sys.exit(executable(playwright.chromium.executable_path) is None)
PYTHON
}

if present; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing Chromium by apt-get …"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
else
    echo "Installing Chromium by Playwright …"
    "$bin/playwright" install chromium
fi
if ! present; then
    echo "Chromium could not be installed. Set MIXCV_CHROMIUM to one." >&2
    exit 1
fi
