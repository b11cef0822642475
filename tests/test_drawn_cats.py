"""helpers/datasets/drawn_cats.py: a picture tells the factors it was drawn from."""

import colorsys
from pathlib import Path

import numpy as np
import pytest

from helpers import datasets
from helpers.datasets import drawn_cats
from helpers.datasets.drawn_cats import FACTORS

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

# A factor: where every pixel of a middling cat changes with it, and where none does.
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


def sweep(name, count):
    """Pictures of cats that differ in one factor, which runs through its range."""
    values = np.linspace(*FACTORS[name], count)
    return drawn_cats.draw(cats_like(count, **{name: values}))


def change(name, factors, size=64):
    """How much a factor changes each pixel between its ends, (n, size, size)."""
    ends = np.stack([factors, factors])
    ends[:, :, list(FACTORS).index(name)] = np.array([FACTORS[name]]).T
    low, high = (drawn_cats.draw(end, size) for end in ends)
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


def test_the_same_factors_draw_the_same_cat_alone_or_among_others(cats):
    factors, pictures = cats
    assert (pictures.shape, pictures.dtype) == ((40, 64, 64, 3), np.float32)
    assert 0 <= pictures.min() < pictures.max() <= 1
    np.testing.assert_array_equal(drawn_cats.random_factors(40, seed=3), factors)
    assert (drawn_cats.random_factors(40, seed=4) != factors).all()
    for index in (0, 1, 2, 39):
        alone = drawn_cats.draw(factors[index : index + 1])
        np.testing.assert_allclose(alone[0], pictures[index], atol=1e-6)
    assert drawn_cats.draw(factors[:0]).shape == (0, 64, 64, 3)
    ends = drawn_cats.draw(np.transpose(list(FACTORS.values())))
    assert np.isfinite(ends).all()


def test_a_larger_picture_shows_the_same_cat(cats):
    factors, pictures = cats
    large = drawn_cats.draw(factors[:8], size=256)
    assert large.shape == (8, 256, 256, 3)
    shrunk = large.reshape(8, 64, 4, 64, 4, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - pictures[:8]).mean() < 0.01


@pytest.mark.parametrize(
    ("factors", "size", "said"),
    [
        (np.zeros((2, 3)), 64, r"\(2, 3\)"),
        (cats_like()[0], 64, r"\(14,\)"),
        (cats_like(stripes=-0.1), 64, r"stripes.*\[0, 1\].*-0\.1"),
        (cats_like(tilt=18.2), 64, r"tilt.*\[-18, 18\].*18\.2"),
        (cats_like(white=np.nan), 64, "white.*nan"),
        (cats_like(), 0, "size.*0"),
    ],
)
def test_bad_factors_are_named(factors, size, said):
    with pytest.raises(ValueError, match=said):
        drawn_cats.draw(factors, size)


# One factor at a time


@pytest.mark.parametrize("name", FACTORS)
def test_a_factor_changes_what_its_name_says_and_nothing_else(name):
    changing, unchanging = PLACES[name]
    difference = change(name, cats_like())[0]
    assert difference[changing].min() > 0.03
    assert difference[unchanging].max() == pytest.approx(0, abs=2e-3)


@pytest.mark.parametrize("name", FACTORS)
def test_no_two_cats_of_a_sweep_are_alike(name):
    pictures = sweep(name, 7).reshape(7, -1)
    distances = np.abs(pictures[:, np.newaxis] - pictures).max(axis=2) + np.eye(7)
    assert distances.min() > 0.02


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
    pictures = sweep("light", 7).mean(axis=-1)
    right, left = (pictures[:, place & (side * X > 0)].mean(axis=1) for side in (1, -1))
    assert (np.diff(right - left) > 0.005).all()
    assert right[3] == pytest.approx(left[3], abs=0.01)


@pytest.mark.parametrize(
    ("name", "place", "weights"),
    [
        ("fur_lightness", FOREHEAD, [1, 1, 1]),
        ("fur_warmth", FOREHEAD, [3, 0, -3]),
        ("stripes", CROWN, [-1, -1, -1]),
        ("white", MUZZLE, [1, 1, 1]),
        ("white", BODY, [1, 1, 1]),
    ],
)
def test_fur_grows_lighter_and_warmer_stripes_darker(name, place, weights):
    colours = sweep(name, 7)[:, place].mean(axis=1)
    assert (np.diff(colours @ weights) > 0.03).all()


def eye_centres(factors, middle):
    """The irises' centres of gravity (x, y), left and right of a line: (2, n, 2)."""
    x, y = np.meshgrid(*[(np.arange(256) + 0.5) / 128 - 1] * 2)
    shown, middle = (
        change("eye_colour", factors, 256),
        middle[:, np.newaxis, np.newaxis],
    )
    places = np.stack([x, -y], axis=-1).reshape(-1, 2)
    weights = [datasets.flat(shown * side) for side in (x < middle, x > middle)]
    return np.array([w @ places / w.sum(axis=1, keepdims=True) for w in weights])


def test_the_line_through_the_eyes_tilts_clockwise():
    tilts = np.linspace(*FACTORS["tilt"], 5)
    middle = 0.46 * np.sin(np.radians(tilts))  # so high above what the head tilts about
    left, right = eye_centres(cats_like(5, tilt=tilts), middle)
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
    rows = covered(cats_like(2, ear_angle=[0, 38])).any(axis=2).argmax(axis=1)
    fall = 0.47 * (1 - np.cos(np.radians(38)))
    assert (rows[1] - rows[0]) / 128 == pytest.approx(fall, abs=0.04)


def test_a_mirrored_cat_is_a_cat_turned_the_other_way():
    """But for the spark in each eye, which stays on the left."""
    pose = {"turn": 20.0, "tilt": 10.0, "light": 50.0}
    both = {name: [value, -value] for name, value in pose.items()}
    picture, other = drawn_cats.draw(cats_like(2, **both))
    difference = np.abs(picture[:, ::-1] - other).max(axis=-1)
    assert (difference > 0.01).mean() < 0.02
    assert np.abs(picture - other).max(axis=-1).mean() > 0.1


def test_cats_keep_inside_the_picture():
    """At every extreme of the pose a rim of wall stays above the ears."""
    ends = [FACTORS[name] for name in ("ear_angle", "turn", "tilt")]
    angle, turn, tilt = np.stack(np.meshgrid(*ends)).reshape(3, -1)
    poses = cats_like(8, ear_length=0.62, ear_angle=angle, turn=turn, tilt=tilt)
    assert not covered(poses)[:, 0].any()


def test_drawings_stay_as_they_are():
    """The means of 8 x 8 blocks, in 255ths: figures and shipped codes rest on them."""
    pictures = drawn_cats.draw(drawn_cats.random_factors(4, seed=7))
    found = 255 * pictures.reshape(4, 8, 8, 8, 8, 3).mean(axis=(2, 4))
    kept = np.load(Path(__file__).parent / "answers" / "drawn_cats.npz")["means"]
    np.testing.assert_allclose(found, kept, atol=0.6)  # half of it is rounding
