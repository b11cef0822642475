"""How good samples of cats are: 04's VAE, the diffusion of codes, the VQ-VAE's prior.

Needs the weights of ``latent_cats`` in ``data/weights``.
"""

import numpy as np

from helpers.engine.studies.cats import load

COUNT = 1000  # pictures of each kind
BATCH = 250  # samples drawn at once
JUDGE_STEPS, SEEDS = 300, (0, 1, 2)  # of the judge; how often it is trained anew
NEIGHBOURS = 3
NAMES = ("validation", "blurred", "normal_prior", "normal_fitted")
NAMES += ("spatial_given_back", "spatial_prior", "spatial_fitted", "diffusion")
NAMES += ("vq_given_back", "vq_uniform", "vq_prior")
KEYS = ("name",)
JUDGED = ("photographs", "decoded")
COLUMNS = (*KEYS, "count")
COLUMNS += tuple(f"{judged}{end}" for judged in JUDGED for end in ("", "_low", "_high"))
COLUMNS += ("precision", "recall", "nearest", "nearest_decoded", "copied")
TABLES = {"latent_judged": COLUMNS}


def grid() -> list[dict]:
    """Return every kind of pictures: controls, and samples of each model."""
    return [{"name": name} for name in NAMES]


def run(configuration: dict) -> dict[str, list[dict]]:
    """Return one kind's row.

    ``photographs`` and ``decoded`` say how often a judge tells these pictures from test
    cats, and from test cats that the same decoder gives back: the mean of its
    trainings, with the least and the most. ``precision`` and ``recall`` are among the
    codes of 04's normal VAE. ``nearest`` is the median over pictures of the root mean
    squared distance to the nearest training photograph, mirrored ones too, and
    ``nearest_decoded`` the same for validation cats that this decoder gives back;
    ``copied`` is the share of pictures that are nearer than 1 in 100 of those.
    """
    from helpers import metrics

    name, cats = configuration["name"], load()
    real = cats.x_test[:COUNT]
    samples, give_back = drawn(name, cats)
    samples = samples[: len(real)]
    row = {"name": name, "count": len(samples)}
    row |= told("photographs", samples, real)
    normal = cat_vae()
    centres, points = normal.encode(real), normal.encode(samples)
    row["precision"] = metrics.covered_share(points, centres, NEIGHBOURS)
    row["recall"] = metrics.covered_share(centres, points, NEIGHBOURS)
    away = nearest_of(samples, cats.x_train)
    row["nearest"] = float(np.median(away))
    if give_back is not None:
        row |= told("decoded", samples, give_back(real))
        others = nearest_of(give_back(cats.x_validation[:COUNT]), cats.x_train)
        row["nearest_decoded"] = float(np.median(others))
        row["copied"] = float(np.mean(away < np.quantile(others, 0.01)))
    return {"latent_judged": [row]}


def told(what: str, samples: np.ndarray, others: np.ndarray) -> dict[str, float]:
    """Return how often the judge is right: the mean, least and most of its seeds."""
    from helpers import metrics

    options = {"steps": JUDGE_STEPS}
    found = [
        metrics.two_sample_test(samples, others, seed=seed, **options).value
        for seed in SEEDS
    ]
    ends = {f"{what}_low": min(found), f"{what}_high": max(found)}
    return {what: float(np.mean(found)), **ends}


def nearest_of(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Return the root mean squared distances to the nearest of ``train``, (n,).

    Pictures and their mirror images are held against it, in place of mirrored ones.
    """
    flat = train.reshape(len(train), -1)
    lengths = np.einsum("ij,ij->i", flat, flat)

    def squares(rows):
        own = np.einsum("ij,ij->i", rows, rows)
        return np.min(lengths - 2 * rows @ flat.T, axis=1) + own

    found = []
    for part in np.array_split(x, max(1, len(x) // 100)):
        both = [each.reshape(len(part), -1) for each in (part, part[:, :, ::-1])]
        found.append(np.minimum(*map(squares, both)))
    return np.sqrt(np.maximum(0, np.concatenate(found)) / flat.shape[1])


def cat_vae():
    """Return 04's normal VAE with its shipped weights."""
    from helpers import models

    vae = models.build_cat_vae()
    models.load_weights(vae, models.WEIGHTS / "cats_normal.npz")
    return vae


def shipped(name: str):
    """Return a part of ``latent_cats`` with its shipped weights."""
    from helpers import models
    from helpers.engine.studies import latent_cats, latent_parts

    model = latent_parts.built(name)
    models.load_weights(model, latent_cats.shipped_file(name))
    return model


def drawn(name: str, cats):
    """Return pictures of a kind, and what its decoder gives back of others, or None."""
    from scipy import ndimage

    x = cats.x_validation[:COUNT]
    if name == "validation":
        return x, None
    if name == "blurred":
        return ndimage.uniform_filter(x, (1, 3, 3, 1)), None
    rng = np.random.default_rng(0)
    if name.startswith("normal"):
        model = cat_vae()
        if name == "normal_prior":
            return model.generate(COUNT, seed=0), model.reconstruct
        return model.decode(fitted(model, cats.x_train)), model.reconstruct
    model = shipped("vq" if name.startswith("vq") else "vae")
    if name.endswith("given_back"):
        return model.reconstruct(x), model.reconstruct
    if name == "vq_uniform":
        codes = rng.integers(model.entries, size=(COUNT, *model.code_shape[:2]))
    elif name == "spatial_prior":
        codes = rng.normal(size=(COUNT, *model.code_shape)).astype("float32")
    elif name == "spatial_fitted":
        codes = one_normal(model, cats.x_train)
    else:
        codes = sampled("prior" if name == "vq_prior" else "denoiser")
    return model.decode(codes), model.reconstruct


def fitted(vae, x: np.ndarray) -> np.ndarray:
    """Return draws (COUNT, d) of ten normals fitted to the codes of pictures."""
    from sklearn.mixture import GaussianMixture

    codes = vae.family.sample_posterior(vae.posterior_arrays(x), 0)
    options = {"reg_covar": 1e-3, "tol": 0.1, "random_state": 0}
    density = GaussianMixture(10, **options).fit(np.asarray(codes, "float64"))
    codes = density.sample(COUNT)[0].astype("float32")
    return np.random.default_rng(0).permutation(codes)  # they come sorted by part


def one_normal(vae, x: np.ndarray) -> np.ndarray:
    """Return draws (COUNT, ...) of one normal fitted to the codes of pictures.

    A tenth of what ties numbers together is taken away, as in the notebook's bound.
    """
    from keras import ops

    both = vae.in_parts(lambda part: ops.concatenate(vae.posterior(part), axis=-1), x)
    means, logs = np.split(both, 2, axis=-1)
    rng = np.random.default_rng(0)
    codes = means + np.exp(logs / 2) * rng.normal(size=means.shape)
    flat = codes.reshape(len(codes), -1)
    covariance = np.cov(flat.T)
    covariance = 0.9 * covariance + 0.1 * np.diag(np.diag(covariance))
    drawn = rng.multivariate_normal(flat.mean(axis=0), covariance, COUNT)
    return drawn.reshape(COUNT, *means.shape[1:]).astype("float32")


def sampled(name: str) -> np.ndarray:
    """Return ``COUNT`` samples of the denoiser, codes, or of the prior, indices."""
    model = shipped(name)
    parts = [model.sample(BATCH, seed=seed) for seed in range(-(-COUNT // BATCH))]
    return np.concatenate(parts)[:COUNT]
