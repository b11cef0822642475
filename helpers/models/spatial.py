"""Models whose code is a small map: a VAE, and a VQ-VAE, for colour photographs.

Pictures are (n, 64, 64, 3) in [0, 1], codes (n, rows, columns, channels). Networks
compute in the dtype policy that holds when they are built, and return float32.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from helpers.likelihoods.colours import COLOUR_OUTPUTS, colour_mean, colour_nats
from helpers.models.networks import LAST

FLOAT = {"dtype": "float32", **LAST}


def bottleneck(features: Any, blocks: int, name: str) -> Any:
    """Return maps (n, h, w, c) after residual blocks of 1 x 1, 3 x 3 and 1 x 1.

    The 3 x 3 sees half the channels, and a block has a fifth of the weights of two
    full ones. Source: He et al. (2016), "Deep residual learning", figure 5.
    """
    count = features.shape[-1]
    for block in range(1, blocks + 1):
        here = f"{name}_{block}"
        added = layers.RMSNormalization(name=f"{here}_norm")(features)
        for place, (width, side) in enumerate(((count // 2, 1), (count // 2, 3))):
            added = layers.Activation("silu", name=f"{here}_silu_{place}")(added)
            conv = layers.Conv2D(width, side, 1, "same", **LAST, name=f"{here}_{place}")
            added = conv(added)
        added = layers.Activation("silu", name=f"{here}_silu_2")(added)
        last = layers.Conv2D(
            count, 1, **LAST, kernel_initializer="zeros", name=f"{here}_2"
        )
        features = layers.Add(name=f"{here}_sum")([features, last(added)])
    return features


def map_encoder(
    image_shape: Sequence[int],
    outputs: int,
    filters: Sequence[int],
    blocks: Sequence[int],
) -> keras.Model:
    """Return a network from pictures to a map of ``outputs`` channels.

    Args:
        filters: channels by stage, each of which halves height and width.
        blocks: residual blocks by stage.
    """
    pictures = keras.Input(image_shape, name="x")
    features = layers.Rescaling(2.0, -1.0, name="centred")(pictures)
    for stage, (count, depth) in enumerate(zip(filters, blocks, strict=True)):
        side = 4 if stage == 0 else 3
        down = layers.Conv2D(count, side, 2, "same", **LAST, name=f"down_{stage}")
        features = bottleneck(down(features), depth, f"encoder_{stage}")
    features = layers.Activation("silu", name="last_silu")(features)
    head = layers.Conv2D(outputs, 1, **FLOAT, name="head")
    return keras.Model(pictures, head(features), name="encoder")


def map_decoder(
    code_shape: Sequence[int],
    filters: Sequence[int],
    blocks: Sequence[int],
    finish: int = 32,
) -> keras.Model:
    """Return a network from a map to what ``colour_nats`` takes, (n, h, w, 9).

    Args:
        filters: channels by stage; after each of them height and width double.
        blocks: residual blocks by stage.
        finish: channels at the pictures' full size.
    """
    codes = keras.Input(code_shape, name="z")
    features = layers.Conv2D(filters[0], 3, 1, "same", **LAST, name="widen")(codes)
    widths = [*filters[1:], finish]
    for stage, (count, depth) in enumerate(zip(widths, blocks, strict=True)):
        features = bottleneck(features, depth, f"decoder_{stage}")
        up = layers.Conv2DTranspose(count, 4, 2, "same", **LAST, name=f"up_{stage}")
        features = up(features)
    features = layers.Activation("silu", name="last_silu")(features)
    pixels = layers.Conv2D(COLOUR_OUTPUTS, 3, 1, "same", **FLOAT, name="pixels")
    return keras.Model(codes, pixels(features), name="decoder")


class MapModel(keras.Model):
    """What the two have in common: networks, and calls on arrays of any length."""

    def __init__(self, encoder: keras.Model, decoder: keras.Model, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.code_shape = tuple(decoder.input_shape[1:])
        self.built = True

    def in_parts(self, function, x: np.ndarray, size: int = 100) -> np.ndarray:
        """Return ``function`` of arrays, in parts of at most ``size``, as an array."""
        parts = [function(x[i : i + size]) for i in range(0, len(x), size)]
        return np.concatenate([ops.convert_to_numpy(part) for part in parts])

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the pictures (n, h, w, 3) in [0, 1] of codes."""
        return self.in_parts(lambda part: colour_mean(self.decoder(part)), z)

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Return what the codes of pictures give back, in [0, 1]."""
        return self.decode(self.encode(x))


class SpatialVAE(MapModel):
    """A VAE whose code is a map: normal posteriors, a standard normal prior.

    Args:
        code_shape: (rows, columns, channels); rows and columns an eighth of the
            pictures' height and width, with three stages.
        filters, blocks: of the encoder's stages; the decoder has them in reverse.

    Sources: Kingma and Welling (2013); Rombach et al. (2022), "High-resolution image
    synthesis with latent diffusion models", for codes that are maps.
    """

    def __init__(
        self,
        code_shape: Sequence[int] = (8, 8, 16),
        filters: Sequence[int] = (64, 128, 192),
        blocks: Sequence[int] = (1, 2, 2),
        image_shape: Sequence[int] = (64, 64, 3),
    ):
        turned = filters[::-1], blocks[::-1]
        super().__init__(
            map_encoder(image_shape, 2 * code_shape[-1], filters, blocks),
            map_decoder(code_shape, *turned),
            name="spatial_vae",
        )

    def posterior(self, x: Any) -> tuple[Any, Any]:
        """Return mean and log variance of q(z|x), each of the codes' shape."""
        mean, log_variance = ops.split(self.encoder(x), 2, axis=-1)
        return mean, ops.clip(log_variance, -12.0, 4.0)

    def terms(self, x: Any, noise: Any) -> tuple[Any, Any]:
        """Return rate and distortion, in nats per picture, (n,) each.

        Args:
            noise: draws of N(0, 1), of the codes' shape.
        """
        mean, log_variance = self.posterior(x)
        z = mean + ops.exp(0.5 * log_variance) * noise
        each = ops.square(mean) + ops.exp(log_variance) - 1 - log_variance
        rate = 0.5 * ops.sum(each, axis=(1, 2, 3))
        return rate, colour_nats(x, self.decoder(z))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the posterior means of pictures."""
        return self.in_parts(lambda part: self.posterior(part)[0], x)


class VQVAE(MapModel):
    """A VAE whose code is a map of indices into a learned codebook.

    The encoder's vectors and the codebook's entries have length 1, and a vector becomes
    the entry that is nearest. Gradients pass that step unchanged ("straight through"),
    the codebook is drawn to the vectors, and the vectors, ``commitment`` times as
    strongly, to their entries.

    Args:
        entries: of the codebook.
        code_shape: (rows, columns, numbers per entry); rows and columns a quarter of
            the pictures' height and width, with two stages.
        filters, blocks: of the encoder's stages; the decoder has them in reverse.
        normalised: False leaves lengths as they are, as in the first paper.

    Sources: van den Oord et al. (2017), "Neural discrete representation learning"; Yu
    et al. (2022), "Vector-quantized image modeling with improved VQGAN", for length 1.
    """

    commitment = 0.25

    def __init__(
        self,
        entries: int = 512,
        code_shape: Sequence[int] = (16, 16, 8),
        filters: Sequence[int] = (64, 128),
        blocks: Sequence[int] = (1, 3),
        image_shape: Sequence[int] = (64, 64, 3),
        normalised: bool = True,
    ):
        turned = filters[::-1], blocks[::-1]
        super().__init__(
            map_encoder(image_shape, code_shape[-1], filters, blocks),
            map_decoder(code_shape, *turned),
            name="vq_vae",
        )
        self.entries, self.normalised = entries, normalised
        self.codebook = self.add_weight(
            (entries, code_shape[-1]),
            keras.initializers.RandomNormal(0, 1),
            name="book",
        )

    def of_length_1(self, vectors: Any) -> Any:
        """Return vectors (..., d), each divided by its length, if that is wanted."""
        return ops.normalize(vectors, axis=-1) if self.normalised else vectors

    def nearest(self, vectors: Any) -> Any:
        """Return the indices (...) of the entries nearest to vectors (..., d)."""
        book = self.of_length_1(ops.convert_to_tensor(self.codebook))
        lengths = ops.sum(ops.square(book), axis=-1)
        distances = lengths - 2 * ops.matmul(vectors, ops.transpose(book))
        return ops.cast(ops.argmin(distances, axis=-1), "int32")

    def looked_up(self, indices: Any) -> Any:
        """Return the codebook's entries (..., d) at indices (...)."""
        return self.of_length_1(ops.take(self.codebook, indices, axis=0))

    def terms(self, x: Any) -> tuple[Any, Any, Any]:
        """Return distortion in nats per picture, both pulls together, and indices.

        Shapes (n,), (n,) and (n, rows, columns). The pulls are mean squared lengths.
        """
        vectors = self.of_length_1(self.encoder(x))
        indices = self.nearest(ops.stop_gradient(vectors))
        entries = self.looked_up(indices)
        z = straight_through(vectors, entries)
        book = ops.square(entries - ops.stop_gradient(vectors))
        stay = ops.square(ops.stop_gradient(entries) - vectors)
        pulls = ops.mean(ops.sum(book + self.commitment * stay, axis=-1), axis=(1, 2))
        return colour_nats(x, self.decoder(z)), pulls, indices

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Return the indices (n, rows, columns) of pictures."""
        return self.in_parts(
            lambda part: self.nearest(self.of_length_1(self.encoder(part))), x
        )

    def decode(self, z: np.ndarray) -> np.ndarray:
        """Return the pictures (n, h, w, 3) in [0, 1] of indices (n, rows, columns)."""
        return super().decode(ops.convert_to_numpy(self.looked_up(z)))


def straight_through(vectors: Any, entries: Any) -> Any:
    """Return the entries, with the gradient of the vectors that they stand for."""
    return vectors + ops.stop_gradient(entries - vectors)


def perplexity(indices: np.ndarray, entries: int) -> float:
    """Return how many entries are in use: exp of the entropy of their shares."""
    shares = np.bincount(np.ravel(indices), minlength=entries) / np.size(indices)
    used = shares[shares > 0]
    return float(np.exp(-np.sum(used * np.log(used))))
