"""Ways through a latent space: straight lines, arcs, one latent varied alone."""

import numpy as np

from helpers.models.vae import VAE


def straight(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return what lies at ``shares`` (n,) of the straight way, (n, *first.shape).

    ``first`` and ``last`` are codes (d,) or pictures (height, width, channels).
    """
    shares = np.reshape(shares, (-1, *[1] * np.ndim(first)))
    return (1 - shares) * first + shares * last


def arc(first: np.ndarray, last: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return codes (n, d) at ``shares`` (n,) of the arc between two codes (d,).

    An arc keeps the distance from the centre, which a straight line cuts short.

    Source: Shoemake (1985), "Animating rotation with quaternion curves"; White (2016),
    "Sampling generative networks".

    Raises:
        ValueError: a code is zero, or the two point the same or opposite ways, so that
            there is no one arc between them.
    """
    lengths = np.linalg.norm(first) * np.linalg.norm(last)
    cosine = first @ last / lengths if lengths > 0 else 1.0
    if not abs(cosine) < 1 - 1e-12:
        raise ValueError(
            "an arc needs two codes of different directions, neither zero nor "
            f"opposite, and the cosine of their angle is {cosine:g}: use straight(...)"
        )
    angle, shares = np.arccos(cosine), np.reshape(shares, (-1, 1))
    weights = np.sin((1 - shares) * angle), np.sin(shares * angle)
    return (weights[0] * first + weights[1] * last) / np.sin(angle)


def traversal(
    vae: VAE, code: np.ndarray, latent: int, shares: np.ndarray
) -> np.ndarray:
    """Return copies (n, d) of a code (d,), one latent at ``shares`` (n,) of its prior.

    Raises:
        ValueError: the code is not (d,), or has no such latent.
    """
    size = vae.latent_size
    if np.shape(code) != (size,) or not 0 <= latent < size:
        raise ValueError(
            f"a traversal needs a code ({size},) and a latent from 0 to {size - 1}, "
            f"and got the shape {np.shape(code)} and latent {latent}"
        )
    codes = np.tile(np.asarray(code, "float32"), (len(shares), 1))
    codes[:, latent] = vae.prior_quantiles(shares)[:, latent]
    return codes
