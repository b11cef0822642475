"""Read archives from anywhere: nothing is unpickled or written out, and every size is
bounded.

A member that claims too much is refused; of one that claims too little no more than
that is unpacked, and then its checksum fails.
"""

import io
import math
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import numpy as np

MOST_MEMBERS = 200_000
LARGEST_TOTAL = 10_000_000_000  # bytes of all members, unpacked
LARGEST_READ = 2**24  # bytes in one go, such as the list of all members
END = 2**17  # bytes at the end of a zip, in which the place of that list is written
HEADER = 10_128  # bytes before the numbers of an array, at most
PIECE = 2**20


class ShortReads(io.BufferedReader):
    """A file that refuses to read much at once, as lying archives have ``zipfile`` do."""

    def read(self, size=-1):
        if size > LARGEST_READ:
            raise zipfile.BadZipFile(f"it asks for {size:,} bytes at once")
        return super().read(END if size < 0 else size)


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yield a zip to read.

    Raises:
        ValueError: the file is no zip, or has more or larger members than the bounds
            allow.
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
            if sum(member.file_size for member in members) > LARGEST_TOTAL:
                raise ValueError(f"it unpacks to more than {LARGEST_TOTAL / 1e9:g} GB")
            yield archive


def read_bounded(file, largest: int) -> bytes:
    """Return all that a binary file holds.

    Raises:
        ValueError: that is more than ``largest`` bytes.
    """
    content = bytearray()
    while piece := file.read(min(PIECE, largest + 1 - len(content))):
        content += piece
        if len(content) > largest:
            raise ValueError(f"larger than {largest / 1e6:g} MB")
    return bytes(content)


def check_member(member: zipfile.ZipInfo) -> None:
    """Raise ValueError unless a member is a plain file inside the archive that can be
    read safely.

    Only deflation is unpacked piece by piece; zipfile unpacks bzip2 and LZMA without a
    bound.
    """
    name = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if name.is_absolute() or ".." in name.parts or ":" in member.filename:
        raise ValueError("its name leads out of the archive")
    if member.is_dir() or kind not in (0, stat.S_IFREG):
        raise ValueError("it is a link, or otherwise no plain file")
    if member.flag_bits & 1:
        raise ValueError("it is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError("it is neither stored nor deflated")


def read_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest: int
) -> bytes:
    """Return what a member holds, its checksum checked.

    Raises:
        ValueError: ``check_member`` refuses it, or it is damaged or larger than
            ``largest`` bytes.
    """
    check_member(member)
    try:
        with archive.open(member) as file:
            return read_bounded(file, largest)
    except Exception as error:  # zipfile raises many kinds on damaged files
        raise ValueError(str(error) or type(error).__name__) from error


@dataclass(frozen=True)
class StoredArray:
    """An array of a ``.npz`` of which only the header was read.

    Attributes:
        shape, dtype: as the header says.
        read: a function that returns the array, or raises ValueError if the file is
            damaged.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]


@contextmanager
def stored_arrays(path: Path) -> Iterator[dict[str, StoredArray]]:
    """Yield the arrays of a ``.npz`` by name, so that they can be judged before they
    are read.

    Raises:
        ValueError: the file is no ``.npz``, or damaged.
        OSError: there is no such file, or it must not be read.
    """
    with opened(path) as archive:
        stored = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in stored:
                raise ValueError(f"{member.filename} is no array, or there twice")
            stored[name] = stored_array(archive, member)
        yield stored


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return the shape, whether columns come first, and the type of a ``.npy``'s array.

    NumPy raises many kinds of exception on damaged files; other versions than 1.0,
    whose headers may claim gigabytes, are a ValueError.
    """
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("its header is not of version 1.0")
    return np.lib.format.read_array_header_1_0(file)


def stored_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> StoredArray:
    """Return one array of a ``.npz``, its header read.

    Raises:
        ValueError: the header is damaged, or that of Python objects.
    """
    check_member(member)
    try:
        with archive.open(member) as file:
            start = io.BytesIO(file.read(HEADER))
        shape, _, dtype = read_header(start)
    except Exception as error:  # zipfile and NumPy raise many kinds on damaged files
        raise ValueError(
            f"{member.filename}: {error or type(error).__name__}"
        ) from error
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ValueError(
            f"{member.filename} holds Python objects, or has no possible shape"
        )
    size = start.tell() + math.prod(shape) * dtype.itemsize

    def read() -> np.ndarray:
        content = read_member(archive, member, size)
        if len(content) < size:
            raise ValueError(f"{member.filename} is cut short")
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)

    return StoredArray(shape, dtype, read)
