"""Every family, trained on digits until it gains no more; and sizes, and betas."""

from pathlib import Path

import numpy as np

from helpers.engine import files, paths
from helpers.engine.studies.digits import Digits, load

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
KEYS = ("family", "latents", "beta", "seed")
BOUNDS = ("elbo", "rate", "distortion", "elbo_binary", "elbo_binary_error")
BOUNDS += ("iwae_binary", "iwae_binary_error", "active_units")
SPARSITY = ("kurtosis", "kurtosis_prior", "hoyer", "hoyer_prior")
COLUMNS = (*KEYS, *BOUNDS, *SPARSITY, "mse", "knn_accuracy")
COLUMNS += ("sample_distance", "sample_distance_low", "sample_distance_high")
COLUMNS += ("steps", "seconds", "converged")
CURVES = (*KEYS, "step", "loss", "rate", "distortion")
TABLES = {"families": COLUMNS, "curves": CURVES}


def grid() -> list[dict]:
    """Return every configuration once: sizes, betas, then families, seed by seed."""
    from helpers.families import registry

    normal = {"family": "normal", "latents": 16, "beta": 1, "seed": 0}
    by_seed = [
        normal | {"family": name, "seed": seed}
        for seed in SEEDS
        for name in ("autoencoder", *sorted(registry()))
    ]
    by_size = [normal | {"latents": size} for size in LATENTS]
    by_beta = [normal | {"beta": beta} for beta in BETAS]
    every = [each | {"cap": CAP} for each in by_size + by_beta + by_seed]
    return [each for place, each in enumerate(every) if each not in every[:place]]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train one model on MNIST and return its figures and curve; keep its samples.

    Args:
        configuration: ``family``, or "autoencoder"; ``latents``, ``beta``, ``seed``,
            and ``cap``, the steps at most.
    """
    digits = load()
    model = untrained(configuration, digits)
    history = train_until_it_stops(model, digits, **configuration)
    stem = "_".join(f"{configuration[key]}" for key in (*KEYS, "cap"))
    samples = sampled(model, digits, SAMPLES)
    keep(model, samples, paths.build_folder() / "results" / "models" / stem)
    figures = measured(model, samples, digits)
    done = {"steps": history["step"][-1], "seconds": history.pop("seconds")}
    done["converged"] = int(done["steps"] < configuration["cap"])
    columns = zip(*history.values(), strict=True)
    points = [dict(zip(history, column, strict=True)) for column in columns]
    return {"families": [figures | done], "curves": points}


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

    figures = {}
    if isinstance(model, VAE):
        figures = bounds(model, digits.x_test) | sparsity(model, digits.x_test)
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


def sparsity(vae, x_test: np.ndarray) -> dict:
    """Return how sparse the codes are in the latents at work, and the prior's samples.

    At work is a latent whose codes vary by a hundredth of the prior's variance. (One
    that is not has nearly the same code for all digits: it would count as sparse.)
    """
    from keras import ops

    from helpers import metrics

    codes = vae.encode(x_test)
    prior = ops.convert_to_numpy(vae.family.sample_prior(codes.shape, seed=0))
    used = codes.var(axis=0) > 0.01 * prior.var(axis=0)
    used |= used.sum() < 2  # sparsity needs two
    return {
        f"{name}{end}": measure(array[:, used])
        for end, array in (("", codes), ("_prior", prior))
        for name, measure in (
            ("kurtosis", metrics.excess_kurtosis),
            ("hoyer", metrics.hoyer_sparsity),
        )
    }


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
