"""``Autoencoder``, and what it shares with the VAE: saving, and calls on arrays."""

from typing import Any

import keras
import numpy as np
from keras import ops

from helpers.families.base import register, restored, serialized


def checked_pictures(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return pictures (n, *shape) as an array; ValueError says what is wrong with them.

    Pixels may leave [0, 1] a little, as those of noisy pictures do.
    """
    x = np.asarray(x)
    if x.shape[1:] != shape or not len(x):
        raise ValueError(
            f"pictures must be (n, {', '.join(map(str, shape))}), n from 1 on, and are "
            f"{x.shape}: x[np.newaxis] is one picture, x[..., np.newaxis] adds channels"
        )
    low, high = float(x.min()), float(x.max())
    if not -10 < low <= high < 10:
        raise ValueError(
            f"pixels must be numbers in [0, 1], and span [{low:g}, {high:g}]: divide "
            "by 255, or leave out the pictures that hold nan"
        )
    return x


def checked_codes(z: np.ndarray, latent_size: int) -> np.ndarray:
    """Return codes (n, latent_size) as an array, or raise ValueError."""
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] != latent_size or not len(z):
        raise ValueError(
            f"codes must be (n, {latent_size}), n at least 1, and are {z.shape}: "
            "z[np.newaxis] is one code; the model fixes the number of latents"
        )
    return z


def in_batches(model: keras.Model, array: np.ndarray, batch_size: int = 1000) -> Any:
    """Return the model's outputs on an array of any length, as NumPy arrays.

    Unlike ``predict`` it compiles nothing, so that it is quick for a few pictures too.
    """
    array = np.asarray(array, "float32")
    parts = [model(array[i : i + batch_size]) for i in range(0, len(array), batch_size)]
    return keras.tree.map_structure(
        lambda *outputs: np.concatenate(list(map(ops.convert_to_numpy, outputs))),
        *parts,
    )


class EncoderDecoder(keras.Model):
    """What all models share: saving, and calls on arrays of any length.

    ``encoder`` and ``decoder`` are models of their own, to be called, saved or cut
    open. Arrays of another shape, or pixels far from [0, 1], raise ValueError.

    Subclasses give ``call``, ``encode`` and ``to_pictures``, which turns the decoder's
    unbounded outputs into pictures in [0, 1].
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.built = True  # both are functional models, built already
        self.autocast = False  # networks see to it; a likelihood needs all digits
        codes = [output.shape for output in encoder.outputs]
        if any(len(shape) != 2 for shape in (*codes, decoder.input_shape)):
            raise ValueError(
                "encoder and decoder must return and take codes (batch, d), and not "
                f"{codes} and {decoder.input_shape}: swapped, or one given for both?"
            )

    @property
    def latent_size(self) -> int:
        """The number of latents, d."""
        return self.decoder.input_shape[-1]

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return pictures (n, height, width, channels), in [0, 1], of codes (n, d)."""
        z = checked_codes(z, self.decoder.input_shape[-1])
        return ops.convert_to_numpy(self.to_pictures(in_batches(self.decoder, z)))

    def checked(self, x: np.ndarray) -> np.ndarray:
        """Return pictures as an array; ValueError unless they fit the encoder."""
        return checked_pictures(x, self.encoder.input_shape[1:])

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Return the decoded codes of pictures: both (n, height, width, channels)."""
        return self.decode(self.encode(x))

    def get_config(self) -> dict:
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return {**super().get_config(), **serialized(parts)}

    @classmethod
    def from_config(cls, config: dict) -> "EncoderDecoder":
        return cls(**{key: restored(value) for key, value in config.items()})


@register
class Autoencoder(EncoderDecoder):
    """x -> encoder -> code -> decoder -> picture.

    To be trained by ``compile("adam", "mse")`` and ``fit(x, x)``. The last layer is
    linear, as in PCA, so that no pixel can saturate and stop learning; ``reconstruct``
    clips pictures to [0, 1], ``predict`` leaves them as they are.
    """

    def call(self, x):
        return self.decoder(self.encoder(x))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return codes (n, d) of pictures (n, height, width, channels) in [0, 1]."""
        return in_batches(self.encoder, self.checked(x))

    def to_pictures(self, outputs):
        return ops.clip(outputs, 0, 1)
