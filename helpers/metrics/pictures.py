"""How close pictures are to each other: MSE, and TensorFlow's PSNR and SSIM.

Pairs of pictures are two arrays (n, height, width, channels) in [0, 1]; all functions
raise ValueError where shapes differ or lack an axis.
"""

import keras
import numpy as np
import tensorflow as tf


def check_pairs(x: np.ndarray, y: np.ndarray, side: int = 1) -> None:
    """Raise ValueError unless x and y are as many pictures, of ``side`` pixels."""
    shapes = np.shape(x), np.shape(y)
    if shapes[0] != shapes[1] or len(shapes[0]) != 4 or min(shapes[0][1:3]) < side:
        raise ValueError(
            f"both must be n pictures (n, height, width, channels), {side} x {side} or "
            f"larger, and are {shapes[0]} and {shapes[1]}: is a channel axis missing?"
        )


def mse(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean squared error of each pair of pictures, (n,)."""
    check_pairs(x, y)
    return np.mean(np.square(x - y), axis=(1, 2, 3))


def psnr(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the peak signal-to-noise ratio of each pair of pictures, in dB, (n,)."""
    check_pairs(x, y)
    return tf.image.psnr(x, y, max_val=1.0).numpy()


def ssim(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the structural similarity of each pair of pictures, at most 1, (n,).

    ValueError too below 11 x 11 pixels. Source: Wang, Bovik, Sheikh and Simoncelli
    (2004).
    """
    check_pairs(x, y, side=11)
    return tf.image.ssim(x, y, max_val=1.0).numpy()


def quality(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the mean MSE, PSNR (dB) and SSIM of pictures ``x`` and reconstructions."""
    measures = {"mse": mse, "psnr": psnr, "ssim": ssim}
    return {name: float(measure(x, y).mean()) for name, measure in measures.items()}


class TrackQuality(keras.callbacks.Callback):
    """Add MSE, PSNR and SSIM of the model's reconstructions to each round's figures.

    Args:
        x: training pictures (n, height, width, channels).
        held_out: held-out pictures, whose figures get the prefix ``val_``.
    """

    def __init__(self, x: np.ndarray, held_out: np.ndarray):
        super().__init__()
        self.pictures = {"": x, "val_": held_out}

    def on_epoch_end(self, epoch, logs=None):
        for prefix, x in self.pictures.items():
            figures = quality(x, self.model.reconstruct(x))
            logs.update({prefix + name: value for name, value in figures.items()})
