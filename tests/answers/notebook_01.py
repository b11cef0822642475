"""Right and wrong answers to the exercises of notebook 01: The paper's mathematics."""

import numpy as np
import scipy.special
import scipy.stats


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


def gaussian_nll(x, mean, log_var):
    return -scipy.stats.norm(mean, np.exp(log_var / 2)).logpdf(x).sum(axis=1)


def gaussian_terms(x, mean, log_var, variance):
    return 0.5 * (np.log(2 * np.pi) + log_var + (x - mean) ** 2 / variance)


CORRECT = {
    "posterior": posterior_by_loop,
    "elbo": lambda j, q: np.average(j, axis=1) - np.average(q, axis=1),
    "kl_normals": kl_of_normals,
    "kl_exponential": kl_of_exponentials,
    "pathwise_gradient": gradient_by_differences,
    "sample_logistic": lambda u, mu, s: scipy.stats.logistic(mu, s).ppf(u),
    "minibatch_bound": lambda bounds, n: n / len(bounds) * sum(bounds),
    "gaussian_nll": gaussian_nll,
}

MISTAKES = {
    "posterior": {
        "divide by its integral": lambda p, k, dz: p * k,
        "the sum times dz": lambda p, k, dz: p * k / sum(p * k),
        "multiply it by the prior": lambda p, k, dz: k / np.sum(k * dz),
        "it was divided by": lambda p, k, dz: p * k * dz / np.sum(p * k),
        "over the joint": lambda p, k, dz: p * k / np.sum(k * dz),
        "largest value": lambda p, k, dz: p * k / (p * k).max(),
    },
    "elbo": {
        "ln q is subtracted": lambda j, q: (j + q).mean(axis=1),
        "entropy is missing": lambda j, q: j.mean(axis=1),
        "serves as a loss": lambda j, q: q.mean(axis=1) - j.mean(axis=1),
        "not their sum": lambda j, q: j.sum(axis=1) - q.sum(axis=1),
        "IWAE": lambda j, q: scipy.special.logsumexp(j - q, axis=1) - np.log(4),
        "one value per data point": lambda j, q: (j - q).mean(),
        "along axis 1": lambda j, q: (j - q).mean(axis=0),
    },
    "kl_normals": {
        "wrong direction": lambda a, u, b, v: kl_of_normals(b, v, a, u),
        "1/2": lambda *args: 2 * kl_of_normals(*args),
        "never negative": lambda *args: -kl_of_normals(*args),
        "not of standard deviations": lambda a, u, b, v: kl_of_normals_from_deviations(
            a, np.exp(u), b, np.exp(v)
        ),
        "exponentiate them": lambda a, u, b, v: (
            np.log(v / u) / 2 + (u + (a - b) ** 2) / v / 2 - 0.5
        ).sum(axis=1),
        "-1 is missing": lambda *args: kl_of_normals(*args) + args[0].shape[1] / 2,
        "hidden beta": lambda *args: kl_of_normals(*args) / args[0].shape[1],
        "last axis only": lambda *args: kl_of_normals(*args).sum(),
        "sum over the latents, the last axis": lambda a, u, b, v: (
            0.5 * (np.exp(u - v) + (a - b) ** 2 * np.exp(-v) - 1 + v - u)
        ),
    },
    "kl_exponential": {
        "wrong direction": lambda s, t: np.log(s / t) + t / s - 1,
        "never negative": lambda s, t: 1 - s / t - np.log(t / s),
        "-1 is missing": lambda s, t: np.log(t / s) + s / t,
        "sign of the logarithm": lambda s, t: np.log(s) - np.log(t) + s / t - 1,
        "prior's mean is t": lambda s, t: s - 1 - np.log(s),
        "1/2": lambda s, t: (np.log(t / s) + s / t - 1) / 2,
        "no sum": lambda s, t: kl_of_exponentials(s, t).sum(),
    },
    "pathwise_gradient": {
        "factor 1/2 is missing": lambda m, v, e: gradient_of_samples(
            m, np.exp(v / 2), e, np.exp(v / 2)
        ),
        "logarithm of the variance": lambda m, v, e: gradient_of_samples(
            m, np.exp(v), e, np.exp(v) / 2
        ),
        "derivative sigma / 2": lambda m, v, e: gradient_of_samples(
            m, np.exp(v), e, np.exp(v)
        ),
        "not their sum": lambda m, v, e: len(e) * gradient_by_differences(m, v, e),
        "score-function": gradient_by_score,
        "chain rule": gradient_without_chain,
        "sign": lambda *args: -gradient_by_differences(*args),
    },
    "sample_logistic": {
        "that is the CDF": lambda u, mu, s: scipy.special.expit((u - mu) / s),
        "sign": lambda u, mu, s: mu + s * np.log((1 - u) / u),
        "not divided": lambda u, mu, s: mu + scipy.special.logit(u) / s,
        "mu is missing": lambda u, mu, s: s * scipy.special.logit(u),
        "exponential": lambda u, mu, s: mu - s * np.log(1 - u),
        "scale is missing": lambda u, mu, s: mu + scipy.special.logit(u),
        "after the scaling": lambda u, mu, s: s * (mu + scipy.special.logit(u)),
    },
    "minibatch_bound": {
        "scale it by N / M": lambda bounds, n: bounds.sum(),
        "bound per data point": lambda bounds, n: bounds.mean(),
        "M times": lambda bounds, n: n * bounds.sum(),
        "not M / N": lambda bounds, n: bounds.sum() * len(bounds) / n,
        "sign": lambda bounds, n: -n * bounds.mean(),
    },
    "gaussian_nll": {
        "1/2": lambda x, m, v: 2 * gaussian_nll(x, m, v),
        "the variance already": lambda x, m, v: (
            -scipy.stats.norm(m, np.exp(v)).logpdf(x).sum(axis=1)
        ),
        "sign": lambda x, m, v: -gaussian_nll(x, m, v),
        "ln 2 pi is missing": lambda x, m, v: (
            0.5 * np.sum(v + (x - m) ** 2 / np.exp(v), axis=1)
        ),
        "log_var term is missing": lambda x, m, v: gaussian_terms(
            x, m, 0, np.exp(v)
        ).sum(axis=1),
        "not by sigma": lambda x, m, v: gaussian_terms(x, m, v, np.exp(v / 2)).sum(
            axis=1
        ),
        "hidden beta": lambda x, m, v: gaussian_terms(x, m, v, np.exp(v)).mean(axis=1),
        "D times": lambda x, m, v: (
            0.5 * (np.log(2 * np.pi) + v) + ((x - m) ** 2).sum(axis=1) / np.exp(v) / 2
        ),
        "last axis only": lambda x, m, v: gaussian_nll(x, m, v).sum(),
    },
}
