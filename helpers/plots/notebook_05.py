"""Figures that only notebook 05 draws."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from helpers.plots.pictures import show_image
from helpers.plots.style import BLUE, DIGIT_COLOURS, ORANGE, set_title


def posterior_ellipses(
    ax: Axes, means: np.ndarray, deviations: np.ndarray, labels: np.ndarray
) -> None:
    """Draw q(z|x) of some digits as ellipses two standard deviations out, coloured by
    digit.

    Args:
        means, deviations: of each latent, (n, 2).
    """
    colours = np.asarray(DIGIT_COLOURS)[labels]
    ellipses = EllipseCollection(
        *(4 * deviations.T),  # whole widths
        np.zeros(len(means)),
        units="xy",
        offsets=means,
        offset_transform=ax.transData,
        facecolors=[(*to_rgb(colour), 0.25) for colour in colours],
        edgecolors=colours,
        linewidths=1,
    )
    ax.add_collection(ellipses)


def thumbnail_map(
    points: np.ndarray,
    pictures: np.ndarray,
    labels: np.ndarray,
    title: str,
    cells: int = 36,
) -> Figure:
    """Draw grey pictures (n, h, w, 1) at their points (n, 2), in the colours of their
    digits.

    The map is cut into ``cells`` by ``cells`` squares, and each shows the first picture
    in it.
    """
    low, size = points.min(axis=0), np.ptp(points, axis=0).max() * 1.0001 / cells
    columns, rows = ((points - low) / size).astype(int).T
    _, first = np.unique(columns * cells + rows, return_index=True)
    height, width = pictures.shape[1:3]
    canvas = np.ones(
        ((rows.max() + 1) * height, (columns.max() + 1) * width, 3), np.float32
    )
    for index in first:
        ink = pictures[index] * (1 - np.array(to_rgb(DIGIT_COLOURS[labels[index]])))
        top, left = (rows.max() - rows[index]) * height, columns[index] * width
        canvas[top : top + height, left : left + width] = 1 - ink
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
    """Draw each latent's aggregate posterior as an area, and the prior as a line over
    it.

    Args:
        z, prior: grid and density, (m,).
        aggregates: densities (d, m), one panel each.
        captions: what stands over each panel.
    """
    rows = -(-len(aggregates) // columns)
    figure, axes = plt.subplots(
        rows,
        columns,
        figsize=(9, 1.15 * rows + 0.4),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for ax in axes.flat[len(aggregates) :]:
        ax.set_axis_off()
    for ax, density, caption in zip(axes.flat, aggregates, captions, strict=False):
        ax.fill_between(z, density, color=BLUE, alpha=0.4, lw=0)
        ax.plot(z, prior, color=ORANGE, lw=1.2)
        ax.set_title(caption, fontsize=9, fontweight="normal")
        ax.set(yticks=[], ylim=(0, None), xlim=(z[0], z[-1]))
        ax.tick_params(labelsize=8)
        ax.spines["left"].set_visible(False)
    set_title(figure, title)
    return figure
