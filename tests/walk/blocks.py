"""The code blocks of a page, in order, each with the section that it stands in."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^(\s*)```(\w*)\s*(.*)$")


@dataclass(frozen=True)
class Block:
    """`section`: the heading of second level above it; `note`: what stands behind the language."""

    section: str
    language: str
    note: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """Blocks may be indented, as those inside tabs are; their text is not."""
    return list(_read(page.read_text(encoding="utf-8").splitlines()))


def _read(lines: list[str]) -> Iterator[Block]:
    section, opened, kept = "", None, []
    for line in lines:
        fence = _FENCE.match(line)
        if opened is not None:
            if fence and not fence[2]:
                yield Block(section, opened[0], opened[1], textwrap.dedent("\n".join(kept) + "\n"))
                opened = None
            else:
                kept.append(line)
        elif fence:
            opened, kept = (fence[2], fence[3]), []
        elif line.startswith("## "):
            section = line[3:].strip()


class Sections:
    """The blocks of a page by section number and language."""

    def __init__(self, page: Path) -> None:
        self.blocks = blocks_of(page)

    def of(self, number: int, language: str) -> list[str]:
        found = [
            block.text
            for block in self.blocks
            if block.section.startswith(f"{number}.") and block.language == language
        ]
        assert found, f"section {number} has no block of {language}"
        return found
