"""Make data/results/cats.csv and data/weights: networks for cats, one row each.

python -m helpers.engine.cats [--minutes 30] [--workers 1] [NAME ...]

Each call goes on where the last one stopped, in the middle of a training too. Without
names it makes all runs, the ladder of networks first. A command, like ``results``.
"""

import argparse
import os
import sys
import time

import numpy as np

from helpers.engine import files, paths, sweeps
from helpers.engine.results import RESULTS, read_csv, write_csv

BATCH, ROUND, LEARNING_RATE = 32, 500, 2e-3  # pictures per step, steps per round, peak
PRECISION = "mixed_bfloat16"  # of the networks in training; what is measured is float32
SLOWER = {"learning_rate": 1e-3}  # 0.004 diverged, 0.002 began below the plain network
RUNGS = {  # channels by stage, residual blocks per stage of encoder and decoder, steps
    "plain": {"filters": [64, 128], "blocks": [0, 0], "steps": 7000},
    "one_block": {"filters": [64, 128], "blocks": [1, 1], "steps": 3300} | SLOWER,
    "two_blocks": {"filters": [64, 128], "blocks": [1, 2], "steps": 2600} | SLOWER,
    "wide": {"filters": [96, 192], "blocks": [1, 2], "steps": 1400} | SLOWER,
}
SHIPPED = {  # what the chosen network is trained for, at full length
    "normal": {},
    "laplace": {"family": "laplace"},
    "exponential": {"family": "exponential"},
    "shifted_exponential": {"family": "shifted_exponential"},
    "sigma_learned": {"sigma": "learned"},
    "sigma_one": {"sigma": 1.0},
}
CHOSEN, STEPS = "two_blocks", 20_000
USUAL = {"family": "normal", "latents": 64, "sigma": "optimal", "seed": 0}
PARTS = ("validation", "test")
COLUMNS = ("name", *USUAL, "filters", "blocks", "learning_rate")
COLUMNS += ("parameters", "pictures")
COLUMNS += ("seconds", "processor_seconds", "train_psnr")
COLUMNS += tuple(f"{p}_{figure}" for p in PARTS for figure in ("bits", "rate", "psnr"))
COLUMNS += ("lead", "lead_error", "active_units", "block_ratio")
CURVES = ("name", "pictures", "loss", "rate", "distortion")


def grid() -> list[dict]:
    """Return every run: the baselines, the ladder, and what ships."""
    baselines = [{"name": "photographs"}]
    baselines += [{"name": f"pca_{size}", "latents": size} for size in (64, 128)]
    ladder = [{"name": name, **USUAL, **rung} for name, rung in RUNGS.items()]
    full = RUNGS[CHOSEN] | {"steps": STEPS}
    finals = {**SHIPPED, "latents_128": {"latents": 128}}
    return [
        *baselines,
        *ladder,
        *({"name": name, **USUAL, **full, **each} for name, each in finals.items()),
    ]


def run(configuration: dict) -> dict:
    """Return the figures of one run and its curve; a network's weights are kept."""
    from helpers import metrics

    cats = load_photographs()
    if configuration["name"] == "photographs":
        return {"block_ratio": metrics.block_ratio(cats.x_test), "curve": {}}
    pca = principal_components(cats, configuration["latents"])
    if "steps" not in configuration:
        return {**measured(pca, pca, cats), "curve": {}}
    history = trained(cats, **configuration)
    vae = float32_model(configuration)
    done = {"parameters": vae.count_params(), "seconds": float(history["seconds"])}
    done["pictures"] = BATCH * int(history["step"][-1])
    done["processor_seconds"] = float(history["processor"].sum())
    curve = {"pictures": BATCH * history["step"]}
    curve |= {name: history[f"val_{name}"] for name in CURVES[2:]}
    return {**done, **measured(vae, pca, cats), "curve": curve}


def load_photographs():
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


def principal_components(cats, size: int):
    """Return PCA of the training pictures, ``size`` numbers per picture."""
    from helpers.models import PrincipalComponents

    return PrincipalComponents(cats.x_train, size)


def trained(
    cats, name: str, steps: int, seed: int, learning_rate=LEARNING_RATE, **network
) -> dict:
    """Train a network, or go on with it; keep its weights, and return its history.

    The pictures are the training photographs and their mirror images.
    """
    import keras

    from helpers import training
    from helpers.models import save_weights

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(PRECISION)
    vae = build(**network)
    keras.config.set_dtype_policy("float32")
    folder = paths.build_folder() / "cats"
    history = training.train(
        vae,
        np.concatenate([cats.x_train, cats.x_train[:, :, ::-1]]),
        steps=steps,
        held_out=cats.x_validation,
        batch_size=BATCH,
        learning_rate=learning_rate,
        rounds=max(1, steps // ROUND),
        seed=seed,
        callbacks=[processor_clock()],
        backup=folder / f"{name}.backup",
    )
    save_weights(vae, folder / f"{name}.weights.npz")
    return history


def build(family: str, latents: int, sigma: float | str, filters: list, blocks: list):
    """Return the VAE of a configuration, untrained."""
    from helpers.models import build_cat_vae

    return build_cat_vae(
        family=family, sigma=sigma, latent_size=latents, filters=filters, blocks=blocks
    )


def processor_clock():
    """Return a callback that adds the processor's seconds to each round's figures."""
    import keras

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.start = time.process_time()

        def on_epoch_end(self, epoch, logs=None):
            logs["processor"] = time.process_time() - self.start

    return Clock()


def float32_model(configuration: dict):
    """Return a trained network as it ships: weights of 16 bits, computing with 32."""
    from helpers.models import load_weights

    others = ("name", "steps", "seed", "learning_rate")
    vae = build(**{k: v for k, v in configuration.items() if k not in others})
    folder = paths.build_folder() / "cats"
    load_weights(vae, folder / f"{configuration['name']}.weights.npz")
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


def as_row(configuration: dict, result: dict) -> tuple[dict, list[dict]]:
    """Return a finished run's row, and the points of its curve."""
    shown = {k: configuration[k] for k in ("name", *USUAL) if k in configuration}
    for key in ("filters", "blocks"):
        shown[key] = "-".join(map(str, configuration.get(key, ())))
    if "steps" in configuration:
        shown["learning_rate"] = configuration.get("learning_rate", LEARNING_RATE)
    figures = {key: value for key, value in result.items() if key != "curve"}
    curve, name = result["curve"], {"name": configuration["name"]}
    points = zip(*curve.values(), strict=True)
    return shown | figures, [name | dict(zip(curve, p, strict=True)) for p in points]


def recorded() -> dict[str, tuple[dict, list[dict]]]:
    """Return by name what the tables hold: a run's row, and the points of its curve."""
    points: dict[str, list[dict]] = {}
    for point in read_csv(RESULTS / "cats_curves.csv"):
        points.setdefault(point["name"], []).append(point)
    rows = read_csv(RESULTS / "cats.csv")
    return {row["name"]: (row, points.get(row["name"], [])) for row in rows}


def write_tables(kept: dict[str, tuple[dict, list[dict]]]) -> None:
    """Write the rows and curves of finished runs, in the grid's order."""
    done = [kept[each["name"]] for each in grid() if each["name"] in kept]
    if done:
        write_csv(RESULTS / "cats.csv", COLUMNS, [row for row, _ in done])
        points = [point for _, curve in done for point in curve]
        write_csv(RESULTS / "cats_curves.csv", CURVES, points)
    print(f"{len(done)} of {len(grid())} runs are in {RESULTS / 'cats.csv'}")


def ship(name: str) -> None:
    """Copy a run's weights to where they ship."""
    from helpers.models import WEIGHTS

    kept = paths.build_folder() / "cats" / f"{name}.weights.npz"
    with files.whole(WEIGHTS / f"cats_{name}.npz") as file:
        file.write(kept.read_bytes())


def go_on(todo: list[dict], workers: int, minutes: float) -> bool:
    """Make runs, as far as there is time; return whether all went well."""
    function, folder = "helpers.engine.cats:run", paths.build_folder() / "cats"
    threads, well = max(1, (os.cpu_count() or 1) // workers), True
    try:
        load_photographs()  # once, before workers do so at the same time
        options = {"minutes": minutes, "resumes": True}
        sweeps.sweep(function, todo, folder, workers, threads, **options)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        well = False
    kept, results = recorded(), sweeps.finished(function, todo, folder)
    for each, result in zip(todo, results, strict=True):
        if result is not None:
            kept[each["name"]] = as_row(each, result)
            if each["name"] in SHIPPED:
                ship(each["name"])
    write_tables(kept)
    return well


def main(arguments: list[str] | None = None) -> int:
    """Go on for some minutes; write tables and weights; return the exit status."""
    prog = "python -m helpers.engine.cats"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    every = {each["name"]: each for each in grid()}
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(every))
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in every]:
        parser.error(f"the runs are {', '.join(every)}, not {unknown[0]}")
    kept, names = recorded(), given.names or list(every)
    todo = [every[name] for name in names if name not in kept]
    if not todo:
        print(f"All of these are in {RESULTS}: delete rows to make them again")
        return 0
    return int(not go_on(todo, given.workers, given.minutes))


if __name__ == "__main__":
    sys.exit(main())
