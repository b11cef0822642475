"""Pictures of cats in a folder or a zip, decoded and grouped once and then kept."""

import hashlib
import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from helpers.datasets import cat_groups
from helpers.datasets.twins import FEWEST
from helpers.engine import archives, files, paths

CATS_SHAPE = (64, 64, 3)
LARGEST_FILE = 20_000_000  # bytes of one picture


@dataclass(frozen=True)
class Cats:
    """Pictures of cats, and which of them show the same photograph.

    Attributes:
        pictures: uint8 (n, 64, 64, 3).
        names: those of their files, n.
        groups: the index of the first picture of each one's group, (n,).
        group_names: the name of each one's group, n.
    """

    pictures: np.ndarray
    names: list[str]
    groups: np.ndarray
    group_names: list[str]


def read_cats(source: Path) -> Cats:
    """Return the pictures of a folder or zip, out of memory, and their groups.

    They are mapped from a file in ``data/``, written anew when the source has changed;
    their names and groups lie beside it, and are found anew when the rule has changed.

    Raises:
        ValueError: fewer than three different pictures can be read, or what is known of
            groups can't be.
    """
    known = cat_groups.known_groups()
    try:
        cats = kept_cats(source, known)
        if (count := len(np.unique(cats.groups))) < FEWEST:
            raise ValueError(
                f"it must hold pictures of at least {FEWEST} different things, one for "
                f"each part of a data set, and holds {count}"
            )
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source} can't be used, because {error}: put Kaggle's zip in its place, "
            "or nothing, and the zip is downloaded"
        ) from error
    return cats


def kept_cats(source: Path, known: cat_groups.KnownGroups) -> Cats:
    """Return what is kept of a folder or zip; what is missing is made and kept."""
    cache = paths.data_folder() / f"cats-cache-{fingerprint(source)}.npy"
    pictures = read_cache(cache)
    count = 0 if pictures is None else len(pictures)
    notes = read_notes(cache.with_suffix(".json"), count)
    if pictures is None or notes is None:
        pictures, names = decode_cats(source)
    else:
        names = notes["names"]
    if notes is None or notes["version"] != known.version:
        groups, group_names = cat_groups.group_cats(pictures, names, known)
        notes = {"version": known.version, "groups": groups.tolist()}
        notes |= {"names": names, "group_names": group_names}
        pictures = write_cache(cache, pictures, notes)
    return Cats(pictures, names, np.array(notes["groups"]), notes["group_names"])


def fingerprint(source: Path) -> str:
    """Return 16 hexadecimal digits that change when the folder or zip does."""
    names: list[str] = []
    parts = [source]
    if source.is_dir():  # the list of a zip takes longer to read than all else
        with opened(source) as (names, _):
            parts = [source / name for name in names]
    states = [(part.stat().st_size, part.stat().st_mtime_ns) for part in parts]
    content = repr((CATS_SHAPE, str(source.resolve()), names, states))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def read_cache(path: Path) -> np.ndarray | None:
    """Return decoded pictures, mapped from the file; None if it is of no use."""
    try:
        kept = np.lib.format.open_memmap(path, "r")
    except Exception:  # NumPy raises many kinds on damaged files
        return None
    right = kept.dtype == np.uint8 and kept.shape[1:] == CATS_SHAPE
    return kept if right and len(kept) >= FEWEST else None


def read_notes(path: Path, count: int) -> dict | None:
    """Return names and groups of so many decoded pictures; None if they are of no use.

    They are the lists ``names``, ``groups`` and ``group_names``, and ``version``.
    """
    try:
        notes = json.loads(path.read_bytes())
        kinds = {"names": str, "groups": int, "group_names": str}
        lists = [(notes[key], kind) for key, kind in kinds.items()]
        fit = isinstance(notes["version"], str) and all(
            len(values) == count and all(type(value) is kind for value in values)
            for values, kind in lists
        )
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
        print(f"The decoded cats can't be kept in data/ ({error}); going on without.")
        return pictures
    for older in path.parent.glob("cats-cache-*"):
        if older.stem != path.stem:
            with suppress(OSError):  # in use, on Windows
                older.unlink()
    kept = read_cache(path)
    return pictures if kept is None else kept


def decode_cats(source: Path) -> tuple[np.ndarray, list[str]]:
    """Return the readable pictures of a folder or zip, uint8 (n, 64, 64, 3), and names.

    Raises:
        ValueError: they are fewer than three, or the file is no zip or far too large.
    """
    unreadable: list[str] = []
    read: list[str] = []
    with opened(source) as (names, open_one), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        print(f"Reading {len(names):,} pictures of cats, which takes a moment once.")
        pictures = np.empty((len(names), *CATS_SHAPE), np.uint8)
        for name in names:
            try:
                with open_one(name) as file:
                    content = archives.read_bounded(file, LARGEST_FILE)
                pictures[len(read)] = read_picture(content)
                read.append(name)
            except Exception as error:  # many kinds on damaged files
                unreadable.append(f"{name} ({error or type(error).__name__})")
    count = len(read)
    left_out = f"{len(unreadable):,} can't be read: {', '.join(unreadable[:3])}"
    if count < FEWEST:
        raise ValueError(
            f"it must hold at least {FEWEST} readable PNG or JPEG pictures, and holds "
            f"{count} ({left_out or 'none can be read'})"
        )
    if unreadable:
        print(f"Pictures of cats left out: {left_out}")
    return pictures[:count], read


@contextmanager
def opened(source: Path) -> Iterator[tuple[list[str], Callable[[str], IO[bytes]]]]:
    """Yield the names of a folder's or zip's pictures, and what opens one to be read.

    Raises:
        ValueError: the file is no zip, or far too large.
    """
    if source.is_dir():
        parts = (part for part in source.rglob("*") if part.is_file())
        names = in_natural_order(part.relative_to(source).as_posix() for part in parts)
        yield names, lambda name: (source / name).open("rb")
        return
    with archives.opened(source) as archive:
        names = in_natural_order(archive.namelist())
        yield names, partial(archives.open_member, archive)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return the names of pictures, cat_2 before cat_10, without hidden files."""

    def order(name: str) -> tuple[str, str]:
        return re.sub("[0-9]+", lambda n: n[0].zfill(12), name).lower(), name

    pictures = (n for n in names if n.lower().endswith((".png", ".jpg", ".jpeg")))
    return sorted(
        (n for n in pictures if not re.search(r"(^|/)(\.|__MACOSX)", n)), key=order
    )


def read_picture(content: bytes) -> np.ndarray:
    """Return a PNG or JPEG as uint8 (64, 64, 3): upright, its centre square, on white.

    Pillow raises many kinds of exception on damaged files.
    """
    image = Image.open(io.BytesIO(content), formats=("PNG", "JPEG"))
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I"):  # 16 bits of grey, which convert() would clip
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB")
    if image.size != CATS_SHAPE[:2]:
        image = ImageOps.fit(image, CATS_SHAPE[:2], Image.Resampling.LANCZOS)
    return np.asarray(image)
