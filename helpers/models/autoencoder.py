"""``Autoencoder``, and what it shares with the VAE: saving, and calls on arrays."""

import keras
import numpy as np
from keras import ops

from helpers.models.networks import Shape

register = keras.saving.register_keras_serializable("vae_course")


def checked_pictures(x: np.ndarray, shape: Shape) -> np.ndarray:
    """Return pictures (n, *shape) as an array, or raise ValueError saying what is wrong
    with them.

    Pixels may leave [0, 1] a little, as those of noisy pictures do.
    """
    x = np.asarray(x)
    if x.shape[1:] != shape or not len(x):
        raise ValueError(
            f"pictures must have shape (n, {', '.join(map(str, shape))}), n at least 1, and have "
            f"{x.shape}: one picture is x[np.newaxis], and x[..., np.newaxis] adds a missing "
            "channel axis, which comes last"
        )
    low, high = float(x.min()), float(x.max())
    if not -10 < low <= high < 10:
        raise ValueError(
            f"pixels must be numbers in [0, 1], and span [{low:g}, {high:g}]: divide by 255, or "
            "leave out the pictures that hold nan"
        )
    return x


def checked_codes(z: np.ndarray, latent_size: int) -> np.ndarray:
    """Return codes (n, latent_size) as an array, or raise ValueError."""
    z = np.asarray(z)
    if z.ndim != 2 or z.shape[1] != latent_size or not len(z):
        raise ValueError(
            f"codes must have shape (n, {latent_size}), n at least 1, and have {z.shape}: one "
            "code is z[np.newaxis], and this model was built with that number of latents"
        )
    return z


def in_batches(model: keras.Model, array: np.ndarray, batch_size: int = 1000):
    """Return the model's outputs on an array of any length, as NumPy arrays.

    Unlike ``predict`` it compiles nothing, so that it is quick for a few pictures too.
    """
    array = np.asarray(array, "float32")
    parts = [model(array[i : i + batch_size]) for i in range(0, len(array), batch_size)]
    return keras.tree.map_structure(
        lambda *outputs: np.concatenate(
            [ops.convert_to_numpy(output) for output in outputs]
        ),
        *parts,
    )


class EncoderDecoder(keras.Model):
    """What both models share: saving, and calls on arrays of any length.

    Attributes:
        encoder, decoder: models of their own, to be called, saved or cut open.
    """

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.decoder = decoder
        self.built = True  # both are functional models, built already
        self.autocast = (
            False  # the networks see to it themselves; a likelihood needs all digits
        )
        codes = [output.shape for output in encoder.outputs]
        if any(len(shape) != 2 for shape in (*codes, decoder.input_shape)):
            raise ValueError(
                "the encoder must return codes (batch, d) and the decoder take them, and the "
                f"encoder returns {codes}, the decoder takes {decoder.input_shape}: are the two "
                "swapped, or is one given for both?"
            )

    @property
    def latent_size(self) -> int:
        """The number of latents, d."""
        return self.decoder.input_shape[-1]

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the codes (n, d) of pictures (n, height, width, channels) in [0, 1]."""
        raise NotImplementedError

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the pictures (n, height, width, channels), in [0, 1], of codes (n, d)."""
        z = checked_codes(z, self.decoder.input_shape[-1])
        return ops.convert_to_numpy(self.to_pictures(in_batches(self.decoder, z)))

    def checked(self, x: np.ndarray) -> np.ndarray:
        """Return pictures as an array, or raise ValueError unless they fit the encoder."""
        return checked_pictures(x, self.encoder.input_shape[1:])

    def to_pictures(self, outputs):
        """Return the decoder's unbounded outputs as pictures in [0, 1]."""
        raise NotImplementedError

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Return the decoded codes of pictures: both (n, height, width, channels) in [0, 1]."""
        return self.decode(self.encode(x))

    def get_config(self):
        parts = {"encoder": self.encoder, "decoder": self.decoder}
        return {**super().get_config(), **serialized(parts)}

    @classmethod
    def from_config(cls, config):
        return cls(**{key: restored(value) for key, value in config.items()})


def serialized(parts: dict) -> dict:
    """Return Keras objects as plain dictionaries."""
    return {
        key: keras.saving.serialize_keras_object(part) for key, part in parts.items()
    }


def restored(value):
    """Undo ``serialized`` for one value; values that are no Keras objects pass through."""
    is_object = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if is_object else value


@register
class Autoencoder(EncoderDecoder):
    """x -> encoder -> code -> decoder -> picture: ``compile("adam", "mse")``, ``fit(x,
    x)``.

    The last layer is linear, as in PCA, so that no pixel can saturate and stop
    learning; ``reconstruct`` clips pictures to [0, 1], ``predict`` leaves them as they
    are.
    """

    def call(self, x):
        return self.decoder(self.encoder(x))

    def encode(self, x):
        return in_batches(self.encoder, self.checked(x))

    def to_pictures(self, outputs):
        return ops.clip(outputs, 0, 1)
