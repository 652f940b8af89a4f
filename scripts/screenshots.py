"""README's pictures: starts the demo on a data folder of its own, signs in, photographs its digit scenes."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from os import environ
from pathlib import Path
from typing import Any

from PIL import Image

PROJECT = Path(__file__).resolve().parent.parent
PICTURES = PROJECT / "docs" / "pictures"
WIDTH, HEIGHT = 1440, 900
LARGEST = 400 * 1024
# The noise of photographed paper is what takes the room; fewer colours swallow it.
PHOTOGRAPH_COLOURS = (96, 64, 48, 32, 24, 16)
PURE_COLOURS = 48
# What the first boxes of the demo really are: two sevens, which its detector does not know, a nine, a zero.
DECISIONS = (["c", "7", "Enter"], ["c", "9", "Enter"], ["c", "7", "Enter"], ["a"])
FURTHER = 3
START_SECONDS = 300
STOP_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def demo(home: Path) -> Iterator[tuple[str, str]]:
    """The demo, served from `home` for the block; its address and the password of `admin`."""
    output = home.parent / "demo.log"
    port = free_port()
    settings = {name: value for name, value in environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    with output.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(port)],
            cwd=PROJECT,
            env={**settings, "MIXCV_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield f"http://127.0.0.1:{port}", _password(process, output)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            # Its guardian ends what it started.
            process.kill()
            process.wait()


def _password(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while True:
        text = output.read_text(errors="replace")
        found = re.search(r"password +(\S+)", text)
        if found and "Ctrl-C ends everything" in text:
            return found[1]
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"The demo did not come up:\n{text[-3000:]}")
        time.sleep(0.3)


def sign_in(page: Any, address: str, password: str) -> None:
    page.goto(f"{address}/login/")
    page.locator("input[name=username]").fill("admin")
    page.locator("input[name=password]").fill(password)
    page.locator("main button[type=submit], form button[type=submit]").first.click()
    page.wait_for_url(lambda url: "/login" not in url)


def wait_for_pictures(page: Any) -> None:
    """Until every image that is in view has arrived, and fonts have."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.wait_for_function(
        "[...document.images].every((image) => image.loading === 'lazy' || image.complete)"
    )
    page.wait_for_timeout(400)


def keep(page: Any, name: str, *, height: int = HEIGHT) -> None:
    """Writes the upper `height` of the page as it stands as a PNG of up to 256 colours.

    Exits where it stays larger than README allows.
    """
    wait_for_pictures(page)
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB").crop((0, 0, WIDTH, height))
    stage = page.locator(".stage")
    box = stage.bounding_box() if stage.count() else None
    path = PICTURES / name
    for colours in PHOTOGRAPH_COLOURS:
        _reduced(shot, box, colours).save(path, optimize=True)
        if path.stat().st_size <= LARGEST:
            print(f"{path.relative_to(PROJECT)}: {path.stat().st_size / 1024:.0f} KiB")
            return
    sys.exit(f"{path} has {path.stat().st_size:,} bytes, over {LARGEST:,}.")


def _reduced(shot: Image.Image, box: dict[str, float] | None, colours: int) -> Image.Image:
    """Reduced to one palette: of the photograph in `box` its `colours` commonest and its purest, and the page's own.

    The purest are the marks over the photograph, which the commonest alone would lose.
    """
    if box is None:
        return shot.quantize(256, kmeans=1, dither=Image.Dither.NONE)
    left, top = round(box["x"]), round(box["y"])
    area = (left, top, left + round(box["width"]), top + round(box["height"]))
    stage, frame = shot.crop(area), shot.copy()
    frame.paste((0, 0, 0), area)
    parts = [
        stage.quantize(colours, kmeans=1),
        stage.quantize(PURE_COLOURS, method=Image.Quantize.MAXCOVERAGE),
        frame.quantize(256 - PURE_COLOURS - colours, kmeans=1),
    ]
    palette = Image.new("P", (1, 1))
    palette.putpalette([value for part in parts for value in part.getpalette() or []])
    return shot.quantize(palette=palette, dither=Image.Dither.NONE)


def photograph(page: Any, address: str) -> None:
    page.goto(f"{address}/n/demo/review/")
    href = page.locator("a[href*='/review/'][href*='digits']").first.get_attribute("href")
    page.goto(f"{address}{href}")
    page.locator("#focus .stage").wait_for()
    wait_for_pictures(page)
    # A few decisions, so that the picture shows the record of the sitting too; then a step back from the box.
    for keys in DECISIONS:
        for key in keys:
            page.keyboard.press(key)
            page.wait_for_timeout(150)
        page.wait_for_timeout(300)
    for _ in range(FURTHER):
        page.keyboard.press("-")
    keep(page, "focus.png")
    page.goto(f"{address}/n/demo/review/")
    # As far as the digits' queue: the street's says where on this machine its weights are wanted.
    card = page.locator(".reviewlist > section").first.bounding_box()
    keep(page, "review.png", height=round(card["y"] + card["height"]) + 16)


def main() -> None:
    # The tests know how to find a browser.
    sys.path.insert(0, str(PROJECT))
    from tests.browser import launch_chromium

    PICTURES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="mixcv-pictures-") as scratch,
        demo(Path(scratch) / "home") as (address, password),
        launch_chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark")
        page = context.new_page()
        sign_in(page, address, password)
        photograph(page, address)
        context.close()


if __name__ == "__main__":
    main()
