"""Checks of notebook 01: The paper's mathematics."""

import numpy as np

from helpers.checks.comparing import LOG_2_PI, Function, check


def check_posterior(attempt: Function) -> str:
    """Check ``posterior(prior, likelihood, dz)``: the density p(z|x) on a grid, all (n,)."""
    z = np.linspace(-3, 3, 13)
    prior, likelihood = np.exp(-0.5 * z**2), np.exp(-2 * (z - 1) ** 2)

    def bayes(prior, likelihood, dz):
        return prior * likelihood / (np.sum(prior * likelihood) * dz)

    return check(
        attempt,
        bayes,
        [(prior / np.sqrt(2 * np.pi), likelihood, z[1] - z[0])],
        {
            "this is p(x, z): divide by its integral over z, p(x)": lambda p, k, dz: (
                p * k
            ),
            "that sums to one, but a density must integrate to one: the sum times dz": (
                lambda p, k, dz: bayes(p, k, 1.0)
            ),
            "the likelihood alone was normalised: multiply it by the prior first": (
                lambda p, k, dz: bayes(np.ones_like(p), k, dz)
            ),
            "dz multiplies the sum; it was divided by": lambda p, k, dz: bayes(
                p, k, 1 / dz
            ),
            "the integral runs over the joint, not over the likelihood alone": (
                lambda p, k, dz: p * k / (np.sum(k) * dz)
            ),
            "divide by the integral, not by the largest value": (
                lambda p, k, dz: p * k / np.max(p * k)
            ),
        },
    )


def check_elbo(attempt: Function) -> str:
    """Check ``elbo(log_joint, log_q)``: the bound in nats from L samples, (n, L) to (n,)."""
    rng = np.random.default_rng(0)

    def bound(log_joint, log_q, mean=np.mean):
        return mean(log_joint - log_q, axis=1)

    return check(
        attempt,
        bound,
        [tuple(rng.normal(size=(2, 3, 4)))],
        {
            "the sign of the entropy: ln q is subtracted": lambda j, q: bound(j, -q),
            "the entropy is missing: subtract ln q": lambda j, q: bound(j, 0 * q),
            "the sign: this is the negative of the bound, which serves as a loss": (
                lambda j, q: -bound(j, q)
            ),
            "an expectation is a mean over the samples, not their sum": (
                lambda j, q: bound(j, q, np.sum)
            ),
            "the logarithm belongs inside the mean; ln of the mean weight is the bound of IWAE": (
                lambda j, q: np.log(np.mean(np.exp(j - q), axis=1))
            ),
            "one value a data point: the mean over the samples (axis 1) only": (
                lambda j, q: np.mean(j - q)
            ),
            "the samples stand along axis 1": lambda j, q: np.mean(j - q, axis=0),
        },
    )


def check_kl_normals(attempt: Function) -> str:
    """Check ``kl_normals(mean_q, log_var_q, mean_p, log_var_p)``: nats, (n, d) to (n,)."""

    def kl(a, u, b, v, half=0.5, one=1.0, reduce=np.sum):
        ratio = (np.exp(u) + (a - b) ** 2) / np.exp(v)
        return half * reduce(ratio - one + v - u, axis=-1)

    return check(
        attempt,
        kl,
        [tuple(np.random.default_rng(0).uniform(0.5, 2, size=(4, 3, 2)))],
        {
            "the wrong direction: q and p have changed places": (
                lambda a, u, b, v: kl(b, v, a, u)
            ),
            "the factor 1/2 is missing": lambda *args: kl(*args, half=1.0),
            "the sign: a KL divergence is never negative": lambda *args: kl(
                *args, half=-0.5
            ),
            "these are logarithms of variances, not of standard deviations: exp(log_var) is "
            "already the variance": lambda a, u, b, v: kl(a, 2 * u, b, 2 * v),
            "these are logarithms of variances: exponentiate them": (
                lambda a, u, b, v: (
                    0.5 * np.sum((u + (a - b) ** 2) / v - 1 + np.log(v / u), axis=-1)
                )
            ),
            "where q equals p it must be 0: the -1 is missing": (
                lambda *args: kl(*args, one=0.0)
            ),
            "sum over the latents; their mean is a hidden beta of 1/d": (
                lambda *args: kl(*args, reduce=np.mean)
            ),
            "one value a data point: sum over the last axis only": lambda *args: np.sum(
                kl(*args)
            ),
            "sum over the latents, the last axis": (
                lambda *args: kl(*args, reduce=lambda values, axis: values)
            ),
        },
    )


def check_kl_exponential(attempt: Function) -> str:
    """Check ``kl_exponential(s, t)``: KL between exponentials with means s and t, (n,) to (n,)."""

    def kl(s, t):
        return np.log(t / s) + s / t - 1

    return check(
        attempt,
        kl,
        [(np.array([0.5, 1.0, 3.0, 2.0]), np.array([1.0, 2.0, 0.7, 2.0]))],
        {
            "the wrong direction, or rates in the place of means: s and t have changed places": (
                lambda s, t: kl(t, s)
            ),
            "the sign: a KL divergence is never negative": lambda s, t: -kl(s, t),
            "where s equals t it must be 0: the -1 is missing": lambda s, t: (
                kl(s, t) + 1
            ),
            "the sign of the logarithm: -ln s comes from ln q, and + ln t from -ln p": (
                lambda s, t: np.log(s / t) + s / t - 1
            ),
            "that is the KL to Exponential(1): the prior's mean is t": lambda s, t: kl(
                s, 1.0
            ),
            "no factor 1/2 here: that belongs to the normal": lambda s, t: (
                0.5 * kl(s, t)
            ),
            "one value a pair: no sum": lambda s, t: np.sum(kl(s, t)),
        },
    )


def check_pathwise_gradient(attempt: Function) -> str:
    """Check ``pathwise_gradient(mu, log_var, noise)`` of E[z^2]: two numbers, noise (L,)."""

    def gradient(mu, log_var, noise, inner=0.5, scale=0.5, mean=np.mean):
        sigma = np.exp(scale * log_var)
        z = mu + sigma * noise
        return np.array([mean(2 * z), mean(2 * z * inner * sigma * noise)])

    def score(mu, log_var, noise):
        z = mu + np.exp(0.5 * log_var) * noise
        weights = [noise * np.exp(-0.5 * log_var), 0.5 * (noise**2 - 1)]
        return np.array([np.mean(z**2 * weight) for weight in weights])

    def without_path(mu, log_var, noise):
        z = mu + np.exp(0.5 * log_var) * noise
        return np.array([np.mean(2 * z), np.mean(2 * z)])

    return check(
        attempt,
        gradient,
        [(0.7, -1.2, np.random.default_rng(0).normal(size=50))],
        {
            "the factor 1/2 is missing: the derivative of exp(log_var / 2) is half of it": (
                lambda m, v, e: gradient(m, v, e, inner=1.0)
            ),
            "log_var is the logarithm of the variance: sigma = exp(log_var / 2)": (
                lambda m, v, e: gradient(m, v, e, scale=1.0)
            ),
            "log_var is the logarithm of the variance: sigma = exp(log_var / 2), with the "
            "derivative sigma / 2": lambda m, v, e: gradient(
                m, v, e, inner=1.0, scale=1.0
            ),
            "an expectation is a mean over the samples, not their sum": (
                lambda m, v, e: gradient(m, v, e, mean=np.sum)
            ),
            "this is the score-function estimator: unbiased, but let the gradient pass through z": (
                score
            ),
            "the chain rule: multiply by the derivative of z with respect to log_var": (
                without_path
            ),
            "the sign: these are the gradients of E[z^2], not of its negative": (
                lambda m, v, e: -gradient(m, v, e)
            ),
        },
    )


def check_sample_logistic(attempt: Function) -> str:
    """Check ``sample_logistic(u, mu, s)``: uniform u (n,) to Logistic(mu, s)."""

    def inverse(u, mu, s):
        return mu + s * np.log(u / (1 - u))

    return check(
        attempt,
        inverse,
        [(np.array([0.05, 0.3, 0.5, 0.9]), 1.5, 2.0)],
        {
            "that is the CDF; the sampler needs its inverse": (
                lambda u, mu, s: 1 / (1 + np.exp(-(u - mu) / s))
            ),
            "the sign: a larger u must give a larger z": lambda u, mu, s: inverse(
                1 - u, mu, s
            ),
            "z - mu is multiplied by the scale, not divided": lambda u, mu, s: inverse(
                u, mu, 1 / s
            ),
            "the location mu is missing": lambda u, mu, s: inverse(u, 0.0, s),
            "-ln(1 - u) belongs to the exponential; solve u = 1 / (1 + exp(-(z - mu) / s))": (
                lambda u, mu, s: mu - s * np.log(1 - u)
            ),
            "the scale is missing": lambda u, mu, s: inverse(u, mu, 1.0),
            "mu is added after the scaling": lambda u, mu, s: s * inverse(u, mu, 1.0),
        },
    )


def check_minibatch_bound(attempt: Function) -> str:
    """Check ``minibatch_bound(bounds, data_size)``: a data set's bound from a minibatch's (M,)."""
    return check(
        attempt,
        lambda bounds, size: size * np.mean(bounds),
        [(np.random.default_rng(0).normal(size=5) - 3, 40)],
        {
            "the sum over the minibatch is M / N of the answer: scale it by N / M": (
                lambda bounds, size: np.sum(bounds)
            ),
            "that is the bound a data point; the data set has N of them": (
                lambda bounds, size: np.mean(bounds)
            ),
            "a sum where a mean belongs: N times the sum counts every point M times": (
                lambda bounds, size: size * np.sum(bounds)
            ),
            "the scale is N / M, not M / N": (
                lambda bounds, size: np.sum(bounds) * len(bounds) / size
            ),
            "the sign: the bound is maximised; its negative is the loss": (
                lambda bounds, size: -size * np.mean(bounds)
            ),
        },
    )


def check_gaussian_nll(attempt: Function) -> str:
    """Check ``gaussian_nll(x, mean, log_var)``: -ln p(x|z) in nats, x (n, D), to (n,)."""

    def nll(x, mean, log_var, half=0.5, scale=1.0, constant=LOG_2_PI, reduce=np.sum):
        return half * reduce(
            constant + log_var + (x - mean) ** 2 / np.exp(scale * log_var), axis=-1
        )

    rng = np.random.default_rng(0)
    return check(
        attempt,
        nll,
        [(rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), -0.8)],
        {
            "the factor 1/2 is missing": lambda *args: nll(*args, half=1.0),
            "log_var is ln sigma^2: exp(log_var) is the variance already": (
                lambda x, m, v: nll(x, m, 2 * v)
            ),
            "the sign: this is the negative log-likelihood": lambda *args: nll(
                *args, half=-0.5
            ),
            "ln 2 pi is missing: a loss may drop it, a log-likelihood may not": (
                lambda *args: nll(*args, constant=0.0)
            ),
            "the log_var term is missing: without it an infinite variance is best": (
                lambda x, m, v: nll(x, m, v) - 0.5 * x.shape[-1] * v
            ),
            "divide by the variance, exp(log_var), not by sigma": (
                lambda *args: nll(*args, scale=0.5)
            ),
            "sum over the D dimensions; their mean is a hidden beta of D": (
                lambda *args: nll(*args, reduce=np.mean)
            ),
            "the constants count once a dimension: D times, inside the sum": (
                lambda x, m, v: (
                    0.5
                    * (
                        np.log(2 * np.pi)
                        + v
                        + np.sum((x - m) ** 2, axis=-1) / np.exp(v)
                    )
                )
            ),
            "one value a data point: sum over the last axis only": lambda *args: np.sum(
                nll(*args)
            ),
        },
    )
