"""Dependencies against what is installed: missing ones are named, other versions are told, nothing is installed."""

from __future__ import annotations

import pytest

from extraction.packages.requirements import bad_requirements, compare

HERE = {"ultralytics": "8.4.1", "torch": "2.14.1", "opencv-python-headless": "5.0", "numpy": "2.1.0rc1"}


@pytest.mark.parametrize(
    ("wanted", "missing", "other"),
    [
        (["torch>=2.0", "numpy"], [], []),
        (["ultralytics==8.2.0", "torch>=2.0"], [], ["The package asks for ultralytics==8.2.0; ultralytics 8.4.1"]),
        (["opencv-python>=4"], [], []),
        (["opencv-python<4"], [], ["opencv-python-headless 5.0 is installed"]),
        (["detectron2", "clip @ https://example.org/clip.zip"], ["detectron2", "clip"], []),
        (['nothing; python_version < "3"'], [], []),
        (["numpy>=2.1.0rc1", "torch[extra]>=2"], [], []),
    ],
)  # fmt: skip
def test_what_is_here_and_what_is_not(wanted: list[str], missing: list[str], other: list[str]) -> None:
    found = compare(wanted, HERE.get)
    assert found.missing == missing
    assert len(found.other) == len(other)
    assert all(said in one for said, one in zip(other, found.other, strict=True))


def test_a_requirement_that_is_none_is_told_by_its_place() -> None:
    (fault,) = bad_requirements(["torch>=2", "torch>>2"])
    assert fault.startswith("dependencies[1]: 'torch>>2' is no requirement")
