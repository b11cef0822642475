"""What a VAE has to beat, in its own nats: a constant, PCA, other code densities."""

import keras
import numpy as np
from keras import ops
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from helpers.datasets import flat
from helpers.engine import checked
from helpers.likelihoods import Bernoulli, Categorical, Gaussian, Likelihood, Mixed
from helpers.metrics.bounds import plain_pictures
from helpers.models import VAE

REACH = 1000.0  # the outputs among which a constant is looked for
NOISES, FLOORS = (0.5, 1.0, 2.0, 4.0), (0.003, 0.01, 0.03)  # what a linear VAE may have


def distortions(likelihood: Likelihood, x: np.ndarray, output) -> np.ndarray:
    """Return -ln p(x|z) in nats, (n,), of rows (n, ...) and a decoder's outputs."""
    cut = (slice(i, i + 1000) for i in range(0, len(x), 1000))
    nats = [likelihood.negative_log_likelihood(x[rows], output[rows]) for rows in cut]
    return np.concatenate(list(map(ops.convert_to_numpy, nats)))


def constant_nats(vae: VAE, x_train: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return what rows (n, ...) cost by the training rows' mean alone, nats (n,).

    It is the best constant that the likelihood has; of a Gaussian with the best sigma.
    """
    x_train, x = plain_pictures(vae, x_train), plain_pictures(vae, x)
    mean = x_train.mean(axis=0)
    if isinstance(vae.likelihood, Gaussian):
        errors = [np.sum(flat(part - mean) ** 2, axis=1) for part in (x_train, x)]
        return gaussian_nats(errors[1], mean.size, errors[0].mean() / mean.size)
    output = output_of(vae.likelihood, mean, len(x_train)).astype("float32")
    return distortions(vae.likelihood, x, np.broadcast_to(output, x.shape))


def gaussian_nats(squared_errors: np.ndarray, size: int, variance: float) -> np.ndarray:
    """Return -ln of a Gaussian's density, (n,), of ``size`` values with such errors."""
    variance = max(float(variance), 1e-12)
    return 0.5 * (size * np.log(2 * np.pi * variance) + squared_errors / variance)


def output_of(likelihood: Likelihood, mean: np.ndarray, count: int) -> np.ndarray:
    """Return the outputs whose mean is ``mean``, kept off the ends by 1 / (2 count)."""
    if isinstance(likelihood, Mixed):
        parts, kinds = likelihood.split(mean), likelihood.kinds.items()
        outputs = [output_of(kind, parts[name], count) for name, kind in kinds]
        return np.concatenate(outputs, axis=-1)
    if likelihood.span.low == 0:
        mean = np.maximum(mean, 0.5 / count)
    if likelihood.span.low == 0 and likelihood.span.high == 1:
        mean = np.minimum(mean, 1 - 0.5 / count)
    if isinstance(likelihood, Categorical):
        return np.log(mean)
    low, high = np.full(mean.shape, -REACH), np.full(mean.shape, REACH)
    for _ in range(60):
        middle = (low + high) / 2
        found = ops.convert_to_numpy(likelihood.mean(middle.astype("float32")))
        low, high = (
            np.where(found < mean, middle, low),
            np.where(found < mean, high, middle),
        )
    return (low + high) / 2


def linear_nats(
    vae: VAE, x_train: np.ndarray, x: np.ndarray, components: int | None = None
) -> np.ndarray | None:
    """Return what rows (n, ...) cost by PCA with as many latents, nats (n,).

    Or with so many ``components``, cut to fewer than rows and columns. Under a Gaussian
    likelihood this is minus the exact log-density of probabilistic PCA. Under Bernoulli
    it is minus the ELBO of a linear VAE: probabilistic PCA's posterior, N(0, I) for a
    prior, and its mean picture, cut to [floor, 1 - floor], for the probabilities. Noise
    and floor are chosen on the training rows. None under other likelihoods, or where
    there are too few rows or columns.

    Source: Tipping and Bishop (1999), "Probabilistic principal component analysis".
    """
    x_train, x = plain_pictures(vae, x_train), plain_pictures(vae, x)
    known, asked = flat(x_train).astype("float64"), flat(x).astype("float64")
    size = min(components or vae.latent_size, known.shape[1] - 1, len(known) - 2)
    if size < 1 or not isinstance(vae.likelihood, Gaussian | Bernoulli):
        return None
    pca = PCA(size, random_state=0).fit(known)
    noise = max(float(pca.noise_variance_), 1e-9)
    if isinstance(vae.likelihood, Gaussian):
        return pca_nats(pca, noise, asked)
    settings = [(noise * times, floor) for times in NOISES for floor in FLOORS]
    costs = [coin_nats(pca, *each, known).mean() for each in settings]
    return coin_nats(pca, *settings[int(np.argmin(costs))], asked)


def pca_nats(pca: PCA, noise: float, x: np.ndarray) -> np.ndarray:
    """Return -ln p(x) under probabilistic PCA, (n,); PCA's own inverts D by D."""
    along = pca.transform(x)  # (n, d)
    rest = np.sum((x - pca.mean_) ** 2, axis=1) - np.sum(along**2, axis=1)
    variances = np.maximum(pca.explained_variance_, noise)
    constant = x.shape[1] * np.log(2 * np.pi) + np.log(variances).sum()
    constant += (x.shape[1] - len(variances)) * np.log(noise)
    return 0.5 * (constant + np.sum(along**2 / variances, axis=1) + rest / noise)


def coin_nats(pca: PCA, noise: float, floor: float, x: np.ndarray) -> np.ndarray:
    """Return minus the ELBO of a linear VAE with a Bernoulli likelihood, (n,)."""
    variances = np.maximum(pca.explained_variance_, 1e-12)
    share = np.clip(1 - noise / variances, 0, None)  # of a latent that is signal
    mean = pca.transform(x) * np.sqrt(share / variances)  # (n, d)
    rate = 0.5 * (mean**2 - share - np.log1p(-share))
    draws = np.random.default_rng(0).standard_normal(mean.shape)
    z = mean + np.sqrt(1 - share) * draws
    decoded = pca.mean_ + (z * np.sqrt(variances * share)) @ pca.components_
    p = np.clip(decoded, floor, 1 - floor)
    coins = x * np.log(p) + (1 - x) * np.log1p(-p)
    return rate.sum(axis=1) - coins.sum(axis=1)


def log_prior(vae: VAE, z: np.ndarray) -> np.ndarray:
    """Return ln p(z) of codes (n, d), (n,)."""
    return ops.convert_to_numpy(ops.sum(vae.family.log_prior(z), axis=-1))


def prior_gain(vae: VAE, z_train: np.ndarray, z: np.ndarray) -> float | None:
    """Return the nats by which a density of the codes beats the prior on others.

    What the bound would win, on rows held out, if codes (n, d) were charged by a normal
    density, or five of them, that was fitted to training codes: the rate falls by this,
    and nothing else changes. None on a sphere, whose density is of another kind.
    Source: Ghosh et al. (2020), "From variational to deterministic autoencoders".
    """
    z_train, z = (checked.codes(codes, vae.latent_size) for codes in (z_train, z))
    own = log_prior(vae, z)
    if vae.family.name == "power_spherical" or not np.isfinite(own).all():
        return None
    counts = [k for k in (1, 5) if k == 1 or len(z_train) >= 20 * k * z.shape[1]]
    options = {"reg_covar": 1e-4, "random_state": 0}
    known = z_train.astype("float64")
    fits = [GaussianMixture(count, **options).fit(known) for count in counts]
    best = min(fits, key=lambda fit: fit.bic(known))
    return float(np.mean(best.score_samples(z.astype("float64")) - own))


def draw(vae: VAE, x: np.ndarray, seed: int) -> np.ndarray:
    """Return one code of q(z|x) for each row, (n, d), by the model's own family."""
    keras_seed = keras.random.SeedGenerator(seed)
    parameters = [ops.convert_to_tensor(p) for p in vae.posterior_arrays(x)]
    return ops.convert_to_numpy(vae.family.sample_posterior(parameters, keras_seed))
