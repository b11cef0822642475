"""Right and wrong answers to the exercises of notebook 03: The VAE."""

import numpy as np
import scipy.special


def nll_by_maximum(x, logits):
    stable = np.maximum(logits, 0) - x * logits + np.log1p(np.exp(-np.abs(logits)))
    return stable.sum(axis=(1, 2, 3))


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log(1 - p), axis=(1, 2, 3))


def kl(m, v):
    return 0.5 * np.sum(m**2 + np.exp(v) - v - 1, axis=1)


def log_mean_exp(w):
    return np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])


CORRECT = {
    "sample": lambda m, v, e: m + e * np.sqrt(np.exp(v)),
    "kl_normal": kl,
    "bernoulli": nll_by_maximum,
    "iwae": log_mean_exp,
    "active_units": lambda z, threshold: (np.var(z, axis=0) > threshold).sum(),
}

MISTAKES = {
    "sample": {
        "square root": lambda m, v, e: m + np.exp(v) * e,
        "exponentiate": lambda m, v, e: m + v * e,
        "half": lambda m, v, e: m + v / 2 * e,
        "mean is missing": lambda m, v, e: np.exp(v / 2) * e,
        "not multiplied": lambda m, v, e: m * np.exp(v / 2) * e,
    },
    "kl_normal": {
        "sign": lambda m, v: 0.5 * np.sum(1 + v - m**2 - np.exp(v), axis=1),
        "1/2": lambda m, v: np.sum(m**2 + np.exp(v) - 1 - v, axis=1),
        "hidden beta": lambda m, v: 0.5 * np.mean(m**2 + np.exp(v) - 1 - v, axis=1),
        "not ln sigma": lambda m, v: (
            0.5 * np.sum(m**2 + np.exp(v) ** 2 - 1 - 2 * v, axis=1)
        ),
        "last axis only": lambda m, v: 0.5 * np.sum(m**2 + np.exp(v) - 1 - v),
        "mean over the batch": lambda m, v: kl(m, v).mean(),
        "square the mean": lambda m, v: 0.5 * np.sum(m + np.exp(v) - 1 - v, axis=1),
        "sum over the latents": lambda m, v: 0.5 * (m**2 + np.exp(v) - 1 - v),
    },
    "bernoulli": {
        "saturated": lambda x, o: nll_of_probabilities(x, scipy.special.expit(o)),
        "784 times": lambda x, o: nll_by_maximum(x, o) / x[0].size,
        "sign": lambda x, o: -nll_by_maximum(x, o),
        "one value per picture": lambda x, o: nll_by_maximum(x, o).sum(),
        "sigmoid is the probability": nll_of_probabilities,
        "swapped": lambda x, o: nll_by_maximum(1 - x, o),
    },
    "iwae": {
        "ELBO": lambda w: w.mean(axis=1),
        "divide by K": lambda w: np.logaddexp.reduce(w, axis=1),
        "log-sum-exp": lambda w: np.log(np.exp(w).mean(axis=1)),
        "axis 1": lambda w: np.logaddexp.reduce(w, axis=0) - np.log(len(w)),
    },
    "active_units": {
        "standard deviation": lambda z, t: int((z.std(axis=0) > t).sum()),
        "constant code": lambda z, t: int(((z**2).mean(axis=0) > t).sum()),
        "over the pictures": lambda z, t: int((z.var(axis=1) > t).sum()),
        "not below": lambda z, t: int((z.var(axis=0) < t).sum()),
    },
}
