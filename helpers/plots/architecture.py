"""A drawing of a dense autoencoder or VAE."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from helpers.plots.pictures import show_image
from helpers.plots.style import BLUE, GREEN, GREY, ORANGE

if TYPE_CHECKING:  # a figure starts no TensorFlow
    from helpers.models import VAE, Autoencoder

STEP = 0.8  # from a hidden layer to the next


def architecture(model: "Autoencoder | VAE", x: np.ndarray) -> Figure:
    """Draw a dense ``Autoencoder`` or ``VAE`` and its answer to a picture (h, w, c).

    Raises:
        ValueError: a layer with weights is not dense.
    """
    family = getattr(model, "family", None)
    names = family.parameter_names if family else ("code",)
    hidden, later = widths(model.encoder)[: -len(names)], widths(model.decoder)[:-1]
    figure, ax = plt.subplots(figsize=(9, 2.9))
    beside = 2.2 if family else 1.3  # room on either side of the code
    centre = beside + STEP * len(hidden)
    right = centre + beside + STEP * len(later)
    first = right - 1.2 - STEP * (len(later) - 1)
    stacks = ("encoder", hidden, 1.2, BLUE), ("decoder", later, first, GREEN)
    for name, units, start, colour in stacks:
        for index, count in enumerate(units):
            draw_layer(ax, start + STEP * index, 0, count, colour)
        middle = start + STEP / 2 * (len(units) - 1)
        ax.text(middle, -1.35, name, color=colour, ha="center", weight="bold")
    if family:
        draw_sampling(ax, centre, model.latent_size, names)
    else:
        draw_layer(ax, centre, 0, model.latent_size, ORANGE, "code")
    back = model.reconstruct(x[np.newaxis])[0]
    ends = (0.2, x, "x", ""), (right - 0.2, back, r"\hat x", "close to $x$?")
    for place, picture, name, below in ends:
        inset = ax.inset_axes((place - 0.5, -0.5, 1, 1), transform=ax.transData)
        show_image(inset, picture)
        inset.spines[:].set_visible(True)
        ax.text(place, 0.62, f"${name}$: {x.size}", ha="center")
        ax.text(place, -0.75, below, ha="center", va="top")
    ax.set(xlim=(-0.4, right + 0.4), ylim=(-1.5, 1.25), aspect="equal")
    ax.axis("off")
    return figure


def widths(network) -> list[int]:
    """Return the units of every layer with weights, or raise ValueError."""
    layers = [layer for layer in network.layers if layer.weights]
    others = [layer.name for layer in layers if not hasattr(layer, "units")]
    if others:
        raise ValueError(f"architecture draws dense layers only, and found {others}")
    return [layer.units for layer in layers]


def draw_sampling(ax: Axes, x: float, size: int, names: Sequence[str]) -> None:
    """Draw the posterior's parameters, the noise and z."""
    for index, name in enumerate(names):
        y = 1.04 * ((len(names) - 1) / 2 - index)
        draw_layer(ax, x - 0.85, y, size, ORANGE, name, width=0.95)
    draw_layer(ax, x + 0.8, 0, size, ORANGE, "z")
    way = r"$\mu + \sigma\epsilon$" if names[-1] == "z_log_var" else "sample"
    ax.text(x + 0.05, 0, way, ha="center", va="center")
    arrow, above = {"arrowstyle": "->", "color": GREY}, (x + 0.05, 0.95)
    noise = r"noise $\epsilon$"
    ax.annotate(noise, (x + 0.05, 0.15), above, ha="center", arrowprops=arrow)


def draw_layer(
    ax: Axes, x: float, y: float, units: int, colour: str, name="", width=0.55
) -> None:
    """Draw a box whose height grows with the logarithm of the units."""
    height = 0.85 if name else 0.2 * np.log2(units)
    corner = (x - width / 2, y - height / 2)
    ax.add_patch(Rectangle(corner, width, height, color=colour, alpha=0.25, lw=0))
    ax.text(x, y, f"{name}\n{units}".strip(), ha="center", va="center", fontsize=9)
