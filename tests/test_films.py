"""helpers/films.py: films that hold what they were given, and don't jump."""

import numpy as np
import pytest
from PIL import Image, ImageColor
from scipy.spatial.distance import pdist
from sklearn.manifold import trustworthiness

from helpers.plots import films

CAPTIONS = ["epoch 0", "epoch 1", "epoch 2"]


def walk(latents, count=3, points=60, seed=0):
    """Frames (count, points, latents) of codes that drift, and digits (points,)."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(count, points, latents)) * [[[1.0]]] + np.arange(latents)
    return np.cumsum(0.2 * steps, axis=0) + rng.normal(
        size=(points, latents)
    ), np.arange(points) % 10


@pytest.fixture
def greys():
    """Frames (3, 6, 8, 8, 1) of pictures, each of one grey: 0, 0.5 and 1 in the three frames."""
    return np.broadcast_to(
        np.array([0, 0.5, 1]).reshape(3, 1, 1, 1, 1), (3, 6, 8, 8, 1)
    )


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
    codes, labels = walk(2)
    panels = {
        "codes": films.Points(codes, labels),
        "digits": films.Pictures(greys, columns=3),
    }
    path = films.film(
        tmp_path / "film.gif", panels, CAPTIONS, milliseconds=100, hold=1500
    )
    shown, durations = frames_of(path)
    assert shown.shape[0] == 3 and shown.shape[2] == 760
    assert durations == [100, 100, 1500]
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]


def test_pictures_have_their_greys_on_white_paper(tmp_path, greys):
    panel = {"digits": films.Pictures(greys, columns=3)}
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panel, CAPTIONS, width=300))
    assert (shown[:, -3:, -3:] == 255).all() and (shown[:, 3, -3:] == 255).all()
    _, height, width, _ = shown.shape
    middle = shown[
        :, int(0.75 * height), width // 2 - 8
    ]  # inside a picture of the second row
    np.testing.assert_allclose(middle.mean(axis=1), [255, 127, 0], atol=films.TOLERANCE)


def test_captions_are_drawn_and_nothing_else_moves(tmp_path):
    codes, labels = walk(2)
    still = np.repeat(codes[:1], 3, axis=0)
    panel = {"codes": films.Points(still, labels)}
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panel, CAPTIONS, width=400))
    for other in shown[1:]:
        rows = np.flatnonzero((shown[0].astype(int) != other).any(axis=(1, 2)))
        assert len(rows) > 0 and rows.max() < 30  # the heading


def test_points_are_where_they_belong_in_their_colour(tmp_path):
    frames = np.zeros((2, 40, 2))
    frames[:, :20] = [-1, -1]
    frames[:, 20:] = [1, 1]
    frames[1] *= [1, -1]  # the second frame is upside down
    labels = np.repeat([3, 0], 20)
    panel = {"codes": films.Points(frames, labels)}
    shown, _ = frames_of(
        films.film(tmp_path / "film.gif", panel, ["a", "b"], width=400)
    )
    inside = shown[:, 70:-45, 20:-20].astype(int)

    def height_of(colour):
        near = np.abs(inside - ImageColor.getrgb(colour)).max(axis=3) < 12
        assert near.any(axis=(1, 2)).all()
        return [np.mean(np.nonzero(frame)[0]) / inside.shape[1] for frame in near]

    three, zero = (height_of(films.plots.DIGIT_COLOURS[digit]) for digit in (3, 0))
    assert three[0] > 0.9 > 0.1 > zero[0]
    assert three[1] < 0.1 < 0.9 < zero[1]


def test_every_digit_keeps_its_colour(tmp_path, greys):
    codes, labels = walk(2, points=200)
    panels = {
        "digits": films.Pictures(
            np.random.default_rng(0).random(greys.shape), columns=3
        ),
        "codes": films.Points(codes, labels),
    }
    shown, _ = frames_of(films.film(tmp_path / "film.gif", panels, CAPTIONS))
    for colour in films.plots.DIGIT_COLOURS:
        away = np.abs(shown.astype(int) - ImageColor.getrgb(colour)).max(axis=3)
        assert (away <= 3).sum(axis=(1, 2)).min() > 20, colour


def test_originals_stand_above_what_came_of_them(greys):
    originals = np.ones((6, 8, 8, 1))
    panel = films.Pictures(greys, columns=3, originals=originals)
    tiled = panel.tiled(1)
    assert tiled.shape == (4 * 9 - 1, 3 * 9 - 1, 1)
    assert tiled[[4, 13, 22, 31], 4, 0].tolist() == [1, 0.5, 1, 0.5]
    assert panel.aspect == pytest.approx(26 / 35)


def test_slow_changes_are_followed_and_the_last_frame_is_exact(tmp_path):
    ramp = np.repeat(np.arange(200)[np.newaxis, :, np.newaxis], 3, axis=2) * np.ones(
        (20, 1, 1)
    )
    frames = [(ramp + 3 * index).clip(0, 240).astype(np.uint8) for index in range(30)]
    shown, durations = frames_of(films.write_gif(tmp_path / "a.gif", frames, [50] * 30))
    shown = np.repeat(
        shown.astype(int), np.array(durations) // 50, axis=0
    )  # equal ones are joined
    error = np.abs(shown - frames).max(axis=(1, 2, 3))
    rounding = 6  # 64 colours for 240 greys
    assert error.max() <= films.TOLERANCE + rounding
    assert error[-1] <= rounding


def test_a_flicker_that_nobody_sees_costs_nothing(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 200, (60, 60, 3))
    frames = [
        (picture + rng.integers(0, 10, (60, 60, 1))).astype(np.uint8) for _ in range(20)
    ]

    def size():
        path = films.write_gif(tmp_path / "film.gif", frames, [50] * 20)
        return path.stat().st_size

    tolerant = size()
    monkeypatch.setattr(animations, "TOLERANCE", 0)
    assert tolerant < size() / 4


def test_paper_is_white_whatever_was_there_before(tmp_path):
    frames = [np.full((20, 20, 3), grey, np.uint8) for grey in (240, 249, 240, 240)]
    frames[3][0] = 0
    shown, _ = frames_of(films.write_gif(tmp_path / "film.gif", frames, [50] * 4))
    assert (shown[1] == 255).all()


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "one or more panels.* 3 captions, and got {}"),
        (
            {"codes": films.Points(*walk(2, count=4))},
            "3 captions, and got {'codes': 4}",
        ),
    ],
)
def test_films_that_do_not_fit_are_explained(tmp_path, panels, message):
    with pytest.raises(ValueError, match=message):
        films.film(tmp_path / "film.gif", panels, CAPTIONS)
    assert not list(tmp_path.iterdir())


def test_panels_that_do_not_fit_are_explained(greys):
    codes, labels = walk(2)
    with pytest.raises(ValueError, match=r"\(3, 60, 5\).*align\(frames\)"):
        films.Points(walk(5)[0], labels)
    with pytest.raises(ValueError, match=r"n labels.*\(3, 60, 2\) and \(59,\)"):
        films.Points(codes, labels[1:])
    with pytest.raises(ValueError, match="labels must be digits, and are"):
        films.Points(codes, labels + 1)
    with pytest.raises(ValueError, match=r"\(3, 60, 2\) and 4 columns"):
        films.Pictures(codes, columns=4)
    with pytest.raises(ValueError, match="and 0 columns"):
        films.Pictures(greys, columns=0)
    with pytest.raises(ValueError, match=r"originals must be \(6, 8, 8, 1\)"):
        films.Pictures(greys, columns=3, originals=greys[0, :5])
    with pytest.raises(ValueError, match="in full rows of 4"):
        films.Pictures(greys, columns=4, originals=greys[0])


# Codes in a plane


def test_two_latents_are_their_own_plane():
    codes, _ = walk(2)
    np.testing.assert_array_equal(films.align(codes), codes)


def test_many_latents_are_seen_from_one_side(tmp_path):
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(3, 50, 2)) * [2, 1]  # moves in a plane of the five latents
    plane, _ = np.linalg.qr(rng.normal(size=(5, 2)))
    seen = films.align(flat @ plane.T + 3)
    for points, expected in zip(
        seen, flat, strict=True
    ):  # a view: no distance is stretched
        np.testing.assert_allclose(pdist(points), pdist(expected), atol=1e-10)
    spread = seen[-1].var(axis=0)
    assert spread[0] > spread[1]
    assert abs(np.corrcoef(seen[-1].T)[0, 1]) < 1e-6


def test_tsne_frames_start_from_one_another():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    centres = 8 * rng.normal(size=(4, 6))
    noise = rng.normal(size=(80, 6))
    codes = np.stack([share * centres[labels] + noise for share in (0, 0.5, 0.8, 1)])
    maps = films.tsne_frames(codes, perplexity=10)
    assert maps.shape == (4, 80, 2)
    np.testing.assert_allclose(maps.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(maps.std(axis=(1, 2)), 1, rtol=1e-5)
    moves = np.linalg.norm(np.diff(maps, axis=0), axis=2).mean(axis=1)
    assert (moves[1:] < 0.5).all()  # of a spread of 1: no map jumps or turns
    assert trustworthiness(codes[-1], maps[-1], n_neighbors=5) > 0.95
    assert (
        trustworthiness(codes[0], maps[0], n_neighbors=5) > 0.75
    )  # its own, not its neighbour's


def test_a_map_is_turned_and_mirrored_but_not_stretched():
    target = walk(2)[0][0]
    angle = 2.0
    turn = np.array([[np.cos(angle), np.sin(angle)], [np.sin(angle), -np.cos(angle)]])
    moved = target @ turn + [5, -3]
    np.testing.assert_allclose(films.turned(moved, target), target, atol=1e-10)
    np.testing.assert_allclose(
        pdist(films.turned(2 * moved, target)), 2 * pdist(target), atol=1e-10
    )


@pytest.mark.parametrize("function", [films.align, films.tsne_frames])
@pytest.mark.parametrize("shape", [(10, 4), (2, 50, 1)])
def test_codes_of_other_shapes_are_explained(function, shape):
    with pytest.raises(
        ValueError, match=r"\(frames, n, d\) with at least two latents, and have"
    ):
        function(np.zeros(shape))


def test_too_few_points_for_tsne_are_explained():
    with pytest.raises(
        ValueError, match="perplexity of 30, and got 20: lower perplexity"
    ):
        films.tsne_frames(np.zeros((2, 20, 3)))


def test_frames_in_between_lie_between():
    codes, _ = walk(2, count=4)
    more = films.interpolated(codes, between=2)
    assert more.shape == (10, 60, 2)
    np.testing.assert_allclose(more[::3], codes, atol=1e-12)
    for index in range(3):
        ends = np.stack([codes[index], codes[index + 1]])
        inside = more[3 * index : 3 * index + 4]
        assert (inside >= ends.min(axis=0) - 1e-9).all() and (
            inside <= ends.max(axis=0) + 1e-9
        ).all()
    epochs = films.interpolated(np.array([0, 0.1, 1, 4]), between=4)
    assert (np.diff(epochs) > 0).all()
