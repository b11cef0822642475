"""Figures that only notebook 01 draws."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLUE, ORANGE, palette, set_title

Labelled = Mapping[str, np.ndarray]


def latent_model(
    z: np.ndarray,
    prior: np.ndarray,
    curve: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    density: np.ndarray,
    extent: Sequence[float],
    marks: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw one latent and two data dimensions: prior, decoder with samples, p(x).

    Args:
        z, prior, curve: grid (n,), prior density (n,), decoded means (n, 2).
        samples: latents (m,) and data points (m, 2).
        density: p(x) at rows of x_2 by columns of x_1, evenly over ``extent``.
        marks: letter to the data point it stands for.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[0.8, 1.2, 1.2])
    seen = np.abs(z) < 3.3
    look = {"cmap": "coolwarm", "vmin": -2.5, "vmax": 2.5, "lw": 0}
    axes[0].scatter(z[seen], prior[seen], c=z[seen], s=5, **look)
    axes[0].set(title="Draw z from p(z)", xlabel="z", ylabel="p(z)", ylim=(0, None))
    axes[0].set(xticks=[-2, 0, 2], yticks=[0, 0.2, 0.4])
    axes[1].scatter(*curve[seen].T, c=z[seen], s=5, **look)
    axes[1].scatter(*samples[1].T, c=samples[0], s=9, **look)
    axes[1].set(title="Decode it, add noise")
    (left, right, low, high), (rows, columns) = extent, density.shape
    first, second = np.linspace(left, right, columns), np.linspace(low, high, rows)
    levels = density.max() * np.array([0.01, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.01])
    axes[2].contourf(first, second, density, levels, cmap="Greys", antialiased=False)
    axes[2].set(title="Integrate z out: p(x)")
    axes[2].grid(False)
    beside = {"textcoords": "offset points", "weight": "bold", "fontsize": 13}
    for letter, point in marks.items():
        axes[2].plot(*point, "o", color=ORANGE, ms=6)
        axes[2].annotate(letter, point, (6, 6), color=ORANGE, **beside)
    for ax in axes[1:]:
        ax.set(xlim=(left, right), ylim=(low, high), xlabel="$x_1$", ylabel="$x_2$")
        ax.set(xticks=[-2, 0, 2], yticks=[-2, 0, 2])
    return figure


def posteriors(
    z: np.ndarray, exact: Labelled, fits: Sequence[np.ndarray], gaps: Sequence[float]
) -> Figure:
    """Draw true posteriors (n,), the best normal q (n,) over each, the gap in nats."""
    figure, axes = plt.subplots(1, len(exact), figsize=(9, 3.1), sharey=True)
    panels = zip(axes, exact.items(), fits, gaps, strict=True)
    area = {"color": ORANGE, "alpha": 0.35, "lw": 0, "label": "posterior p(z|x)"}
    for ax, (name, density), fit, gap in panels:
        ax.fill_between(z, density, **area)
        ax.plot(z, fit, color=BLUE, label="best normal q(z|x)")
        ax.set(title=f"{name}\ngap {gap:.2f} nats", xlabel="z", xlim=(-2.2, 2.2))
        ax.set(xticks=[-2, 0, 2], yticks=[0, 3, 6], ylim=(0, 6.2))
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left", fontsize=10)
    return figure


def dots_and_lines(
    ax: Axes, x: np.ndarray, exact: Labelled, at: np.ndarray, measured: Labelled
) -> None:
    """Draw each exact curve (n,) over x as a line, what was measured (m,) as dots."""
    colours = palette(len(exact))
    for (label, line), colour in zip(exact.items(), colours, strict=True):
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
    """Draw posteriors and best diagonal q of some turns, the bound at all turns.

    Args:
        shown: turn in degrees to two covariances (2, 2): of the posterior, of q.
        turns, log_px, bound: degrees (n,) and nats (n,).
    """
    ratios = [*[1] * len(shown), 1.5]
    figure, axes = plt.subplots(1, len(ratios), figsize=(9, 3.2), width_ratios=ratios)
    *panels, last = axes
    for ax, (turn, covariances) in zip(panels, shown.items(), strict=True):
        for covariance, colour in zip(covariances, (ORANGE, BLUE), strict=True):
            ax.plot(*ellipse(np.zeros(2), covariance).T, color=colour, lw=2.5)
        ax.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), aspect="equal", xticks=[-1, 0, 1])
        ax.set(yticks=[-1, 0, 1], title=f"turn {turn}°", xlabel="$z_1$")
        ax.tick_params(labelleft=ax is axes[0])
    axes[0].set_ylabel("$z_2$")
    last.plot(turns, log_px, color="k")
    last.plot(turns, bound, color=BLUE)
    last.fill_between(turns, bound, log_px, color=BLUE, alpha=0.15, lw=0)
    middle = (bound.min() + log_px[0]) / 2
    last.text(45, middle, "gap", ha="center", color=BLUE, fontsize=13)
    last.set(yticks=[-4, -3.5], xticks=[0, 45, 90], xlabel="turn (degrees)")
    last.set(ylabel="nats", title="ln p(x), ELBO")
    last.set_ylim(bound.min() - 0.15, log_px[0] + 0.15)
    handles = [Line2D([], [], color=colour) for colour in ("k", ORANGE, BLUE)]
    names = ["exact ln p(x)", "posterior", "best diagonal q, and its ELBO"]
    figure.legend(handles, names, loc="outside lower center", ncols=3)
    set_title(figure, "Turning the latents leaves p(x) alone, and moves the bound")
    return figure


def paths(
    routes: Labelled, gaps: Labelled, centre: np.ndarray, covariance: np.ndarray
) -> Figure:
    """Draw the means (steps, 2) that optimisers visited, their gaps in nats (steps,).

    The contours are those of the gap in the mean; the posterior has the covariance.
    """
    ratios = [1, 1.15]
    figure, (ground, decay) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=ratios)
    everything = np.concatenate(list(routes.values()))
    low, high = everything.min(axis=0) - 0.3, everything.max(axis=0) + 0.3
    grid = np.meshgrid(*np.linspace(low, high, 120).T)
    away = np.stack(grid, axis=-1) - centre
    gap = 0.5 * np.einsum("...i,ij,...j", away, np.linalg.inv(covariance), away)
    ground.contour(*grid, gap, [1, 4, 9, 16], colors="#cccccc", linewidths=1)
    colours = palette(len(routes))
    for (label, route), colour in zip(routes.items(), colours, strict=True):
        ground.plot(*route.T, color=colour, lw=1.3, alpha=0.9)
        steps = np.arange(0, len(gaps[label]), 20)
        decay.plot(steps, gaps[label][steps], color=colour, label=label)
    ground.plot(*centre, "*", color="k", ms=13, zorder=5)
    ground.set(xlabel=r"mean of q, $\mu_1$", ylabel=r"mean of q, $\mu_2$")
    ground.set(title="The score function staggers", aspect="equal")
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
    gaps: Labelled,
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
    looks = ("s-", BLUE), ("o-", ORANGE)
    for (label, values), (mark, colour) in zip(gaps.items(), looks, strict=True):
        gap.plot(lengths, values, mark, color=colour, label=label)
    gap.set(xscale="log", xlabel="steps T of the chain")
    gap.set(title="The exact reverse has no gap", xticks=lengths, xticklabels=lengths)
    gap.set(ylabel="ln p(x) minus the bound (nats)", yticks=[0, 0.2, 0.4])
    gap.minorticks_off()
    gap.legend(title="reverse variance")
    return figure
