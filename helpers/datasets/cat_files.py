"""Pictures of cats in a folder or a zip from anywhere, decoded once and then kept."""

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps

from helpers.engine import archives, files, paths

CATS_SHAPE = (64, 64, 3)
LARGEST_FILE = 20_000_000  # bytes of one picture


def read_cats(source: Path) -> np.ndarray:
    """Return the pictures of a folder or zip, uint8 (n, 64, 64, 3), out of memory.

    They are mapped from a file in ``data/``, written anew when the source has changed.

    Raises:
        ValueError: fewer than two pictures can be read.
    """
    try:
        cache = paths.data_folder() / f"cats-cache-{fingerprint(source)}.npy"
        kept = read_cache(cache)
        pictures = decode_cats(source) if kept is None else kept
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{source} can't be used, because {error}: put Kaggle's zip in its place, "
            "or nothing, and the zip is downloaded"
        ) from error
    if kept is None:
        write_cache(cache, pictures)
        kept = read_cache(cache)
    return pictures if kept is None else kept


def fingerprint(source: Path) -> str:
    """Return 16 hexadecimal digits that change when the folder or zip does."""
    with opened(source) as (names, _):
        parts = [source / name for name in names] if source.is_dir() else [source]
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
    return kept if right and len(kept) >= 2 else None


def write_cache(path: Path, pictures: np.ndarray) -> None:
    """Keep decoded pictures, whole or not at all, in the place of older ones."""
    try:
        with files.whole(path) as file:
            np.save(file, pictures)
    except OSError as error:
        print(f"The decoded cats can't be kept in data/ ({error}); going on without.")
        return
    for older in set(path.parent.glob("cats-cache-*.npy")) - {path}:
        with suppress(OSError):  # in use, on Windows
            older.unlink()


def decode_cats(source: Path) -> np.ndarray:
    """Return the readable pictures of a folder or zip, uint8 (n, 64, 64, 3).

    Raises:
        ValueError: they are fewer than two, or the file is no zip or far too large.
    """
    unreadable: list[str] = []
    with opened(source) as (names, open_one), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        print(f"Reading {len(names):,} pictures of cats, which takes a moment once.")
        pictures = np.empty((len(names), *CATS_SHAPE), np.uint8)
        for index, name in enumerate(names):
            try:
                with open_one(name) as file:
                    content = archives.read_bounded(file, LARGEST_FILE)
                pictures[index - len(unreadable)] = read_picture(content)
            except Exception as error:  # many kinds on damaged files
                unreadable.append(f"{name} ({error or type(error).__name__})")
    count = len(names) - len(unreadable)
    left_out = f"{len(unreadable):,} can't be read: {', '.join(unreadable[:3])}"
    if count < 2:
        raise ValueError(
            f"it must hold at least 2 readable PNG or JPEG pictures, and holds {count} "
            f"({left_out or 'none can be read'})"
        )
    if unreadable:
        print(f"Pictures of cats left out: {left_out}")
    return pictures[:count]


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
