"""The course's data: a local file, the public download, or an offline stand-in."""

from helpers.datasets.cats import drawn_cats_stand_in, load_cat_twins, load_cats
from helpers.datasets.dataset import Dataset, flat
from helpers.datasets.digits import digits_stand_in, load_mnist
