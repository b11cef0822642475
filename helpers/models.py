"""Encoders, decoders, and the two models made of them: ``Autoencoder`` and ``VAE``."""

import functools
import itertools
import math
from collections.abc import Sequence

import keras
import numpy as np
from keras import layers, ops

from helpers.distributions import Family, Normal, get_family
from helpers.layers import KLDivergence, ResidualDense, Sampling
from helpers.likelihoods import Likelihood, MeanOfCalls, get_likelihood

register = keras.saving.register_keras_serializable("vae_course")

Shape = tuple[int, int, int]
PATCH = 4  # the stride, in pixels, of the convolution next to the picture


def dense_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    hidden: Sequence[int] = (512, 256),
    activation: str = "silu",
) -> keras.Model:
    """Return a model from pictures to one linear head (batch, latent_size) for each of ``outputs``.

    Source: the multilayer perceptrons of Kingma and Welling (2013), appendix C, with more layers.
    """
    pictures = keras.Input(image_shape, name="x")
    features = hidden_layers(layers.Flatten(name="flatten")(pictures), hidden, activation)
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def dense_decoder(
    image_shape: Shape,
    latent_size: int,
    hidden: Sequence[int] = (256, 512, 512, 512),
    activation: str = "silu",
    prior: str | Family = "normal",
) -> keras.Model:
    """Return a model from codes (batch, latent_size) to unbounded pixels, (batch, *image_shape).

    ``prior`` is the family of the codes: see ``standardised``.
    """
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = hidden_layers(standardised(codes, prior), hidden, activation)
    pixels = layers.Dense(math.prod(image_shape), dtype="float32", name="pixels")(features)
    output = layers.Reshape(image_shape, dtype="float32", name="output")(pixels)
    return keras.Model(codes, output, name="decoder")


def hidden_layers(features, widths: Sequence[int], activation: str):
    """Return features (batch, d) after dense layers; one as wide as that before it adds to it."""
    for index, (before, units) in enumerate(itertools.pairwise([None, *widths]), start=1):
        layer = ResidualDense if units == before else layers.Dense
        features = layer(
            units, activation, kernel_initializer="lecun_normal", name=f"hidden_{index}"
        )(features)
    return features


def conv_encoder(
    image_shape: Shape,
    latent_size: int,
    outputs: Sequence[str] = ("code",),
    filters: Sequence[int] = (64, 128),
    squeeze: int = 48,
    activation: str = "silu",
) -> keras.Model:
    """Return a convolutional model like ``dense_encoder``.

    The first layer reads overlapping patches of 8 x 8, one every ``PATCH`` pixels: maps at the
    picture's full or half size would take most of the time. Each later layer halves height and
    width; a 1 x 1 convolution to ``squeeze`` channels comes before the heads, which hold most
    weights.
    """
    pictures = keras.Input(image_shape, name="x")
    features = pictures
    stages = zip(filters, strides(filters), strict=True)
    for index, (count, stride) in enumerate(stages, start=1):
        features = layers.Conv2D(
            count, 2 * stride, stride, "same", activation=activation, name=f"down_{index}"
        )(features)
    features = layers.Conv2D(squeeze, 1, activation=activation, name="squeeze")(features)
    features = layers.Flatten(name="flatten")(features)
    return keras.Model(pictures, heads(features, latent_size, outputs), name="encoder")


def conv_decoder(
    image_shape: Shape,
    latent_size: int,
    filters: Sequence[int] = (128, 64),
    squeeze: int = 48,
    activation: str = "silu",
    prior: str | Family = "normal",
) -> keras.Model:
    """Return a convolutional model like ``dense_decoder``, ``conv_encoder`` in reverse.

    Works for any picture size: it decodes to the next multiple of all strides' product and crops.
    The first layer makes ``squeeze`` channels, which a 1 x 1 convolution widens to ``filters[0]``.
    """
    height, width, channels = image_shape
    steps = strides(filters)[::-1]
    stride = math.prod(steps)
    rows, columns = math.ceil(height / stride), math.ceil(width / stride)
    codes = keras.Input((checked_size(latent_size),), name="z")
    features = standardised(codes, prior)
    features = layers.Dense(rows * columns * squeeze, activation, name="seed")(features)
    features = layers.Reshape((rows, columns, squeeze), name="seed_map")(features)
    features = layers.Conv2D(filters[0], 1, activation=activation, name="widen")(features)
    stages = zip([*filters[1:], channels], steps, strict=True)
    for index, (count, step) in enumerate(stages, start=1):
        last = index == len(filters)
        features = layers.Conv2DTranspose(
            count,
            2 * step,
            step,
            "same",
            activation=None if last else activation,
            dtype="float32" if last else None,
            name=f"up_{index}",
        )(features)
    excess = ((0, rows * stride - height), (0, columns * stride - width))
    output = layers.Cropping2D(excess, dtype="float32", name="output")(features)
    return keras.Model(codes, output, name="decoder")


def strides(filters: Sequence[int]) -> list[int]:
    """Return the strides of a convolutional encoder's layers: ``PATCH``, then 2 each."""
    return [PATCH] + [2] * (len(filters) - 1)


def standardised(codes, prior: str | Family):
    """Return codes (batch, d) less their prior's mean, in units of its standard deviation.

    A network learns fast from inputs of mean 0 and variance 1. Codes under a normal or a learned
    prior pass through as they are.
    """
    family = get_family(prior)
    if isinstance(family, Normal):
        return codes
    scale = float(np.sqrt(family.prior_variance(codes.shape[-1]).mean()))
    return layers.Rescaling(1 / scale, -family.prior_mean / scale, name="standardised")(codes)


def heads(features, latent_size: int, outputs: Sequence[str]):
    """Return one linear layer a name: a tensor where there is one name, else a list."""
    size = checked_size(latent_size)
    tensors = [layers.Dense(size, dtype="float32", name=name)(features) for name in outputs]
    return tensors[0] if len(tensors) == 1 else tensors


def checked_size(latent_size: int) -> int:
    """Return the number of latents, or raise ValueError unless it is an integer from 1 on."""
    if not isinstance(latent_size, int | np.integer) or latent_size < 1:
        raise ValueError(
            f"latent_size must be at least 1 and an integer, and is {latent_size!r}: it is the "
            "number of latents of a code, such as 2 or 32"
        )
    return int(latent_size)


def checked_pictures(x: np.ndarray, shape: Shape) -> np.ndarray:
    """Return pictures (n, *shape) as an array, or raise ValueError saying what is wrong with them.

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
        lambda *outputs: np.concatenate([ops.convert_to_numpy(output) for output in outputs]),
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
        self.autocast = False  # the networks see to it themselves; a likelihood needs all digits
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
    return {key: keras.saving.serialize_keras_object(part) for key, part in parts.items()}


def restored(value):
    """Undo ``serialized`` for one value; values that are no Keras objects pass through."""
    is_object = isinstance(value, dict) and "class_name" in value
    return keras.saving.deserialize_keras_object(value) if is_object else value


@register
class Autoencoder(EncoderDecoder):
    """x -> encoder -> code -> decoder -> picture: ``compile("adam", "mse")``, ``fit(x, x)``.

    The last layer is linear, as in PCA, so that no pixel can saturate and stop learning;
    ``reconstruct`` clips pictures to [0, 1], ``predict`` leaves them as they are.
    """

    def call(self, x):
        return self.decoder(self.encoder(x))

    def encode(self, x):
        return in_batches(self.encoder, self.checked(x))

    def to_pictures(self, outputs):
        return ops.clip(outputs, 0, 1)


@register
class VAE(EncoderDecoder):
    """x -> encoder -> q(z|x) -> z -> decoder -> p(x|z), trained on beta rate + distortion.

    ``fit(x)``, with no targets, since the target is x; training and validation report ``loss``,
    ``rate`` (the KL) and ``distortion`` (the negative log-likelihood), in nats a picture.
    ``predict(x)`` returns the mean pictures, in [0, 1], of sampled codes.

    Source: Kingma and Welling (2013), equation 10.

    Args:
        encoder: pictures to the posterior's parameters, one output for each of the family's
            ``parameter_names``, in that order.
        decoder: codes to unbounded pixels (logits) of the pictures' shape.
        prior: a family or its name.
        likelihood: a likelihood layer, ``"bernoulli"`` or ``"gaussian"``.
        beta: the weight of the KL, or a schedule of it (see ``KLDivergence``).

    Raises:
        ValueError: the encoder's outputs don't fit the family or the decoder.
    """

    def __init__(
        self,
        encoder: keras.Model,
        decoder: keras.Model,
        prior: str | Family = "normal",
        likelihood: str | Likelihood = "bernoulli",
        beta=1.0,
        **kwargs,
    ):
        super().__init__(encoder, decoder, **kwargs)
        self.prior = get_family(prior)
        self.likelihood = get_likelihood(likelihood)
        self.sampling = Sampling(self.prior)
        self.kl_divergence = KLDivergence(self.prior, beta)
        self.check_encoder()
        self.prior.connect(encoder)

    def check_encoder(self) -> None:
        """Raise ValueError unless encoder, family and decoder fit together."""
        names, shapes = self.prior.parameter_names, [t.shape for t in self.encoder.outputs]
        if len(shapes) != len(names) or any(s[-1] != self.latent_size for s in shapes):
            raise ValueError(
                f"the encoder must return {names}, each (batch, {self.latent_size}) as the decoder "
                f"expects for the prior {self.prior.name!r}, and returns {shapes}"
            )

    def posterior(self, x) -> list:
        """Return the parameters of q(z|x), one tensor (batch, d) for each name of the family."""
        parameters = self.encoder(x)
        return parameters if isinstance(parameters, list) else [parameters]

    def call(self, x, training=False):
        parameters = self.posterior(x)
        z = self.sampling(parameters)
        self.kl_divergence(parameters, z, training=training)
        return self.likelihood(x, self.decoder(z), training=training)

    def compute_loss(self, *args, **kwargs):
        """Return the losses' sum, and count rate and distortion where a call can't: on JAX."""
        for metric in self.metrics:
            if isinstance(metric, MeanOfCalls):
                metric.count_waiting()
        return super().compute_loss(*args, **kwargs)

    def encode(self, x):
        """Return the posterior means (n, d) of pictures (n, height, width, channels)."""
        parameters = [ops.convert_to_tensor(p) for p in self.posterior_arrays(x)]
        return ops.convert_to_numpy(self.prior.mean(parameters))

    def posterior_arrays(self, x: np.ndarray) -> list[np.ndarray]:
        """Return ``posterior`` of pictures of any number as arrays (n, d)."""
        parameters = in_batches(self.encoder, self.checked(x))
        return parameters if isinstance(parameters, list) else [parameters]

    def to_pictures(self, outputs):
        return self.likelihood.mean(outputs)

    def generate(self, count: int, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        """Return the mean pictures (count, height, width, channels) of codes from the prior.

        ``temperature`` scales the codes' distance from the prior's mean; on the sphere, whose mean
        is its centre, any other than 1 leaves the sphere and asks for what training never saw.

        Raises:
            ValueError: ``count`` is below 1, or ``temperature`` below 0.
        """
        return self.decode(self.prior_codes(count, temperature, seed))

    def prior_codes(self, count: int, temperature: float, seed: int) -> np.ndarray:
        """Return codes (count, d) for ``generate``."""
        if count < 1 or not 0 <= temperature < math.inf:
            raise ValueError(
                "generate needs at least 1 picture and a temperature from 0 on, and got "
                f"{count} and {temperature!r}: 1 is the prior itself, less keeps to its middle"
            )
        z = ops.convert_to_numpy(self.prior.sample_prior((count, self.latent_size), seed))
        return self.prior.prior_mean + temperature * (z - self.prior.prior_mean)

    def get_config(self):
        parts = {
            "prior": self.prior,
            "likelihood": self.likelihood,
            "beta": self.kl_divergence.beta,
        }
        return {**super().get_config(), **serialized(parts)}


BUILDERS = {"dense": (dense_encoder, dense_decoder), "conv": (conv_encoder, conv_decoder)}


def build_autoencoder(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
) -> Autoencoder:
    """Return an untrained autoencoder for pictures (height, width, channels) in [0, 1].

    Args:
        architecture: ``"dense"`` or ``"conv"``.
        hidden: widths of a dense encoder's hidden layers, from the picture to the code; the
            decoder has them in reverse order. None: (512, 256), and more in the decoder, where
            they buy the most nats: (256, 512, 512, 512).

    Raises:
        ValueError: the architecture is neither, ``latent_size`` is below 1, or ``hidden`` holds
            no widths or is given for ``"conv"``.
    """
    encoder, decoder = builders(architecture, hidden)
    return Autoencoder(encoder(image_shape, latent_size), decoder(image_shape, latent_size))


def build_vae(
    image_shape: Shape = (28, 28, 1),
    latent_size: int = 32,
    prior: str | Family = "normal",
    likelihood: str | Likelihood = "bernoulli",
    beta=1.0,
    architecture: str = "dense",
    *,
    hidden: Sequence[int] | None = None,
) -> VAE:
    """Return an untrained VAE for pictures (height, width, channels) in [0, 1].

    The arguments are those of ``VAE`` and ``build_autoencoder``, and so are the errors.
    """
    encoder, decoder = builders(architecture, hidden)
    family = get_family(prior)
    return VAE(
        encoder(image_shape, latent_size, outputs=family.parameter_names),
        decoder(image_shape, latent_size, prior=family),
        family,
        likelihood,
        beta,
    )


def builders(architecture: str, hidden: Sequence[int] | None = None):
    """Return the (encoder, decoder) builders of that name and widths, or raise ValueError."""
    if architecture not in BUILDERS:
        raise ValueError(f"architecture must be one of {sorted(BUILDERS)}, and is {architecture!r}")
    encoder, decoder = BUILDERS[architecture]
    if hidden is None:
        return encoder, decoder
    widths = hidden if isinstance(hidden, Sequence) else [None]
    if architecture != "dense" or not all(isinstance(w, int) and w > 0 for w in widths):
        raise ValueError(
            "hidden must be widths of dense layers, such as (512, 512), and is "
            f"{hidden!r} for architecture {architecture!r}: leave it out for 'conv', or make the "
            "parts with conv_encoder and conv_decoder, which take filters"
        )
    return functools.partial(encoder, hidden=hidden), functools.partial(
        decoder, hidden=hidden[::-1]
    )
