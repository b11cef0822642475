"""A page on which a small VAE learns: plain JavaScript, and digits to train it with.

``python -m helpers.plots.train_page`` writes ``images/train.html`` again, after a
change of ``train_page_template.html``.
"""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from helpers.engine import files, paths
from helpers.plots.explorer import filled
from helpers.plots.style import DIGIT_COLOURS

TEMPLATE = Path(__file__).with_name("train_page_template.html")
TRAINED = 1500  # digits of 1,797; the others are held out


def write_train_page(path: str | Path) -> Path:
    """Write the page, one file that needs neither a network nor a server; return it.

    It holds scikit-learn's 8 x 8 digits in a random order, one letter a pixel: from
    ``a``, 0 of 16, to ``q``, 16 of 16.
    """
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.target))
    letters = np.uint8(ord("a") + digits.data[order])
    data = {
        "digits": letters.tobytes().decode(),
        "labels": "".join(map(str, digits.target[order])),
        "trained": TRAINED,
        "colours": DIGIT_COLOURS,
    }
    with files.whole(Path(path)) as file:
        file.write(filled(TEMPLATE.read_text(encoding="utf-8"), data))
    return Path(path)


if __name__ == "__main__":
    print(write_train_page(paths.ROOT / "images" / "train.html"))
