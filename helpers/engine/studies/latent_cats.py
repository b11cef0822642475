"""Cats from codes: a spatial VAE and a diffusion of its codes, a VQ-VAE and a prior.

python -m helpers.engine.studies.latent_cats PART[:SECONDS] ... [--pictures N]

trains parts one after the other, each for its steps or for so many seconds, and leaves
weights, figures and a sheet of pictures in ``build/latent_cats``. The denoiser needs
the VAE's weights, and the prior the VQ-VAE's.
"""

import argparse
import json
import math
import sys

import numpy as np
from keras import ops

from helpers.engine import files
from helpers.engine.studies import latent_parts as parts
from helpers.engine.studies.cats import load
from helpers.engine.studies.latent_training import folder, machine

STEPS = {"vae": 16_000, "denoiser": 40_000, "vq": 14_000, "prior": 24_000}
NEEDS = {"denoiser": "vae", "prior": "vq"}
SEED_OF_SHEET, ON_SHEET = 0, 24
KEYS = ("name",)
HELD_OUT = ("validation", "test")
COLUMNS = (*KEYS, "machine", "parameters", "steps", "seconds", "chosen_step")
COLUMNS += tuple(
    f"{part}_{figure}"
    for part in HELD_OUT
    for figure in ("bits", "rate", "distortion", "psnr", "perplexity")
)
CURVES = (*KEYS, "step", "seconds", "loss", "rate", "distortion", "perplexity")
TABLES = {"latent_cats": COLUMNS, "latent_cats_curves": CURVES}
RESUMES = True


def grid() -> list[dict]:
    """Return every part, in the order in which they need each other."""
    return [{"name": name, "steps": steps} for name, steps in STEPS.items()]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train a part, and return its row and its curve; its weights stay in ``build``.

    Args:
        configuration: ``name``; ``steps``, or ``seconds``; and, to try it out,
            ``pictures`` to train with, and ``sizes`` of models by part.
    """
    name, cats = configuration["name"], as_bytes(configuration.get("pictures"))
    model, below, training = trained(configuration, cats)
    chosen = min(training.rows, key=lambda row: row["loss"])
    row = {"machine": machine(), "parameters": model.count_params()}
    row |= {"steps": training.steps.done, "seconds": training.steps.seconds}
    row |= {"chosen_step": chosen["step"]}
    for part in HELD_OUT:
        figures = measured(name, model, below, cats[part])
        row |= {f"{part}_{figure}": value for figure, value in figures.items()}
    rows = {"latent_cats": [row]}
    curve = [{k: r[k] for k in CURVES if k in r} for r in training.rows]
    result = {**rows, "latent_cats_curves": curve}
    with files.whole(folder() / f"{name}.json") as file:
        file.write(json.dumps({"name": name, **result}, indent=1).encode())
    sheet(name, model, below, cats["validation"])
    return result


def as_bytes(limit: int | None = None) -> dict[str, np.ndarray]:
    """Return the photographs as uint8 by part, of the training's at most ``limit``."""
    cats = load()
    held_out = None if limit is None else max(4, limit // 4)
    x = {"train": cats.x_train[:limit]}
    x |= {part: getattr(cats, f"x_{part}")[:held_out] for part in HELD_OUT}
    return {part: parts.bytes_of(pictures) for part, pictures in x.items()}


def trained(configuration: dict, cats: dict) -> tuple:
    """Return a part's model as it ships, what it stands on or None, and its training.

    What a part stands on has weights of 16 bits, as it ships too.
    """
    from helpers import models

    name, sizes = configuration["name"], configuration.get("sizes", {})
    length = {k: configuration[k] for k in ("seconds", "steps") if k in configuration}
    below, given = None, ()
    if name in NEEDS:
        below = parts.built(NEEDS[name], sizes=sizes.get(NEEDS[name]))
        models.load_weights(below, parts.shipped_file(NEEDS[name]))
        given = (below,)
    model = parts.built(name, parts.PRECISION, sizes.get(name))
    training = getattr(parts, f"train_{name}")(model, *given, cats, **length)
    models.save_weights(model, parts.shipped_file(name))
    model = parts.built(name, sizes=sizes.get(name))
    models.load_weights(model, parts.shipped_file(name))
    return model, below, training


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
    from helpers import diffusion

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
    from helpers import models

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


def main(arguments: list[str] | None = None) -> int:
    """Train parts one after the other; return the exit status."""
    prog = "python -m helpers.engine.studies.latent_cats"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="PART[:SECONDS]")
    parser.add_argument("--pictures", type=int, default=None)
    given = parser.parse_args(arguments)
    for text in given.parts:
        name, _, seconds = text.partition(":")
        if name not in STEPS:
            parser.error(f"the parts are {', '.join(STEPS)}, not {name}")
        length = {"seconds": float(seconds)} if seconds else {"steps": STEPS[name]}
        result = run({"name": name, **length, "pictures": given.pictures})
        print(json.dumps(result["latent_cats"][0]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
