"""Films: GIFs of what a model makes of fixed pictures and codes while it learns.

``training.Snapshots`` keeps the frames; ``align`` or ``tsne_frames`` bring codes of
many latents into a plane in which no point jumps; ``film`` writes panels of points and
pictures side by side.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image, ImageColor
from scipy.interpolate import PchipInterpolator
from scipy.linalg import orthogonal_procrustes
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.manifold import TSNE

from helpers.engine import files
from helpers.plots.codes import shuffled
from helpers.plots.pictures import show_image, tile
from helpers.plots.style import DIGIT_COLOURS, STYLE, class_colours

COLOURS = 54  # beside the inks, in the one palette that all frames share
TOLERANCE = 14  # of 255: a pixel stays until it has changed by more, for smaller files
PAPER = 248  # greys from here on are white, and exact


@dataclass(frozen=True)
class Points:
    """A panel of points, (frames, n, 2), that move; coloured by digit or class (n,)."""

    frames: np.ndarray
    labels: np.ndarray
    aspect = 1.0  # width over height

    def __post_init__(self):
        frames, labels = np.shape(self.frames), np.shape(self.labels)
        if len(frames) != 3 or frames[2] != 2 or labels != frames[1:2]:
            raise ValueError(
                "points must be (frames, n, 2) with n labels, and have the shapes "
                f"{frames} and {labels}: align(frames) projects codes of many latents"
            )

    def draw(self, ax: Axes) -> Callable[[int], None]:
        """Draw the first frame; return a function that shows frame ``index``."""
        frames, colours = shuffled(self.frames, self.labels)
        dots = ax.scatter(*frames[0].T, c=colours, s=7, linewidths=0)
        low, high = np.quantile(frames, [0.001, 0.999], axis=(0, 1))
        middle, half = (low + high) / 2, 0.55 * (high - low).max()
        ax.set(xlim=middle[0] + half * np.array([-1, 1]), xticks=[])
        ax.set(ylim=middle[1] + half * np.array([-1, 1]), yticks=[], box_aspect=1)
        ax.spines[:].set_visible(True)
        look = {"weight": "bold", "ha": "center", "va": "top"}
        names = class_colours(self.labels)
        for index, (name, colour) in enumerate(names.items()):
            x, y = (index + 0.5) / len(names), -0.03  # below the axes
            ax.text(x, y, str(name), color=colour, transform=ax.transAxes, **look)
        return lambda index: dots.set_offsets(frames[index])


@dataclass(frozen=True)
class Pictures:
    """A panel of pictures, (frames, n, height, width, channels) in [0, 1], that change.

    ``originals`` (n, height, width, channels), n a multiple of ``columns``, are shown
    with them: a row of the one above a row of the other.
    """

    frames: np.ndarray
    columns: int
    originals: np.ndarray | None = None

    def __post_init__(self):
        frames = np.shape(self.frames)
        if len(frames) != 5 or self.columns < 1:
            raise ValueError(
                "pictures must be (frames, n, height, width, channels) in one or more "
                f"columns, and have the shape {frames} and {self.columns} columns"
            )
        originals = None if self.originals is None else np.shape(self.originals)
        if originals and (originals != frames[1:] or frames[1] % self.columns):
            raise ValueError(
                f"originals must be {frames[1:]}, one for each picture of a frame, in "
                f"full rows of {self.columns}, and have the shape {originals}"
            )

    @property
    def aspect(self) -> float:
        """Width over height."""
        height, width, _ = self.tiled(0).shape
        return width / height

    def tiled(self, index: int) -> np.ndarray:
        """Return frame ``index`` as one array (height, width, channels)."""
        pictures = self.frames[index]
        if self.originals is not None:
            shape = np.shape(pictures)[1:]
            both = np.stack([self.originals, pictures])
            rows = both.reshape(2, -1, self.columns, *shape).swapaxes(0, 1)
            pictures = rows.reshape(-1, *shape)
        return tile(pictures, self.columns)

    def draw(self, ax: Axes) -> Callable[[int], None]:
        """Draw the first frame; return a function that shows frame ``index``."""
        show_image(ax, self.tiled(0))
        (image,) = ax.images
        image.set_interpolation("bilinear")
        return lambda index: image.set_data(self.tiled(index))


def film(
    path: str | Path,
    panels: Mapping[str, Points | Pictures],
    captions: Sequence[str],
    width: int = 760,
    milliseconds: int = 80,
    hold: int = 2000,
) -> Path:
    """Write panels, side by side, as a GIF that runs without end; return its path.

    Sixty frames of three panels of digits take under 2 MB.

    Args:
        panels: title (three have room for 25 letters each) to panel.
        captions: what stands above each frame, such as ``"epoch 0.25"``.
        width: of the film, in pixels; 760 fill a README's column.
        milliseconds, hold: how long each frame stays (in tens), and the last one.

    Raises:
        ValueError: no panel, no frame, or frames and captions differ in number.
    """
    counts = {title: len(panel.frames) for title, panel in panels.items()}
    if not len(captions) or set(counts.values()) != {len(captions)}:
        raise ValueError(
            "film needs one or more panels with a frame for each of the "
            f"{len(captions)} captions, and got {counts}"
        )
    figure, heading, show = drawn(panels, width / 100)
    frames = []
    for index, caption in enumerate(captions):
        heading.set_text(caption)
        for show_frame in show:
            show_frame(index)
        figure.canvas.draw()
        frames.append(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())
    plt.close(figure)
    classes = [p.labels for p in panels.values() if isinstance(p, Points)]
    inks = [c for labels in classes for c in class_colours(labels).values()]
    durations = [milliseconds] * (len(frames) - 1) + [hold]
    return write_gif(path, np.stack(frames), durations, inks=[*DIGIT_COLOURS, *inks])


def drawn(
    panels: Mapping[str, Points | Pictures], width: float
) -> tuple[Figure, Text, list[Callable[[int], None]]]:
    """Return a figure so many inches wide, its heading, what shows a panel's frames."""
    aspects = [panel.aspect for panel in panels.values()]
    size = (width, (width - 0.25 * len(panels)) / sum(aspects) + 0.95)
    options = {"figsize": size, "width_ratios": aspects, "squeeze": False}
    left = {"x": 0.012, "ha": "left", "fontsize": 13, "fontweight": "bold"}
    with plt.style.context(STYLE):
        figure, axes = plt.subplots(1, len(panels), **options)
        figure.get_layout_engine().set(w_pad=0.09, h_pad=0.07)
        heading, show = figure.suptitle("epoch", **left), []
        for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
            show.append(panel.draw(ax))
            ax.set_title(title, fontsize=11, fontweight="normal")
        figure.canvas.draw()
    figure.set_layout_engine("none")  # placed once: nothing moves from frame to frame
    return figure, heading, show


def write_gif(
    path: str | Path,
    frames: np.ndarray,
    milliseconds: int | Sequence[int],
    *,
    enlarge: int = 1,
    inks: Sequence[str] = (),
) -> Path:
    """Write frames, uint8 (n, height, width, 3), as an endless GIF; return its path.

    Photographs are each given the 256 colours that suit them best. Drawings on white
    paper have ``inks``, such as ``DIGIT_COLOURS``, that no frame changes.

    Args:
        milliseconds: how long every frame stays, or each of them, (n,).
        enlarge: dots to a pixel, each way.

    Raises:
        ValueError: the frames are of another kind, or ``enlarge`` is below 1.
    """
    frames = np.asarray(frames)
    fit = frames.shape[3:] == (3,) and frames.dtype == np.uint8 and frames.size
    if not fit or enlarge < 1:
        raise ValueError(
            "frames must be uint8 (n, height, width, 3), np.uint8(255 * pictures), and "
            f"enlarge at least 1, and are {frames.dtype} {frames.shape} and {enlarge}"
        )
    size = (enlarge * frames.shape[2], enlarge * frames.shape[1])
    shown = steadied(frames) if inks else frames
    pictures = [Image.fromarray(frame).resize(size) for frame in shown]
    if inks:  # by hand: Pillow makes a palette for every frame, and colours flicker
        palette = shared_palette(frames, inks)
        pictures = [p.quantize(palette=palette, dither=0) for p in pictures]
    film = {"append_images": pictures[1:], "duration": milliseconds, "loop": 0}
    with files.unfinished(Path(path)) as part:  # no half a film, whatever happens
        pictures[0].save(part, "GIF", save_all=True, optimize=True, **film)
    return Path(path)


def steadied(frames: np.ndarray) -> Iterator[np.ndarray]:
    """Yield frames on white paper, up to ``TOLERANCE`` as before; the last is exact."""
    shown = frames[0]
    for index, frame in enumerate(frames):
        paper = (frame >= PAPER).all(axis=2, keepdims=True)
        frame = np.where(paper, np.uint8(255), frame)
        change = np.abs(frame.astype(np.int16) - shown).max(axis=2, keepdims=True)
        still = (change <= TOLERANCE) & ~paper & (index < len(frames) - 1)
        shown = np.where(still, shown, frame)
        yield shown


def shared_palette(frames: np.ndarray, inks: Sequence[str]) -> Image.Image:
    """Return a picture with a palette that suits all frames, and has the inks."""
    five = np.linspace(0, len(frames) - 1, 5).astype(int)
    some = np.concatenate(frames[five, ::2, ::2])
    picture = Image.fromarray(some).quantize(COLOURS, kmeans=1)
    found = np.array(picture.getpalette("RGB")).reshape(-1, 3)
    lightest = min(PAPER, found.min(axis=1).max())
    found[(found >= lightest).all(axis=1)] = 255  # white, not nearly so
    inks = [ImageColor.getrgb(colour) for colour in dict.fromkeys(inks)]
    picture.putpalette(np.concatenate([found, inks]).ravel().tolist())
    return picture


def align(frames: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
    """Return codes (frames, n, d) as points in a plane (frames, n, 2); none jumps.

    Two latents are their own plane. More are seen from one side, the same in every
    frame: that from which the last frame spreads most (by PCA) or, with labels (n,) of
    three or more classes, its classes stand farthest apart for their width (by linear
    discriminants). Source for the latter: Fisher (1936), "The use of multiple
    measurements in taxonomic problems".

    Raises:
        ValueError: the codes are not (frames, n, d) with d of at least 2, or the labels
            not n, or of fewer than three classes.
    """
    frames = checked_codes(frames)
    if labels is not None and (
        np.shape(labels) != frames.shape[1:2] or len(np.unique(labels)) < 3
    ):
        raise ValueError(
            f"labels must be {frames.shape[1:2]}, of three classes or more, and have "
            f"the shape {np.shape(labels)} and {len(np.unique(labels))} classes"
        )
    if frames.shape[2] == 2:
        return frames
    if labels is None:
        view = PCA(2).fit(frames[-1])
    else:
        view = LinearDiscriminantAnalysis(n_components=2).fit(frames[-1], labels)
    return np.stack([view.transform(codes) for codes in frames])


def tsne_frames(
    frames: np.ndarray, perplexity: float = 30, seed: int = 0
) -> np.ndarray:
    """Return t-SNE maps (frames, n, 2) of codes (frames, n, d); no point jumps.

    Each starts from its neighbour, from the last frame back to the first: a map that
    starts from an untrained code's tears digits apart, and cannot mend them later. So
    an early frame looks tidier than its codes are: judge it by a map of its own. It is
    turned to lie close to its neighbour, and scaled to a variance of 1, since the
    size of a t-SNE map says nothing. Source: van der Maaten and Hinton (2008);
    Schönemann (1966) for the turn.

    Raises:
        ValueError: the codes are not (frames, n, d), or no more than ``perplexity``.
    """
    frames = checked_codes(frames)
    if frames.shape[1] <= perplexity:
        raise ValueError(
            f"t-SNE needs more points than its perplexity of {perplexity:g}, and got "
            f"{frames.shape[1]}: lower perplexity"
        )
    options = {"perplexity": perplexity, "random_state": seed}
    maps = [TSNE(2, **options).fit_transform(frames[-1])]
    # the clusters are apart already, and scikit-learn allows no fewer steps
    options |= {"early_exaggeration": 1, "max_iter": 250}
    for codes in frames[-2::-1]:
        tsne = TSNE(2, init=maps[-1], **options)
        maps.append(turned(tsne.fit_transform(codes), maps[-1]))
    centred = np.stack(maps[::-1]) - np.mean(maps[::-1], axis=1, keepdims=True)
    return centred / centred.std(axis=(1, 2), keepdims=True)


def turned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return points (n, 2), moved and turned (or mirrored) to lie close to others."""
    centred, goal = points - points.mean(axis=0), target - target.mean(axis=0)
    rotation, _ = orthogonal_procrustes(centred, goal)
    return centred @ rotation + target.mean(axis=0)


def interpolated(frames: np.ndarray, between: int) -> np.ndarray:
    """Return frames (f, ...) of points with ``between`` smooth ones between each two.

    A monotone cubic in time, which never overshoots; what lies between is made up.

    Raises:
        ValueError: there are fewer than two frames, or ``between`` is below 0.
    """
    if len(frames) < 2 or not np.size(frames) or between < 0:
        raise ValueError(
            "between must be at least 0 and the frames at least 2, and they are "
            f"{between} and {np.shape(frames)}"
        )
    times = np.linspace(0, len(frames) - 1, (len(frames) - 1) * (between + 1) + 1)
    return PchipInterpolator(np.arange(len(frames)), frames, axis=0)(times)


def checked_codes(frames: np.ndarray) -> np.ndarray:
    """Return codes as an array, or raise ValueError unless (frames, n, d), d >= 2."""
    frames = np.asarray(frames)
    if frames.ndim != 3 or frames.shape[2] < 2 or not frames.size:
        raise ValueError(
            "codes must be (frames, n, d) with at least two latents, and have shape "
            f"{frames.shape}"
        )
    return frames
