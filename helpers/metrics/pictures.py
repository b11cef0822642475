"""How close pictures are to each other: MSE, PSNR, and TensorFlow's SSIM.

Pairs are two arrays (n, height, width, channels): ``x`` in [0, 1] and ``y``, which may
leave it a little, as noisy pictures do. All functions raise ValueError for other
pixels, and where shapes differ or lack an axis.
"""

import keras
import numpy as np

from helpers.engine import checked

PICTURE = ("height", "width", "channels")


def pairs(x: np.ndarray, y: np.ndarray, side: int = 1) -> tuple:
    """Return both as float32; ValueError unless of one shape, ``side`` or larger."""
    x = checked.pictures(x, PICTURE, "x")
    y = checked.pictures(y, PICTURE, "y", checked.NEAR)
    checked.same_shape(x=x, y=y)
    if min(x.shape[1:3]) < side:
        raise ValueError(
            f"pictures must be at least {side} x {side} pixels, and are {x.shape[1:]}"
        )
    return x, y


def mse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each pair of pictures, (n,)."""
    x, y = pairs(x, y)
    return np.mean(np.square(x - y), axis=(1, 2, 3))


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each pair of pictures, in dB, (n,)."""
    with np.errstate(divide="ignore"):  # equal pictures: infinite
        return -10 * np.log10(mse(x, y))


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each pair of pictures, at most 1, (n,).

    ValueError too below 11 x 11 pixels. Source: Wang, Bovik, Sheikh and Simoncelli
    (2004).
    """
    import tensorflow as tf

    x, y = pairs(x, y, side=11)
    return tf.image.ssim(x, y, max_val=1.0).numpy()


def quality(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the mean MSE, PSNR (dB) and SSIM of pictures ``x`` and reconstructions."""
    measures = {"mse": mse, "psnr": psnr, "ssim": ssim}
    return {name: float(measure(x, y).mean()) for name, measure in measures.items()}


def block_ratio(x: np.ndarray, side: int = 8) -> float:
    """Return how far edges stand out that a grid of ``side`` x ``side`` blocks has.

    The mean size of the difference between neighbouring pixels across the grid's lines
    over that elsewhere, for the worst of the grid's ``side`` places: 1.02 for
    photographs of cats, more where a decoder's patches show.

    Raises:
        ValueError: pictures of another shape or far from [0, 1], or no wider and higher
            than a block.
    """
    x = checked.pictures(x, PICTURE, "x", checked.NEAR)
    if min(x.shape[1:3]) <= side:
        raise ValueError(
            f"pictures must be larger than {side} x {side}, and are {x.shape[1:]}"
        )
    sums, counts = np.zeros(side), np.zeros(side)
    for axis in (1, 2):
        steps = np.abs(np.diff(x, axis=axis))  # one fewer than pixels along the axis
        others = tuple(other for other in range(4) if other != axis)
        for place, step in enumerate(steps.mean(axis=others)):
            sums[place % side] += step
            counts[place % side] += 1
    across = sums / counts
    elsewhere = (sums.sum() - sums) / (counts.sum() - counts)
    return float((across / np.maximum(elsewhere, 1e-12)).max())


class TrackQuality(keras.callbacks.Callback):
    """Add MSE, PSNR and SSIM of the model's reconstructions to each round's figures.

    Args:
        x: training pictures (n, height, width, channels).
        held_out: held-out pictures, whose figures get the prefix ``val_``.

    Raises:
        ValueError: the pictures are no such pairs with themselves, or below 11 x 11.
    """

    def __init__(self, x: np.ndarray, held_out: np.ndarray):
        super().__init__()
        self.pictures = {
            "": pairs(x, x, 11)[0],
            "val_": pairs(held_out, held_out, 11)[0],
        }

    def on_epoch_end(self, epoch, logs=None):
        for prefix, x in self.pictures.items():
            figures = quality(x, self.model.reconstruct(x))
            logs.update({prefix + name: value for name, value in figures.items()})
