"""Figures that only notebook 05 draws."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgba_array
from matplotlib.figure import Figure

from helpers.plots.pictures import show_image
from helpers.plots.style import BLUE, ORANGE, class_colours, set_title


def posterior_ellipses(
    ax: Axes, means: np.ndarray, deviations: np.ndarray, labels: np.ndarray
) -> None:
    """Draw each q(z|x), of means and deviations (n, 2), two deviations out."""
    colours = class_colours(labels)
    edges = to_rgba_array([colours[label] for label in labels])
    sizes = (*(4 * deviations.T), np.zeros(len(means)))  # whole widths, and no turn
    place = {"units": "xy", "offsets": means, "offset_transform": ax.transData}
    look = {"facecolors": edges * [1, 1, 1, 0.25], "edgecolors": edges, "linewidths": 1}
    ax.add_collection(EllipseCollection(*sizes, **place, **look))


def thumbnail_map(
    points: np.ndarray,
    pictures: np.ndarray,
    labels: np.ndarray,
    title: str,
    cells: int = 36,
) -> Figure:
    """Draw grey pictures (n, h, w, 1) at their points (n, 2), coloured by class (n,).

    Each of ``cells`` by ``cells`` squares shows the first picture in it.
    """
    low, size = points.min(axis=0), np.ptp(points, axis=0).max() * 1.0001 / cells
    columns, rows = ((points - low) / size).astype(int).T
    _, first = np.unique(columns * cells + rows, return_index=True)
    height, width = pictures.shape[1:3]
    shape = ((rows.max() + 1) * height, (columns.max() + 1) * width, 3)
    canvas, colours = np.ones(shape, np.float32), class_colours(labels)
    for index in first:
        (ink,) = to_rgba_array(colours[labels[index]])[:, :3]
        top, left = (rows.max() - rows[index]) * height, columns[index] * width
        thumbnail = 1 - pictures[index] * (1 - ink)
        canvas[top : top + height, left : left + width] = thumbnail
    _, ax = plt.subplots(figsize=(9, 9 * canvas.shape[0] / canvas.shape[1] + 0.4))
    show_image(ax, canvas)
    ax.set_title(title)
    return ax.figure


def aggregate_posteriors(
    z: np.ndarray,
    prior: np.ndarray,
    aggregates: np.ndarray,
    captions: Sequence[str],
    title: str,
    columns: int = 8,
) -> Figure:
    """Draw aggregate posteriors (d, m) as areas, each with its caption, under a line.

    The line is the prior's density, (m,) over the grid z (m,).
    """
    rows, count = -(-len(aggregates) // columns), len(aggregates)
    share = {"sharex": True, "sharey": True, "squeeze": False}
    figure, axes = plt.subplots(rows, columns, figsize=(9, 1.15 * rows + 0.4), **share)
    for ax in axes.flat[count:]:
        ax.set_axis_off()
    panels = zip(axes.flat[:count], aggregates, captions, strict=True)
    for ax, density, caption in panels:
        ax.fill_between(z, density, color=BLUE, alpha=0.4, lw=0)
        ax.plot(z, prior, color=ORANGE, lw=1.2)
        ax.set_title(caption, fontsize=9, fontweight="normal")
        ax.set(yticks=[], ylim=(0, None), xlim=(z[0], z[-1]))
        ax.tick_params(labelsize=8)
        ax.spines["left"].set_visible(False)
    set_title(figure, title)
    return figure
