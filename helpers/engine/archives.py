"""Read zips from anywhere: nothing is written out or unpickled, every size is bounded.

By hand, because ``zipfile`` believes what an archive says of itself: here a member that
claims too much is refused, and of one that claims too little no more than that is
unpacked, and then its checksum fails.
"""

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MOST_MEMBERS = 200_000
LARGEST_TOTAL = 10_000_000_000  # bytes of all members, unpacked
LARGEST_READ = 2**24  # bytes in one go, such as the list of all members
END = 2**17  # bytes at the end of a zip, in which the place of that list is written
PIECE = 2**20


class ShortReads(io.BufferedReader):
    """A file that refuses to read much at once, as lying archives have zipfile do."""

    def read(self, size=-1):
        if size > LARGEST_READ:
            raise zipfile.BadZipFile(f"it asks for {size:,} bytes at once")
        return super().read(END if size < 0 else size)


@contextmanager
def opened(path: Path, largest: int = LARGEST_TOTAL) -> Iterator[zipfile.ZipFile]:
    """Yield a zip to read.

    Raises:
        ValueError: the file is no zip, has more members than ``MOST_MEMBERS``, or
            unpacks to more than ``largest`` bytes.
        OSError: there is no such file, or it must not be read.
    """
    with open(path, "rb", buffering=0) as raw, ShortReads(raw) as file:
        try:
            archive = zipfile.ZipFile(file)
        except Exception as error:  # zipfile raises many kinds on damaged files
            raise ValueError(f"it is not a readable zip ({error})") from error
        with archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise ValueError(f"it has more than {MOST_MEMBERS:,} members")
            if sum(member.file_size for member in members) > largest:
                raise ValueError(f"it unpacks to more than {largest / 1e6:,g} MB")
            yield archive


def read_bounded(file: IO[bytes], largest: int) -> bytes:
    """Return all that a binary file holds; ValueError if that is beyond ``largest``."""
    content = bytearray()
    while piece := file.read(min(PIECE, largest + 1 - len(content))):
        content += piece
        if len(content) > largest:
            raise ValueError(f"larger than {largest / 1e6:g} MB")
    return bytes(content)


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member to be read piece by piece; its checksum is checked at its end.

    zipfile raises many kinds of exception on damaged files, also while reading.

    Raises:
        ValueError: it is packed in a way that zipfile unpacks without a bound.
    """
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is neither stored nor deflated")
    return archive.open(member)
