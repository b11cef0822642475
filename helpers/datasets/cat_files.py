"""Read pictures of cats from a folder or a zip that comes from anywhere."""

import io
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from helpers.engine import archives

CATS_SHAPE = (64, 64, 3)
LARGEST_FILE = 20_000_000  # bytes of one picture


def decode_cats(source: Path, fewest: int) -> np.ndarray:
    """Return the readable pictures of a folder or zip, in natural order, uint8 (n, 64,
    64, 3).

    Raises:
        ValueError: they are fewer than ``fewest``, or the file is no zip, or far too
            large.
    """
    unreadable = []
    with opened(source) as (names, read), warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        print(f"Reading {len(names):,} pictures of cats, which takes a moment once.")
        pictures = np.empty((len(names), *CATS_SHAPE), np.uint8)
        for index, name in enumerate(names):
            try:
                pictures[index - len(unreadable)] = read_picture(read(name))
            except Exception as error:  # Pillow raises many kinds on damaged files
                unreadable.append(f"{name} ({error})")
    count = len(names) - len(unreadable)
    left_out = f"{len(unreadable):,} can't be read: {', '.join(unreadable[:3])}"
    if count < fewest:
        raise ValueError(
            f"it must hold at least {fewest:,} readable PNG or JPEG pictures, and holds {count:,}"
            + (f" ({left_out})" if unreadable else "")
        )
    if unreadable:
        print(f"Pictures of cats left out: {left_out}")
    return pictures[:count]


@contextmanager
def opened(source: Path) -> Iterator[tuple[list[str], Callable[[str], bytes]]]:
    """Yield the names of a folder's or zip's pictures in natural order, and what reads
    one.

    Raises:
        ValueError: the file is no zip, or far too large.
    """
    if source.is_dir():
        paths = (path for path in source.rglob("*") if path.is_file())
        names = in_natural_order(path.relative_to(source).as_posix() for path in paths)

        def read(name: str) -> bytes:
            with (source / name).open("rb") as file:
                return archives.read_bounded(file, LARGEST_FILE)

        yield names, read
        return
    with archives.opened(source) as archive:
        members = {member.filename: member for member in archive.infolist()}
        read = partial(archives.read_member, archive, largest=LARGEST_FILE)
        yield in_natural_order(members), lambda name: read(members[name])


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Return the names of PNG and JPEG files with cat_2 before cat_10, without hidden files."""
    pictures = [
        name
        for name in names
        if name.lower().endswith((".png", ".jpg", ".jpeg"))
        and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    ]
    padded = {
        name: re.sub(r"[0-9]+", lambda n: n[0].zfill(12), name).lower()
        for name in pictures
    }
    return sorted(pictures, key=lambda name: (padded[name], name))


def read_picture(content: bytes) -> np.ndarray:
    """Return a picture as uint8 (64, 64, 3): upright, its centre square, on white if
    transparent.

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
