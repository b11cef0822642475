"""The course's data: a local file, the public download, or an offline stand-in.

And your own: ``load_folder`` for pictures, ``load_table`` for CSV, ``from_arrays``.
"""

from helpers.datasets.arrays import from_arrays
from helpers.datasets.cats import drawn_cats_stand_in, load_cat_twins, load_cats
from helpers.datasets.dataset import Columns, Dataset, flat
from helpers.datasets.digits import digits_stand_in, load_mnist
from helpers.datasets.folders import load_folder
from helpers.datasets.tables import load_table
