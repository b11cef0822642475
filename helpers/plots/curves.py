"""Curves of training, bars of rates."""

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLUE, GREEN, GREY, ORANGE, palette, set_title


def learning_curves(
    histories: Mapping[str, Mapping[str, np.ndarray]],
    panels: Mapping[str, str],
    title: str,
    log: bool = False,
    skip: int = 0,
    steps_an_epoch: float | None = None,
) -> Figure:
    """Draw figures against steps: training dashed, held out (where there is any) solid.

    Args:
        histories: label to what ``training.train`` returned.
        panels: history key to the label of the y axis, one panel each.
        skip: rounds to leave out at the start, where the figures are off the scale.
        steps_an_epoch: where given, count in epochs of so many steps.

    Raises:
        ValueError: there is no history or no panel, or a history lacks a panel's
            figure or the steps.
    """
    check_histories(histories, panels)
    figure, axes = plt.subplots(1, len(panels), figsize=(9, 3.6), squeeze=False)
    colours = palette(len(histories), (BLUE, ORANGE, GREEN, GREY))
    dots, held_out = {"ls": "-", "marker": "o", "ms": 4}, False
    for ax, (key, y_label) in zip(axes[0], panels.items(), strict=True):
        for history, colour in zip(histories.values(), colours, strict=True):
            steps = np.asarray(history["step"][skip:]) / (steps_an_epoch or 1)
            ax.plot(steps, history[key][skip:], "--", color=colour, alpha=0.6)
            if f"val_{key}" in history:
                ax.plot(steps, history[f"val_{key}"][skip:], color=colour, **dots)
                held_out = True
        x_label = "epochs" if steps_an_epoch else "optimiser steps"
        ax.set(xlabel=x_label, ylabel=y_label, yscale="log" if log else "linear")
    handles = [Line2D([], [], color="k", ls="--", label="training")]
    if held_out:
        handles.append(Line2D([], [], color="k", label="held out", **dots))
    if len(histories) > 1:
        for label, colour in zip(histories, colours, strict=True):
            handles.append(Line2D([], [], color=colour, label=label, **dots))
    figure.legend(handles=handles, loc="outside right upper")
    set_title(figure, title)
    return figure


def check_histories(histories: Mapping, panels: Mapping[str, str]) -> None:
    """Raise ValueError unless every history has what is to be drawn."""
    if not histories or not panels:
        raise ValueError(
            "there must be a history and a panel to draw, and they are "
            f"{list(histories)} and {list(panels)}"
        )
    for label, history in histories.items():
        if missing := [key for key in ("step", *panels) if key not in history]:
            raise ValueError(
                f"the history {label!r} lacks {missing}, and has {list(history)}: "
                "training.train returns one with steps; to what Keras's fit returns, "
                "history.history, add them"
            )


def rate_bars(rates: np.ndarray, title: str, ax: Axes | None = None) -> Figure:
    """Draw the KL of each latent in nats (d,), from the largest to the smallest."""
    if ax is None:
        _, ax = plt.subplots(figsize=(9, 2.8))
    ax.bar(range(1, len(rates) + 1), np.sort(rates)[::-1], color=BLUE)
    ax.set(xlabel="latent, sorted by its KL", ylabel="KL (nats)", title=title)
    ax.grid(False, axis="x")
    return ax.figure
