"""Checks of notebook 05, walks between codes: the arc, and one latent at a time."""

from functools import partial

import numpy as np
from scipy.special import ndtr, ndtri

from helpers.checks.comparing import Function, check, then


def length(code):
    return np.sqrt(np.sum(np.square(code), axis=-1, keepdims=True))


def unit(code):
    return code / length(code)


def angle(first, last):
    return np.arccos(unit(first) @ unit(last))


def line(first, last, weights):
    return np.outer(1 - weights, first) + np.outer(weights, last)


def slerp(first, last, weights, angle=angle, wave=np.sin, below=np.sin):
    theta, w = angle(first, last), np.asarray(weights)[:, np.newaxis]
    way = wave((1 - w) * theta) * first + wave(w * theta) * last
    return way / below(theta)


def at_cosine(cosine):
    """Return an arc whose angle is the arccos of ``cosine``, clipped or not."""
    return (
        partial(slerp, angle=lambda a, b: np.arccos(cosine(a, b))),
        partial(slerp, angle=lambda a, b: np.arccos(np.clip(cosine(a, b), -1, 1))),
    )


def pushed_out(reach):
    """Return the line, pushed out to the length that ``reach`` gives."""
    return lambda a, b, w: unit(line(a, b, w)) * reach(a, b, w)


def of_length(reach):
    """Return the arc of directions, with the length that ``reach`` gives."""
    return lambda a, b, w: slerp(unit(a), unit(b), w) * reach(a, b, w)


def mixed_lengths(first, last, weights):
    return line(length(first), length(last), weights)


def half_divided(first, last, weights, whole=0):
    theta, w = angle(first, last), weights[:, np.newaxis]
    shares = [np.sin((1 - w) * theta), np.sin(w * theta)]
    shares[1 - whole] = shares[1 - whole] / np.sin(theta)
    return shares[0] * first + shares[1] * last


def sines_of_weights(first, last, weights):
    theta, w = angle(first, last), weights[:, np.newaxis]
    way = np.sin(1 - w) * theta * first + np.sin(w) * theta * last
    return way / np.sin(theta)


SLERP = {
    "that is the straight line": line,
    "that is the straight line, pushed out: its steps are uneven, an arc's are not": (
        pushed_out(lambda a, b, w: 1.0),
        pushed_out(lambda a, b, w: length(a)),
        pushed_out(mixed_lengths),
    ),
    "divide by both lengths before the arccos: it wants the cosine of the angle": (
        at_cosine(lambda a, b: a @ b)
    ),
    "divide by the product of both lengths, not by one of them twice or by its root": (
        *at_cosine(lambda a, b: a @ b / (a @ a)),
        *at_cosine(lambda a, b: a @ b / length(a)[0]),
        *at_cosine(lambda a, b: a @ b / np.sqrt(length(a) * length(b))[0]),
    ),
    "that is the cosine: the angle is its arccos": (
        partial(slerp, angle=lambda a, b: unit(a) @ unit(b))
    ),
    "theta comes from the arccos of the cosine, not from its arcsin": (
        partial(slerp, angle=lambda a, b: np.arcsin(unit(a) @ unit(b)))
    ),
    "a negative cosine is an angle above 90 degrees: no absolute value": (
        partial(slerp, angle=lambda a, b: np.arccos(abs(unit(a) @ unit(b))))
    ),
    "the angle depends on the codes: not always a right one": (
        partial(slerp, angle=lambda a, b: np.pi / 2)
    ),
    "divide by sin(theta), or the ends are not the two codes": (
        partial(slerp, below=lambda theta: 1.0)
    ),
    "both shares are divided by sin(theta): mind the brackets": (
        half_divided,
        partial(half_divided, whole=1),
    ),
    "divide by sin(theta), not by theta": partial(slerp, below=lambda theta: theta),
    "the weight belongs inside the sine: sin(w theta), not sin(w) theta": (
        sines_of_weights
    ),
    "sines: at weight 0 the last code has no share": (
        partial(slerp, wave=np.cos, below=np.cos),
        partial(slerp, wave=np.cos),
    ),
    "cosine and sine serve for codes at a right angle: both shares are sines here": (
        lambda a, b, w: (
            np.outer(np.cos(w * angle(a, b)), a) + np.outer(np.sin(w * angle(a, b)), b)
        )
    ),
    "radians: np.sin takes no degrees": partial(slerp, angle=then(angle, np.degrees)),
    "the path runs backwards: weight 0 is the first code": (
        lambda a, b, w: slerp(b, a, w)
    ),
    "the rows belong to the weights, in their order": (
        then(slerp, np.flipud),
        lambda a, b, w: slerp(a, b, np.linspace(0, 1, len(w))),
        lambda a, b, w: slerp(a, b, np.sort(w)),
    ),
    "the codes keep their own lengths: do not normalise them": (
        of_length(lambda a, b, w: 1.0)
    ),
    "the formula takes the codes as they are: no length of its own": (
        of_length(lambda a, b, w: length(a)),
        of_length(mixed_lengths),
    ),
    "one row per code: the shape should be (n, d)": then(slerp, np.transpose),
}


def check_slerp(attempt: Function) -> str:
    """Check ``slerp(first, last, weights)``: two (d,) and (n,) to an arc, (n, d)."""
    first = np.array([0.9, 0.2, -0.1, 0.4])
    weights = np.array([0.0, 0.1, 0.35, 0.9, 1.0])
    rng = np.random.default_rng(0)
    inputs = [
        (first, np.array([-0.3, 0.8, 0.5, 0.1]), weights),
        (first, np.array([-0.7, -0.5, 0.6, 0.2]), weights[::-1].copy()),
        (*rng.normal(size=(2, 6)), np.array([0.7, 0.2])),
    ]
    return check(attempt, slerp, inputs, SLERP)


def traverse(code, latent, values):
    codes = np.repeat(code[np.newaxis], len(values), axis=0)
    codes[:, latent] = values
    return codes


def where(chosen):
    """Return codes that take the values in all latents that are ``chosen``."""

    def codes(code, latent, values):
        return np.where(
            chosen(np.arange(len(code)), latent), values[:, np.newaxis], code
        )

    return codes


def row_changed(code, latent, values):
    codes = np.repeat(code[np.newaxis], len(values), axis=0)
    codes[latent % len(values)] = values[0]
    return codes


TRAVERSE = {
    "the latent takes the values; they are not added to it": (
        lambda code, j, values: traverse(code, j, code[j] + values)
    ),
    "the latent takes the values; it is not multiplied by them": (
        lambda code, j, values: traverse(code, j, code[j] * values)
    ),
    "each value alone: they are not added up from row to row": (
        lambda code, j, values: traverse(code, j, code[j] + np.cumsum(values)),
        lambda code, j, values: traverse(code, j, np.cumsum(values)),
    ),
    "the others keep the code's values: start from copies of the code, not zeros": (
        lambda code, j, values: traverse(0 * code, j, values)
    ),
    "that is the change; add it to the code": (
        lambda code, j, values: traverse(0 * code, j, values - code[j])
    ),
    "every row is the same array, and so all show the last value: copy the code": (
        lambda code, j, values: traverse(code, j, np.repeat(values[-1:], len(values)))
    ),
    "nothing has changed: copies of the code, and then the values in column `latent`": (
        lambda code, j, values: traverse(code, j, np.repeat(code[j], len(values)))
    ),
    "only the one latent changes": (
        where(lambda places, j: places >= 0),
        where(lambda places, j: places >= j),
        where(lambda places, j: places <= j),
        lambda code, j, values: code + values[:, np.newaxis],
    ),
    "latents are counted from 0: that is the one before": (
        lambda code, j, values: traverse(code, j - 1, values)
    ),
    "latents are counted from 0: that is the one after": (
        lambda code, j, values: traverse(code, (j + 1) % len(code), values)
    ),
    "which latent turns is an argument": (
        lambda code, j, values: traverse(code, 0, values),
        lambda code, j, values: traverse(code, -1, values),
    ),
    "rows are codes, columns are latents: codes[:, latent], not codes[latent]": (
        row_changed
    ),
    "the values go in as they are, in their order": (
        lambda code, j, values: traverse(code, j, np.sort(values)),
        lambda code, j, values: traverse(code, j, values[::-1]),
        lambda code, j, values: traverse(
            code, j, np.linspace(min(values), max(values), len(values))
        ),
    ),
    "these are values of the latent already, not shares: no quantiles": (
        lambda code, j, values: traverse(code, j, ndtri(values)),
        lambda code, j, values: traverse(code, j, ndtr(values)),
    ),
    "a code of whole numbers cuts the values off: copy it as it is": (
        lambda code, j, values: traverse(code.astype(int), j, values)
    ),
    "the value takes the latent's place; it is not put in beside it": (
        lambda code, j, values: np.stack([np.insert(code, j, v) for v in values]),
        lambda code, j, values: np.stack([np.append(code, v) for v in values]),
    ),
    "whole codes are wanted, not the one latent": (
        lambda code, j, values: values,
        lambda code, j, values: values[:, np.newaxis],
    ),
    "one row per value: collect them all": (
        lambda code, j, values: traverse(code, j, values)[-1],
        lambda code, j, values: traverse(code, j, values)[0],
    ),
    "one row per value: the unchanged code is not among them": (
        lambda code, j, values: np.vstack([code, traverse(code, j, values)])
    ),
    "one row per value: the shape should be (n, d)": then(traverse, np.transpose),
}


def check_traverse(attempt: Function) -> str:
    """Check ``traverse(code, latent, values)``: (d,), an index and (n,) to (n, d)."""
    rng = np.random.default_rng(0)
    cases = (4, 2, 3), (4, 0, 3), (5, 3, 6)
    inputs = [(rng.normal(size=d), j, rng.normal(size=n)) for d, j, n in cases]
    return check(attempt, traverse, inputs, TRAVERSE)
