"""Unpack a zip file into a folder, within stated limits and never outside the folder."""

from __future__ import annotations

import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from taskaffinity.atomic import atomic_write
from taskaffinity.errors import InputError, input_error, shown
from taskaffinity.regular_file import open_regular

MOST_MEMBERS = 20_000
MOST_BYTES = 1 << 30
"""The largest size of all unpacked files, in bytes. The largest open corpus has 10 MB."""
_CHUNK = 1 << 16


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a zip file; skip the members that are already unpacked unchanged.

    Every name and size is checked before the first file is written. A file is read and written in small parts, and it
    appears only when its checksum is right.

    Raises
    ------
    InputError
        If the archive is broken or encrypted, has more than ``MOST_MEMBERS`` members or ``MOST_BYTES`` bytes, or has a
        member that is a link or a device, or that lies outside the folder.
    """
    with _readable(archive), open_regular(archive) as file, ZipFile(file) as packed:
        members = packed.infolist()
        if len(members) > MOST_MEMBERS:
            raise input_error(archive, f"{len(members):,} members", f"at most {MOST_MEMBERS:,}")
        total = sum(member.file_size for member in members)
        if total > MOST_BYTES:
            raise input_error(archive, f"{total:,} bytes after unpacking", f"at most {MOST_BYTES:,}")
        places = [folder / _checked_name(archive, member) for member in members]
        _check_folders(archive, places, folder)
        for member, path in zip(members, places, strict=True):
            if not member.is_dir() and path.name != ".DS_Store" and not _is_unpacked(path, member):
                path.parent.mkdir(parents=True, exist_ok=True)
                with packed.open(member) as content, atomic_write(path) as out:
                    left = member.file_size
                    while chunk := content.read(min(_CHUNK, left + 1)):
                        left -= len(chunk)
                        if left < 0:
                            raise BadZipFile("a member is longer than the archive says")
                        out.write(chunk)


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turn errors of a broken, encrypted or unsupported archive into one line."""
    try:
        yield
    except InputError:
        raise
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error) as error:
        found = f"an archive that cannot be unpacked ({type(error).__name__})"
        raise input_error(archive, found, "a zip file; delete it to fetch it again") from None


def _checked_name(archive: Path, member: ZipInfo) -> PurePosixPath:
    name, mode = PurePosixPath(member.filename), member.external_attr >> 16
    is_below = name.parts and not name.is_absolute() and ".." not in name.parts
    if not is_below or any(character in member.filename for character in "\\:\0"):
        raise input_error(archive, f"a member {shown(member.filename)} outside the folder", "names below the folder")
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise input_error(archive, f"a member {shown(member.filename)} that is a link or a device", "files and folders")
    if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # other types cannot be unpacked in small parts
        raise input_error(archive, f"a member of compression type {member.compress_type}", "deflated files")
    return name


def _check_folders(archive: Path, places: list[Path], folder: Path) -> None:
    """Check that no link below the folder leads a member out of it."""
    inside = folder.resolve()
    for parent in {path.parent for path in places}:
        if not parent.resolve().is_relative_to(inside):
            raise input_error(archive, f"a link in {folder} that leads out of it", "a folder without such links")


def _is_unpacked(path: Path, member: ZipInfo) -> bool:
    """Return whether a file has the size and the checksum of a member."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size != member.file_size:
        return False
    checksum = 0
    with open_regular(path) as file:
        while chunk := file.read(_CHUNK):
            checksum = zlib.crc32(chunk, checksum)
    return checksum == member.CRC
