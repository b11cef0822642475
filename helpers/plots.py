"""Every static figure of the course: functions that take arrays and return a Matplotlib figure.

Importing this module sets the course's one style. Pictures are float arrays in [0, 1] of shape
(n, height, width, channels); a grid of them is tiled into one array and drawn with one ``imshow``.
"""

from collections.abc import Callable, Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection
from matplotlib.colors import to_rgb
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
# As far apart as eleven colours get, with colour-blindness too; kin have kindred hues.
FAMILY_COLOURS = {
    "normal": "#0072B2",
    "mixture": "#66AAFF",
    "vamp": "#332288",
    "laplace": "#D55E00",
    "logistic": "#E6B800",
    "student_t": "#882255",
    "exponential": "#009E73",
    "shifted_exponential": "#8FD175",
    "weibull": "#000000",
    "kumaraswamy": "#FF77BB",
    "power_spherical": "#AA44EE",
}
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
LINES = (GREY, ORANGE, BLUE, GREEN)


def family_colour(name: str) -> str:
    """Return a latent family's colour; grey for a reader's own."""
    return FAMILY_COLOURS.get(name, GREY)


def set_title(figure: Figure, title: str) -> None:
    """Write the finding over the whole figure, in the course's style."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")


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
        # crisp pixels, unless there are more of them than the figure has dots for
        interpolation="nearest" if image.shape[1] < 500 else "auto",
        aspect="equal",
    )
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    ax.spines[:].set_visible(False)


def image_grid(images: np.ndarray, columns: int, title: str, ax: Axes | None = None) -> Figure:
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
        len(rows), 1, figsize=(cell * columns + 1.7, cell * len(rows) + 0.5), squeeze=False
    )
    for ax, (label, images) in zip(axes[:, 0], rows.items(), strict=True):
        show_image(ax, tile(images, columns))
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    set_title(figure, title)
    return figure


def learning_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    panels: Mapping[str, str],
    title: str,
    log: bool = False,
    skip: int = 0,
    steps_an_epoch: float | None = None,
) -> Figure:
    """Draw figures against steps: training dashed, held out solid.

    Args:
        histories: label to what ``training.train`` returned.
        panels: history key to the label of the y axis, one panel each.
        skip: rounds to leave out at the start, where the figures are off the scale.
        steps_an_epoch: where given, count in epochs of so many steps.
    """
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 3.6), squeeze=False)
    for ax, (key, y_label) in zip(axes[0], panels.items(), strict=True):
        for (label, history), colour in zip(
            histories.items(), (BLUE, ORANGE, GREEN, GREY), strict=False
        ):
            steps = history["step"][skip:] / (steps_an_epoch or 1)
            ax.plot(steps, history[key][skip:], "--", color=colour, alpha=0.6)
            ax.plot(steps, history[f"val_{key}"][skip:], "o-", ms=4, color=colour, label=label)
        x_label = "epochs" if steps_an_epoch else "optimiser steps"
        ax.set(xlabel=x_label, ylabel=y_label, yscale="log" if log else "linear")
    handles = [
        Line2D([], [], color="k", ls="--", label="training"),
        Line2D([], [], color="k", marker="o", ms=4, label="held out"),
    ]
    if len(histories) > 1:
        handles += axes[0, 0].get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside right upper")
    set_title(figure, title)
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

    Raises:
        ValueError: ``side`` is below 1.
    """
    if side < 1:
        raise ValueError(f"side must be at least 1, and is {side}")
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
    x: np.ndarray,
    hidden: Sequence[int],
    decoder_hidden: Sequence[int],
    latent_size: int,
    variational: bool = False,
) -> Figure:
    """Draw a dense autoencoder or VAE for a picture (h, w, 1).

    Args:
        hidden, decoder_hidden: units of the hidden layers, from left to right.
        variational: draw z_mean, z_log_var and the noise between encoder and decoder.
    """
    figure, ax = plt.subplots(figsize=(9, 2.9))
    beside = 1.3 + (0.9 if variational else 0.0)
    centre = beside + 0.8 * len(hidden)
    right = centre + beside + 0.8 * len(decoder_hidden)
    first = right - 1.2 - 0.8 * (len(decoder_hidden) - 1)
    parts = ("encoder", hidden, 1.2, BLUE), ("decoder", decoder_hidden, first, GREEN)
    for name, sizes, start, colour in parts:
        for index, units in enumerate(sizes):
            draw_layer(ax, start + 0.8 * index, 0, units, colour)
        middle = start + 0.4 * (len(sizes) - 1)
        ax.text(middle, -1.35, name, color=colour, ha="center", weight="bold")
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
    for position, name in ((0.2, "x"), (right - 0.2, r"\hat x")):
        inset = ax.inset_axes((position - 0.5, -0.5, 1, 1), transform=ax.transData)
        show_image(inset, x if name == "x" else np.zeros_like(x))
        inset.spines[:].set_visible(True)
        ax.text(position, 0.62, f"${name}$: {x.size}", ha="center")
        ax.text(position, -0.75, "" if name == "x" else "close to $x$?", ha="center", va="top")
    ax.set(xlim=(-0.4, right + 0.4), ylim=(-1.5, 1.25), aspect="equal")
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
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(9, 3.4 + 0.5 * len(rows)), height_ratios=(0.6 + 0.2 * len(rows), 1.2)
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


# 01 The paper's mathematics


def latent_model(
    z: np.ndarray,
    prior: np.ndarray,
    curve: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    density: np.ndarray,
    extent: Sequence[float],
    marks: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw a model with one latent and two data dimensions: prior, decoder with samples, p(x).

    Args:
        z, prior, curve: grid (n,), prior density (n,), decoded means (n, 2).
        samples: latents (m,) and data points (m, 2).
        density: p(x) at rows of x_2 by columns of x_1, evenly over ``extent``.
        marks: letter to the data point it stands for.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[0.8, 1.2, 1.2])
    seen = np.abs(z) < 3.3
    points = {"c": z[seen], "cmap": "coolwarm", "vmin": -2.5, "vmax": 2.5, "s": 5, "lw": 0}
    axes[0].scatter(z[seen], prior[seen], **points)
    axes[0].set(title="Draw z from p(z)", xlabel="z", ylabel="p(z)", ylim=(0, None))
    axes[0].set(xticks=[-2, 0, 2], yticks=[0, 0.2, 0.4])
    axes[1].scatter(*curve[seen].T, **points)
    axes[1].scatter(*samples[1].T, **(points | {"c": samples[0], "s": 9}))
    axes[1].set(title="Decode it, add noise", xlabel="$x_1$", ylabel="$x_2$")
    rows, columns = density.shape
    first, second = np.linspace(*extent[:2], columns), np.linspace(*extent[2:], rows)
    levels = density.max() * np.array([0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01])
    axes[2].contourf(first, second, density, levels, cmap="Greys", antialiased=False)
    axes[2].set(title="Integrate z out: p(x)", xlabel="$x_1$", ylabel="$x_2$")
    axes[2].grid(False)
    for letter, (first, second) in marks.items():
        axes[2].plot(first, second, "o", color=ORANGE, ms=6)
        axes[2].annotate(
            letter,
            (first, second),
            (6, 6),
            textcoords="offset points",
            color=ORANGE,
            weight="bold",
            fontsize=13,
        )
    for ax in axes[1:]:
        ax.set(xlim=extent[:2], ylim=extent[2:], xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return figure


def posteriors(
    z: np.ndarray,
    exact: Mapping[str, np.ndarray],
    fits: Sequence[np.ndarray],
    gaps: Sequence[float],
) -> Figure:
    """Draw true posteriors (n,) with the best normal q (n,) over each, and the gap in nats."""
    figure, axes = plt.subplots(1, len(exact), figsize=(9, 3.1), sharey=True)
    for ax, (name, density), fit, gap in zip(axes, exact.items(), fits, gaps, strict=True):
        ax.fill_between(z, density, color=ORANGE, alpha=0.35, lw=0, label="posterior p(z|x)")
        ax.plot(z, fit, color=BLUE, label="best normal q(z|x)")
        ax.set(title=f"{name}\ngap {gap:.2f} nats", xlabel="z", xlim=(-2.2, 2.2), ylim=(0, 6.2))
        ax.set(xticks=[-2, 0, 2], yticks=[0, 3, 6])
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left", fontsize=10)
    return figure


def dots_and_lines(
    ax: Axes,
    x: np.ndarray,
    exact: Mapping[str, np.ndarray],
    at: np.ndarray,
    measured: Mapping[str, np.ndarray],
) -> None:
    """Draw each exact curve (n,) over x as a line, and what was measured (m,) as dots."""
    for (label, line), colour in zip(exact.items(), LINES, strict=False):
        ax.plot(x, line, color=colour, label=label)
        ax.plot(at, measured[label], "o", color=colour, ms=6)


def ellipse(mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the points (100, 2) two standard deviations away from a normal's mean."""
    angle = np.linspace(0, 2 * np.pi, 100)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return mean + 2 * circle @ np.linalg.cholesky(covariance).T


def turned_posteriors(
    shown: Mapping[float, tuple[np.ndarray, np.ndarray]],
    turns: np.ndarray,
    log_px: np.ndarray,
    bound: np.ndarray,
) -> Figure:
    """Draw posteriors and best diagonal q for some turns, and the bound against all turns.

    Args:
        shown: turn in degrees to two covariances (2, 2): of the posterior, of q.
        turns, log_px, bound: degrees (n,) and nats (n,).
    """
    figure, axes = plt.subplots(1, len(shown) + 1, figsize=(9, 3.2), width_ratios=[1, 1, 1, 1.5])
    for ax, (turn, covariances) in zip(axes, shown.items(), strict=False):
        for covariance, colour in zip(covariances, (ORANGE, BLUE), strict=True):
            ax.plot(*ellipse(np.zeros(2), covariance).T, color=colour, lw=2.5)
        ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[-1, 0, 1])
        ax.set(yticks=[-1, 0, 1], title=f"turn {turn}°", xlabel="$z_1$")
        ax.tick_params(labelleft=ax is axes[0])
    axes[0].set_ylabel("$z_2$")
    last = axes[-1]
    last.plot(turns, log_px, color="k")
    last.plot(turns, bound, color=BLUE)
    last.fill_between(turns, bound, log_px, color=BLUE, alpha=0.15, lw=0)
    last.text(45, (bound.min() + log_px[0]) / 2, "gap", ha="center", color=BLUE, fontsize=13)
    last.set_yticks([-4, -3.5])
    last.set(xlabel="turn (degrees)", ylabel="nats", xticks=[0, 45, 90], title="ln p(x), ELBO")
    last.set_ylim(bound.min() - 0.15, log_px[0] + 0.15)
    handles = [Line2D([], [], color=colour) for colour in ("k", ORANGE, BLUE)]
    names = ["exact ln p(x)", "posterior", "best diagonal q, and its ELBO"]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    set_title(figure, "Turning the latents leaves p(x) alone, and moves the bound")
    return figure


def paths(
    routes: Mapping[str, np.ndarray],
    gaps: Mapping[str, np.ndarray],
    centre: np.ndarray,
    covariance: np.ndarray,
) -> Figure:
    """Draw the means (steps, 2) that optimisers visited, and their gaps in nats (steps,).

    Args:
        centre, covariance: of the posterior; the contours are those of the gap in the mean.
    """
    figure, (ground, decay) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1, 1.15])
    everything = np.concatenate(list(routes.values()))
    low, high = everything.min(axis=0) - 0.3, everything.max(axis=0) + 0.3
    z = np.stack(
        np.meshgrid(*[np.linspace(a, b, 120) for a, b in zip(low, high, strict=True)]), axis=-1
    )
    away = z - centre
    gap = 0.5 * np.einsum("...i,ij,...j", away, np.linalg.inv(covariance), away)
    ground.contour(z[..., 0], z[..., 1], gap, [1, 4, 9, 16], colors="#cccccc", linewidths=1)
    for (label, route), colour in zip(routes.items(), LINES, strict=True):
        ground.plot(*route.T, color=colour, lw=1.3, alpha=0.9)
        steps = np.arange(0, len(gaps[label]), 20)
        decay.plot(steps, gaps[label][steps], color=colour, label=label)
    ground.plot(*centre, "*", color="k", ms=13, zorder=5)
    ground.set(
        xlabel="mean of q, $\\mu_1$",
        ylabel="mean of q, $\\mu_2$",
        title="The score function staggers",
    )
    ground.set(aspect="equal")
    ground.locator_params(nbins=4)
    ground.grid(False)
    decay.set(yscale="log", xlabel="steps of ten samples", ylabel="gap (nats)")
    decay.set(title="Only two reach the summit", ylim=(1e-14, 100))
    decay.set(xticks=[0, 200, 400, 600], yticks=[1e-12, 1e-8, 1e-4, 1])
    decay.minorticks_off()
    decay.legend(loc="lower left", fontsize=10)
    return figure


def chain(
    times: np.ndarray,
    x: np.ndarray,
    densities: np.ndarray,
    lengths: np.ndarray,
    gaps: Mapping[str, np.ndarray],
) -> Figure:
    """Draw the marginals of a diffusion chain, and its bound's gap against its length.

    Args:
        times, x, densities: steps (n,), data axis (m,), q(x_t) of shape (m, n).
        lengths, gaps: numbers of steps (k,), and label to mean gap in nats (k,).
    """
    figure, (flow, gap) = plt.subplots(1, 2, figsize=(9, 3.4))
    flow.contourf(times, x, densities, 9, cmap="Blues", antialiased=False)
    flow.set(xlabel="step t", ylabel="$x_t$", title="Data (left) dissolve into N(0, 1)")
    flow.set(xticks=[0, 20, 40], yticks=[-2, 0, 2])
    flow.grid(False)
    for (label, values), colour, marker in zip(gaps.items(), (BLUE, ORANGE), "so", strict=True):
        gap.plot(lengths, values, marker + "-", color=colour, label=label)
    gap.set(xscale="log", xlabel="steps T of the chain", ylabel="ln p(x) minus the bound (nats)")
    gap.set(title="The exact reverse has no gap", xticks=lengths, xticklabels=lengths)
    gap.set_yticks([0, 0.2, 0.4])
    gap.minorticks_off()
    gap.legend(title="reverse variance")
    return figure


# 05 The latent space


def posterior_ellipses(
    ax: Axes, means: np.ndarray, deviations: np.ndarray, labels: np.ndarray
) -> None:
    """Draw q(z|x) of some digits as ellipses two standard deviations out, coloured by digit.

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
    points: np.ndarray, pictures: np.ndarray, labels: np.ndarray, title: str, cells: int = 36
) -> Figure:
    """Draw grey pictures (n, h, w, 1) at their points (n, 2), in the colours of their digits.

    The map is cut into ``cells`` by ``cells`` squares, and each shows the first picture in it.
    """
    low, size = points.min(axis=0), np.ptp(points, axis=0).max() * 1.0001 / cells
    columns, rows = ((points - low) / size).astype(int).T
    _, first = np.unique(columns * cells + rows, return_index=True)
    height, width = pictures.shape[1:3]
    canvas = np.ones(((rows.max() + 1) * height, (columns.max() + 1) * width, 3), np.float32)
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
    """Draw each latent's aggregate posterior as an area, and the prior as a line over it.

    Args:
        z, prior: grid and density, (m,).
        aggregates: densities (d, m), one panel each.
        captions: what stands over each panel.
    """
    rows = -(-len(aggregates) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(9, 1.15 * rows + 0.4), sharex=True, sharey=True, squeeze=False
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
