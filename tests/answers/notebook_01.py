"""Right and wrong answers to the exercises of notebook 01: The paper's mathematics.

``CORRECT`` has one right answer to each exercise, ``OTHER_METHODS`` more, each found in
another way; ``MISTAKES`` has wrong ones, with words of the hint that each must get.
"""

import math
import statistics

import numpy as np
import scipy.integrate
import scipy.optimize
import scipy.special
import scipy.stats

# Exercise 1


def posterior_by_loop(prior, likelihood, dz):
    joint = [p * k for p, k in zip(prior, likelihood, strict=True)]
    evidence = sum(value * dz for value in joint)
    return np.array([value / evidence for value in joint])


def posterior_by_logs(prior, likelihood, dz):
    log_joint = np.log(prior) + np.log(likelihood)
    return np.exp(log_joint - scipy.special.logsumexp(log_joint)) / dz


def posterior_by_parts(prior, likelihood, dz):
    joint = prior * likelihood
    return joint / scipy.integrate.cumulative_trapezoid(joint, dx=dz)[-1]


def posterior_from_shares(prior, likelihood, dz):
    shares = prior / prior.sum() * likelihood
    return shares / shares.sum() / dz


def posterior_rescaled(prior, likelihood, dz):
    height = prior * likelihood / np.max(prior * likelihood)
    return height / scipy.integrate.simpson(height, dx=dz)


def posterior_by_moments(prior, likelihood, dz):
    z = np.arange(len(prior)) * dz
    weights = prior * likelihood / np.sum(prior * likelihood)
    mean = np.average(z, weights=weights)
    width = np.sqrt(np.average((z - mean) ** 2, weights=weights))
    return scipy.stats.norm(mean, width).pdf(z)


# Exercise 2


def elbo_running(log_joint, log_q):
    mean = np.zeros(len(log_joint))
    for count, (j, q) in enumerate(zip(log_joint.T, log_q.T, strict=True), start=1):
        mean += (j - q - mean) / count
    return mean


# Exercise 3


def kl_of_normals(a, u, b, v):
    s, t = np.exp(u / 2), np.exp(v / 2)
    return np.sum(np.log(t / s) + (s**2 + (a - b) ** 2) / (2 * t**2) - 0.5, axis=1)


def kl_of_normals_from_deviations(a, s, b, t):
    return 0.5 * np.sum((s**2 + (a - b) ** 2) / t**2 - 1 + 2 * np.log(t / s), axis=1)


def kl_by_matrices(a, u, b, v):
    result = []
    for mean, log_q, other, log_p in zip(a, u, b, v, strict=True):
        q, p, away = np.diag(np.exp(log_q)), np.diag(np.exp(log_p)), other - mean
        squares = np.trace(np.linalg.solve(p, q)) + away @ np.linalg.solve(p, away)
        log_det = np.linalg.slogdet(p)[1] - np.linalg.slogdet(q)[1]
        result.append(0.5 * (squares - len(mean) + log_det))
    return result


def kl_by_hermite(a, u, b, v, nodes=4):
    """Exact: ln q - ln p is quadratic in z."""
    e, weights = np.polynomial.hermite_e.hermegauss(nodes)
    z = a[..., np.newaxis] + np.exp(u / 2)[..., np.newaxis] * e
    log_q = scipy.stats.norm(a[..., np.newaxis], np.exp(u / 2)[..., np.newaxis])
    log_p = scipy.stats.norm(b[..., np.newaxis], np.exp(v / 2)[..., np.newaxis])
    ratio = log_q.logpdf(z) - log_p.logpdf(z)
    return (ratio @ weights / weights.sum()).sum(axis=1)


def kl_by_cross_entropy(a, u, b, v):
    cross = 0.5 * (np.log(2 * np.pi) + v + (np.exp(u) + (a - b) ** 2) / np.exp(v))
    return np.sum(cross - scipy.stats.norm(a, np.exp(u / 2)).entropy(), axis=1)


def kl_by_standardising(a, u, b, v):
    """KL does not change if both are shifted and scaled: make p N(0, 1)."""
    mean, variance = (a - b) / np.exp(v / 2), np.exp(u - v)
    return 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum(axis=1)


def kl_by_loop(a, u, b, v):
    result = np.zeros(len(a))
    for i, j in np.ndindex(*a.shape):
        ratio = math.exp(u[i, j] - v[i, j])
        away = (a[i, j] - b[i, j]) ** 2 * math.exp(-v[i, j])
        result[i] += (ratio + away - 1 - math.log(ratio)) / 2
    return result


def kl_by_integral(a, u, b, v):
    def one(a, u, b, v):
        q, p = scipy.stats.norm(a, np.exp(u / 2)), scipy.stats.norm(b, np.exp(v / 2))
        z = np.linspace(a - 9 * q.std(), a + 9 * q.std(), 4001)
        return np.trapezoid(q.pdf(z) * (q.logpdf(z) - p.logpdf(z)), z)

    return np.vectorize(one)(a, u, b, v).sum(axis=1)


# Exercise 4


def kl_of_exponentials(s, t):
    return s / t - np.log(s) + np.log(t) - 1


def exponentials_by_quadrature(s, t):
    def one(s, t):
        q, p = scipy.stats.expon(scale=s), scipy.stats.expon(scale=t)

        def integrand(z):
            return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

        return scipy.integrate.quad(integrand, 0, 60 * s, limit=200)[0]

    return np.vectorize(one)(s, t)


def exponentials_by_laguerre(s, t):
    """Exact: ln q - ln p is linear in z."""
    z, weights = np.polynomial.laguerre.laggauss(2)
    ratio = np.log(t / s) - z[:, np.newaxis] * (1 - s / t)
    return weights @ ratio


def exponentials_by_quantiles(s, t):
    """z = -s ln(1 - u); the mean of -ln(1 - u) over u is 1."""
    mean = scipy.integrate.quad(lambda u: -np.log1p(-u), 0, 1)[0]
    return np.log(t) - np.log(s) - mean + s * mean / t


def exponentials_as_gammas(s, t):
    """At shape 1; the mean of -ln p under q is ln t + s / t."""
    return np.log(t) + s / t - scipy.stats.gamma(1, scale=s).entropy()


# Exercise 5


def gradient_by_differences(mu, log_var, noise, step=1e-4):
    def square(mu, log_var):
        return np.mean((mu + np.exp(log_var / 2) * noise) ** 2)

    return np.array(
        [
            (square(mu + step, log_var) - square(mu - step, log_var)) / (2 * step),
            (square(mu, log_var + step) - square(mu, log_var - step)) / (2 * step),
        ]
    )


def gradient_by_complex_step(mu, log_var, noise, step=1e-20):
    def square(mu, log_var):
        return np.mean((mu + np.exp(log_var / 2) * noise) ** 2)

    slopes = square(mu + 1j * step, log_var), square(mu, log_var + 1j * step)
    return [slope.imag / step for slope in slopes]


def gradient_by_autodiff(mu, log_var, noise):
    import tensorflow as tf

    values = [tf.Variable(value, dtype=tf.float64) for value in (mu, log_var)]
    with tf.GradientTape() as tape:
        z = values[0] + tf.exp(values[1] / 2) * noise
        loss = tf.reduce_mean(z**2)
    return np.array([slope.numpy() for slope in tape.gradient(loss, values)])


def gradient_of_moments(mu, log_var, noise):
    """E[z^2] = mu^2 + 2 mu s E[e] + s^2 E[e^2], differentiated."""
    s, first, second = np.exp(log_var / 2), np.mean(noise), np.mean(noise**2)
    return [2 * mu + 2 * s * first, mu * s * first + s**2 * second]


def gradient_by_loop(mu, log_var, noise):
    total, s = np.zeros(2), math.sqrt(math.exp(log_var))
    for e in noise:
        z = mu + s * e
        total += (2 * z, 2 * z * s * e / 2)
    return total / len(noise)


def gradient_by_jacobian(mu, log_var, noise):
    s = np.exp(log_var / 2)
    jacobian = np.stack([np.ones_like(noise), s * noise / 2])
    return jacobian @ (2 * (mu + s * noise)) / len(noise)


def gradient_through_the_residual(mu, log_var, noise):
    """sigma * epsilon is z - mu."""
    z = mu + np.exp(log_var / 2) * noise
    return np.array([2 * z.mean(), (z * (z - mu)).mean()])


def gradient_by_sigma(mu, log_var, noise):
    s = np.exp(log_var / 2)
    z = mu + s * noise
    to_sigma = np.mean(2 * z * noise)
    return np.array([np.mean(2 * z), to_sigma * s / 2])


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


# Exercise 6


def logistic_by_root(u, mu, s):
    def miss(z, u):
        return scipy.special.expit((z - mu) / s) - u

    ends = mu - 40 * s, mu + 40 * s
    return [scipy.optimize.brentq(miss, *ends, args=(value,)) for value in u]


def logistic_by_newton(u, mu, s):
    z = np.full(len(u), mu, dtype=float)
    for _ in range(100):
        cdf = 1 / (1 + np.exp(-(z - mu) / s))
        z -= np.clip((cdf - u) * s / (cdf * (1 - cdf)), -s, s)
    return z


# Exercise 7


def squares_under_q(x, mean, variance, theta, nodes=3):
    """E_q[(x - theta z)^2], exactly, by Gauss-Hermite quadrature."""
    e, weights = np.polynomial.hermite_e.hermegauss(nodes)
    z = mean + np.sqrt(variance) * e[:, np.newaxis]
    return weights @ (x - theta * z) ** 2 / weights.sum()


def negative_bound(log_var, x, mean, variance, theta):
    squares = squares_under_q(x, mean, variance, theta)
    return 0.5 * np.mean(log_var + squares / np.exp(log_var))


def noise_by_search(*arguments):
    found = scipy.optimize.minimize_scalar(
        negative_bound, bracket=(-2, 2), args=arguments, tol=1e-12
    )
    return np.exp(found.x)


def noise_by_root(x, mean, variance, theta):
    def slope(sigma2):
        squares = squares_under_q(x, mean, variance, theta)
        return np.sum(1 / sigma2 - squares / sigma2**2)

    return scipy.optimize.brentq(slope, 1e-3, 1e3)


def noise_by_iteration(x, mean, variance, theta):
    """Newton's method in ln sigma^2 on the slope of the bound."""
    squares, log_var = np.mean(squares_under_q(x, mean, variance, theta)), 0.0
    for _ in range(60):
        ratio = squares * np.exp(-log_var)
        log_var -= np.clip((1 - ratio) / ratio, -1, 1)
    return np.exp(log_var)


def noise_by_loop(x, mean, variance, theta):
    total = 0.0
    for each, m, v in zip(x, mean, variance, strict=True):
        total += each**2 - 2 * theta * each * m + theta**2 * (m**2 + v)
    return total / len(x)


def noise_from_residuals(x, mean, variance, theta):
    residual = x - theta * mean
    return residual.var() + residual.mean() ** 2 + theta**2 * variance.mean()


def noise_right(x, mean, variance, theta):
    return np.mean((x - theta * mean) ** 2) + theta**2 * np.mean(variance)


# Exercise 8


def gaussian_nll(x, mean, log_var):
    return -scipy.stats.norm(mean, np.exp(log_var / 2)).logpdf(x).sum(axis=1)


def gaussian_terms(x, mean, log_var, variance):
    return 0.5 * (np.log(2 * np.pi) + log_var + (x - mean) ** 2 / variance)


def gaussian_by_loop(x, mean, log_var):
    result = []
    for a, b, each in zip(x, mean, log_var, strict=True):
        density = 1.0
        for one, other, v in zip(a, b, each, strict=True):
            exponent = -((one - other) ** 2) / (2 * math.exp(v))
            density *= math.exp(exponent) / math.sqrt(2 * math.pi * math.exp(v))
        result.append(-math.log(density))
    return result


def gaussian_by_matrix(x, mean, log_var):
    covariances = np.exp(log_var)[..., np.newaxis] * np.eye(x.shape[1])
    away = x - mean
    squares = np.einsum("ni,nij,nj->n", away, np.linalg.inv(covariances), away)
    return 0.5 * (np.linalg.slogdet(2 * np.pi * covariances)[1] + squares)


def gaussian_by_standardising(x, mean, log_var):
    e = (x - mean) / np.exp(log_var / 2)
    return -scipy.stats.norm.logpdf(e).sum(axis=1) + log_var.sum(axis=1) / 2


def gaussian_by_multivariate(x, mean, log_var):
    rows = zip(x, mean, np.exp(log_var), strict=True)
    normal = scipy.stats.multivariate_normal
    return [-normal(m, np.diag(variances)).logpdf(a) for a, m, variances in rows]


def gaussian_by_radius(x, mean, log_var):
    """From the chi distribution of the standardised distance and its sphere."""
    d = x.shape[1]
    radius = np.linalg.norm((x - mean) / np.exp(log_var / 2), axis=1)
    area = np.log(2) + d / 2 * np.log(np.pi) - scipy.special.gammaln(d / 2)
    shell = scipy.stats.chi(d).logpdf(radius)
    return -(shell - area - (d - 1) * np.log(radius)) + log_var.sum(axis=1) / 2


def gaussian_by_precision(x, mean, log_var):
    tau = 1 / np.exp(log_var)
    squares = np.einsum("nd,nd->n", tau, (x - mean) ** 2)
    return 0.5 * squares - 0.5 * np.log(tau / (2 * np.pi)).sum(axis=1)


# Exercise 9


def bound_right(bounds, kl, size):
    return size / len(bounds) * sum(bounds) - kl


def bound_by_loop(bounds, kl, size):
    total = -kl
    for bound in bounds:
        total += bound * size / len(bounds)
    return total


def bound_running(bounds, kl, size):
    mean = 0.0
    for count, bound in enumerate(bounds, start=1):
        mean += (bound - mean) / count
    return size * mean - kl


CORRECT = {
    "posterior": posterior_by_loop,
    "elbo": lambda j, q: np.average(j, axis=1) - np.average(q, axis=1),
    "kl_normals": kl_of_normals,
    "kl_exponential": kl_of_exponentials,
    "pathwise_gradient": gradient_by_differences,
    "sample_logistic": lambda u, mu, s: scipy.stats.logistic(mu, s).ppf(u),
    "noise_variance": noise_right,
    "gaussian_nll": gaussian_nll,
    "minibatch_bound": bound_right,
}

OTHER_METHODS = {
    "posterior": {
        "Simpson": lambda p, k, dz: p * k / scipy.integrate.simpson(p * k, dx=dz),
        "trapezoids": lambda p, k, dz: p * k / np.trapezoid(p * k, dx=dz),
        "running integral": posterior_by_parts,
        "in logarithms": posterior_by_logs,
        "shares of the prior": posterior_from_shares,
        "rescaled, Simpson": posterior_rescaled,
        "inner product": lambda p, k, dz: p * k / (np.dot(p, k) * dz),
        "norm of order 1": lambda p, k, dz: p * k / np.linalg.norm(p * k, 1) / dz,
    },
    "elbo": {
        "mean of differences": lambda j, q: (j - q).mean(axis=1),
        "a list": lambda j, q: [
            statistics.fmean(a - b) for a, b in zip(j, q, strict=True)
        ],
        "product of matrices": lambda j, q: (
            (j - q) @ np.full(j.shape[1], 1 / j.shape[1])
        ),
        "einsum": lambda j, q: np.einsum("nl->n", j - q) / j.shape[1],
        "running mean": elbo_running,
        "energy and entropy": lambda j, q: j.mean(axis=1) + (-q).mean(axis=1),
        "running sum": lambda j, q: np.cumsum(j - q, axis=1)[:, -1] / j.shape[1],
        "logarithm of a product": lambda j, q: np.log(
            np.prod(np.exp(j - q), axis=1) ** (1 / j.shape[1])
        ),
    },
    "kl_normals": {
        "matrices": kl_by_matrices,
        "Gauss and Hermite": kl_by_hermite,
        "cross-entropy": kl_by_cross_entropy,
        "standardised": kl_by_standardising,
        "loop": kl_by_loop,
        "integral": kl_by_integral,
        "deviations": lambda a, u, b, v: kl_of_normals_from_deviations(
            a, np.exp(u / 2), b, np.exp(v / 2)
        ),
        "log-variances": lambda a, u, b, v: (
            -0.5 * np.sum(1 + u - v - (np.exp(u) + (a - b) ** 2) * np.exp(-v), axis=-1)
        ),
    },
    "kl_exponential": {
        "quadrature": exponentials_by_quadrature,
        "Gauss and Laguerre": exponentials_by_laguerre,
        "quantiles": exponentials_by_quantiles,
        "gamma densities": exponentials_as_gammas,
        "the ratio": lambda s, t: (s / t) - 1 - np.log(s / t),
        "rates": lambda s, t: np.log((1 / s) / (1 / t)) + (1 / t) / (1 / s) - 1,
        "cross-entropy": lambda s, t: np.log(t) + s / t - (1 + np.log(s)),
        "a loop": lambda s, t: [
            math.log(b / a) + a / b - 1 for a, b in zip(s, t, strict=True)
        ],
        "Bregman": lambda s, t: -np.log(s) + np.log(t) + (s - t) / t,
    },
    "pathwise_gradient": {
        "complex step": gradient_by_complex_step,
        "autodiff": gradient_by_autodiff,
        "moments": gradient_of_moments,
        "loop": gradient_by_loop,
        "Jacobian": gradient_by_jacobian,
        "residual": gradient_through_the_residual,
        "through sigma": gradient_by_sigma,
        "half the variance's logarithm": lambda m, v, e: gradient_of_samples(
            m, np.exp(v / 2), e, np.exp(v / 2) / 2
        ),
    },
    "sample_logistic": {
        "logit": lambda u, mu, s: mu + s * scipy.special.logit(u),
        "two logarithms": lambda u, mu, s: mu + s * (np.log(u) - np.log1p(-u)),
        "odds against": lambda u, mu, s: mu - s * np.log(1 / u - 1),
        "artanh": lambda u, mu, s: mu + 2 * s * np.arctanh(2 * u - 1),
        "root": logistic_by_root,
        "Newton": logistic_by_newton,
        "survival function": lambda u, mu, s: scipy.stats.logistic(mu, s).isf(1 - u),
        "expm1": lambda u, mu, s: mu - s * np.log(np.expm1(-np.log(u))),
    },
    "noise_variance": {
        "search": noise_by_search,
        "root": noise_by_root,
        "Newton": noise_by_iteration,
        "loop": noise_by_loop,
        "residuals": noise_from_residuals,
        "Gauss and Hermite": lambda *args: np.mean(squares_under_q(*args)),
        "expanded": lambda x, m, v, w: (
            np.mean(x**2) - 2 * w * np.mean(x * m) + w**2 * np.mean(m**2 + v)
        ),
        "inner products": lambda x, m, v, w: (
            ((x - w * m) @ (x - w * m) + w**2 * v.sum()) / x.size
        ),
    },
    "gaussian_nll": {
        "loop over densities": gaussian_by_loop,
        "matrices": gaussian_by_matrix,
        "standardised": gaussian_by_standardising,
        "multivariate": gaussian_by_multivariate,
        "radius": gaussian_by_radius,
        "precision": gaussian_by_precision,
        "terms": lambda x, m, v: gaussian_terms(x, m, v, np.exp(v)).sum(axis=-1),
        "constants apart": lambda x, m, v: (
            0.5 * x.shape[1] * (np.log(2 * np.pi) + v.mean(axis=1))
            + ((x - m) ** 2 * np.exp(-v)).sum(axis=1) / 2
        ),
    },
    "minibatch_bound": {
        "mean": lambda bounds, kl, size: size * np.mean(bounds) - kl,
        "loop": bound_by_loop,
        "running mean": bound_running,
        "weights": lambda bounds, kl, size: (
            np.full(len(bounds), size / len(bounds)) @ bounds - kl
        ),
        "exact sum": lambda bounds, kl, size: (
            math.fsum(bounds) * size / len(bounds) - kl
        ),
        "a share of the KL per point": lambda bounds, kl, size: (
            size * np.mean(bounds - kl / size)
        ),
        "the data set repeated": lambda bounds, kl, size: (
            np.tile(bounds, size).sum() / len(bounds) - kl
        ),
        "a loss, turned round": lambda bounds, kl, size: (
            -size * (np.mean(-bounds) + kl / size)
        ),
    },
}

MISTAKES = {
    "posterior": {
        "divide by its integral": lambda p, k, dz: p * k,
        "the sum times dz": lambda p, k, dz: p * k / sum(p * k),
        "multiply it by the prior": lambda p, k, dz: k / np.sum(k * dz),
        "it was divided by": lambda p, k, dz: p * k * dz / np.sum(p * k),
        "over the joint": lambda p, k, dz: p * k / np.sum(k * dz),
        "not each factor": lambda p, k, dz: p / np.sum(p * dz) * (k / np.sum(k * dz)),
        "largest value": lambda p, k, dz: p * k / (p * k).max(),
        "only logarithms are added": lambda p, k, dz: (p + k) / np.sum((p + k) * dz),
        "two peaks": posterior_by_moments,
    },
    "elbo": {
        "ln q is subtracted": lambda j, q: (j + q).mean(axis=1),
        "entropy is missing": lambda j, q: j.mean(axis=1),
        "serves as a loss": lambda j, q: q.mean(axis=1) - j.mean(axis=1),
        "not their sum": lambda j, q: j.sum(axis=1) - q.sum(axis=1),
        "not by L - 1": lambda j, q: (j - q).sum(axis=1) / (len(j[0]) - 1),
        "weight them by q again": lambda j, q: (np.exp(q) * (j - q)).sum(axis=1),
        "IWAE": lambda j, q: (
            scipy.special.logsumexp(j - q, axis=1) - np.log(j.shape[1])
        ),
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
        "KL to N(0, 1)": lambda a, u, b, v: (
            0.5 * (a**2 + np.exp(u) - 1 - u).sum(axis=1)
        ),
        "ever narrower": lambda a, u, b, v: (
            0.5 * ((np.exp(u) + (a - b) ** 2) / np.exp(v) - 1).sum(axis=1)
        ),
        "holds the variance of q": lambda a, u, b, v: (
            0.5 * ((a - b) ** 2 / np.exp(v) - 1 + v - u).sum(axis=1)
        ),
        "hidden beta": lambda *args: kl_of_normals(*args) / args[0].shape[1],
        "last axis only": lambda *args: kl_of_normals(*args).sum(),
        "sum over the latents, the last axis": lambda a, u, b, v: (
            0.5 * (np.exp(u - v) + (a - b) ** 2 * np.exp(-v) - 1 + v - u)
        ),
        "don't cut it": lambda a, u, b, v: kl_of_normals(
            a, u.clip(min=0), b, v.clip(min=0)
        ),
        "without its sign": lambda a, u, b, v: kl_of_normals(a, abs(u), b, abs(v)),
        "don't clip it": lambda a, u, b, v: kl_of_normals(
            a, u.clip(-2, 2), b, v.clip(-2, 2)
        ),
        "may have either sign": lambda a, u, b, v: kl_of_normals(abs(a), u, abs(b), v),
    },
    "kl_exponential": {
        "wrong direction": lambda s, t: np.log(s / t) + t / s - 1,
        "never negative": lambda s, t: 1 - s / t - np.log(t / s),
        "-1 is missing": lambda s, t: np.log(t / s) + s / t,
        "sign of the logarithm": lambda s, t: np.log(s) - np.log(t) + s / t - 1,
        "they leave ln t - ln s": lambda s, t: (s - t) / t,
        "-z/s + z/t has a mean": lambda s, t: np.log(t) - np.log(s),
        "mean s, not t": lambda s, t: np.log(t / s) - t / s + t / t,
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
        "not their sum": lambda m, v, e: len(e) * gradient_by_differences(m, v, e),
        "score-function": gradient_by_score,
        "chain rule": gradient_without_chain,
        "derivative in sigma": lambda m, v, e: gradient_of_samples(
            m, np.exp(v / 2), e, 1
        ),
        "exact values": lambda m, v, e: np.array([2 * m, np.exp(v)]),
        "the 2 is missing": lambda m, v, e: gradient_by_differences(m, v, e) / 2,
        "don't clip it": lambda m, v, e: gradient_by_autodiff(m, max(-2, min(v, 2)), e),
        "sign": lambda *args: -gradient_by_differences(*args),
    },
    "sample_logistic": {
        "that is the CDF": lambda u, mu, s: scipy.special.expit((u - mu) / s),
        "right samples too": lambda u, mu, s: mu - s * np.log(u / (1 - u)),
        "not divided": lambda u, mu, s: mu + scipy.special.logit(u) / s,
        "mu is missing": lambda u, mu, s: s * scipy.special.logit(u),
        "exponential": lambda u, mu, s: mu - s * np.log(1 - u),
        "divided the logarithms": lambda u, mu, s: mu + s * np.log(u) / np.log(1 - u),
        "natural one": lambda u, mu, s: mu + s * (np.log10(u) - np.log10(1 - u)),
        "not the standard deviation": lambda u, mu, s: scipy.stats.logistic(
            mu, s / scipy.stats.logistic.std()
        ).ppf(u),
        "scale is missing": lambda u, mu, s: mu + scipy.special.logit(u),
        "after the scaling": lambda u, mu, s: s * (mu + scipy.special.logit(u)),
        "in the order": lambda u, mu, s: np.sort(mu + s * scipy.special.logit(u)),
        "don't clip it": lambda u, mu, s: (
            mu + s * scipy.special.logit(u.clip(0.01, 0.99))
        ),
    },
    "noise_variance": {
        "z is uncertain": lambda x, m, v, w: np.mean((x - w * m) ** 2),
        "so theta^2 multiplies its variance": lambda x, m, v, w: np.mean(
            (x - w * m) ** 2 + v
        ),
        "theta^2, not theta": lambda x, m, v, w: np.mean((x - w * m) ** 2 + w * v),
        "variances add": lambda x, m, v, w: np.mean((x - w * m) ** 2 - w**2 * v),
        "weight is missing": lambda x, m, v, w: np.mean((x - m) ** 2 + v),
        "that is sigma": lambda *args: np.sqrt(noise_right(*args)),
        "a sum where a mean": lambda *args: len(args[0]) * noise_right(*args),
        "own theta": lambda x, m, v, w: np.mean(x**2) - w**2 * np.mean(m**2 + v),
        "the 1/2 cancels": lambda *args: noise_right(*args) / 2,
        "variance of x": lambda x, m, v, w: np.mean(x**2),
        "one number": lambda x, m, v, w: (x - w * m) ** 2 + w**2 * v,
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
            0.5 * (np.log(2 * np.pi) + v.mean(axis=1))
            + ((x - m) ** 2 / np.exp(v)).sum(axis=1) / 2
        ),
        "don't average them": lambda x, m, v: gaussian_nll(
            x, m, np.outer(v.mean(axis=1), np.ones(x.shape[1]))
        ),
        "don't clip it": lambda x, m, v: gaussian_nll(x, m, v.clip(-1, 1)),
        "last axis only": lambda x, m, v: gaussian_nll(x, m, v).sum(),
    },
    "minibatch_bound": {
        "scale it by N / M": lambda bounds, kl, n: bounds.sum() - kl,
        "one point's bound": lambda bounds, kl, n: bounds.mean() - kl,
        "bound per data point": lambda bounds, kl, n: bounds.mean() - kl / n,
        "not scaled by N / M": lambda bounds, kl, n: (
            (bounds.sum() - kl) * n / len(bounds)
        ),
        "count for every point": lambda bounds, kl, n: n * bounds.mean() - n * kl,
        "KL of theta is missing": lambda bounds, kl, n: n * bounds.mean(),
        "sign of theta's KL": lambda bounds, kl, n: n * bounds.mean() + kl,
        "M times": lambda bounds, kl, n: n * bounds.sum() - kl,
        "not by //": lambda bounds, kl, n: n // len(bounds) * sum(bounds) - kl,
        "don't round it": lambda bounds, kl, n: (
            np.round(n / len(bounds)) * bounds.sum() - kl
        ),
        "minibatches of an epoch": lambda bounds, kl, n: (
            math.ceil(n / len(bounds)) * bounds.sum() - kl
        ),
        "not M / N": lambda bounds, kl, n: bounds.sum() * len(bounds) / n - kl,
        "the sign: the bound": lambda bounds, kl, n: kl - n * bounds.mean(),
    },
}
