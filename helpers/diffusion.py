"""Diffusion: a fixed encoder that adds noise, and a network that takes it away.

Time t runs from 0, where nothing is added, to 1, where nothing else is left:
z = alpha(t) x + sigma(t) noise, with alpha^2 + sigma^2 = 1 and noise from N(0, I).
A network is any function of z (n, ...) and times (n,) that returns z's shape. What it
predicts is the ``noise``, the ``picture`` x, or the ``velocity`` alpha noise - sigma x;
with z and t, each gives the other two.

Sources: Ho et al. (2020), "Denoising diffusion probabilistic models"; Kingma et al.
(2021), "Variational diffusion models"; Salimans and Ho (2022), "Progressive
distillation", for the velocity.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from helpers.engine import stateless

Network = Callable[[Any, Any], Any]
KINDS = ("noise", "picture", "velocity")


def alpha_sigma(t: Any) -> tuple[Any, Any]:
    """Return how much signal and noise there is at times in [0, 1], of their shape.

    The cosine schedule: cos(pi t / 2) and sin(pi t / 2), exactly (1, 0) at time 0 and,
    but for rounding, (0, 1) at time 1. Source: Nichol and Dhariwal (2021), "Improved
    denoising diffusion probabilistic models".
    """
    angle = ops.convert_to_tensor(t, "float32") * (math.pi / 2)
    return ops.cos(angle), ops.sin(angle)


def log_snr(t: Any) -> Any:
    """Return the logarithm of alpha^2 / sigma^2 at times in (0, 1)."""
    alpha, sigma = alpha_sigma(t)
    return 2 * (ops.log(alpha) - ops.log(sigma))


def beside(t: Any, x: Any) -> Any:
    """Return times (n,) as (n, 1, ..., 1), to go with x (n, ...)."""
    return ops.reshape(t, (-1,) + (1,) * (len(x.shape) - 1))


def scales(t: Any, x: Any) -> tuple[Any, Any]:
    """Return ``alpha_sigma(t)`` of times (n,) or one, in a shape that goes with x."""
    return alpha_sigma(beside(ops.convert_to_tensor(t, "float32"), x))


def noised(x: Any, t: Any, noise: Any) -> Any:
    """Return z = alpha x + sigma noise at times (n,), a draw from q(z|x)."""
    alpha, sigma = scales(t, x)
    return alpha * x + sigma * noise


def target(x: Any, t: Any, noise: Any, kind: str = "velocity") -> Any:
    """Return what a network of this kind should predict at times (n,), of x's shape.

    Raises:
        ValueError: the kind is not one of ``KINDS``.
    """
    check_kind(kind)
    if kind != "velocity":
        return noise if kind == "noise" else x
    alpha, sigma = scales(t, x)
    return alpha * noise - sigma * x


def picture_and_noise(
    prediction: Any, z: Any, t: Any, kind: str = "velocity"
) -> tuple[Any, Any]:
    """Return the x and the noise that a prediction at z and times (n,) amounts to.

    At time 1 a prediction of noise says nothing of x, and at time 0 one of x nothing
    of the noise: there the quotient's divisor is held at 1e-4. A velocity serves at
    both ends.

    Raises:
        ValueError: the kind is not one of ``KINDS``.
    """
    check_kind(kind)
    alpha, sigma = scales(t, z)
    if kind == "noise":
        return (z - sigma * prediction) / ops.maximum(alpha, 1e-4), prediction
    if kind == "picture":
        return prediction, (z - alpha * prediction) / ops.maximum(sigma, 1e-4)
    return alpha * z - sigma * prediction, sigma * z + alpha * prediction


def check_kind(kind: str) -> None:
    """Raise ValueError unless a network can predict this."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, and is {kind!r}")


def score(prediction: Any, z: Any, t: Any, kind: str = "velocity") -> Any:
    """Return the gradient by z of ln p(z) at times (n,) above 0: -noise / sigma.

    Source: Vincent (2011), "A connection between score matching and denoising
    autoencoders".
    """
    noise = picture_and_noise(prediction, z, t, kind)[1]
    return -noise / scales(t, z)[1]


def bound_weight(t: Any, kind: str = "velocity") -> Any:
    """Return by what squared errors at times (n,) in (0, 1) count in the bound, (n,).

    The mean over uniform times of weight times squared error, summed over all numbers
    of x, is the diffusion's part of the negative ELBO, in nats, in continuous time: of
    noise -1/2 the derivative of ``log_snr``. A weight of 1 on the noise is the common
    loss; on the velocity it is another reweighting of the same terms.

    Raises:
        ValueError: the kind is not one of ``KINDS``.

    Source: Kingma et al. (2021), equation 15.
    """
    check_kind(kind)
    alpha, sigma = alpha_sigma(t)
    of_noise = math.pi / (2 * alpha * sigma)
    if kind == "noise":
        return of_noise
    ratio = alpha / sigma if kind == "picture" else alpha
    return of_noise * ops.square(ratio)


def squared_error(
    network: Network, x: Any, t: Any, noise: Any, kind: str = "velocity"
) -> Any:
    """Return the squared error of a prediction, summed over numbers of x, (n,).

    Args:
        x: clean data (n, ...).
        t: times (n,).
        noise: draws of N(0, 1), of x's shape.
        kind: what the network predicts.
    """
    z = noised(x, t, noise)
    error = target(x, t, noise, kind) - ops.cast(network(z, t), "float32")
    return ops.sum(ops.square(error), axis=tuple(range(1, len(x.shape))))


def spread_times(count: int, seeds: Any) -> Any:
    """Return times (count,) in (0, 1): one shift of an even grid, for less variance.

    Each is uniform, and together they cover [0, 1]. Source: Kingma et al. (2021),
    appendix I.1.
    """
    shift = stateless.uniform((1,), seeds)
    grid = ops.arange(count, dtype="float32") / count
    return ops.clip((grid + shift) % 1.0, 1e-5, 1 - 1e-5)


def posterior(x: Any, z: Any, t: float, s: float) -> tuple[Any, Any]:
    """Return mean and standard deviation of q(z_s | z_t, x), s < t: a step's target.

    Args:
        x: clean data, or what a network takes for them, (n, ...).
        z: noisy data at time t, of the same shape.

    Returns:
        The mean, of x's shape, and the deviation, one number.

    Source: Ho et al. (2020), equation 7, in the form of Kingma et al. (2021).
    """
    (alpha_t, sigma_t), (alpha_s, sigma_s) = alpha_sigma(t), alpha_sigma(s)
    kept = alpha_t / alpha_s  # of the signal, from s to t
    added = ops.square(sigma_t) - ops.square(kept * sigma_s)
    mean = (kept * ops.square(sigma_s) * z + alpha_s * added * x) / ops.square(sigma_t)
    return mean, ops.sqrt(ops.maximum(added, 0.0)) * sigma_s / sigma_t


def path(
    network: Network,
    z: Any,
    times: Sequence[float] | np.ndarray,
    *,
    kind: str = "velocity",
    seed: int | None = None,
    change: Callable[[Any, float], Any] | None = None,
    watch: Callable[[float, Any, Any], None] | None = None,
) -> Any:
    """Return z after steps from one time to the next, of the shape that it has.

    With falling times noise turns into data, with rising ones data into their noise,
    and back by the same steps: along the deterministic path, each step keeps the
    prediction of x and noise, and moves to the next time.

    Args:
        network: its ``kind`` says what it predicts.
        z: data (n, ...) at the first time.
        times: from 0 to 1, two or more.
        seed: of fresh noise per step: ancestral sampling, for falling times alone.
            None: no noise.
        change: a function of z and its time, called after each step, that returns the
            z to go on with: to hold what is known.
        watch: called before each step with the time, z and the x predicted there.

    Raises:
        ValueError: fewer than two times, or not in [0, 1]; a seed, and times that rise.

    Source: Song et al. (2021), "Denoising diffusion implicit models".
    """
    times = np.asarray(times, "float64")
    if len(times) < 2 or times.min() < 0 or times.max() > 1:
        raise ValueError(f"times must be two or more in [0, 1], and are {times}")
    if seed is not None and (np.diff(times) > 0).any():
        raise ValueError(
            "noise is added where times fall: leave out seed, or turn them"
        )
    z = ops.convert_to_tensor(z)
    for step, (t, s) in enumerate(itertools.pairwise(times)):
        here = ops.full((len(z),), t, "float32")
        x, noise = picture_and_noise(network(z, here), z, here, kind)
        if watch is not None:
            watch(float(t), z, x)
        if seed is None:
            alpha, sigma = alpha_sigma(s)
            z = alpha * x + sigma * noise
        else:
            mean, deviation = posterior(x, z, t, s)
            z = mean + deviation * stateless.normal(
                z.shape, stateless.seeds_of(seed, step)
            )
        z = z if change is None else change(z, float(s))
    return z


def sample(
    network: Network,
    shape: Sequence[int],
    steps: int = 40,
    seed: int = 0,
    *,
    kind: str = "velocity",
    ancestral: bool = False,
    start: float = 1.0,
    **options,
) -> Any:
    """Return new data of a shape (n, ...), by ``path`` from noise at ``start`` to 0.

    Args:
        seed: of the noise to begin with, and of that of ``ancestral`` steps.
        start: the first time; below 1 for a network that predicts noise, which must
            begin where there is some signal.
        options: ``change`` and ``watch`` of ``path``.

    Raises:
        ValueError: fewer steps than one, or ``start`` not in (0, 1].
    """
    if steps < 1 or not 0 < start <= 1:
        raise ValueError(
            f"steps must be 1 or more, and start in (0, 1]: {steps}, {start}"
        )
    z = keras.random.normal(shape, seed=seed)
    fresh = seed + 1 if ancestral else None
    times = np.linspace(start, 0.0, steps + 1)
    return path(network, z, times, kind=kind, seed=fresh, **options)


def guided(
    network: Callable[[Any, Any, Any], Any], labels: Any, nothing: Any, weight: float
) -> Network:
    """Return a network that is led to its labels: classifier-free guidance.

    Predictions with and without a label differ by what the label says; ``weight`` times
    that is added to the one without: 0 ignores labels, 1 is the conditional network,
    more exaggerates.

    Args:
        network: a function of z, times, and labels (n, ...).
        labels: of what is wanted, (n, ...).
        nothing: the labels that stand for none, of the same shape.

    Source: Ho and Salimans (2022), "Classifier-free diffusion guidance".
    """
    both = ops.concatenate([nothing, labels])

    def led(z, t):
        answers = network(ops.concatenate([z, z]), ops.concatenate([t, t]), both)
        without, with_label = ops.split(answers, 2)
        return without + weight * (with_label - without)

    return led
