"""One look for every figure: Matplotlib settings, and colours that mean one thing each."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 100,
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "axes.prop_cycle": plt.cycler(color=["#0072B2", "#D55E00", "#009E73", "#777777"]),
}

# Ten colours that readers with colour-blindness can tell apart (after Paul Tol's "muted" scheme).
DIGIT_COLOURS = (
    "#332288",
    "#CC6677",
    "#117733",
    "#DDAA33",
    "#88CCEE",
    "#882255",
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
    plt.rcParams.update(STYLE)


def family_colour(name: str) -> str:
    """Return a latent family's colour; grey for a reader's own."""
    return FAMILY_COLOURS.get(name, GREY)


def set_title(figure: Figure, title: str) -> None:
    """Write the finding over the whole figure, in the course's style."""
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
