"""``Autoencoder``, and what it shares with the VAE: saving, and calls on arrays."""

from typing import Any

import keras
import numpy as np
from keras import ops

from helpers.engine import checked
from helpers.families.base import register, restored, serialized
from helpers.models.guarded import GuardedModel


def in_batches(model: keras.Model, array: np.ndarray, batch_size: int = 1000) -> Any:
    """Return the model's outputs on an array of any length, as NumPy arrays.

    Unlike ``predict`` it compiles nothing, so that it is quick for a few pictures too.
    """
    array = checked.float32(array)
    parts = [model(array[i : i + batch_size]) for i in range(0, len(array), batch_size)]
    return keras.tree.map_structure(
        lambda *outputs: np.concatenate(list(map(ops.convert_to_numpy, outputs))),
        *parts,
    )


class EncoderDecoder(GuardedModel):
    """What all models share: checks, saving, and calls on arrays of any length.

    ``encoder`` and ``decoder`` are models of their own, to be called, saved or cut
    open. Whatever takes pictures, Keras's methods too, takes numbers of any type and
    raises ValueError for other shapes, too few of them, or pixels far from [0, 1].
    Data of any shape, such as rows of a table or signals, are taken like pictures.

    Subclasses give ``call``, ``encode`` and ``to_pictures``, which turns the decoder's
    unbounded outputs into pictures in [0, 1], or what else the data are.

    Raises:
        ValueError: encoder and decoder are no such models, or of other pictures.
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
        self.check_picture_shape()

    def check_picture_shape(self) -> None:
        """Raise ValueError unless the decoder draws what the encoder takes."""
        checked.same_shape(
            encoder=self.encoder.inputs[0], decoder=self.decoder.outputs[0]
        )

    @property
    def latent_size(self) -> int:
        """The number of latents, d."""
        return self.decoder.input_shape[-1]

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return pictures (n, height, width, channels), or what else, of codes (n, d).

        Pictures lie in [0, 1].
        """
        z = checked.codes(z, self.decoder.input_shape[-1])
        return ops.convert_to_numpy(self.to_pictures(in_batches(self.decoder, z)))

    def checked(self, x: Any, **options) -> Any:
        """Return pictures as float32; ValueError unless they are of the model's shape.

        ``options`` are those of ``checked.pictures``: noisy pictures pass without any.
        """
        options = {"span": checked.NEAR, **options}
        return checked.pictures(x, self.decoder.output_shape[1:], **options)

    def checked_data(
        self, x: Any, y: Any, weights: Any, purpose: str, **options
    ) -> tuple:
        if purpose == "look" or y is None:
            return self.checked(x), y, weights
        if weights is not None:
            weights = checked.weights(weights, len(y))
        if y is x:
            x = self.checked(x, span=checked.UNIT, **options)
            return x, x, weights
        x = self.checked(x, **options)
        y = self.checked(y, name="targets", span=checked.UNIT)
        checked.same_shape(x=x, targets=y)
        return x, y, weights

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

    Args:
        bounded: True for pictures; False for standardised data, which are not clipped.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        bounded: bool = True,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.bounded = bounded

    def checked(self, x: Any, **options) -> np.ndarray:
        return super().checked(
            x, **options if self.bounded else options | {"span": checked.REAL}
        )

    def call(self, x):
        return self.decoder(self.encoder(x))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return codes (n, d) of pictures (n, height, width, channels), or others."""
        return in_batches(self.encoder, self.checked(x))

    def to_pictures(self, outputs):
        return ops.clip(outputs, 0, 1) if self.bounded else outputs

    def get_config(self) -> dict:
        return {**super().get_config(), "bounded": self.bounded}
