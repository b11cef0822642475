"""Do latents find what cats are drawn from? Four families, told while they train."""

import itertools

import numpy as np

SEEDS, FAMILIES = (0, 1, 2), ("normal", "laplace", "exponential", "shifted_exponential")
FREE = ("fur_lightness", "white", "ear_length", "turn", "tilt", "light")
PARTS = {"train": 9000, "fit": 3000, "test": 3000}  # to train on, to read from, to ask
LATENTS, BETA, SIZE, FILTERS = 10, 20.0, 32, (32, 64)
STEPS, BATCH, LEARNING_RATE = (250, 1000, 2500), 32, 2e-3  # told after so many steps
KEYS = ("family", "seed")
TABLES = {"factors": (*KEYS, "steps", "elbo", "active_units", "gap", *FREE)}


def grid() -> list[dict]:
    """Return every family with every seed."""
    return [{"family": name, "seed": seed} for seed in SEEDS for name in FAMILIES]


def load() -> tuple[np.ndarray, np.ndarray]:
    """Return drawings (n, 32, 32, 3) and the free factors (n, 6) they are drawn from.

    All other factors stand at the middle of their ranges.
    """
    from helpers.datasets import drawn_cats

    places = [list(drawn_cats.FACTORS).index(name) for name in FREE]
    count = sum(PARTS.values())
    middle = np.mean(list(drawn_cats.FACTORS.values()), axis=1)
    factors = np.tile(middle, (count, 1)).astype("float32")
    factors[:, places] = drawn_cats.random_factors(count, seed=0)[:, places]
    return drawn_cats.draw(factors, SIZE), factors[:, places]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train one VAE; return, after each number of steps, what its codes tell."""
    import keras

    from helpers import training

    drawn, factors = load()
    ends = np.cumsum([*PARTS.values()])[:-1]
    x = dict(zip(PARTS, np.split(drawn, ends), strict=True))
    y = dict(zip(PARTS, np.split(factors, ends), strict=True))
    vae = untrained(**configuration)
    vae.compile(keras.optimizers.Adam(LEARNING_RATE, beta_2=0.99))
    batches = training.endless_batches(x["train"], None, BATCH, configuration["seed"])
    feed, rows = iter(batches), []
    for before, steps in itertools.pairwise((0, *STEPS)):
        for _ in range(steps - before):
            vae.train_on_batch(*next(feed))
        rows.append({"steps": steps, **told(vae, x, y)})
    return {"factors": rows}


def untrained(family: str, seed: int):
    """Return a seeded VAE for drawings."""
    import keras

    from helpers import families, models

    keras.utils.set_random_seed(seed)
    shape, names = (SIZE, SIZE, 3), families.get_family(family).parameter_names
    return models.VAE(
        models.conv_encoder(shape, LATENTS, names, FILTERS),
        models.conv_decoder(shape, LATENTS, FILTERS[::-1], family),
        family,
        "gaussian",
        BETA,
    )


def told(vae, x: dict, y: dict) -> dict:
    """Return a VAE's bound and gap, and how well its codes tell each factor (R^2)."""
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    from helpers import metrics

    codes = vae.encode(x["test"])
    found = LinearRegression().fit(vae.encode(x["fit"]), y["fit"]).predict(codes)
    shares = metrics.information(codes, y["test"])
    return {
        "elbo": metrics.elbo(vae, x["test"]).elbo,
        "active_units": metrics.active_units(vae, x["test"]),
        "gap": metrics.mutual_information_gap(shares),
        **dict(
            zip(FREE, r2_score(y["test"], found, multioutput="raw_values"), strict=True)
        ),
    }
