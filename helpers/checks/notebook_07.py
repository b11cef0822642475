"""Checks of notebook 07: the paper's results; phases, leaps, an estimator."""

from functools import partial

import numpy as np
from scipy.special import expit, logsumexp

from helpers.checks.comparing import LOG_2_PI, Function, check, right_on, then


def drawn_nll(x, logits):
    """Return -ln p(x|z) pixel by pixel, (n, D)."""
    return np.logaddexp(0, logits) - x * logits


def found_nll(z, mean, log_var):
    """Return -ln q(z|x) latent by latent, (n, d)."""
    return 0.5 * (LOG_2_PI + log_var + (z - mean) ** 2 * np.exp(-log_var))


def wake_sleep(x, logits, z, mean, log_var, reduce=np.sum, over=np.mean, **parts):
    awake = parts.get("awake", drawn_nll)(x, logits)
    asleep = parts.get("asleep", found_nll)(z, mean, log_var)
    return np.array([over(reduce(each, axis=1)) for each in (awake, asleep)])


def kl(z, mean, log_var):
    return 0.5 * (mean**2 + np.exp(log_var) - log_var - 1)


WAKE_SLEEP = {
    "nats per picture: sum over pixels and over latents": (
        partial(wake_sleep, reduce=np.mean),
        lambda x, o, z, m, v: (
            wake_sleep(x, o, z, m, v) / np.array([x.shape[1], z.shape[1]])
        ),
    ),
    "the mean over pictures, not the sum": partial(wake_sleep, over=np.sum),
    "losses are minimised: here is the sign of a likelihood": (
        then(wake_sleep, np.negative)
    ),
    "log_var is the logarithm of a variance; here it is that of a deviation": partial(
        wake_sleep, asleep=lambda z, m, v: found_nll(z, m, 2 * v)
    ),
    "log_var is a logarithm: its exponential is the variance": partial(
        wake_sleep,
        asleep=lambda z, m, v: (
            0.5 * (LOG_2_PI + np.log(np.abs(v)) + (z - m) ** 2 / np.abs(v))
        ),
    ),
    "divide the squared distance by the variance": partial(
        wake_sleep,
        asleep=lambda z, m, v: 0.5 * (LOG_2_PI + v + (z - m) ** 2),
    ),
    "asleep z is known: -ln q(z), and not the KL to the prior": partial(
        wake_sleep, asleep=kl
    ),
    "asleep z is known: its density under q, and not under the prior": partial(
        wake_sleep, asleep=lambda z, m, v: 0.5 * (LOG_2_PI + z**2)
    ),
    "ln 2π belongs to the density": partial(
        wake_sleep, asleep=lambda z, m, v: found_nll(z, m, v) - LOG_2_PI / 2
    ),
    "the density's height counts: log_var / 2 is missing": partial(
        wake_sleep, asleep=lambda z, m, v: found_nll(z, m, v) - v / 2
    ),
    "half the squared distance, and half of log_var": partial(
        wake_sleep, asleep=lambda z, m, v: 2 * found_nll(z, m, v) - LOG_2_PI / 2
    ),
    "blank paper counts too: pixels of 0 have a probability": partial(
        wake_sleep, awake=lambda x, o: x * np.logaddexp(0, -o)
    ),
    "the roles of 0 and 1 are swapped": partial(
        wake_sleep, awake=lambda x, o: drawn_nll(1 - x, o)
    ),
    "awake the decoder is judged by -ln p(x|z), and not by squared errors": partial(
        wake_sleep, awake=lambda x, o: (x - expit(o)) ** 2
    ),
    "exp of a large logit overflows, to infinity: use np.logaddexp": (
        partial(wake_sleep, awake=lambda x, o: np.log(1 + np.exp(o)) - x * o),
        partial(wake_sleep, awake=lambda x, o: np.log(1 + np.exp((1 - 2 * x) * o))),
    ),
    "the first is the wake phase": then(wake_sleep, lambda both: both[::-1]),
    "two losses, each with its own network: not their sum": then(wake_sleep, np.sum),
    "one pair of losses: the mean over pictures too": partial(
        wake_sleep, over=lambda each: each
    ),
}


def check_wake_sleep(attempt: Function) -> str:
    """Check ``wake_sleep(x, logits, z, mean, log_var)``, which returns both losses.

    Args of the attempt: awake, binary pictures x (n, D) and the logits (n, D) of their
    drawings; asleep, codes z (n, d) of dreams, and what the encoder says of these.
    """
    rng = np.random.default_rng(0)

    def given(n, pixels, d, scale):
        x = (rng.uniform(size=(n, pixels)) < 0.4).astype(float)
        logits = scale * rng.normal(size=(n, pixels))
        z, mean, log_var = rng.normal(size=(3, n, d))
        return x, logits, z, mean, log_var

    mild, steep = given(5, 7, 3, 2.0), given(4, 6, 2, 2000.0)
    wrong = {
        "right for ordinary logits; ln of a rounded 0 is no loss: use np.logaddexp": (
            right_on(lambda x, logits, *_: abs(logits).max() < 50, attempt, wake_sleep)
        )
    }
    return check(attempt, wake_sleep, [mild, steep], WAKE_SLEEP | wrong)


def log_mean(each, axis=0):
    return logsumexp(each, axis=axis) - np.log(np.shape(each)[axis])


def marginal_likelihood(log_q, log_joint):
    return -log_mean(log_q - log_joint)


MARGINAL_LIKELIHOOD = {
    "right for samples of q; these are of p(z|x), where q / p has the mean 1 / p(x)": (
        lambda q, j: log_mean(j - q)
    ),
    "right for mild numbers; exp(1000) overflows: use scipy.special.logsumexp": (
        lambda q, j: -np.log(np.mean(np.exp(q - j), axis=0)),
        lambda q, j: -np.log(np.mean(np.exp(q) / np.exp(j), axis=0)),
    ),
    "that is ln of 1 / p(x): turn it round": then(marginal_likelihood, np.negative),
    "a mean, not a sum: ln L is missing": lambda q, j: -logsumexp(q - j, axis=0),
    "the sign of ln L: dividing the sum by L raises ln p(x)": (
        lambda q, j: -logsumexp(q - j, axis=0) - np.log(len(q))
    ),
    "the mean inside the logarithm, not of logarithms": (
        lambda q, j: np.mean(j - q, axis=0)
    ),
    "one estimate per picture: the mean over samples, the rows": (
        lambda q, j: -log_mean(q - j, axis=1),
        lambda q, j: -log_mean((q - j).ravel()),
    ),
    "one estimate per picture, not their mean": then(marginal_likelihood, np.mean),
    "one estimate per picture, not their sum": then(marginal_likelihood, np.sum),
    "the logarithm of p(x), not p(x)": then(marginal_likelihood, np.exp),
    "q(z) belongs to it: without it the mean need not exist": (
        lambda q, j: -log_mean(-j)
    ),
    "p(x, z) belongs to it: that is q alone": lambda q, j: -log_mean(q),
    "a quotient, so that the logarithms are subtracted": lambda q, j: -log_mean(q + j),
    "one sample is not the mean: the largest quotient": (
        lambda q, j: -np.max(q - j, axis=0)
    ),
    "one sample is not the mean: the first": lambda q, j: (j - q)[0],
    "the median of the quotients is not their mean": (
        lambda q, j: np.median(j - q, axis=0)
    ),
    "numerator and denominator belong together, sample by sample": (
        lambda q, j: log_mean(j) - log_mean(q)
    ),
}


def check_marginal_likelihood(attempt: Function) -> str:
    """Check ``marginal_likelihood(log_q, log_joint)``, which returns ln p(x), (n,).

    Args of the attempt: ln q(z) and ln p(x, z) of L samples of p(z|x) for each of n
    pictures, (L, n).
    """
    rng = np.random.default_rng(0)
    mild = (rng.normal(size=(6, 4)), rng.normal(size=(6, 4)))
    deep = (rng.normal(size=(5, 3)), rng.normal(size=(5, 3)) - 1000)
    inputs = [mild, deep]
    return check(attempt, marginal_likelihood, inputs, MARGINAL_LIKELIHOOD)


def leapfrog(z, momentum, precision, size, leaps, **parts):
    """Return codes and momenta after so many leaps, (2, n, d)."""
    slope = parts.get("slope", lambda z, precision: -z @ precision)
    first, last = parts.get("first", 0.5), parts.get("last", 0.5)
    between, drift = parts.get("between", 1.0), parts.get("drift", size)
    momentum = momentum + first * size * slope(z, precision)
    for leap in range(leaps):
        z = z + drift * momentum
        kick = between if leap < leaps - 1 else last
        momentum = momentum + kick * size * slope(z, precision)
    return np.array([z, momentum])


def euler(z, momentum, precision, size, leaps):
    for _ in range(leaps):
        slope = -z @ precision
        z, momentum = z + size * momentum, momentum + size * slope
    return np.array([z, momentum])


def drift_first(z, momentum, precision, size, leaps):
    for leap in range(leaps):
        z = z + (size if leap else size / 2) * momentum
        momentum = momentum - size * z @ precision
    return np.array([z + size / 2 * momentum, momentum])


LEAPFROG = {
    "the first and the last kick are halves; here all are whole": (
        partial(leapfrog, first=1.0, last=1.0),
        partial(leapfrog, first=1.0, last=0.0),
        partial(leapfrog, first=0.0, last=1.0),
    ),
    "all kicks but the first and the last are whole; here all are halves": partial(
        leapfrog, between=0.5
    ),
    "the last half of a kick is missing": partial(leapfrog, last=0.0),
    "the first half of a kick is missing": partial(leapfrog, first=0.0),
    "the last kick is a half; here it is whole": partial(leapfrog, last=1.0),
    "the first kick is a half; here it is whole": partial(leapfrog, first=1.0),
    "uphill of ln p: its slope is -z @ precision; here is the sign of the other": (
        partial(leapfrog, slope=lambda z, precision: z @ precision)
    ),
    "the precision belongs to the slope": partial(
        leapfrog, slope=lambda z, precision: -z
    ),
    "the precision, not its inverse, the covariance": partial(
        leapfrog, slope=lambda z, precision: -z @ np.linalg.inv(precision)
    ),
    "ln p has a half in it, and its slope none": partial(
        leapfrog, slope=lambda z, precision: -z @ precision / 2
    ),
    "latents depend on each other: the whole precision, not its diagonal": partial(
        leapfrog, slope=lambda z, precision: -z * np.diag(precision)
    ),
    "a code moves by size times momentum": partial(leapfrog, drift=1.0),
    "the step size belongs in the kicks too": (
        lambda z, m, p, s, n: leapfrog(z, m, p / s, s, n)
    ),
    "kick, drift, kick: here all start from the same place": euler,
    "first half a kick, then the drift; here is the other order": drift_first,
    "as many leaps as are asked for; here is one": (
        lambda z, m, p, s, n: leapfrog(z, m, p, s, 1)
    ),
    "as many leaps as are asked for; here is one too few": (
        lambda z, m, p, s, n: leapfrog(z, m, p, s, n - 1)
    ),
    "codes first, then momenta": then(leapfrog, lambda both: both[::-1]),
    "codes and momenta, both": then(leapfrog, lambda both: both[0]),
}


def check_leapfrog(attempt: Function) -> str:
    """Check ``leapfrog(z, momentum, precision, size, leaps)``: (2, n, d).

    Args of the attempt: codes and momenta, (n, d) each, a normal's precision (d, d), a
    step size, and how many leaps to take.
    """
    rng = np.random.default_rng(0)
    inputs = []
    for n, d, size, leaps in ((4, 2, 0.3, 5), (3, 3, 0.2, 4)):
        root = rng.normal(size=(d, d))
        z, momentum = rng.normal(size=(2, n, d))
        inputs.append((z, momentum, root @ root.T + np.eye(d), size, leaps))
    return check(attempt, leapfrog, inputs, LEAPFROG)
