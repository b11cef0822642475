"""Diffusion: schedule, three predictions, the bound, samplers with known ends."""

import math

import numpy as np
import pytest
from keras import ops

from helpers import diffusion
from helpers.engine import stateless

MEAN, SPREAD = 1.5, 0.5  # of a Gaussian in one dimension, whose best network is known
RNG = np.random.default_rng(0)


def exact(kind):
    """The network of least squared error for N(MEAN, SPREAD^2)."""

    def network(z, t):
        alpha, sigma = diffusion.scales(t, z)
        variance = alpha**2 * SPREAD**2 + sigma**2
        x = MEAN + alpha * SPREAD**2 / variance * (z - alpha * MEAN)
        noise = sigma / variance * (z - alpha * MEAN)
        return diffusion.target(x, t, noise, kind)

    return network


def normals(*shape):
    return RNG.normal(size=shape).astype("float32")


def test_schedule():
    t = np.linspace(0, 1, 11).astype("float32")
    alpha, sigma = map(ops.convert_to_numpy, diffusion.alpha_sigma(t))
    assert alpha[0] == 1 and sigma[0] == 0
    assert abs(alpha[-1]) < 1e-6
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, rtol=1e-6)
    assert float(diffusion.log_snr(0.5)) == pytest.approx(0, abs=1e-6)
    h = 1e-2
    slope = (diffusion.log_snr(0.3 + h) - diffusion.log_snr(0.3 - h)) / (2 * h)
    weight = diffusion.bound_weight(0.3, "noise")
    assert float(weight) == pytest.approx(-float(slope) / 2, rel=1e-3)


@pytest.mark.parametrize("kind", diffusion.KINDS)
def test_predictions_convert(kind):
    x, noise = normals(5, 2, 3), normals(5, 2, 3)
    t = np.linspace(0.1, 0.9, 5).astype("float32")
    z = diffusion.noised(x, t, noise)
    output = diffusion.target(x, t, noise, kind)
    found = diffusion.picture_and_noise(output, z, t, kind)
    np.testing.assert_allclose(found[0], x, atol=1e-4)
    np.testing.assert_allclose(found[1], noise, atol=1e-4)


@pytest.mark.parametrize("kind", diffusion.KINDS)
def test_score_is_the_gradient_of_the_density(kind):
    z, t = normals(100, 1), np.full(100, 0.4, "float32")
    alpha, sigma = (float(s) for s in diffusion.alpha_sigma(0.4))
    expected = -(z - alpha * MEAN) / (alpha**2 * SPREAD**2 + sigma**2)
    found = diffusion.score(exact(kind)(z, t), z, t, kind)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("kind", diffusion.KINDS)
def test_bound_is_tight_for_the_best_network(kind):
    """The weighted errors from time a on, and the two ends, are -E ln p(x)."""
    count, first = 200_000, 0.02
    t = first + (1 - first) * (np.arange(count) + 0.5) / count
    t = t.astype("float32")
    x = (MEAN + SPREAD * normals(count, 1)).astype("float32")
    errors = diffusion.squared_error(exact(kind), x, t, normals(count, 1), kind)
    weighed = (1 - first) * np.asarray(diffusion.bound_weight(t, kind)) * errors
    alpha, sigma = (float(s) for s in diffusion.alpha_sigma(first))
    # z at the first time, once the rest is known, costs what the density says of it
    variance = alpha**2 * SPREAD**2 + sigma**2
    of_z = 0.5 * math.log(2 * math.pi * math.e * variance)
    of_noise = 0.5 * math.log(2 * math.pi * math.e * sigma**2)
    assert float(np.mean(weighed)) == pytest.approx(of_z - of_noise, abs=0.03)


@pytest.mark.parametrize("ancestral", [False, True])
@pytest.mark.parametrize("kind", diffusion.KINDS)
def test_sampler_ends_at_the_gaussian(kind, ancestral):
    start = 0.98 if kind == "noise" else 1.0
    options = {"kind": kind, "ancestral": ancestral, "start": start}
    x = np.asarray(diffusion.sample(exact(kind), (4000, 1), 100, **options))
    assert x.mean() == pytest.approx(MEAN, abs=0.03)
    assert x.std() == pytest.approx(SPREAD, abs=0.02)


def test_path_returns_the_way_it_came():
    x = (MEAN + SPREAD * normals(100, 1)).astype("float32")
    times = np.linspace(0, 1, 101)
    noise = diffusion.path(exact("velocity"), x, times)
    np.testing.assert_allclose(noise, (x - MEAN) / SPREAD, atol=0.06)
    again = diffusion.path(exact("velocity"), noise, times[::-1])
    np.testing.assert_allclose(again, x, atol=0.06)


def test_posterior_agrees_with_the_chain():
    """Draws of z_s, then of z_t by a forward step, regressed on x and z_t."""
    n, t, s = 400_000, 0.6, 0.4
    x, fresh = normals(n), normals(n)
    z_s = np.asarray(diffusion.noised(x, np.full(n, s, "float32"), normals(n)))
    (alpha_t, sigma_t), (alpha_s, sigma_s) = map(diffusion.alpha_sigma, (t, s))
    kept = float(alpha_t / alpha_s)
    z_t = kept * z_s + math.sqrt(float(sigma_t**2 - (kept * sigma_s) ** 2)) * fresh
    mean, deviation = diffusion.posterior(x, z_t, t, s)
    rest = z_s - np.asarray(mean)
    assert np.corrcoef(rest, z_t)[0, 1] == pytest.approx(0, abs=0.01)
    assert np.corrcoef(rest, x)[0, 1] == pytest.approx(0, abs=0.01)
    assert rest.std() == pytest.approx(float(deviation), rel=0.01)


def test_guidance_is_linear_in_its_weight():
    z, t = normals(4, 2), np.full(4, 0.5, "float32")
    labels, nothing = np.ones((4, 1), "float32"), np.zeros((4, 1), "float32")

    def network(z, t, labels):
        return z * (1 + labels) + beside(t)

    def beside(t):
        return ops.reshape(t, (-1, 1))

    for weight, factor in ((0.0, 1.0), (1.0, 2.0), (3.0, 4.0)):
        found = diffusion.guided(network, labels, nothing, weight)(z, t)
        np.testing.assert_allclose(found, factor * z + 0.5, rtol=1e-5)


def test_what_is_known_is_held_and_watched():
    seen = []
    x = diffusion.sample(
        exact("velocity"),
        (3, 1),
        5,
        change=lambda z, t: z * 0 + 7,
        watch=lambda t, z, x: seen.append(t),
    )
    np.testing.assert_array_equal(x, 7)
    np.testing.assert_allclose(seen, [1, 0.8, 0.6, 0.4, 0.2])


def test_times_are_spread():
    t = np.sort(np.asarray(diffusion.spread_times(1000, stateless.seeds_of(0, 1))))
    assert np.abs(np.diff(t) - 1e-3).max() < 1e-4
    assert t.min() > 0 and t.max() < 1


def test_errors():
    z = normals(2, 1)
    with pytest.raises(ValueError, match="kind"):
        diffusion.target(z, z[:, 0], z, "score")
    with pytest.raises(ValueError, match="times"):
        diffusion.path(exact("noise"), z, [0.5])
    with pytest.raises(ValueError, match="fall"):
        diffusion.path(exact("noise"), z, [0.1, 0.5], seed=0)
    with pytest.raises(ValueError, match="steps"):
        diffusion.sample(exact("noise"), (2, 1), 0)
