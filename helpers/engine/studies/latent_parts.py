"""The four parts of ``latent_cats``: how each is built, trained and measured."""

import functools
import itertools
import math

import keras
import numpy as np
from keras import ops

from helpers import diffusion, models
from helpers.engine import stateless
from helpers.engine.studies.latent_training import Training

PRECISION = "mixed_bfloat16"  # of networks in training; measured in float32
DROPOUT = {"denoiser": 0.0, "prior": 0.1}
DECAY = {"denoiser": 0.02, "prior": 0.1}  # per step, times the learning rate
SOME, PART = 1000, 250  # validation pictures on the way; pictures per call
REVIVED = 0.6  # the share of a training in which unused entries get a new place
FIRST = 0.02  # the time at which the bound of a diffusion begins


def built(name: str, in_training: bool = False, sizes: dict | None = None):
    """Return the model of a part, untrained; ``sizes`` change what it is built with."""
    kinds = {"vae": models.SpatialVAE, "denoiser": models.CodeDiffusion}
    kinds |= {"vq": models.VQVAE, "prior": models.IndexPrior}
    options = dict(sizes or {})
    if name in DROPOUT and in_training:
        options = {"dropout": DROPOUT[name]} | options
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(PRECISION if in_training else "float32")
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

    It calls ``terms``, traced once, on parts of ``PART`` rows; fewer are left out.
    """
    function = stateless.compiled(terms, variables, xla=False)

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


def trained(how: dict, model, *arguments, **options) -> Training:
    """Return the finished ``Training`` of a model by a row of ``latent_cats.RUNS``."""
    options |= {"rate": how["rate"], "decay": DECAY.get(how["name"], 0.0)}
    training = Training(f"{how['name']}_{how['stage']}", model, *arguments, **options)
    training.go(how.get("steps", 0), how.get("seconds", 0.0))
    return training


def train_vae(model, x: dict, how: dict) -> Training:
    """Train the spatial VAE on its ELBO, the rate counted ``beta`` times.

    Args:
        x: uint8 pictures by part.
        how: a row of ``latent_cats.RUNS``.
    """
    data, count, beta = fixed(x["train"]), how["batch"], how["beta"]
    values = values_of(model)

    def batch(seeds):
        first, second = stateless.split(seeds)
        drawn = pictures(ops.convert_to_tensor(data), count, first)
        return drawn, stateless.normal((count, *model.code_shape), second)

    def loss(drawn, noise):
        rate, distortion = model.terms(drawn, noise)
        return ops.mean(beta * rate + distortion) / values

    held_out = as_floats(x["validation"][:SOME])
    noise = normals(len(held_out), *model.code_shape)
    means = averager(model.terms, model.variables)

    def validation():
        rate, distortion = means(held_out, noise)
        figures = {"rate": bits(rate, model), "distortion": bits(distortion, model)}
        loss = beta * figures["rate"] + figures["distortion"]
        return {"loss": loss, **figures}

    return trained(how, model, batch, loss, validation, [data])


def as_floats(x: np.ndarray) -> np.ndarray:
    """Return uint8 pictures in [0, 1], float32."""
    return x.astype("float32") / 255


def both_ways(x: np.ndarray) -> np.ndarray:
    """Return pictures (n, h, w, 3) and their mirror images, (2n, h, w, 3)."""
    return np.concatenate([x, x[:, :, ::-1]])


def outputter(function, variables):
    """Return a function of uint8 pictures: what ``function`` of floats gives, arrays.

    It calls ``function``, traced once, on parts of ``PART`` pictures, the last one
    filled up.
    """
    compiled = stateless.compiled(function, variables, xla=False)

    def outputs(x: np.ndarray) -> list[np.ndarray]:
        found = []
        for i in range(0, len(x), PART):
            part = as_floats(x[i : i + PART])
            here = len(part)
            part = np.pad(part, ((0, PART - here), (0, 0), (0, 0), (0, 0)))
            values = compiled(ops.convert_to_tensor(part))
            found.append([ops.convert_to_numpy(value)[:here] for value in values])
        return [np.concatenate(each) for each in zip(*found, strict=True)]

    return outputs


def train_denoiser(model, vae, x: dict, how: dict) -> Training:
    """Train the diffusion of codes, drawn anew from the posteriors of pictures."""
    count, shape = how["batch"], model.code_shape
    posterior = outputter(vae.posterior, vae.variables)
    means, logs = posterior(both_ways(x["train"]))
    model.centre.assign(means.mean((0, 1, 2)))
    variance = means.var((0, 1, 2)) + np.exp(logs).mean((0, 1, 2))
    model.spread.assign(np.sqrt(variance))
    data = [fixed(each.astype("float16")) for each in (means, logs)]
    data += [fixed(ops.convert_to_numpy(v)) for v in (model.centre, model.spread)]

    def batch(seeds):
        first, second, third = stateless.split(seeds, 3)
        z = drawn_codes(data, (count, *shape), first)
        times = diffusion.spread_times(count, second)
        return z, times, stateless.normal((count, *shape), third)

    def terms(z, times, noise, training=False):
        network = functools.partial(model.velocity, training=training)
        return (diffusion.squared_error(network, z, times, noise) / math.prod(shape),)

    mean, log = posterior(x["validation"][:SOME])
    draws = normals(2, *mean.shape)
    z = model.standardised(mean + np.exp(0.5 * log) * draws[0])
    times = ((np.arange(len(mean)) + 0.5) / len(mean)).astype("float32")
    held_out = ops.convert_to_numpy(z), times, draws[1]
    means_of = averager(terms, model.variables)
    return trained(
        how,
        model,
        batch,
        lambda *tensors: ops.mean(terms(*tensors, training=True)[0]),
        lambda: {"loss": means_of(*held_out)[0]},
        data,
    )


def drawn_codes(data: list, shape: tuple, seeds):
    """Return codes of random pictures in a network's units, drawn from their q(z|x).

    Args:
        data: variables: all means and log variances, and the network's centre, spread.
        shape: (count, rows, columns, channels).
    """
    first, second = stateless.split(seeds)
    means, logs, centre, spread = map(ops.convert_to_tensor, data)
    rows = stateless.integers(shape[:1], first, means.shape[0])
    mean, log = (
        ops.cast(ops.take(each, rows, axis=0), "float32") for each in (means, logs)
    )
    z = mean + ops.exp(0.5 * log) * stateless.normal(shape, second)
    return (z - centre) / spread


def train_vq(model, x: dict, how: dict) -> Training:
    """Train the VQ-VAE: bits of a value, and the pulls of codebook and vectors."""
    data, count = fixed(x["train"]), how["batch"]
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

    revive = reviver(model, x["train"][:PART])
    return trained(how, model, batch, loss, validation, [data], between=revive)


def reviver(model, x: np.ndarray):
    """Return a function of the share that is done, called between chunks of steps.

    Until ``REVIVED``, after every fourth chunk, it gives entries that none of some
    pictures uses the place of a vector.
    """

    def vectors_of(pixels):
        vectors = model.of_length_1(model.encoder(pixels))
        return vectors, model.nearest(vectors)

    look = stateless.compiled(vectors_of, model.variables, xla=False)
    chunks = itertools.count()

    def revive(done: float) -> None:
        turn = next(chunks)
        if turn % 4 == 0 and done < REVIVED:
            found = look(ops.convert_to_tensor(as_floats(x)))
            vectors, indices = map(ops.convert_to_numpy, found)
            model.codebook.assign(revived(model.codebook, vectors, indices, turn))

    return revive


def revived(codebook, vectors, indices, seed: int) -> np.ndarray:
    """Return a codebook (K, d) with random vectors (..., d) where no index points."""
    book = ops.convert_to_numpy(codebook).copy()
    vectors = vectors.reshape(-1, vectors.shape[-1])
    unused = np.bincount(indices.ravel(), minlength=len(book)) == 0
    rows = np.random.default_rng(seed).integers(len(vectors), size=unused.sum())
    book[unused] = vectors[rows]
    return book


def train_prior(model, vq, x: dict, how: dict) -> Training:
    """Train the prior of indices on the maps of pictures, mirrored too."""
    count = how["batch"]

    def indices_of(pixels):
        return (vq.nearest(vq.of_length_1(vq.encoder(pixels))),)

    indices = outputter(indices_of, vq.variables)
    maps = fixed(indices(both_ways(x["train"]))[0].astype("int32"))
    held_out = indices(x["validation"][:SOME])[0]
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

    return trained(how, model, batch, loss, validation, [maps])


def psnr(model, x: np.ndarray) -> float:
    """Return how near reconstructions are, in dB, from the mean over all pictures."""
    error = np.mean(np.square(model.reconstruct(x) - x))
    return float(-10 * np.log10(error))
