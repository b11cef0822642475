"""``python -m helpers.datasets.group_cats``: write ``data/cats_groups.npz`` anew.

Needs Kaggle's archive, or a copy of it with the same names, where ``load_cats`` looks,
and about ten minutes of one core.
"""

import numpy as np

from helpers.datasets.cat_groups import GROUPS_FILE, save_groups
from helpers.datasets.cats import CATS_PLACES, CATS_SHAPE
from helpers.datasets.dataset import find_file
from helpers.datasets.picture_files import decode
from helpers.engine import paths


def main() -> None:
    """Group the cats at hand, and say how many groups there are of each size."""
    source = find_file(*CATS_PLACES)
    if source is None:
        raise SystemExit(f"There are no cats: put one of {CATS_PLACES} in data/")
    pictures, names, _ = decode(source, CATS_SHAPE)
    path = paths.data_folder() / GROUPS_FILE
    groups = save_groups(path, pictures, names)
    of_each = np.unique(groups, return_counts=True)[1]
    sizes, counts = np.unique(of_each, return_counts=True)
    print(f"{path}: {len(groups):,} pictures, {sum(counts):,} groups")
    for size, count in zip(sizes, counts, strict=True):
        print(f"{count:,} of {size}")


if __name__ == "__main__":
    main()
