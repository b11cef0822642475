"""What parts of ``latent_cats`` cost in bits, how near they are, how they look."""

import math

import numpy as np
from keras import ops

from helpers import diffusion, models
from helpers.engine.studies import latent_parts as parts
from helpers.engine.studies.latent_cats import NEEDS
from helpers.engine.studies.latent_training import folder

SEED_OF_SHEET, ON_SHEET = 0, 24


def measured(name: str, model, below, x: np.ndarray) -> dict[str, float]:
    """Return a part's figures on uint8 pictures: bits per value, and dB.

    ``bits`` bound what a picture costs with 8 bits per value, and are ``rate`` plus
    ``distortion``: with the VAE's own prior or the diffusion's, with equal chances for
    all entries of the codebook or the prior's.
    """
    return {
        "vae": measured_vae,
        "denoiser": measured_denoiser,
        "vq": measured_vq,
        "prior": measured_prior,
    }[name](model, below, parts.as_floats(x))


def figures_of(rate: float, distortion: float, model) -> dict[str, float]:
    """Return both in bits per value, and their sum."""
    rate, distortion = parts.bits(rate, model), parts.bits(distortion, model)
    return {"bits": rate + distortion, "rate": rate, "distortion": distortion}


def measured_vae(vae, _, x: np.ndarray) -> dict[str, float]:
    """Return the ELBO's parts, with one z per picture."""
    noise = parts.normals(len(x), *vae.code_shape)
    terms = parts.averager(vae.terms, vae.variables)(x, noise)
    return figures_of(*terms, vae) | {"psnr": parts.psnr(vae, x)}


def measured_denoiser(model, vae, x: np.ndarray) -> dict[str, float]:
    """Return the ELBO's parts where the diffusion's bound is the prior."""
    noise = parts.normals(len(x), *vae.code_shape)
    rate = diffusion_rate(model, vae, x, noise)
    _, distortion = parts.averager(vae.terms, vae.variables)(x, noise)
    return figures_of(rate, distortion, vae)


def diffusion_rate(model, vae, x: np.ndarray, noise: np.ndarray, draws: int = 8):
    """Return the mean of ln q(z|x) less the diffusion's bound on ln p(z), in nats.

    A time per picture and draw, spread evenly from ``FIRST`` to 1; below it the noise
    that is left is what the last step says of z.
    """
    first, numbers = parts.FIRST, math.prod(model.code_shape)
    alpha, sigma = (float(each) for each in diffusion.alpha_sigma(first))
    last = 0.5 * numbers * math.log(2 * math.pi * math.e * (sigma / alpha) ** 2)
    rng = np.random.default_rng(0)
    jacobian = numbers * float(ops.mean(ops.log(model.spread)))

    def terms(x, noise, t, fresh):
        mean, log_variance = vae.posterior(x)
        z = mean + ops.exp(0.5 * log_variance) * noise
        each = -0.5 * (math.log(2 * math.pi) + log_variance + ops.square(noise))
        log_q = ops.sum(each, axis=(1, 2, 3))
        z = model.standardised(z)
        error = diffusion.squared_error(model.velocity, z, t, fresh)
        end = diffusion.noised(z, ops.ones_like(t), fresh * 0)  # what time 1 still says
        prior = 0.5 * ops.sum(ops.square(end), axis=(1, 2, 3))
        return log_q, (1 - first) * diffusion.bound_weight(t) * error + prior

    means = parts.averager(terms, [*vae.variables, *model.variables])
    totals = []
    for _ in range(draws):
        t = first + (1 - first) * (rng.permutation(len(x)) + rng.uniform()) / len(x)
        fresh = rng.normal(size=noise.shape).astype("float32")
        arrays = [x, noise, t.clip(first, 1 - 1e-6).astype("float32"), fresh]
        totals.append(means(*arrays))
    log_q, error = np.mean(totals, axis=0)
    return log_q + error + last + jacobian


def measured_vq(vq, _, x: np.ndarray) -> dict[str, float]:
    """Return what a picture costs with equal chances for all entries."""
    indices = vq.encode(x)
    rate = indices[0].size * math.log(vq.entries)
    (distortion,) = vq_distortion(vq)(x)
    used = models.perplexity(indices, vq.entries)
    figures = figures_of(rate, distortion, vq)
    return figures | {"psnr": parts.psnr(vq, x), "perplexity": used}


def measured_prior(prior, vq, x: np.ndarray) -> dict[str, float]:
    """Return what a picture costs with the prior's chances for its indices."""
    indices = vq.encode(x)
    (rate,) = parts.averager(lambda part: (prior.nats(part),), prior.variables)(indices)
    (distortion,) = vq_distortion(vq)(x)
    return figures_of(rate, distortion, vq)


def vq_distortion(vq):
    """Return a function of pictures: the mean distortion of a VQ-VAE."""
    return parts.averager(lambda part: vq.terms(part)[:1], vq.variables)


def sheet(name: str, model, below, x: np.ndarray) -> None:
    """Draw pictures and reconstructions, or samples, in rows of eight, to look at."""
    from PIL import Image

    if name in NEEDS:
        codes = model.sample(ON_SHEET, seed=SEED_OF_SHEET)
        shown = below.decode(codes)
    else:
        real = parts.as_floats(x[:ON_SHEET])
        shown = np.stack([real, model.reconstruct(real)], axis=1)
        shown = shown.reshape(-1, *real.shape[1:])
    shown = shown[: len(shown) // 8 * 8]
    rows = np.concatenate(np.split(parts.bytes_of(shown), len(shown) // 8), axis=1)
    picture = Image.fromarray(np.concatenate(list(rows), axis=1))
    picture.save(folder() / f"{name}.png")
