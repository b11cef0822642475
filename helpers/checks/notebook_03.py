"""Checks of notebook 03: The variational autoencoder."""

from functools import partial

import numpy as np

from helpers.checks.comparing import Function, check, then


def sample(mean, log_var, noise):
    return mean + np.exp(0.5 * log_var) * noise


SAMPLE = {
    "exp(z_log_var) is the variance; the noise is scaled by its square root": (
        lambda mean, log_var, noise: mean + np.exp(log_var) * noise
    ),
    "z_log_var is a logarithm: exponentiate it": (
        lambda mean, log_var, noise: mean + log_var * noise
    ),
    "half of the logarithm is the logarithm of the root: exponentiate it": (
        lambda mean, log_var, noise: mean + 0.5 * log_var * noise
    ),
    "the root of a negative logarithm is nan: exponentiate first, then take the root": (
        lambda mean, log_var, noise: mean + np.sqrt(log_var) * noise
    ),
    "the sign in the exponent: a larger z_log_var spreads z more widely": (
        lambda mean, log_var, noise: mean + np.exp(-0.5 * log_var) * noise
    ),
    "softplus belongs to an encoder that returns a raw scale; this one returns a "
    "logarithm, whose inverse is exp": (
        lambda mean, log_var, noise: mean + np.logaddexp(0, log_var) * noise
    ),
    "the mean is missing": lambda mean, log_var, noise: sample(0.0, log_var, noise),
    "the mean is added, not multiplied": (
        lambda mean, log_var, noise: mean * np.exp(0.5 * log_var) * noise
    ),
    "the noise is missing: that is one fixed z per picture, and no sample": (
        lambda mean, log_var, noise: sample(mean, log_var, 1.0)
    ),
}


def check_sample(attempt: Function) -> str:
    """Check ``sample(z_mean, z_log_var, noise)``: z ~ N(z_mean, exp(z_log_var))."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.normal(size=(3, *shape))) for shape in ((4, 2), (1, 5), (3, 1))]
    return check(attempt, sample, inputs, SAMPLE)


def kl_normal(mean, log_var, half=0.5, power=2, reduce=np.sum, axis=-1):
    return half * reduce(mean**power + np.exp(log_var) - 1 - log_var, axis=axis)


KL_NORMAL = {
    "the sign: a KL divergence is never negative": partial(kl_normal, half=-0.5),
    "the factor 1/2 is missing": partial(kl_normal, half=1.0),
    "the -1 is missing: for z_mean = 0 and z_log_var = 0, where q is the prior, the KL "
    "must be 0": lambda m, v: kl_normal(m, v) + 0.5 * m.shape[1],
    "the sign of z_log_var: the KL grows without limit as sigma goes to 0": (
        lambda m, v: kl_normal(m, v) + np.sum(v, axis=1)
    ),
    "z_log_var is a logarithm: where the formula has sigma^2, exponentiate it": (
        lambda m, v: 0.5 * np.sum(m**2 - 1 + 0 * v, axis=1)
    ),
    "sum over the latents; their mean is a hidden beta of 1/d": (
        partial(kl_normal, reduce=np.mean)
    ),
    "z_log_var is ln sigma^2, not ln sigma": lambda m, v: kl_normal(m, 2 * v),
    "one value per picture: sum over the last axis only": partial(kl_normal, axis=None),
    "one value per picture: the mean over the batch comes later": then(
        kl_normal, np.mean
    ),
    "square the mean": partial(kl_normal, power=1),
    "sum over the latents, the last axis": partial(kl_normal, reduce=lambda x, axis: x),
    "the sum over the latents runs along axis 1; axis 0 holds the pictures": partial(
        kl_normal, axis=0
    ),
}


def check_kl_normal(attempt: Function) -> str:
    """Check ``kl_normal(z_mean, z_log_var)``: KL to N(0, I) in nats, (n, d) to (n,)."""
    rng = np.random.default_rng(0)
    inputs = [tuple(rng.normal(size=(2, *shape))) for shape in ((4, 3), (2, 5))]
    return check(attempt, kl_normal, inputs, KL_NORMAL)


def bernoulli_nll(x, logits, reduce=np.sum, axis=(1, 2, 3)):
    return reduce(np.logaddexp(0, logits) - x * logits, axis=axis)


def nll_of_probabilities(x, p):
    return -np.sum(x * np.log(p) + (1 - x) * np.log1p(-p), axis=(1, 2, 3))


BERNOULLI = {
    "the logarithm of a saturated sigmoid is infinite: stay with the logits, and use "
    "np.logaddexp(0, logits) for ln(1 + exp(logits))": (
        lambda x, o: nll_of_probabilities(x, 1 / (1 + np.exp(-o)))
    ),
    "exp(1000) overflows: np.logaddexp(0, logits) is ln(1 + exp(logits)) without it": (
        lambda x, o: np.sum(np.log(1 + np.exp(o)) - x * o, axis=(1, 2, 3))
    ),
    "sum over the pixels; their mean makes the loss 784 times smaller, and the KL as "
    "much heavier": partial(bernoulli_nll, reduce=np.mean),
    "the sign: this is the negative log-likelihood": then(bernoulli_nll, np.negative),
    "one value per picture: sum over axes 1, 2 and 3": partial(
        bernoulli_nll, axis=None
    ),
    "these are logits: their sigmoid is the probability": nll_of_probabilities,
    "the roles of 0 and 1 are swapped": lambda x, o: bernoulli_nll(1 - x, o),
    "paper counts too: the term (1 - x) ln(1 - p) is missing": (
        lambda x, o: np.sum(x * np.logaddexp(0, -o), axis=(1, 2, 3))
    ),
    "right for pixels 0 and 1 only: a grey pixel weighs both terms, by x and 1 - x": (
        lambda x, o: np.sum(np.logaddexp(0, (1 - 2 * x) * o), axis=(1, 2, 3))
    ),
    "that is the squared error; the loss is the cross-entropy of coins": (
        lambda x, o: np.sum((x - 1 / (1 + np.exp(-o))) ** 2, axis=(1, 2, 3))
    ),
}
CLIPPED = (
    "right for ordinary logits, but not at 1000: clipped probabilities, or log(p + "
    "1e-8), hide what a saturated pixel costs, and stop its gradient; stay with the "
    "logits"
)


def check_bernoulli(attempt: Function) -> str:
    """Check ``bernoulli_nll(x, logits)``: -ln p(x|z) in nats, (n, h, w, c) to (n,)."""
    rng = np.random.default_rng(0)
    grey = np.round(rng.random((2, 4, 3, 1)), 2)
    x = (rng.random((2, 3, 3, 1)) < 0.5).astype(float)
    saturated = 1000 * np.where(x > 0, -1.0, 1.0)
    ink = np.ones((1, 2, 2, 1))
    extreme = [(x, saturated), (ink, -1000 * ink)]
    mild = [(a, rng.normal(size=a.shape)) for a in (x, grey)]

    def clipped(x, o):
        """Agree with any attempt that is right where no logit is large, and finite."""
        right = bernoulli_nll(x, o)
        if abs(o).max() < 100:
            return right
        answer = np.asarray(attempt(x, o), float)
        finite = answer.shape == right.shape and np.isfinite(answer).all()
        return answer if finite else right

    mistakes = BERNOULLI | {CLIPPED: clipped}
    return check(attempt, bernoulli_nll, [*mild, *extreme], mistakes)


def iwae(log_weights):
    top = log_weights.max(axis=1, keepdims=True)
    return top[:, 0] + np.log(np.mean(np.exp(log_weights - top), axis=1))


IWAE = {
    "that is the ELBO: the mean belongs inside the logarithm": lambda w: w.mean(axis=1),
    "divide by K: the mean of the weights, not their sum": (
        lambda w: iwae(w) + np.log(w.shape[1])
    ),
    "ln K is subtracted once, and comes from the K samples of axis 1": (
        lambda w: iwae(w) + np.log(w.shape[1]) - np.log(w.shape[0])
    ),
    "exp(-1000) is 0 and its logarithm infinite: subtract the largest log weight first "
    "(log-sum-exp)": lambda w: np.log(np.mean(np.exp(w), axis=1)),
    "each picture has its own largest log weight: axis=1, keepdims=True": (
        lambda w: w.max() + np.log(np.mean(np.exp(w - w.max()), axis=1))
    ),
    "the largest log weight was subtracted: add it again, outside the logarithm": (
        lambda w: iwae(w) - w.max(axis=1)
    ),
    "that is the largest log weight: the mean of all K weights is asked for": (
        lambda w: w.max(axis=1)
    ),
    "that is the mean weight: its logarithm is missing": (
        lambda w: np.exp(w).mean(axis=1)
    ),
    "one value per picture: the samples stand along axis 1": lambda w: iwae(w.T),
    "one value per picture: the mean over the pictures comes later": then(
        iwae, np.mean
    ),
}


def check_iwae(attempt: Function) -> str:
    """Check ``iwae(log_weights)``: ln of the mean weight, (n, K) to (n,)."""
    rng = np.random.default_rng(0)
    mild, wide = rng.normal(size=(3, 4)), -500 * rng.random(size=(2, 6))
    far = np.full((2, 6), -1000.0)  # one picture's weights are small, the other's not
    far[0, 0] = 0
    return check(attempt, iwae, [(mild,), (mild - 1000,), (wide,), (far,)], IWAE)


def active_units(z_mean, threshold, axis=0, spread=np.var):
    return np.sum(spread(z_mean, axis=axis) > threshold)


ACTIVE_UNITS = {
    "the variance, not the standard deviation": partial(active_units, spread=np.std),
    "the variance around the mean: a constant code is not active": (
        partial(active_units, spread=lambda z, axis: np.mean(z**2, axis=axis))
    ),
    "the variance of the means, not their size: a latent may vary around any value": (
        partial(active_units, spread=lambda z, axis: np.abs(np.mean(z, axis=axis)))
    ),
    "over the pictures (axis 0): one variance per latent": partial(
        active_units, axis=1
    ),
    "how many latents are above the threshold, not below": (
        lambda z, threshold: z.shape[1] - active_units(z, threshold)
    ),
    "latent by latent: eigenvalues count the directions in which all of them vary": (
        lambda z, threshold: (np.linalg.eigvalsh(np.cov(z.T)) > threshold).sum()
    ),
    "the threshold is an argument: 0.01 is only its usual value": (
        lambda z, threshold: active_units(z, 0.01)
    ),
    "how many, not which share of them": (
        lambda z, threshold: active_units(z, threshold) / z.shape[1]
    ),
    "how many: sum up the latents that are above": (
        lambda z, threshold: np.var(z, axis=0) > threshold
    ),
    "count the latents; the sum of their variances is no count": (
        lambda z, threshold: np.var(z, axis=0)[np.var(z, axis=0) > threshold].sum()
    ),
}


def check_active_units(attempt: Function) -> str:
    """Check ``active_units(z_mean, threshold)``: how many vary, of (n, d)."""
    # of eight latents 2 have a variance above 0.01, 4 a deviation, 5 a second moment
    scales = np.array([1.0, 0.3, 0.095, 0.05, 0.004, 0.004, 0.004, 0.004])
    middles = np.array([0, 0, 0, 2, 0.5, 1, 0, 0])
    z_mean = np.random.default_rng(0).normal(size=(5000, 8)) * scales + middles
    inputs = [(z_mean, 0.01), (z_mean[:700, 1:], 0.001), (z_mean[:60, :3], 0.5)]
    inputs.append((np.repeat(z_mean[:200, :1], 4, axis=1), 0.5))  # four that agree
    return check(attempt, active_units, inputs, ACTIVE_UNITS)
