"""Checks of notebook 04, the samplers: any way to the right distribution is right."""

import numpy as np
from scipy.special import ndtri

from helpers.checks.comparing import (
    Function,
    check,
    largest_difference,
    numbers,
    right_on,
)

COUNT = 2**14
# a lattice that fills the square evenly, and never touches 0: (2, COUNT, 1)
SPREAD = np.stack(
    [(0.5 + step * np.arange(COUNT)) % 1 for step in (0.7548776662, 0.5698402910)]
)[..., np.newaxis]


def exponential(u):
    return -np.log1p(-u)


def two_exponentials(u):
    return exponential(u[0]) - exponential(u[1])


def is_laplace(noise):
    """Whether (COUNT, 1) numbers are as Laplace(0, 1): ranks, and the fourth moment."""
    ordered = np.sort(noise, axis=0)[:, 0]
    tail = 0.5 * np.exp(-np.abs(ordered))
    ranks = np.where(ordered < 0, tail, 1 - tail)
    off = np.abs(ranks - (np.arange(COUNT) + 0.5) / COUNT).max()
    return off < 0.006 and abs(np.mean(ordered**4) / 24 - 1) < 0.07


def own_noise(attempt, log_scale):
    """Return u (2, n, d) to the attempt's own noise (n, d); nan where it has none.

    The numbers come in another order than they will in the check, so that noise that
    does not come from u, or not from its own place in u, is found out.
    """

    def noise(u):
        turned = u.reshape(2, -1, 1)[:, ::-1]
        zeros = np.zeros(turned.shape[1:])
        try:
            with np.errstate(all="ignore"):
                found = numbers(attempt(zeros, zeros + log_scale, turned.copy()))
        except Exception:
            found = None
        if found is None or found.shape != zeros.shape:
            found = np.full_like(zeros, np.nan)
        return found[::-1].reshape(u.shape[1:])

    return noise


def signs(u):
    return np.where(u < 0.5, -1.0, 1.0)


def of_noise(*ways):
    """Return samplers with the right place and scale, and noise in ``ways`` of u."""
    return tuple(lambda m, s, u, way=way: m + np.exp(s) * way(u) for way in ways)


def laplace_mistakes(noise):
    """Return the mistakes of somebody who makes Laplace noise by ``noise`` of u."""

    def of_scale(way):
        return lambda m, s, u: m + way(s) * noise(u)

    return {
        "u may be 0, and ln 0 is infinite: -ln(1 - u) is finite for every u": (
            of_noise(noise)
        ),
        "it is the logarithm of the scale: exponentiate it": of_scale(lambda s: s),
        "a scale is no variance: no factor 1/2 in the exponent": (
            of_scale(lambda s: np.exp(0.5 * s))
        ),
        "the sign in the exponent: a larger z_log_scale spreads z more widely": (
            of_scale(lambda s: np.exp(-s))
        ),
        "the scale is missing": of_scale(np.ones_like),
        "the mean is missing": lambda m, s, u: np.exp(s) * noise(u),
        "the mean is added after the scaling": lambda m, s, u: (
            np.exp(s) * (m + noise(u))
        ),
        "z_mean comes first, then z_log_scale": lambda m, s, u: (
            s + np.exp(m) * noise(u)
        ),
        "Laplace(0, 1) has scale 1, and variance 2: the difference stays as it is": (
            of_noise(lambda u: noise(u) / 2, lambda u: noise(u) / np.sqrt(2))
        ),
        "the logarithm is the natural one": of_noise(
            lambda u: noise(u) / np.log(2), lambda u: noise(u) / np.log(10)
        ),
        **OTHER_NOISE,
    }


OTHER_NOISE = {
    "the difference of two exponentials, not their sum": (
        of_noise(lambda u: exponential(u).sum(axis=0))
    ),
    "one exponential alone is never negative: subtract the second": (
        of_noise(lambda u: exponential(u[0]), lambda u: exponential(u[1]))
    ),
    "no noise is left: the two exponentials must be independent, u[0]'s and u[1]'s": (
        of_noise(lambda u: 0 * u[0])
    ),
    "a sign of its own: taken from the same u, large values are all of one sign": (
        of_noise(*(lambda u, k=k: signs(u[k]) * exponential(u[k]) for k in (0, 1)))
    ),
    "both signs must come: the absolute value leaves one": (
        of_noise(lambda u: np.abs(two_exponentials(u)))
    ),
    "u is uniform; -ln(1 - u) makes it exponential": of_noise(
        lambda u: u[0] - u[1],
        lambda u: u[1] - u[0],
        lambda u: signs(u[0]) * u[1],
        lambda u: signs(u[1]) * u[0],
    ),
    "take each logarithm first, then the difference": of_noise(
        lambda u: exponential(u[0] - u[1]),
        lambda u: exponential(np.abs(u[0] - u[1])),
    ),
    "that is normal noise, whose tails are shorter": of_noise(
        lambda u: ndtri(u[0]), lambda u: ndtri(u[1])
    ),
    "the noise must be different in every latent: keep the shape (n, d)": of_noise(
        lambda u: two_exponentials(u[:, :1, :1]),
        lambda u: two_exponentials(u[:, :, :1]),
    ),
    "one z per latent: combine the two exponentials": (
        lambda m, s, u: m + np.exp(s) * exponential(u)
    ),
}
IGNORED = "other numbers u gave the same samples: the noise must come from u"


def check_sample_laplace(attempt: Function) -> str:
    """Check ``sample_laplace(z_mean, z_log_scale, u)``: u (2, n, d), others (n, d).

    Any way from u to Laplace noise is right: the noise is asked for its distribution,
    then the samples for their place and scale with that noise.
    """
    ways = (own_noise(attempt, log_scale) for log_scale in (0.0, 1.0))
    noise = next((way for way in ways if is_laplace(way(SPREAD))), two_exponentials)

    def right(mean, log_scale, u):
        own = noise(u)
        finite = np.isfinite(own).all()
        return mean + np.exp(log_scale) * (own if finite else two_exponentials(u))

    def other(mean, log_scale, u):
        found = numbers(attempt(mean.copy(), log_scale.copy(), 1 - u))
        alike = found is not None and found.shape == mean.shape
        return found if alike else np.full_like(mean, np.nan)

    rng = np.random.default_rng(0)
    inputs = [
        (*rng.normal(size=(2, *shape)), rng.random((2, *shape)))
        for shape in ((4, 3), (5, 2))
    ]
    mistakes = laplace_mistakes(noise) | {IGNORED: other}
    verdict = check(attempt, right, inputs, mistakes)
    if not verdict.startswith("correct"):
        return verdict
    inputs[1][2][:, :3, 0] = [[0.0, 0.3, 0.0], [0.7, 0.0, 0.0]]  # generators return it
    return check(attempt, right, inputs, mistakes)


def gumbel(u, mode, log_scale):
    y = -np.log(-np.log(u))
    return np.stack([mode + np.exp(log_scale) * y, -log_scale - y - np.exp(-y)])


def turned(way):
    """Return a sampler and the same from 1 - u, which is as uniform."""
    return way, lambda u, mode, log_scale: way(1 - u, mode, log_scale)


def from_y(noise, log_density=lambda y: -y - np.exp(-y)):
    """Return samplers whose y is ``noise`` of u, and of 1 - u."""

    def way(u, mode, log_scale):
        y = noise(u)
        return np.stack([mode + np.exp(log_scale) * y, log_density(y) - log_scale])

    return turned(way)


def changed(change):
    """Return samplers, from u and from 1 - u, whose z and ln q(z) are changed."""
    return turned(
        lambda u, mode, log_scale: change(*gumbel(u, mode, log_scale), mode, log_scale)
    )


def quantile(u):
    return -np.log(-np.log(u))


GUMBEL = {
    "the density of z, not of y: the scale's logarithm is missing": (
        changed(lambda z, log_q, m, s: [z, log_q + s])
    ),
    "the sign of ln s: a wider density is lower": (
        changed(lambda z, log_q, m, s: [z, log_q + 2 * s])
    ),
    "the density wants y = (z - m) / s, not z": (
        changed(lambda z, log_q, m, s: [z, -s - z - np.exp(-z)])
    ),
    "that is ln p(z) of the prior; ln q(z) has the posterior's mode and scale": (
        changed(lambda z, log_q, m, s: [z, -z - np.exp(-z)])
    ),
    "two minus signs: y = -ln(-ln u)": (
        changed(lambda z, log_q, m, s: [2 * m - z, log_q])
    ),
    "the outer minus sign is missing, and the density is not that of this z": (
        from_y(lambda u: np.log(-np.log(u)))
    ),
    "the inner minus sign is missing: ln u is negative, and has no logarithm": (
        from_y(lambda u: -np.log(np.log(u)))
    ),
    "one logarithm more: -ln u is exponential, and -ln of that is Gumbel": (
        *from_y(lambda u: -np.log(u)),
        *from_y(lambda u: -np.log(u), lambda y: -y),
    ),
    "z was computed with y, and ln q(z) with -y": (
        from_y(quantile, lambda y: y - np.exp(y))
    ),
    "the sign in the last exponent: it is e^(-y)": (
        from_y(quantile, lambda y: -y - np.exp(y))
    ),
    "z comes from u and ln q(z) from 1 - u: both want the same y": tuple(
        lambda u, m, s, turn=turn: np.stack(
            [gumbel(turn(u), m, s)[0], gumbel(1 - turn(u), m, s)[1]]
        )
        for turn in (lambda u: u, lambda u: 1 - u)
    ),
    "that is the logistic's y, ln u - ln(1 - u)": (
        *from_y(lambda u: np.log(u) - np.log1p(-u)),
        *from_y(
            lambda u: np.log(u) - np.log1p(-u), lambda y: -y - 2 * np.logaddexp(0, -y)
        ),
    ),
    "the scale is the exponential of the logarithm that comes in": tuple(
        way
        for ln_s in (lambda s: s, np.log, lambda s: np.log(np.abs(s)))
        for way in changed(
            lambda z, log_q, m, s, ln_s=ln_s: [
                m + s * (z - m) * np.exp(-s),
                log_q + s - ln_s(s),
            ]
        )
    ),
    "a scale is no variance: no factor 1/2 in the exponent": (
        lambda u, m, s: gumbel(u, m, s / 2),
        lambda u, m, s: gumbel(1 - u, m, s / 2),
    ),
    "the mode is missing": changed(lambda z, log_q, m, s: [z - m, log_q]),
    "z_mode is the place of the peak, not the mean: don't take Euler's gamma off": (
        changed(lambda z, log_q, m, s: [z - np.euler_gamma * np.exp(s), log_q])
    ),
    "return z first, then ln q(z)": changed(lambda z, log_q, m, s: [log_q, z]),
    "return the logarithm of the density": (
        changed(lambda z, log_q, m, s: [z, np.exp(log_q)])
    ),
    "every latent has its own ln q(z): no sum": (
        *changed(lambda z, log_q, m, s: [z, log_q.sum(axis=1, keepdims=True) + 0 * z]),
        *changed(lambda z, log_q, m, s: np.sum([z, log_q], axis=2)),
    ),
    "stack them along a new first axis: the shape should be (2, n, d)": (
        changed(lambda z, log_q, m, s: np.stack([z, log_q], axis=-1))
    ),
    "ln q(z) is missing: stack both": changed(lambda z, log_q, m, s: z),
}
TAILS = "u near 0 and 1 makes the tails: keep u off 0 by far less, such as 1e-7"
AT_ZERO = "not yet: right, but at u = 0, which generators return, "


def check_gumbel(attempt: Function) -> str:
    """Check ``gumbel(u, z_mode, z_log_scale)``: (n, d) to z and ln q(z), (2, n, d).

    Samples from u and from 1 - u are both right. At u = 0 any finite z is, with its
    own density.
    """
    rng = np.random.default_rng(0)
    ordinary, near_0 = rng.uniform(0.1, 0.9, size=(4, 3)), np.full((2, 3), 0.003)
    inputs = [
        (u, *rng.normal(size=(2, *u.shape)))
        for u in (ordinary, np.concatenate([near_0, 1 - near_0]))
    ]
    ways = turned(gumbel)
    too_far = (right_on(lambda u, *_: u.min() > 0.1, attempt, way) for way in ways)
    mistakes = GUMBEL | {TAILS: tuple(too_far)}
    verdicts = [check(attempt, way, inputs, mistakes, tolerance=1e-4) for way in ways]
    verdict = next((v for v in verdicts if v.startswith("correct")), verdicts[0])
    return at_zero(attempt, verdict) if verdict.startswith("correct") else verdict


def at_zero(attempt, verdict) -> str:
    """Return the verdict, or what is wrong with z and ln q(z) where u = 0."""
    zeros = np.zeros((2, 3))
    try:
        z, log_q = numbers(attempt(*zeros[np.newaxis].repeat(3, axis=0)))
    except Exception as error:
        return f"{AT_ZERO}your function raised {type(error).__name__}: {error}"
    if not np.isfinite([z, log_q]).all():
        return f"{AT_ZERO}it is not finite: keep the inner logarithm off 0"
    if np.abs(z).max() > 1e4:
        return f"{AT_ZERO}z is {z.flat[0]:.2g}: finite, but no code"
    if largest_difference(log_q, -z - np.exp(-z)) > 1e-4:
        return f"{AT_ZERO}ln q(z) is not the density of the z that came"
    return verdict
