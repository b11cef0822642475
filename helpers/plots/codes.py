"""Codes in a plane."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike

from helpers.plots.style import class_colours

if TYPE_CHECKING:  # a figure starts no TensorFlow
    from helpers.models import VAE


def code_scatter(
    codes: np.ndarray,
    labels: np.ndarray,
    title: str,
    ax: Axes | None = None,
    legend: bool = True,
) -> Figure:
    """Draw codes (n, 2), coloured by digit or other class (n,).

    Raises:
        ValueError: the codes are not (n, 2) with n labels.
    """
    if np.shape(codes) != (*np.shape(labels), 2):
        raise ValueError(
            "codes must be (n, 2) with n labels, and have the shapes "
            f"{np.shape(codes)} and {np.shape(labels)}: of more latents codes[:, :2] "
            "are the first two, and PCA or t-SNE makes two of many"
        )
    if ax is None:
        _, ax = plt.subplots(figsize=(6.2, 5.4))
    points, colours = shuffled(np.asarray(codes), np.asarray(labels))
    ax.scatter(*points.T, c=colours, s=4, alpha=0.6, linewidths=0)
    if legend:
        digit_legend(ax, labels)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title=title)
    return ax.figure


def shuffled(points: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Return points (..., n, 2) and colours, mixed: no class is painted over others."""
    order = np.random.default_rng(0).permutation(len(labels))
    colours = class_colours(labels)
    mixed = [colours[label] for label in np.asarray(labels)[order].tolist()]
    return np.asarray(points)[..., order, :], mixed


def digit_legend(ax: Axes, labels: ArrayLike = range(10)) -> None:
    """Add the colours of the ten digits, or of other classes, beside the axes."""
    colours = class_colours(labels)
    handles = [Line2D([], [], marker="o", ls="", color=c) for c in colours.values()]
    title = "digit" if list(colours) == list(range(10)) else "class"
    place = {"loc": "center left", "bbox_to_anchor": (1, 0.5)}
    ax.legend(handles, colours, title=title, **place)


def manifold_codes(vae: "VAE", side: int) -> np.ndarray:
    """Return codes (side * side, 2): the unit square's cell centres through the prior.

    The first row has the largest z_2, so that a picture of the grid reads like a map.
    Centres, not edges: the quantiles of 0 and 1 are infinite. Source: Kingma and
    Welling (2013), figure 4.

    Raises:
        ValueError: ``side`` is below 1, or the VAE has not two latents.
    """
    if side < 1 or vae.latent_size != 2:
        raise ValueError(
            "a manifold needs a side of at least 1 and a VAE with 2 latents, and got "
            f"{side} and {vae.latent_size}"
        )
    centres = vae.prior_quantiles((np.arange(side) + 0.5) / side)
    z_1, z_2 = np.meshgrid(centres[:, 0], centres[::-1, 1])
    return np.stack([z_1.ravel(), z_2.ravel()], axis=1)
