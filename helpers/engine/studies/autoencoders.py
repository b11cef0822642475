"""Convolutions, convolutions that see shuffled pixels, and a denoiser."""

import numpy as np

from helpers.engine.studies.digits import load

SEEDS, STEPS, BATCH, LATENTS = (0, 1, 2), 1000, 256, 32
FILTERS = (32, 64)  # channels of the encoder's two convolutions
SIGMA = 0.5  # of the noise that the denoiser gets
KINDS = ("convolutional", "shuffled", "denoiser")
KEYS = ("kind", "seed")
COLUMNS = (*KEYS, "as_fitted", "mse", "psnr", "ssim")
TABLES = {"autoencoders": COLUMNS}


def grid() -> list[dict]:
    """Return every kind with every seed."""
    return [{"kind": kind, "seed": seed} for kind in KINDS for seed in SEEDS]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train one model as notebook 02 does; return how near it brings test digits."""
    import keras

    from helpers import metrics, training

    digits, seed, kind = load(), configuration["seed"], configuration["kind"]
    x_train, x_test = digits.x_train, digits.x_test
    if kind == "shuffled":
        x_train, x_test = shuffled(x_train), shuffled(x_test)
    shown = with_noise(x_test) if kind == "denoiser" else x_test
    keras.utils.set_random_seed(seed)
    model = untrained(kind)
    options = {"steps": STEPS, "batch_size": BATCH, "rounds": 5, "verbose": False}
    training.train(model, x_train, seed=seed, **options)
    outputs = model.predict(shown, batch_size=1000, verbose=0)
    row = {"as_fitted": float(np.mean((outputs - x_test) ** 2))}
    row |= metrics.quality(x_test, outputs.clip(0, 1))
    if kind == "shuffled":
        del row["ssim"]  # whose windows would see pixels that are no neighbours
    return {"autoencoders": [row]}


def untrained(kind: str):
    """Return a model of a kind; a denoiser adds its noise itself, in training only."""
    import keras

    from helpers import models

    shape = (28, 28, 1)
    if kind != "denoiser":
        encoder = models.conv_encoder(shape, LATENTS, filters=FILTERS)
        decoder = models.conv_decoder(shape, LATENTS, filters=FILTERS[::-1])
        return models.Autoencoder(encoder, decoder)
    network, picture = models.build_autoencoder(shape, LATENTS), keras.Input(shape)
    return keras.Model(picture, network(keras.layers.GaussianNoise(SIGMA)(picture)))


def shuffled(x: np.ndarray) -> np.ndarray:
    """Return pictures (n, 28, 28, 1) with their pixels in another order, all alike."""
    order = np.random.default_rng(0).permutation(784)
    return x.reshape(len(x), 784)[:, order].reshape(x.shape)


def with_noise(x: np.ndarray) -> np.ndarray:
    """Return pictures with the noise that denoisers are asked to take away."""
    noise = np.random.default_rng(2).standard_normal(x.shape, "float32")
    return x + SIGMA * noise
