"""helpers/datasets: what shows the same photograph stands in one part of a data set."""

import re

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from small_data import (
    CATS,
    as_read,
    encoded,
    indices,
    marked,
    needs_cats,
    needs_mnist,
    npz,
    settle,
    squares,
    together,
    zipped,
)

from helpers import datasets
from helpers.datasets import cat_groups, cats, crops, group_cats, picture_files, twins
from helpers.engine import paths

ROOT = paths.ROOT
PARTS = ("train", "validation", "test")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The data/ of a course, empty, without a network."""
    return settle(monkeypatch, tmp_path)


def photographs(count, seed=0):
    """Pictures with something to see at every size: uint8 (n, 64, 64, 3)."""
    rng = np.random.default_rng(seed)
    grids = (
        np.kron(rng.random((count, n, n, 3)), np.ones((1, 64 // n, 64 // n, 1)))
        for n in (4, 16, 64)
    )
    return (255 * sum(grids) / 3).astype(np.uint8)


def smooth(count, size, seed=0):
    """Photographs that can be enlarged, having no sharp edges: uint8."""
    x = np.random.default_rng(seed).random((count, size, size, 3))
    grains = [ndimage.gaussian_filter(x, (0, s, s, 0)) for s in (1.5, 4, 10)]
    x = sum(grain / grain.std() for grain in (g - g.mean() for g in grains))
    return np.clip(128 + 40 * x, 0, 255).astype(np.uint8)


def measures(x, others):
    """Differences and correlations of block means: the rule's, by other code.

    Of each of x's pictures, plain and mirrored, with each of the others: (n, 2, m).
    """
    x, others = (
        p.reshape(len(p), 8, 8, 8, 8, 3).mean(axis=(2, 4)) for p in (x, others)
    )
    both = np.stack([x, x[:, :, ::-1]], axis=1).reshape(-1, 192)
    others = others.reshape(-1, 192)
    away = np.array([np.sqrt(np.mean((others - mean) ** 2, axis=1)) for mean in both])
    a, b = (
        (m.reshape(-1, 64, 3) - m.reshape(-1, 64, 3).mean(axis=1, keepdims=True))
        for m in (both, others)
    )
    a, b = (m.reshape(-1, 192) for m in (a, b))
    a, b = (m / np.maximum(np.linalg.norm(m, axis=1)[:, None], 1e-3) for m in (a, b))
    return away.reshape(len(x), 2, -1), (a @ b.T).reshape(len(x), 2, -1)


def twins_among(x, others):
    """Which of x's pictures have a twin among the others by the rule, (n,)."""
    away, alike = measures(x, others)
    both = (away < twins.NEAR_AND_ALIKE[0]) & (alike > twins.NEAR_AND_ALIKE[1])
    found = (away < twins.NEAR) | (alike > twins.ALIKE) | both
    return found.any(axis=(1, 2))


# The rule


def copies_of(picture):
    """The same photograph, as it stands in collections."""
    image, size = Image.fromarray(picture), (64, 64)
    brighter = np.clip(picture * 0.9 + 25, 0, 255).astype(np.uint8)
    jpeg = as_read(encoded(picture, "JPEG", quality=70))
    yield "copied", picture
    yield "as JPEG", jpeg
    yield "resampled", np.asarray(image.resize((50, 50)).resize(size))
    yield "mirrored", picture[:, ::-1]
    yield "cropped by a pixel", np.asarray(image.crop((1, 1, 64, 64)).resize(size))
    yield "in other light", brighter


def test_copies_of_a_photograph_are_twins_and_others_are_not():
    x = photographs(200)
    for how, copy in copies_of(x[7]):
        groups = twins.twin_groups(np.concatenate([x, copy[np.newaxis]]))
        assert groups.tolist() == [*range(200), 7], how


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
@pytest.mark.parametrize("tile", [3, 1000])
def test_a_group_is_all_that_twins_link_wherever_they_stand(monkeypatch, kind, tile):
    monkeypatch.setattr(twins, "TILE", tile)
    x = photographs(20)
    steps = [x[4] // 2 + np.uint8(shift) for shift in range(0, 24, 4)]  # 4 / 255 < 0.02
    x = np.concatenate([x[:10], steps[::2], x[10:], steps[1::2], x[[12]]])
    if kind == np.float32:
        x = x.astype(np.float32) / 255
    expected = np.arange(len(x))
    expected[[10, 11, 12, 23, 24, 25]] = 4  # in other light they still correlate
    expected[26] = 15
    np.testing.assert_array_equal(twins.twin_groups(x), expected)


def test_flat_pictures_are_told_apart_by_their_colour():
    x = np.zeros((4, 64, 64, 3), np.uint8)
    x[1], x[2], x[3] = 3, 100, (103, 101, 98)
    assert twins.twin_groups(x).tolist() == [0, 0, 2, 2]


def test_only_what_is_unknown_is_compared(monkeypatch):
    """Known groups are taken as they are, and an unknown twin joins its group."""
    monkeypatch.setattr(twins, "TILE", 4)
    x = photographs(12)
    x[[5, 9]] = x[2]
    known = np.full(12, -1)
    known[[2, 5, 8]] = 40, 41, 41
    groups = twins.twin_groups(x, known)
    assert groups.tolist() == [0, 1, 2, 3, 4, 2, 6, 7, 2, 2, 10, 11]
    known[9] = 40
    assert twins.twin_groups(x, known).tolist() == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        5,
        2,
        10,
        11,
    ]
    asked = []
    monkeypatch.setattr(twins.Blocks, "twins", lambda *given: asked.append(given))
    assert twins.twin_groups(x, np.arange(12) // 2).tolist() == [
        2 * (i // 2) for i in range(12)
    ]
    assert not asked


# Crops


def cut(photograph, zoom=1.0, down=0.0, turn=0.0):
    """A part of a photograph (96, 96, 3): its middle, enlarged, moved, turned."""
    angle = np.deg2rad(turn)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    back = np.array([[cos, -sin], [sin, cos]])
    offset = np.array([47.5 + down, 47.5]) - back @ np.full(2, 31.5)
    channels = [
        ndimage.affine_transform(channel, back, offset, output_shape=(64, 64), order=1)
        for channel in np.moveaxis(photograph.astype(float), -1, 0)
    ]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


CROPS = {
    "moved": {"down": 6},
    "enlarged": {"zoom": 1.2},
    "shrunk": {"zoom": 0.85},
    "turned": {"turn": 8},
    "all of it": {"zoom": 1.12, "down": -4, "turn": -8},
}


@pytest.mark.parametrize("tile", [7, 1000])
def test_crops_of_a_photograph_are_found_and_others_are_not(monkeypatch, tile):
    monkeypatch.setattr(crops, "TILE", tile)
    photographs = smooth(20, 96)
    pictures = [cut(photograph) for photograph in photographs]
    pictures += [cut(photographs[i], **how) for i, how in enumerate(CROPS.values())]
    pictures[24] = 255 - (255 - pictures[24]) // 2  # in other light as well
    found = crops.crop_pairs(np.stack(pictures))
    assert found.T.tolist() == [[i, 20 + i] for i in range(5)]
    groups = twins.twin_groups(np.stack(pictures))
    assert (groups[20:] >= 20).sum() >= 3  # which the quick search misses


def test_dark_and_empty_pictures_are_no_crops():
    dark = np.random.default_rng(0).integers(0, 3, (6, 64, 64, 3)).astype(np.uint8)
    dark[4:] = 0
    assert crops.crop_pairs(dark).shape == (2, 0)


# The split


def test_a_part_is_a_matter_of_the_groups_name():
    names = [f"cat_{i}" for i in range(3000)]
    whole = twins.split_groups(np.arange(3000), names)
    assert {part: len(rows) for part, rows in whole.items()} == pytest.approx(
        {"train": 2400, "validation": 300, "test": 300}, rel=0.15
    )
    assert sorted(np.concatenate(list(whole.values()))) == list(range(3000))
    some = np.random.default_rng(0).permutation(3000)[:1000]  # others are missing
    part = twins.split_groups(np.arange(1000), [names[i] for i in some])
    for name, rows in part.items():
        assert some[rows].tolist() == [i for i in whole[name] if i in set(some)]


@pytest.mark.parametrize("count", [3, 4, 5, 10])
def test_no_part_of_few_groups_is_empty(count):
    for start in range(0, 300, count):
        names = [f"{i}" for i in range(start, start + count)]
        split = twins.split_groups(np.arange(count), names)
        assert all(len(rows) for rows in split.values())
        assert sorted(np.concatenate(list(split.values()))) == list(range(count))
    with pytest.raises(ValueError, match="there are 2"):
        twins.split_groups(np.array([0, 0, 2]), ["a", "a", "b"])


def test_one_picture_of_a_group_is_taken_and_names_may_recur():
    groups = np.array([0, 1, 0, 3, 1, 5, 0])
    split = twins.split_groups(groups, ["a", "b", "a", "a", "b", "c", "a"])
    assert sorted(np.concatenate(list(split.values()))) == [0, 1, 3, 5]


# Cats


def cats_with_twins(kind):
    """Name to bytes of 60 pictures, every third of them a twin of the one before."""
    end = {"PNG": "png", "JPEG": "jpg"}[kind]
    x = photographs(60)
    for index in range(2, 60, 3):
        x[index] = np.asarray(
            Image.fromarray(x[index - 1]).resize((40, 40)).resize((64, 64))
        )
    return {f"cat_{i}.{end}": encoded(picture, kind) for i, picture in enumerate(x)}


def test_no_part_of_made_cats_holds_a_twin_of_another(folder):
    (folder / "cats.zip").write_bytes(zipped(cats_with_twins("PNG")))
    data = datasets.load_cats()
    train, *others = (getattr(data, f"x_{part}") for part in PARTS)
    assert len(train) + sum(map(len, others)) == 40
    for held_out in others:
        assert not twins_among(held_out, train).any()
    assert not twins_among(*others).any()


def test_twins_of_test_photographs_are_told_with_their_place(folder):
    places, pictures = datasets.load_cat_twins()
    assert len(places) == len(pictures) == 0  # drawn cats have none
    (folder / "cats.zip").write_bytes(zipped(cats_with_twins("PNG")))
    places, pictures = datasets.load_cat_twins()
    data = datasets.load_cats()
    assert len(places) > 0
    for place, picture in zip(places, pictures, strict=True):
        assert twins_among(data.x_test[[place]], picture[np.newaxis]).all()
    others = np.delete(data.x_test, places, axis=0)
    assert len(others) > 0 and not twins_among(others, pictures).any()
    for part in PARTS:
        x = getattr(data, f"x_{part}")
        assert not any((x == picture).all(axis=(1, 2, 3)).any() for picture in pictures)


def same_pictures(data, other):
    """Whether all parts of two data sets show the same, but for their encoding."""
    for part in PARTS:
        x, y = (getattr(d, f"x_{part}") for d in (data, other))
        assert x.shape == y.shape
        x, y = (p.reshape(len(p), 8, 8, 8, 8, 3).mean(axis=(2, 4)) for p in (x, y))
        np.testing.assert_allclose(x, y, atol=0.05)


def test_the_split_is_the_same_for_png_and_jpeg_copies_and_under_a_limit(folder):
    (folder / "cats.zip").write_bytes(zipped(cats_with_twins("PNG")))
    data, some = datasets.load_cats(), datasets.load_cats(limit=20)
    for part, most in zip(PARTS, (16, 2, 2), strict=True):
        x, y = (getattr(d, f"x_{part}") for d in (data, some))
        np.testing.assert_array_equal(x[:most], y)
    deep = {f"cats/Data/{name}": c for name, c in cats_with_twins("JPEG").items()}
    (folder / "cats.zip").write_bytes(zipped(deep))
    same_pictures(data, datasets.load_cats())


# Cats: what is known of their groups


@pytest.fixture
def known(folder):
    """A file that says that the marked cats 0 to 9 are in pairs, and 7 with 30."""
    pictures = np.stack([squares(i) for i in range(40)])
    groups = np.where(np.arange(40) < 10, np.arange(40) // 2 * 2, np.arange(40))
    groups[30] = 6
    colours = np.rint(pictures.mean(axis=(1, 2))).astype(np.uint8)
    path = folder / cat_groups.GROUPS_FILE
    path.write_bytes(npz({"groups": groups.astype(np.int32), "colours": colours}))
    return path


def load_marked(folder, numbers, ending="png"):
    kind = "PNG" if ending == "png" else "JPEG"
    files = {f"cats/Data/cat_{i}.{ending}": marked(i, kind) for i in numbers}
    (folder / "cats.zip").write_bytes(zipped(files))
    return indices(datasets.load_cats())


def test_known_groups_are_taken_by_name_without_a_search(folder, known, capsys):
    found = load_marked(folder, range(40))
    assert together(found) == [0, 2, 4, 6, 8, *range(10, 30), *range(31, 40)]
    assert "twins" not in capsys.readouterr().out
    assert load_marked(folder, range(40), "jpg") == found
    without_firsts = load_marked(folder, range(1, 40))  # 1 stands for its group
    assert without_firsts == [[1 if i == 0 else i for i in part] for part in found]


def test_pictures_that_only_share_a_name_are_unknown(folder, known, capsys):
    """As a reader's own, numbered too: none is left out for a twin of that name."""
    other = {f"cat_{i}.png": encoded(255 - squares(i) // 2) for i in range(20)}
    (folder / "cats.zip").write_bytes(zipped(other))
    data = datasets.load_cats()
    assert sum(len(getattr(data, f"x_{part}")) for part in PARTS) == 20
    assert "twins of 20 pictures" in capsys.readouterr().out


def test_unknown_names_are_grouped_when_they_are_read(folder, known, capsys):
    files = {f"cat_{i}.png": marked(i) for i in range(10)}
    files |= {f"my cat {i}.png": marked(i) for i in (3, 50, 51)}
    files["your cat.jpg"] = marked(51, "JPEG")
    (folder / "cats.zip").write_bytes(zipped(files))
    found = together(indices(datasets.load_cats()))
    assert sorted(found) == [0, 2, 4, 6, 8, 50, 51]
    assert "twins of 4 pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        npz({"groups": np.arange(3)}),
        npz({"groups": np.zeros(3), "colours": np.zeros((3, 3), np.uint8)}),
        npz({"groups": np.arange(3), "colours": np.zeros((2, 3), np.uint8)}),
        npz({"groups": np.array([{}]), "colours": np.zeros((1, 3), np.uint8)}),
    ],
)
def test_a_damaged_file_of_groups_is_named_with_a_remedy(folder, known, content):
    known.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(known))}.*restore it"):
        load_marked(folder, range(20))


def test_pictures_are_grouped_anew_but_not_decoded_when_the_rule_changes(
    folder, known, monkeypatch
):
    load_marked(folder, range(40))
    asked, find = [], cat_groups.group_cats
    monkeypatch.setattr(picture_files, "decode", None)
    monkeypatch.setattr(
        cat_groups, "group_cats", lambda *given: asked.append(1) or find(*given)
    )
    datasets.load_cats()
    assert not asked
    known.unlink()
    for _ in range(2):
        assert together(indices(datasets.load_cats())) == list(range(40))
        assert len(asked) == 1
    monkeypatch.setattr(twins, "RULE", "another")
    datasets.load_cats()
    assert len(asked) == 2


BAD_NOTES = (
    lambda notes: b"",
    lambda notes: b"[" * 100_000,
    lambda notes: b"[1]",
    lambda notes: notes.replace(b"groups", b"sets"),
    lambda notes: notes.replace(b'"cat_0', b'1, "cat_0'),
    lambda notes: notes.replace(b"[0, ", b'["0", '),
    lambda notes: notes.replace(b"[0, ", b"["),
)


@pytest.mark.parametrize("spoil", BAD_NOTES)
def test_damaged_notes_are_written_again(folder, spoil):
    found = load_marked(folder, range(20))
    (notes,) = folder.glob("cats-cache-*.json")
    good = notes.read_bytes()
    notes.write_bytes(spoil(good))
    assert notes.read_bytes() != good
    assert indices(datasets.load_cats()) == found
    assert notes.read_bytes() == good


def test_the_command_writes_the_file_of_groups(folder, capsys):
    with pytest.raises(SystemExit, match="no cats"):
        group_cats.main()
    (folder / "cats.zip").write_bytes(zipped(cats_with_twins("PNG")))
    group_cats.main()
    assert "60 pictures, 40 groups\n20 of 1\n20 of 2" in capsys.readouterr().out
    found = cat_groups.known_groups().groups
    assert found.tolist() == [i - (i % 3 == 2) for i in range(60)]
    files = cats_with_twins("PNG")
    del files["cat_7.png"]
    (folder / "cats.zip").write_bytes(zipped(files))
    with pytest.raises(ValueError, match="without a gap"):
        group_cats.main()


# The real pictures


def test_the_file_of_groups_is_whole_and_names_groups_by_their_first():
    with np.load(ROOT / "data" / cat_groups.GROUPS_FILE, allow_pickle=False) as file:
        groups, colours = file["groups"], file["colours"]
    assert groups.shape == (29_843,) and colours.shape == (29_843, 3)
    first = np.unique(groups, return_index=True)[1]
    np.testing.assert_array_equal(groups[first], first)
    said = (ROOT / "data/README.md").read_text()
    assert f"{len(first):,} groups" in said


SEEN = [
    (1298, 3212),
    (4405, 22177),
    (2287, 5920),
    (11656, 12234),
    (5111, 24302),
    (5456, 25642),
    (1165, 12124),
    (4007, 5538),
    (3966, 11998),
    (13330, 14651),
]


def test_crops_that_were_seen_to_be_one_photograph_are_one_group():
    """By eye, among those that the quick search does not find."""
    with np.load(ROOT / "data" / cat_groups.GROUPS_FILE, allow_pickle=False) as file:
        groups = file["groups"]
    for pair in SEEN:
        assert len(set(groups[list(pair)])) == 1, pair


@needs_cats
@pytest.mark.slow
def test_no_held_out_photograph_has_a_twin_in_training():
    """Searched for 150 of each part, by other code than that which made groups."""
    data = datasets.load_cats()
    rng = np.random.default_rng(0)
    for held_out in (data.x_validation, data.x_test):
        some = held_out[rng.choice(len(held_out), 150, replace=False)]
        assert not twins_among(some, data.x_train).any()


@needs_cats
@pytest.mark.slow
def test_all_photographs_are_known_and_stand_in_the_part_of_their_group(monkeypatch):
    monkeypatch.setattr(twins.Blocks, "twins", None)  # nothing is searched
    found = cats.read_cats(CATS)
    known = cat_groups.known_groups()
    numbers = known.numbers(found.names, cat_groups.mean_colours(found.pictures))
    assert (numbers >= 0).all()
    np.testing.assert_array_equal(found.groups, known.groups)
    split = twins.split_groups(found.groups, found.group_names)
    groups = [set(known.groups[rows]) for rows in split.values()]
    assert len(set.union(*groups)) == sum(map(len, groups)) == len(set(known.groups))


def test_drawn_cats_have_no_twins_in_training():
    """By the difference; they are all composed alike, so that many correlate."""
    data = datasets.drawn_cats_stand_in(400)
    for held_out in (data.x_validation, data.x_test):
        assert measures(held_out, data.x_train)[0].min() > twins.NEAR


def near_digits(x, others, bound=twins.NEAR):
    """Pairs whose block means differ by less than the bound, (2, pairs)."""
    x, others = (twins.block_means(p).reshape(len(p), -1) for p in (x, others))
    found = []
    for first in range(0, len(x), 1000):
        some = x[first : first + 1000]
        squared = (some**2).sum(axis=1)[:, np.newaxis] + (others**2).sum(axis=1)
        squared = (squared - 2 * some @ others.T) / x.shape[1]
        found.append(np.argwhere(squared < bound**2) + np.array([first, 0]))
    return np.concatenate(found).T


@needs_mnist
@pytest.mark.slow
def test_mnist_has_no_copies_in_training():
    """None is the same; the few that are near are ones, which differ little."""
    data = datasets.load_mnist()
    train = set(map(bytes, data.x_train))
    for part in ("validation", "test"):
        x, y = getattr(data, f"x_{part}"), getattr(data, f"y_{part}")
        assert not train & set(map(bytes, x))
        held_out, near = near_digits(x, data.x_train)
        assert set(y[held_out]) == set(data.y_train[near]) == {1}
        apart = (x[held_out] - data.x_train[near]) ** 2
        assert np.sqrt(apart.mean(axis=(1, 2, 3))).min() > 0.025  # no copies at all
        numbers = f"{len(near)} pairs of {part} digits and training digits"
        assert numbers in (ROOT / "data/README.md").read_text()
