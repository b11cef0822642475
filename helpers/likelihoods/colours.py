"""Probabilities of 8-bit colours that know how red, green and blue go together."""

from typing import Any

from keras import ops

from helpers.likelihoods.base import total
from helpers.likelihoods.pictures import logistic_nats

COLOUR_OUTPUTS = 9  # per pixel: three locations, three scales, three slopes
GREY, START = 0.5, -2.0  # location, and logarithm of a scale, where outputs are 0


def colour_nats(x: Any, output: Any) -> Any:
    """Return -ln p(x|z) of 8-bit colour pictures, in nats per picture, (n,).

    Each value is a discretised logistic with a scale of its own. By how much red
    misses its location moves the location of green, and both that of blue: where a
    network errs, it mostly errs in brightness, and pays for it once, not three times.

    Args:
        x: pictures (n, h, w, 3), whole multiples of 1/255 in [0, 1].
        output: of a decoder, unbounded, (n, h, w, 9), float32.

    Source: Salimans et al. (2017), "PixelCNN++", equation 3.
    """
    red, green, blue, *slopes = (output[..., i : i + 1] for i in (0, 1, 2, 6, 7, 8))
    red, green, blue = (GREY + location for location in (red, green, blue))
    missed_red, missed_green = x[..., :1] - red, x[..., 1:2] - green
    green = green + slopes[0] * missed_red
    blue = blue + slopes[1] * missed_red + slopes[2] * missed_green
    location = ops.concatenate([red, green, blue], axis=-1)
    log_scale = START + output[..., 3:6]
    return total(logistic_nats(x, location, log_scale))


def colour_mean(output: Any) -> Any:
    """Return the picture (n, h, w, 3) in [0, 1] that outputs (n, h, w, 9) stand for."""
    return ops.clip(GREY + output[..., :3], 0.0, 1.0)
