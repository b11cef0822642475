"""Films: GIFs of what a model makes of fixed pictures and codes while it learns.

``training.Snapshots`` keeps the frames; ``align`` or ``tsne_frames`` bring codes of
many latents into a plane in which no point jumps; ``film`` writes panels of points and
pictures side by side.
"""

from collections.abc import Callable, Mapping, Sequence
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
from sklearn.manifold import TSNE

from helpers.engine import files
from helpers.plots.pictures import show_image, tile
from helpers.plots.style import DIGIT_COLOURS

COLOURS = 64  # in the one palette that all frames share
TOLERANCE = (
    14  # of 255: a pixel stays as it is until it has changed by more, for smaller files
)
PAPER = 248  # greys from here on are white, and exact


@dataclass(frozen=True)
class Points:
    """A panel of points in a plane that move from frame to frame, coloured by digit.

    Args:
        frames: (frames, n, 2), the same points in every frame.
        labels: digits (n,).
    """

    frames: np.ndarray
    labels: np.ndarray

    def __post_init__(self):
        frames, labels = np.shape(self.frames), np.shape(self.labels)
        if len(frames) != 3 or frames[2] != 2 or labels != frames[1:2]:
            raise ValueError(
                "points must be (frames, n, 2) with n labels, and have the shapes "
                f"{frames} and {labels}: align(frames) projects codes of many latents"
            )
        if not np.isin(self.labels, range(10)).all():
            raise ValueError(f"labels must be digits, and are {np.unique(self.labels)}")

    @property
    def aspect(self) -> float:
        """Width over height."""
        return 1.0

    def draw(self, ax: Axes):
        """Draw the first frame; return a function that shows frame ``index``."""
        order = np.random.default_rng(0).permutation(len(self.labels))
        frames = np.asarray(self.frames)[:, order]
        colours = np.asarray(DIGIT_COLOURS)[np.asarray(self.labels)[order]]
        dots = ax.scatter(*frames[0].T, c=colours, s=7, linewidths=0)
        low, high = np.quantile(frames, [0.001, 0.999], axis=(0, 1))
        middle, half = (low + high) / 2, 0.55 * (high - low).max()
        ax.set(xlim=middle[0] + half * np.array([-1, 1]), xticks=[])
        ax.set(ylim=middle[1] + half * np.array([-1, 1]), yticks=[], box_aspect=1)
        ax.spines[:].set_visible(True)
        for digit, colour in enumerate(DIGIT_COLOURS):
            place = 0.05 + 0.1 * digit
            ax.annotate(
                str(digit),
                (place, -0.03),
                xycoords="axes fraction",
                color=colour,
                weight="bold",
                ha="center",
                va="top",
            )
        return lambda index: dots.set_offsets(frames[index])


@dataclass(frozen=True)
class Pictures:
    """A panel of pictures that change from frame to frame.

    Args:
        frames: (frames, n, height, width, channels) in [0, 1].
        columns: pictures in a row.
        originals: pictures (n, height, width, channels), n a multiple of ``columns``,
            to show with those of the frames: a row of the one above a row of the other.
    """

    frames: np.ndarray
    columns: int
    originals: np.ndarray | None = None

    def __post_init__(self):
        frames = np.shape(self.frames)
        if len(frames) != 5 or self.columns < 1:
            raise ValueError(
                "pictures must be (frames, n, height, width, channels) in one or more columns, and "
                f"have the shape {frames} and {self.columns} columns"
            )
        if self.originals is not None and (
            np.shape(self.originals) != frames[1:] or frames[1] % self.columns
        ):
            raise ValueError(
                f"originals must be {frames[1:]}, one for each picture of a frame, in full rows of "
                f"{self.columns}, and have the shape {np.shape(self.originals)}"
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
            rows = [
                np.reshape(part, (-1, self.columns, *pictures.shape[1:]))
                for part in (self.originals, pictures)
            ]
            pictures = np.stack(rows, axis=1).reshape(-1, *pictures.shape[1:])
        return tile(pictures, self.columns)

    def draw(self, ax: Axes):
        """Draw the first frame; return a function that shows frame ``index``."""
        first = self.tiled(0)
        show_image(ax, first)
        (image,) = ax.images
        image.set_interpolation("bilinear")

        def show(index):
            tiled = self.tiled(index)
            image.set_data(tiled[..., 0] if tiled.shape[-1] == 1 else tiled)

        return show


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
        panels: title to panel, all with one frame for each caption; three titles side
            by side have room for 25 letters each.
        captions: what stands above each frame, such as ``"epoch 0.25"``.
        width: of the film, in pixels; 760 fill a README's column.
        milliseconds: how long a frame stays; a GIF counts in tens.
        hold: how long the last frame stays.

    Raises:
        ValueError: no panel, or frames and captions differ in number.
    """
    counts = {title: len(panel.frames) for title, panel in panels.items()}
    if not counts or any(count != len(captions) for count in counts.values()):
        raise ValueError(
            f"film needs one or more panels with a frame for each of the {len(captions)} captions, "
            f"and got {counts}"
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
    return write_gif(Path(path), frames, [milliseconds] * (len(frames) - 1) + [hold])


def drawn(
    panels: Mapping[str, Points | Pictures], width: float
) -> tuple[Figure, Text, list[Callable]]:
    """Return a figure of the first frames, its heading, and what shows a later frame, a
    panel.

    The width is in inches of 100 pixels.
    """
    aspects = [panel.aspect for panel in panels.values()]
    height = (width - 0.25 * len(panels)) / sum(aspects) + 0.95
    figure, axes = plt.subplots(
        1, len(panels), figsize=(width, height), width_ratios=aspects, squeeze=False
    )
    figure.get_layout_engine().set(w_pad=0.09, h_pad=0.07)
    heading = figure.suptitle(
        "epoch", x=0.012, ha="left", fontsize=13, fontweight="bold"
    )
    show = []
    for ax, (title, panel) in zip(axes[0], panels.items(), strict=True):
        show.append(panel.draw(ax))
        ax.set_title(title, fontsize=11, fontweight="normal")
    figure.canvas.draw()
    figure.set_layout_engine("none")  # placed once: nothing moves from frame to frame
    return figure, heading, show


def write_gif(
    path: Path, frames: Sequence[np.ndarray], durations: Sequence[int]
) -> Path:
    """Write uint8 frames (height, width, 3) as a GIF with one palette, so that no
    colour flickers.

    The last frame is exact, those before up to ``TOLERANCE``. The file takes its name
    only when it is complete.
    """
    palette = shared_palette(frames)
    shown, indexed = frames[0], []
    for index, frame in enumerate(frames):
        paper = in_all_channels(frame >= PAPER)
        frame = np.where(paper, np.uint8(255), frame)
        still = in_all_channels(np.abs(frame.astype(np.int16) - shown) <= TOLERANCE)
        last = index == len(frames) - 1
        shown = frame if last else np.where(still & ~paper, shown, frame)
        picture = Image.fromarray(shown)
        indexed.append(picture.quantize(palette=palette, dither=Image.Dither.NONE))
    with files.unfinished(path) as part:
        indexed[0].save(
            part,
            "GIF",
            save_all=True,
            append_images=indexed[1:],
            duration=list(durations),
            loop=0,
            optimize=True,
        )
    return path


def in_all_channels(mask: np.ndarray) -> np.ndarray:
    """Return (height, width, 1) of (height, width, 3): ``all``, many times as fast."""
    return mask[..., :1] & mask[..., 1:2] & mask[..., 2:]


def shared_palette(frames: Sequence[np.ndarray]) -> Image.Image:
    """Return a picture with a palette that suits all frames, and has the digits' colours."""
    five = np.linspace(0, len(frames) - 1, 5).astype(int)
    some = np.concatenate([frames[index][::2, ::2] for index in five])
    digits = [ImageColor.getrgb(colour) for colour in DIGIT_COLOURS]
    picture = Image.fromarray(some).quantize(COLOURS - len(digits), kmeans=1)
    found = np.array(picture.getpalette("RGB")).reshape(-1, 3)
    found[(found >= min(PAPER, found.min(axis=1).max())).all(axis=1)] = (
        255  # white, not nearly so
    )
    picture.putpalette(np.concatenate([found, digits]).ravel().tolist())
    return picture


def align(frames: np.ndarray) -> np.ndarray:
    """Return codes (frames, n, d) as points in a plane (frames, n, 2), none of which
    jumps.

    Two latents are their own plane. More are seen from one side, the same in every
    frame: that from which the last frame spreads most (its first two principal
    components).

    Raises:
        ValueError: the codes are not (frames, n, d) with d of at least 2.
    """
    frames = checked_codes(frames)
    if frames.shape[2] == 2:
        return frames
    view = PCA(2).fit(frames[-1])
    return np.stack([view.transform(codes) for codes in frames])


def tsne_frames(
    frames: np.ndarray, perplexity: float = 30, seed: int = 0
) -> np.ndarray:
    """Return t-SNE maps (frames, n, 2) of codes (frames, n, d), each started from its
    neighbour.

    From the last frame back to the first: a map that starts from an untrained code's
        tears digits
    apart, and cannot mend them later. Every map is turned to lie as close to its
    neighbour as it can, and all are scaled to a variance of 1, since the size of a
    t-SNE map says nothing.

    Source: van der Maaten and Hinton (2008); Schönemann (1966) for the turn.

    Raises:
        ValueError: the codes are not (frames, n, d), or the points no more than
            ``perplexity``.
    """
    frames = checked_codes(frames)
    if frames.shape[1] <= perplexity:
        raise ValueError(
            f"t-SNE needs more points than its perplexity of {perplexity:g}, and got "
            f"{frames.shape[1]}: lower perplexity"
        )
    maps = [TSNE(2, perplexity=perplexity, random_state=seed).fit_transform(frames[-1])]
    for codes in frames[-2::-1]:
        tsne = TSNE(
            2,
            perplexity=perplexity,
            init=maps[-1],
            early_exaggeration=1,  # the clusters are apart already
            max_iter=250,  # the fewest that scikit-learn allows
            random_state=seed,
        )
        maps.append(turned(tsne.fit_transform(codes), maps[-1]))
    centred = np.stack(maps[::-1]) - np.mean(maps[::-1], axis=1, keepdims=True)
    return centred / centred.std(axis=(1, 2), keepdims=True)


def turned(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return points (n, 2), moved and turned (or mirrored) to lie close to ``target`` (n, 2)."""
    centred, goal = points - points.mean(axis=0), target - target.mean(axis=0)
    rotation, _ = orthogonal_procrustes(centred, goal)
    return centred @ rotation + target.mean(axis=0)


def interpolated(frames: np.ndarray, between: int) -> np.ndarray:
    """Return frames (f, ...) with ``between`` smooth ones put in between each two: for
    points.

    A monotone cubic in time: it passes through every given frame, and never overshoots.
        What lies
    between was not measured.

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
    """Return codes as an array, or raise ValueError unless they are (frames, n, d), d >= 2."""
    frames = np.asarray(frames)
    if frames.ndim != 3 or frames.shape[2] < 2 or not frames.size:
        raise ValueError(
            f"codes must be (frames, n, d) with at least two latents, and have shape {frames.shape}"
        )
    return frames
