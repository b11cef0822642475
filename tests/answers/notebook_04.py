"""Right and wrong answers to the exercises of notebook 04: Latent priors.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import itertools
import math

import keras
import numpy as np
import scipy.integrate
import scipy.special
import scipy.stats
import tensorflow as tf
from scipy.spatial.distance import cdist
from sklearn.mixture import GaussianMixture

from helpers import families


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


def exponential(u):
    return -np.log1p(-u)


def laplace_loops(m, s, u):
    z = np.empty(m.shape)
    for i, j in np.ndindex(*m.shape):
        e = [-math.log(1 - u[k, i, j]) for k in range(2)]
        z[i, j] = m[i, j] + math.exp(s[i, j]) * (e[0] - e[1])
    return z


def laplace_one_uniform(m, s, u):
    left = u[0] < 0.5
    rest = np.where(left, 2 * u[0], 2 * u[0] - 1)
    return m + np.exp(s) * np.where(left, -1, 1) * exponential(rest)


def laplace_keras(m, s, u):
    u = keras.ops.convert_to_tensor(u, "float64")
    e = -keras.ops.log(1 - u)
    return numpy_of(m + keras.ops.exp(keras.ops.convert_to_tensor(s)) * (e[0] - e[1]))


def laplace_clipped_quantile(m, s, u):
    v = np.clip(u[0], 1e-12, 1 - 1e-12)
    return scipy.stats.laplace(m, np.exp(s)).ppf(v)


def laplace_piecewise(m, s, u):
    v = np.maximum(u[1], 1e-15)
    return m + np.exp(s) * np.where(v < 0.5, np.log(2 * v), -np.log(2 * (1 - v)))


def kl(m, s):
    return np.sum(abs(m) + np.exp(s - abs(m) / np.exp(s)) - 1 - s, axis=1)


def surplus(z, q):
    return q.pdf(z) * (q.logpdf(z) - scipy.stats.laplace.logpdf(z))


def kl_quad(m, s):
    out = np.zeros(len(m))
    for i, j in np.ndindex(*m.shape):
        q = scipy.stats.laplace(m[i, j], np.exp(s[i, j]))
        ends = sorted([-60.0, 0.0, m[i, j], 60.0])
        for a, b in itertools.pairwise(ends):
            out[i] += scipy.integrate.quad(surplus, a, b, args=(q,), epsabs=1e-10)[0]
    return out


def kl_laguerre(m, s):
    _, w = np.polynomial.laguerre.laggauss(60)
    b = np.exp(s)
    mean_abs = np.zeros_like(m)
    for i, j in np.ndindex(*m.shape):
        mu, scale = (abs(m[i, j]), b[i, j])
        mean_abs[i, j] = mu + (w * scale * np.exp(-mu / scale)).sum()
    return (mean_abs - 1 - s).sum(1)


def kl_cross(m, s):
    q = scipy.stats.laplace(m, np.exp(s))
    cross = np.log(2) + abs(m) + np.exp(s) * np.exp(-abs(m) / np.exp(s))
    return (cross - q.entropy()).sum(axis=1)


def kl_keras(m, s):
    m, s = (keras.ops.convert_to_tensor(a, "float64") for a in (m, s))
    d, b = (keras.ops.abs(m), keras.ops.exp(s))
    return numpy_of(keras.ops.sum(d + b * keras.ops.exp(-d / b) - 1 - s, axis=-1))


def kl_tail(m, s):
    q = scipy.stats.laplace(np.abs(m), np.exp(s))
    return (abs(m) + 2 * np.exp(s) * q.cdf(0) - 1 - s).sum(-1)


def kl_trapz(m, s):
    t = np.linspace(-40, 40, 400001)
    out = []
    for mm, ss in zip(m, s, strict=True):
        tot = 0
        for a, c in zip(mm, ss, strict=True):
            q, p = (scipy.stats.laplace(a, np.exp(c)), scipy.stats.laplace())
            tot += np.trapezoid(q.pdf(t) * (q.logpdf(t) - p.logpdf(t)), t)
        out.append(tot)
    return out


def parts(z, c, w):
    return (
        -0.5 * ((z[:, None] - c) ** 2).sum(-1)
        - 0.5 * z.shape[1] * np.log(2 * np.pi)
        + w
    )


lse = scipy.special.logsumexp


def mix_loops(z, c, w):
    out = []
    for row in z:
        total = -np.inf
        for mean, lw in zip(c, w, strict=True):
            total = np.logaddexp(
                total,
                lw
                + sum(
                    (
                        -0.5 * math.log(2 * math.pi) - (a - b) ** 2 / 2
                        for a, b in zip(row, mean, strict=True)
                    )
                ),
            )
        out.append(total)
    return np.array(out)


def mix_sklearn(z, c, w):
    g = GaussianMixture(len(c), covariance_type="spherical")
    g.weights_, g.means_, g.precisions_cholesky_ = (np.exp(w), c, np.ones(len(c)))
    g.covariances_ = np.ones(len(c))
    return g.score_samples(z)


def mix_keras(z, c, w):
    z, c, w = (keras.ops.convert_to_tensor(a, "float64") for a in (z, c, w))
    sq = keras.ops.sum((z[:, None] - c) ** 2, axis=-1)
    return (
        numpy_of(keras.ops.logsumexp(w - 0.5 * sq, axis=-1))
        - z.shape[1] * np.log(2 * np.pi) / 2
    )


def mix_max(z, c, w):
    a = parts(z, c, w)
    top = a.max(1, keepdims=True)
    return (top + np.log(np.exp(a - top).sum(1, keepdims=True)))[:, 0]


def mix_nearest(z, c, w):
    a = np.sort(parts(z, c, w), axis=1)[:, ::-1]
    return a[:, 0] + np.log1p(np.exp(a[:, 1:] - a[:, :1]).sum(1))


def c(z):
    return z.shape[1] / 2 * np.log(2 * np.pi)


def gum(v, m, s):
    y = -np.log(v)
    return np.stack([m + np.exp(s) * y, -s - y - np.exp(-y)])


def gum_loops(u, m, s):
    out = np.empty((2, *u.shape))
    for p in np.ndindex(*u.shape):
        e = max(-math.log(1 - u[p]), 1e-10)
        y = -math.log(e)
        out[0][p] = m[p] + math.exp(s[p]) * y
        out[1][p] = -s[p] - y - e
    return out


def gum_keras(u, m, s):
    u, m, s = (keras.ops.convert_to_tensor(a, "float64") for a in (u, m, s))
    y = -keras.ops.log(-keras.ops.log(1 - u) + 1e-07)
    return numpy_of(
        keras.ops.stack([m + keras.ops.exp(s) * y, -s - y - keras.ops.exp(-y)])
    )


def gum_scipy(u, m, s):
    q = scipy.stats.gumbel_r(m, np.exp(s))
    z = q.ppf(np.clip(u, 1e-09, 1 - 1e-09))
    return np.array([z, q.logpdf(z)])


def gum_isf(u, m, s):
    q = scipy.stats.gumbel_r(m, np.exp(s))
    z = q.isf(np.maximum(u, 1e-12))
    return (z, q.logpdf(z))


def gum_autodiff(u, m, s):
    u = np.clip(u, 1e-09, 1 - 1e-09)
    v = tf.Variable(u)
    with tf.GradientTape() as t:
        z = m - tf.exp(s) * tf.math.log(-tf.math.log(v))
    return np.stack([z.numpy(), -np.log(t.gradient(z, v).numpy())])


def gum_cdf(u, m, s):
    u = np.maximum(u, 1e-12)
    y = -np.log(-np.log(u))
    return [m + np.exp(s) * y, np.log(u) + np.log(-np.log(u)) - s]


def k(u):
    return np.maximum(u, 1e-12)


def bits(n, v):
    return (n / v + np.log(256)) / np.log(2)


METHODS = {
    "sample_laplace": {
        "E - E'": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[0]) - exponential(u[1]))
        ),
        "E' - E": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[1]) - exponential(u[0]))
        ),
        "random sign times exponential": lambda m, s, u: (
            m + np.exp(s) * np.where(u[0] < 0.5, -1, 1) * exponential(u[1])
        ),
        "np.sign, planes swapped": lambda m, s, u: (
            m + np.exp(s) * np.sign(0.5 - u[1]) * -np.log(1 - u[0])
        ),
        "random sign round": lambda m, s, u: (
            m + (2 * np.round(u[1]) - 1) * np.exp(s) * exponential(u[0])
        ),
        "loops": laplace_loops,
        "one uniform for both": laplace_one_uniform,
        "keras": laplace_keras,
        "clipped quantile": laplace_clipped_quantile,
        "piecewise": laplace_piecewise,
        "scipy expon": lambda m, s, u: (
            m - np.exp(s) * np.diff(scipy.stats.expon.ppf(u), axis=0)[0]
        ),
        "ratio": lambda m, s, u: m + np.exp(s) * np.log((1 - u[1]) / (1 - u[0])),
        "scaled expons": lambda m, s, u: (
            m
            + scipy.stats.expon(scale=np.exp(s)).ppf(u[0])
            - scipy.stats.expon(scale=np.exp(s)).ppf(u[1])
        ),
        "clipped -log u": lambda m, s, u: (
            m + np.exp(s) * np.subtract(*-np.log(np.maximum(u, 1e-12)))
        ),
        "float32": lambda m, s, u: (
            np.float32(m)
            + np.exp(np.float32(s))
            * (exponential(np.float32(u[0])) - exponential(np.float32(u[1])))
        ),
    },
    "kl_laplace": {
        "formula": kl,
        "quadrature": kl_quad,
        "tail integral": kl_laguerre,
        "cross entropy": kl_cross,
        "keras": kl_keras,
        "tail": kl_tail,
        "grid": kl_trapz,
        "family": lambda m, s: numpy_of(
            families.get_family("laplace").kl_divergence(
                (m.astype("float32"), s.astype("float32"))
            )
        ).sum(-1),
        "loops": lambda m, s: [
            sum(
                abs(a) + math.exp(c) * math.exp(-abs(a) / math.exp(c)) - 1 - c
                for a, c in zip(*r, strict=True)
            )
            for r in zip(m, s, strict=True)
        ],
        "ones": lambda m, s: (
            (abs(m) + np.exp(s) * np.exp(-abs(m) * np.exp(-s)) - 1 - s)
            @ np.ones(m.shape[1])
        ),
        "sqrt of square": lambda m, s: np.einsum(
            "nd->n",
            np.sqrt(m * m)
            + np.exp(s) * np.exp(-np.sqrt(m * m) / np.exp(s))
            - np.log(np.exp(s))
            - 1,
        ),
    },
    "log_mixture": {
        "logsumexp": lambda z, c, w: lse(parts(z, c, w), axis=1),
        "loops": mix_loops,
        "sklearn": mix_sklearn,
        "keras": mix_keras,
        "max": mix_max,
        "nearest": mix_nearest,
        "scipy norm": lambda z, c, w: lse(
            scipy.stats.norm.logpdf(z[:, None], c).sum(2) + w, axis=1
        ),
        "multivariate": lambda z, c, w: np.logaddexp.reduce(
            [
                scipy.stats.multivariate_normal(m).logpdf(z) + a
                for m, a in zip(c, w, strict=True)
            ]
        ),
        "cdist": lambda z, c, w: (
            lse(-0.5 * cdist(z, c, "sqeuclidean"), axis=1, b=np.exp(w))
            - z.shape[1] / 2 * np.log(2 * np.pi)
        ),
        "expanded": lambda z, c, w: (
            lse(z @ c.T - 0.5 * (c**2).sum(1) + w, axis=1)
            - 0.5 * (z**2).sum(1)
            - z.shape[1] / 2 * np.log(2 * np.pi)
        ),
        "responsibility": lambda z, c, w: (
            parts(z, c, w)[:, 0]
            - scipy.special.log_softmax(parts(z, c, w), axis=1)[:, 0]
        ),
        "einsum": lambda z, c, w: (
            lambda d: (
                np.logaddexp.reduce(w - 0.5 * np.einsum("nkd,nkd->nk", d, d), axis=1)
                - z.shape[1] * 0.5 * np.log(2 * np.pi)
            )
        )(z[:, None] - c),
    },
    "gumbel": {
        "clipped u": lambda u, m, s: gum(-np.log(np.maximum(u, 1e-12)), m, s),
        "small added": lambda u, m, s: gum(-np.log1p(-u) + 1e-7, m, s),
        "loops": gum_loops,
        "keras": gum_keras,
        "scipy": gum_scipy,
        "isf": gum_isf,
        "autodiff": gum_autodiff,
        "cdf": gum_cdf,
        "where": lambda u, m, s: gum(-np.log(np.where(u > 0, u, 0.5)), m, s),
        "density from z": lambda u, m, s: (
            lambda z: np.stack(
                [z, -s - (z - m) / np.exp(s) - np.exp(-(z - m) / np.exp(s))]
            )
        )(m - np.exp(s) * np.log(-np.log(u + 1e-9))),
        "squeezed": lambda u, m, s: gum(-np.log(u * (1 - 2e-9) + 1e-9), m, s),
        "float32": lambda u, m, s: gum(
            -np.log(np.maximum(u.astype("float32"), np.finfo("float32").tiny)), m, s
        ),
    },
    "bits": {
        "formula": bits,
        "8 bits": lambda n, v: 8 + n / (v * np.log(2)),
        "log2 e": lambda n, v: n / v * np.log2(np.e) + 8,
        "loops": lambda n, v: [x / v / math.log(2) + math.log2(256) for x in n],
        "whole picture": lambda n, v: (n + v * np.log(256)) / v / np.log(2),
        "probability": lambda n, v: -np.log2(np.exp(-n / v) / 256),
        "scaled pixels": lambda n, v: (n - v * np.log(1 / 256)) / (v * np.log(2)),
        "keras": lambda n, v: (
            numpy_of(keras.ops.convert_to_tensor(n) / (v * np.log(2))) + 8
        ),
        "float32": lambda n, v: (
            np.float32(n) / np.float32(v) / np.float32(np.log(2)) + np.float32(8)
        ),
        "interp": lambda n, v: np.polyval([1 / np.log(2) / v, 8], n),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}

MISTAKES = {
    "sample_laplace": {
        "u may be 0": lambda m, s, u: m + np.exp(s) * (-np.log(u[0]) + np.log(u[1])),
        "it is the logarithm of the scale": lambda m, s, u: (
            m + s * (exponential(u[0]) - exponential(u[1]))
        ),
        "a scale is no variance": lambda m, s, u: (
            m + np.exp(s / 2) * (exponential(u[0]) - exponential(u[1]))
        ),
        "the sign in the exponent": lambda m, s, u: (
            m + np.exp(-s) * (exponential(u[0]) - exponential(u[1]))
        ),
        "the scale is missing": lambda m, s, u: (
            m + (exponential(u[0]) - exponential(u[1]))
        ),
        "the mean is missing": lambda m, s, u: (
            np.exp(s) * (exponential(u[0]) - exponential(u[1]))
        ),
        "the mean is added after the scaling": lambda m, s, u: (
            (m + (exponential(u[0]) - exponential(u[1]))) * np.exp(s)
        ),
        "z_mean comes first": lambda m, s, u: (
            s + np.exp(m) * (exponential(u[0]) - exponential(u[1]))
        ),
        "the difference of two exponentials": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[0]) + exponential(u[1]))
        ),
        "one exponential alone is never negative": lambda m, s, u: (
            m + np.exp(s) * exponential(u[0])
        ),
        "the two exponentials must be independent": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[0]) - exponential(u[0]))
        ),
        "a sign of its own": lambda m, s, u: (
            m + np.exp(s) * np.sign(u[0] - 0.5) * exponential(u[0])
        ),
        "both signs must come": lambda m, s, u: (
            m + np.exp(s) * abs(exponential(u[0]) - exponential(u[1]))
        ),
        "u is uniform": lambda m, s, u: m + np.exp(s) * (u[0] - u[1]),
        "take each logarithm first": lambda m, s, u: (
            m + np.exp(s) * -np.log1p(-(u[0] - u[1]))
        ),
        "Laplace(0": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[0]) - exponential(u[1])) / 2
        ),
        "the logarithm is the natural one": lambda m, s, u: (
            m + np.exp(s) * (np.log2(1 - u[1]) - np.log2(1 - u[0]))
        ),
        "that is normal noise": lambda m, s, u: (
            m + np.exp(s) * scipy.stats.norm.ppf(np.clip(u[0], 1e-9, 1 - 1e-9))
        ),
        "the noise must be different in every latent": lambda m, s, u: (
            m + np.exp(s) * (exponential(u[0, :, :1]) - exponential(u[1, :, :1]))
        ),
        "one z per latent": lambda m, s, u: m + np.exp(s) * exponential(u),
        "other numbers u gave the same samples": lambda m, s, u: (
            m + np.exp(s) * np.random.default_rng(0).laplace(size=m.shape)
        ),
    },
    "kl_laplace": {
        "the sign: a KL": lambda m, s: -kl(m, s),
        "|mu|": lambda m, s: np.sum(
            m + np.exp(s) * np.exp(-m / np.exp(s)) - 1 - s, axis=1
        ),
        "b is the exponential": lambda m, s: np.sum(
            abs(m) + s * np.exp(-abs(m) / s) - 1 - np.log(s), axis=1
        ),
        "z_log_scale is ln b already": lambda m, s: np.sum(
            abs(m) + np.exp(s - abs(m) / np.exp(s)) - 1 - np.log(s), axis=1
        ),
        "a scale is no variance": lambda m, s: np.sum(
            abs(m) + np.exp(s / 2 - abs(m) / np.exp(s / 2)) - 1 - s / 2, axis=1
        ),
        "where q is the prior it must be 0": lambda m, s: kl(m, s) + m.shape[1],
        "the -1 counts once per latent": lambda m, s: kl(m, s) + m.shape[1] - 1,
        "the sign of ln b": lambda m, s: kl(m, s) + 2 * s.sum(1),
        "b is missing before the exponential": lambda m, s: np.sum(
            abs(m) + np.exp(-abs(m) / np.exp(s)) - 1 - s, axis=1
        ),
        "in the exponent the distance is divided by b": lambda m, s: np.sum(
            abs(m) + np.exp(s) * np.exp(-abs(m) * np.exp(s)) - 1 - s, axis=1
        ),
        "in the exponent the distance is counted": lambda m, s: np.sum(
            abs(m) + np.exp(s) * np.exp(-abs(m)) - 1 - s, axis=1
        ),
        "the sign in the exponent": lambda m, s: np.sum(
            abs(m) + np.exp(s) * np.exp(abs(m) / np.exp(s)) - 1 - s, axis=1
        ),
        "the exponential is missing": lambda m, s: np.sum(
            abs(m) + np.exp(s) - 1 - s, axis=1
        ),
        "that is ln q - ln p at z = mu": lambda m, s: np.sum(abs(m) - s, axis=1),
        "a distance": lambda m, s: np.sum(
            m**2 + np.exp(s - abs(m) / np.exp(s)) - 1 - s, axis=1
        ),
        "the other way round": lambda m, s: np.sum(
            abs(m) / np.exp(s) + np.exp(-s) * np.exp(-abs(m)) - 1 + s, axis=1
        ),
        "the factor 1/2 belongs to the normal's": lambda m, s: 0.5 * kl(m, s),
        "that is the normal's": lambda m, s: (
            0.5 * np.sum(m**2 + np.exp(s) - 1 - s, axis=1)
        ),
        "sum over the latents; their": lambda m, s: kl(m, s) / m.shape[1],
        "one value per picture: sum": lambda m, s: kl(m, s).sum(),
        "one value per picture: the": lambda m, s: kl(m, s).mean(),
        "sum over the latents, the": lambda m, s: (
            abs(m) + np.exp(s - abs(m) / np.exp(s)) - 1 - s
        ),
        "the sum over the latents runs along axis 1": lambda m, s: kl(m.T, s.T),
    },
    "log_mixture": {
        "a component belongs to the whole vector": lambda z, c, w: lse(
            scipy.stats.norm.logpdf(z[:, None], c) + w[:, None], axis=1
        ).sum(1),
        "far away every density is 0 in floating point": lambda z, c, w: np.log(
            np.exp(parts(z, c, w)).sum(1)
        ),
        "the weights are missing": lambda z, c, w: lse(parts(z, c, 0), axis=1),
        "the weights come as logarithms": lambda z, c, w: lse(
            parts(z, c, 0), axis=1, b=w
        ),
        "a logarithm is added to ln p": lambda z, c, w: lse(parts(z, c, 0) * w, axis=1),
        "the weights add up to one": lambda z, c, w: (
            lse(parts(z, c, w), axis=1) - np.log(len(c))
        ),
        "a mixture is a sum of densities": lambda z, c, w: (
            np.exp(w) * parts(z, c, 0)
        ).sum(1),
        "many bells are not one": lambda z, c, w: scipy.stats.norm.logpdf(
            z, np.exp(w) @ c
        ).sum(1),
        "the normal's constant is missing": lambda z, c1, w: (
            lse(parts(z, c1, w), axis=1) + c(z)
        ),
        "the constant counts once per latent": lambda z, c1, w: (
            lse(parts(z, c1, w), axis=1) + c(z) - 0.5 * np.log(2 * np.pi)
        ),
        "the constant is half of ln(2 pi) per latent": lambda z, c1, w: (
            lse(parts(z, c1, w), axis=1) - c(z)
        ),
        "the factor 1/2 before the square is missing": lambda z, c, w: lse(
            parts(z, c, w) - 0.5 * ((z[:, None] - c) ** 2).sum(2), axis=1
        ),
        "the exponent is the squared distance": lambda z, c1, w: lse(
            -0.5 * cdist(z, c1) - c(z) + w, axis=1
        ),
        "sum the squares over the latents": lambda z, c1, w: lse(
            -0.5 * ((z[:, None] - c1) ** 2).mean(-1) - c(z) + w, axis=1
        ),
        "the best component alone is not the mixture": lambda z, c, w: parts(
            z, c, w
        ).max(1),
        "the sign": lambda z, c, w: -lse(parts(z, c, w), axis=1),
        "that is the density": lambda z, c, w: np.exp(lse(parts(z, c, w), axis=1)),
        "one value per code: add": lambda z, c, w: parts(z, c, w),
        "one value per code: the": lambda z, c, w: lse(parts(z, c, w), axis=1).sum(),
        "the components stand along axis 1": lambda z, c, w: lse(
            parts(z, c, w), axis=0
        ),
        "right near the components": lambda z, c, w: np.log(
            np.exp(parts(z, c, w)).sum(1) + 1e-12
        ),
    },
    "gumbel": {
        "the density of z": lambda u, m, s: (
            gum(-np.log(k(u)), m, s) + np.stack([0 * s, s])
        ),
        "the sign of ln s": lambda u, m, s: (
            gum(-np.log(k(u)), m, s) + np.stack([0 * s, 2 * s])
        ),
        "the density wants y = (z - m) / s": lambda u, m, s: (
            lambda z: np.stack([z, -s - z - np.exp(-z)])
        )(gum(-np.log(k(u)), m, s)[0]),
        "that is ln p(z) of the prior": lambda u, m, s: (
            lambda g: np.stack([g[0], -g[0] - np.exp(-g[0])])
        )(gum(-np.log(k(u)), m, s)),
        "two minus signs": lambda u, m, s: np.stack(
            [
                scipy.stats.gumbel_l(m, np.exp(s)).ppf(k(u)),
                scipy.stats.gumbel_l(m, np.exp(s)).logpdf(
                    scipy.stats.gumbel_l(m, np.exp(s)).ppf(k(u))
                ),
            ]
        ),
        "the outer minus sign is missing": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s - y - np.exp(-y)])
        )(np.log(-np.log(k(u)))),
        "the inner minus sign is missing": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s - y - np.exp(-y)])
        )(-np.log(np.log(k(u)))),
        "one logarithm more": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s - y])
        )(-np.log1p(-u)),
        "z was computed with y": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s + y - np.exp(y)])
        )(-np.log(-np.log(k(u)))),
        "the sign in the last exponent": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s - y - np.exp(y)])
        )(-np.log(-np.log(k(u)))),
        "z comes from u and ln q(z) from 1 - u": lambda u, m, s: np.stack(
            [gum(-np.log(k(u)), m, s)[0], gum(-np.log1p(-k(u)), m, s)[1]]
        ),
        "that is the logistic's y": lambda u, m, s: (
            lambda y: np.stack([m + np.exp(s) * y, -s - y - 2 * np.log1p(np.exp(-y))])
        )(np.log(k(u) / (1 - u))),
        "the scale is the": lambda u, m, s: (
            lambda y: np.stack([m + s * y, -s - y - np.exp(-y)])
        )(-np.log(-np.log(k(u)))),
        "a scale is no variance": lambda u, m, s: gum(-np.log(k(u)), m, s / 2),
        "the mode is missing": lambda u, m, s: gum(-np.log(k(u)), 0 * m, s),
        "z_mode is the place of the peak": lambda u, m, s: gum(
            -np.log(k(u)), m - np.euler_gamma * np.exp(s), s
        ),
        "return z first": lambda u, m, s: gum(-np.log(k(u)), m, s)[::-1],
        "return the logarithm of the density": lambda u, m, s: (
            lambda g: np.stack([g[0], np.exp(g[1])])
        )(gum(-np.log(k(u)), m, s)),
        "every latent has its own ln q(z)": lambda u, m, s: np.stack(
            [a.sum(1) for a in gum(-np.log(k(u)), m, s)]
        ),
        "stack them along a new first axis": lambda u, m, s: np.moveaxis(
            gum(-np.log(k(u)), m, s), 0, -1
        ),
        "ln q(z) is missing": lambda u, m, s: gum(-np.log(k(u)), m, s)[0],
        "u near 0 and 1 makes the tails": lambda u, m, s: gum(
            -np.log(np.clip(u, 0.01, 0.99)), m, s
        ),
    },
    "bits": {
        "the pictures' values stand 1/256 apart": lambda n, v: n / v / np.log(2),
        "the sign of ln 256": lambda n, v: (n / v - np.log(256)) / np.log(2),
        "these are nats": lambda n, v: n / v + np.log(256),
        "divide by ln 2: a": lambda n, v: (n / v + np.log(256)) * np.log(2),
        "bits belong to the logarithm to base 2": lambda n, v: (
            (n / v + np.log(256)) / np.log(10)
        ),
        "the sign: the negative": lambda n, v: bits(-n, v),
        "a negative log-density may be negative itself": lambda n, v: (
            abs(n) / v / np.log(2) + 8
        ),
        "the sign: bits are": lambda n, v: -bits(n, v),
        "divide by the number of values": lambda n, v: n / np.log(2) + 8,
        "divide by the number of values, not": lambda n, v: (
            (n / len(n) + np.log(256)) / np.log(2)
        ),
        "one value's share": lambda n, v: n * v / np.log(2) + 8,
        "bits per value": lambda n, v: (n + v * np.log(256)) / np.log(2),
        "256 values": lambda n, v: (n / v + np.log(255)) / np.log(2),
        "add the logarithm of 256": lambda n, v: (n / v + 256) / np.log(2),
        "8 is log2 of 256": lambda n, v: (n / v + 8) / np.log(2),
        "ln 256 is in nats": lambda n, v: n / v / np.log(2) + np.log(256),
        "a density times 1/256 is a probability": lambda n, v: n / v / np.log(2) / 8,
        "add ln 256 to every value": lambda n, v: (n + np.log(256)) / v / np.log(2),
        "one value per picture": lambda n, v: bits(n, v).mean(),
    },
}
