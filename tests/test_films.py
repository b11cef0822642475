"""helpers/plots/films.py: films that hold what they were given, and don't jump."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageColor
from scipy.spatial.distance import pdist
from sklearn.manifold import trustworthiness
from sklearn.metrics import silhouette_score

from helpers import plots
from helpers.plots import films
from helpers.plots.style import class_colours

CAPTIONS = ["epoch 0", "epoch 1", "epoch 2"]
LABELS = np.arange(60) % 10


def walk(latents, count=3, points=60, seed=0):
    """Frames (count, points, latents) of codes that drift."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(count, points, latents)) + np.arange(latents)
    return np.cumsum(0.2 * steps, axis=0) + rng.normal(size=(points, latents))


@pytest.fixture
def greys():
    """Frames (3, 6, 8, 8, 1) of pictures, each of one grey: 0, 0.5 and 1 in turn."""
    return np.ones((3, 6, 8, 8, 1)) * np.reshape([0, 0.5, 1], (3, 1, 1, 1, 1))


def frames_of(path):
    """Every frame of a GIF, (frames, height, width, 3), and how long each is shown."""
    with Image.open(path) as film:
        assert film.format == "GIF"
        shown, durations = [], []
        for index in range(film.n_frames):
            film.seek(index)
            shown.append(np.asarray(film.convert("RGB")))
            durations.append(film.info["duration"])
        assert film.info.get("loop", 0) == 0  # without end
    return np.stack(shown), durations


# Films


def test_a_film_joins_its_panels_and_holds_the_last_frame(tmp_path, greys):
    panels = {
        "codes": films.Points(walk(2), LABELS),
        "digits": films.Pictures(greys, columns=3),
    }
    path, bounds = tmp_path / "film.gif", {"milliseconds": 100, "hold": 1500}
    shown, durations = frames_of(films.film(path, panels, CAPTIONS, **bounds))
    assert shown.shape[0] == 3 and shown.shape[2] == 760
    assert durations == [100, 100, 1500]
    assert list(tmp_path.iterdir()) == [path]


def test_a_film_looks_the_same_whatever_the_style(tmp_path, greys):
    panels = {"a": films.Points(walk(2), LABELS), "b": films.Pictures(greys, 3)}
    made = []
    for style in (plots.use_style, plt.rcdefaults):
        with plt.rc_context():
            style()
            before = plt.rcParams.copy()
            made.append(
                films.film(tmp_path / "film.gif", panels, CAPTIONS).read_bytes()
            )
            assert plt.rcParams == before
    assert made[0] == made[1]


def test_pictures_have_their_greys_on_white_paper(tmp_path, greys):
    panel = {"digits": films.Pictures(greys, columns=3)}
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panel, CAPTIONS, width=300))
    assert (shown[:, -3:, -3:] == 255).all() and (shown[:, 3, -3:] == 255).all()
    _, height, width, _ = shown.shape
    middle = shown[:, int(0.75 * height), width // 2 - 8]  # inside a lower picture
    np.testing.assert_allclose(middle.mean(axis=1), [255, 127, 0], atol=films.TOLERANCE)


def test_captions_are_drawn_and_nothing_else_moves(tmp_path):
    panel = {"codes": films.Points(np.repeat(walk(2)[:1], 3, axis=0), LABELS)}
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panel, CAPTIONS, width=400))
    for other in shown[1:]:
        rows = np.flatnonzero((shown[0] != other).any(axis=(1, 2)))
        assert len(rows) > 0 and rows.max() < 30  # the heading


@pytest.mark.parametrize("classes", [(3, 0), ("cat", "dog")])
def test_points_are_where_they_belong_in_their_colour(tmp_path, classes):
    frames = np.repeat([[[-1.0, -1.0], [1.0, 1.0]]], 20, axis=1).repeat(2, axis=0)
    frames[1] *= [1, -1]  # the second frame is upside down
    points = films.Points(frames, np.repeat(classes, 20))
    path = films.film(tmp_path / "film.gif", {"codes": points}, "ab", width=400)
    inside = frames_of(path)[0][:, 70:-45, 20:-20].astype(int)

    def height_of(colour):
        near = np.abs(inside - ImageColor.getrgb(colour)).max(axis=3) < 12
        assert near.any(axis=(1, 2)).all()
        return [np.mean(np.nonzero(frame)[0]) / inside.shape[1] for frame in near]

    colours = class_colours(points.labels)
    low, high = (height_of(colours[name]) for name in classes)
    assert low[0] > 0.9 > 0.1 > high[0]
    assert low[1] < 0.1 < 0.9 < high[1]


@pytest.mark.slow
def test_every_digit_keeps_its_colour(tmp_path, greys):
    pictures = np.random.default_rng(0).random(greys.shape)
    panels = {
        "digits": films.Pictures(pictures, columns=3),
        "codes": films.Points(walk(2, points=200), np.arange(200) % 10),
    }
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panels, CAPTIONS))
    for colour in plots.DIGIT_COLOURS:
        away = np.abs(shown.astype(int) - ImageColor.getrgb(colour)).max(axis=3)
        assert (away <= 3).sum(axis=(1, 2)).min() > 20, colour


def test_originals_stand_above_what_came_of_them(greys):
    panel = films.Pictures(greys, columns=3, originals=np.ones((6, 8, 8, 1)))
    tiled = panel.tiled(1)
    assert tiled.shape == (4 * 9 - 1, 3 * 9 - 1, 1)
    assert tiled[[4, 13, 22, 31], 4, 0].tolist() == [1, 0.5, 1, 0.5]
    assert panel.aspect == pytest.approx(26 / 35)


# GIFs


def test_photographs_keep_their_colours_and_are_enlarged(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (5, 12, 16, 3), np.uint8)
    path = films.write_gif(tmp_path / "a.gif", frames, 90)
    shown, durations = frames_of(path)
    np.testing.assert_array_equal(shown, frames)
    assert durations == [90] * 5
    blocks = frames[:, ::6, ::8].repeat(6, axis=1).repeat(8, axis=2)
    large, _ = frames_of(films.write_gif(path, blocks, [90] * 5, enlarge=3))
    assert large.shape == (5, 36, 48, 3)
    middles = large[:, 9::18, 12::24].astype(int)
    assert np.abs(middles - frames[:, ::6, ::8]).max() < 6


INKS = {"inks": plots.DIGIT_COLOURS}


def test_slow_changes_are_followed_and_the_last_frame_is_exact(tmp_path):
    ramp = np.ones((20, 200, 3), int) * np.arange(200)[:, np.newaxis]
    frames = [(ramp + 3 * index).clip(0, 240).astype(np.uint8) for index in range(30)]
    path = films.write_gif(tmp_path / "a.gif", frames, 50, **INKS)
    shown, durations = frames_of(path)
    times = np.array(durations) // 50  # equal ones are joined
    error = np.abs(shown.astype(int).repeat(times, axis=0) - frames).max(axis=(1, 2, 3))
    rounding = 6  # 64 colours for 240 greys
    assert error.max() <= films.TOLERANCE + rounding
    assert error[-1] <= rounding


def test_a_flicker_that_nobody_sees_costs_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 200, (60, 60, 3))
    frames = np.uint8(picture + rng.integers(0, 10, (20, 60, 60, 1)))

    def size():
        path = films.write_gif(tmp_path / "film.gif", frames, 50, **INKS)
        return path.stat().st_size

    tolerant = size()
    monkeypatch.setattr(films, "TOLERANCE", 0)
    assert tolerant < size() / 4


def test_paper_is_white_whatever_was_there_before(tmp_path):
    frames = [np.full((20, 20, 3), grey, np.uint8) for grey in (240, 249, 240, 240)]
    frames[3][0] = 0
    shown, _ = frames_of(films.write_gif(tmp_path / "film.gif", frames, 50, **INKS))
    assert (shown[1] == 255).all()


# What does not fit

CODES, GREYS = walk(2), np.zeros((3, 6, 8, 8, 1))
BLACK, FILM = np.zeros((1, 8, 8, 3), np.uint8), "film.gif"


@pytest.mark.parametrize(
    ("make", "arguments", "named"),
    [
        (films.film, (FILM, {}, CAPTIONS), "3 captions, and got {}"),
        (films.film, (FILM, {"a": films.Points(CODES, LABELS)}, "ab"), "2 .*{'a': 3}"),
        (films.film, (FILM, {"a": films.Points(CODES[:0], LABELS)}, ""), "0 captions"),
        (films.write_gif, (FILM, GREYS[0], 50), r"float64 \(6, 8, 8, 1\)"),
        (films.write_gif, (FILM, BLACK[:0], 50), r"\(0, 8, 8, 3\)"),
        (partial(films.write_gif, enlarge=0), (FILM, BLACK, 50), "and 0"),
        (films.Points, (walk(5), LABELS), r"\(3, 60, 5\)"),
        (films.Points, (CODES, LABELS[1:]), r"\(3, 60, 2\) and \(59,\)"),
        (films.Pictures, (CODES, 4), r"\(3, 60, 2\) and 4"),
        (films.Pictures, (GREYS, 0), "and 0 columns"),
        (films.Pictures, (GREYS, 3, GREYS[0, :5]), r"\(6, 8, 8, 1\)"),
        (films.Pictures, (GREYS, 4, GREYS[0]), "rows of 4"),
        (films.align, (CODES[0],), r"\(60, 2\)"),
        (films.align, (CODES, LABELS[:9]), r"\(60,\).*\(9,\)"),
        (films.align, (CODES, LABELS % 2), "2 classes"),
        (films.tsne_frames, (CODES[..., :1],), r"\(3, 60, 1\)"),
        (films.tsne_frames, (CODES[:, :20],), "perplexity of 30.* 20"),
        (films.interpolated, (CODES, -1), "-1"),
        (films.interpolated, (CODES[:1], 2), r"\(1, 60, 2\)"),
    ],
)
def test_what_does_not_fit_is_explained(tmp_path, monkeypatch, make, arguments, named):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=named):
        make(*arguments)
    assert not list(tmp_path.iterdir())


# Codes in a plane


def test_two_latents_are_their_own_plane():
    np.testing.assert_array_equal(films.align(CODES), CODES)


def test_many_latents_are_seen_from_one_side():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(3, 50, 2)) * [2, 1]  # moves in a plane of the five latents
    plane, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    seen = films.align(flat @ plane.T + 3)
    for points, expected in zip(seen, flat, strict=True):  # no distance is stretched
        np.testing.assert_allclose(pdist(points), pdist(expected), atol=1e-10)
    spread = seen[-1].var(axis=0)
    assert spread[0] > spread[1]
    assert abs(np.corrcoef(seen[-1].T)[0, 1]) < 1e-6


def test_with_labels_many_latents_are_seen_from_where_the_classes_part():
    rng = np.random.default_rng(0)
    codes = 9 * rng.normal(size=(2, 90, 5))  # wide in all latents but two
    classes = np.arange(90) % 3
    corners = np.array([[0, 0], [1, 0], [0, 1.0]])
    codes[:, :, 3:] = 0.1 * rng.normal(size=(2, 90, 2)) + corners[classes]
    for points in films.align(codes, classes):
        assert silhouette_score(points, classes) > 0.7
    assert silhouette_score(films.align(codes)[-1], classes) < 0.1


@pytest.mark.slow
def test_tsne_frames_start_from_one_another():
    rng = np.random.default_rng(0)
    centres, noise = 8 * rng.normal(size=(4, 6)), rng.normal(size=(80, 6))
    ends = centres[np.arange(80) % 4]
    codes = np.stack([share * ends + noise for share in (0, 0.5, 0.8, 1)])
    maps = films.tsne_frames(codes, perplexity=10)
    assert maps.shape == (4, 80, 2)
    np.testing.assert_allclose(maps.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(maps.std(axis=(1, 2)), 1, rtol=1e-5)
    moves = np.linalg.norm(np.diff(maps, axis=0), axis=2).mean(axis=1)
    assert (moves[1:] < 0.5).all()  # of a spread of 1: no map jumps or turns
    # each its own, and not its neighbour's
    assert trustworthiness(codes[-1], maps[-1], n_neighbors=5) > 0.95
    assert trustworthiness(codes[0], maps[0], n_neighbors=5) > 0.75


def test_a_map_is_turned_and_mirrored_but_not_stretched():
    target, angle = CODES[0], 2.0
    turn = np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    moved = target @ turn + [5, -3]
    np.testing.assert_allclose(films.turned(moved, target), target, atol=1e-10)
    stretched = films.turned(2 * moved, target)
    np.testing.assert_allclose(pdist(stretched), 2 * pdist(target), atol=1e-10)


def test_frames_in_between_lie_between():
    codes = walk(2, count=4)
    more = films.interpolated(codes, between=2)
    assert more.shape == (10, 60, 2)
    np.testing.assert_allclose(more[::3], codes, atol=1e-12)
    for index in range(3):
        ends, inside = codes[index : index + 2], more[3 * index : 3 * index + 4]
        assert (inside >= ends.min(axis=0) - 1e-9).all()
        assert (inside <= ends.max(axis=0) + 1e-9).all()
    epochs = films.interpolated(np.array([0, 0.1, 1, 4]), between=4)
    assert (np.diff(epochs) > 0).all()
