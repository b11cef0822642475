"""Likelihoods p(x|z) as Keras layers: distortions in nats, summed over pixels.

A likelihood takes pictures and what a decoder made of their codes: unbounded outputs of
    the
pictures' shape, whose sigmoid is the mean picture in [0, 1]. Called in a model it adds
the batch's mean negative log-likelihood to the loss, reports it as the metric
``distortion``, and returns the mean pictures.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math

import keras
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


class MeanOfCalls(keras.metrics.Mean):
    """The mean of what a layer reports whenever it is called, for Keras on any backend.

    On JAX ``fit`` drops what a call does to a metric. There the last report waits until
    a ``VAE`` counts it in ``compute_loss``, which ``fit`` heeds; in other models such a
    metric stays 0.
    """

    waiting = None

    def report(self, value):
        """Count a scalar, or on JAX let it wait."""
        if keras.backend.backend() == "jax":
            self.waiting = value
        else:
            self.update_state(value)

    def count_waiting(self):
        """Count the scalar that waits, if one does."""
        waiting, self.waiting = self.waiting, None
        if waiting is not None:
            self.update_state(waiting)


class Likelihood(keras.layers.Layer):
    """A layer called on (pictures, decoder outputs), both (batch, height, width,
    channels).

    It computes in float32, whatever the dtype policy of the networks.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.distortion = MeanOfCalls(name="distortion")

    def negative_log_likelihood(self, x, output):
        """Return -ln p(x|z) in nats a picture, shape (batch,)."""
        raise NotImplementedError

    def mean(self, output):
        """Return the mean picture, in [0, 1], of the outputs' shape."""
        return ops.sigmoid(output)

    def call(self, x, output, training=False):
        distortion = ops.mean(self.negative_log_likelihood(x, output))
        self.add_loss(distortion)
        self.distortion.report(distortion)
        return self.mean(output)


@register
class Bernoulli(Likelihood):
    """Pixels are independent coins: binary cross-entropy, from logits.

    On grey pictures this is the expected value for binary pictures whose pixels are
    tossed with the grey as probability, since it is linear in x. Source: Kingma and
    Welling (2013), appendix C.1.
    """

    def negative_log_likelihood(self, x, output):
        # softplus(o) - x o is -x ln s(o) - (1 - x) ln(1 - s(o)), and never overflows
        return ops.sum(ops.softplus(output) - x * output, axis=(1, 2, 3))


@register
class Gaussian(Likelihood):
    """Pixels are normal around the mean picture with one shared standard deviation
    ``sigma``.

    Args:
        sigma: a number above 0, fixed; ``"learned"``, a weight trained with the others;
            or ``"optimal"``, which follows the root mean squared error in training,
            smoothed over about 100 steps, and stands still otherwise, so that training
            fixes it for the test.

    Raises:
        ValueError: ``sigma`` is neither a positive number nor one of the two words.

    Source: Kingma and Welling (2013), appendix C.2; Rybkin et al. (2021), section 4.
    """

    momentum = 0.99

    def __init__(self, sigma: float | str = "optimal", **kwargs):
        super().__init__(**kwargs)
        if sigma not in ("learned", "optimal") and not (
            isinstance(sigma, int | float) and 0 < sigma < math.inf
        ):
            raise ValueError(
                f"sigma must be a positive number, 'learned' or 'optimal', and is {sigma!r}"
            )
        self.sigma = sigma
        start = math.log(sigma) if isinstance(sigma, int | float) else math.log(0.25)
        self.log_sigma = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(start),
            trainable=sigma == "learned",
            name="log_sigma",
        )

    def negative_log_likelihood(self, x, output):
        pixels = math.prod(x.shape[1:])
        squared_error = ops.sum(ops.square(x - self.mean(output)), axis=(1, 2, 3))
        log_variance = 2 * self.log_sigma
        return 0.5 * (
            pixels * (math.log(2 * math.pi) + log_variance)
            + squared_error * ops.exp(-log_variance)
        )

    def call(self, x, output, training=False):
        if self.sigma == "optimal" and training:
            self.follow_error(x, output)
        return super().call(x, output, training)

    def follow_error(self, x, output):
        """Move ``log_sigma`` towards the batch's own optimum."""
        error = ops.mean(ops.square(x - self.mean(output)))
        optimum = 0.5 * ops.log(ops.maximum(error, 1e-8))
        self.log_sigma.assign(
            self.momentum * self.log_sigma
            + (1 - self.momentum) * ops.stop_gradient(optimum)
        )

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


def get_likelihood(likelihood: str | Likelihood) -> Likelihood:
    """Return ``"bernoulli"`` or ``"gaussian"`` (optimal sigma) as a layer; a layer
    passes through.

    Raises:
        ValueError: no likelihood has that name.
    """
    named = {"bernoulli": Bernoulli, "gaussian": Gaussian}
    if isinstance(likelihood, Likelihood):
        return likelihood
    if likelihood not in named:
        raise ValueError(
            f"likelihood must be one of {sorted(named)}, and is {likelihood!r}"
        )
    return named[likelihood]()
