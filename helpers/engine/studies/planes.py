"""Autoencoder and VAE through one test: how empty is the plane, how far are samples?"""

import numpy as np

from helpers.engine.studies.digits import load

SEEDS, LATENTS, STEPS, BATCH = (0, 1, 2), (2, 32), 2000, 256
PEAKS = {"autoencoder": 4e-3, "vae": 7e-3}  # of the learning rate
COUNT = 5000  # decoded codes per distance
KEYS = ("model", "latents", "seed")
DISTANCES = ("decoded_codes", "decoded_draws", "decoded_scaled_draws")
COLUMNS = (*KEYS, *DISTANCES, "empty_window", "empty_prior")
TABLES = {"planes": COLUMNS}


def grid() -> list[dict]:
    """Return both models with every number of latents and every seed."""
    return [
        {"model": model, "latents": latents, "seed": seed}
        for latents in LATENTS
        for seed in SEEDS
        for model in PEAKS
    ]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train one model; return its distances, and how empty its plane is."""
    import keras

    from helpers import models, training

    digits, seed = load(), configuration["seed"]
    build = {"autoencoder": models.build_autoencoder, "vae": models.build_vae}
    keras.utils.set_random_seed(seed)
    name = configuration["model"]
    shape = digits.x_train.shape[1:]
    model = build[name](shape, latent_size=configuration["latents"])
    training.train_seeded(
        model,
        digits.x_train,
        steps=STEPS,
        seed=seed,
        batch_size=BATCH,
        learning_rate=PEAKS[name],
        jit_compile=True,
        verbose=False,
    )
    rng = np.random.default_rng(0)
    some = digits.x_test[rng.permutation(len(digits.x_test))[:COUNT]]
    return {"planes": [measured(model, some, digits)]}


def measured(model, some: np.ndarray, digits) -> dict:
    """Return distances of decoded codes and draws from validation digits; emptiness.

    Args:
        some: test digits (n, 28, 28, 1), as many as there are draws of N(0, I).
    """
    import scipy.stats

    from helpers import metrics

    codes = codes_of(model, digits.x_train)
    draws = np.random.default_rng(0).normal(size=(len(some), codes.shape[1]))
    scaled = codes.mean(axis=0) + codes.std(axis=0) * draws
    row = {
        name: metrics.sample_distance(model.decode(z), digits.x_validation).value
        for name, z in zip(
            DISTANCES, (codes_of(model, some), draws, scaled), strict=True
        )
    }
    if codes.shape[1] == 2:
        window = np.quantile(codes, [0.005, 0.995], axis=0)
        row["empty_window"] = metrics.emptiness(codes, window)
        seen = scipy.stats.norm.cdf(codes)
        row["empty_prior"] = metrics.emptiness(seen, [[0, 0], [1, 1]])
    return row


def codes_of(model, x: np.ndarray) -> np.ndarray:
    """Return codes (n, d) as the decoder is trained on: a draw of q(z|x), or f(x)."""
    from keras import ops

    from helpers.models import Autoencoder

    if isinstance(model, Autoencoder):
        return model.encode(x)
    parameters = [ops.convert_to_tensor(p) for p in model.posterior_arrays(x)]
    return ops.convert_to_numpy(model.family.sample_posterior(parameters, 0))
