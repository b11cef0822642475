"""One change of the training at a time, three seeds each."""

from helpers.engine.studies.digits import load

SEEDS, STEPS, LATENTS, BATCH = (0, 1, 2), (600, 1800), 32, 128
USUAL, DEEP = ((512, 512), (512, 512)), ((512, 256), (256, 512, 512, 512))
FREE, RISE = 0.125, 1 / 3  # nats per latent; share of the steps in which beta rises
LAST = {"widths": DEEP, "residual": True, "peak": 6e-3, "beta_2": 0.99}
RECIPES = {  # hidden widths, residual or not, peak rate (None: constant), Adam's beta_2
    "plain": {},
    "one cycle": {"peak": 1e-3},
    "peak rate": {"peak": 6e-3},
    "beta_2": {"peak": 6e-3, "beta_2": 0.99},
    "deep decoder": LAST | {"residual": False},
    "residual": LAST,
    "warm-up": LAST | {"warm_up": True},
    "free bits": LAST | {"free_bits": True},
}
KEYS = ("recipe", "seed")
COLUMNS = (*KEYS, "steps", "rate", "distortion", "active_units")
COLUMNS += ("above_tenth",)  # latents with a KL of more than 0.1 nats
TABLES = {"recipes": COLUMNS}


def grid() -> list[dict]:
    """Return every recipe with every seed."""
    return [{"recipe": name, "seed": seed} for name in RECIPES for seed in SEEDS]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Train one recipe anew for each number of steps; return rows of figures."""
    import keras

    from helpers import metrics, training

    digits = load()
    recipe, seed, rows = RECIPES[configuration["recipe"]], configuration["seed"], []
    for steps in STEPS:
        keras.utils.set_random_seed(seed)
        model = untrained(steps, **recipe)
        rate = training.one_cycle(steps, recipe["peak"]) if "peak" in recipe else 1e-3
        model.compile(keras.optimizers.Adam(rate, beta_2=recipe.get("beta_2", 0.999)))
        batches = training.endless_batches(digits.x_train, None, BATCH, seed)
        model.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)
        bound = metrics.elbo(model, digits.x_validation)
        each = metrics.rate_per_latent(model, digits.x_validation)
        active = metrics.active_units(model, digits.x_validation)
        row = {"steps": steps, "rate": bound.rate, "distortion": bound.distortion}
        above = int((each > 0.1).sum())
        rows.append(row | {"active_units": active, "above_tenth": above})
    return {"recipes": rows}


def untrained(steps: int, widths=USUAL, residual=False, warm_up=False, **others):
    """Return a VAE of the hidden widths of a recipe."""
    from helpers import layers, models, training

    add = {"residual": residual}
    encoder, decoder = networks(*widths, **add)
    beta = training.warm_up(int(RISE * steps)) if warm_up else 1.0
    vae = models.VAE(encoder, decoder, beta=beta)
    if others.get("free_bits"):
        vae.kl_divergence = free_bits(layers.KLDivergence)(vae.family)
    return vae


def networks(encoder_widths, decoder_widths, residual):
    """Return encoder and decoder; equal widths add where ``residual``."""
    import keras

    from helpers.layers import ResidualDense

    def hidden(tensor, widths):
        for before, units in zip([None, *widths[:-1]], widths, strict=True):
            kind = ResidualDense if residual and units == before else keras.layers.Dense
            tensor = kind(units, "silu", kernel_initializer="lecun_normal")(tensor)
        return tensor

    picture, code = keras.Input((28, 28, 1)), keras.Input((LATENTS,))
    features = hidden(keras.layers.Flatten()(picture), encoder_widths)
    names = ("z_mean", "z_log_var")
    heads = [keras.layers.Dense(LATENTS, name=name)(features) for name in names]
    pixels = keras.layers.Dense(784)(hidden(code, decoder_widths))
    logits = keras.layers.Reshape((28, 28, 1))(pixels)
    return keras.Model(picture, heads), keras.Model(code, logits)


def free_bits(layer: type) -> type:
    """Return a KL layer whose latents pay nothing below ``FREE`` nats (batch mean)."""
    from keras import ops

    class FreeBits(layer):
        def call(self, parameters, z=None, training=False):
            nats = self.family.kl_divergence(parameters, z)  # (batch, d)
            loss = ops.sum(ops.maximum(ops.mean(nats, axis=0), FREE))
            self.add_loss(loss)
            self.rate.report(ops.sum(nats, axis=-1), loss)
            return parameters

    return FreeBits
