"""Pictures in grids and labelled rows, and along a walk."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from helpers.plots.style import LINES, set_title


def tile(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Return pictures (n, h, w, c) as one array, row by row, with white gaps between.

    Raises:
        ValueError: there is no picture, or no column, or the shape is another.
    """
    if images.ndim != 4 or not images.size or columns < 1:
        raise ValueError(
            "images must be one or more pictures (n, height, width, channels) in one or more "
            f"columns, and have the shape {images.shape} and {columns} columns: "
            "x[..., np.newaxis] adds a missing channel axis"
        )
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    paper = (
        0.0 if channels == 1 else 1.0
    )  # grey pictures are drawn as ink on white paper
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels),
        paper,
        np.float32,
    )
    for index, image in enumerate(images):
        top, left = (
            (height + gap) * (index // columns),
            (width + gap) * (index % columns),
        )
        canvas[top : top + height, left : left + width] = image
    return canvas


def show_image(ax: Axes, image: np.ndarray) -> None:
    """Draw one picture (h, w, c): grey ones as dark ink on white, colour ones as they are."""
    grey = image.shape[-1] == 1
    ax.imshow(
        image[..., 0] if grey else image,
        cmap="gray_r",
        vmin=0,
        vmax=1,
        # crisp pixels, unless there are more of them than the figure has dots for
        interpolation="nearest" if image.shape[1] < 500 else "auto",
        aspect="equal",
    )
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
    """Draw labelled rows of pictures, one above the other.

    Args:
        rows: label to pictures (n, h, w, c), n the same in every row.
    """
    columns = len(next(iter(rows.values())))
    cell = min(0.85, 7.6 / columns)
    figure, axes = plt.subplots(
        len(rows),
        1,
        figsize=(cell * columns + 1.7, cell * len(rows) + 0.5),
        squeeze=False,
    )
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
    """Draw rows of pictures on the way from one to another, and figures along the way
    below.

    Args:
        rows: label to pictures (n, h, w, c), one a weight.
        weights: positions on the way, 0 to 1, shape (n,).
        lines: label to a figure at each position, shape (n,); the labels are those of
            the rows.
    """
    figure, (above, below) = plt.subplots(
        2,
        1,
        figsize=(9, 3.4 + 0.5 * len(rows)),
        height_ratios=(0.6 + 0.2 * len(rows), 1.2),
    )
    show_image(above, tile(np.concatenate(list(rows.values())), columns=len(weights)))
    height = next(iter(rows.values())).shape[1] + 1
    above.set_yticks(height * (np.arange(len(rows)) + 0.5), rows)
    above.tick_params(length=0)
    above.set_title(title)
    for (label, values), colour in zip(lines.items(), LINES, strict=False):
        below.plot(weights, values, "o-", color=colour, label=label)
    below.set(xlabel="share of the last picture", ylabel=y_label)
    half = 0.5 / (len(weights) - 1)
    below.set_xlim(-half, 1 + half)
    below.legend()
    return figure
