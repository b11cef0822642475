"""Checks of notebook 08, Towards diffusion: a step, velocities, guidance, codes."""

from functools import partial

import numpy as np

from helpers.checks.comparing import Function, check, then


def step_mean(x_t, x_0, before, now, own=None):
    kept = now / before if own is None else own(before, now)
    on_x_t, on_x_0 = np.sqrt(kept) * (1 - before), np.sqrt(before) * (1 - kept)
    return (on_x_t * x_t + on_x_0 * x_0) / (1 - now)


def weights(x_t, x_0, before, now):
    """Return the mean's two weights as if of data 1 and 0."""
    return step_mean(1.0, 0.0, before, now), step_mean(0.0, 1.0, before, now)


STEP_MEAN = {
    "the two A are products already: a_t = A_t / A_{t-1}, not A_t itself": (
        partial(step_mean, own=lambda before, now: now)
    ),
    "a_t is A_t / A_{t-1}; here it is A_{t-1}": (
        partial(step_mean, own=lambda before, now: before)
    ),
    "a_t = A_t / A_{t-1}: divide the later by the earlier": (
        partial(step_mean, own=lambda before, now: before / now)
    ),
    "a_t is the quotient of the two A, not their product": (
        partial(step_mean, own=lambda before, now: before * now)
    ),
    "x_t and x_0 have changed places": lambda x, y, b, n: step_mean(y, x, b, n),
    "before and now have changed places": lambda x, y, b, n: step_mean(x, y, n, b),
    "divide by 1 - A_t, the noise that x_t has, not by 1 - A_{t-1}": (
        lambda x, y, b, n: step_mean(x, y, b, n) * (1 - n) / (1 - b)
    ),
    "divide the two together by 1 - A_t": (
        lambda x, y, b, n: step_mean(x, y, b, n) * (1 - n)
    ),
    "only x_0's part is divided by 1 - A_t: x_t's too": (
        lambda x, y, b, n: (
            weights(x, y, b, n)[0] * (1 - n) * x + weights(x, y, b, n)[1] * y
        )
    ),
    "only x_t's part is here: what is known of x_0 counts too": (
        lambda x, y, b, n: weights(x, y, b, n)[0] * x
    ),
    "only x_0's part is here: x_t counts too": (
        lambda x, y, b, n: weights(x, y, b, n)[1] * y
    ),
    "that is the mean of q(x_{t-1}|x_0), which does not know x_t": (
        lambda x, y, b, n: np.sqrt(b) * y
    ),
    "square roots: A and a are shares of the variance, and scale by their roots": (
        lambda x, y, b, n: ((n / b) * (1 - b) * x + b * (1 - n / b) * y) / (1 - n)
    ),
    "both parts are added: noise that x_t has is no minus": (
        lambda x, y, b, n: 2 * weights(x, y, b, n)[0] * x - step_mean(x, y, b, n)
    ),
    "that is the walk without fresh noise; the mean keeps less of x_t": (
        lambda x, y, b, n: (
            np.sqrt(b) * y + np.sqrt((1 - b) / (1 - n)) * (x - np.sqrt(n) * y)
        )
    ),
}


def check_step_mean(attempt: Function) -> str:
    """Check ``step_mean(x_t, x_0, before, now)``: (n, d), of arrays (n, d)."""
    rng = np.random.default_rng(0)
    inputs = [
        (*rng.normal(size=(2, 5, 3)), 0.7, 0.5),
        (*rng.normal(size=(2, 1, 2)), 0.9, 0.1),
        (*rng.normal(size=(2, 4, 1)), 0.2, 0.15),
    ]
    return check(attempt, step_mean, inputs, STEP_MEAN)


def from_velocity(x_t, velocity, kept, cosine=np.sqrt, sign=1.0):
    c, s = cosine(kept), cosine(1 - kept)
    return np.stack([c * x_t - sign * s * velocity, sign * s * x_t + c * velocity])


FROM_VELOCITY = {
    "the signs: put x_t = c x + s e and v = c e - s x in, and x must come out": partial(
        from_velocity, sign=-1.0
    ),
    "the picture's sign: x^ = sqrt(A) x_t minus the velocity's part": (
        lambda x, v, k: (
            from_velocity(x, v, k) + np.stack([2 * np.sqrt(1 - k) * v, 0 * v])
        )
    ),
    "the noise's sign: x_t's part is added": (
        lambda x, v, k: (
            from_velocity(x, v, k) - np.stack([0 * x, 2 * np.sqrt(1 - k) * x])
        )
    ),
    "square roots: A_t is the square of the cosine": (
        partial(from_velocity, cosine=lambda share: share)
    ),
    "cosine and sine have changed places: sqrt(A_t) goes with the picture": (
        lambda x, v, k: from_velocity(x, v, 1 - k)
    ),
    "the order: the picture first, then the noise": (
        lambda x, v, k: from_velocity(x, v, k)[::-1]
    ),
    "that takes the velocity for the noise": (
        lambda x, v, k: np.stack([(x - np.sqrt(1 - k) * v) / np.sqrt(k), v])
    ),
    "that takes the velocity for the picture": (
        lambda x, v, k: np.stack([v, (x - np.sqrt(k) * v) / np.sqrt(1 - k)])
    ),
    "that is flow matching's velocity, noise minus picture": (
        lambda x, v, k: np.stack(
            [
                (x - np.sqrt(1 - k) * v) / (np.sqrt(k) + np.sqrt(1 - k)),
                (x + np.sqrt(k) * v) / (np.sqrt(k) + np.sqrt(1 - k)),
            ]
        )
    ),
    "the turn keeps lengths: no division by sqrt(A_t)": (
        lambda x, v, k: from_velocity(x, v, k) / np.sqrt(k)
    ),
    "the velocity's part is missing": (
        lambda x, v, k: np.stack([np.sqrt(k) * x, np.sqrt(1 - k) * x])
    ),
    "picture and noise side by side: np.stack gives (2, n, d)": (
        then(from_velocity, lambda both: np.stack(list(both), axis=-1)),
        then(from_velocity, lambda both: np.concatenate(list(both))),
        then(from_velocity, lambda both: np.concatenate(list(both), axis=-1)),
    ),
    "the noise is asked for too": then(from_velocity, lambda both: both[0]),
    "the picture is asked for too": then(from_velocity, lambda both: both[1]),
}


def check_from_velocity(attempt: Function) -> str:
    """Check ``from_velocity(x_t, velocity, kept)``: (2, n, d), of arrays (n, d)."""
    rng = np.random.default_rng(1)
    inputs = [
        (*rng.normal(size=(2, 5, 3)), 0.7),
        (*rng.normal(size=(2, 4, 2)), 0.02),
        (*rng.normal(size=(2, 3, 2)), 0.99),
    ]
    return check(attempt, from_velocity, inputs, FROM_VELOCITY)


def own_logit(x_t, kept):
    return 2 * np.sqrt(kept) / (1 - kept) * x_t


OWN_LOGIT = {
    "half of it: the two squared distances differ by 4 sqrt(A) x_t": (
        then(own_logit, lambda logit: logit / 2)
    ),
    "twice too much: a normal's exponent is halved": (
        then(own_logit, lambda logit: 2 * logit)
    ),
    "the sign: a bright x_t speaks for ink": then(own_logit, np.negative),
    "divide by the variance 1 - A_t, not by its root": (
        lambda x, k: 2 * np.sqrt(k / (1 - k)) * x
    ),
    "the means are sqrt(A_t) and its negative, not A_t": (
        lambda x, k: 2 * k / (1 - k) * x
    ),
    "the means are sqrt(A_t) and its negative, not 1 and -1": (
        lambda x, k: 2 / (1 - k) * x
    ),
    "divide by the variance of the noise, 1 - A_t": lambda x, k: 2 * np.sqrt(k) * x,
    "sqrt(A_t) stands above, and the variance is 1 - A_t: A_t has changed places": (
        lambda x, k: 2 * np.sqrt(1 - k) / k * x
    ),
    "log-odds, not the probability": (
        then(own_logit, lambda logit: 1 / (1 + np.exp(-logit)))
    ),
    "log-odds, not the mean of -1 and 1": (
        then(own_logit, lambda logit: np.tanh(logit / 2))
    ),
    "the logarithm of the odds": then(own_logit, np.exp),
    "that is ln of the probability of ink, and not yet minus that of paper": (
        then(own_logit, lambda logit: -np.logaddexp(0, -logit))
    ),
    "that is the log density of ink; subtract that of paper": (
        lambda x, k: -((x - np.sqrt(k)) ** 2) / (2 * (1 - k)),
        lambda x, k: (
            -((x - np.sqrt(k)) ** 2) / (2 * (1 - k)) - 0.5 * np.log(2 * np.pi * (1 - k))
        ),
    ),
    "that is a guess of x_0 on its own: x_t / sqrt(A_t)": lambda x, k: x / np.sqrt(k),
    "pixels are -1 and 1 here, not 0 and 1": (
        lambda x, k: np.sqrt(k) / (1 - k) * (x - np.sqrt(k) / 2)
    ),
}


def check_own_logit(attempt: Function) -> str:
    """Check ``own_logit(x_t, kept)``: log-odds (n,) of noisy pixels (n,)."""
    rng = np.random.default_rng(2)
    inputs = [(rng.normal(size=6), 0.6), (rng.normal(size=4), 0.03)]
    return check(attempt, own_logit, inputs, OWN_LOGIT)


def guided(without, told, weight):
    return without + weight * (told - without)


GUIDED = {
    "the roles are swapped: weight 0 ignores the label": (
        lambda u, c, w: guided(c, u, w)
    ),
    "that leads away from the label: told minus without": (
        lambda u, c, w: u - w * (c - u)
    ),
    "start from the prediction without the label": lambda u, c, w: c + w * (c - u),
    "the difference is weighed, not the prediction alone": lambda u, c, w: u + w * c,
    "without is not added once more: its weight is 1 - w": (
        lambda u, c, w: u + guided(u, c, w)
    ),
    "beyond 1 is the point: no clipping of the weight": (
        lambda u, c, w: guided(u, c, min(max(w, 0.0), 1.0))
    ),
    "the weight counts: this is w = 1": lambda u, c, w: c,
    "the weight counts: this is w = 0": lambda u, c, w: u,
    "what is added is added to the prediction without": lambda u, c, w: w * (c - u),
    "the two weights add up to 1: no division by 1 + w": (
        lambda u, c, w: guided(u, c, w) / (1 + w),
        lambda u, c, w: (u + w * c) / (1 + w),
    ),
    "no average of the two: the weight is w, not w / 2": (
        lambda u, c, w: guided(u, c, w / 2)
    ),
    "the weight is not squared": lambda u, c, w: guided(u, c, w**2),
    "the whole difference, not its sign": lambda u, c, w: u + w * np.sign(c - u),
    "the length is part of the prediction: no rescaling": (
        lambda u, c, w: (lambda g: g * np.linalg.norm(c) / np.linalg.norm(g))(
            guided(u, c, w)
        )
    ),
}


def check_guided(attempt: Function) -> str:
    """Check ``guided(without, told, weight)``: (n, d), of two predictions (n, d)."""
    rng = np.random.default_rng(3)
    inputs = [
        (*rng.normal(size=(2, 5, 3)), 3.0),
        (*rng.normal(size=(2, 2, 2)), 0.5),
        (*rng.normal(size=(2, 4, 1)), 0.0),
    ]
    return check(attempt, guided, inputs, GUIDED)


def nearest_entries(v, book):
    squares = np.sum((v[:, np.newaxis] - book) ** 2, axis=2)
    return book[np.argmin(squares, axis=1)]


def vector_gradient(v, book, w, x, c, chosen=nearest_entries):
    e = chosen(v, book)
    return 2 * (e @ w - x) @ w.T + 2 * c * (v - e)


def farthest(v, book):
    return book[np.argmax(np.sum((v[:, np.newaxis] - book) ** 2, axis=2), axis=1)]


def most_aligned(v, book):
    return book[np.argmax(v @ book.T, axis=1)]


def nearest_to_all(v, book):
    """The entry for the mean of all vectors, given to each of them."""
    return np.repeat(nearest_entries(v.mean(axis=0, keepdims=True), book), len(v), 0)


def pull(v, book):
    return 2 * (v - nearest_entries(v, book))


def of_decoder(v, book, w, x, c):
    return vector_gradient(v, book, w, x, 0.0)


VECTOR_GRADIENT = {
    "the decoder sees the entry: take its gradient at e, not at v": (
        lambda v, b, w, x, c: 2 * (v @ w - x) @ w.T + c * pull(v, b)
    ),
    "only the pull is here: the decoder's gradient is handed on": (
        lambda v, b, w, x, c: c * pull(v, b)
    ),
    "only the decoder's part is here: the pull keeps the vector too": of_decoder,
    "the pull's sign: the gradient of |v - e|^2 points away from e": (
        lambda v, b, w, x, c: of_decoder(v, b, w, x, c) - c * pull(v, b)
    ),
    "the decoder's sign: decoded minus wanted": (
        lambda v, b, w, x, c: c * pull(v, b) - of_decoder(v, b, w, x, c)
    ),
    "the pull is weighed by c": lambda v, b, w, x, c: vector_gradient(v, b, w, x, 1.0),
    "the entry's own pull belongs to the codebook: v is pulled by c, not by 1 + c": (
        lambda v, b, w, x, c: vector_gradient(v, b, w, x, 1 + c)
    ),
    "the whole loss is not weighed: c goes with the pull alone": (
        lambda v, b, w, x, c: c * vector_gradient(v, b, w, x, 1.0)
    ),
    "half of it: a square's slope has a 2": (
        then(vector_gradient, lambda slope: slope / 2)
    ),
    "the pull is a square too, with a 2 of its own": (
        lambda v, b, w, x, c: of_decoder(v, b, w, x, c) + c * pull(v, b) / 2
    ),
    "the decoder's part is a square too, with a 2 of its own": (
        lambda v, b, w, x, c: of_decoder(v, b, w, x, c) / 2 + c * pull(v, b)
    ),
    "back through the decoder: multiply by W turned, w.T": (
        lambda v, b, w, x, c: 2 * (nearest_entries(v, b) @ w - x) @ w + c * pull(v, b)
    ),
    "through the decoder once more: the error of x is multiplied by w.T": (
        lambda v, b, w, x, c: 2 * (nearest_entries(v, b) @ w - x) + c * pull(v, b)
    ),
    "the nearest entry, not the farthest": partial(vector_gradient, chosen=farthest),
    "nearest by distance: the largest product is another entry": (
        partial(vector_gradient, chosen=most_aligned)
    ),
    "each vector has an entry of its own": (
        partial(vector_gradient, chosen=nearest_to_all)
    ),
    "the loss is summed over the numbers of x, not averaged": (
        lambda v, b, w, x, c: (
            of_decoder(v, b, w, x, c) / w.shape[1] + c * pull(v, b) / v.shape[1]
        ),
        lambda v, b, w, x, c: of_decoder(v, b, w, x, c) / w.shape[1] + c * pull(v, b),
    ),
    "a gradient for each vector, not their mean": (
        then(vector_gradient, lambda slope: slope.mean(axis=0)),
        then(vector_gradient, lambda slope: slope / len(slope)),
    ),
    "that is the codebook's gradient at the entries: its pull turned round": (
        lambda v, b, w, x, c: -pull(v, b)
    ),
    "the nearest entry does not move with v, but its gradient is not 0": (
        lambda v, b, w, x, c: np.zeros_like(v)
    ),
}


def check_vector_gradient(attempt: Function) -> str:
    """Check ``vector_gradient(v, book, w, x, c)``: (n, d), of vectors (n, d).

    The book is (K, d), the decoder's matrix (d, p) and what it should give (n, p).
    """
    rng = np.random.default_rng(4)
    inputs = []
    for n, d, entries, c in ((6, 3, 7, 0.25), (4, 2, 5, 0.6)):
        shapes = (n, d), (entries, d), (d, d), (n, d)
        inputs.append((*(rng.normal(size=shape) for shape in shapes), c))
    return check(attempt, vector_gradient, inputs, VECTOR_GRADIENT)
