"""Pictures in grids and labelled rows, and along a walk."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.style import palette, set_title


def tile(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Return pictures (n, h, w, c) as one, row by row, with white gaps between.

    Raises:
        ValueError: there is no picture, or no column, or the shape is another.
    """
    images = np.asarray(images)
    if images.ndim != 4 or not images.size or columns < 1:
        raise ValueError(
            "images must be one or more pictures (n, height, width, channels) in one "
            f"or more columns, and have the shape {images.shape} and {columns} "
            "columns: x[..., np.newaxis] adds a missing channel axis"
        )
    if images.shape[-1] not in (1, 3, 4):
        raise ValueError(
            "images must have 1 channel (grey), 3 or 4 (colour), and their shape is "
            f"{images.shape}: x[..., :1] shows the first, and channels come last"
        )
    count, height, width, channels = images.shape
    rows, high, wide = -(-count // columns), height + gap, width + gap
    paper = 0 if channels == 1 else 1  # grey pictures are drawn as ink on white paper
    cells = np.full((rows * columns, high, wide, channels), paper, np.float32)
    cells[:count, :height, :width] = images
    canvas = cells.reshape(rows, columns, high, wide, channels).swapaxes(1, 2)
    canvas = canvas.reshape(rows * high, columns * wide, channels)
    return canvas[: rows * high - gap, : columns * wide - gap]


def show_image(ax: Axes, image: np.ndarray) -> None:
    """Draw one picture (h, w, c): a grey one as dark ink on white."""
    # crisp pixels, unless there are more of them than the figure has dots for
    interpolation = "nearest" if image.shape[1] < 500 else "auto"
    look = {"cmap": "gray_r", "vmin": 0, "vmax": 1, "aspect": "equal"}
    ax.imshow(image, interpolation=interpolation, **look)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def image_grid(
    images: np.ndarray, columns: int, title: str, ax: Axes | None = None
) -> Figure:
    """Draw pictures in a grid of so many columns; the errors are those of ``tile``."""
    tiled = tile(images, columns)
    if ax is None:
        rows = -(-len(images) // columns)
        width = min(9.0, 0.75 * columns)
        _, ax = plt.subplots(figsize=(width, width * rows / columns + 0.4))
    show_image(ax, tiled)
    ax.set_title(title)
    return ax.figure


def image_rows(rows: Mapping[str, np.ndarray], title: str) -> Figure:
    """Draw rows of pictures, label to (n, h, w, c), one above the other.

    The space behind a row shorter than others stays white.

    Raises:
        ValueError: there is no row, or one without pictures.
    """
    lengths = {label: len(images) for label, images in rows.items()}
    if not all(lengths.values()) or not lengths:
        raise ValueError(f"rows must have one or more pictures each, and are {lengths}")
    columns = max(lengths.values())
    cell = min(1.2, 7.6 / columns)
    size = (cell * columns + 1.7, cell * len(rows) + 0.5)
    figure, axes = plt.subplots(len(rows), 1, figsize=size, squeeze=False)
    for ax, (label, images) in zip(axes[:, 0], rows.items(), strict=True):
        show_image(ax, tile(images, columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    set_title(figure, title)
    return figure


def walk(
    rows: Mapping[str, np.ndarray],
    weights: np.ndarray,
    lines: Mapping[str, np.ndarray],
    y_label: str,
    title: str,
) -> Figure:
    """Draw rows of pictures on the way from one to another, over curves along the way.

    Args:
        rows: label to pictures (n, h, w, c).
        weights: positions on the way, 0 to 1, (n,).
        lines: label to a figure at each position, (n,).

    Raises:
        ValueError: a row or line is not n long, or n below 2, or there is no row.
    """
    lengths = [len(values) for values in (*rows.values(), *lines.values())]
    if not rows or len(weights) < 2 or set(lengths) != {len(weights)}:
        raise ValueError(
            "walk needs rows and lines with an entry for each of two or more weights, "
            f"and got {lengths} entries for {len(weights)} weights"
        )
    ratios, size = (0.6 + 0.2 * len(rows), 1.2), (9, 3.4 + 0.5 * len(rows))
    figure, (above, below) = plt.subplots(2, 1, figsize=size, height_ratios=ratios)
    show_image(above, tile(np.concatenate(list(rows.values())), columns=len(weights)))
    height = next(iter(rows.values())).shape[1] + 1
    above.set_yticks(height * (np.arange(len(rows)) + 0.5), rows)
    above.tick_params(length=0)
    above.set_title(title)
    colours = palette(len(lines))
    for (label, values), colour in zip(lines.items(), colours, strict=True):
        below.plot(weights, values, "o-", color=colour, label=label)
    below.set(xlabel="share of the last picture", ylabel=y_label)
    half = 0.5 / (len(weights) - 1)
    below.set_xlim(-half, 1 + half)
    below.legend()
    return figure
