"""Pictures in a folder or a zip, decoded and grouped once and then kept."""

import functools
import hashlib
import io
import json
import os
import re
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from helpers.datasets.dataset import few, natural
from helpers.datasets.twins import FEWEST
from helpers.engine import archives, files, paths

Shape = tuple[int, int, int]  # height, width, channels
LARGEST_FILE = 20_000_000  # bytes of one picture in a zip
OTHER_PROGRAMS = {"EPS"}  # formats that Pillow has another program draw
READER = 2  # to be raised when the same file is read otherwise


@dataclass(frozen=True)
class Pictures:
    """Pictures, and which of them show the same.

    Attributes:
        pictures: uint8 (n, height, width, channels).
        names: those of their files, n.
        groups: the index of the first picture of each one's group, (n,).
        group_names: the name of each one's group, n.
    """

    pictures: np.ndarray
    names: list[str]
    groups: np.ndarray
    group_names: list[str]


@dataclass(frozen=True)
class Grouping:
    """A way to find which pictures show the same.

    Attributes:
        version: changes with what it finds.
        find: returns the groups and the names of groups of pictures and their names, as
            in ``Pictures``.
    """

    version: str
    find: Callable[[np.ndarray, list[str]], tuple[np.ndarray, list[str]]]


def read_pictures(
    source: Path, shape: Shape, kept_as: str, grouping: Grouping, remedy: str
) -> Pictures:
    """Return the pictures of a folder or zip, out of memory, and their groups.

    They are mapped from a file in ``data/``, written anew when the source has changed;
    their names and groups lie beside it, and are found anew when the rule has changed.
    What can't be read is said, every time.

    Args:
        shape: (height, width, channels) of each.
        kept_as: how the file's name begins, which takes the place of older ones.
        grouping: how to find groups.
        remedy: how an error ends.

    Raises:
        ValueError: fewer than three different pictures can be read.
    """
    try:
        found = kept_pictures(source, shape, kept_as, grouping)
        if (count := len(np.unique(found.groups))) < FEWEST:
            raise ValueError(
                f"it must hold pictures of at least {FEWEST} different things, one for "
                f"each part of a data set, and holds {count}"
            )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source} can't be used, because {error}: {remedy}"
        ) from error
    return found


def kept_pictures(
    source: Path, shape: Shape, kept_as: str, grouping: Grouping
) -> Pictures:
    """Return what is kept of a folder or zip; what is missing is made and kept."""
    cache = paths.data_folder() / f"{kept_as}-cache-{fingerprint(source, shape)}.npy"
    pictures = read_cache(cache, shape)
    count = 0 if pictures is None else len(pictures)
    notes = read_notes(cache.with_suffix(".json"), count)
    if pictures is None or notes is None:
        pictures, names, left_out = decode(source, shape)
        notes = {"version": None, "names": names, "left_out": left_out}
    if notes["version"] != grouping.version:
        groups, group_names = grouping.find(pictures, notes["names"])
        notes |= {"version": grouping.version}
        notes |= {"groups": groups.tolist(), "group_names": group_names}
        pictures = write_cache(cache, pictures, notes)
    if left_out := notes["left_out"]:
        print(f"Left out of {source.name}: {unreadable(left_out)}")
    groups = np.array(notes["groups"])
    return Pictures(pictures, notes["names"], groups, notes["group_names"])


def unreadable(left_out: list[str]) -> str:
    """Return how many files can't be read, with the first of them."""
    return f"{len(left_out):,} can't be read: {few(left_out)}"


def fingerprint(source: Path, shape: Shape) -> str:
    """Return 16 hexadecimal digits that change when the folder or zip does."""
    names: list[str] = []
    parts = [source]
    if source.is_dir():  # the list of a zip takes longer to read than all else
        with opened(source) as (names, _):
            parts = [source / name for name in names]
    states = [state(part) for part in parts]
    content = repr((READER, shape, str(source.resolve()), names, states))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def state(path: Path) -> tuple[int, int] | None:
    """Return the size and the time of a file; None for a link that leads nowhere."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def read_cache(path: Path, shape: Shape) -> np.ndarray | None:
    """Return decoded pictures, mapped from the file; None if it is of no use."""
    try:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                return None  # its header would be read whole, of up to four gigabytes
        kept = np.lib.format.open_memmap(path, "r")
    except Exception:  # NumPy raises many kinds on damaged files
        return None
    right = kept.dtype == np.uint8 and kept.shape[1:] == shape
    return kept if right and len(kept) >= FEWEST else None


def read_notes(path: Path, count: int) -> dict | None:
    """Return names and groups of so many decoded pictures; None if they are of no use.

    They are the lists ``names``, ``groups`` and ``group_names``, what was left out, of
    any length, and ``version``.
    """
    try:
        notes = json.loads(path.read_bytes())
        kinds = {"names": str, "groups": int, "group_names": str, "left_out": str}
        fit = isinstance(notes["version"], str) and all(
            key == "left_out" or len(notes[key]) == count for key in kinds
        )
        fit &= all(type(v) is kind for key, kind in kinds.items() for v in notes[key])
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return notes if fit else None


def write_cache(path: Path, pictures: np.ndarray, notes: dict) -> np.ndarray:
    """Keep decoded pictures and notes, each whole or not at all, for older ones.

    Pictures that are mapped from there already stay. Returns them mapped, if it can be.
    """
    try:
        if not isinstance(pictures, np.memmap):
            with files.whole(path) as file:
                np.save(file, pictures)
        with files.whole(path.with_suffix(".json")) as file:
            file.write(json.dumps(notes).encode())
    except OSError as error:
        print(f"Decoded pictures can't be kept in data/ ({error}); going on without.")
        return pictures
    for older in path.parent.glob(f"{path.stem.rpartition('-')[0]}-*"):
        if older.stem != path.stem:
            with suppress(OSError):  # in use, on Windows
                older.unlink()
    kept = read_cache(path, pictures.shape[1:])
    return pictures if kept is None else kept


def decode(source: Path, shape: Shape) -> tuple[np.ndarray, list[str], list[str]]:
    """Return the readable pictures of a folder or zip, their names, and other files.

    Returns:
        pictures: uint8 (n, *shape).
        names: n.
        left_out: names of files that can't be read, each with the reason.

    Raises:
        ValueError: they are fewer than three, or the file is no zip or far too large.
    """
    left_out: list[str] = []
    read: list[str] = []
    with opened(source) as (names, open_one), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of odd EXIF data
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        what = f"{len(names):,} pictures of {source.name}"
        print(f"Reading {what}, which takes a moment once.")
        pictures = np.empty((len(names), *shape), np.uint8)
        for name in names:
            try:
                with open_one(name) as file:
                    pictures[len(read)] = read_picture(file, shape)
                read.append(name)
            except Exception as error:  # many kinds on damaged files
                left_out.append(f"{name} ({reason(error)})")
    if len(read) < FEWEST:
        why = unreadable(left_out) if left_out else "no other file is there"
        raise ValueError(
            f"it must hold at least {FEWEST} readable pictures, and holds {len(read)} "
            f"({why})"
        )
    return pictures[: len(read)], read, left_out


def reason(error: Exception) -> str:
    """Return why a picture can't be read, without the folder where it lies."""
    if isinstance(error, UnidentifiedImageError):
        return "no picture that Pillow knows"
    strerror = getattr(error, "strerror", None)
    return strerror or str(error) or type(error).__name__


@contextmanager
def opened(source: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """Yield the names of a folder's or zip's files, and what opens one to be read.

    Raises:
        ValueError: the file is no zip, or far too large.
    """
    if source.is_dir():
        names = in_natural_order(files_in(source))
        yield names, lambda name: (source / name).open("rb")
        return
    with archives.opened(source) as archive:
        members = [name for name in archive.namelist() if not name.endswith("/")]
        yield in_natural_order(members), functools.partial(unpacked, archive)


def files_in(folder: Path) -> list[str]:
    """Return the names of all files in a folder, in those inside it and linked there.

    Of links that lead to the same folder one is followed, so no circle is endless.
    Links that lead nowhere, and folders that must not be read, are named as files are:
    to open them tells why not.
    """
    found: list[str] = []
    seen = {os.path.realpath(folder)}

    def unlisted(error: OSError) -> None:
        found.append(error.filename)

    for here, folders, names in os.walk(folder, onerror=unlisted, followlinks=True):
        places = {name: os.path.join(here, name) for name in sorted(folders)}
        folders.clear()
        for name, place in sorted(places.items(), key=lambda p: os.path.islink(p[1])):
            if (real := os.path.realpath(place)) not in seen and name[0] != ".":
                seen.add(real)
                folders.append(name)
        paths_here = (os.path.join(here, name) for name in names)
        found += [p for p in paths_here if os.path.isfile(p) or not os.path.exists(p)]
    return [Path(path).relative_to(folder).as_posix() for path in found]


def unpacked(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Return a member of a zip as a file in memory, of a bounded size."""
    with archives.open_member(archive, name) as file:
        return io.BytesIO(archives.read_bounded(file, LARGEST_FILE))


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return names of files, cat_2 before cat_10, without hidden ones."""
    return sorted(
        (n for n in names if not re.search(r"(^|/)(\.|__MACOSX)", n)), key=natural
    )


@functools.cache
def formats() -> list[str]:
    """Return the formats that Pillow reads by itself."""
    Image.init()
    return [name for name in Image.ID if name not in OTHER_PROGRAMS]


def read_picture(file: IO[bytes], shape: Shape) -> np.ndarray:
    """Return a picture of any format and size as uint8, of the shape asked for.

    It is upright, the first of an animation, on white where it is transparent; of its
    middle as much as has the shape's proportions, made smaller without aliasing.

    Pillow raises many kinds of exception on damaged files.
    """
    image = Image.open(file, formats=formats())
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode[0] in "IF":
        image = eight_bits(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB" if shape[2] == 3 else "L")
    height, width, _ = shape
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    return np.asarray(image).reshape(shape)


def eight_bits(image: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits, which convert() would clip, in 8 bits."""
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" or low < 0 or high > 65_535:
        found = f"{values.dtype} from {low:g} to {high:g}"
        raise ValueError(f"its pixels are {found}, and must be of 8 or 16 bits")
    return Image.fromarray((values // 257).astype(np.uint8))
