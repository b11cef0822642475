"""What parts of ``latent_cats`` cost in bits, how near they are, how they look."""

import math

import numpy as np

from helpers import models
from helpers.engine.studies import latent_parts as parts
from helpers.engine.studies.latent_training import folder

ON_SHEET = 24  # pictures


def measured(name: str, model, x: np.ndarray) -> dict[str, float]:
    """Return a part's figures on uint8 pictures: bits per value, and dB.

    ``bits`` bound what a picture costs with 8 bits per value, and are ``rate`` plus
    ``distortion``, of as many pictures as fill parts of ``PART``: the VAE's rate is the
    KL to its prior, the VQ-VAE's that of equal chances for all entries.
    """
    kinds = {"vae": measured_vae, "vq": measured_vq}
    return kinds[name](model, parts.as_floats(x))


def figures_of(rate: float, distortion: float, model) -> dict[str, float]:
    """Return both in bits per value, and their sum."""
    rate, distortion = parts.bits(rate, model), parts.bits(distortion, model)
    return {"bits": rate + distortion, "rate": rate, "distortion": distortion}


def measured_vae(vae, x: np.ndarray) -> dict[str, float]:
    """Return the ELBO's parts, with one z per picture."""
    noise = parts.normals(len(x), *vae.code_shape)
    terms = parts.averager(vae.terms, vae.variables)(x, noise)
    return figures_of(*terms, vae) | {"psnr": parts.psnr(vae, x)}


def measured_vq(vq, x: np.ndarray) -> dict[str, float]:
    """Return what a picture costs with equal chances for all entries."""
    indices = vq.encode(x)
    rate = indices[0].size * math.log(vq.entries)
    means = parts.averager(lambda part: vq.terms(part)[:1], vq.variables)
    (distortion,) = means(x)
    used = models.perplexity(indices, vq.entries)
    figures = figures_of(rate, distortion, vq)
    return figures | {"psnr": parts.psnr(vq, x), "perplexity": used}


def sheet(name: str, model, x: np.ndarray) -> None:
    """Draw pictures, each beside what its code gives back, in rows of eight."""
    from PIL import Image

    real = parts.as_floats(x[:ON_SHEET])
    shown = np.stack([real, model.reconstruct(real)], axis=1)
    shown = shown.reshape(-1, *real.shape[1:])
    shown = shown[: len(shown) // 8 * 8]
    rows = np.concatenate(np.split(parts.bytes_of(shown), len(shown) // 8), axis=1)
    picture = Image.fromarray(np.concatenate(list(rows), axis=1))
    picture.save(folder() / f"{name}.png")
