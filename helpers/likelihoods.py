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

from helpers.engine import checked

register = keras.saving.register_keras_serializable("vae_course")


class MeanOfCalls(keras.metrics.Mean):
    """The mean over pictures of what a layer reports when it is called; nan before.

    On JAX ``fit`` drops what a call does to a metric: see ``ReportingModel``, which
    also lets the weights of pictures count.
    """

    last = before = None

    def report(self, values, loss, scale=1.0):
        """Count values (batch,), whose mean times ``scale`` is ``loss``; JAX waits."""
        self.last = values, loss, scale
        if keras.backend.backend() != "jax":
            self.before = [v + 0 for v in self.variables]  # values, not variables
            self.count_mean(values)

    def count_mean(self, values):
        """Count the values (batch,) of some pictures by their mean and number."""
        self.update_state(ops.mean(values), ops.shape(values)[0])

    def count_last(self, weights=None):
        """Count what was last reported: now if it waits, again if it has weights.

        Returns its loss: the sum of weighted values over the number of pictures.
        """
        values, loss, scale = self.last
        if weights is None:
            if self.before is None:
                self.count_mean(values)
            return loss
        checked.same_shape(values=values, sample_weight=weights)
        for variable, value in zip(self.variables, self.before or (), strict=False):
            variable.assign(value)
        self.count_mean(values * weights)
        return scale * ops.mean(values * weights)

    def result(self):
        return ops.where(self.count > 0, super().result(), math.nan)


class ReportingModel(keras.Model):
    """A model in which ``MeanOfCalls`` counts on JAX too, as it does in a ``VAE``.

    Each picture's rate and distortion are multiplied by its ``sample_weight``, if there
    is any: in the loss, and in the figures, which are still sums over the number of
    pictures, as Keras has it.
    """

    weighed = None

    @property
    def losses(self):
        return super().losses if self.weighed is None else list(self.weighed)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        weights = sample_weight
        if weights is not None:
            first = keras.tree.flatten(weights)[0]  # Keras repeats it for each target
            weights = ops.reshape(checked.float32(first), (-1,))
        losses = self.losses
        # of all that follows a call, only this may change metrics in JAX's train_step
        for metric in self.metrics:
            if isinstance(metric, MeanOfCalls) and metric.last is not None:
                places = [i for i, loss in enumerate(losses) if loss is metric.last[1]]
                for place in places:
                    losses[place] = metric.count_last(weights)
        self.weighed = tuple(losses)
        try:
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        finally:
            self.weighed = None


class Likelihood(keras.layers.Layer):
    """A layer called on pictures (batch, ...) and a decoder's outputs of that shape.

    Outputs are unbounded: their sigmoid is the mean picture, in [0, 1]. All is computed
    in float32, whatever the dtype policy of the networks.

    Raises:
        ValueError: pictures and outputs have different shapes.
    """

    span = checked.NEAR  # the pixels that have a density

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.distortion = MeanOfCalls(name="distortion")

    def negative_log_likelihood(self, x, output):
        """Return -ln p(x|z) in nats per picture, (batch,)."""
        raise NotImplementedError

    def mean(self, output):
        """Return the mean picture, in [0, 1], of the outputs' shape."""
        return ops.sigmoid(output)

    def follow(self, x, output):
        """Take from a batch, in training, what is not learned by its gradient."""

    def call(self, x, output, training=False):
        x = checked.float32(x)
        checked.same_shape(pictures=x, outputs=output)
        if training:
            self.follow(x, output)
        values = self.negative_log_likelihood(x, output)  # (batch,)
        distortion = ops.mean(values)
        self.add_loss(distortion)
        self.distortion.report(values, distortion)
        return self.mean(output)


@register
class Bernoulli(Likelihood):
    """Pixels are independent coins: binary cross-entropy, from logits.

    On grey pictures this is the expected value for binary pictures tossed with the grey
    as probability. Source: Kingma and Welling (2013), appendix C.1.
    """

    span = checked.UNIT

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
            smoothed over about 100 steps, and stands still otherwise; all pictures
            count alike there, whatever their weights.

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
        self.given_sigma = float(sigma) if fixed else sigma
        start = math.log(float(sigma) if fixed else 0.25)
        constant = keras.initializers.Constant(start)
        self.log_sigma = self.add_weight(
            (), constant, trainable=sigma == "learned", name="log_sigma"
        )

    @property
    def sigma(self) -> float | str:
        """What was given; ``exp(log_sigma)`` is the deviation that holds now."""
        return self.given_sigma

    @sigma.setter
    def sigma(self, value):
        raise AttributeError(
            f"sigma stays {self.given_sigma!r}, and can't become {value!r}: assign to "
            "log_sigma, or build another Gaussian"
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

    def follow(self, x, output):
        if self.sigma == "optimal":
            self.follow_error(x, output)

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
