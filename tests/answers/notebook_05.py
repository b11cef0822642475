"""Right and wrong answers to the exercises of notebook 05: The latent space.

``METHODS`` holds right answers by exercise and method, ``MISTAKES`` wrong ones by
exercise and words of the hint that must name the misconception.
"""

import math

import keras
import numpy as np
import scipy.integrate
import scipy.interpolate
import scipy.special
import scipy.stats
import tensorflow as tf

from helpers import models


def numpy_of(x):
    return keras.ops.convert_to_numpy(x)


def ov_judge(p, q, dz):
    best = np.where(p > q, p, q)
    return 2 - np.sum(best) * dz


def ov_loops(p, q, dz):
    t = 0.0
    for a, b in zip(p, q, strict=True):
        t += (a if a < b else b) * dz
    return t


def ov_quad(p, q, dz):
    x = np.arange(len(p)) * dz
    f = scipy.interpolate.make_interp_spline(x, np.minimum(p, q), k=1)
    return f.integrate(x[0], x[-1])


def ov_cum(p, q, dz):
    return scipy.integrate.cumulative_trapezoid(np.minimum(p, q), dx=dz)[-1]


AXES = (1, 2, 3)


entr = scipy.special.entr


def un_loops(p):
    out = np.zeros(len(p))
    for i in np.ndindex(p.shape):
        for a in (p[i], 1 - p[i]):
            if a > 0:
                out[i[0]] -= a * math.log(a)
    return out


def un_mask(p):
    t = np.zeros_like(p)
    m = (p > 0) & (p < 1)
    t[m] = -p[m] * np.log(p[m]) - (1 - p[m]) * np.log(1 - p[m])
    return t.sum(axis=AXES)


def un_where(p):
    a = np.where(p > 0, p, 1)
    b = np.where(p < 1, 1 - p, 1)
    return -(a * np.log(a) + b * np.log(b)).sum(axis=AXES)


def un_nan(p):
    with np.errstate(all="ignore"):
        return np.nansum(-p * np.log(p) - (1 - p) * np.log1p(-p), axis=AXES)


def un_nan2(p):
    with np.errstate(all="ignore"):
        return -(
            np.nan_to_num(p * np.log(p)) + np.nan_to_num((1 - p) * np.log(1 - p))
        ).sum(axis=AXES)


def un_keras(p):
    t = keras.losses.binary_crossentropy(p.reshape(len(p), -1), p.reshape(len(p), -1))
    return numpy_of(t) * p[0].size


def un_logit(p):
    with np.errstate(all="ignore"):
        o = scipy.special.logit(p)
        h = np.where(
            np.isfinite(o), np.logaddexp(0, o) - p * np.where(np.isfinite(o), o, 0), 0
        )
    return h.sum(AXES)


def entropy_of(p):
    return entr(p) + entr(1 - p)


def sl(a, b, t):
    th = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    t = np.reshape(t, (-1, 1))
    return (np.sin((1 - t) * th) * a + np.sin(t * th) * b) / np.sin(th)


def sl_loops(a, b, t):
    th = math.acos(
        sum((x * y for x, y in zip(a, b, strict=True)))
        / math.hypot(*a)
        / math.hypot(*b)
    )
    return [
        [
            (math.sin((1 - w) * th) * x + math.sin(w * th) * y) / math.sin(th)
            for x, y in zip(a, b, strict=True)
        ]
        for w in t
    ]


def sl_atan(a, b, t):
    u, v = (a / np.linalg.norm(a), b / np.linalg.norm(b))
    th = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
    return np.outer(np.sin((1 - t) * th) / np.sin(th), a) + np.outer(
        np.sin(t * th) / np.sin(th), b
    )


def sl_matrix(a, b, t):
    th = np.arccos(np.clip(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b), -1, 1))
    return np.sin(th * np.stack([1 - t, t], axis=1)) / np.sin(th) @ np.stack([a, b])


def sl_keras(a, b, t):
    a, b, t = (keras.ops.convert_to_tensor(x, "float64") for x in (a, b, t))
    th = keras.ops.arccos(keras.ops.sum(a * b) / keras.ops.norm(a) / keras.ops.norm(b))
    t = t[:, None]
    return numpy_of(
        (keras.ops.sin((1 - t) * th) * a + keras.ops.sin(t * th) * b)
        / keras.ops.sin(th)
    )


def sl_basis(a, b, t):
    c = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    th = np.arccos(c)
    return np.outer(np.cos(t * th) - c / np.sin(th) * np.sin(t * th), a) + np.outer(
        np.sin(t * th) / np.sin(th), b
    )


def sl_complex(a, b, t):
    th = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    at = np.exp(1j * th * np.stack([1 - t, t], axis=1)).imag / np.exp(1j * th).imag
    return at @ np.stack([a, b])


def sl_geometric(a, b, t):
    u, v = (a / np.linalg.norm(a), b / np.linalg.norm(b))
    from scipy.spatial import geometric_slerp

    arc = geometric_slerp(u, v, t)
    w = np.linalg.lstsq(np.stack([u, v], 1), arc.T, rcond=None)[0]
    return w.T @ np.stack([a, b])


def sl_chebyshev(a, b, t):
    th = np.arccos(1 - scipy.spatial.distance.cosine(a, b))
    th = float(th)
    return np.array(
        [
            np.sinc((1 - w) * th / np.pi) / np.sinc(th / np.pi) * (1 - w) * a
            + np.sinc(w * th / np.pi) / np.sinc(th / np.pi) * w * b
            for w in t
        ]
    )


def slx(a, b, t, th, norm=None):
    t = t[:, None]
    return (np.sin((1 - t) * th) * a + np.sin(t * th) * b) / (
        np.sin(th) if norm is None else norm
    )


def ang(a, b):
    return np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def tr(c, k, v):
    z = np.tile(c, (len(v), 1))
    z[:, k] = v
    return z


def tr_loops(c, k, v):
    out = []
    for x in v:
        z = c.copy()
        z[k] = x
        out.append(z)
    return out


def tr_alias(c, k, v):
    out = []
    for x in v:
        c[k] = x
        out.append(c)
    return out


def tr_first(c, k, v):
    z = np.tile(c, (len(v), 1))
    z[:, k] += v
    return z


def tr_row(c, k, v):
    z = np.tile(c, (len(v), 1))
    z[k] = v[:1]
    return z


def tr_zero(c, k, v):
    z = np.zeros((len(v), len(c)))
    z[:, k] = v
    return z


def tr_int(c, k, v):
    z = np.tile(c, (len(v), 1)).astype(int)
    z[:, k] = v
    return z


def tr_acc(c, k, v):
    z = c.copy()
    out = []
    for x in v:
        z[k] += x
        out.append(z.copy())
    return out


normal = scipy.stats.norm


def ag(z, m, v):
    return normal.pdf(z[:, None], m, np.exp(v / 2)).mean(1)


def ag_loops(z, m, v):
    return [
        sum(
            (
                math.exp(-((x - a) ** 2) / 2 / math.exp(b))
                / math.sqrt(2 * math.pi * math.exp(b))
                for a, b in zip(m, v, strict=True)
            )
        )
        / len(m)
        for x in z
    ]


def ag_lse(z, m, v):
    logs = -0.5 * ((z[:, None] - m) ** 2 * np.exp(-v) + v + np.log(2 * np.pi))
    return np.exp(scipy.special.logsumexp(logs, axis=1) - np.log(len(m)))


def ag_keras(z, m, v):
    z, m, v = (keras.ops.convert_to_tensor(a, "float64") for a in (z, m, v))
    s = keras.ops.exp(0.5 * v)
    return numpy_of(
        keras.ops.mean(keras.ops.exp(-0.5 * ((z[:, None] - m) / s) ** 2) / s, axis=1)
    ) / np.sqrt(2 * np.pi)


def ag_tf(z, m, v):
    x = tf.Variable(z)
    with tf.GradientTape() as t:
        cdf = tf.reduce_mean(
            0.5 * tf.math.erfc(-(x[:, None] - m) * np.exp(-v / 2) / np.sqrt(2)), axis=1
        )
    return t.gradient(cdf, x).numpy()


def ag_running(z, m, v):
    d = np.zeros(len(z))
    for i, (a, b) in enumerate(zip(m, v, strict=True), 1):
        d += (normal(a, math.exp(b / 2)).pdf(z) - d) / i
    return d


def ag_diff(z, m, v, h=1e-05):
    below = [normal.cdf(x[:, None], m, np.exp(v / 2)).mean(1) for x in (z - h, z + h)]
    return (below[1] - below[0]) / (2 * h)


METHODS = {
    "overlap": {
        "sum of min": lambda p, q, dz: np.minimum(p, q).sum() * dz,
        "trapezoid": lambda p, q, dz: np.trapezoid(np.minimum(p, q), dx=dz),
        "simpson": lambda p, q, dz: scipy.integrate.simpson(np.minimum(p, q), dx=dz),
        "simpson of difference": lambda p, q, dz: (
            1 - scipy.integrate.simpson(abs(p - q), dx=dz) / 2
        ),
        "total variation": lambda p, q, dz: 1 - 0.5 * np.sum(abs(p - q)) * dz,
        "judge": ov_judge,
        "loops": ov_loops,
        "spline": ov_quad,
        "cumulative": ov_cum,
        "half sum": lambda p, q, dz: (p + q - abs(p - q)).sum() * dz / 2,
        "keras": lambda p, q, dz: float(keras.ops.sum(keras.ops.minimum(p, q)) * dz),
        "renormalised": lambda p, q, dz: np.minimum(p / p.sum(), q / q.sum()).sum(),
        "positive part": lambda p, q, dz: 1 - np.maximum(p - q, 0).sum() * dz,
    },
    "uncertainty": {
        "xlogy": lambda p: (
            -(scipy.special.xlogy(p, p) + scipy.special.xlogy(1 - p, 1 - p)).sum(AXES)
        ),
        "entr": lambda p: (entr(p) + entr(1 - p)).sum(AXES),
        "loops": un_loops,
        "mask": un_mask,
        "where": un_where,
        "nansum": un_nan,
        "nan_to_num": un_nan2,
        "keras bce": un_keras,
        "logits": un_logit,
        "scipy entropy": lambda p: scipy.stats.entropy([p, 1 - p]).sum(axis=AXES),
        "bernoulli": lambda p: scipy.stats.bernoulli(p).entropy().sum(axis=AXES),
        "clip 1e-7": lambda p: (
            lambda c: -(c * np.log(c) + (1 - c) * np.log(1 - c)).sum(AXES)
        )(np.clip(p, 1e-7, 1 - 1e-7)),
        "plus tiny": lambda p: (
            -(p * np.log(p + 1e-10) + (1 - p) * np.log(1 - p + 1e-10)).sum(AXES)
        ),
        "power": lambda p: -np.log(p**p * (1 - p) ** (1 - p)).sum(axis=AXES),
        "bits times ln2": lambda p: (
            np.log(2) * scipy.stats.entropy([p, 1 - p], base=2).sum(AXES)
        ),
        "flat": lambda p: (
            entr(np.concatenate([p, 1 - p], -1)).reshape(len(p), -1).sum(1)
        ),
    },
    "slerp": {
        "formula": sl,
        "loops": sl_loops,
        "arctan": sl_atan,
        "matrix": sl_matrix,
        "keras": sl_keras,
        "plane": sl_basis,
        "complex": sl_complex,
        "geometric": sl_geometric,
        "sinc": sl_chebyshev,
        "helpers": lambda a, b, t: models.arc(a, b, t),
        "einsum": lambda a, b, t: np.einsum(
            "kn,kd->nd",
            (lambda th: np.sin([(1 - t) * th, t * th]) / np.sin(th))(
                np.arccos(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
            ),
            np.array([a, b]),
        ),
        "backwards": lambda a, b, t: sl(b, a, 1 - t),
        "float32": lambda a, b, t: sl(*np.float32([a, b]), np.float32(t)),
    },
    "traverse": {
        "tile": tr,
        "loops": tr_loops,
        "lists": lambda c, k, v: [
            [x if j == k else c[j] for j in range(len(c))] for x in v
        ],
        "where": lambda c, k, v: np.where(
            np.arange(len(c)) == k, np.reshape(v, (-1, 1)), c
        ),
        "one-hot": lambda c, k, v: c + np.outer(v - c[k], np.eye(len(c))[k]),
        "delete insert": lambda c, k, v: np.array(
            [np.insert(np.delete(c, k), k, x) for x in v]
        ),
        "broadcast copy": lambda c, k, v: (
            lambda z: (z.__setitem__((slice(None), k), v), z)[1]
        )(np.broadcast_to(c, (len(v), len(c))).copy()),
        "columns": lambda c, k, v: np.column_stack(
            [np.asarray(v) if j == k else np.full(len(v), c[j]) for j in range(len(c))]
        ),
        "concatenate": lambda c, k, v: np.concatenate(
            [
                np.tile(c[:k], (len(v), 1)),
                np.reshape(v, (-1, 1)),
                np.tile(c[k + 1 :], (len(v), 1)),
            ],
            axis=1,
        ),
        "keras": lambda c, k, v: numpy_of(
            keras.ops.where(
                keras.ops.arange(len(c)) == k,
                keras.ops.expand_dims(keras.ops.convert_to_tensor(v, "float64"), 1),
                keras.ops.convert_to_tensor(c, "float64"),
            )
        ),
        "list star": lambda c, k, v: np.array([[*c[:k], x, *c[k + 1 :]] for x in v]),
        "put": lambda c, k, v: (
            lambda z: (
                np.put_along_axis(
                    z, np.full((len(v), 1), k), np.reshape(v, (-1, 1)), 1
                ),
                z,
            )[1]
        )(np.repeat(c[None], len(v), 0)),
        "tensor scatter": lambda c, k, v: tf.transpose(
            tf.tensor_scatter_nd_update(tf.tile(c[:, None], (1, len(v))), [[k]], [v])
        ).numpy(),
    },
    "aggregate_density": {
        "scipy": ag,
        "loops": ag_loops,
        "logsumexp": ag_lse,
        "keras": ag_keras,
        "autodiff of cdf": ag_tf,
        "running": ag_running,
        "difference of cdf": ag_diff,
        "stacked": lambda z, m, v: np.mean(
            [normal(a, np.sqrt(np.exp(b))).pdf(z) for a, b in zip(m, v, strict=True)],
            axis=0,
        ),
        "matrix": lambda z, m, v: (
            normal.pdf((z[:, None] - m) / np.exp(v / 2)) @ (np.exp(-v / 2) / len(m))
        ),
        "einsum": lambda z, m, v: np.einsum(
            "nm,n->m",
            normal.pdf(z, m[:, None], np.exp(v / 2)[:, None]),
            np.full(len(m), 1 / len(m)),
        ),
        "transposed": lambda z, m, v: (
            (
                np.exp(-((z - m[:, None]) ** 2) / (2 * np.exp(v[:, None])))
                / np.sqrt(2 * np.pi * np.exp(v[:, None]))
            ).sum(0)
            / m.size
        ),
        "float32": lambda z, m, v: (
            ag(*np.float32([0 * z, 0 * z])[:0] or [np.float32(a) for a in (z, m, v)])
            if False
            else ag(np.float32(z), np.float32(m), np.float32(v))
        ),
    },
}
CORRECT = {name: next(iter(methods.values())) for name, methods in METHODS.items()}

MISTAKES = {
    "overlap": {
        "the smaller of the two densities": lambda p, q, dz: (p * q).sum() * dz,
        "the smaller of the two, not the larger": lambda p, q, dz: (
            np.maximum(p, q).sum() * dz
        ),
        "the smaller of the two, not the root": lambda p, q, dz: (
            np.sqrt(p * q).sum() * dz
        ),
        "an integral: the sum times dz": lambda p, q, dz: np.minimum(p, q).sum(),
        "an integral: the sum times dz, not": lambda p, q, dz: np.minimum(p, q).mean(),
        "the sum is multiplied by the step": lambda p, q, dz: (
            np.minimum(p, q).sum() / dz
        ),
        "one step per sum": lambda p, q, dz: np.minimum(p, q).sum() * dz * dz,
        "that is what they do not share": lambda p, q, dz: 0.5 * abs(p - q).sum() * dz,
        "what is not shared lies in |p - q| twice": lambda p, q, dz: (
            1 - abs(p - q).sum() * dz
        ),
        "the absolute difference": lambda p, q, dz: 1 - ((p - q) ** 2).sum() * dz,
        "that is 1 for any two densities": lambda p, q, dz: min(
            p.sum() * dz, q.sum() * dz
        ),
        "where q lies above p": lambda p, q, dz: q[p > q].sum() * dz,
        "that is the share of their union": lambda p, q, dz: (
            np.minimum(p, q).sum() / np.maximum(p, q).sum()
        ),
        "that is the best judge's error": lambda p, q, dz: (
            np.minimum(p, q).sum() * dz / 2
        ),
        "that is how often the best judge is right": lambda p, q, dz: (
            np.maximum(p, q).sum() * dz / 2
        ),
        "that is a cosine": lambda p, q, dz: (
            p @ q / np.linalg.norm(p) / np.linalg.norm(q)
        ),
        "that is a KL divergence": lambda p, q, dz: (p * np.log(p / q)).sum() * dz,
        "one number": lambda p, q, dz: np.minimum(p, q) * dz,
        "add up over the grid: the": lambda p, q, dz: np.minimum(p, q).max(),
    },
    "uncertainty": {
        "0 ln 0 is 0": lambda p: -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(AXES),
        "one nan makes the whole sum nan": lambda p: np.nan_to_num(
            -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(AXES)
        ),
        "a coin has two sides": lambda p: entr(p).sum(AXES),
        "both sides of the coin add to the doubt": lambda p: (
            entr(p) - entr(1 - p)
        ).sum(AXES),
        "nats": lambda p: entropy_of(p).sum(AXES) / np.log(2),
        "the sign: an entropy": lambda p: -entropy_of(p).sum(AXES),
        "add up the pixels; their": lambda p: entropy_of(p).mean(AXES),
        "one value per picture: add up axes": lambda p: entropy_of(p).sum(),
        "one value per picture: the": lambda p: entropy_of(p).sum(AXES).mean(),
        "one value per picture: add up the": entropy_of,
        "channels count as pixels do": lambda p: entropy_of(p).sum((1, 2)),
        "axis 0 holds the pictures": lambda p: entropy_of(p).sum(0),
        "that is the coin's variance": lambda p: (p * (1 - p)).sum(AXES),
        "that is the surprise at the likelier side": lambda p: (
            -np.log(np.maximum(p, 1 - p)).sum(AXES)
        ),
        "each logarithm is weighed": lambda p: (
            -((1 - p) * np.log(p) + p * np.log(1 - p)).sum(AXES)
        ),
        "log1p(x) is ln(1 + x)": lambda p: (
            -(p * np.log1p(p) + (1 - p) * np.log1p(1 - p)).sum(AXES)
        ),
        "every pixel is a coin of its own": lambda p: scipy.stats.entropy(
            p.reshape(len(p), -1), axis=1
        ),
        "the entropy of the mean pixel is larger": lambda p: (
            entropy_of(p.mean(AXES)) * p[0].size
        ),
        "right for pixels in doubt": lambda p: entropy_of(np.clip(p, 0.01, 0.99)).sum(
            AXES
        ),
    },
    "slerp": {
        "that is the straight line": lambda a, b, t: (
            np.outer(1 - t, a) + np.outer(t, b)
        ),
        "that is the straight line, pushed": lambda a, b, t: (
            lambda k: k / np.linalg.norm(k, axis=1, keepdims=True) * np.linalg.norm(a)
        )(np.outer(1 - t, a) + np.outer(t, b)),
        "divide by both lengths before the arccos": lambda a, b, t: slx(
            a, b, t, np.arccos(a @ b)
        ),
        "divide by the product of both lengths": lambda a, b, t: slx(
            a, b, t, np.arccos(np.clip(a @ b / np.linalg.norm(a) ** 2, -1, 1))
        ),
        "that is the cosine": lambda a, b, t: slx(a, b, t, np.cos(ang(a, b))),
        "theta comes from the arccos of the cosine": lambda a, b, t: slx(
            a, b, t, np.arcsin(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        ),
        "a negative cosine is an angle above 90 degrees": lambda a, b, t: slx(
            a, b, t, np.arccos(abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b))
        ),
        "the angle depends on the codes": lambda a, b, t: (
            np.outer(np.cos(t * np.pi / 2), a) + np.outer(np.sin(t * np.pi / 2), b)
        ),
        "divide by sin(theta), or": lambda a, b, t: slx(a, b, t, ang(a, b), 1),
        "both shares are divided by sin(theta)": lambda a, b, t: (
            np.sin((1 - t[:, None]) * ang(a, b)) * a
            + np.sin(t[:, None] * ang(a, b)) * b / np.sin(ang(a, b))
        ),
        "divide by sin(theta), not": lambda a, b, t: slx(a, b, t, ang(a, b), ang(a, b)),
        "the weight belongs inside the sine": lambda a, b, t: (
            slx(a, b, t, ang(a, b)) * 0
            + (
                np.sin(1 - t[:, None]) * ang(a, b) * a
                + np.sin(t[:, None]) * ang(a, b) * b
            )
            / np.sin(ang(a, b))
        ),
        "sines: at weight 0": lambda a, b, t: (
            (
                np.cos((1 - t[:, None]) * ang(a, b)) * a
                + np.cos(t[:, None] * ang(a, b)) * b
            )
            / np.cos(ang(a, b))
        ),
        "cosine and sine serve for codes at a right angle": lambda a, b, t: (
            np.outer(np.cos(t * ang(a, b)), a) + np.outer(np.sin(t * ang(a, b)), b)
        ),
        "radians": lambda a, b, t: slx(a, b, t, np.degrees(ang(a, b))),
        "the path runs backwards": lambda a, b, t: sl(b, a, t),
        "the rows belong to the weights": lambda a, b, t: sl(a, b, t)[::-1],
        "the codes keep their own lengths": lambda a, b, t: sl(
            a / np.linalg.norm(a), b / np.linalg.norm(b), t
        ),
        "the formula takes the codes as they are": lambda a, b, t: (
            sl(a / np.linalg.norm(a), b / np.linalg.norm(b), t)
            * ((1 - t) * np.linalg.norm(a) + t * np.linalg.norm(b))[:, None]
        ),
        "one row per code": lambda a, b, t: sl(a, b, t).T,
    },
    "traverse": {
        "the latent takes the values; they": tr_first,
        "the latent takes the values; it": lambda c, k, v: (
            lambda z: (z.__setitem__((slice(None), k), z[:, k] * v), z)[1]
        )(np.tile(c, (len(v), 1))),
        "each value alone": tr_acc,
        "the others keep the code's values": tr_zero,
        "that is the change": lambda c, k, v: (
            np.outer(v, np.eye(len(c))[k]) + 2 * 0 * c
            if False
            else np.outer(v - c[k], np.eye(len(c))[k])
        ),
        "every row is the same array": tr_alias,
        "nothing has changed": lambda c, k, v: np.array([c] * len(v)),
        "only the one latent changes": lambda c, k, v: np.repeat(
            np.reshape(v, (-1, 1)), len(c), 1
        ),
        "latents are counted from 0: that is the one before": lambda c, k, v: tr(
            c, k - 1, v
        ),
        "latents are counted from 0: that is the one after": lambda c, k, v: tr(
            c, (k + 1) % len(c), v
        ),
        "which latent turns is an argument": lambda c, k, v: tr(c, 0, v),
        "rows are codes": tr_row,
        "the values go in as they are": lambda c, k, v: tr(c, k, np.sort(v)),
        "these are values of the latent already": lambda c, k, v: tr(
            c, k, scipy.stats.norm.ppf(v)
        ),
        "a code of whole numbers cuts the values off": tr_int,
        "the value takes the latent's place": lambda c, k, v: np.array(
            [np.insert(c, k, x) for x in v]
        ),
        "whole codes are wanted": lambda c, k, v: v,
        "one row per value: collect": lambda c, k, v: tr(c, k, v)[-1],
        "one row per value: the unchanged": lambda c, k, v: np.vstack([c, tr(c, k, v)]),
        "one row per value: the shape": lambda c, k, v: tr(c, k, v).T,
    },
    "aggregate_density": {
        "every picture has an equal share": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(v / 2)
        ).sum(1),
        "the share of a picture is 1 / n": lambda z, m, v: (
            normal.pdf(z[:, None], m, np.exp(v / 2)).sum(1) / len(z)
        ),
        "average the densities, not the parameters": lambda z, m, v: normal.pdf(
            z, m.mean(), np.exp(v.mean() / 2)
        ),
        "right mean and variance": lambda z, m, v: normal.pdf(
            z, m.mean(), np.sqrt(np.exp(v).mean() + m.var())
        ),
        "the means alone are not the codes": lambda z, m, v: normal.pdf(
            z, m.mean(), m.std()
        ),
        "every picture has its own variance": lambda z, m, v: normal.pdf(
            z[:, None], m
        ).mean(1),
        "that is the geometric mean": lambda z, m, v: np.exp(
            normal.logpdf(z[:, None], m, np.exp(v / 2)).mean(1)
        ),
        "that is the mean of the logarithms": lambda z, m, v: normal.logpdf(
            z[:, None], m, np.exp(v / 2)
        ).mean(1),
        "the density itself": lambda z, m, v: np.log(ag(z, m, v)),
        "a mixture adds its bells": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(v / 2)
        ).prod(1),
        "the mean of all bells": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(v / 2)
        ).max(1),
        "exp(z_log_var) is the variance": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(v)
        ).mean(1),
        "z_log_var is a logarithm": lambda z, m, v: normal.pdf(
            z[:, None], m, np.sqrt(abs(v))
        ).mean(1),
        "the sign in the exponent: exp(-z_log_var)": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(-v / 2)
        ).mean(1),
        "each bell must integrate to one": lambda z, m, v: np.exp(
            -0.5 * (z[:, None] - m) ** 2 / np.exp(v)
        ).mean(1),
        "the root of 2 pi sigma^2": lambda z, m, v: (
            np.exp(-0.5 * (z[:, None] - m) ** 2 / np.exp(v))
            / np.sqrt(2 * np.pi)
            / np.exp(v)
        ).mean(1),
        "the factor 1/2 in the exponent is missing": lambda z, m, v: (
            np.exp(-((z[:, None] - m) ** 2) / np.exp(v))
            / np.sqrt(2 * np.pi * np.exp(v))
        ).mean(1),
        "in the exponent the": lambda z, m, v: (
            np.exp(-0.5 * (z[:, None] - m) ** 2 / np.exp(v / 2))
            / np.sqrt(2 * np.pi * np.exp(v))
        ).mean(1),
        "the sign in the exponent: far": lambda z, m, v: (
            np.exp(0.5 * (z[:, None] - m) ** 2 / np.exp(v))
            / np.sqrt(2 * np.pi * np.exp(v))
        ).mean(1),
        "that is the share below z": lambda z, m, v: normal.cdf(
            z[:, None], m, np.exp(v / 2)
        ).mean(1),
        "that is the prior": lambda z, m, v: normal.pdf(z),
        "a density integrates to one over z": lambda z, m, v: (
            ag(z, m, v) / ag(z, m, v).sum()
        ),
        "one value for each z: average over the pictures": lambda z, m, v: normal.pdf(
            z[:, None], m, np.exp(v / 2)
        ),
        "one value for each z: average over the pictures, not": lambda z, m, v: (
            normal.pdf(z[:, None], m, np.exp(v / 2)).mean(0)
        ),
    },
}
