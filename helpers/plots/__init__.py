"""Figures: functions that take arrays and return a Matplotlib figure.

Pictures are float arrays in [0, 1] of shape (n, height, width, channels); a grid of
them is tiled into one array and drawn with one ``imshow``. ``use_style()`` gives all
figures the course's look. Films and the explorer stand in modules of their own.
"""

from helpers.engine.paths import build_folder
from helpers.plots.alternatives import describe
from helpers.plots.architecture import architecture
from helpers.plots.codes import code_scatter, digit_legend, manifold_codes
from helpers.plots.curves import learning_curves, rate_bars
from helpers.plots.pictures import image_grid, image_rows, show_image, tile, walk
from helpers.plots.style import (
    BLUE,
    DIGIT_COLOURS,
    FAMILY_COLOURS,
    GREEN,
    GREY,
    LINES,
    ORANGE,
    family_colour,
    set_title,
    use_style,
)
