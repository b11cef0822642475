"""Every static figure of the course: functions that take arrays and return a Matplotlib figure.

Importing this module sets the course's one style. Pictures are float arrays in [0, 1] of shape
(n, height, width, channels); a grid of them is tiled into one array and drawn with one ``imshow``.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, Rectangle

plt.rcParams.update(
    {
        "figure.dpi": 100,
        "savefig.dpi": 100,
        "figure.constrained_layout.use": True,
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "axes.axisbelow": True,
        "legend.frameon": False,
        "lines.linewidth": 2,
    }
)

# Ten colours that readers with colour-blindness can tell apart (after Paul Tol's "muted" scheme).
DIGIT_COLOURS = (
    "#332288",
    "#CC6677",
    "#117733",
    "#DDAA33",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
    "#AA4499",
    "#777777",
)
FAMILY_COLOURS = {"normal": "#0072B2", "laplace": "#D55E00", "exponential": "#009E73"}
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"


def tile(images: np.ndarray, columns: int, gap: int = 1) -> np.ndarray:
    """Return pictures (n, h, w, c) as one array, row by row, with white gaps between."""
    count, height, width, channels = images.shape
    rows = -(-count // columns)
    paper = 0.0 if channels == 1 else 1.0  # grey pictures are drawn as ink on white paper
    canvas = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, channels), paper, np.float32
    )
    for index, image in enumerate(images):
        top, left = (height + gap) * (index // columns), (width + gap) * (index % columns)
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
        interpolation="nearest",
        aspect="equal",
    )
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def image_grid(images: np.ndarray, columns: int, title: str, ax: Axes | None = None) -> Figure:
    """Draw pictures in a grid of so many columns."""
    if ax is None:
        rows = -(-len(images) // columns)
        width = min(9.0, 0.75 * columns)
        _, ax = plt.subplots(figsize=(width, width * rows / columns + 0.4))
    show_image(ax, tile(images, columns))
    ax.set_title(title)
    return ax.figure


def image_rows(
    rows: Mapping[str, np.ndarray], title: str, captions: Mapping[str, Sequence[str]] | None = None
) -> Figure:
    """Draw labelled rows of pictures, one above the other.

    Args:
        rows: label to pictures (n, h, w, c), n the same in every row.
        captions: label to n short texts, written under the pictures of that row.
    """
    captions = captions or {}
    columns = len(next(iter(rows.values())))
    cell = min(0.85, 7.6 / columns)
    heights = [cell + (0.22 if label in captions else 0.0) for label in rows]
    figure, axes = plt.subplots(
        len(rows),
        1,
        figsize=(cell * columns + 1.7, sum(heights) + 0.5),
        height_ratios=heights,
        squeeze=False,
    )
    for ax, (label, images) in zip(axes[:, 0], rows.items(), strict=True):
        show_image(ax, tile(images, columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
        step = images.shape[2] + 1
        for index, text in enumerate(captions.get(label, ())):
            ax.text(
                step * index + images.shape[2] / 2,
                images.shape[1] + 1,
                text,
                ha="center",
                va="top",
                fontsize=9,
            )
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def learning_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    panels: Mapping[str, str],
    title: str,
    log: bool = False,
    skip: int = 0,
) -> Figure:
    """Draw figures against steps: training dashed, held out solid.

    Args:
        histories: label to what ``training.train`` returned.
        panels: history key to the label of the y axis, one panel each.
        skip: rounds to leave out at the start, where the figures are off the scale.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 3.6), squeeze=False)
    for ax, (key, y_label) in zip(axes[0], panels.items(), strict=True):
        for (label, history), colour in zip(
            histories.items(), (BLUE, ORANGE, GREEN, GREY), strict=False
        ):
            steps = history["step"][skip:]
            ax.plot(steps, history[key][skip:], "--", color=colour, alpha=0.6)
            ax.plot(steps, history[f"val_{key}"][skip:], "o-", ms=4, color=colour, label=label)
        ax.set(xlabel="optimiser steps", ylabel=y_label, yscale="log" if log else "linear")
    handles = [Line2D([], [], color="k", ls="--"), Line2D([], [], color="k", marker="o", ms=4)]
    first = axes[0, 0].legend(handles, ["training", "held out"], loc="upper right")
    if len(histories) > 1:
        axes[0, -1].legend(loc="center right")
        axes[0, 0].add_artist(first)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def code_scatter(
    codes: np.ndarray, labels: np.ndarray, title: str, ax: Axes | None = None, legend: bool = True
) -> Figure:
    """Draw two-dimensional codes (n, 2), coloured by digit (n,)."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.2, 5.4))
    order = np.random.default_rng(0).permutation(len(codes))  # no class is painted over the others
    colours = np.asarray(DIGIT_COLOURS)[labels[order]]
    ax.scatter(*codes[order].T, c=colours, s=4, alpha=0.6, linewidths=0)
    if legend:
        handles = [Line2D([], [], marker="o", ls="", color=c) for c in DIGIT_COLOURS]
        ax.legend(handles, range(10), loc="center left", bbox_to_anchor=(1, 0.5), title="digit")
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title=title)
    return ax.figure


def manifold_codes(quantile: Callable[[np.ndarray], np.ndarray], side: int) -> np.ndarray:
    """Return codes (side * side, 2): the unit square's cell centres through a prior's quantile.

    The first row has the largest z_2, so that a picture of the grid reads like a map. Centres, not
    edges: the quantiles of 0 and 1 are infinite. Source: Kingma and Welling (2013), figure 4.
    """
    centres = quantile((np.arange(side) + 0.5) / side)
    z_1, z_2 = np.meshgrid(centres, centres[::-1])
    return np.stack([z_1.ravel(), z_2.ravel()], axis=1).astype(np.float32)


def rate_bars(rates: np.ndarray, title: str, ax: Axes | None = None, colour: str = BLUE) -> Figure:
    """Draw the KL of each latent in nats (d,), sorted from the largest to the smallest."""
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 2.8))
    ax.bar(range(1, len(rates) + 1), np.sort(rates)[::-1], color=colour)
    ax.set(xlabel="latent, sorted by its KL", ylabel="KL (nats)", title=title)
    ax.grid(False, axis="x")
    return ax.figure


def architecture(
    x: np.ndarray, output: np.ndarray, hidden: Sequence[int], latent_size: int, variational: bool
) -> Figure:
    """Draw a dense autoencoder or VAE from a real picture (h, w, 1) to a real output.

    Args:
        hidden: units of the encoder's hidden layers; the decoder mirrors them.
        variational: draw z_mean, z_log_var and the noise between encoder and decoder.
    """
    figure, ax = plt.subplots(figsize=(9, 3.1))
    names = ["z_mean", "z_log_var"] if variational else ["code"]
    columns = len(hidden)
    middle = 1.1 + 0.75 * columns + (0.95 if variational else 0.35)
    for index, units in enumerate(hidden):
        for side in (-1, 1):
            position = middle + side * (middle - 1.1 - 0.75 * index)
            draw_block(ax, position, 0, units, str(units), BLUE if side < 0 else GREEN)
    if variational:
        for name, height in zip(names, (0.62, -0.62), strict=True):
            draw_block(
                ax, middle - 0.75, height, latent_size, f"{name}\n{latent_size}", ORANGE, 0.85
            )
        draw_block(ax, middle + 0.75, 0, latent_size, f"z\n{latent_size}", ORANGE)
        ax.text(
            middle, 0, "sample\n$z=\\mu+\\sigma\\epsilon$", ha="center", va="center", fontsize=9
        )
        ax.text(middle, -1.25, r"noise $\epsilon \sim N(0, I)$", ha="center", fontsize=9)
    else:
        draw_block(ax, middle, 0, latent_size, f"code\n{latent_size}", ORANGE)
    for position, picture, name in ((0.1, x, "x"), (2 * middle - 0.1, output, "reconstruction")):
        inset = ax.inset_axes((position - 0.5, -0.5, 1, 1), transform=ax.transData)
        show_image(inset, picture)
        ax.text(position, 0.6, f"{name}\n{picture.size} pixels", ha="center", fontsize=9)
    ax.text((1.1 + middle) / 2 - 0.4, -1.35, "encoder", color=BLUE, ha="center", weight="bold")
    ax.text((3 * middle - 1.1) / 2 + 0.4, -1.35, "decoder", color=GREEN, ha="center", weight="bold")
    ax.add_patch(
        FancyArrowPatch(
            (0.7, -1.1), (2 * middle - 0.7, -1.1), arrowstyle="->", mutation_scale=12, color=GREY
        )
    )
    ax.set(xlim=(-0.6, 2 * middle + 0.6), ylim=(-1.5, 1.3), aspect="equal")
    ax.axis("off")
    return figure


def draw_block(
    ax: Axes, x: float, y: float, units: int, text: str, colour: str, width: float = 0.5
) -> None:
    """Draw one layer: a box whose height grows with the logarithm of its units."""
    height = 0.55 + 0.14 * np.log2(units)
    if "\n" in text:
        height = 0.62
    box = Rectangle((x - width / 2, y - height / 2), width, height, color=colour, alpha=0.25, lw=0)
    ax.add_patch(box)
    ax.text(x, y, text, ha="center", va="center", fontsize=9)
