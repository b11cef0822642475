"""The four parts of ``latent_cats``: how each is built, trained and measured."""

import functools
import itertools
import math

import keras
import numpy as np
from keras import ops

from helpers import diffusion, models
from helpers.engine import stateless
from helpers.engine.studies.latent_training import Training, folder

PRECISION = "mixed_bfloat16"  # of networks in training; measured in float32
BATCHES = {"vae": 128, "denoiser": 256, "vq": 128, "prior": 128}
RATES = {"vae": 1e-3, "denoiser": 1e-3, "vq": 1e-3, "prior": 1.5e-3}
DROPOUT = {"denoiser": 0.1, "prior": 0.15}
DECAY = {"denoiser": 0.02, "prior": 0.1}  # per step, times the learning rate
SOME, PART = 1000, 250  # validation pictures on the way; pictures per call
SHIFTS = ((0, 0), (1, -2), (-2, 1), (2, 2))  # of pictures, in pixels, for their codes
REVIVED = 0.6  # the share of a training in which unused entries get a new place
FIRST = 0.02  # the time at which the bound of a diffusion begins


def built(name: str, precision: str = "float32", sizes: dict | None = None):
    """Return the untrained model of a part; ``sizes`` change what it is built with."""
    kinds = {"vae": models.SpatialVAE, "denoiser": models.CodeDiffusion}
    kinds |= {"vq": models.VQVAE, "prior": models.IndexPrior}
    options = dict(sizes or {})
    if name in DROPOUT and precision != "float32":
        options = {"dropout": DROPOUT[name]} | options
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(precision)
    try:
        return kinds[name](**options)
    finally:
        keras.config.set_dtype_policy("float32")


def bytes_of(x: np.ndarray) -> np.ndarray:
    """Return pictures in [0, 1] as whole numbers to 255, uint8."""
    return np.round(255 * x).astype("uint8")


def fixed(array: np.ndarray):
    """Return a variable that holds data, of the array's type."""
    dtype = array.dtype.name
    return keras.Variable(array, trainable=False, dtype=dtype)


def pictures(data, count: int, seeds):
    """Return pictures drawn from uint8 ``data``, every second one mirrored."""
    first, second = stateless.split(seeds)
    rows = stateless.integers((count,), first, data.shape[0])
    x = ops.cast(ops.take(data, rows, axis=0), "float32") / 255
    turn = stateless.uniform((count, 1, 1, 1), second) < 0.5
    return ops.where(turn, ops.flip(x, axis=2), x)


def values_of(model) -> int:
    """Return the numbers in a picture of this model."""
    return math.prod(model.encoder.input_shape[1:])


def averager(terms, variables):
    """Return a function of arrays (n, ...): the means of all that ``terms`` returns.

    It calls ``terms``, compiled once, on parts of ``PART`` rows; fewer are left out.
    """
    function = stateless.compiled(terms, variables)

    def means(*arrays: np.ndarray) -> np.ndarray:
        size = min(PART, len(arrays[0]))
        sums = []
        for i in range(0, len(arrays[0]) // size * size, size):
            found = function(*[ops.convert_to_tensor(a[i : i + size]) for a in arrays])
            sums.append([float(ops.mean(term)) for term in found])
        return np.mean(sums, axis=0)

    return means


def bits(nats: float, model) -> float:
    """Return bits per value of a picture."""
    return float(nats) / (values_of(model) * math.log(2))


def normals(*shape: int) -> np.ndarray:
    """Return fixed draws of N(0, 1), float32."""
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def train_vae(model, x: dict, **length) -> Training:
    """Train the spatial VAE on its ELBO; ``x`` are uint8 pictures by part."""
    data, count = fixed(x["train"]), BATCHES["vae"]
    values = values_of(model)

    def batch(seeds):
        first, second = stateless.split(seeds)
        drawn = pictures(ops.convert_to_tensor(data), count, first)
        return drawn, stateless.normal((count, *model.code_shape), second)

    def loss(drawn, noise):
        rate, distortion = model.terms(drawn, noise)
        return ops.mean(rate + distortion) / values

    held_out = as_floats(x["validation"][:SOME])
    noise = normals(len(held_out), *model.code_shape)
    means = averager(model.terms, model.variables)

    def validation():
        rate, distortion = means(held_out, noise)
        figures = {"rate": bits(rate, model), "distortion": bits(distortion, model)}
        return {"loss": sum(figures.values()), **figures}

    training = Training(
        "vae", model, batch, loss, validation, [data], RATES["vae"], together=25
    )
    training.go(**length)
    return training


def as_floats(x: np.ndarray) -> np.ndarray:
    """Return uint8 pictures in [0, 1], float32."""
    return x.astype("float32") / 255


def views(x: np.ndarray):
    """Yield pictures (n, h, w, 3) as they are and mirrored, each moved a little."""
    for down, right in SHIFTS:
        room = ((0, 0), (2, 2), (2, 2), (0, 0))
        wide = np.pad(x, room, mode="edge")
        height, width = x.shape[1:3]
        moved = wide[:, 2 + down : 2 + down + height, 2 + right : 2 + right + width]
        yield moved
        yield moved[:, :, ::-1]


def outputs_of(function, variables, x: np.ndarray) -> list[np.ndarray]:
    """Return what a function of float pictures gives for uint8 ones, as arrays."""
    compiled = stateless.compiled(function, variables)
    size, parts = min(PART, len(x)), []
    for i in range(0, len(x), size):
        part = as_floats(x[i : i + size])
        short = size - len(part)
        part = np.pad(part, ((0, short), (0, 0), (0, 0), (0, 0)))
        found = compiled(ops.convert_to_tensor(part))
        parts.append([ops.convert_to_numpy(one)[: size - short] for one in found])
    return [np.concatenate(each) for each in zip(*parts, strict=True)]


def train_denoiser(model, vae, x: dict, **length) -> Training:
    """Train the diffusion of codes, drawn anew from the posteriors of pictures."""
    count, shape = BATCHES["denoiser"], model.code_shape
    posterior = functools.partial(outputs_of, vae.posterior, vae.variables)
    found = [posterior(view) for view in views(x["train"])]
    means, logs = (np.concatenate(each) for each in zip(*found, strict=True))
    centre, spread = means.mean((0, 1, 2)), means.var((0, 1, 2))
    model.centre.assign(centre)
    model.spread.assign(np.sqrt(spread + np.exp(logs).mean((0, 1, 2))))
    data = [fixed(each.astype("float16")) for each in (means, logs)]
    fit = [fixed(ops.convert_to_numpy(v)) for v in (model.centre, model.spread)]

    def batch(seeds):
        seeds = stateless.split(seeds, 4)
        rows = stateless.integers((count,), seeds[0], len(means))
        mean, log = (
            ops.cast(ops.take(ops.convert_to_tensor(each), rows, axis=0), "float32")
            for each in data
        )
        z = mean + ops.exp(0.5 * log) * stateless.normal((count, *shape), seeds[1])
        z = (z - ops.convert_to_tensor(fit[0])) / ops.convert_to_tensor(fit[1])
        times = diffusion.spread_times(count, seeds[2])
        return z, times, stateless.normal((count, *shape), seeds[3])

    def loss(z, times, noise):
        network = functools.partial(model.velocity, training=True)
        error = diffusion.squared_error(network, z, times, noise)
        return ops.mean(error) / math.prod(shape)

    mean, log = posterior(x["validation"][:SOME])
    z = model.standardised(mean + np.exp(0.5 * log) * normals(*mean.shape))
    z, noise = ops.convert_to_numpy(z), normals(2, *mean.shape)[1]
    times = ((np.arange(len(z)) + 0.5) / len(z)).astype("float32")

    def terms(z, times, noise):
        return (diffusion.squared_error(model.velocity, z, times, noise),)

    means_of = averager(terms, model.variables)

    def validation():
        (error,) = means_of(z, times, noise)
        return {"loss": error / math.prod(shape)}

    options = {"rate": RATES["denoiser"], "decay": DECAY["denoiser"], "together": 50}
    read = [*data, *fit]
    training = Training("denoiser", model, batch, loss, validation, read, **options)
    training.go(**length)
    return training


def train_vq(model, x: dict, **length) -> Training:
    """Train the VQ-VAE: bits of a value, and the pulls of codebook and vectors."""
    data, count = fixed(x["train"]), BATCHES["vq"]
    values = values_of(model)

    def batch(seeds):
        return (pictures(ops.convert_to_tensor(data), count, seeds),)

    def loss(drawn):
        distortion, pulls, _ = model.terms(drawn)
        return ops.mean(distortion) / values + ops.mean(pulls)

    held_out = as_floats(x["validation"][:SOME])

    means = averager(lambda part: model.terms(part)[:2], model.variables)

    def validation():
        distortion, pulls = means(held_out)
        used = models.perplexity(model.encode(held_out), model.entries)
        figures = {"distortion": bits(distortion, model), "pulls": float(pulls)}
        return {"loss": figures["distortion"], **figures, "perplexity": used}

    some = x["train"][:PART]

    def vectors_of(pixels):
        vectors = model.of_length_1(model.encoder(pixels))
        return vectors, model.nearest(vectors)

    look = stateless.compiled(vectors_of, model.variables)
    chunks = itertools.count()

    def revive(done):
        """Give entries that none of some pictures uses the place of a vector."""
        turn = next(chunks)
        if turn % 4 == 0 and done < REVIVED:
            found = look(ops.convert_to_tensor(as_floats(some)))
            vectors, indices = map(ops.convert_to_numpy, found)
            model.codebook.assign(revived(model.codebook, vectors, indices, turn))

    options = {"rate": RATES["vq"], "together": 25, "between": revive}
    training = Training("vq", model, batch, loss, validation, [data], **options)
    training.go(**length)
    return training


def revived(codebook, vectors, indices, seed: int) -> np.ndarray:
    """Return a codebook (K, d) with random vectors (..., d) where no index points."""
    book = ops.convert_to_numpy(codebook).copy()
    vectors = vectors.reshape(-1, vectors.shape[-1])
    unused = np.bincount(indices.ravel(), minlength=len(book)) == 0
    rows = np.random.default_rng(seed).integers(len(vectors), size=unused.sum())
    book[unused] = vectors[rows]
    return book


def train_prior(model, vq, x: dict, **length) -> Training:
    """Train the prior of indices on the maps of pictures, mirrored and moved too."""
    count = BATCHES["prior"]

    def indices_of(pixels):
        return (vq.nearest(vq.of_length_1(vq.encoder(pixels))),)

    found = [
        outputs_of(indices_of, vq.variables, view)[0] for view in views(x["train"])
    ]
    maps = fixed(np.concatenate(found).astype("int32"))
    held_out = outputs_of(indices_of, vq.variables, x["validation"][:SOME])[0]
    places = model.rows * model.columns

    def batch(seeds):
        rows = stateless.integers((count,), seeds, maps.shape[0])
        return (ops.take(ops.convert_to_tensor(maps), rows, axis=0),)

    def loss(drawn):
        return ops.mean(model.nats(drawn, training=True)) / places

    means = averager(lambda part: (model.nats(part),), model.variables)

    def validation():
        (nats,) = means(held_out)
        return {"loss": nats / places}

    options = {"rate": RATES["prior"], "decay": DECAY["prior"], "together": 50}
    training = Training("prior", model, batch, loss, validation, [maps], **options)
    training.go(**length)
    return training


def shipped_file(name: str):
    """Return where a part's weights of 16 bits are kept, beside those of 32."""
    return folder() / f"cats_{name}.npz"


def psnr(model, x: np.ndarray) -> float:
    """Return how near reconstructions are, in dB, from the mean over all pictures."""
    error = np.mean(np.square(model.reconstruct(x) - x))
    return float(-10 * np.log10(error))
