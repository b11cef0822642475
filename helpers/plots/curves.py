"""Curves of training, bars of rates."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLUE, GREEN, GREY, ORANGE, set_title


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
            ax.plot(
                steps,
                history[f"val_{key}"][skip:],
                "o-",
                ms=4,
                color=colour,
                label=label,
            )
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


def rate_bars(
    rates: np.ndarray, title: str, ax: Axes | None = None, colour: str = BLUE
) -> Figure:
    """Draw the KL of each latent in nats (d,), sorted from the largest to the smallest."""
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 2.8))
    ax.bar(range(1, len(rates) + 1), np.sort(rates)[::-1], color=colour)
    ax.set(xlabel="latent, sorted by its KL", ylabel="KL (nats)", title=title)
    ax.grid(False, axis="x")
    return ax.figure
