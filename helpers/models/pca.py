"""PCA with the calls of an autoencoder: the baseline beside every code."""

import numpy as np
from sklearn.decomposition import PCA

from helpers.datasets import flat
from helpers.engine import checked


class PrincipalComponents:
    """The best linear autoencoder: project on the first principal directions, and back.

    Args:
        x: pictures (n, height, width, channels) in [0, 1] to fit it to.
        size: how many numbers a code has.
        seed: of the randomised solver, where scikit-learn takes that.

    Attributes:
        pca: scikit-learn's fitted ``PCA``.

    Raises:
        ValueError: pictures of another shape or far from [0, 1], or codes of another
            size; so do all methods.
    """

    def __init__(self, x: np.ndarray, size: int, seed: int = 0):
        x = checked.pictures(x, span=checked.NEAR)
        self.image_shape = x.shape[1:]
        self.pca = PCA(size, random_state=seed).fit(flat(x))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the codes (n, size) of pictures (n, height, width, channels)."""
        return self.pca.transform(flat(self.checked(x)))

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the pictures (n, height, width, channels), in [0, 1], of codes."""
        z = checked.codes(z, self.pca.n_components_)
        pictures = np.clip(self.pca.inverse_transform(z), 0, 1)
        return pictures.reshape(-1, *self.image_shape).astype("float32")

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Return the decoded codes of pictures: both (n, height, width, channels)."""
        return self.decode(self.encode(x))

    def squared_errors(self, x: np.ndarray) -> np.ndarray:
        """Return the sum of squared errors of each picture, not clipped, (n,)."""
        back = self.pca.inverse_transform(self.encode(x))
        return np.sum((flat(self.checked(x)) - back) ** 2, axis=1)

    def checked(self, x: np.ndarray) -> np.ndarray:
        """Return pictures as float32; ValueError unless they are like those it fits."""
        return checked.pictures(x, self.image_shape, span=checked.NEAR)
