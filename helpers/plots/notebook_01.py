"""Figures that only notebook 01 draws."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from helpers.plots.style import BLUE, LINES, ORANGE, set_title


def latent_model(
    z: np.ndarray,
    prior: np.ndarray,
    curve: np.ndarray,
    samples: tuple[np.ndarray, np.ndarray],
    density: np.ndarray,
    extent: Sequence[float],
    marks: Mapping[str, Sequence[float]],
) -> Figure:
    """Draw a model with one latent and two data dimensions: prior, decoder with
    samples, p(x).

    Args:
        z, prior, curve: grid (n,), prior density (n,), decoded means (n, 2).
        samples: latents (m,) and data points (m, 2).
        density: p(x) at rows of x_2 by columns of x_1, evenly over ``extent``.
        marks: letter to the data point it stands for.
    """
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), width_ratios=[0.8, 1.2, 1.2])
    seen = np.abs(z) < 3.3
    points = {
        "c": z[seen],
        "cmap": "coolwarm",
        "vmin": -2.5,
        "vmax": 2.5,
        "s": 5,
        "lw": 0,
    }
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
    for ax, (name, density), fit, gap in zip(
        axes, exact.items(), fits, gaps, strict=True
    ):
        ax.fill_between(
            z, density, color=ORANGE, alpha=0.35, lw=0, label="posterior p(z|x)"
        )
        ax.plot(z, fit, color=BLUE, label="best normal q(z|x)")
        ax.set(
            title=f"{name}\ngap {gap:.2f} nats",
            xlabel="z",
            xlim=(-2.2, 2.2),
            ylim=(0, 6.2),
        )
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
    """Draw posteriors and best diagonal q for some turns, and the bound against all
    turns.

    Args:
        shown: turn in degrees to two covariances (2, 2): of the posterior, of q.
        turns, log_px, bound: degrees (n,) and nats (n,).
    """
    figure, axes = plt.subplots(
        1, len(shown) + 1, figsize=(9, 3.2), width_ratios=[1, 1, 1, 1.5]
    )
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
    last.text(
        45, (bound.min() + log_px[0]) / 2, "gap", ha="center", color=BLUE, fontsize=13
    )
    last.set_yticks([-4, -3.5])
    last.set(
        xlabel="turn (degrees)",
        ylabel="nats",
        xticks=[0, 45, 90],
        title="ln p(x), ELBO",
    )
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
    """Draw the means (steps, 2) that optimisers visited, and their gaps in nats
    (steps,).

    Args:
        centre, covariance: of the posterior; the contours are those of the gap in the
            mean.
    """
    figure, (ground, decay) = plt.subplots(
        1, 2, figsize=(9, 3.6), width_ratios=[1, 1.15]
    )
    everything = np.concatenate(list(routes.values()))
    low, high = everything.min(axis=0) - 0.3, everything.max(axis=0) + 0.3
    z = np.stack(
        np.meshgrid(*[np.linspace(a, b, 120) for a, b in zip(low, high, strict=True)]),
        axis=-1,
    )
    away = z - centre
    gap = 0.5 * np.einsum("...i,ij,...j", away, np.linalg.inv(covariance), away)
    ground.contour(
        z[..., 0], z[..., 1], gap, [1, 4, 9, 16], colors="#cccccc", linewidths=1
    )
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
    for (label, values), colour, marker in zip(
        gaps.items(), (BLUE, ORANGE), "so", strict=True
    ):
        gap.plot(lengths, values, marker + "-", color=colour, label=label)
    gap.set(
        xscale="log",
        xlabel="steps T of the chain",
        ylabel="ln p(x) minus the bound (nats)",
    )
    gap.set(title="The exact reverse has no gap", xticks=lengths, xticklabels=lengths)
    gap.set_yticks([0, 0.2, 0.4])
    gap.minorticks_off()
    gap.legend(title="reverse variance")
    return figure
