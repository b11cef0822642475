"""Figures that only notebook 01 draws."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from helpers.plots.style import BLUE, GREEN, GREY, ORANGE, palette, set_title

Labelled = Mapping[str, np.ndarray]
Point = tuple[float, float]


def graphical_model(
    ax: Axes,
    nodes: Mapping[str, Point],
    arrows: Sequence[tuple[str, str]],
    back: Sequence[tuple[str, str]] = (),
    observed: Sequence[str] = (),
    fixed: Sequence[str] = (),
    plate: tuple[Point, Point, str] | None = None,
) -> None:
    """Draw a graphical model: circles are random, grey ones observed.

    Args:
        nodes: label to the place of its middle.
        arrows: from label to label: the conditional densities of p.
        back: those of q, dashed and bent.
        observed, fixed: the nodes that are data; those that are no random variables
            and get no circle.
        plate: lower left and upper right corner and label of a box whose content is
            repeated.
    """
    for label, place in nodes.items():
        if label not in fixed:
            face = "#cfcfcf" if label in observed else "white"
            ax.add_patch(Circle(place, 0.3, fc=face, ec="k", lw=1.8, zorder=2))
        ax.text(*place, label, fontsize=16, ha="center", va="center", zorder=3)
    link = {"arrowstyle": "-|>", "mutation_scale": 18, "lw": 1.8, "zorder": 1}
    ways = [(pair, ORANGE, "-", 0.0) for pair in arrows]
    ways += [(pair, BLUE, "--", 0.45) for pair in back]
    for (start, end), colour, style, bend in ways:
        ends = {"posA": nodes[start], "posB": nodes[end]}
        room = {"shrinkA": 19 if start not in fixed else 11, "shrinkB": 19}
        curve = f"arc3,rad={bend}"
        arrow = FancyArrowPatch(
            **ends, **room, connectionstyle=curve, color=colour, ls=style, **link
        )
        ax.add_patch(arrow)
    corners = [(x - 0.4, y - 0.5) for x, y in nodes.values()]
    corners += [(x + 0.4, y + 0.5) for x, y in nodes.values()]
    if plate:
        (left, low), (right, high), label = plate
        corners += [(left - 0.05, low - 0.05), (right + 0.05, high + 0.05)]
        box = Rectangle((left, low), right - left, high - low, fc="none", ec=GREY)
        ax.add_patch(box)
        ax.text(right - 0.08, low + 0.08, label, ha="right", fontsize=12)
    (left, low), (right, high) = np.min(corners, axis=0), np.max(corners, axis=0)
    ax.set(xlim=(left, right), ylim=(low, high))
    ax.set_aspect("equal")
    ax.axis("off")


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
    look = {"cmap": "viridis", "vmin": -3, "vmax": 4, "lw": 0}  # pale at no z
    axes[0].scatter(z[seen], prior[seen], c=z[seen], s=12, **look)
    axes[0].set(title="Draw z from p(z)", xlabel="z", ylabel="p(z)", ylim=(0, None))
    axes[0].set(xticks=[-2, 0, 2], yticks=[0, 0.2, 0.4])
    axes[1].scatter(*curve[seen].T, c=z[seen], s=12, **look)
    axes[1].scatter(*samples[1].T, c=samples[0], s=14, **look)
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


def touching_bounds(
    theta: np.ndarray,
    log_px: np.ndarray,
    bounds: Sequence[np.ndarray],
    visited: Sequence[Point],
    shortfalls: np.ndarray,
) -> Figure:
    """Draw ln p(X | theta), the bounds that touch it, and what is missing per step.

    Args:
        theta, log_px: parameter (n,) and log-likelihood (n,) in nats per point.
        bounds: for each E step the bound as a function of theta, (n,).
        visited: where each bound touches, and as the last where EM went from there.
        shortfalls: best ln p minus that of each EM step, in nats per point.
    """
    figure, (hill, decay) = plt.subplots(1, 2, figsize=(9, 3.5), width_ratios=[1.6, 1])
    hill.plot(theta, log_px, color="k", lw=2.5, label=r"ln p(X|$\theta$)")
    colours = [BLUE, ORANGE, GREEN][: len(bounds)]
    for step, (bound, colour) in enumerate(zip(bounds, colours, strict=True)):
        hill.plot(theta, bound, color=colour, label=f"bound after E step {step + 1}")
        hill.plot(*visited[step], "o", color=colour, ms=9, zorder=4)
        peak = visited[step + 1][0]
        top = np.interp(peak, theta, bound)
        hill.plot([peak, peak], [top, visited[step + 1][1]], ":", color=colour)
    low = min(height for _, height in visited)
    high = log_px.max()
    hill.set(xlabel=r"decoder's weight $\theta$", ylabel="nats per point")
    hill.set(ylim=(low - 0.35 * (high - low), high + 0.1 * (high - low)))
    hill.set_title("Each bound touches, and its summit is higher")
    figure.legend(loc="outside lower center", ncols=1 + len(bounds), fontsize=10)
    decay.plot(shortfalls, "o-", color="k", ms=4)
    decay.set(
        yscale="log", xlabel="EM steps", ylabel="best minus ln p (nats per point)"
    )
    decay.set_title("Every step gains")
    decay.minorticks_off()
    return figure


def amortised(
    gaps: Labelled,
    least: float,
    line: np.ndarray,
    searched: np.ndarray,
    encoded: Labelled,
) -> Figure:
    """Draw the gaps of encoders, and q's mean along a line through data space.

    Args:
        gaps: encoder to its mean amortisation gap for each seed, in nats.
        least: the mean gap of the best normal q, in nats.
        line, searched: place (n,); mean of the best q (n,), found by search.
        encoded: encoder to its means (n,).
    """
    figure, (bars, means) = plt.subplots(1, 2, figsize=(9, 3.5), width_ratios=[1.2, 1])
    bars.bar(0, least, color="k", width=0.6)
    bars.text(0, least, f"{least:.2f}", ha="center", va="bottom")
    colours = dict(zip(gaps, (ORANGE, BLUE, GREEN, GREY), strict=False))
    for place, (name, values) in enumerate(gaps.items(), start=1):
        bars.bar(place, np.mean(values), color=colours[name], alpha=0.35, width=0.6)
        bars.plot([place] * len(values), values, "o", color=colours[name])
        beside = {"ha": "center", "va": "bottom", "color": colours[name]}
        bars.text(place, np.max(values) + 0.03, f"{np.mean(values):.2f}", **beside)
        means.plot(line, encoded[name], color=colours[name], label=name)
    highest = max(map(np.max, gaps.values()))
    bars.set(ylabel="nats per point", ylim=(0, 1.2 * highest))
    names = [name.replace(" ", "\n", 1) for name in ("best normal", *gaps)]
    bars.set_xticks(range(len(gaps) + 1), names)
    bars.set_title("What the encoder costs")
    bars.grid(visible=False, axis="x")
    means.plot(line, searched, ".", color="k", ms=8, label="search", zorder=1)
    means.set(xlabel="$x_2$ on the line $x_1 = 0$", ylabel="mean of q(z|x)")
    means.set_title("Seed 0: only the search jumps")
    means.legend(loc="center left", fontsize=10)
    return figure


def reverse_steps(
    x: np.ndarray, steps: Mapping[str, tuple[np.ndarray, np.ndarray, float]]
) -> Figure:
    """Draw true reverse steps (n,) and their best normals (n,) over x, KL in nats."""
    figure, axes = plt.subplots(1, len(steps), figsize=(9, 3))
    for ax, (name, (true, normal, kl)) in zip(axes, steps.items(), strict=True):
        ax.fill_between(x, true, color=ORANGE, alpha=0.35, lw=0, label="true reverse")
        ax.plot(x, normal, color=BLUE, label="best normal")
        seen = x[(true > 0.001 * true.max()) | (normal > 0.001 * normal.max())]
        ax.set(xlim=(seen.min(), seen.max()), ylim=(0, 1.45 * true.max()), yticks=[])
        ax.set(title=f"{name}\nKL {kl:.2g} nats", xlabel="$x_{t-1}$")
        ax.locator_params(axis="x", nbins=4)
    axes[0].set_ylabel("density")
    axes[0].legend(loc="upper left", fontsize=10)
    return figure


def chain(
    times: np.ndarray,
    x: np.ndarray,
    densities: np.ndarray,
    lengths: np.ndarray,
    losses: Mapping[str, tuple[np.ndarray, np.ndarray]],
) -> Figure:
    """Draw the marginals of a diffusion chain, and what its bound lacks by its length.

    Args:
        times, x, densities: steps (n,), data axis (m,), q(x_t) of shape (m, n).
        lengths: numbers of steps (k,).
        losses: label to the bound's mean shortfall in nats (k,), and to the part of it
            that p(x_0) itself misses (k,), drawn dashed.
    """
    figure, (flow, loss) = plt.subplots(1, 2, figsize=(9, 3.4))
    levels = densities.max() * np.array([0.02, 0.08, 0.15, 0.25, 0.4, 0.6, 0.85, 1.01])
    flow.contourf(times, x, densities, levels, cmap="Blues", antialiased=False)
    flow.set(xlabel="step t", ylabel="$x_t$", title="Two modes dissolve into N(0, 1)")
    flow.set(xticks=[0, 20, 40], yticks=[-2, 0, 2])
    flow.grid(False)
    looks = ("s-", BLUE), ("o-", ORANGE)
    for (label, parts), (mark, colour) in zip(losses.items(), looks, strict=True):
        loss.plot(lengths, parts[0], mark, color=colour, label=label)
        loss.plot(lengths, parts[1], "--", color=colour, lw=1.5)
    loss.set(xscale="log", yscale="log", xlabel="steps T of the chain")
    loss.set(title="More and shorter steps lose less")
    loss.set_xticks(lengths, lengths)
    loss.set(ylabel="ln q(x) minus the bound (nats)", ylim=(1e-4, 90))
    loss.minorticks_off()
    loss.plot([], [], "--", color=GREY, lw=1.5, label="of which misfit of p(x)")
    loss.legend(title="normal steps, variance", fontsize=10, loc="upper right")
    return figure
