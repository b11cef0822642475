"""Likelihoods of pictures, and of other numbers that have a mean to lie around."""

import math
from numbers import Real

import keras
from keras import ops

from helpers.engine import checked
from helpers.engine.numerics import bounded, log1mexp
from helpers.likelihoods.base import Likelihood, register, total


@register
class Bernoulli(Likelihood):
    """Pixels are independent coins: binary cross-entropy, from logits.

    On grey pictures this is the expected value for binary pictures tossed with the grey
    as probability. Source: Kingma and Welling (2013), appendix C.1.
    """

    span = checked.UNIT

    def negative_log_likelihood(self, x, output):
        # softplus(o) - x o is -x ln s(o) - (1 - x) ln(1 - s(o)), and never overflows
        return total(ops.softplus(output) - x * output)


@register
class ContinuousBernoulli(Likelihood):
    """Grey pixels with the density exp(o x) o / (e^o - 1) on [0, 1], o the output.

    What Bernoulli's becomes when its integral over grey pixels is made 1.

    Source: Loaiza-Ganem and Cunningham (2019), "The continuous Bernoulli: fixing a
    pervasive error in variational autoencoders".
    """

    span = checked.UNIT
    takes_logits = True
    small = 0.01  # outputs up to which a series serves, where 0 / 0 comes near

    def negative_log_likelihood(self, x, output):
        near_zero = ops.abs(output) < self.small
        size = ops.where(near_zero, 1.0, ops.abs(output))
        log_sinhc = size / 2 + ops.log(-ops.expm1(-size)) - ops.log(size)
        log_sinhc = ops.where(near_zero, ops.square(output) / 24, log_sinhc)
        return total(output / 2 + log_sinhc - x * output)

    def mean(self, output):
        near_zero = ops.abs(output) < self.small
        far = ops.where(near_zero, 1.0, output)
        exact = 0.5 + 0.5 / ops.tanh(far / 2) - 1 / far
        return ops.where(near_zero, 0.5 + output / 12, exact)


@register
class Gaussian(Likelihood):
    """Pixels are normal around the mean picture, with one standard deviation ``sigma``.

    Args:
        sigma: a number above 0; ``"learned"``, a weight trained with the others; or
            ``"optimal"``, which follows the root mean squared error in training,
            smoothed over about 100 steps, and stands still otherwise; all pictures
            count alike there, whatever their weights.
        bounded: True for pictures, whose mean is the sigmoid of the outputs; False for
            standardised data, whose mean is the outputs themselves.

    Raises:
        ValueError: ``sigma`` is none of these.

    Source: Kingma and Welling (2013), appendix C.2; Rybkin et al. (2021), section 4.
    """

    momentum = 0.99

    def __init__(self, sigma: float | str = "optimal", bounded: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.bounded = bounded
        self.span = checked.NEAR if bounded else checked.REAL
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
        squared_error = total(ops.square(x - self.mean(output)))
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
        config = {"sigma": self.sigma, "bounded": self.bounded}
        return {**super().get_config(), **config}


@register
class DiscretisedLogistic(Likelihood):
    """8-bit pixels k / 255: probabilities of the 256 values, which sum to 1.

    A value's is what a logistic variable around the output has within half a step of
    it; black has all below, and white all above. Its scale exp(``log_scale``) is one
    weight for all pixels. Nats divided by pixels times ln 2 are bits per dimension.

    Source: Kingma et al. (2016), "Improved variational inference with inverse
    autoregressive flow"; Salimans et al. (2017), "PixelCNN++", for the two ends.
    """

    span = checked.BYTES
    takes_logits = False

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        start = keras.initializers.Constant(math.log(0.1))
        self.log_scale = self.add_weight((), start, name="log_scale")

    def negative_log_likelihood(self, x, output):
        return total(logistic_nats(x, output, self.log_scale))

    def mean(self, output):
        """Return the mean, in [0, 1], exact to half a step of 1/255."""
        scale = ops.exp(bounded(self.log_scale, -10, 10))
        above = ops.softplus(output / scale) - ops.softplus((output - 1) / scale)
        return scale * above  # the integral of the probability to lie above t in [0, 1]


def logistic_nats(x, location, log_scale):
    """Return -ln of the probabilities of 8-bit pixels, one for each, of x's shape.

    A value's is what a logistic variable has within half a step of it; black has all
    below, and white all above.
    """
    per_scale = ops.exp(-bounded(log_scale, -10, 10))
    x = ops.round(255 * x) / 255
    upper, lower = ((x + half - location) * per_scale for half in (1 / 510, -1 / 510))
    # s(u) - s(l) is s(u) s(-l) (1 - exp(l - u)), s the logistic distribution
    nats = ops.where(x < 1, ops.softplus(-upper), 0.0)
    nats = nats + ops.where(x > 0, ops.softplus(lower), 0.0)
    inside = ops.logical_and(x > 0, x < 1)
    return nats - ops.where(inside, log1mexp(-per_scale / 255), 0.0)
