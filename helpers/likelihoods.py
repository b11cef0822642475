"""Likelihoods p(x|z) as Keras layers: distortions in nats, summed over pixels.

Called in a model on pictures and on a decoder's outputs, a likelihood adds the batch's
mean negative log-likelihood to the loss, reports it as the metric ``distortion``, and
returns the mean pictures.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import math
from numbers import Real

import keras
from keras import ops

register = keras.saving.register_keras_serializable("vae_course")


class MeanOfCalls(keras.metrics.Mean):
    """The mean over pictures of what a layer reports when it is called; nan before.

    On JAX ``fit`` drops what a call does to a metric: see ``ReportingModel``.
    """

    waiting = None

    def report(self, value, count):
        """Count the mean ``value`` of ``count`` pictures, or on JAX let it wait."""
        self.waiting = value, count
        if keras.backend.backend() != "jax":
            self.count_waiting()

    def count_waiting(self):
        """Count the last report, if it waits."""
        if self.waiting is not None:
            self.update_state(*self.waiting)
        self.waiting = None

    def result(self):
        return ops.where(self.count > 0, super().result(), math.nan)


class ReportingModel(keras.Model):
    """A model in which ``MeanOfCalls`` counts on JAX too, as it does in a ``VAE``."""

    def compute_loss(self, *args, **kwargs):
        # of all that follows a call, only this may change metrics in JAX's train_step
        for metric in self.metrics:
            if isinstance(metric, MeanOfCalls):
                metric.count_waiting()
        return super().compute_loss(*args, **kwargs)


class Likelihood(keras.layers.Layer):
    """A layer called on pictures (batch, ...) and a decoder's outputs of that shape.

    Outputs are unbounded: their sigmoid is the mean picture, in [0, 1]. All is computed
    in float32, whatever the dtype policy of the networks.
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.distortion = MeanOfCalls(name="distortion")

    def negative_log_likelihood(self, x, output):
        """Return -ln p(x|z) in nats per picture, (batch,)."""
        raise NotImplementedError

    def mean(self, output):
        """Return the mean picture, in [0, 1], of the outputs' shape."""
        return ops.sigmoid(output)

    def call(self, x, output, training=False):
        distortion = ops.mean(self.negative_log_likelihood(x, output))
        self.add_loss(distortion)
        self.distortion.report(distortion, ops.shape(output)[0])
        return self.mean(output)


@register
class Bernoulli(Likelihood):
    """Pixels are independent coins: binary cross-entropy, from logits.

    On grey pictures this is the expected value for binary pictures tossed with the grey
    as probability. Source: Kingma and Welling (2013), appendix C.1.
    """

    def negative_log_likelihood(self, x, output):
        # softplus(o) - x o is -x ln s(o) - (1 - x) ln(1 - s(o)), and never overflows
        nats = ops.softplus(output) - x * output
        return ops.sum(nats, axis=tuple(range(1, nats.ndim)))


@register
class Gaussian(Likelihood):
    """Pixels are normal around the mean picture, with one standard deviation ``sigma``.

    Args:
        sigma: a number above 0; ``"learned"``, a weight trained with the others; or
            ``"optimal"``, which follows the root mean squared error in training,
            smoothed over about 100 steps, and stands still otherwise.

    Raises:
        ValueError: ``sigma`` is none of these.

    Source: Kingma and Welling (2013), appendix C.2; Rybkin et al. (2021), section 4.
    """

    momentum = 0.99

    def __init__(self, sigma: float | str = "optimal", **kwargs):
        super().__init__(**kwargs)
        fixed = isinstance(sigma, Real) and 0 < sigma < math.inf
        if not fixed and str(sigma) not in ("learned", "optimal"):
            raise ValueError(
                "sigma must be a positive number, 'learned' or 'optimal', and is "
                f"{sigma!r}"
            )
        self.sigma = float(sigma) if fixed else sigma
        start = math.log(float(sigma) if fixed else 0.25)
        constant = keras.initializers.Constant(start)
        self.log_sigma = self.add_weight(
            (), constant, trainable=sigma == "learned", name="log_sigma"
        )

    def negative_log_likelihood(self, x, output):
        pixels = math.prod(x.shape[1:])
        squares = ops.square(x - self.mean(output))
        squared_error = ops.sum(squares, axis=tuple(range(1, squares.ndim)))
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
        step = (1 - self.momentum) * ops.stop_gradient(optimum)
        self.log_sigma.assign(self.momentum * self.log_sigma + step)

    def get_config(self):
        return {**super().get_config(), "sigma": self.sigma}


def get_likelihood(likelihood: str | Likelihood) -> Likelihood:
    """Return ``"bernoulli"`` or ``"gaussian"`` as a layer; a layer passes through.

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
