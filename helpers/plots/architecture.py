"""A drawing of a dense autoencoder or VAE."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.plots.pictures import show_image
from helpers.plots.style import BLUE, GREEN, GREY, ORANGE


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
        draw_layer(
            ax, centre - 0.85, -0.52, latent_size, ORANGE, "z_log_var", width=0.95
        )
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
        ax.text(
            position,
            -0.75,
            "" if name == "x" else "close to $x$?",
            ha="center",
            va="top",
        )
    ax.set(xlim=(-0.4, right + 0.4), ylim=(-1.5, 1.25), aspect="equal")
    ax.axis("off")
    return figure


def draw_layer(
    ax: Axes,
    x: float,
    y: float,
    units: int,
    colour: str,
    name: str = "",
    width: float = 0.55,
) -> None:
    """Draw one layer: its number of units in a box whose height grows with their logarithm."""
    height = 0.85 if name else 0.2 * np.log2(units)
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(Rectangle(corner, width, height, color=colour, alpha=0.25, lw=0))
    ax.text(x, y, f"{name}\n{units}".strip(), ha="center", va="center", fontsize=9)
