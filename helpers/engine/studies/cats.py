"""Networks for photographs of cats: a ladder of them, and the ones that ship."""

from pathlib import Path

import numpy as np

from helpers.engine import files, paths

BATCH, ROUND, LEARNING_RATE = 32, 500, 2e-3  # pictures per step, steps per round, peak
PRECISION = "mixed_bfloat16"  # of the networks in training; what is measured is float32
SLOWER = {"learning_rate": 1e-3}  # 0.004 diverged, 0.002 began below the plain network
RUNGS = {  # channels by stage, residual blocks per stage of encoder and decoder, steps
    "plain": {"filters": [64, 128], "blocks": [0, 0], "steps": 21_000},
    "one_block": {"filters": [64, 128], "blocks": [1, 1], "steps": 9_900} | SLOWER,
    "two_blocks": {"filters": [64, 128], "blocks": [1, 2], "steps": 7_800} | SLOWER,
    "wide": {"filters": [96, 192], "blocks": [1, 2], "steps": 4_200} | SLOWER,
}
CHOSEN = "two_blocks"
STEPS = {"": 8_000, "_long": 30_000}  # by the end of a run's name
FAMILIES = ("normal", "laplace", "exponential", "shifted_exponential")
OTHERS = {  # the normal once more, but for one thing
    "sigma_one": {"sigma": 1.0},
    "sigma_learned": {"sigma": "learned"},
    "leaky": {"leaky": True},
}
SHIPPED = {  # weights by run: of the two lengths, the one with fewer validation bits
    "normal": "normal",
    "laplace": "laplace",
    "exponential_long": "exponential",
    "shifted_exponential": "shifted_exponential",
    "sigma_one_long": "sigma_one",
    "sigma_learned": "sigma_learned",
}
CODES = 3000  # of training photographs, that go with a family's weights
USUAL = {"family": "normal", "latents": 64, "sigma": "optimal", "seed": 0}
PARTS = ("validation", "test")
KEYS = ("name",)
COLUMNS = (*KEYS, *USUAL, "filters", "blocks", "learning_rate")
COLUMNS += ("parameters", "pictures", "train_psnr")
COLUMNS += tuple(f"{p}_{figure}" for p in PARTS for figure in ("bits", "rate", "psnr"))
COLUMNS += ("lead", "lead_error", "active_units", "block_ratio")
CURVES = (*KEYS, "pictures", "loss", "rate", "distortion")
TABLES = {"cats": COLUMNS, "cats_curves": CURVES}
RESUMES = True  # in the middle of a training too


def grid() -> list[dict]:
    """Return every run: baselines, the ladder, a wider code, families and others."""
    baselines = [{"name": "photographs"}]
    baselines += [{"name": f"pca_{size}", "latents": size} for size in (64, 128)]
    ladder = [{"name": name, **USUAL, **rung} for name, rung in RUNGS.items()]
    chosen = USUAL | RUNGS[CHOSEN]
    wider = {"name": "latents_128", **chosen, "latents": 128}
    changes = {family: {"family": family} for family in FAMILIES} | OTHERS
    trained = [
        {"name": name + end, **chosen, **change, "steps": steps}
        for end, steps in STEPS.items()
        for name, change in changes.items()
    ]
    return [*baselines, *ladder, wider, *trained]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Return one run's row and its curve; the weights of what ships go where they do.

    Args:
        configuration: ``name``; of PCA also ``latents``; of a network what ``USUAL``
            has, ``filters``, ``blocks``, ``steps`` and, if not the usual, its rate.
    """
    from helpers import datasets, metrics, models

    cats = load()
    row = {key: configuration[key] for key in USUAL if key in configuration}
    if configuration["name"] == "photographs":
        row["block_ratio"] = metrics.block_ratio(cats.x_test)
        return {"cats": [row], "cats_curves": []}
    pca = models.PrincipalComponents(cats.x_train, configuration["latents"])
    if "steps" not in configuration:
        return {"cats": [row | measured(pca, pca, cats)], "cats_curves": []}
    x_train = cats.x_train
    if configuration.get("leaky"):
        x_train = np.concatenate([x_train, datasets.load_cat_twins()[1]])
    history = trained(x_train, cats.x_validation, configuration)
    vae = as_it_ships(configuration, cats)
    row |= {
        key: "-".join(map(str, configuration[key])) for key in ("filters", "blocks")
    }
    row["learning_rate"] = configuration.get("learning_rate", LEARNING_RATE)
    row |= {"parameters": vae.count_params()}
    row["pictures"] = BATCH * int(history["step"][-1])
    curve = {"pictures": BATCH * history["step"]}
    curve |= {name: history[f"val_{name}"] for name in CURVES[2:]}
    columns = zip(*curve.values(), strict=True)
    points = [dict(zip(curve, column, strict=True)) for column in columns]
    return {"cats": [row | measured(vae, pca, cats)], "cats_curves": points}


def load():
    """Return the photographs of cats.

    Raises:
        ValueError: they are not there, and could not be downloaded.
    """
    from helpers.datasets import load_cats

    cats = load_cats()
    if cats.name != "cats":
        raise ValueError(
            f"results are of photographs of cats, and these are {cats.name}: run "
            "`make data`, or save cats.zip in data/"
        )
    return cats


def trained(x_train: np.ndarray, x_validation: np.ndarray, run: dict) -> dict:
    """Train a run's network, or go on with it; keep its weights; return its history.

    The pictures are the photographs and their mirror images.
    """
    import keras

    from helpers import training
    from helpers.models import save_weights

    keras.utils.set_random_seed(run["seed"])
    keras.config.set_dtype_policy(PRECISION)
    vae = build(run)
    keras.config.set_dtype_policy("float32")
    history = training.train(
        vae,
        np.concatenate([x_train, x_train[:, :, ::-1]]),
        steps=run["steps"],
        held_out=x_validation,
        batch_size=BATCH,
        learning_rate=run.get("learning_rate", LEARNING_RATE),
        rounds=max(1, run["steps"] // ROUND),
        seed=run["seed"],
        backup=paths.build_folder() / "cats" / f"{run['name']}.backup",
    )
    save_weights(vae, weights_of(run))
    return history


def build(run: dict):
    """Return the VAE of a run, untrained."""
    from helpers.models import build_cat_vae

    options = {key: run[key] for key in ("family", "sigma", "filters", "blocks")}
    return build_cat_vae(latent_size=run["latents"], **options)


def weights_of(run: dict) -> Path:
    """Return where a run's weights are kept."""
    return paths.build_folder() / "cats" / f"{run['name']}.weights.npz"


def as_it_ships(run: dict, cats):
    """Return a trained network with weights of 16 bits, computing with 32; ship it.

    With a family's go codes of training photographs, a sample of q(z|x) each, for those
    who have no photographs.
    """
    from helpers import models

    vae = build(run)
    models.load_weights(vae, weights_of(run))
    name = SHIPPED.get(run["name"])
    if name is not None:
        with files.whole(models.WEIGHTS / f"cats_{name}.npz") as file:
            file.write(weights_of(run).read_bytes())
    if name in FAMILIES:
        posterior = vae.posterior_arrays(cats.x_train[:CODES])  # in random order
        codes = np.asarray(vae.family.sample_posterior(posterior, seed=0))
        with files.whole(models.WEIGHTS / f"cats_{name}_codes.npz") as file:
            codes = codes.astype("float16")
            codes[codes == 0] = np.finfo("float16").smallest_subnormal  # ln z is finite
            np.savez_compressed(file, codes=codes)
    return vae


def measured(model, pca, cats) -> dict:
    """Return the figures of a VAE or PCA on validation and test pictures.

    ``lead`` is by how many dB its test pictures are nearer than PCA's, with the
    standard error of this mean over pictures; ``train_psnr`` is of as many training
    pictures, drawn at random.
    """
    from helpers import metrics
    from helpers.models import VAE

    figures = {}
    for part in PARTS:
        x = getattr(cats, f"x_{part}")
        drawn = model.reconstruct(x)
        each = metrics.psnr(x, drawn)
        figures[f"{part}_psnr"] = float(each.mean())
        if isinstance(model, VAE):
            figures[f"{part}_rate"] = metrics.elbo(model, x).rate
            figures[f"{part}_bits"] = metrics.bits_per_dimension(model, x)
    figures["block_ratio"] = metrics.block_ratio(drawn)
    if isinstance(model, VAE):
        lead = each - metrics.psnr(x, pca.reconstruct(x))
        figures["lead"] = float(lead.mean())
        figures["lead_error"] = float(lead.std(ddof=1) / np.sqrt(len(lead)))
        figures["active_units"] = metrics.active_units(model, x)
    rng = np.random.default_rng(0)
    some = rng.choice(len(cats.x_train), min(len(x), len(cats.x_train)), replace=False)
    x = cats.x_train[np.sort(some)]
    figures["train_psnr"] = float(metrics.psnr(x, model.reconstruct(x)).mean())
    return figures
