"""The course's data: a local file, the public download, or an offline stand-in.

And your own pictures: ``load_folder``.
"""

from helpers.datasets.cats import drawn_cats_stand_in, load_cats
from helpers.datasets.dataset import Dataset, flat
from helpers.datasets.digits import digits_stand_in, load_mnist
from helpers.datasets.folders import load_folder
