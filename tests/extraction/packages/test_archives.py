"""Archives: both forms are read, and nothing leads out of the folder or swells without end."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from extraction.packages.archives import (
    ArchiveRefused,
    Bounds,
    Entry,
    check_tar_begins,
    list_tar,
    list_zip,
    top_folder,
    unpack_tar,
    unpack_zip,
)
from tests.extraction.packages.archives import tar_of, zip_of

SMALL = Bounds(files=5, unpacked=2000, ratio=10)
OUT = ["../evil.py", "/etc/evil.py", "a/../../evil.py", "a\\..\\evil.py", "C:evil.py", "a\nb.py", "x" * 401]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def test_a_folder_and_a_root_form_unpack_to_the_same(tmp_path: Path, file: Path) -> None:
    files = {"manifest.py": "1", "processors/one.py": "2"}
    for folder in ("", "detector"):
        file.write_bytes(zip_of({**files, "__pycache__/x.pyc": "3", ".DS_Store": "4"}, folder))
        target = tmp_path / f"out-{folder}"
        top = top_folder(list_zip(file), "manifest.py")
        unpack_zip(file, target, below=top)
        assert sorted(str(p.relative_to(target)) for p in target.rglob("*.*")) == sorted(files)
        assert top == folder


def test_a_mac_zip_has_its_litter_left_out(file: Path) -> None:
    file.write_bytes(zip_of({"d/manifest.py": "1", "__MACOSX/d/._manifest.py": "2", "d/._x.py": "3"}))
    assert top_folder(list_zip(file), "manifest.py") == "d"


def test_a_manifest_that_is_nowhere_is_missed_by_name() -> None:
    with pytest.raises(ArchiveRefused, match=r"no manifest\.py .* holds: a/b/manifest\.py"):
        top_folder([Entry("a/b/manifest.py", 1)], "manifest.py")


@pytest.mark.parametrize("name", OUT)
def test_no_path_leads_out(tmp_path: Path, file: Path, name: str) -> None:
    file.write_bytes(zip_of({name: "1"}))
    with pytest.raises(ArchiveRefused, match="not allowed"):
        unpack_zip(file, tmp_path / "out")
    file.write_bytes(tar_of({name: b"1"}))
    with pytest.raises(ArchiveRefused, match="not allowed"):
        unpack_tar(file, tmp_path / "out", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_a_zip_has_no_links_or_devices(file: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ArchiveRefused, match="link or a device"):
        list_zip(file)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_tar_has_no_links_or_devices(file: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("link")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(file, "w:gz") as archive:
        archive.addfile(info)
    with pytest.raises(ArchiveRefused, match="link or a device"):
        list_tar(file, SMALL)


def test_files_are_counted_folders_too(file: Path) -> None:
    file.write_bytes(zip_of({f"{n}/": "" for n in range(6)}))
    with pytest.raises(ArchiveRefused, match="more than 5 files"):
        list_zip(file, SMALL)
    file.write_bytes(tar_of({f"{n}.pt": b"" for n in range(6)}))
    with pytest.raises(ArchiveRefused, match="more than 5 files"):
        list_tar(file, SMALL)


def many(count: int, comment: bytes = b"") -> bytearray:
    """A zip of `count` empty files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}", "")
        archive.comment = comment
    return bytearray(out.getvalue())


def end_of(data: bytearray) -> int:
    return data.rindex(b"PK\x05\x06")


def long_directory() -> bytes:
    return bytes(many(500))


def small_size_beside_a_larger_record() -> bytes:
    """The size in the last record is 100; the one that counts stands in the record of 64 bits before it."""
    data = many(70_000)
    at = end_of(data)
    data[at + 12 : at + 16] = (100).to_bytes(4, "little")
    return bytes(data)


def a_record_within_the_record() -> bytes:
    data = many(500)
    at = end_of(data)
    data[at + 8 : at + 12] = b"PK\x05\x06"
    return bytes(data)


def short_entries() -> bytes:
    """Few bytes, and many more entries than there may be."""
    return bytes(many(100))


def behind_a_comment() -> bytes:
    return bytes(many(500, b"c" * 60_000))


@pytest.mark.parametrize(
    "made",
    [
        long_directory,
        small_size_beside_a_larger_record,
        a_record_within_the_record,
        short_entries,
        behind_a_comment,
    ],
)
def test_a_table_of_contents_that_is_too_long_is_not_taken_in(
    file: Path, monkeypatch: pytest.MonkeyPatch, made: Callable[[], bytes]
) -> None:
    file.write_bytes(made())

    def taken(*args: object) -> None:
        raise AssertionError("an entry was taken in")

    monkeypatch.setattr(zipfile, "ZipInfo", taken)
    with pytest.raises(ArchiveRefused, match="more than 5 files"):
        list_zip(file, SMALL)


def test_a_comment_and_records_of_64_bits_do_no_harm(file: Path) -> None:
    file.write_bytes(bytes(many(5, b"c" * 60_000)))
    assert len(list_zip(file, SMALL)) == 5
    file.write_bytes(bytes(many(70_000)))
    assert len(list_zip(file, Bounds(files=70_000, unpacked=1))) == 70_000


def test_bytes_are_counted_those_of_litter_too(file: Path) -> None:
    file.write_bytes(zip_of({"a": "x" * 1500, "__MACOSX/b": "y" * 1500}))
    with pytest.raises(ArchiveRefused, match="more than 2,000 bytes"):
        list_zip(file, SMALL)
    file.write_bytes(tar_of({"a": b"x" * 1500, "._b": b"y" * 1500}))
    with pytest.raises(ArchiveRefused, match="more than 2,000 bytes"):
        list_tar(file, SMALL)


def test_a_bomb_is_refused_by_how_it_swells(tmp_path: Path, file: Path) -> None:
    bounds = Bounds(files=5, unpacked=2**40, ratio=10)
    zeros = bytes(20 * 2**20)
    file.write_bytes(zip_of({"zeros": zeros}))
    with pytest.raises(ArchiveRefused, match="swells to more than 10 times"):
        unpack_zip(file, tmp_path / "out", bounds=bounds)
    file.write_bytes(tar_of({"zeros": zeros}))
    with pytest.raises(ArchiveRefused, match="swells to more than 10 times"):
        unpack_tar(file, tmp_path / "out", bounds)
    assert not (tmp_path / "out").exists()


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path, file: Path) -> None:
    honest = zip_of({"a.txt": "x" * 1000})
    file.write_bytes(honest.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(ArchiveRefused):
        unpack_zip(file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_header_of_gigabytes_is_not_read(file: Path) -> None:
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 3 * 2**30
    with tarfile.open(file, "w:gz") as archive:
        assert archive.fileobj is not None
        archive.fileobj.write(info.tobuf(tarfile.USTAR_FORMAT))
    with pytest.raises(ArchiveRefused, match="too long"):
        check_tar_begins(file)


def test_a_name_that_is_file_and_folder_is_refused(tmp_path: Path, file: Path) -> None:
    file.write_bytes(zip_of({"a": "1", "a/b": "2"}))
    with pytest.raises(ArchiveRefused, match="both a file and a folder"):
        unpack_zip(file, tmp_path / "out")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a", "2")
    with pytest.raises(ArchiveRefused, match="twice"):
        list_zip(file)


@pytest.mark.parametrize(
    "data", [b"", b"no archive", zip_of({"a": "1" * 500})[:60]], ids=["empty", "text", "cut short"]
)
def test_what_is_no_archive_is_refused(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with pytest.raises(ArchiveRefused, match="no zip archive"):
        list_zip(file)
    with pytest.raises(ArchiveRefused, match=r"no \.tar\.gz archive"):
        check_tar_begins(file)


def test_a_torn_tar_leaves_nothing(tmp_path: Path, file: Path) -> None:
    import numpy as np

    noise = np.random.default_rng(1).bytes(200_000)
    file.write_bytes(tar_of({"best.pt": noise})[:100_000])
    check_tar_begins(file)
    with pytest.raises(ArchiveRefused):
        unpack_tar(file, tmp_path / "out", Bounds(5, 2**30))
    assert [path.name for path in tmp_path.iterdir()] == ["archive"]


def test_a_locked_zip_is_refused(file: Path) -> None:
    data = io.BytesIO(zip_of({"a": "1"}))
    raw = bytearray(data.getvalue())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(bytes(raw))
    with pytest.raises(ArchiveRefused, match="password"):
        list_zip(file)
