"""Cats from codes: a spatial VAE and a diffusion of its codes, a VQ-VAE and a prior.

python -m helpers.engine.studies.latent_cats PART[:SECONDS] ... [--stage N]

trains parts one after the other, each for its steps or for so many seconds, ships their
weights and writes their rows; a sheet of pictures goes to ``build/latent_cats``. The
denoiser needs the VAE's weights, and the prior the VQ-VAE's. A later stage goes on from
the weights that ship, of 16 bits, with a fresh optimiser.
"""

import argparse
import sys

import numpy as np

from helpers.engine.studies.cats import load

RUNS = (
    {"name": "vae", "stage": 1, "batch": 128, "rate": 1e-3, "beta": 1.0, "steps": 4825},
    {"name": "vae", "stage": 2, "batch": 32, "rate": 5e-4, "beta": 1.0, "steps": 500},
    {"name": "vae", "stage": 3, "batch": 32, "rate": 7e-4, "beta": 0.25, "steps": 2225},
    {"name": "denoiser", "stage": 1, "batch": 256, "rate": 1.5e-3, "steps": 41_325},
    {"name": "vq", "stage": 1, "batch": 128, "rate": 1e-3, "steps": 5300},
    {"name": "prior", "stage": 1, "batch": 64, "rate": 1.5e-3, "steps": 64_675},
)
NEEDS = {"denoiser": "vae", "prior": "vq"}
KEYS = ("name", "stage")
HELD_OUT = ("validation", "test")
HOW = ("batch", "rate", "beta")
COLUMNS = (*KEYS, "machine", "parameters", *HOW, "steps", "seconds", "chosen_step")
COLUMNS += tuple(
    f"{part}_{figure}"
    for part in HELD_OUT
    for figure in ("bits", "rate", "distortion", "psnr", "perplexity")
)
CURVES = (*KEYS, "step", "seconds", "loss", "rate", "distortion", "perplexity")
TABLES = {"latent_cats": COLUMNS, "latent_cats_curves": CURVES}
RESUMES = True


def grid() -> list[dict]:
    """Return every run, in an order in which they find what they need."""
    return [dict(run) for run in RUNS]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train a part, ship its weights, and return its row and its curve.

    Args:
        configuration: one of ``RUNS``, or with ``seconds`` for ``steps``; and, to try
            it out, ``pictures`` to train with, and ``sizes`` of models by part.
    """
    from helpers.engine import stateless
    from helpers.engine.studies import latent_measured

    name, cats = configuration["name"], as_bytes(configuration.get("pictures"))
    model, below, training = trained(configuration, cats)
    chosen = min(training.rows, key=lambda row: row["loss"])
    row = {"machine": stateless.machine(), "parameters": model.count_params()}
    row |= {key: configuration[key] for key in HOW if key in configuration}
    row |= {"steps": training.steps.done, "seconds": training.steps.seconds}
    row |= {"chosen_step": chosen["step"]}
    for part in HELD_OUT:
        figures = latent_measured.measured(name, model, below, cats[part])
        row |= {f"{part}_{figure}": value for figure, value in figures.items()}
    rows = {"latent_cats": [row]}
    curve = [{k: r[k] for k in CURVES if k in r} for r in training.rows]
    result = {**rows, "latent_cats_curves": curve}
    latent_measured.sheet(name, model, below, cats["validation"])
    return result


def as_bytes(limit: int | None = None) -> dict[str, np.ndarray]:
    """Return the photographs as uint8 by part, of the training's at most ``limit``."""
    from helpers.engine.studies.latent_parts import bytes_of

    cats = load()
    held_out = None if limit is None else max(4, limit // 4)
    x = {"train": cats.x_train[:limit]}
    x |= {part: getattr(cats, f"x_{part}")[:held_out] for part in HELD_OUT}
    return {part: bytes_of(pictures) for part, pictures in x.items()}


def trained(configuration: dict, cats: dict) -> tuple:
    """Return a part's model as it ships, what it stands on or None, and its training.

    What a part stands on has weights of 16 bits, as it ships too.
    """
    from helpers import models
    from helpers.engine.studies import latent_parts as parts

    name, sizes = configuration["name"], configuration.get("sizes", {})
    below, given = None, ()
    if name in NEEDS:
        below = parts.built(NEEDS[name], sizes=sizes.get(NEEDS[name]))
        models.load_weights(below, shipped_file(NEEDS[name]))
        given = (below,)
    model = parts.built(name, True, sizes.get(name))
    if configuration["stage"] > 1:
        models.load_weights(model, shipped_file(name))
    training = getattr(parts, f"train_{name}")(model, *given, cats, configuration)
    models.save_weights(model, shipped_file(name))
    model = parts.built(name, sizes=sizes.get(name))
    models.load_weights(model, shipped_file(name))
    return model, below, training


def shipped_file(name: str):
    """Return where a part's weights of 16 bits are."""
    from helpers import models

    return models.WEIGHTS / f"cats_{name}.npz"


def main(arguments: list[str] | None = None) -> int:
    """Train parts one after the other; return the exit status."""
    from helpers.engine import results

    prog = "python -m helpers.engine.studies.latent_cats"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("parts", nargs="+", metavar="PART[:SECONDS]")
    parser.add_argument("--stage", type=int, default=1)
    given = parser.parse_args(arguments)
    for text in given.parts:
        name, _, seconds = text.partition(":")
        found = [r for r in RUNS if (r["name"], r["stage"]) == (name, given.stage)]
        if not found:
            known = ", ".join(f"{run['name']} {run['stage']}" for run in RUNS)
            parser.error(f"the runs are {known}, not {name} {given.stage}")
        configuration = dict(found[0])
        if seconds:
            del configuration["steps"]
            configuration["seconds"] = float(seconds)
        results.record(sys.modules[__name__], configuration, run(configuration))
    return 0


if __name__ == "__main__":
    sys.exit(main())
