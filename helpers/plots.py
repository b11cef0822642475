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
from matplotlib.patches import Rectangle

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
        "axes.prop_cycle": plt.cycler(color=["#0072B2", "#D55E00", "#009E73", "#777777"]),
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
    handles = [
        Line2D([], [], color="k", ls="--", label="training"),
        Line2D([], [], color="k", marker="o", ms=4, label="held out"),
    ]
    if len(histories) > 1:
        handles += axes[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside right upper")
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
        digit_legend(ax)
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
    x: np.ndarray, hidden: Sequence[int], latent_size: int, variational: bool = False
) -> Figure:
    """Draw a dense autoencoder or VAE for a picture (h, w, 1).

    Args:
        hidden: units of the encoder's hidden layers; the decoder mirrors them.
        variational: draw z_mean, z_log_var and the noise between encoder and decoder.
    """
    figure, ax = plt.subplots(figsize=(9, 2.9))
    centre = 1.3 + len(hidden) * 0.8 + (0.9 if variational else 0.0)
    for index, units in enumerate(hidden):
        offset = centre - 1.2 - 0.8 * index
        draw_layer(ax, centre - offset, 0, units, BLUE)
        draw_layer(ax, centre + offset, 0, units, GREEN)
    if variational:
        draw_layer(ax, centre - 0.85, 0.52, latent_size, ORANGE, "z_mean", width=0.95)
        draw_layer(ax, centre - 0.85, -0.52, latent_size, ORANGE, "z_log_var", width=0.95)
        draw_layer(ax, centre + 0.8, 0, latent_size, ORANGE, "z")
        ax.text(centre + 0.05, 0, "$\\mu + \\sigma\\epsilon$", ha="center", va="center")
        ax.annotate(
            "noise $\\epsilon$",
            (centre + 0.05, 0.15),
            (centre + 0.05, 0.95),
            ha="center",
            arrowprops={"arrowstyle": "->", "color": GREY},
        )
    else:
        draw_layer(ax, centre, 0, latent_size, ORANGE, "code")
    for position, name in ((0.2, "x"), (2 * centre - 0.2, r"\hat x")):
        inset = ax.inset_axes((position - 0.5, -0.5, 1, 1), transform=ax.transData)
        show_image(inset, x if name == "x" else np.zeros_like(x))
        inset.spines[:].set_visible(True)
        ax.text(position, 0.62, f"${name}$: {x.size}", ha="center")
        ax.text(position, -0.75, "" if name == "x" else "close to $x$?", ha="center", va="top")
    for name, colour, side in (("encoder", BLUE, -1), ("decoder", GREEN, 1)):
        offset = centre - 1.2 - 0.4 * (len(hidden) - 1)
        ax.text(centre + side * offset, -1.35, name, color=colour, ha="center", weight="bold")
    ax.set(xlim=(-0.4, 2 * centre + 0.4), ylim=(-1.5, 1.25), aspect="equal")
    ax.axis("off")
    return figure


def draw_layer(
    ax: Axes, x: float, y: float, units: int, colour: str, name: str = "", width: float = 0.55
) -> None:
    """Draw one layer: its number of units in a box whose height grows with their logarithm."""
    height = 0.85 if name else 0.2 * np.log2(units)
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(Rectangle(corner, width, height, color=colour, alpha=0.25, lw=0))
    ax.text(x, y, f"{name}\n{units}".strip(), ha="center", va="center", fontsize=9)


def digit_legend(ax: Axes) -> None:
    """Add the ten digits' colours beside the axes."""
    handles = [Line2D([], [], marker="o", ls="", color=colour) for colour in DIGIT_COLOURS]
    ax.legend(handles, range(10), loc="center left", bbox_to_anchor=(1, 0.5), title="digit")


def walk(
    rows: Mapping[str, np.ndarray],
    weights: np.ndarray,
    lines: Mapping[str, np.ndarray],
    y_label: str,
    title: str,
) -> Figure:
    """Draw rows of pictures on the way from one to another, and figures along the way below.

    Args:
        rows: label to pictures (n, h, w, c), one a weight.
        weights: positions on the way, 0 to 1, shape (n,).
        lines: label to a figure at each position, shape (n,); the labels are those of the rows.
    """
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 4.4), height_ratios=(1, 1.2))
    show_image(above, tile(np.concatenate(list(rows.values())), columns=len(weights)))
    height = next(iter(rows.values())).shape[1] + 1
    above.set_yticks(height * (np.arange(len(rows)) + 0.5), rows)
    above.tick_params(length=0)
    above.set_title(title)
    for (label, values), colour in zip(lines.items(), (GREY, ORANGE, BLUE), strict=False):
        below.plot(weights, values, "o-", color=colour, label=label)
    below.set(xlabel="share of the last picture", ylabel=y_label)
    half = 0.5 / (len(weights) - 1)
    below.set_xlim(-half, 1 + half)
    below.legend()
    return figure
