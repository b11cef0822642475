"""A model card: what was trained on what, how good it is, and what it can't do."""

from collections.abc import Sequence

import numpy as np

from helpers.datasets import Dataset
from helpers.likelihoods import Bernoulli
from helpers.metrics.baselines import constant_nats, linear_nats
from helpers.metrics.bounds import active_units, binarised, elbo_terms, iwae_bound
from helpers.metrics.doctor import diagnose
from helpers.models import VAE

SAMPLES, FACES = 100, 300  # K of the importance-weighted bound, and rows it is taken on


def model_card(
    vaes: VAE | Sequence[VAE],
    data: Dataset,
    title: str,
    training: str,
    samples: str = "",
    limits: Sequence[str] = (),
) -> str:
    """Return a model card in Markdown: data, split, sizes, bounds, baselines, limits.

    Test rows are measured here, so call it last, and choose nothing by it. The doctor's
    findings, on training and validation rows, stand among the limits.

    Args:
        vaes: the model; or the same one trained with several seeds, whose spread is
            told. The first is the one that is described and examined.
        data: what it was trained on.
        title: the first line.
        training: how it was trained, a sentence: steps, batch, learning rate, seeds,
            and what was chosen on validation rows.
        samples: the path of a picture of samples, relative to the card.
        limits: sentences on what the model is not for.

    Raises:
        ValueError: there is no model, or one does not fit the data.

    Source: Mitchell et al. (2019), "Model cards for model reporting".
    """
    vaes = [vaes] if isinstance(vaes, VAE) else list(vaes)
    if not vaes:
        raise ValueError("a card needs a model, and got none")
    what = {2: "row", 4: "picture"}.get(data.x_train.ndim, "signal")
    lines = [f"# {title}", "", *about_data(data), "", *about_model(vaes[0], training)]
    lines += ["", *about_bounds(vaes, data, what)]
    if samples:
        lines += ["", "## Samples", "", f"![Samples from the prior]({samples})"]
    seen = diagnose(vaes[0], data)
    findings = [f"{finding.name}: {finding.sentence}." for finding in seen]
    lines += ["", "## Known limits", "", *(f"- {limit}" for limit in limits)]
    lines += [f"- {finding}" for finding in findings]
    if not findings:
        lines += ["- `metrics.diagnose` found nothing on training and validation rows."]
    return "\n".join(lines) + "\n"


def about_data(data: Dataset) -> list[str]:
    """Return the lines on the data and their split."""
    parts = ("training", data.x_train), ("validation", data.x_validation)
    sizes = [f"{len(x):,} {name}" for name, x in (*parts, ("test", data.x_test))]
    shape = " x ".join(map(str, data.image_shape))
    low, high = float(data.x_train.min()), float(data.x_train.max())
    lines = [
        "## Data",
        "",
        f"{data.name}, from {data.source}. Each is {shape} numbers; training rows span "
        f"[{low:.3g}, {high:.3g}].",
        "",
        f"Split: {', '.join(sizes)}. What was chosen was chosen on validation rows.",
    ]
    if data.class_names:
        lines += ["", f"Classes: {', '.join(data.class_names)}."]
    return lines


def about_model(vae: VAE, training: str) -> list[str]:
    """Return the lines on the model and its training."""
    beta = vae.kl_divergence.beta
    weight = f"beta {beta:g}" if isinstance(beta, float) else "beta by a schedule"
    return [
        "## Model",
        "",
        f"A {type(vae).__name__} with {vae.latent_size} latents, family "
        f"{vae.family.name}, likelihood {type(vae.likelihood).__name__}, {weight}; "
        f"{vae.count_params():,} parameters.",
        "",
        f"Training: {training}",
    ]


def about_bounds(vaes: Sequence[VAE], data: Dataset, what: str) -> list[str]:
    """Return the table of bounds and baselines on test rows, nats each."""
    x = data.x_test
    terms = [np.stack(elbo_terms(vae, x)) for vae in vaes]  # each (2, n)
    elbos = np.array([-each.sum(axis=0) for each in terms])  # (seeds, n)
    some = np.random.default_rng(0).permutation(len(x))[:FACES]
    coins = isinstance(vaes[0].likelihood, Bernoulli)
    asked = binarised(x[some]) if coins else x[some]
    tight = [iwae_bound(vae, asked, SAMPLES) for vae in vaes]
    loose = [iwae_bound(vae, np.repeat(asked, 10, axis=0), 1) for vae in vaes]
    values = {
        "ELBO": elbos.mean(axis=1),
        "rate": np.array([each[0].mean() for each in terms]),
        "distortion": np.array([each[1].mean() for each in terms]),
        f"IWAE (K = {SAMPLES}) above the ELBO": np.subtract(tight, loose),
        "active latents": np.array([active_units(vae, x) for vae in vaes]),
    }
    error = elbos[0].std(ddof=1) / np.sqrt(len(x))
    seeds = "one seed" if len(vaes) == 1 else f"{len(vaes)} seeds, mean and range"
    constant = -constant_nats(vaes[0], data.x_train, x).mean()
    lines = [
        "## Bounds",
        "",
        f"Nats per test {what} ({len(x):,}), higher is better for the ELBO; {seeds}. "
        f"The ELBO's standard error over test {what}s is {error:.2f}. The IWAE bound "
        f"is taken on {len(asked)} of them, at random"
        f"{', of zeros and ones' if coins else ''}.",
        "",
        "| measure | value |",
        "|---|---|",
        *(f"| {name} | {spread(value)} |" for name, value in values.items()),
        f"| a constant | {constant:.2f} |",
    ]
    return lines + about_line(vaes[0], data, elbos)


def about_line(vae: VAE, data: Dataset, elbos: np.ndarray) -> list[str]:
    """Return the rows of the table on PCA, given each seed's ELBOs of test rows.

    The lead is that of the mean over seeds, so that no seed's luck is in it; its
    interval is paired, of (seeds, n) ELBOs over test rows.
    """
    by_line = linear_nats(vae, data.x_train, data.x_test)
    if by_line is None:
        return []
    leads = elbos + by_line
    lead = leads.mean(axis=0)
    half = 1.96 * lead.std(ddof=1) / np.sqrt(len(lead))
    interval = f"{spread(leads.mean(axis=1))} ± {half:.2f}"
    return [
        f"| PCA with as many latents | {-by_line.mean():.2f} |",
        f"| lead over PCA, ± a 95% interval over test rows | {interval} |",
    ]


def spread(values: np.ndarray) -> str:
    """Return the mean, and the range where there are several."""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    return f"{np.mean(values):.2f} ({values.min():.2f} to {values.max():.2f})"
