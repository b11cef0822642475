"""helpers/plots.py: arrays land where they should, and every figure says what it shows."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from helpers import families, plots

FACTORISED = [name for name, family in families.registry().items() if family.factorised]


def texts(figure):
    """Every text of a figure, in one string."""
    return "\n".join(text.get_text() for text in figure.findobj(plt.Text))


def test_tile_puts_pictures_row_by_row_with_gaps():
    images = np.arange(1, 6, dtype="float32").reshape(5, 1, 1, 1) * np.ones(
        (5, 2, 3, 1), "float32"
    )
    tiled = plots.tile(images, columns=2, gap=1)
    assert tiled.shape == (3 * 2 + 2, 2 * 3 + 1, 1)
    expected = np.zeros((8, 7))
    expected[0:2, 0:3], expected[0:2, 4:7] = 1, 2
    expected[3:5, 0:3], expected[3:5, 4:7] = 3, 4
    expected[6:8, 0:3] = 5
    np.testing.assert_array_equal(tiled[..., 0], expected)


def test_tile_keeps_a_picture_upright():
    image = np.arange(6, dtype="float32").reshape(1, 2, 3, 1)
    np.testing.assert_array_equal(plots.tile(image, columns=1), image[0])


def test_gaps_are_white_in_grey_and_in_colour():
    for channels, paper in ((1, 0.0), (3, 1.0)):
        tiled = plots.tile(
            np.full((2, 2, 2, channels), 0.5, "float32"), columns=2, gap=2
        )
        np.testing.assert_array_equal(tiled[:, 2:4], paper)


def test_grey_pictures_are_dark_ink_on_white():
    figure, ax = plt.subplots()
    plots.show_image(ax, np.array([[[0.0], [1.0]]]))
    (drawn,) = ax.images
    rgba = drawn.to_rgba(drawn.get_array())
    np.testing.assert_allclose(rgba[0, 0, :3], 1)
    np.testing.assert_allclose(rgba[0, 1, :3], 0)
    assert drawn.get_clim() == (0, 1)
    plt.close(figure)


def test_colour_pictures_are_drawn_as_they_are():
    figure, ax = plt.subplots()
    image = np.random.default_rng(0).random((3, 4, 3))
    plots.show_image(ax, image)
    np.testing.assert_array_equal(ax.images[0].get_array(), image)
    plt.close(figure)


def test_an_image_grid_is_one_image_with_a_title():
    images = np.random.default_rng(0).random((7, 4, 4, 1)).astype("float32")
    figure = plots.image_grid(images, columns=3, title="Seven")
    assert isinstance(figure, Figure)
    (ax,) = figure.axes
    assert ax.get_title(loc="left") == "Seven"
    (drawn,) = ax.images
    np.testing.assert_array_equal(drawn.get_array(), plots.tile(images, 3)[..., 0])


def test_an_image_grid_draws_into_given_axes():
    figure, axes = plt.subplots(1, 2)
    images = np.zeros((2, 4, 4, 1), "float32")
    assert plots.image_grid(images, columns=2, title="Here", ax=axes[1]) is figure
    assert len(axes[1].images) == 1
    assert len(axes[0].images) == 0


def test_image_rows_have_their_labels():
    rng = np.random.default_rng(0)
    rows = {"original": rng.random((3, 4, 4, 1)), "decoded": rng.random((3, 4, 4, 1))}
    figure = plots.image_rows(rows, "Rows")
    assert figure.get_suptitle() == "Rows"
    for ax, (label, images) in zip(figure.axes, rows.items(), strict=True):
        assert ax.get_ylabel() == label
        np.testing.assert_allclose(
            ax.images[0].get_array(), plots.tile(images, 3)[..., 0], rtol=1e-6
        )
    assert len(figure.axes[0].texts) == 0


@pytest.fixture
def histories():
    def history(offset):
        return {
            "step": np.array([10, 20, 30]),
            "loss": np.array([3.0, 2.0, 1.0]) + offset,
            "val_loss": np.array([3.5, 2.5, 1.5]) + offset,
            "rate": np.array([1.0, 2.0, 3.0]) + offset,
            "val_rate": np.array([1.5, 2.5, 3.5]) + offset,
        }

    return {"two": history(0), "thirty-two": history(10)}


def test_learning_curves_draw_training_dashed_and_held_out_solid(histories):
    figure = plots.learning_curves(
        histories,
        {"loss": "loss (nats)", "rate": "rate (nats)"},
        "Curves",
        log=True,
        skip=1,
    )
    assert figure.get_suptitle() == "Curves"
    for ax, key in zip(figure.axes, ("loss", "rate"), strict=True):
        assert ax.get_ylabel() == f"{key} (nats)"
        assert ax.get_xlabel() == "optimiser steps"
        assert ax.get_yscale() == "log"
        lines = iter(ax.lines)
        for history in histories.values():
            for prefix, style in (("", "--"), ("val_", "-")):
                line = next(lines)
                np.testing.assert_array_equal(line.get_xdata(), [20, 30])
                np.testing.assert_array_equal(
                    line.get_ydata(), history[prefix + key][1:]
                )
                assert line.get_linestyle() == style
    assert {"two", "thirty-two", "training", "held out"} <= set(
        texts(figure).splitlines()
    )


def test_the_code_scatter_gives_every_code_its_digits_colour():
    codes = np.random.default_rng(0).normal(size=(50, 2))
    labels = np.arange(50) % 10
    figure = plots.code_scatter(codes, labels, "Codes")
    (ax,) = figure.axes
    (points,) = ax.collections
    drawn = {
        tuple(np.round(place, 6)): to_hex(colour)
        for place, colour in zip(
            points.get_offsets(), points.get_facecolors(), strict=True
        )
    }
    expected = {
        tuple(np.round(code, 6)): plots.DIGIT_COLOURS[label].lower()
        for code, label in zip(codes, labels, strict=True)
    }
    assert drawn == expected
    assert ax.get_title(loc="left") == "Codes"
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert legend == [str(digit) for digit in range(10)]
    colours = [to_hex(handle.get_color()) for handle in ax.get_legend().legend_handles]
    assert colours == [colour.lower() for colour in plots.DIGIT_COLOURS]


def test_the_code_scatter_without_a_legend():
    figure = plots.code_scatter(
        np.zeros((3, 2)), np.array([1, 2, 3]), "Codes", legend=False
    )
    assert figure.axes[0].get_legend() is None


def test_ten_digit_colours_all_different():
    assert len({colour.lower() for colour in plots.DIGIT_COLOURS}) == 10


@pytest.mark.parametrize("name", list(families.registry()))
def test_every_family_has_a_colour_of_its_own(name):
    colour = plots.FAMILY_COLOURS[name]
    assert list(plots.FAMILY_COLOURS.values()).count(colour) == 1
    assert plots.family_colour(name) == colour


def test_a_readers_own_family_is_grey():
    assert plots.family_colour("my own") == plots.GREY


@pytest.mark.parametrize("name", FACTORISED)
def test_manifold_codes_are_finite_and_read_like_a_map(name):
    quantile = families.get_family(name).prior_quantile
    codes = plots.manifold_codes(quantile, side=5)
    assert codes.shape == (25, 2)
    assert codes.dtype == np.float32
    assert np.isfinite(codes).all()
    grid = codes.reshape(5, 5, 2)
    centres = quantile(np.array([0.1, 0.3, 0.5, 0.7, 0.9]))
    for row in range(5):
        np.testing.assert_allclose(grid[row, :, 0], centres, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(grid[:, row, 1], centres[::-1], rtol=1e-5, atol=1e-6)


def test_rate_bars_are_sorted():
    figure = plots.rate_bars(np.array([0.5, 2.0, 1.0]), "Rates")
    (ax,) = figure.axes
    assert [bar.get_height() for bar in ax.patches] == [2.0, 1.0, 0.5]
    assert "nats" in ax.get_ylabel()
    assert ax.get_title(loc="left") == "Rates"


@pytest.mark.parametrize("variational", [False, True])
def test_the_architecture_names_its_parts(variational):
    picture = np.random.default_rng(0).random((28, 28, 1))
    figure = plots.architecture(picture, (512, 256), (256, 512, 512), 32, variational)
    said = texts(figure)
    assert (said.count("512"), said.count("256")) == (3, 2)
    assert said.count("784") == 2
    assert "32" in said
    assert ("z_log_var" in said) == ("noise" in said) == variational
    assert ("code" in said.replace("encoder", "").replace("decoder", "")) != variational
    drawn = [ax.images[0].get_array() for ax in figure.findobj(plt.Axes) if ax.images]
    np.testing.assert_array_equal(drawn[0], picture[..., 0])


def test_a_walk_has_its_pictures_above_and_its_density_below():
    rng = np.random.default_rng(0)
    rows = {"codes": rng.random((4, 3, 3, 1)), "pixels": rng.random((4, 3, 3, 1))}
    weights = np.linspace(0, 1, 4)
    lines = {
        "codes": np.array([1.0, -5.0, -6.0, 2.0]),
        "pixels": np.array([2.0, 1.0, 0.0, 3.0]),
    }
    figure = plots.walk(rows, weights, lines, "ln p(z) (nats)", "Way")
    above, below = figure.axes
    together = np.concatenate(list(rows.values()))
    np.testing.assert_allclose(
        above.images[0].get_array(), plots.tile(together, 4)[..., 0], 1e-6
    )
    assert above.get_title(loc="left") == "Way"
    assert [label.get_text() for label in above.get_yticklabels()] == [
        "codes",
        "pixels",
    ]
    np.testing.assert_array_equal(
        above.get_yticks(), [2, 6]
    )  # beside the rows of 3 pixels
    for line, (label, values) in zip(below.lines, lines.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xdata(), weights)
        np.testing.assert_array_equal(line.get_ydata(), values)
    assert below.get_ylabel() == "ln p(z) (nats)"


# 01 The paper's mathematics


def test_a_title_stands_over_the_whole_figure():
    figure, _ = plt.subplots(1, 2)
    plots.set_title(figure, "Found")
    assert figure.get_suptitle() == "Found"
    assert figure.findobj(lambda t: isinstance(t, plt.Text) and t.get_text() == "Found")


def test_the_digit_legend_names_ten_digits():
    _, ax = plt.subplots()
    plots.digit_legend(ax)
    legend = ax.get_legend()
    assert legend.get_title().get_text() == "digit"
    assert [text.get_text() for text in legend.get_texts()] == [
        str(d) for d in range(10)
    ]
    colours = [to_hex(handle.get_color()) for handle in legend.legend_handles]
    assert colours == [colour.lower() for colour in plots.DIGIT_COLOURS]


def test_the_latent_model_has_three_panels_and_its_marks():
    rng = np.random.default_rng(0)
    z = np.linspace(-4, 4, 81)
    curve = np.stack([z, z**2 / 4], axis=1)
    samples = (rng.normal(size=30), rng.normal(size=(30, 2)))
    density = np.outer(np.linspace(0.1, 1, 20), np.ones(30))  # grows with x_2 only
    marks = {"A": (0.5, 1.0), "B": (-1.0, 2.0)}
    extent = (-3, 3, -2, 4)
    prior = np.exp(-(z**2) / 2)
    figure = plots.latent_model(z, prior, curve, samples, density, extent, marks)
    assert isinstance(figure, Figure)
    left, middle, right = figure.axes
    seen = np.abs(z) < 3.3
    (points,) = left.collections
    np.testing.assert_allclose(points.get_offsets(), np.stack([z, prior], axis=1)[seen])
    np.testing.assert_allclose(points.get_array(), z[seen])
    means, draws = middle.collections
    np.testing.assert_allclose(means.get_offsets(), curve[seen])
    np.testing.assert_allclose(draws.get_offsets(), samples[1])
    np.testing.assert_allclose(draws.get_array(), samples[0])
    assert [text.get_text() for text in right.texts] == ["A", "B"]
    assert [line.get_xydata()[0].tolist() for line in right.lines] == [
        [0.5, 1.0],
        [-1.0, 2.0],
    ]
    for ax in (middle, right):
        assert (*ax.get_xlim(), *ax.get_ylim()) == extent
    dense = (
        right.collections[0].get_paths()[-1].vertices
    )  # the darkest level lies at the top
    assert dense[:, 1].min() > 2


def test_posteriors_have_a_panel_a_data_point():
    z = np.linspace(-3, 3, 50)
    exact = {"A": np.exp(-(z**2)), "B": np.exp(-2 * z**2)}
    fits = [np.exp(-1.1 * z**2), np.exp(-1.9 * z**2)]
    figure = plots.posteriors(z, exact, fits, gaps=[0.25, 1.5])
    assert len(figure.axes) == 2
    gaps = ("0.25", "1.50")
    for ax, name, fit, gap in zip(figure.axes, exact, fits, gaps, strict=True):
        (line,) = ax.lines
        np.testing.assert_array_equal(line.get_xydata(), np.stack([z, fit], axis=1))
        (area,) = ax.collections
        assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(
            exact[name].max()
        )
        assert ax.get_title(loc="left") == f"{name}\ngap {gap} nats"


def test_dots_and_lines_share_a_colour():
    _, ax = plt.subplots()
    x, at = np.linspace(0, 1, 9), np.array([0.2, 0.8])
    exact = {"one": x, "two": x**2}
    measured = {"two": at**2, "one": at}  # found by label, not by place
    plots.dots_and_lines(ax, x, exact, at, measured)
    assert len(ax.lines) == 4
    for (label, values), line, dots in zip(
        exact.items(), ax.lines[::2], ax.lines[1::2], strict=True
    ):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_ydata(), values)
        np.testing.assert_array_equal(
            dots.get_xydata(), np.stack([at, measured[label]], axis=1)
        )
        assert line.get_color() == dots.get_color()
        assert (dots.get_linestyle(), dots.get_marker()) == ("None", "o")
    assert ax.lines[0].get_color() != ax.lines[2].get_color()


def test_the_ellipse_lies_two_standard_deviations_out():
    """By Mahalanobis distance, all the way round."""
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.9], [0.9, 0.5]])
    points = plots.ellipse(mean, covariance)
    assert points.shape == (100, 2)
    away = points - mean
    squared = np.sum(away @ np.linalg.inv(covariance) * away, axis=1)
    np.testing.assert_allclose(np.sqrt(squared), 2)
    np.testing.assert_allclose(points[0], points[-1])
    np.testing.assert_allclose(points[:-1].mean(axis=0), mean)


def test_turned_posteriors_show_both_ellipses_a_turn_and_the_bound():
    covariances = [np.array([[1.0, c], [c, 0.5]]) for c in (0.0, 0.3, 0.1)]
    shown = {
        turn: (covariance, np.diag(np.diag(covariance)))
        for turn, covariance in zip((0, 45, 90), covariances, strict=True)
    }
    turns = np.linspace(0, 90, 19)
    log_px, bound = np.full(19, -3.5), -3.5 - 0.3 * np.sin(np.deg2rad(2 * turns))
    figure = plots.turned_posteriors(shown, turns, log_px, bound)
    *panels, last = figure.axes
    for ax, (turn, (posterior, diagonal)) in zip(panels, shown.items(), strict=True):
        assert ax.get_title(loc="left") == f"turn {turn}°"
        drawn = [line.get_xydata() for line in ax.lines]
        np.testing.assert_allclose(drawn[0], plots.ellipse(np.zeros(2), posterior))
        np.testing.assert_allclose(drawn[1], plots.ellipse(np.zeros(2), diagonal))
        assert [line.get_color() for line in ax.lines] == [plots.ORANGE, plots.BLUE]
    exact, lower = last.lines
    np.testing.assert_array_equal(exact.get_ydata(), log_px)
    np.testing.assert_array_equal(lower.get_ydata(), bound)
    low, high = last.get_ylim()
    assert low < bound.min()
    assert high > log_px.max()
    assert [text.get_text() for text in figure.legends[0].get_texts()][1] == "posterior"
    colours = [handle.get_color() for handle in figure.legends[0].legend_handles]
    assert colours == ["k", plots.ORANGE, plots.BLUE]


def test_paths_show_routes_and_every_twentieth_gap():
    rng = np.random.default_rng(0)
    names = ("score", "path", "natural", "exact")
    routes = {name: rng.normal(size=(101, 2)) for name in names}
    gaps = {name: np.exp(-np.arange(101) / (9.0 + i)) for i, name in enumerate(names)}
    centre, covariance = np.array([0.5, -0.5]), np.array([[1.0, 0.8], [0.8, 1.0]])
    figure = plots.paths(routes, gaps, centre, covariance)
    ground, decay = figure.axes
    *drawn, star = ground.lines
    for line, other, name in zip(drawn, decay.lines, names, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), routes[name])
        np.testing.assert_array_equal(other.get_xdata(), [0, 20, 40, 60, 80, 100])
        np.testing.assert_array_equal(other.get_ydata(), gaps[name][::20])
        assert line.get_color() == other.get_color()
        assert other.get_label() == name
    np.testing.assert_array_equal(star.get_xydata(), [centre])
    assert decay.get_yscale() == "log"
    first = (
        ground.collections[0].get_paths()[0].vertices - centre
    )  # the gap's contour at 1
    gap = 0.5 * np.sum(first @ np.linalg.inv(covariance) * first, axis=1)
    np.testing.assert_allclose(gap, 1, atol=0.05)


def test_the_chain_has_its_marginals_and_a_gap_a_length():
    times, x = np.arange(6), np.linspace(-3, 3, 21)
    densities = np.exp(-((x[:, np.newaxis] - 1) ** 2) / (1 + times))
    lengths = np.array([5, 10, 40])
    gaps = {"fixed": np.array([0.4, 0.2, 0.05]), "exact": np.array([0.0, 0.0, 0.0])}
    figure = plots.chain(times, x, densities, lengths, gaps)
    flow, gap = figure.axes
    assert flow.collections
    assert flow.get_ylim() == (-3, 3)
    assert flow.get_xlim()[0] == 0
    peak = (
        flow.collections[0].get_paths()[-1].vertices
    )  # the highest level lies around x = 1
    np.testing.assert_allclose(peak[:, 1].mean(), 1, atol=0.2)
    assert 0 < peak[:, 1].min() < peak[:, 1].max() < 2
    for line, (label, values) in zip(gap.lines, gaps.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(
            line.get_xydata(), np.stack([lengths, values], axis=1)
        )
    assert gap.get_xscale() == "log"
    assert [text.get_text() for text in gap.get_xticklabels()] == ["5", "10", "40"]
    assert [text.get_text() for text in gap.get_legend().get_texts()] == [
        "fixed",
        "exact",
    ]


# 05 The latent space


def test_learning_curves_count_in_epochs_where_asked(histories):
    figure = plots.learning_curves(
        histories, {"loss": "loss"}, "Epochs", steps_an_epoch=20
    )
    (ax,) = figure.axes
    assert ax.get_xlabel() == "epochs"
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.5, 1, 1.5])


def test_a_walk_draws_a_line_for_every_one_of_four_rows():
    ways = ("pixels", "codes", "straight", "arc")
    rows = {name: np.zeros((3, 2, 2, 1)) for name in ways}
    lines = {name: np.arange(3.0) + i for i, name in enumerate(ways)}
    below = plots.walk(rows, np.linspace(0, 1, 3), lines, "share", "Ways").axes[1]
    assert [line.get_label() for line in below.lines] == list(ways)
    assert len({line.get_color() for line in below.lines}) == 4


def test_posterior_ellipses_reach_two_standard_deviations():
    figure, ax = plt.subplots()
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    means, deviations = (
        np.array([[1.0, -1.0], [0.0, 2.0]]),
        np.array([[0.5, 0.1], [0.2, 0.3]]),
    )
    plots.posterior_ellipses(ax, means, deviations, np.array([3, 7]))
    (ellipses,) = ax.collections
    figure.canvas.draw()
    np.testing.assert_array_equal(ellipses.get_offsets(), means)
    for path, transform, deviation in zip(
        ellipses.get_paths() * 2, ellipses.get_transforms(), deviations, strict=True
    ):
        size = np.ptp((path.vertices @ transform[:2, :2].T), axis=0)
        np.testing.assert_allclose(size, 4 * deviation, rtol=0.02)
    colours = [to_hex(colour) for colour in ellipses.get_edgecolors()]
    assert colours == [plots.DIGIT_COLOURS[digit].lower() for digit in (3, 7)]


def test_the_thumbnail_map_puts_pictures_where_their_points_are():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [9.9, 9.9]])
    pictures = np.ones((4, 3, 3, 1), "float32")
    figure = plots.thumbnail_map(
        points, pictures, np.array([0, 1, 2, 3]), "Map", cells=5
    )
    (ax,) = figure.axes
    canvas = np.asarray(ax.images[0].get_array())
    assert canvas.shape == (15, 15, 3)
    assert ax.get_title(loc="left") == "Map"
    corners = {
        0: canvas[-1, 0],
        1: canvas[-1, -1],
        2: canvas[0, -1],
    }  # z_2 grows upwards
    for digit, colour in corners.items():
        assert to_hex(colour) == plots.DIGIT_COLOURS[digit].lower()
    np.testing.assert_array_equal(canvas[0, 0], 1)  # nothing there: paper
    inked = (canvas < 1).any(axis=2).sum()
    assert inked == 3 * 9  # the fourth shares a cell with the third


def test_aggregate_posteriors_show_area_and_prior():
    z = np.linspace(-3, 3, 31)
    prior = np.exp(-0.5 * z**2)
    aggregates = np.stack([prior * height for height in (0.5, 1.0, 2.0)])
    figure = plots.aggregate_posteriors(
        z, prior, aggregates, ["a", "b", "c"], "Audit", columns=2
    )
    assert figure.get_suptitle() == "Audit"
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title(loc="left") for ax in shown] == ["a", "b", "c"]
    for ax, density in zip(shown, aggregates, strict=True):
        (area,) = ax.collections
        assert area.get_paths()[0].vertices[:, 1].max() == pytest.approx(density.max())
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), prior)
