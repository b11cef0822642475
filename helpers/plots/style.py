"""One look for every figure: a style, and colours that mean one thing each."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

STYLE = Path(__file__).with_name("course.mplstyle")

# Told apart with colour-blindness too: Paul Tol's "muted" scheme, but for 1 and 5,
# whose colours there are too near those of 9 and 8.
DIGIT_COLOURS = (
    "#332288",
    "#DD4455",
    "#117733",
    "#DDAA33",
    "#88CCEE",
    "#000000",
    "#44AA99",
    "#999933",
    "#AA4499",
    "#777777",
)
# As far apart as eleven colours get, with colour-blindness too; kin have kindred hues.
FAMILY_COLOURS = {
    "normal": "#0072B2",
    "mixture": "#66AAFF",
    "vamp": "#332288",
    "laplace": "#D55E00",
    "logistic": "#E6B800",
    "student_t": "#882255",
    "exponential": "#009E73",
    "shifted_exponential": "#8FD175",
    "weibull": "#000000",
    "kumaraswamy": "#FF77BB",
    "power_spherical": "#AA44EE",
}
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#777777"
LINES = (GREY, ORANGE, BLUE, GREEN)


def use_style() -> None:
    """Give every figure from here on the course's look."""
    plt.style.use(STYLE)


def family_colour(name: str) -> str:
    """Return a latent family's colour; grey for a reader's own."""
    return FAMILY_COLOURS.get(name, GREY)


def palette(count: int, first: Sequence[str] = LINES) -> list[str]:
    """Return ``count`` different colours: the first of these, or a whole rainbow's."""
    if count <= len(first):
        return list(first[:count])
    return [to_hex(c) for c in plt.colormaps["turbo"](np.linspace(0, 1, count))]


def class_colours(labels: ArrayLike) -> dict:
    """Return class to colour: all ten digits' where every label is one, else theirs."""
    labels = np.asarray(labels)
    digits = labels.dtype.kind in "iu" and np.isin(labels, range(10)).all()
    classes = range(10) if digits else np.unique(labels).tolist()
    return dict(zip(classes, palette(len(classes), DIGIT_COLOURS), strict=True))


def set_title(figure: Figure, title: str) -> None:
    """Write the finding over the whole figure."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
