"""Make data/results: every family, trained on digits until it gains no more.

python -m helpers.engine.results [--minutes 30] [--workers 2]

Each call goes on with the runs that the tables lack. A command, and the one file of the
engine that imports from the floors above, in its functions: nothing imports it.
"""

import argparse
import csv
import io
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from helpers.engine import files, paths, sweeps

SEEDS, LATENTS, BETAS = (0, 1, 2), (2, 4, 8, 16, 32, 64), (0.1, 0.3, 1, 3, 10, 20)
HIDDEN = (256, 256)
BATCH, ROUND, CAP = 128, 500, 40_000  # digits per step, steps per round, steps at most
LEARNING_RATE, FACTOR = 2e-3, 0.3  # at first; what a plateau multiplies it by
PLATEAU, PATIENCE = 4, 12  # rounds without a gain: to a lower rate; to the end
GAIN = {
    True: 0.05,
    False: 5e-6,
}  # that counts: in nats of a VAE, in an autoencoder's MSE
DIGITS, SAMPLES, IMPORTANCE = 1000, 10_000, 1000  # binary ones; drawn; K of IWAE
RESULTS = paths.data_folder() / "results"
KEYS = ("family", "latents", "beta", "seed")
BOUNDS = ("elbo", "rate", "distortion", "elbo_binary", "elbo_binary_error")
BOUNDS += ("iwae_binary", "iwae_binary_error", "active_units")
COLUMNS = (*KEYS, *BOUNDS, "mse", "knn_accuracy")
COLUMNS += ("sample_distance", "sample_distance_low", "sample_distance_high")
COLUMNS += ("steps", "seconds", "converged")
CURVES = (*KEYS, "step", "loss", "rate", "distortion")


class Digits(NamedTuple):
    """Pictures (n, 28, 28, 1) in [0, 1], to train on, to stop by, and to measure on."""

    x_train: np.ndarray
    y_train: np.ndarray
    x_validation: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


def grid() -> list[dict]:
    """Return every configuration once: one seed of each, then the other seeds."""
    from helpers.families import registry

    normal = {"family": "normal", "latents": 16, "beta": 1, "seed": 0}
    by_seed = [
        normal | {"family": name, "seed": seed}
        for seed in SEEDS
        for name in ("autoencoder", *sorted(registry()))
    ]
    by_size = [normal | {"latents": size} for size in LATENTS]
    by_beta = [normal | {"beta": beta} for beta in BETAS]
    first = len(by_seed) // len(SEEDS)
    every = by_seed[:first] + by_size + by_beta + by_seed[first:]
    every = [each | {"cap": CAP} for each in every]
    return [each for place, each in enumerate(every) if each not in every[:place]]


def family_run(configuration: dict) -> dict:
    """Train one model on MNIST and return its figures and curve; keep its samples.

    Args:
        configuration: ``family``, or "autoencoder"; ``latents``, ``beta``, ``seed``,
            and ``cap``, the steps at most.
    """
    digits = load_digits()
    model = untrained(configuration, digits)
    history = train_until_it_stops(model, digits, **configuration)
    stem = "_".join(f"{configuration[key]}" for key in (*KEYS, "cap"))
    samples = sampled(model, digits, SAMPLES)
    keep(model, samples, paths.build_folder() / "results" / "models" / stem)
    figures = measured(model, samples, digits)
    done = {"steps": history["step"][-1], "seconds": history.pop("seconds")}
    done["converged"] = int(done["steps"] < configuration["cap"])
    return {**figures, **done, "curve": history}


def load_digits() -> Digits:
    """Return MNIST with its first 10,000 training digits for validation.

    Raises:
        ValueError: MNIST is not there, and could not be downloaded.
    """
    from helpers.datasets import load_mnist

    data = load_mnist()
    if data.name != "MNIST":
        raise ValueError(
            f"results are of MNIST, and this is {data.name}: save mnist.npz in data/"
        )
    return Digits(
        data.x_train, data.y_train, data.x_validation, data.x_test, data.y_test
    )


def untrained(configuration: dict, digits: Digits):
    """Return a seeded model; a VampPrior starts from training digits."""
    import keras

    from helpers import models

    family, latents, beta, seed = (configuration[key] for key in KEYS)
    keras.utils.set_random_seed(seed)
    shape, options = digits.x_train.shape[1:], {"hidden": HIDDEN}
    if family == "autoencoder":
        return models.build_autoencoder(shape, latents, **options)
    vae = models.build_vae(shape, latents, family, beta=beta, **options)
    if family == "vamp":
        vae.family.start_from(digits.x_train)
    return vae


def train_until_it_stops(model, digits: Digits, seed: int, cap: int, **_) -> dict:
    """Train until the validation loss stops; return its curve, and the seconds.

    Adam, at a constant rate that falls by ``FACTOR`` after ``PLATEAU`` rounds without a
    ``GAIN``; the end comes after ``PATIENCE`` such rounds, or ``cap`` steps, and the
    best round's weights stay. A VAE's loss is the bound, its KL times beta.
    """
    import time

    import keras

    from helpers import training
    from helpers.models import VAE

    each = min(ROUND, cap)
    gain = {"monitor": "val_loss", "min_delta": GAIN[isinstance(model, VAE)]}
    lower = {"factor": FACTOR, "patience": PLATEAU}
    listeners = [
        training.Guard(),
        keras.callbacks.ReduceLROnPlateau(**gain, **lower),
        keras.callbacks.EarlyStopping(
            **gain, patience=PATIENCE, restore_best_weights=True
        ),
    ]
    optimizer = keras.optimizers.Adam(LEARNING_RATE, beta_2=0.99)
    training.compile_with(model, optimizer, training.divided(each, 1, 20)[2], True)
    batches = training.endless_batches(digits.x_train, None, BATCH, seed)
    start = time.perf_counter()
    log = model.fit(
        batches,
        epochs=max(1, cap // each),
        steps_per_epoch=each,
        validation_data=(digits.x_validation,) * 2,
        validation_batch_size=1000,
        callbacks=listeners,
        shuffle=False,  # the batches are already
        verbose=0,
    ).history
    seconds = time.perf_counter() - start
    names = [name for name in ("loss", "rate", "distortion") if f"val_{name}" in log]
    curve = {name: log[f"val_{name}"] for name in names}
    steps = [each * (place + 1) for place in range(len(curve["loss"]))]
    return {"step": steps, **curve, "seconds": seconds}


def measured(model, samples: np.ndarray, digits: Digits) -> dict:
    """Return a model's figures on test digits; a new measure is one more entry here."""
    from helpers import metrics
    from helpers.models import VAE

    figures = bounds(model, digits.x_test) if isinstance(model, VAE) else {}
    reconstructed = model.reconstruct(digits.x_test)
    figures["mse"] = float(metrics.mse(digits.x_test, reconstructed).mean())
    known = model.encode(digits.x_train), digits.y_train
    asked = model.encode(digits.x_test), digits.y_test
    figures["knn_accuracy"] = metrics.knn_accuracy(*known, *asked)
    distance = metrics.sample_distance(samples, digits.x_test)
    named = ("", distance.value), ("_low", distance.low), ("_high", distance.high)
    return figures | {f"sample_distance{end}": value for end, value in named}


def bounds(vae, x_test: np.ndarray) -> dict:
    """Return a VAE's bounds in nats per digit, their standard errors, active units.

    ELBO, rate and distortion are of all grey test digits; those named ``binary`` of the
    same random ``DIGITS`` of them for every model, made of zeros and ones, each with
    the standard error of its mean over digits.
    """
    from helpers import metrics

    bound = metrics.elbo(vae, x_test)
    rng = np.random.default_rng(0)
    chosen = rng.choice(len(x_test), min(DIGITS, len(x_test)), replace=False)
    binary = metrics.binarised(x_test[np.sort(chosen)])
    draws = [metrics.elbo_terms(vae, binary, seed) for seed in range(10)]
    elbos = -np.mean(np.sum(draws, axis=1), axis=0)  # (draws, 2, n) -> (n,)
    iwaes = np.array(  # one by one: the mean alone has no standard error
        [
            metrics.iwae_bound(vae, binary[i : i + 1], IMPORTANCE, seed=i)
            for i in range(len(binary))
        ]
    )
    figures = {"elbo": bound.elbo, "rate": bound.rate, "distortion": bound.distortion}
    for name, values in (("elbo_binary", elbos), ("iwae_binary", iwaes)):
        error = values.std(ddof=1) / np.sqrt(len(values))
        figures |= {name: float(values.mean()), f"{name}_error": float(error)}
    return figures | {"active_units": metrics.active_units(vae, x_test)}


def keep(model, samples: np.ndarray, stem: Path) -> None:
    """Keep weights and samples, so that a new measure needs no new training."""
    from helpers.models import save_weights

    save_weights(model, stem.with_name(f"{stem.name}.weights.npz"))
    pictures = np.round(255 * samples).astype(np.uint8)
    with files.whole(stem.with_name(f"{stem.name}.samples.npz")) as file:
        np.savez_compressed(file, samples=pictures)


def sampled(model, digits: Digits, count: int, seed: int = 0) -> np.ndarray:
    """Return pictures (count, height, width, 1) of codes from the model's density.

    A VAE has its prior. An autoencoder gets 50 normals, fitted to the codes of up to
    20,000 training digits.
    """
    from sklearn.mixture import GaussianMixture

    from helpers.models import VAE

    if isinstance(model, VAE):
        return model.generate(count, seed=seed)
    codes = model.encode(digits.x_train[:20_000]).astype("float64")
    options = {"reg_covar": 1e-3, "max_iter": 30, "tol": 1e-2, "random_state": seed}
    density = GaussianMixture(min(50, len(codes)), **options).fit(codes)
    return model.decode(density.sample(count)[0].astype("float32"))


def recorded(folder: Path) -> dict[tuple[str, ...], tuple[dict, list[dict]]]:
    """Return by run what the tables hold: its row, and the points of its curve."""
    points: dict[tuple[str, ...], list[dict]] = {}
    for point in read_csv(folder / "curves.csv"):
        points.setdefault(key_of(point), []).append(point)
    rows = {key_of(row): row for row in read_csv(folder / "families.csv")}
    return {key: (row, points[key]) for key, row in rows.items()}


def read_csv(path: Path) -> list[dict]:
    """Return a table's rows, all as text; none where there is no table yet."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key_of(run: dict) -> tuple[str, ...]:
    """Return what tells a run from all others, as the tables write it."""
    return tuple(str(run[key]) for key in KEYS)


def as_rows(configuration: dict, result: dict) -> tuple[dict, list[dict]]:
    """Return a finished run's row, and the points of its curve."""
    keys, result = {key: configuration[key] for key in KEYS}, dict(result)
    curve = result.pop("curve")
    points = zip(*curve.values(), strict=True)
    return keys | result, [keys | dict(zip(curve, p, strict=True)) for p in points]


def write_csv(path: Path, columns: tuple[str, ...], rows: list[dict]) -> None:
    """Write rows of figures, six digits each; what a row lacks stays empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shown = {k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()}
        writer.writerow(shown)
    with files.whole(path) as file:
        file.write(text.getvalue().encode())


def main(arguments: list[str] | None = None) -> int:
    """Go on for some minutes; write the tables; return the exit status."""
    prog = "python -m helpers.engine.results"
    parser = argparse.ArgumentParser(prog=prog, description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args(arguments)
    function, raw = "helpers.engine.results:family_run", paths.build_folder()
    kept, every, failed = recorded(RESULTS), grid(), False
    todo = [each for each in every if key_of(each) not in kept]
    if not todo:
        print(f"All {len(every)} runs are in {RESULTS}: delete rows to make them again")
        return 0
    try:
        load_digits()  # once, before workers do so at the same time
        options = {"workers": given.workers, "minutes": given.minutes}
        sweeps.sweep(function, todo, raw / "results", **options)
    except (OSError, RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        failed = True
    results = sweeps.finished(function, todo, raw / "results")
    for each, result in zip(todo, results, strict=True):
        if result is not None:
            kept[key_of(each)] = as_rows(each, result)
    done = [kept[key_of(each)] for each in every if key_of(each) in kept]
    if done:
        write_csv(RESULTS / "families.csv", COLUMNS, [row for row, _ in done])
        write_csv(
            RESULTS / "curves.csv", CURVES, [p for _, points in done for p in points]
        )
    print(f"{len(done)} of {len(every)} runs are in {RESULTS}")
    if len(done) < len(every):
        print("The same command goes on with the others.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
