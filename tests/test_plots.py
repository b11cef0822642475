"""helpers/plots: arrays land where they should, and every figure says what it shows."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from helpers import families, models, plots
from helpers.plots import notebook_01, notebook_05, style


def texts(artist):
    """Every text of a figure or of its legend."""
    return [text.get_text() for text in artist.findobj(plt.Text)]


def random(*shape):
    return np.random.default_rng(0).random(shape)


@pytest.fixture(autouse=True)
def titles_in_the_middle():
    """Where ``get_title`` looks for them, whatever style another test has set."""
    with plt.rc_context({"axes.titlelocation": "center"}):
        yield


def tops(ax):
    """The highest point of every filled area."""
    return [area.get_paths()[0].vertices[:, 1].max() for area in ax.collections]


# The style


def test_the_style_is_set_when_asked():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["axes.titlelocation"] == "left"
        assert plt.rcParams["axes.edgecolor"] == "#888888"


@pytest.mark.parametrize("name", list(families.registry()))
def test_every_family_has_a_colour_of_its_own(name):
    colour = plots.FAMILY_COLOURS[name]
    assert list(plots.FAMILY_COLOURS.values()).count(colour) == 1
    assert plots.family_colour(name) == colour
    assert plots.family_colour("my own") == plots.GREY


@pytest.mark.parametrize("count", [1, 4, 5, 30])
def test_any_number_of_lines_has_different_colours(count):
    colours = style.palette(count)
    assert len(set(colours)) == len(colours) == count
    assert count > 4 or tuple(colours) == plots.LINES[:count]


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([3, 1, 3]), range(10)),  # digits keep their colours
        (np.arange(12), range(12)),
        (np.array(["7", "cat"]), ["7", "cat"]),
        (np.array([7.0, 0.5]), [0.5, 7]),
    ],
)
def test_every_class_has_a_colour(labels, classes):
    colours = style.class_colours(labels)
    assert list(colours) == list(classes)
    assert len(set(colours.values())) == len(colours)
    ten = style.DIGIT_COLOURS[: len(colours)]
    assert len(colours) > 10 or tuple(colours.values()) == ten


# Pictures


@pytest.mark.parametrize(("channels", "paper"), [(1, 0), (3, 1)])
def test_tile_puts_pictures_row_by_row_upright_with_white_gaps(channels, paper):
    images = 0.1 + 0.8 * random(5, 2, 3, channels).astype("float32")
    tiled = plots.tile(images, columns=2, gap=2)
    expected = np.full((10, 8, channels), paper, "float32")
    for index, (top, left) in enumerate([(0, 0), (0, 5), (4, 0), (4, 5), (8, 0)]):
        expected[top : top + 2, left : left + 3] = images[index]
    np.testing.assert_array_equal(tiled, expected)


def test_grey_pictures_are_dark_ink_on_white():
    _, ax = plt.subplots()
    plots.show_image(ax, np.array([[[0.0], [1.0]]]))
    (drawn,) = ax.images
    rgba = drawn.to_rgba(drawn.get_array())
    np.testing.assert_allclose(rgba[0, :, 0], [1, 0])
    assert drawn.get_clim() == (0, 1)


def test_colour_pictures_are_drawn_as_they_are():
    _, ax = plt.subplots()
    plots.show_image(ax, random(3, 4, 3))
    np.testing.assert_array_equal(ax.images[0].get_array(), random(3, 4, 3))


def test_an_image_grid_is_one_image_with_a_title_in_new_or_given_axes():
    images = random(7, 4, 4, 1)
    figure, (empty, given) = plt.subplots(1, 2)
    assert plots.image_grid(images, 3, "Seven", ax=given) is figure
    assert not empty.images
    for ax in (given, *plots.image_grid(images, columns=3, title="Seven").axes):
        assert ax.get_title() == "Seven"
        (drawn,) = ax.images
        np.testing.assert_array_equal(drawn.get_array(), plots.tile(images, 3)[..., 0])


def test_image_rows_have_their_labels_and_may_differ_in_length():
    rows = {"original": random(3, 4, 4, 1), "decoded": 1 - random(5, 4, 4, 1)}
    figure = plots.image_rows(rows, "Rows")
    assert figure.get_suptitle() == "Rows"
    for ax, (label, images) in zip(figure.axes, rows.items(), strict=True):
        assert ax.get_ylabel() == label
        expected = plots.tile(images, 5)[..., 0]
        np.testing.assert_array_equal(ax.images[0].get_array(), expected)


WAYS = ("pixels", "codes", "straight", "arc", "detour", "jump")


@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_walk_has_its_pictures_above_and_every_curve_below(count):
    rows = {name: random(4, 3, 3, 1) for name in WAYS[:count]}
    lines = {name: random(4) + i for i, name in enumerate(rows)}
    weights = np.linspace(0, 1, 4)
    above, below = plots.walk(rows, weights, lines, "ln p(z) (nats)", "Way").axes
    together = plots.tile(np.concatenate(list(rows.values())), 4)[..., 0]
    np.testing.assert_array_equal(above.images[0].get_array(), together)
    assert above.get_title() == "Way"
    assert [label.get_text() for label in above.get_yticklabels()] == list(rows)
    # beside the rows of 3 pixels
    np.testing.assert_array_equal(above.get_yticks(), 2 + 4 * np.arange(count))
    for line, (label, values) in zip(below.lines, lines.items(), strict=True):
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata().T, [weights, values])
    assert len({line.get_color() for line in below.lines}) == count
    assert below.get_ylabel() == "ln p(z) (nats)"


TWO, THREE = random(2, 3, 3, 1), random(3, 3, 3, 1)


@pytest.mark.parametrize(
    ("draw", "arguments", "named"),
    [
        (plots.image_rows, ({"a": TWO, "none": TWO[:0]}, "t"), "'none': 0"),
        (plots.image_rows, ({}, "t"), "{}"),
        (plots.image_grid, (TWO[..., 0], 2, "t"), r"\(2, 3, 3\)"),
        (plots.tile, (TWO[:0], 2), r"\(0, 3, 3, 1\)"),
        (plots.tile, (TWO, 0), "0 columns"),
        (plots.walk, ({"a": THREE}, [0, 1], {"a": [1, 2]}, "y", "t"), "3, 2"),
        (plots.walk, ({"a": TWO}, [0, 1], {"a": [1, 2, 3]}, "y", "t"), "2, 3"),
        (plots.walk, ({"a": TWO[:1]}, [0], {"a": [1]}, "y", "t"), "1 weights"),
        (plots.walk, ({}, [0, 1], {}, "y", "t"), "2 weights"),
        (plots.tile, (random(2, 3, 3, 2), 2), r"\(2, 3, 3, 2\).*\[..., :1\]"),
        (plots.image_grid, (random(2, 3, 8, 8), 2, "t"), "channels come last"),
        (plots.image_rows, ({"a": random(2, 3, 3, 2)}, "t"), r"\(2, 3, 3, 2\)"),
        (plots.learning_curves, ({}, {"loss": "nats"}, "t"), r"\[\] and \['loss'\]"),
        (plots.learning_curves, ({"a": {"step": [1]}}, {}, "t"), "'a'.* and "),
        (plots.learning_curves, ({"a": {"loss": [1]}}, {"loss": "n"}, "t"), "'step'"),
        (
            plots.learning_curves,
            ({"b": {"step": [1]}}, {"rate": "n"}, "t"),
            "'b' lacks",
        ),
        (plots.code_scatter, (np.ones((5, 3)), np.ones(5), "t"), r"codes\[:, :2\]"),
        (plots.code_scatter, (np.ones((5, 1)), np.ones(5), "t"), r"\(5, 1\)"),
        (plots.code_scatter, (np.ones((5, 2)), np.ones(4), "t"), r"\(4,\)"),
    ],
)
def test_arrays_that_do_not_fit_are_explained(draw, arguments, named):
    with pytest.raises(ValueError, match=named):
        draw(*arguments)


def test_lists_are_arrays_too():
    np.testing.assert_array_equal(plots.tile(TWO.tolist(), 2), plots.tile(TWO, 2))
    curves = {"step": [1, 2, 3], "loss": [3.0, 2.0, 1.0]}
    (ax,) = plots.learning_curves({"a": curves}, {"loss": "nats"}, "t", skip=1).axes
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), [[2, 2], [3, 1]])
    (ax,) = plots.code_scatter([[0.0, 1.0], [2.0, 3.0]], ["b", "a"], "t").axes
    assert len(ax.collections[0].get_offsets()) == 2


# Curves


def history(offset, keys=("loss", "rate", "val_loss", "val_rate")):
    curves = {key: random(3) + index + offset for index, key in enumerate(keys)}
    return {"step": np.array([10, 20, 30]), **curves}


@pytest.mark.parametrize("count", [1, 2, 6])
def test_learning_curves_draw_training_dashed_and_held_out_solid(count):
    histories = {f"{10 * i} latents": history(10 * i) for i in range(count)}
    panels = {"loss": "loss (nats)", "rate": "rate (nats)"}
    figure = plots.learning_curves(histories, panels, "Curves", log=True, skip=1)
    assert figure.get_suptitle() == "Curves"
    for ax, key in zip(figure.axes, panels, strict=True):
        assert (ax.get_ylabel(), ax.get_xlabel()) == (panels[key], "optimiser steps")
        assert ax.get_yscale() == "log"
        for index, name in enumerate(histories):
            dashed, solid = ax.lines[2 * index : 2 * index + 2]
            curves = histories[name][key][1:], histories[name][f"val_{key}"][1:]
            np.testing.assert_array_equal(dashed.get_xydata().T, [[20, 30], curves[0]])
            np.testing.assert_array_equal(solid.get_xydata().T, [[20, 30], curves[1]])
            assert (dashed.get_linestyle(), solid.get_linestyle()) == ("--", "-")
            assert dashed.get_color() == solid.get_color()
        assert len({line.get_color() for line in ax.lines}) == count
    named = histories if count > 1 else []
    assert texts(figure.legends[0])[1:] == ["training", "held out", *named]


def test_learning_curves_count_in_epochs_and_need_no_held_out_figures():
    histories = {"one": history(0), "two": history(1, keys=["loss"])}
    alone = {"two": histories["two"]}
    for some, lines in ((histories, 3), (alone, 1)):
        figure = plots.learning_curves(some, {"loss": "nats"}, "", steps_an_epoch=20)
        (ax,) = figure.axes
        assert (ax.get_xlabel(), len(ax.lines)) == ("epochs", lines)
        np.testing.assert_array_equal(ax.lines[0].get_xdata(), [0.5, 1, 1.5])
        assert ("held out" in texts(figure)) == (lines == 3)


def test_rate_bars_are_sorted():
    rates, (figure, given) = np.array([0.5, 2.0, 1.0]), plt.subplots()
    assert plots.rate_bars(rates, "Rates", ax=given) is figure
    for ax in (given, *plots.rate_bars(rates, "Rates").axes):
        assert [bar.get_height() for bar in ax.patches] == [2.0, 1.0, 0.5]
        assert "nats" in ax.get_ylabel()
        assert ax.get_title() == "Rates"


# Codes


@pytest.mark.parametrize("names", [range(10), [f"class {i}" for i in range(12)]])
def test_the_code_scatter_gives_every_code_its_classs_colour(names):
    codes, labels = random(60, 2), np.array(names)[np.arange(60) % len(names)]
    (ax,) = plots.code_scatter(codes, labels, "Codes").axes
    (points,) = ax.collections
    colours = style.class_colours(labels)
    drawn = zip(points.get_offsets(), points.get_facecolors(), strict=True)
    found = {tuple(place): to_hex(colour) for place, colour in drawn}
    given = zip(codes, labels, strict=True)
    assert found == {tuple(z): colours[label].lower() for z, label in given}
    assert not (points.get_offsets() == codes).all()  # no class is painted over others
    assert ax.get_title() == "Codes"
    legend, title = ax.get_legend(), "digit" if len(names) == 10 else "class"
    assert texts(legend) == [title, *sorted(map(str, names))]
    assert [h.get_color() for h in legend.legend_handles] == list(colours.values())


def test_the_digit_legend_may_stand_by_other_axes():
    codes, labels, (figure, ax) = np.zeros((3, 2)), [1, 2, 3], plt.subplots()
    assert plots.code_scatter(codes, labels, "Codes", ax, legend=False) is figure
    assert ax.get_legend() is None
    plots.digit_legend(ax)
    assert texts(ax.get_legend()) == ["digit", *"0123456789"]
    drawn = [handle.get_color() for handle in ax.get_legend().legend_handles]
    assert drawn == list(plots.DIGIT_COLOURS)


@pytest.mark.parametrize("name", list(families.registry()))
def test_manifold_codes_are_finite_and_read_like_a_map(make_vae, name):
    vae = make_vae(family=name)
    codes = plots.manifold_codes(vae, side=5)
    assert codes.shape == (25, 2)
    assert np.isfinite(codes).all()
    centres = vae.prior_quantiles(np.array([0.1, 0.3, 0.5, 0.7, 0.9]))
    assert (np.diff(centres, axis=0) > 0).all()
    for row, line in enumerate(codes.reshape(5, 5, 2)):
        np.testing.assert_array_equal(line[:, 0], centres[:, 0])
        np.testing.assert_array_equal(line[:, 1], centres[-1 - row, 1])


@pytest.mark.parametrize(("latents", "side", "named"), [(2, 0, "0 and"), (3, 5, "3")])
def test_manifolds_need_two_latents_and_a_side(make_vae, latents, side, named):
    with pytest.raises(ValueError, match=named):
        plots.manifold_codes(make_vae(latent_size=latents), side)


# Architecture


@pytest.mark.parametrize("name", [None, "normal", "exponential"])
def test_the_architecture_reads_its_parts_off_the_model(name):
    picture = random(28, 28, 1)
    sizes = {"latent_size": 32, "hidden": (512, 256, 128)}
    if name is None:
        model, parts = models.build_autoencoder(**sizes), ["code"]
    else:
        model = models.build_vae(family=name, **sizes)
        parts = [*model.family.parameter_names, "z"]
    figure = plots.architecture(model, picture)
    said = texts(figure)
    widths = [int(text) for text in said if text.isdigit()]
    assert widths == [512, 256, 128, 128, 256, 512]
    assert [text[:-3] for text in said if text.endswith("\n32")] == parts
    assert any("noise" in text for text in said) == (name is not None)
    assert any("sigma" in text for text in said) == (name == "normal")
    assert {"$x$: 784", r"$\hat x$: 784"} <= set(said)
    written = [text for text in figure.findobj(plt.Text) if "\n32" in text.get_text()]
    heights = [text.get_position()[1] for text in written]
    assert heights == sorted(heights[: len(parts) - 1], reverse=True) + heights[-1:]
    assert sum(heights) == pytest.approx(0)  # evenly above and below the middle
    drawn = [ax.images[0].get_array() for ax in figure.findobj(plt.Axes) if ax.images]
    back = model.reconstruct(picture[np.newaxis])[0]
    np.testing.assert_array_equal(drawn, np.stack([picture, back])[..., 0])


def test_the_architecture_of_convolutions_is_refused():
    with pytest.raises(ValueError, match="down_1"):
        plots.architecture(models.build_vae(architecture="conv"), random(28, 28, 1))


# 01 The paper's mathematics


def test_the_latent_model_has_three_panels_and_its_marks():
    z = np.linspace(-4, 4, 81)
    prior, curve = np.exp(-(z**2) / 2), np.stack([z, z**2 / 4], axis=1)
    samples = (random(30), random(30, 2))
    density = np.outer(np.linspace(0.1, 1, 20), np.ones(30))  # grows with x_2 only
    marks, extent = {"A": (0.5, 1.0), "B": (-1.0, 2.0)}, (-3, 3, -2, 4)
    figure = notebook_01.latent_model(z, prior, curve, samples, density, extent, marks)
    left, middle, right = figure.axes
    seen = np.abs(z) < 3.3
    (points,) = left.collections
    np.testing.assert_allclose(points.get_offsets(), np.stack([z, prior], axis=1)[seen])
    np.testing.assert_allclose(points.get_array(), z[seen])
    means, draws = middle.collections
    np.testing.assert_allclose(means.get_offsets(), curve[seen])
    np.testing.assert_allclose(draws.get_offsets(), samples[1])
    np.testing.assert_allclose(draws.get_array(), samples[0])
    assert [text.get_text() for text in right.texts] == list(marks)
    assert [(*line.get_xydata()[0],) for line in right.lines] == list(marks.values())
    for ax in (middle, right):
        assert (*ax.get_xlim(), *ax.get_ylim()) == extent
    darkest = right.collections[0].get_paths()[-1].vertices
    assert darkest[:, 1].min() > 2  # at the top


def test_posteriors_have_a_panel_per_data_point():
    z = np.linspace(-3, 3, 50)
    exact = {"A": np.exp(-(z**2)), "B": 2 * np.exp(-2 * z**2)}
    fits = [np.exp(-1.1 * z**2), np.exp(-1.9 * z**2)]
    figure = notebook_01.posteriors(z, exact, fits, gaps=[0.25, 1.5])
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["A\ngap 0.25 nats", "B\ngap 1.50 nats"]
    for ax, density, fit in zip(figure.axes, exact.values(), fits, strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_xydata().T, [z, fit])
        assert tops(ax) == [pytest.approx(density.max())]


def test_dots_and_lines_share_a_colour():
    _, ax = plt.subplots()
    x, at = np.linspace(0, 1, 9), np.array([0.2, 0.8])
    exact = {f"power {i}": x**i for i in range(5)}
    measured = {f"power {i}": at**i for i in (3, 2, 4, 1, 0)}  # found by label
    notebook_01.dots_and_lines(ax, x, exact, at, measured)
    pairs = zip(exact, ax.lines[::2], ax.lines[1::2], strict=True)
    for label, line, dots in pairs:
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata().T, [x, exact[label]])
        np.testing.assert_array_equal(dots.get_xydata().T, [at, measured[label]])
        assert line.get_color() == dots.get_color()
        assert (dots.get_linestyle(), dots.get_marker()) == ("None", "o")
    assert len({line.get_color() for line in ax.lines}) == 5


def test_the_ellipse_lies_two_standard_deviations_out():
    """By Mahalanobis distance, all the way round."""
    mean, covariance = np.array([1.0, -2.0]), np.array([[2.0, 0.9], [0.9, 0.5]])
    points = notebook_01.ellipse(mean, covariance)
    away = points - mean
    squared = np.sum(away @ np.linalg.inv(covariance) * away, axis=1)
    np.testing.assert_allclose(np.sqrt(squared), np.full(100, 2))
    np.testing.assert_allclose(points[0], points[-1])
    np.testing.assert_allclose(points[:-1].mean(axis=0), mean)


@pytest.mark.parametrize("count", [1, 3, 5])
def test_turned_posteriors_show_both_ellipses_per_turn_and_the_bound(count):
    covariances = [np.array([[1, c / 9], [c / 9, 0.5]]) for c in range(count)]
    shown = {20 * i: (c, np.diag(np.diag(c))) for i, c in enumerate(covariances)}
    turns = np.linspace(0, 90, 19)
    log_px, bound = np.full(19, -3.5), -3.5 - 0.3 * np.sin(np.deg2rad(2 * turns))
    figure = notebook_01.turned_posteriors(shown, turns, log_px, bound)
    *panels, last = figure.axes
    for ax, (turn, pair) in zip(panels, shown.items(), strict=True):
        assert ax.get_title() == f"turn {turn}°"
        for line, covariance in zip(ax.lines, pair, strict=True):
            expected = notebook_01.ellipse(np.zeros(2), covariance)
            np.testing.assert_allclose(line.get_xydata(), expected)
        assert [line.get_color() for line in ax.lines] == [plots.ORANGE, plots.BLUE]
    exact, lower = last.lines
    np.testing.assert_array_equal(exact.get_ydata(), log_px)
    np.testing.assert_array_equal(lower.get_ydata(), bound)
    low, high = last.get_ylim()
    assert low < bound.min() and high > log_px.max()
    colours = [handle.get_color() for handle in figure.legends[0].legend_handles]
    assert colours == ["k", plots.ORANGE, plots.BLUE]


def test_paths_show_routes_and_every_twentieth_gap():
    names = ("score", "path", "natural", "exact")
    routes = {name: random(101, 2) + i for i, name in enumerate(names)}
    gaps = {name: np.exp(-np.arange(101) / (9.0 + i)) for i, name in enumerate(names)}
    centre, covariance = np.array([0.5, -0.5]), np.array([[1.0, 0.8], [0.8, 1.0]])
    ground, decay = notebook_01.paths(routes, gaps, centre, covariance).axes
    *drawn, star = ground.lines
    for line, other, name in zip(drawn, decay.lines, names, strict=True):
        np.testing.assert_array_equal(line.get_xydata(), routes[name])
        every = np.arange(0, 101, 20)
        np.testing.assert_array_equal(other.get_xydata().T, [every, gaps[name][every]])
        assert line.get_color() == other.get_color()
        assert other.get_label() == name
    np.testing.assert_array_equal(star.get_xydata(), [centre])
    assert decay.get_yscale() == "log"
    first = ground.collections[0].get_paths()[0].vertices - centre  # the gap at 1
    gap = 0.5 * np.sum(first @ np.linalg.inv(covariance) * first, axis=1)
    np.testing.assert_allclose(gap, 1, atol=0.05)


def test_a_graphical_model_has_its_circles_arrows_and_plate():
    _, ax = plt.subplots()
    nodes = {"z": (0.0, 0.0), "x": (2.0, 0.0), "theta": (4.0, 1.0)}
    notebook_01.graphical_model(
        ax,
        nodes,
        arrows=[("z", "x"), ("theta", "x")],
        back=[("x", "z")],
        observed=["x"],
        fixed=["theta"],
        plate=((-1, -1), (3, 1), "N points"),
    )
    ax.figure.canvas.draw()
    circles = [p for p in ax.patches if isinstance(p, Circle)]
    assert [circle.center for circle in circles] == [nodes["z"], nodes["x"]]
    first, second = (to_hex(circle.get_facecolor()) for circle in circles)
    assert first == "#ffffff" != second  # only x is observed
    arrows = [p for p in ax.patches if isinstance(p, FancyArrowPatch)]
    assert [arrow.get_linestyle() for arrow in arrows] == ["-", "-", "--"]
    ends = [("z", "x"), ("theta", "x"), ("x", "z")]
    for arrow, (start, end) in zip(arrows, ends, strict=True):
        line = arrow.get_path().vertices
        assert np.linalg.norm(line[0] - nodes[start]) < 0.7  # begins at its node
        assert np.linalg.norm(line - nodes[end], axis=1).min() < 0.7
    (box,) = [p for p in ax.patches if isinstance(p, Rectangle)]
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((-1, -1), 4, 2)
    written = {text.get_text(): text.get_position() for text in ax.texts}
    assert written.items() >= nodes.items()
    assert "N points" in written
    assert (*ax.get_xlim(), *ax.get_ylim()) == pytest.approx((-1.05, 4.4, -1.05, 1.5))


def test_bounds_touch_where_em_stands():
    theta = np.linspace(-1, 3, 81)
    log_px, visited = -((theta - 2) ** 2), [(0.0, -4.0), (1.0, -1.0), (1.5, -0.25)]
    bounds = [
        -4 + 4 * theta - 2 * theta**2,
        -1 + 2 * (theta - 1) - 2 * (theta - 1) ** 2,
    ]
    shortfalls = np.array([4.0, 1.0, 0.25])
    figure = notebook_01.touching_bounds(theta, log_px, bounds, visited, shortfalls)
    hill, decay = figure.axes
    exact, *others = hill.lines
    np.testing.assert_array_equal(exact.get_xydata().T, [theta, log_px])
    for step, bound in enumerate(bounds):
        line, dot, dotted = others[3 * step : 3 * step + 3]
        np.testing.assert_array_equal(line.get_xydata().T, [theta, bound])
        np.testing.assert_array_equal(dot.get_xydata(), [visited[step]])
        (left, low), (right, high) = dotted.get_xydata()
        assert left == right == visited[step + 1][0]
        assert low == pytest.approx(bound.max())  # from the summit up to the likelihood
        assert high == visited[step + 1][1]
        assert line.get_color() == dot.get_color() == dotted.get_color()
    np.testing.assert_array_equal(decay.lines[0].get_ydata(), shortfalls)
    assert decay.get_yscale() == "log"
    assert len(figure.legends[0].get_texts()) == 3


def test_encoders_have_a_bar_their_seeds_and_their_means():
    gaps = {
        "encoder, small": np.array([1.0, 2.0]),
        "encoder, big": np.array([0.2, 0.6]),
    }
    line, searched = np.linspace(-1, 1, 11), np.sign(np.linspace(-1, 1, 11))
    encoded = {name: searched * (i + 1) for i, name in enumerate(gaps)}
    figure = notebook_01.amortised(gaps, 0.05, line, searched, encoded)
    bars, means = figure.axes
    heights = [bar.get_height() for bar in bars.patches]
    assert heights == pytest.approx([0.05, 1.5, 0.4])
    assert [text.get_text() for text in bars.texts] == ["0.05", "1.50", "0.40"]
    for dots, values in zip(bars.lines, gaps.values(), strict=True):
        np.testing.assert_array_equal(dots.get_ydata(), values)
    *curves, found = means.lines
    for curve, (name, values) in zip(curves, encoded.items(), strict=True):
        assert curve.get_label() == name
        np.testing.assert_array_equal(curve.get_ydata(), values)
    np.testing.assert_array_equal(found.get_xydata().T, [line, searched])


def test_reverse_steps_have_a_panel_each_that_shows_both():
    x = np.linspace(-9, 9, 181)
    wide, narrow = np.exp(-(x**2) / 8), np.exp(-(x**2) * 2)
    steps = {"long": (wide, narrow, 0.5), "short": (narrow, narrow, 0.0)}
    figure = notebook_01.reverse_steps(x, steps)
    titles = [ax.get_title() for ax in figure.axes]
    assert titles == ["long\nKL 0.5 nats", "short\nKL 0 nats"]
    for ax, (true, normal, _) in zip(figure.axes, steps.values(), strict=True):
        np.testing.assert_array_equal(ax.lines[0].get_xydata().T, [x, normal])
        assert tops(ax) == [pytest.approx(true.max())]
    (left, right), (near, far) = (ax.get_xlim() for ax in figure.axes)
    assert left < near < 0 < far < right  # each as wide as its densities


def test_the_chain_has_its_marginals_and_two_losses_per_length():
    times, x = np.arange(6), np.linspace(-3, 3, 21)
    densities = np.exp(-((x[:, np.newaxis] - 1) ** 2) / (1 + times))
    lengths = np.array([5, 10, 40])
    whole = {"fixed": np.array([0.4, 0.2, 0.05]), "best": np.array([0.3, 0.1, 0.01])}
    losses = {name: (values, values / 2) for name, values in whole.items()}
    flow, gap = notebook_01.chain(times, x, densities, lengths, losses).axes
    assert (*flow.get_ylim(), flow.get_xlim()[0]) == (-3, 3, 0)
    peak = flow.collections[0].get_paths()[-1].vertices  # lies around x = 1
    np.testing.assert_allclose(peak[:, 1].mean(), 1, atol=0.2)
    assert 0 < peak[:, 1].min() < peak[:, 1].max() < 2
    *drawn, _ = gap.lines  # the last explains the dashes
    parts = zip(drawn[::2], drawn[1::2], losses.items(), strict=True)
    for line, dashed, (label, (values, part)) in parts:
        assert line.get_label() == label
        np.testing.assert_array_equal(line.get_xydata().T, [lengths, values])
        np.testing.assert_array_equal(dashed.get_xydata().T, [lengths, part])
        assert (dashed.get_linestyle(), dashed.get_color()) == ("--", line.get_color())
    assert (gap.get_xscale(), gap.get_yscale()) == ("log", "log")
    assert [text.get_text() for text in gap.get_xticklabels()] == ["5", "10", "40"]
    assert texts(gap.get_legend())[1:-1] == list(losses)


# 05 The latent space


def test_posterior_ellipses_reach_two_standard_deviations():
    figure, ax = plt.subplots()
    ax.set(xlim=(-4, 4), ylim=(-4, 4), aspect="equal")
    means, deviations = (
        np.array([[1, -1], [0, 2.0]]),
        np.array([[0.5, 0.1], [0.2, 0.3]]),
    )
    notebook_05.posterior_ellipses(ax, means, deviations, np.array([3, 7]))
    (ellipses,) = ax.collections
    figure.canvas.draw()
    np.testing.assert_array_equal(ellipses.get_offsets(), means)
    (path,) = ellipses.get_paths()
    for transform, deviation in zip(ellipses.get_transforms(), deviations, strict=True):
        size = np.ptp((path.vertices @ transform[:2, :2].T), axis=0)
        np.testing.assert_allclose(size, 4 * deviation, rtol=0.02)
    colours = [to_hex(colour) for colour in ellipses.get_edgecolors()]
    assert colours == [plots.DIGIT_COLOURS[digit].lower() for digit in (3, 7)]
    np.testing.assert_array_equal(ellipses.get_facecolors()[:, 3], 0.25)


def test_the_thumbnail_map_puts_pictures_where_their_points_are():
    points = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0], [9.9, 9.9]])
    pictures = np.ones((4, 3, 3, 1), "float32")
    figure = notebook_05.thumbnail_map(points, pictures, np.arange(4), "Map", cells=5)
    (ax,) = figure.axes
    canvas = np.asarray(ax.images[0].get_array())
    assert canvas.shape == (15, 15, 3)
    assert ax.get_title() == "Map"
    corners = canvas[-1, 0], canvas[-1, -1], canvas[0, -1]  # z_2 grows upwards
    found = [to_hex(colour) for colour in corners]
    assert found == [colour.lower() for colour in plots.DIGIT_COLOURS[:3]]
    np.testing.assert_array_equal(canvas[0, 0], 1)  # nothing there: paper
    inked = (canvas < 1).any(axis=2).sum()
    assert inked == 3 * 9  # the fourth shares a cell with the third
    moved = notebook_05.thumbnail_map(points + 7, pictures, np.arange(4), "", cells=5)
    np.testing.assert_array_equal(moved.axes[0].images[0].get_array(), canvas)


def test_aggregate_posteriors_show_area_and_prior():
    z = np.linspace(-3, 3, 31)
    prior = np.exp(-0.5 * z**2)
    aggregates = np.stack([prior * height for height in (0.5, 1.0, 2.0)])
    draw = notebook_05.aggregate_posteriors
    figure = draw(z, prior, aggregates, ["a", "b", "c"], "Audit", columns=2)
    assert figure.get_suptitle() == "Audit"
    shown = [ax for ax in figure.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["a", "b", "c"]
    for ax, density in zip(shown, aggregates, strict=True):
        assert tops(ax) == [pytest.approx(density.max())]
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), prior)
    with pytest.raises(ValueError):
        draw(z, prior, aggregates, ["a", "b"], "A latent without a caption")


@pytest.mark.parametrize(
    ("words", "error"), [(3.5, TypeError), ("", ValueError), ("a plot", ValueError)]
)
def test_a_description_that_says_nothing_is_refused(words, error):
    with pytest.raises(error, match=re.escape(repr(words))):
        plots.describe(words)


def test_outside_a_notebook_a_description_is_silent(capsys):
    assert plots.describe("The curve falls to 3 nats.") is None
    assert capsys.readouterr().out == ""
