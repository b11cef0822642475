"""What the doctor measures on a VAE and its data: numbers, and no opinion."""

import contextlib
import math
from collections.abc import Iterator

import keras
import numpy as np
from keras import ops
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from helpers import likelihoods
from helpers.datasets import flat
from helpers.likelihoods import Bernoulli, Gaussian, Likelihood
from helpers.metrics.baselines import (
    constant_nats,
    distortions,
    draw,
    linear_nats,
    prior_gain,
)
from helpers.metrics.bounds import binarised, iwae_bound
from helpers.models import VAE

PROBES = 2000  # codes by which sampler and KL are tried
KNOWN = 20_000  # training rows among which copies are looked for
SAMPLES = 100  # K of the importance-weighted bound
FACES = 200  # rows that it is taken on
Numbers = dict[str, float]


def examined(
    vae: VAE, x_train: np.ndarray, x_held_out: np.ndarray, rows: int, seed: int
) -> Numbers:
    """Return what is measured, on at most so many random rows of each part, by name.

    What can't be measured is nan. Rows are float32, and fit the model.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x_train))
    x = x_train[order[:rows]]
    new = x_held_out[rng.permutation(len(x_held_out))[:rows]]
    numbers = {"latents": float(vae.latent_size), "values": float(x[0].size)}
    numbers |= of_layers(vae, x[:100], seed)
    numbers |= of_parts(x, new, x_train[order[:KNOWN]])
    z, z_new = draw(vae, x, seed), draw(vae, new, seed + 1)
    numbers |= of_codes(vae, new, z, z_new)
    numbers |= of_decoder(vae, x, new, z_new, seed)
    numbers |= of_bounds(vae, x, new, z, z_new)
    return numbers | {"slack": slack(vae, new[:FACES], seed)}


# The layers, each by itself


def of_layers(vae: VAE, x: np.ndarray, seed: int) -> Numbers:
    """Return how far sampler, KL and distortion are from what their names say.

    ``noise``: of normal posteriors the mean squared distance of samples from their
    mean, over the variance, which is 1; ``noise_slope``: of the logarithm of that
    distance on z_log_var, 1/2. ``kl_ratio``: the family's KL over the same by sampling.
    ``beta``: what the loss gets for a nat of KL. ``distortion_ratio``: the nats that
    the loss gets for each nat of a sum over all values.
    """
    rng = np.random.default_rng(seed)
    names, d = vae.family.parameter_names, vae.latent_size
    values = [rng.normal(size=(PROBES, d)).astype("float32") for _ in names]
    if names == ("z_mean", "z_log_var"):
        values[1] = rng.uniform(-4, 0, size=(PROBES, d)).astype("float32")
    parameters = [ops.convert_to_tensor(value) for value in values]
    numbers = {"noise": math.nan, "noise_slope": math.nan}
    if names == ("z_mean", "z_log_var"):
        with untouched(vae.sampling):
            apart = ops.convert_to_numpy(vae.sampling(parameters)) - values[0]
        numbers["noise"] = float(np.mean(apart**2 / np.exp(values[1])))
        size = np.log(np.abs(apart) + 1e-12).ravel()
        numbers["noise_slope"] = float(np.polyfit(values[1].ravel(), size, 1)[0])
    numbers |= of_kl(vae, parameters, seed)
    numbers["distortion_ratio"] = distortion_ratio(vae, x, draw(vae, x, seed))
    return numbers


def of_kl(vae: VAE, parameters: list, seed: int) -> Numbers:
    """Return the family's KL over the sampled one, and the loss over the family's."""
    family, sampled, own = vae.family, [], []
    for index in range(10):
        z = family.sample_posterior(parameters, seed + index)
        ratio = family.log_posterior(z, parameters) - family.log_prior(z)
        sampled.append(float(ops.mean(ops.sum(ratio, axis=-1))))
        kl = family.kl_divergence(parameters, z)
        own.append(float(ops.mean(ops.sum(kl, axis=-1))))
    with untouched(vae.kl_divergence):
        vae.kl_divergence(parameters, z)
        added = float(ops.convert_to_numpy(vae.kl_divergence.losses[-1]))
    return {
        "kl_ratio": float(np.mean(own) / np.mean(sampled)),
        "beta": added / own[-1],
    }


@contextlib.contextmanager
def untouched(layer: keras.Layer) -> Iterator[None]:
    """Leave a layer's variables, metrics and seeds too, as they were."""
    states = [*layer.variables, *(m for each in layer.metrics for m in each.variables)]
    values = [ops.convert_to_numpy(variable) for variable in states]
    yield
    for variable, value in zip(states, values, strict=True):
        variable.assign(value)


def distortion_ratio(vae: VAE, x: np.ndarray, z: np.ndarray) -> float:
    """Return the likelihood's nats over those of a sum over all values of a row.

    Those are what the course's own likelihood finds, of which this is a kind; of any
    other kind, the nats of a row twice as long less those of the row.
    """
    own, output = vae.likelihood, ops.convert_to_numpy(vae.decoder(z))
    found = distortions(own, x, output).mean()
    for kind in type(own).__mro__:
        if getattr(likelihoods, kind.__name__, None) is kind and kind is not Likelihood:
            nats = kind.negative_log_likelihood(own, ops.convert_to_tensor(x), output)
            return float(found / ops.mean(nats))
    if own.width is not None:
        return math.nan
    twice = [np.concatenate([part, part], axis=1) for part in (x, output)]
    doubled = distortions(own, *twice).mean()
    values = x[0].size
    return 1.0 if abs(doubled - found) > 0.5 * abs(found) else 1 / values


# The data


def of_parts(x: np.ndarray, new: np.ndarray, known: np.ndarray) -> Numbers:
    """Return how unlike the two parts are, and how many held-out rows were seen.

    ``shift``: the largest distance between the parts' means along ten principal
    directions, in standard deviations; ``shift_errors``: in standard errors.
    ``scale``: the held-out rows' overall deviation over the training rows'. ``copied``:
    the share of held-out rows that lie at most half as far from a training row as from
    the second nearest; ``copied_within``: the same among training rows.
    ``column_spread``: the largest deviation of a column over the smallest, if there are
    columns.
    """
    rows, others = flat(x).astype("float64"), flat(new).astype("float64")
    size = min(10, rows.shape[1], len(rows) - 1)
    pca = PCA(size, random_state=0).fit(rows)
    a, b = pca.transform(rows), pca.transform(others)
    unit = a.std(axis=0) + 1e-12
    apart = np.abs(a.mean(axis=0) - b.mean(axis=0)) / unit
    errors = math.sqrt(1 / len(a) + 1 / len(b))
    deviations = x.reshape(-1, x.shape[-1]).std(axis=0)
    deviations = deviations[deviations > 0]
    spread = deviations.max() / deviations.min() if deviations.size else math.nan
    return {
        "shift": float(apart.max()),
        "shift_errors": float(apart.max() / errors),
        "scale": float(others.std(axis=0).mean() / (rows.std(axis=0).mean() + 1e-12)),
        "column_spread": float(spread),
        **copies(rows, others, flat(known)),
    }


def copies(rows: np.ndarray, others: np.ndarray, known: np.ndarray) -> Numbers:
    """Return the shares of rows (n, D) and of others with a near copy in known ones."""
    size = min(50, known.shape[1], len(known) - 1)
    pca = PCA(size, random_state=0, svd_solver="auto").fit(known[:2000])
    finder = NearestNeighbors(n_neighbors=3).fit(pca.transform(known))
    held = finder.kneighbors(pca.transform(others.astype(known.dtype)))[0]
    own = finder.kneighbors(pca.transform(rows.astype(known.dtype)))[0]
    tiny = 1e-5 * float(np.median(own[:, 1]) + 1e-12)
    return {
        "copied": float(np.mean(held[:, 0] <= 0.5 * held[:, 1] + tiny)),
        "copied_within": float(np.mean(own[:, 1] <= 0.5 * own[:, 2] + tiny)),
    }


# The codes and the decoder


def of_codes(vae: VAE, new: np.ndarray, z: np.ndarray, z_new: np.ndarray) -> Numbers:
    """Return the rate, its parts, and what another density of the codes would win."""
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(new)]
    kl = ops.convert_to_numpy(vae.family.kl_divergence(parameters, z_new))
    each = kl.mean(axis=0)  # (d,), or (1,) where latents depend on each other
    factorised = vae.family.factorised
    gain = prior_gain(vae, z, z_new)
    return {
        "rate": float(each.sum()),
        "dead": float(np.mean(each < 0.01)) if factorised else math.nan,
        "smallest_rate": float(each.min()) if factorised else math.nan,
        "prior_gain": math.nan if gain is None else gain,
    }


def of_decoder(
    vae: VAE, x: np.ndarray, new: np.ndarray, z_new: np.ndarray, seed: int
) -> Numbers:
    """Return how far the decoder's outputs reach, and what they owe to the code.

    ``reach_low``, ``reach_high``: the outputs for codes far out. ``told``: the nats
    that a row costs more by another row's code. ``variety``: the variance of decoded
    codes of held-out rows over that of the rows; ``sample_variety``: of samples.
    ``sigma_ratio``: a Gaussian's variance over its mean squared error in training.
    """
    far = vae.prior_codes(200, 1.0, seed)
    middle = vae.family.prior_mean(vae.latent_size)
    outputs = ops.convert_to_numpy(vae.decoder(middle + 30 * (far - middle)))
    decoded = ops.convert_to_numpy(vae.decoder(z_new))
    swapped = np.roll(decoded, 1, axis=0)
    told = distortions(vae.likelihood, new, swapped)
    told = told - distortions(vae.likelihood, new, decoded)
    spread = flat(new).var(axis=0).sum() + 1e-12
    mean = ops.convert_to_numpy(vae.to_pictures(decoded))
    samples = vae.generate(min(500, max(50, len(new))), seed=seed)
    numbers = {
        "bounded": float(vae.likelihood.takes_logits and vae.likelihood.bounded),
        "reach_low": float(outputs.min()),
        "reach_high": float(outputs.max()),
        "told": float(told.mean()),
        "variety": float(flat(mean).var(axis=0).sum() / spread),
        "sample_variety": float(flat(samples).var(axis=0).sum() / spread),
        "sigma_ratio": math.nan,
        "sigma": math.nan,
    }
    if isinstance(vae.likelihood, Gaussian):
        shown = ops.convert_to_numpy(vae.to_pictures(vae.decoder(draw(vae, x, seed))))
        sigma = float(ops.exp(vae.likelihood.log_sigma))
        error = float(np.mean((x - shown) ** 2))
        numbers |= {"sigma": sigma, "sigma_ratio": sigma**2 / max(error, 1e-12)}
    return numbers


# The bound


def of_bounds(
    vae: VAE, x: np.ndarray, new: np.ndarray, z: np.ndarray, z_new: np.ndarray
) -> Numbers:
    """Return what rows cost, mean nats: by the model, a constant, and PCA.

    ``train`` and ``held_out``: minus the ELBO; ``gap_error``: the standard error of
    their difference; ``lead_error``: that of PCA's lead over the model, held out.
    """
    costs = {"train": cost(vae, x, z), "held_out": cost(vae, new, z_new)}
    parts = {"train": x, "held_out": new}
    numbers = {name: float(nats.mean()) for name, nats in costs.items()}
    numbers["gap_error"] = math.hypot(*map(error_of_mean, costs.values()))
    numbers["lead_error"] = math.nan
    for name, part in parts.items():
        numbers[f"constant_{name}"] = float(constant_nats(vae, x, part).mean())
        by_line = linear_nats(vae, x, part)
        numbers[f"linear_{name}"] = (
            math.nan if by_line is None else float(by_line.mean())
        )
        if by_line is not None:  # held out comes last
            numbers["lead_error"] = error_of_mean(costs[name] - by_line)
    grey = x[(x > 0.01) & (x < 0.99)].size / x.size
    numbers["grey"] = grey if isinstance(vae.likelihood, Bernoulli) else 0.0
    return numbers


def cost(vae: VAE, x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Return minus the ELBO of rows by the codes z (n, d), nats (n,)."""
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    rate = ops.sum(vae.family.kl_divergence(parameters, z), axis=-1)
    output = np.concatenate(
        [
            ops.convert_to_numpy(vae.decoder(z[i : i + 1000]))
            for i in range(0, len(z), 1000)
        ]
    )
    return ops.convert_to_numpy(rate) + distortions(vae.likelihood, x, output)


def error_of_mean(values: np.ndarray) -> float:
    """Return the standard error of the mean of independent values (n,)."""
    return float(np.std(values, ddof=1) / math.sqrt(len(values)))


def slack(vae: VAE, x: np.ndarray, seed: int) -> float:
    """Return how many nats the importance-weighted bound lies above the ELBO.

    Grey pixels of a Bernoulli likelihood are tossed first.
    """
    x = binarised(x) if isinstance(vae.likelihood, Bernoulli) else x
    low = iwae_bound(vae, np.repeat(x, 10, axis=0), 1, seed)
    return iwae_bound(vae, x, SAMPLES, seed) - low
