"""The reader's own data: folders of any pictures, arrays, tables of any kind."""

import os
import re

import numpy as np
import pytest
from PIL import Image
from small_data import encoded, indices, marked, settle, squares, together

from helpers import datasets
from helpers.datasets import picture_files
from helpers.datasets.dataset import few

PARTS = ("train", "validation", "test")


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The data/ of a course, empty, without a network."""
    return settle(monkeypatch, tmp_path)


@pytest.fixture
def place(folder):
    """A folder of the reader's, empty."""
    (folder.parent / "pets").mkdir()
    return folder.parent / "pets"


def write(place, contents):
    """Write named files."""
    for name, content in contents.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


def numbered(count, ending="png", kind="PNG"):
    """Name to bytes of marked pictures."""
    return {f"{i}.{ending}": marked(i, kind) for i in range(count)}


def parts_of(data, key="x"):
    return [getattr(data, f"{key}_{part}") for part in PARTS]


def rows_of(data):
    """All rows of a data set, in the order of their first number."""
    rows = np.concatenate(parts_of(data))
    return rows[np.argsort(rows.reshape(len(rows), -1)[:, 0], kind="stable")]


# Folders: what is read


def turned(index):
    """A photograph that was taken sideways, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise to see it upright
    return encoded(np.rot90(squares(index)), "JPEG", exif=exif, quality=95)


def strange_files():
    """Name to bytes of twelve marked pictures, each stranger than the other."""
    images = [Image.fromarray(squares(index)) for index in range(12)]
    deep = squares(5)[..., 0].astype(np.uint16) * 257
    clear = images[10].convert("RGBA")
    clear.putalpha(images[10].convert("L").point(lambda light: 255 * (light < 128)))
    return {
        "0.webp": encoded(images[0], "WEBP", lossless=True),
        "1.jfif": marked(1, "JPEG"),
        "2.bmp": marked(2, "BMP"),
        "3.GIF": encoded(images[3], "GIF", save_all=True, append_images=[images[0]]),
        "4.tiff": marked(4, "TIFF"),
        "5 of 16 bits.png": encoded(Image.fromarray(deep)),
        "6 of a palette.png": encoded(images[6].convert("P")),
        "7 of four inks.jpg": encoded(images[7].convert("CMYK"), "JPEG"),
        "8 turned.jpeg": turned(8),
        "9 is webp.jpg": encoded(images[9], "WEBP", lossless=True),
        "10 on nothing.png": encoded(clear),
        "11 without an ending": marked(11),
    }


def test_twelve_strange_files_are_read(place, capsys):
    write(place, strange_files())
    assert together(indices(datasets.load_folder(place))) == list(range(12))
    assert "can't be read" not in capsys.readouterr().out


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
FLOATS = Image.fromarray(np.full((9, 9), 0.5, np.float32))
UNREADABLE = {
    "cut.png": (marked(1)[:150], "truncated"),
    "text.png": (b"<html>404</html>", "no picture that Pillow knows"),
    "empty.jpg": (b"", "no picture that Pillow knows"),
    "for another program.eps": (EPS, "no picture that Pillow knows"),
    "floats.tiff": (encoded(FLOATS, "TIFF"), "float32 from 0.5 to 0.5"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_can_not_be_read_is_named_with_the_reason(place, capsys, name):
    content, reason = UNREADABLE[name]
    write(place, numbered(5) | {name: content})
    assert together(indices(datasets.load_folder(place))) == list(range(5))
    said = capsys.readouterr().out
    assert re.search(f"Left out of pets: 1 can't be read: {name} .*{reason}", said)
    assert str(place) not in said


def test_many_that_can_not_be_read_are_counted_at_every_load(place, capsys):
    write(place, numbered(5) | {f"{i}.doc": b"text" for i in range(15)})
    (place / "broken.png").symlink_to(place / "nowhere.png")
    for _ in range(2):
        datasets.load_folder(place)
        said = capsys.readouterr().out
        assert "16 can't be read: 0.doc (no picture that Pillow knows), 1.doc" in said
        assert "and 13 more" in said
    assert few(["a", "b\udcff"]) == "a, b?"  # a name in no encoding can be printed


def test_nested_and_linked_folders_are_read_once(place, capsys):
    names = ["0.png", "a/1.png", "a/b c/2.png", ".hidden/3.png", "a/.4.png"]
    write(place, {name: marked(i) for i, name in enumerate(names)})
    other = place.parent / "elsewhere"
    write(other, {"5.png": marked(5), "deep/6.png": marked(6)})
    (place / "link").symlink_to(other)
    (place / "again").symlink_to(other)
    (place / "a" / "circle").symlink_to(place)
    (place / "7.png").symlink_to(other / "5.png")
    assert together(indices(datasets.load_folder(place))) == [0, 1, 2, 5, 6]
    said = capsys.readouterr().out
    assert "Reading 6 pictures" in said
    assert "Left out of pets: 1 that show the same as others" in said


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes among files")
def test_a_pipe_is_no_picture_and_is_not_waited_for(place):
    write(place, numbered(4))
    os.mkfifo(place / "pipe.png")
    assert together(indices(datasets.load_folder(place))) == list(range(4))


def test_pictures_get_the_shape_asked_for(place):
    wide = np.zeros((60, 200, 3), np.uint8)
    wide[:, 40:100] = 250, 100, 50  # the middle, twice as wide as high
    wide[:, 100:160] = 50, 100, 10
    write(place, {f"{i}.png": encoded(wide // (i + 1)) for i in range(3)})
    to_grey = [0.299, 0.587, 0.114]
    for channels, weights in ((3, np.eye(3)), (1, np.transpose([to_grey]))):
        data = datasets.load_folder(place, (16, 32), None, channels, "equal")
        assert data.image_shape == (16, 32, channels)
        brightest = 255 * max(np.concatenate(parts_of(data)), key=np.mean)
        for columns, colour in ((slice(4, 12), 99), (slice(20, 28), 101)):
            expected = np.broadcast_to(wide[0, colour] @ weights, (16, 8, channels))
            np.testing.assert_allclose(brightest[:, columns], expected, atol=1)


# Folders: parts


def test_a_folder_is_split_as_other_data_are(place):
    write(place, numbered(60))
    data = datasets.load_folder(place)
    train, validation, test = indices(data)
    assert sorted(train + validation + test) == list(range(60))
    assert len(train) > 40 and len(validation) > 2 and len(test) > 2
    assert str(data) == (
        f"pets: {len(train)} training, {len(validation)} validation and {len(test)} "
        "test pictures of 64 x 64 x 3, from the local folder pets"
    )


def test_copies_in_other_formats_neither_count_nor_move_a_picture(place, capsys):
    write(place, numbered(40))
    alone = indices(datasets.load_folder(place))
    copies = {
        f"{i}.{k.lower()}": marked(i, k) for i in range(9) for k in ("JPEG", "BMP")
    }
    write(place, copies | {"z/copy.webp": encoded(squares(11), "WEBP")})
    assert indices(datasets.load_folder(place)) == alone
    assert "19 that show the same as others" in capsys.readouterr().out
    other = place.parent / "other"
    write(other, numbered(40, "jpg", "JPEG"))
    assert indices(datasets.load_folder(other)) == alone


def test_names_may_recur_in_folders(place):
    """Were the place a matter of the file's name alone, one part would have all."""
    write(place, {f"{i}/portrait.png": marked(i) for i in range(60)})
    assert min(map(len, indices(datasets.load_folder(place)))) > 2


def test_what_is_the_same_is_the_readers_choice(place):
    pictures = {f"{i}.png": encoded(squares(i % 9) + np.uint8(i)) for i in range(18)}
    write(place, pictures | {"copy.png": pictures["4.png"]})
    for duplicates, count in (("near", 9), ("equal", 18), ("ignore", 19)):
        data = datasets.load_folder(place, duplicates=duplicates)
        assert sum(map(len, parts_of(data))) == count


def test_labels_are_the_folders_where_pictures_part(place, capsys):
    names = {i: f"all/{'2' if i % 3 else '10'}/old/{i}.png" for i in range(30)}
    write(place, {name: marked(i) for i, name in names.items()})
    data = datasets.load_folder(place, labels="folders")
    assert data.class_names == ("2", "10")
    for found, y in zip(indices(data), parts_of(data, "y"), strict=True):
        assert y.dtype == np.int64
        assert y.tolist() == [int(i % 3 == 0) for i in found]
    assert datasets.load_folder(place).y_train is None
    write(place, {"all/10/twin.png": marked(1)})
    capsys.readouterr()
    datasets.load_folder(place, labels="folders")
    assert "of several classes: 1" in capsys.readouterr().out
    write(place, {"all/31.png": marked(31)})
    with pytest.raises(
        ValueError, match=r"1 pictures lie in none of them: all/31\.png"
    ):
        datasets.load_folder(place, labels="folders")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"size": 64}, "size must be .height, width. in pixels, and is 64"),
        ({"size": (64, 0)}, "size.*0"),
        ({"size": (64, 64, 3)}, "size.*64, 3"),
        ({"channels": 4}, "channels must be 3 .colour. or 1 .grey., and is 4"),
        ({"labels": "names"}, "labels must be 'folders' or None, and is 'names'"),
        ({"labels": "folders"}, "5 pictures lie in none"),
        ({"duplicates": True}, "duplicates must be 'near', 'equal' or 'ignore'"),
    ],
)
def test_wrong_arguments_for_a_folder_are_named(place, arguments, said):
    write(place, numbered(5))
    with pytest.raises(ValueError, match=said):
        datasets.load_folder(place, **arguments)


def test_a_folder_without_pictures_is_named(place):
    for contents, said in (
        ({}, "holds 0 .no other file is there"),
        ({"a.txt": b"text"}, "holds 0 .1 can't be read: a.txt"),
        ({f"{i}.png": marked(7) for i in range(4)}, "different things.*holds 1"),
    ):
        write(place, contents)
        with pytest.raises(ValueError, match=f"{place}.*{said}.*put pictures there"):
            datasets.load_folder(place)
    with pytest.raises(ValueError, match="nowhere is not there"):
        datasets.load_folder(place / "nowhere")
    with pytest.raises(ValueError, match=r"a\.txt.*zip"):
        datasets.load_folder(place / "a.txt")


# Folders: what is kept


@pytest.fixture
def reads(monkeypatch):
    """The shapes of all pictures that are decoded, in a list that grows."""
    found, read = [], picture_files.read_picture
    monkeypatch.setattr(
        picture_files, "read_picture", lambda file, s: found.append(s) or read(file, s)
    )
    return found


def test_a_folder_is_decoded_once_until_it_changes(folder, place, reads, monkeypatch):
    write(place, numbered(6))
    first = indices(datasets.load_folder(place))
    assert len(reads) == 6
    datasets.load_folder(place, size=(8, 8))
    assert len(reads) == 12
    monkeypatch.chdir(place)
    for path in (place, str(place), "."):
        assert indices(datasets.load_folder(path)) == first
    datasets.load_folder(place, duplicates="equal")
    assert len(reads) == 12
    assert len(list(folder.glob("folder-*.npy"))) == 2
    for change in (
        lambda: write(place, {"deep/7.png": marked(7)}),
        lambda: (place / "0.png").write_bytes(marked(100) + b"\0"),
        lambda: (place / "1.png").unlink(),
    ):
        change()
        reads.clear()
        found = together(indices(datasets.load_folder(place)))
        assert len(reads) == len(found)
    assert found == [2, 3, 4, 5, 7, 100]
    assert len(list(folder.glob("folder-*.npy"))) == 2


@pytest.mark.parametrize("where", [(np, "save"), (picture_files.json, "dumps")])
def test_an_interrupted_load_leaves_no_half(folder, place, monkeypatch, where):
    def stop(*_):
        raise KeyboardInterrupt

    write(place, numbered(6))
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(*where, stop)
        datasets.load_folder(place)
    assert len(list(folder.iterdir())) == (where[1] == "dumps")
    assert together(indices(datasets.load_folder(place))) == list(range(6))
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".npy"]
