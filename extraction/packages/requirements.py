"""What a package depends on against what is installed here. Nothing is ever installed for a package."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

# One module under several names: whoever asks for one is served by another.
_SERVED_BY = {
    "opencv-python": ("opencv-python-headless", "opencv-contrib-python"),
    "opencv-contrib-python": ("opencv-contrib-python-headless",),
    "opencv-contrib-python-headless": ("opencv-contrib-python",),
    "psycopg2": ("psycopg2-binary",),
}


@dataclass(frozen=True)
class Dependencies:
    """`missing` cannot run; `other` runs, with what is installed in place of what was asked for. Words for people."""

    missing: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def installed_version(name: str) -> str | None:
    """The installed version of a distribution; None where there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def bad_requirements(dependencies: Iterable[str]) -> list[str]:
    """Those that are no requirement at all, each with what is wrong."""
    bad = []
    for number, text in enumerate(dependencies):
        try:
            Requirement(text)
        except InvalidRequirement as error:
            bad.append(
                f"dependencies[{number}]: {text[:100]!r} is no requirement ({str(error).splitlines()[0]})"
            )
    return bad


def compare(
    dependencies: Iterable[str], installed: Callable[[str], str | None] = installed_version
) -> Dependencies:
    """Every dependency against what is installed here, markers considered."""
    found = Dependencies()
    for text in dependencies:
        wanted = Requirement(text)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        names = (wanted.name, *_SERVED_BY.get(canonicalize_name(wanted.name), ()))
        here = next(((name, at) for name in names if (at := installed(name)) is not None), None)
        if here is None:
            found.missing.append(wanted.name)
        elif not wanted.specifier.contains(here[1], prereleases=True):
            found.other.append(f"The package asks for {text}; {here[0]} {here[1]} is installed and used.")
    return found
