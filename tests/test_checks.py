"""helpers/checks.py: right answers are recognised, and typical mistakes get the matching hint."""

import inspect
import itertools
from copy import deepcopy

import numpy as np
import pytest
import scipy.spatial
import scipy.special
import scipy.stats
from sklearn.linear_model import LinearRegression

from helpers import checks


def posterior_by_loop(prior, likelihood, dz):
    joint = [p * k for p, k in zip(prior, likelihood, strict=True)]
    evidence = sum(value * dz for value in joint)
    return np.array([value / evidence for value in joint])


def kl_of_normals(a, u, b, v):
    s, t = np.exp(u / 2), np.exp(v / 2)
    return np.sum(np.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5, axis=1)


def kl_of_normals_from_deviations(a, s, b, t):
    return 0.5 * np.sum((s**2 + (a - b) ** 2) / t**2 - 1 + 2 * np.log(t / s), axis=1)


def kl_of_exponentials(s, t):
    return s / t - np.log(s) + np.log(t) - 1


def gradient_by_differences(mu, log_var, noise, step=1e-4):
    def square(mu, log_var):
        return np.mean((mu + np.exp(log_var / 2) * noise) ** 2)

    return np.array(
        [
            (square(mu + step, log_var) - square(mu - step, log_var)) / (2 * step),
            (square(mu, log_var + step) - square(mu, log_var - step)) / (2 * step),
        ]
    )


def gradient_of_samples(mu, sigma, noise, d_sigma):
    z = mu + sigma * noise
    return np.array([np.mean(2 * z), np.mean(2 * z * d_sigma * noise)])


def gradient_by_score(mu, log_var, noise):
    sigma = np.exp(log_var / 2)
    f = (mu + sigma * noise) ** 2
    return np.array([np.mean(f * noise / sigma), np.mean(f * (noise**2 - 1) / 2)])


def gradient_without_chain(mu, log_var, noise):
    z = mu + np.exp(log_var / 2) * noise
    return 2 * np.mean(z) * np.ones(2)


def logit(u):
    return np.log(u) - np.log(1 - u)


def gaussian_nll(x, mean, log_var):
    return -scipy.stats.norm(mean, np.exp(log_var / 2)).logpdf(x).sum(axis=1)


def gaussian_terms(x, mean, log_var, variance):
    return 0.5 * (np.log(2 * np.pi) + log_var + (x - mean) ** 2 / variance)


def psnr_by_loop(x, y):
    return np.array(
        [10 * np.log10(1 / np.mean((a - b) ** 2)) for a, b in zip(x, y, strict=True)]
    )


def parameters_by_loop(sizes):
    total = 0
    for inputs, outputs in itertools.pairwise(sizes):
        total += (inputs + 1) * outputs
    return total


def path(first, last, count):
    return np.array([first + i / (count - 1) * (last - first) for i in range(count)])


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def nll_by_maximum(x, logits):
    stable = np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))
    return stable.sum(axis=(1, 2, 3))


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))


def kl(m, v):
    return 0.5 * np.sum(m**2 + np.exp(v) - v - 1, axis=1)


def log_mean_exp(w):
    return np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])


def laplace_by_quantile(mean, log_scale, u):
    return mean - np.exp(log_scale) * (np.log1p(-u[0]) - np.log1p(-u[1]))


def kl_laplace_by_parts(mean, log_scale):
    b, distance = np.exp(log_scale), np.abs(mean)
    cross_entropy = np.log(2) + distance + b * np.exp(-distance / b)
    return np.sum(cross_entropy - (1 + np.log(2 * b)), axis=1)


def gumbel_by_scipy(u, mode, log_scale):
    q = scipy.stats.gumbel_r(mode, np.exp(log_scale))
    return np.stack([q.ppf(u), q.logpdf(q.ppf(u))])


def log_mixture_by_loop(z, means, log_weights):
    parts = [
        w + scipy.stats.norm(mean, 1).logpdf(z).sum(axis=1)
        for mean, w in zip(means, log_weights, strict=True)
    ]
    return np.logaddexp.reduce(parts, axis=0)


def log_normals(z, means):
    return scipy.stats.norm(means, 1).logpdf(z[:, np.newaxis])


def bernoulli_entropy(p):
    return scipy.special.entr(p).sum(axis=(1, 2, 3)) + scipy.special.entr(1 - p).sum(
        axis=(1, 2, 3)
    )


def slerp_by_loop(first, last, weights):
    lengths = np.linalg.norm(first), np.linalg.norm(last)
    theta = np.arccos(np.dot(first, last) / (lengths[0] * lengths[1]))
    parts = [
        np.sin(theta * (1 - w)) / np.sin(theta) * first
        + np.sin(theta * w) / np.sin(theta) * last
        for w in weights
    ]
    return np.array(parts)


def slerp_at(theta, first, last, weights):
    w = weights[:, np.newaxis]
    return (np.sin((1 - w) * theta) * first + np.sin(w * theta) * last) / np.sin(theta)


def unit(code):
    return code / np.linalg.norm(code)


def angle(first, last):
    return np.arccos(unit(first) @ unit(last))


def traverse_by_loop(code, latent, values):
    return np.array(
        [[v if j == latent else c for j, c in enumerate(code)] for v in values]
    )


def density_by_loop(z, mean, log_var):
    bells = [
        scipy.stats.norm(m, np.exp(v / 2)).pdf(z)
        for m, v in zip(mean, log_var, strict=True)
    ]
    return np.mean(bells, axis=0)


def bells(z, mean, log_var):
    """Normal densities, (m, n)."""
    return scipy.stats.norm(mean, np.exp(log_var / 2)).pdf(z[:, np.newaxis])


def auc_by_ranks(normal, foreign):
    ranks = scipy.stats.rankdata(np.concatenate([normal, foreign]))[len(normal) :]
    return (ranks.mean() - (len(foreign) + 1) / 2) / len(normal)


def visible_nats(x, logits, visible):
    against = np.where(x > 0, -logits, logits)[:, visible]
    return -np.logaddexp(0, against).sum(axis=1)


def weights_by_softmax(x, logits, visible):
    o = logits[:, visible]
    return scipy.special.softmax((x[visible] * o - np.logaddexp(0, o)).sum(axis=1))


def covered_by_loop(points, centres, k, own=1):
    covered = 0
    for point in points:
        for centre in centres:
            radius = sorted(np.linalg.norm(centres - centre, axis=1))[k - 1 + own]
            if np.linalg.norm(point - centre) <= radius:
                covered += 1
                break
    return covered / len(points)


def within(points, centres, k):
    radii = np.sort(scipy.spatial.distance.cdist(centres, centres))[:, k]
    return scipy.spatial.distance.cdist(points, centres) <= radii


def covered_by_nearest(points, centres, k):
    nearest = scipy.spatial.distance.cdist(points, centres).argmin(axis=1)
    return within(points, centres, k)[range(len(points)), nearest].mean()


def entropy_by_column(symbols):
    counts = [np.unique(column, return_counts=True)[1] for column in symbols.T]
    return np.array([scipy.stats.entropy(count, base=2) for count in counts])


def slopes_by_sklearn(codes, attributes, **arguments):
    return LinearRegression(**arguments).fit(attributes, codes).coef_.T


def slopes_one_by_one(codes, attributes):
    return np.stack(
        [slopes_by_sklearn(codes, a[:, np.newaxis])[0] for a in attributes.T]
    )


CORRECT = {
    "posterior": posterior_by_loop,
    "elbo": lambda j, q: np.average(j, axis=1) - np.average(q, axis=1),
    "kl_normals": kl_of_normals,
    "kl_exponential": kl_of_exponentials,
    "pathwise_gradient": gradient_by_differences,
    "sample_logistic": lambda u, mu, s: scipy.stats.logistic(mu, s).ppf(u),
    "minibatch_bound": lambda bounds, n: n / len(bounds) * sum(bounds),
    "gaussian_nll": gaussian_nll,
    "psnr": psnr_by_loop,
    "count_parameters": parameters_by_loop,
    "interpolate": path,
    "add_noise": lambda x, sigma, noise: np.minimum(
        1, np.maximum(0, x + noise * sigma)
    ),
    "sample": lambda m, v, e: m + e * np.sqrt(np.exp(v)),
    "kl_normal": kl,
    "bernoulli": nll_by_maximum,
    "iwae": log_mean_exp,
    "active_units": lambda z, threshold: (np.var(z, axis=0) > threshold).sum(),
    "sample_laplace": laplace_by_quantile,
    "kl_laplace": kl_laplace_by_parts,
    "gumbel": gumbel_by_scipy,
    "log_mixture": log_mixture_by_loop,
    "bits": lambda nats, values: nats / (values * np.log(2)) + 8,
    "overlap": lambda p, q, dz: np.where(p < q, p, q).sum() * dz,
    "uncertainty": bernoulli_entropy,
    "slerp": slerp_by_loop,
    "traverse": traverse_by_loop,
    "aggregate_density": density_by_loop,
    "auc": auc_by_ranks,
    "importance_weights": weights_by_softmax,
    "covered_share": covered_by_loop,
    "code_length": lambda symbols: entropy_by_column(symbols).sum(),
    "directions": slopes_by_sklearn,
}

MISTAKES = [  # the exercise, a typical wrong answer, a word of the hint that it should get
    ("posterior", lambda p, k, dz: p * k, "divide by its integral"),
    ("posterior", lambda p, k, dz: p * k / sum(p * k), "the sum times dz"),
    ("posterior", lambda p, k, dz: k / np.sum(k * dz), "multiply it by the prior"),
    ("posterior", lambda p, k, dz: p * k * dz / np.sum(p * k), "it was divided by"),
    ("posterior", lambda p, k, dz: p * k / np.sum(k * dz), "over the joint"),
    ("posterior", lambda p, k, dz: p * k / (p * k).max(), "largest value"),
    ("elbo", lambda j, q: (j + q).mean(axis=1), "ln q is subtracted"),
    ("elbo", lambda j, q: j.mean(axis=1), "entropy is missing"),
    ("elbo", lambda j, q: q.mean(axis=1) - j.mean(axis=1), "serves as a loss"),
    ("elbo", lambda j, q: j.sum(axis=1) - q.sum(axis=1), "not their sum"),
    ("elbo", lambda j, q: scipy.special.logsumexp(j - q, axis=1) - np.log(4), "IWAE"),
    ("elbo", lambda j, q: (j - q).mean(), "one value a data point"),
    ("elbo", lambda j, q: (j - q).mean(axis=0), "along axis 1"),
    ("kl_normals", lambda a, u, b, v: kl_of_normals(b, v, a, u), "wrong direction"),
    ("kl_normals", lambda *args: 2 * kl_of_normals(*args), "1/2"),
    ("kl_normals", lambda *args: -kl_of_normals(*args), "never negative"),
    (
        "kl_normals",
        lambda a, u, b, v: kl_of_normals_from_deviations(a, np.exp(u), b, np.exp(v)),
        "not of standard deviations",
    ),
    (
        "kl_normals",
        lambda a, u, b, v: (np.log(v / u) / 2 + (u + (a - b) ** 2) / v / 2 - 0.5).sum(
            axis=1
        ),
        "exponentiate them",
    ),
    (
        "kl_normals",
        lambda *args: kl_of_normals(*args) + args[0].shape[1] / 2,
        "-1 is missing",
    ),
    (
        "kl_normals",
        lambda *args: kl_of_normals(*args) / args[0].shape[1],
        "hidden beta",
    ),
    ("kl_normals", lambda *args: kl_of_normals(*args).sum(), "last axis only"),
    (
        "kl_normals",
        lambda a, u, b, v: (
            0.5 * (np.exp(u - v) + (a - b) ** 2 * np.exp(-v) - 1 + v - u)
        ),
        "sum over the latents, the last axis",
    ),
    ("kl_exponential", lambda s, t: np.log(s / t) + t / s - 1, "wrong direction"),
    ("kl_exponential", lambda s, t: 1 - s / t - np.log(t / s), "never negative"),
    ("kl_exponential", lambda s, t: np.log(t / s) + s / t, "-1 is missing"),
    (
        "kl_exponential",
        lambda s, t: np.log(s) - np.log(t) + s / t - 1,
        "sign of the logarithm",
    ),
    ("kl_exponential", lambda s, t: s - 1 - np.log(s), "prior's mean is t"),
    ("kl_exponential", lambda s, t: (np.log(t / s) + s / t - 1) / 2, "1/2"),
    ("kl_exponential", lambda s, t: kl_of_exponentials(s, t).sum(), "no sum"),
    (
        "pathwise_gradient",
        lambda m, v, e: gradient_of_samples(m, np.exp(v / 2), e, np.exp(v / 2)),
        "factor 1/2 is missing",
    ),
    (
        "pathwise_gradient",
        lambda m, v, e: gradient_of_samples(m, np.exp(v), e, np.exp(v) / 2),
        "logarithm of the variance",
    ),
    (
        "pathwise_gradient",
        lambda m, v, e: gradient_of_samples(m, np.exp(v), e, np.exp(v)),
        "derivative sigma / 2",
    ),
    (
        "pathwise_gradient",
        lambda m, v, e: len(e) * gradient_by_differences(m, v, e),
        "not their sum",
    ),
    ("pathwise_gradient", gradient_by_score, "score-function"),
    ("pathwise_gradient", gradient_without_chain, "chain rule"),
    ("pathwise_gradient", lambda *args: -gradient_by_differences(*args), "sign"),
    ("sample_logistic", lambda u, mu, s: sigmoid((u - mu) / s), "that is the CDF"),
    ("sample_logistic", lambda u, mu, s: mu + s * np.log((1 - u) / u), "sign"),
    ("sample_logistic", lambda u, mu, s: mu + logit(u) / s, "not divided"),
    ("sample_logistic", lambda u, mu, s: s * logit(u), "mu is missing"),
    ("sample_logistic", lambda u, mu, s: mu - s * np.log(1 - u), "exponential"),
    ("sample_logistic", lambda u, mu, s: mu + logit(u), "scale is missing"),
    ("sample_logistic", lambda u, mu, s: s * (mu + logit(u)), "after the scaling"),
    ("minibatch_bound", lambda bounds, n: bounds.sum(), "scale it by N / M"),
    ("minibatch_bound", lambda bounds, n: bounds.mean(), "bound a data point"),
    ("minibatch_bound", lambda bounds, n: n * bounds.sum(), "M times"),
    ("minibatch_bound", lambda bounds, n: bounds.sum() * len(bounds) / n, "not M / N"),
    ("minibatch_bound", lambda bounds, n: -n * bounds.mean(), "sign"),
    ("gaussian_nll", lambda x, m, v: 2 * gaussian_nll(x, m, v), "1/2"),
    (
        "gaussian_nll",
        lambda x, m, v: -scipy.stats.norm(m, np.exp(v)).logpdf(x).sum(axis=1),
        "the variance already",
    ),
    ("gaussian_nll", lambda x, m, v: -gaussian_nll(x, m, v), "sign"),
    (
        "gaussian_nll",
        lambda x, m, v: 0.5 * np.sum(v + (x - m) ** 2 / np.exp(v), axis=1),
        "ln 2 pi is missing",
    ),
    (
        "gaussian_nll",
        lambda x, m, v: gaussian_terms(x, m, 0, np.exp(v)).sum(axis=1),
        "log_var term is missing",
    ),
    (
        "gaussian_nll",
        lambda x, m, v: gaussian_terms(x, m, v, np.exp(v / 2)).sum(axis=1),
        "not by sigma",
    ),
    (
        "gaussian_nll",
        lambda x, m, v: gaussian_terms(x, m, v, np.exp(v)).mean(axis=1),
        "hidden beta",
    ),
    (
        "gaussian_nll",
        lambda x, m, v: (
            0.5 * (np.log(2 * np.pi) + v) + ((x - m) ** 2).sum(axis=1) / np.exp(v) / 2
        ),
        "D times",
    ),
    ("gaussian_nll", lambda x, m, v: gaussian_nll(x, m, v).sum(), "last axis only"),
    ("psnr", lambda x, y: 10 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))), "sign"),
    (
        "psnr",
        lambda x, y: -10 * np.log(np.mean((x - y) ** 2, axis=(1, 2, 3))),
        "base 10",
    ),
    (
        "psnr",
        lambda x, y: -20 * np.log10(np.mean((x - y) ** 2, axis=(1, 2, 3))),
        "root",
    ),
    (
        "psnr",
        lambda x, y: -10 * np.log10(np.sum((x - y) ** 2, axis=(1, 2, 3))),
        "not the sum",
    ),
    (
        "psnr",
        lambda x, y: -10 * np.log10(np.square(x - y).mean()),
        "one value a picture",
    ),
    ("psnr", lambda x, y: -10 * np.log10(abs(x - y).mean(axis=(1, 2, 3))), "square"),
    (
        "count_parameters",
        lambda s: sum(a * b for a, b in itertools.pairwise(s)),
        "bias",
    ),
    (
        "count_parameters",
        lambda s: sum(a * b for a, b in itertools.pairwise(s)) + sum(s),
        "the input layer has none",
    ),
    (
        "count_parameters",
        lambda s: parameters_by_loop(s[: s.index(min(s)) + 1]),
        "decoder",
    ),
    (
        "interpolate",
        lambda a, b, n: np.array([a + i / n * (b - a) for i in range(n)]),
        "last code is missing",
    ),
    ("interpolate", lambda a, b, n: path(b, a, n), "backwards"),
    ("interpolate", lambda a, b, n: path(a, b, n + 2)[1:-1], "both ends"),
    ("interpolate", lambda a, b, n: path(a, b, n).T, "one row a code"),
    ("add_noise", lambda x, s, e: x + s * e, "clip the sum"),
    ("add_noise", lambda x, s, e: np.clip(x + s**0.5 * e, 0, 1), "not a variance"),
    ("add_noise", lambda x, s, e: np.clip(x + s * s * e, 0, 1), "squared"),
    ("add_noise", lambda x, s, e: x + np.clip(e * s, 0, 1), "not the noise"),
    ("sample", lambda m, v, e: m + np.exp(v) * e, "square root"),
    ("sample", lambda m, v, e: m + v * e, "exponentiate"),
    ("sample", lambda m, v, e: m + v / 2 * e, "half"),
    ("sample", lambda m, v, e: np.exp(v / 2) * e, "mean is missing"),
    ("sample", lambda m, v, e: m * np.exp(v / 2) * e, "not multiplied"),
    ("kl_normal", lambda m, v: 0.5 * np.sum(1 + v - m**2 - np.exp(v), axis=1), "sign"),
    ("kl_normal", lambda m, v: np.sum(m**2 + np.exp(v) - 1 - v, axis=1), "1/2"),
    (
        "kl_normal",
        lambda m, v: 0.5 * np.mean(m**2 + np.exp(v) - 1 - v, axis=1),
        "hidden beta",
    ),
    (
        "kl_normal",
        lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) ** 2 - 1 - 2 * v, axis=1),
        "not ln sigma",
    ),
    (
        "kl_normal",
        lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) - 1 - v),
        "last axis only",
    ),
    ("kl_normal", lambda m, v: kl(m, v).mean(), "mean over the batch"),
    (
        "kl_normal",
        lambda m, v: 0.5 * np.sum(m + np.exp(v) - 1 - v, axis=1),
        "square the mean",
    ),
    (
        "kl_normal",
        lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v),
        "sum over the latents",
    ),
    ("bernoulli", lambda x, o: nll_of_probabilities(x, sigmoid(o)), "saturated"),
    ("bernoulli", lambda x, o: nll_by_maximum(x, o) / x[0].size, "784 times"),
    ("bernoulli", lambda x, o: -nll_by_maximum(x, o), "sign"),
    ("bernoulli", lambda x, o: nll_by_maximum(x, o).sum(), "one value a picture"),
    ("bernoulli", nll_of_probabilities, "sigmoid is the probability"),
    ("bernoulli", lambda x, o: nll_by_maximum(1 - x, o), "swapped"),
    ("iwae", lambda w: w.mean(axis=1), "ELBO"),
    ("iwae", lambda w: np.logaddexp.reduce(w, axis=1), "divide by K"),
    ("iwae", lambda w: np.log(np.exp(w).mean(axis=1)), "log-sum-exp"),
    ("iwae", lambda w: np.logaddexp.reduce(w, axis=0) - np.log(len(w)), "axis 1"),
    ("active_units", lambda z, t: int((z.std(axis=0) > t).sum()), "standard deviation"),
    (
        "active_units",
        lambda z, t: int(((z**2).mean(axis=0) > t).sum()),
        "constant code",
    ),
    ("active_units", lambda z, t: int((z.var(axis=1) > t).sum()), "over the pictures"),
    ("active_units", lambda z, t: int((z.var(axis=0) < t).sum()), "not below"),
    (
        "sample_laplace",
        lambda m, s, u: m + np.exp(s) * (np.log(u[1]) - np.log(u[0])),
        "1 - u is as uniform",
    ),
    ("sample_laplace", lambda m, s, u: 2 * m - laplace_by_quantile(m, s, u), "sign"),
    (
        "sample_laplace",
        lambda m, s, u: m + s * np.log((1 - u[1]) / (1 - u[0])),
        "exponentiate",
    ),
    (
        "sample_laplace",
        lambda m, s, u: m + np.exp(s / 2) * np.log((1 - u[1]) / (1 - u[0])),
        "no factor 1/2",
    ),
    (
        "sample_laplace",
        lambda m, s, u: m - np.exp(s) * np.log1p(-u).sum(axis=0),
        "not their sum",
    ),
    (
        "sample_laplace",
        lambda m, s, u: m - np.exp(s) * np.log1p(-u[0]),
        "subtract the second",
    ),
    (
        "sample_laplace",
        lambda m, s, u: m + np.exp(s) * np.log((1 - u[1, 0, 0]) / (1 - u[0, 0, 0])),
        "every latent",
    ),
    (
        "kl_laplace",
        lambda m, s: np.sum(m + np.exp(s - m * np.exp(-s)) - 1 - s, axis=1),
        "whichever side",
    ),
    (
        "kl_laplace",
        lambda m, s: (abs(m) + s * np.exp(-abs(m) / s) - 1 - np.log(abs(s))).sum(
            axis=1
        ),
        "exponential of the logarithm",
    ),
    (
        "kl_laplace",
        lambda m, s: kl_laplace_by_parts(m, s) + m.shape[1],
        "-1 is missing",
    ),
    (
        "kl_laplace",
        lambda m, s: kl_laplace_by_parts(m, s) + 2 * s.sum(axis=1),
        "sharp posterior",
    ),
    (
        "kl_laplace",
        lambda m, s: (abs(m) + np.exp(-abs(m) * np.exp(-s)) - 1 - s).sum(axis=1),
        "before the exponential",
    ),
    ("kl_laplace", lambda m, s: kl(m, 2 * s), "the normal's"),
    ("kl_laplace", lambda m, s: kl_laplace_by_parts(m, s) / m.shape[1], "hidden beta"),
    ("kl_laplace", lambda m, s: kl_laplace_by_parts(m, s).sum(), "last axis only"),
    (
        "kl_laplace",
        lambda m, s: abs(m) + np.exp(s - abs(m) * np.exp(-s)) - 1 - s,
        "sum over the latents, the last axis",
    ),
    (
        "gumbel",
        lambda u, m, s: gumbel_by_scipy(u, m, s) + np.stack([0 * s, s]),
        "logarithm is missing",
    ),
    (
        "gumbel",
        lambda u, m, s: gumbel_by_scipy(u, m, s) + np.stack([0 * s, 2 * s]),
        "a wider density",
    ),
    (
        "gumbel",
        lambda u, m, s: np.stack(
            [m + np.exp(s) * np.log(-np.log(u)), gumbel_by_scipy(u, m, s)[1]]
        ),
        "two minus signs",
    ),
    (
        "gumbel",
        lambda u, m, s: np.stack(
            [gumbel_by_scipy(u, m, s)[0], -np.log(-np.log(u)) - s + 1 / np.log(u)]
        ),
        "and ln q(z) with -y",
    ),
    (
        "gumbel",
        lambda u, m, s: np.stack(
            [
                m + np.exp(s) * scipy.special.logit(u),
                scipy.stats.gumbel_r(0, 1).logpdf(scipy.special.logit(u)) - s,
            ]
        ),
        "logistic",
    ),
    (
        "gumbel",
        lambda u, m, s: np.stack(
            [m - s * np.log(-np.log(u)), gumbel_by_scipy(u, m, s)[1]]
        ),
        "exponential of the logarithm",
    ),
    ("gumbel", lambda u, m, s: gumbel_by_scipy(u, m, s)[[1, 0]], "z first"),
    (
        "gumbel",
        lambda u, m, s: np.stack(
            [gumbel_by_scipy(u, m, s)[0], np.exp(gumbel_by_scipy(u, m, s)[1])]
        ),
        "logarithm of the density",
    ),
    (
        "log_mixture",
        lambda z, m, w: np.logaddexp.reduce(
            log_normals(z, m) + w[:, np.newaxis], axis=1
        ).sum(1),
        "whole vector",
    ),
    (
        "log_mixture",
        lambda z, m, w: np.log((np.exp(log_normals(z, m).sum(2)) * np.exp(w)).sum(1)),
        "scipy.special.logsumexp",
    ),
    (
        "log_mixture",
        lambda z, m, w: np.logaddexp.reduce(log_normals(z, m).sum(2), axis=1),
        "weights are missing",
    ),
    (
        "log_mixture",
        lambda z, m, w: np.logaddexp.reduce(
            log_normals(z, m).sum(2) + np.exp(w), axis=1
        ),
        "come as logarithms",
    ),
    (
        "log_mixture",
        lambda z, m, w: log_normals(z, m).sum(2) @ np.exp(w),
        "not of their logarithms",
    ),
    (
        "log_mixture",
        lambda z, m, w: (
            log_mixture_by_loop(z, m, w) + z.shape[1] * np.log(2 * np.pi) / 2
        ),
        "constant",
    ),
    (
        "log_mixture",
        lambda z, m, w: (log_normals(z, m).sum(2) + w).max(1),
        "best component",
    ),
    (
        "bits",
        lambda nats, values: nats / values / np.log(2),
        "ln 256 a value is missing",
    ),
    ("bits", lambda nats, values: nats / values / np.log(2) - 8, "sign of ln 256"),
    ("bits", lambda nats, values: nats / values + np.log(256), "divide by ln 2"),
    (
        "bits",
        lambda nats, values: -nats / values / np.log(2) + 8,
        "negative log-likelihood",
    ),
    ("bits", lambda nats, values: nats / np.log(2) + 8, "number of values"),
    ("bits", lambda nats, values: nats / values / np.log(2) + np.log2(255), "not 255"),
    (
        "bits",
        lambda nats, values: (nats / np.log(2) + 8) / values,
        "divided among them",
    ),
    ("overlap", lambda p, q, dz: (p * q).sum() * dz, "not their product"),
    ("overlap", lambda p, q, dz: np.where(p < q, q, p).sum() * dz, "not the larger"),
    ("overlap", lambda p, q, dz: np.where(p < q, p, q).sum(), "the sum times dz"),
    ("overlap", lambda p, q, dz: np.where(p < q, p, q).mean(), "not the mean"),
    ("overlap", lambda p, q, dz: abs(p - q).sum() * dz / 2, "1 minus it"),
    ("overlap", lambda p, q, dz: np.where(p < q, p, q) * dz, "one number"),
    ("uncertainty", lambda p: nll_of_probabilities(p, p), "0 ln 0 is 0"),
    ("uncertainty", lambda p: scipy.special.entr(p).sum(axis=(1, 2, 3)), "two sides"),
    ("uncertainty", lambda p: bernoulli_entropy(p) / np.log(2), "not log2"),
    ("uncertainty", lambda p: -bernoulli_entropy(p), "sign"),
    ("uncertainty", lambda p: bernoulli_entropy(p) / p[0].size, "784 times"),
    ("uncertainty", lambda p: bernoulli_entropy(p).sum(), "axes 1, 2 and 3"),
    (
        "uncertainty",
        lambda p: scipy.special.entr(p) + scipy.special.entr(1 - p),
        "add up the pixels",
    ),
    ("uncertainty", lambda p: (p - p**2).sum(axis=(1, 2, 3)), "variance"),
    (
        "slerp",
        lambda a, b, w: a + w[:, np.newaxis] * (b - a),
        "straight line",
    ),
    ("slerp", lambda a, b, w: slerp_at(np.arccos(a @ b), a, b, w), "both lengths"),
    (
        "slerp",
        lambda a, b, w: slerp_at(angle(a, b), a, b, w) * np.sin(angle(a, b)),
        "sin(theta)",
    ),
    ("slerp", lambda a, b, w: slerp_at(np.degrees(angle(a, b)), a, b, w), "radians"),
    ("slerp", lambda a, b, w: slerp_by_loop(b, a, w), "backwards"),
    ("slerp", lambda a, b, w: slerp_by_loop(unit(a), unit(b), w), "do not normalise"),
    ("slerp", lambda a, b, w: slerp_by_loop(a, b, w).T, "one row a code"),
    ("traverse", lambda c, j, v: traverse_by_loop(c, j, c[j] + v), "not added"),
    (
        "traverse",
        lambda c, j, v: traverse_by_loop(np.zeros(len(c)), j, v),
        "not from zeros",
    ),
    (
        "traverse",
        lambda c, j, v: traverse_by_loop(c, j, [v[-1]] * len(v)),
        "the last value",
    ),
    ("traverse", lambda c, j, v: np.outer(v, np.ones(len(c))), "only the one latent"),
    ("traverse", lambda c, j, v: traverse_by_loop(c, j, v).T, "one row a value"),
    ("aggregate_density", lambda z, m, v: bells(z, m, v).sum(axis=1), "not their sum"),
    (
        "aggregate_density",
        lambda z, m, v: scipy.stats.norm(m.mean(), np.exp(v.mean() / 2)).pdf(z),
        "not the parameters",
    ),
    (
        "aggregate_density",
        lambda z, m, v: scipy.stats.gmean(bells(z, m, v), axis=1),
        "geometric mean",
    ),
    (
        "aggregate_density",
        lambda z, m, v: density_by_loop(z, m, 2 * v),
        "not a standard deviation",
    ),
    (
        "aggregate_density",
        lambda z, m, v: (bells(z, m, v) * np.sqrt(2 * np.pi) * np.exp(v / 2)).mean(
            axis=1
        ),
        "integrate to one",
    ),
    ("aggregate_density", lambda z, m, v: bells(z, m, v), "average over the pictures"),
    (
        "aggregate_density",
        lambda z, m, v: bells(z, m, v).mean(axis=0),
        "not over the z",
    ),
    ("auc", lambda n, f: 1 - auc_by_ranks(n, f), "other way round"),
    ("auc", lambda n, f: np.mean([a > b for a in f for b in n]), "counts nothing"),
    ("auc", lambda n, f: np.mean([a >= b for a in f for b in n]), "counts whole"),
    (
        "auc",
        lambda n, f: auc_by_ranks(n, f) * f.size * n.size,
        "divide by their number",
    ),
    ("auc", lambda n, f: np.mean(f > np.mean(n)), "every normal one"),
    ("auc", lambda n, f: 2 * auc_by_ranks(n, f) - 1, "from 0 to 1"),
    (
        "importance_weights",
        lambda x, o, v: weights_by_softmax(x, o, v | True),
        "are known",
    ),
    (
        "importance_weights",
        lambda x, o, v: weights_by_softmax(x, o, ~v),
        "not the hidden ones",
    ),
    (
        "importance_weights",
        lambda *args: np.exp(visible_nats(*args)) / np.exp(visible_nats(*args)).sum(),
        "scipy.special.softmax",
    ),
    (
        "importance_weights",
        lambda x, o, v: scipy.special.softmax(visible_nats(x, o, v) / v.sum()),
        "mean makes all candidates alike",
    ),
    ("importance_weights", lambda *args: np.exp(visible_nats(*args)), "add up to one"),
    (
        "importance_weights",
        lambda *args: scipy.special.log_softmax(visible_nats(*args)),
        "logarithms of weights",
    ),
    (
        "importance_weights",
        lambda *args: scipy.special.softmax(-visible_nats(*args)),
        "sign",
    ),
    (
        "covered_share",
        lambda p, c, k: covered_by_loop(p, c, k, own=0),
        "its own nearest",
    ),
    ("covered_share", lambda p, c, k: covered_by_loop(c, p, k), "around the centres"),
    ("covered_share", lambda p, c, k: within(p, c, k).mean(), "one ball is enough"),
    ("covered_share", covered_by_nearest, "ask all of them"),
    ("covered_share", lambda p, c, k: len(p) * covered_by_loop(p, c, k), "as a share"),
    ("code_length", lambda s: entropy_by_column(s).sum() * np.log(2), "base 2"),
    ("code_length", lambda s: entropy_by_column(s).mean(), "add them up"),
    (
        "code_length",
        lambda s: entropy_by_column(s.reshape(-1, 1)).sum() * s.shape[1],
        "its own table",
    ),
    (
        "code_length",
        lambda s: np.log2([len(set(column)) for column in s.T]).sum(),
        "shorter words",
    ),
    ("code_length", lambda s: -entropy_by_column(s).sum(), "sign"),
    ("code_length", lambda s: len(s) * entropy_by_column(s).sum(), "not for all"),
    ("code_length", entropy_by_column, "one number"),
    (
        "directions",
        lambda z, a: slopes_by_sklearn(z, a, fit_intercept=False),
        "intercept is missing",
    ),
    ("directions", slopes_one_by_one, "drags the correlated ones along"),
    (
        "directions",
        lambda z, a: slopes_by_sklearn(a, z).T,
        "explained by the attributes",
    ),
    ("directions", lambda z, a: slopes_by_sklearn(z, a).T, "one row an attribute"),
    ("directions", lambda z, a: np.cov(a.T, z.T, bias=True)[:3, 3:], "no slope yet"),
]


def verdict(name, attempt):
    with np.errstate(all="ignore"):
        return getattr(checks, f"check_{name}")(attempt)


def test_every_check_is_tested_here():
    found = {
        name.removeprefix("check_")
        for name, function in inspect.getmembers(checks, inspect.isfunction)
        if name.startswith("check_")
    }
    assert found == set(CORRECT) == {name for name, _, _ in MISTAKES}


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_answer_is_correct(name):
    assert verdict(name, CORRECT[name]).startswith("correct")


@pytest.mark.parametrize(("name", "attempt", "word"), MISTAKES)
def test_a_typical_mistake_gets_its_hint(name, attempt, word):
    said = verdict(name, attempt)
    assert said.startswith("not yet: ")
    assert word in said


@pytest.mark.parametrize("name", CORRECT)
def test_every_hint_is_reached(name):
    """As many mistakes are tried as the check knows."""
    tried = {verdict(name, attempt) for other, attempt, _ in MISTAKES if other == name}
    known = {}
    original = checks.matching_hint

    def spy(results, inputs, mistakes, tolerance):
        known.update(mistakes)
        return original(results, inputs, mistakes, tolerance)

    checks.matching_hint = spy
    try:
        verdict(name, lambda *_: np.zeros(97))
    finally:
        checks.matching_hint = original
    assert {f"not yet: {hint}" for hint in known} == tried


def stub(*_):
    raise NotImplementedError("your turn")


def raises(*_):
    raise KeyError("spam")


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize(
    ("attempt", "expected"),
    [
        (stub, "not attempted"),
        (raises, "not yet: your function raised, or its answer did: KeyError: 'spam'"),
        (lambda *_: None, "not yet: the function returned None"),
        (lambda *_: np.zeros((3, 1, 7)), "not yet: the shape should be"),
        (
            lambda *_: "seven",
            "not yet: your function raised, or its answer did: ValueError",
        ),
        (
            lambda *_: [[1.0], [1.0, 2.0]],
            "not yet: your function raised, or its answer did: Value",
        ),
        (
            lambda *_: {"answer": 7},
            "not yet: your function raised, or its answer did: TypeError",
        ),
    ],
)
def test_other_answers(name, attempt, expected):
    assert verdict(name, attempt).startswith(expected)


def spoils_its_inputs(attempt):
    """Wrap an attempt so that it overwrites its arrays, and empties its lists, once it is done."""

    def spoiler(*arguments):
        result = attempt(*deepcopy(arguments))
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                argument[...] = 1.0
            elif isinstance(argument, list):
                argument.clear()
        return result

    return spoiler


@pytest.mark.parametrize("name", CORRECT)
def test_a_right_answer_may_change_its_inputs(name):
    assert verdict(name, spoils_its_inputs(CORRECT[name])).startswith("correct")


@pytest.mark.parametrize(("name", "attempt", "word"), MISTAKES)
def test_a_mistake_that_changes_its_inputs_gets_the_same_hint(name, attempt, word):
    assert verdict(name, spoils_its_inputs(attempt)) == verdict(name, attempt)


def test_an_attempt_in_place_is_judged_by_what_it_returns():
    def sample(z_mean, z_log_var, noise):
        z_log_var *= 0.5
        noise *= np.exp(z_log_var, out=z_log_var)
        z_mean += noise
        return z_mean

    assert verdict("sample", sample).startswith("correct")


@pytest.mark.parametrize("name", CORRECT)
def test_a_near_miss_is_not_correct(name):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * 1.001 + 0.001)
    assert said.startswith("not yet: the largest difference from the right answer is")


@pytest.mark.parametrize("name", CORRECT)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_not_correct(name, value):
    said = verdict(name, lambda *arguments: CORRECT[name](*arguments) * value)
    assert said.startswith("not yet")


def test_the_largest_difference_is_relative_above_one():
    assert checks.largest_difference([1.0, 0.1], [1.0, 0.3]) == pytest.approx(0.2)
    assert checks.largest_difference([110.0], [100.0]) == pytest.approx(0.1)
    assert checks.largest_difference([np.nan], [1.0]) == np.inf
    assert checks.largest_difference([np.inf], [np.inf]) == 0
    assert checks.largest_difference([-np.inf], [np.inf]) == np.inf
    assert checks.largest_difference([-2.0], [2.0]) == pytest.approx(2)
