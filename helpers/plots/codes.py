"""Codes in a plane."""


import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import DIGIT_COLOURS


def code_scatter(
    codes: np.ndarray,
    labels: np.ndarray,
    title: str,
    ax: Axes | None = None,
    legend: bool = True,
) -> Figure:
    """Draw two-dimensional codes (n, 2), coloured by digit (n,)."""
    if ax is None:
        _, ax = plt.subplots(figsize=(6.2, 5.4))
    order = np.random.default_rng(0).permutation(
        len(codes)
    )  # no class is painted over the others
    colours = np.asarray(DIGIT_COLOURS)[labels[order]]
    ax.scatter(*codes[order].T, c=colours, s=4, alpha=0.6, linewidths=0)
    if legend:
        digit_legend(ax)
    ax.set(xlabel="$z_1$", ylabel="$z_2$", aspect="equal", title=title)
    return ax.figure


def manifold_codes(vae, side: int) -> np.ndarray:
    """Return codes (side * side, 2): the unit square's cell centres through the prior.

    The first row has the largest z_2, so that a picture of the grid reads like a map.
    Centres, not edges: the quantiles of 0 and 1 are infinite. Source: Kingma and
    Welling (2013), figure 4.

    Args:
        vae: a VAE with two latents.

    Raises:
        ValueError: ``side`` is below 1, or the VAE has more or fewer latents.
    """
    if side < 1 or vae.latent_size != 2:
        raise ValueError(
            "a manifold needs a side of at least 1 and a VAE with 2 latents, and got "
            f"{side} and {vae.latent_size}"
        )
    centres = vae.prior_quantiles((np.arange(side) + 0.5) / side)
    z_1, z_2 = np.meshgrid(centres[:, 0], centres[::-1, 1])
    return np.stack([z_1.ravel(), z_2.ravel()], axis=1)


def digit_legend(ax: Axes) -> None:
    """Add the ten digits' colours beside the axes."""
    handles = [
        Line2D([], [], marker="o", ls="", color=colour) for colour in DIGIT_COLOURS
    ]
    ax.legend(
        handles, range(10), loc="center left", bbox_to_anchor=(1, 0.5), title="digit"
    )
