"""helpers/drawn_cats.py: what is measured on a picture tells the factors it was drawn from."""

import colorsys

import numpy as np
import pytest
from helpers.drawn_cats import FACTORS

from helpers.datasets import drawn_cats

CENTRES = (np.arange(64) + 0.5) / 32 - 1
X, Y = np.meshgrid(CENTRES, -CENTRES)  # halves of a picture, y upwards


def around(x, y, half_width, half_height):
    """Pixels in two boxes, left and right of the middle, (64, 64)."""
    return (np.abs(np.abs(X) - x) < half_width) & (np.abs(Y - y) < half_height)


WALL = around(0.95, 0.88, 0.05, 0.12)
FOREHEAD = around(0, 0.2, 0.06, 0.06)
CROWN = around(0, 0.4, 0.03, 0.05)
EARS = around(0.4, 0.45, 0.08, 0.07)
EYES = around(0.28, 0.01, 0.27, 0.24)
IRISES = around(0.28, 0.0, 0.1, 0.05)
PUPILS = around(0.27, 0.0, 0.02, 0.03)
MUZZLE = around(0, -0.3, 0.1, 0.03)
BODY = around(0, -0.9, 0.4, 0.1)
TOP = Y > 0.11

# A factor: where every pixel changes, on a cat in the middle of all ranges, and where none does.
PLACES = {
    "fur_warmth": (FOREHEAD, WALL | IRISES),
    "fur_lightness": (FOREHEAD, WALL | IRISES),
    "stripes": (CROWN, WALL | IRISES | EARS | MUZZLE),
    "white": (MUZZLE, WALL | IRISES | EARS),
    "eye_colour": (around(0.36, 0.0, 0.02, 0.02), ~EYES),
    "eye_size": (around(0.42, 0.03, 0.015, 0.015), ~EYES),
    "pupil_width": (around(0.32, 0.01, 0.015, 0.02), ~EYES),
    "ear_length": (around(0.47, 0.6, 0.03, 0.03), ~TOP),
    "ear_angle": (around(0.26, 0.57, 0.02, 0.05), ~TOP),
    "head_width": (around(0.62, -0.08, 0.04, 0.03), WALL | BODY),
    "turn": (PUPILS, WALL | BODY),
    "tilt": (PUPILS, WALL | BODY),
    "background_hue": (WALL, FOREHEAD | IRISES | MUZZLE | BODY),
    "light": (WALL | EARS, IRISES),
}


def cats_like(count=1, **values):
    """Factors in the middle of their ranges but for those named, (count, factors)."""
    factors = np.tile(np.mean(list(FACTORS.values()), axis=1), (count, 1))
    for name, value in values.items():
        factors[:, list(FACTORS).index(name)] = value
    return factors


def both_ends(name, factors, size=64):
    """Pictures of the same cats with the lowest and the highest value of one factor."""
    column = list(FACTORS).index(name)
    pair = []
    for value in FACTORS[name]:
        factors = factors.copy()
        factors[:, column] = value
        pair.append(drawn_cats.draw(factors, size))
    return pair


def change(name, factors, size=64):
    """How much a factor changes each pixel, (n, size, size)."""
    low, high = both_ends(name, factors, size)
    return np.abs(high - low).max(axis=-1)


@pytest.fixture(scope="module")
def cats():
    """Forty cats: their factors and pictures."""
    factors = drawn_cats.random_factors(40, seed=3)
    return factors, drawn_cats.draw(factors)


def test_factors_are_uniform_and_independent():
    factors = drawn_cats.random_factors(4000, seed=1)
    assert factors.shape == (4000, len(FACTORS))
    assert factors.dtype == np.float32
    low, high = np.array(list(FACTORS.values())).T
    share = (factors - low) / (high - low)
    quarters = np.quantile(share, [0, 0.25, 0.5, 0.75, 1], axis=0)
    for column in quarters.T:
        np.testing.assert_allclose(column, [0, 0.25, 0.5, 0.75, 1], atol=0.03)
    correlations = np.corrcoef(share.T) - np.eye(len(FACTORS))
    assert np.abs(correlations).max() < 0.07


def test_pictures_are_float32_in_the_unit_range(cats):
    _, pictures = cats
    assert pictures.shape == (40, 64, 64, 3)
    assert pictures.dtype == np.float32
    assert pictures.min() >= 0
    assert pictures.max() <= 1
    assert pictures.std() > 0.1


def test_the_same_factors_draw_the_same_cat_alone_or_among_others(cats):
    factors, pictures = cats
    again = drawn_cats.random_factors(40, seed=3)
    np.testing.assert_array_equal(again, factors)
    assert (drawn_cats.random_factors(40, seed=4) != factors).all()
    for index in (0, 1, 2, 39):
        alone = drawn_cats.draw(factors[index : index + 1])
        np.testing.assert_allclose(alone[0], pictures[index], atol=1e-6)


def test_no_cats_are_an_empty_array():
    assert drawn_cats.draw(drawn_cats.random_factors(0)).shape == (0, 64, 64, 3)


def test_a_larger_picture_shows_the_same_cat(cats):
    factors, pictures = cats
    large = drawn_cats.draw(factors[:8], size=256)
    assert large.shape == (8, 256, 256, 3)
    shrunk = large.reshape(8, 64, 4, 64, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - pictures[:8]).mean() < 0.01


def test_bad_factors_are_named():
    with pytest.raises(ValueError, match=r"shape \(n, 14\).*have shape \(2, 3\)"):
        drawn_cats.draw(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"shape \(n, 14\)"):
        drawn_cats.draw(cats_like()[0])
    for value in (-0.1, 1.2, np.nan):
        with pytest.raises(
            ValueError, match=rf"stripes must lie in \[0, 1\], and is {value}"
        ):
            drawn_cats.draw(cats_like(stripes=value))
    with pytest.raises(ValueError, match=r"size must be at least 1 pixel, and is 0"):
        drawn_cats.draw(cats_like(), size=0)


def test_the_ends_of_the_ranges_can_be_drawn():
    low, high = np.array(list(FACTORS.values())).T
    assert np.isfinite(drawn_cats.draw(np.stack([low, high]))).all()


# One factor at a time


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_changes_what_its_name_says_and_nothing_else(name):
    changing, unchanging = PLACES[name]
    difference = change(name, cats_like())[0]
    assert difference[changing].min() > 0.03
    assert difference[unchanging].max() == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("name", FACTORS)
def test_no_two_cats_of_a_sweep_are_alike(name):
    pictures = drawn_cats.draw(drawn_cats.sweep(name, 7)).reshape(7, -1)
    distances = np.abs(pictures[:, np.newaxis] - pictures).max(axis=2) + np.eye(7)
    assert distances.min() > 0.02


def test_a_sweep_runs_through_one_range_and_keeps_the_rest(cats):
    start = cats[0][5]
    factors = drawn_cats.sweep("turn", 5, start)
    column = list(FACTORS).index("turn")
    np.testing.assert_allclose(factors[:, column], [-28, -14, 0, 14, 28])
    np.testing.assert_array_equal(np.delete(factors - start, column, axis=1), 0)
    np.testing.assert_allclose(
        drawn_cats.sweep("turn", 3)[1], cats_like()[0], rtol=1e-6
    )
    with pytest.raises(
        ValueError, match=r"name must be one of .*'turn'.* and is 'tail'"
    ):
        drawn_cats.sweep("tail", 3)


# What can be measured


def test_the_wall_has_the_hue_of_its_factor(cats):
    factors, pictures = cats
    means = pictures[:, WALL].mean(axis=1)
    hues = np.array([360 * colorsys.rgb_to_hsv(*mean)[0] for mean in means])
    expected = factors[:, list(FACTORS).index("background_hue")]
    away = (hues - expected + 180) % 360 - 180
    assert np.abs(away).max() < 1


@pytest.mark.parametrize(
    "place", [Y > 0.75, (Y < -0.8) & (np.abs(X) < 0.4), around(0, 0, 0.4, 0.4), EARS]
)
def test_the_brighter_side_of_wall_body_and_face_tells_the_light(place):
    light = np.linspace(*FACTORS["light"], 7)
    pictures = drawn_cats.draw(cats_like(7, light=light)).mean(axis=-1)
    right, left = (pictures[:, place & (side * X > 0)].mean(axis=1) for side in (1, -1))
    assert (np.diff(right - left) > 0.005).all()
    assert right[3] == pytest.approx(left[3], abs=0.01)


def test_fur_grows_lighter_and_warmer():
    for name, measure in {
        "fur_lightness": lambda fur: fur.mean(axis=1),
        "fur_warmth": lambda fur: fur[:, 0] - fur[:, 2],
    }.items():
        pictures = drawn_cats.draw(drawn_cats.sweep(name, 9))
        values = measure(pictures[:, FOREHEAD].mean(axis=1))
        assert (np.diff(values) > 0.01).all(), name


def test_stripes_darken_and_white_lightens():
    for name, place, sign in (
        ("stripes", CROWN, -1),
        ("white", MUZZLE, 1),
        ("white", BODY, 1),
    ):
        pictures = drawn_cats.draw(drawn_cats.sweep(name, 5))
        values = pictures[:, place].mean(axis=(1, 2))
        assert (sign * np.diff(values) > 0.01).all(), name


def irises(factors):
    """How much the colour of the eyes shows at each pixel, (n, 256, 256), and their places."""
    x, y = np.meshgrid(*[(np.arange(256) + 0.5) / 128 - 1] * 2)
    return change("eye_colour", factors, 256), x, -y


def eye_centres(factors, middle):
    """The centres of gravity (x, y) of the irises left and right of a line, (n, 2) each."""
    shown, x, y = irises(factors)
    middle = middle[:, np.newaxis, np.newaxis]
    centres = []
    for weights in (shown * (x < middle), shown * (x > middle)):
        total = weights.sum(axis=(1, 2))
        places = [(weights * place).sum(axis=(1, 2)) / total for place in (x, y)]
        centres.append(np.stack(places, axis=1))
    return centres


def test_the_line_through_the_eyes_tilts_clockwise():
    tilts = np.linspace(*FACTORS["tilt"], 5)
    # the eyes lie 0.46 above the point that the head tilts about, and go with it
    left, right = eye_centres(
        cats_like(5, tilt=tilts), 0.46 * np.sin(np.radians(tilts))
    )
    slope = np.degrees(np.arctan2(*(right - left).T[::-1]))
    np.testing.assert_allclose(slope, -tilts, atol=1.5)


def test_the_eyes_move_as_on_a_turning_head():
    turns = np.linspace(*FACTORS["turn"], 5)
    angle, front = np.radians(turns), np.sqrt(1 - 0.43**2 - (0.05 / 0.51) ** 2)
    eyes = eye_centres(cats_like(5, turn=turns), 0.63 * front * np.sin(angle))
    for side, place in zip((-1, 1), eyes, strict=True):
        expected = 0.63 * (side * 0.43 * np.cos(angle) + front * np.sin(angle))
        np.testing.assert_allclose(place[:, 0], expected, atol=0.03)


def test_the_ears_sit_a_little_behind_the_axis_of_a_turning_head():
    turns = np.linspace(*FACTORS["turn"], 5)
    shown = change("ear_length", cats_like(5, turn=turns))
    middle = (shown * X).sum(axis=(1, 2)) / shown.sum(axis=(1, 2))
    np.testing.assert_allclose(middle, -0.07 * np.sin(np.radians(turns)), atol=0.01)


def covered(factors):
    """Pixels that no wall shows through, (n, 256, 256)."""
    return change("background_hue", factors, 256) < 0.02


def test_the_head_is_as_wide_as_its_factor_says():
    widths = np.linspace(*FACTORS["head_width"], 5)
    at_its_middle = covered(cats_like(5, head_width=widths))[:, 133].sum(axis=1) / 256
    np.testing.assert_allclose(at_its_middle, widths, atol=0.015)


def test_the_ears_reach_as_high_as_their_length_and_angle_say():
    lengths = np.linspace(*FACTORS["ear_length"], 5)
    rows = covered(cats_like(5, ear_length=lengths)).any(axis=2).argmax(axis=1)
    rise = np.polyfit(lengths, 1 - rows / 128, 1)[0]
    assert rise == pytest.approx(np.cos(np.radians(14)), abs=0.12)  # long tips are thin
    angles = np.array([0.0, 38.0])
    rows = covered(cats_like(2, ear_angle=angles)).any(axis=2).argmax(axis=1)
    assert (rows[1] - rows[0]) / 128 == pytest.approx(
        0.47 * (1 - np.cos(np.radians(38))), abs=0.04
    )


def test_a_mirrored_cat_is_a_cat_turned_the_other_way():
    """But for the spark in each eye, which stays on the left."""
    pose = {"turn": 20.0, "tilt": 10.0, "light": 50.0}
    picture, other = drawn_cats.draw(
        np.concatenate(
            [cats_like(**pose), cats_like(**{k: -v for k, v in pose.items()})]
        )
    )
    difference = np.abs(picture[:, ::-1] - other).max(axis=-1)
    assert (difference > 0.01).mean() < 0.02
    assert np.abs(picture - other).max(axis=-1).mean() > 0.1


def test_cats_keep_inside_the_picture():
    """At every extreme of the pose a rim of wall stays above the ears."""
    ends = [FACTORS[name] for name in ("ear_angle", "turn", "tilt")]
    poses = np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)
    factors = cats_like(
        8, ear_length=0.62, ear_angle=poses[:, 0], turn=poses[:, 1], tilt=poses[:, 2]
    )
    assert not covered(factors)[:, 0].any()
