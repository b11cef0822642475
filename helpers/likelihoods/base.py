"""What every likelihood is, and how models report what their layers count."""

import math
from typing import Any

import keras
import numpy as np
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
    """A layer called on data (batch, ...) and a decoder's outputs of that shape.

    Outputs are unbounded. Here their sigmoid is the mean, in [0, 1], as pictures need.
    All is computed in float32, whatever the dtype policy of the networks.

    To add a likelihood, write a subclass with ``negative_log_likelihood``, and with
    ``mean`` and ``span`` where those here don't fit.

    Raises:
        ValueError: data and outputs have different shapes, or another width.
    """

    span: checked.Span = checked.NEAR  # the numbers that have a density
    bounded = True  # the mean is the outputs' sigmoid, not the outputs themselves
    width: int | None = None  # of the last axis, where it can't be any
    reports = True  # a metric; not as a part of another likelihood

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.distortion = MeanOfCalls(name="distortion")

    @property
    def metrics(self):
        return super().metrics if self.reports else []

    @property
    def takes_logits(self) -> bool:
        """Whether a decoder must leave its outputs unbounded: ``mean`` bounds them."""
        return self.bounded and type(self).mean is Likelihood.mean

    def negative_log_likelihood(self, x, output):
        """Return -ln p(x|z) in nats, summed over all axes but the first, (batch,)."""
        raise NotImplementedError

    def mean(self, output):
        """Return the mean of x, of the outputs' shape; here in [0, 1] if bounded."""
        return ops.sigmoid(output) if self.bounded else output

    def features(self, x):
        """Return x as it is shown to an encoder, of the same shape."""
        return x

    def follow(self, x, output):
        """Take from a batch, in training, what is not learned by its gradient."""

    def span_for(self, purpose: str) -> checked.Span:
        """Return the numbers to "train" on, "measure", or "look" at, maybe "noisy"."""
        if self.span.what != "pixels":
            return self.span
        if purpose in ("look", "noisy"):
            return checked.NEAR
        return checked.UNIT if purpose == "train" and self.takes_logits else self.span

    def checked(
        self, x: Any, shape: tuple | None = None, purpose: str = "measure", **options
    ) -> np.ndarray:
        """Return x (n, *shape) as float32; ``options`` are ``checked.pictures``'s.

        Raises:
            ValueError: it is of another shape, or has no density: see ``span_for``.
        """
        return checked.pictures(x, shape, span=self.span_for(purpose), **options)

    def check_width(self, shape: tuple) -> None:
        """Raise ValueError unless the last axis is as wide as this likelihood."""
        if self.width is not None and shape[-1] != self.width:
            raise ValueError(
                f"the last axis must be {self.width} wide for {type(self).__name__}, "
                f"and the shape is {tuple(shape)}: a class takes a column for each of "
                "its values"
            )

    def call(self, x, output, training=False):
        x = checked.float32(x)
        checked.same_shape(x=x, outputs=output)
        self.check_width(output.shape)
        if training:
            self.follow(x, output)
        values = self.negative_log_likelihood(x, output)  # (batch,)
        distortion = ops.mean(values)
        self.add_loss(distortion)
        self.distortion.report(values, distortion)
        return self.mean(output)


def total(nats):
    """Return the sum over all axes but the first, (batch,)."""
    return ops.sum(nats, axis=tuple(range(1, nats.ndim)))
