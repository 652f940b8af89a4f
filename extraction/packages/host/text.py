"""What of a package's texts the database can hold."""

from __future__ import annotations

LONGEST_NAME = 200


def is_storable(text: str) -> bool:
    """Whether a text has neither NUL nor lone surrogates, which PostgreSQL refuses."""
    return "\0" not in text and not any("\ud800" <= sign <= "\udfff" for sign in text)


def storable(text: str) -> str:
    """The text with a replacement sign in place of each NUL and lone surrogate."""
    return "".join("�" if sign == "\0" or "\ud800" <= sign <= "\udfff" else sign for sign in text)


def class_name(value: object, what: str) -> str:
    """A class name without surrounding blanks. Raises ValueError saying what is wrong with it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} must be a name, not {str(value)[:60]!r}")
    name = value.strip()
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{what} has {len(name)} characters; at most {LONGEST_NAME} are allowed")
    if not is_storable(name):
        raise ValueError(f"{what} has a NUL or a character that is no valid Unicode: {name[:60]!r}")
    return name
