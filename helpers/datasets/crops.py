"""The same photograph in another crop: enlarged, moved or turned a little.

A search of minutes, for ``cats_groups.npz`` alone; what is read is searched by
``twins``. Pictures are compared twice. Coarse: the middle of one's block means with as
large a part of the other's, at several places, enlargements and turns. What correlates
there by more than ``COARSE`` is compared by detail: the same with both pictures
filtered, so that fur and markings count and not how light the parts of a face are.
``data/README.md`` tells how the bounds were found.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

COARSE = 0.88  # correlation from which a pair is compared by detail
ALIKE, DETAIL_OF_ALIKE = 0.93, 0.75  # a crop by both correlations
DETAIL = 0.87  # a crop by detail alone
TILE = 1000  # pictures compared with as many others at once

BLOCK, MIDDLE = 4, slice(3, 13)  # pixels per side; the blocks, of 16, in the middle
VIEWS = (  # of the other picture: enlargement, degrees, blocks that it may be moved by
    (1.0, 0, 3),
    (0.8, 0, 1),
    (0.9, 0, 1),
    (1.12, 0, 2),
    (1.25, 0, 2),
    *((zoom, turn, 1) for zoom in (0.9, 1.0, 1.12) for turn in (-8, 8)),
)
FINE_VIEWS = [(z, turn) for z in np.geomspace(0.72, 1.39, 8) for turn in (-10, 0, 10)]
FINE, CUT, PADDED = 32, 6, 48  # pixels per side, left of the middle, with space to move
FAINT = 2e-3  # sum of squares below which detail is noise


def crop_pairs(pictures: np.ndarray) -> np.ndarray:
    """Return the pairs of pictures that are crops of one photograph, int64 (2, pairs).

    Args:
        pictures: uint8 (n, 64, 64, channels). Copies make it slower: leave them out.
    """
    grey = np.empty(pictures.shape[:3], np.float32)
    for index, picture in enumerate(pictures):
        grey[index] = picture.mean(axis=-1) / 255
    pairs, alike = coarse_pairs(grey)
    detail = detail_correlation(grey, pairs)
    both = (alike > ALIKE) & (detail > DETAIL_OF_ALIKE)
    return pairs[:, both | (detail > DETAIL)]


def seen(grey: np.ndarray, zoom: float, turn: float) -> np.ndarray:
    """Return pictures (n, side, side), enlarged, and turned by degrees.

    What is not in them repeats their rim.
    """
    from scipy import ndimage

    middle = np.full(2, (grey.shape[1] - 1) / 2)
    angle = np.deg2rad(turn)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    back = np.array([[cos, -sin], [sin, cos]])
    options = {"offset": middle - back @ middle, "order": 1, "mode": "nearest"}
    return np.stack([ndimage.affine_transform(x, back, **options) for x in grey])


# Coarse


def coarse_pairs(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that correlate above ``COARSE``, (2, pairs), and by how much."""
    count = len(grey)
    middles = patterns(blocks(grey)[:, MIDDLE, MIDDLE])
    codes, values = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for zoom, turn, reach in VIEWS:
        for first in range(0, count, TILE):
            other = blocks(seen(grey[first : first + TILE], zoom, turn))
            parts = list(moved(other, reach))
            for start in range(0, count, TILE):
                some = middles[start : start + TILE]
                best = some @ parts[0].T
                for part in parts[1:]:
                    np.maximum(best, some @ part.T, out=best)
                row, column = np.nonzero(best > COARSE)
                values.append(best[row, column])
                row, column = row + start, column + first
                codes.append(np.minimum(row, column) * count + np.maximum(row, column))
    code, place = np.unique(np.concatenate(codes), return_inverse=True)
    alike = np.zeros(len(code), np.float32)
    np.maximum.at(alike, place, np.concatenate(values))
    pairs = np.stack(np.divmod(code, count))
    apart = pairs[0] != pairs[1]
    return pairs[:, apart], alike[apart]


def blocks(grey: np.ndarray) -> np.ndarray:
    """Return means of blocks of pictures (n, 64, 64): (n, 16, 16)."""
    side = grey.shape[1] // BLOCK
    return grey.reshape(-1, side, BLOCK, side, BLOCK).mean(axis=(2, 4))


def moved(means: np.ndarray, reach: int) -> Iterator[np.ndarray]:
    """Yield the patterns of the middle, moved by up to ``reach`` blocks either way."""
    low, high = MIDDLE.start, MIDDLE.stop
    for down in range(-reach, reach + 1):
        for right in range(-reach, reach + 1):
            rows = slice(low + down, high + down)
            yield patterns(means[:, rows, low + right : high + right])


def patterns(windows: np.ndarray) -> np.ndarray:
    """Return windows (n, side, side) less their means, of length 1, flat."""
    flat = windows.reshape(len(windows), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    return flat / np.sqrt(np.sum(flat**2, axis=1, keepdims=True) + 1e-3)


# By detail


def detail_correlation(grey: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Return how well each pair's details correlate, where they do best, (pairs,)."""
    from scipy import fft

    best = np.zeros(pairs.shape[1], np.float32)
    asked = np.unique(pairs)
    middles = {i: middle_spectrum(grey[i]) for i in asked}
    places = slice(0, 2 * CUT + 1)
    for one in asked:
        details = Details.of(grey[one])
        for row in np.flatnonzero((pairs == one).any(axis=0)):
            first, second = pairs[:, row]
            middle = middles[second if first == one else first]
            products = fft.irfft2(details.spectra * middle, (PADDED, PADDED))
            found = (products[:, places, places] / details.lengths).max()
            best[row] = max(best[row], found)
    return best


def filtered(grey: np.ndarray) -> np.ndarray:
    """Return details of 2 to 8 pixels of pictures (n, 64, 64): (n, 32, 32)."""
    from scipy import ndimage

    narrow, wide = (ndimage.gaussian_filter(grey, (0, s, s)) for s in (0.8, 3))
    return (narrow - wide).reshape(-1, FINE, 2, FINE, 2).mean(axis=(2, 4))


def middle_spectrum(grey: np.ndarray) -> np.ndarray:
    """Return the spectrum that correlates with the details in a picture's middle."""
    from scipy import fft

    middle = filtered(grey[np.newaxis])[0, CUT:-CUT, CUT:-CUT]
    middle = middle - middle.mean()
    middle = middle / np.sqrt(np.sum(middle**2) + FAINT)
    return np.conj(fft.rfft2(middle.astype(np.float32), (PADDED, PADDED)))


@dataclass(frozen=True)
class Details:
    """A picture's details in all ``FINE_VIEWS``.

    Attributes:
        spectra: complex (views, PADDED, PADDED // 2 + 1).
        lengths: those of its windows as large as a middle, (views, places, places).
    """

    spectra: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, grey: np.ndarray) -> "Details":
        """Return the details of a picture (64, 64)."""
        from scipy import fft

        views = [seen(grey[np.newaxis], zoom, turn)[0] for zoom, turn in FINE_VIEWS]
        details = filtered(np.stack(views)).astype(np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(
            details, (FINE - 2 * CUT, FINE - 2 * CUT), axis=(1, 2)
        )
        size = windows.shape[-1] ** 2
        squares = size * windows.var(axis=(-2, -1))
        return cls(
            fft.rfft2(details, (PADDED, PADDED)), np.sqrt(np.maximum(squares, FAINT))
        )
