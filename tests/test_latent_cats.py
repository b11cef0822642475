"""Codes that are maps: likelihood of colours, VAE, VQ-VAE, transformers, training."""

import itertools
import math
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import ops

from helpers import families, models
from helpers.engine import results, stateless
from helpers.engine.studies import (
    latent_judged,
    latent_parts,
    latent_training,
    stepping,
)
from helpers.likelihoods import colour_mean, colour_nats
from helpers.likelihoods.pictures import logistic_nats

RNG = np.random.default_rng(0)
SMALL = {"filters": (8, 16), "blocks": (1, 1)}


def normals(*shape):
    return RNG.normal(size=shape).astype("float32")


def vae():
    return models.SpatialVAE((4, 4, 3), **SMALL, image_shape=(16, 16, 3))


def vq(**options):
    code = {"entries": 7, "code_shape": (4, 4, 5)}
    return models.VQVAE(**code, **SMALL, image_shape=(16, 16, 3), **options)


def prior(seed=0):
    keras.utils.set_random_seed(seed)
    made = models.IndexPrior(2, 3, entries=4, width=32, blocks=2)
    for weight in made.weights:
        weight.assign(weight + 0.3 * normals(*weight.shape))
    return made


def denoiser():
    return models.CodeDiffusion((2, 2, 3), width=32, blocks=1)


def test_colours_are_probabilities():
    """Of all greens and blues beside one red, they add up to that red's."""
    green, blue = np.meshgrid(np.arange(256), np.arange(256))
    x = np.stack([np.full_like(green, 77), green, blue], -1) / 255
    x = x.reshape(-1, 1, 1, 3).astype("float32")
    output = np.tile(0.3 * normals(1, 1, 1, 9), (len(x), 1, 1, 1))
    total = np.exp(-ops.convert_to_numpy(colour_nats(x, output))).sum()
    scale = output[0, 0, 0, 3] - 2
    of_red = logistic_nats(np.float32(77 / 255), 0.5 + output[0, 0, 0, 0], scale)
    assert total == pytest.approx(math.exp(-float(of_red)), rel=1e-3)


def test_a_miss_in_red_moves_green_and_blue():
    output = np.zeros((1, 1, 1, 9), "float32")
    output[..., 3:6] = -2
    bright = np.full((1, 1, 1, 3), 204 / 255, "float32")
    apart = float(colour_nats(bright, output)[0])
    output[..., 6:8] = 1
    assert float(colour_nats(bright, output)[0]) < apart - 5
    np.testing.assert_allclose(colour_mean(output), 0.5)


def test_spatial_vae_terms_are_the_normal_family_s():
    model, x = vae(), normals(3, 16, 16, 3) * 0 + 0.4
    noise = normals(3, 4, 4, 3)
    mean, log_variance = model.posterior(x)
    rate, distortion = model.terms(x, noise)
    normal = families.get_family("normal")
    expected = ops.sum(normal.kl_divergence([mean, log_variance]), (1, 2, 3))
    np.testing.assert_allclose(rate, expected, rtol=1e-4)
    z = mean + np.exp(0.5 * np.asarray(log_variance)) * noise
    np.testing.assert_allclose(distortion, colour_nats(x, model.decoder(z)), rtol=1e-4)
    assert model.reconstruct(x).shape == x.shape


def test_straight_through_keeps_the_gradient():
    entries = normals(4, 5)
    weights = normals(4, 5)

    def height(vectors):
        z = models.straight_through(vectors, entries)
        return ops.sum(weights * ops.square(z), axis=-1)

    vectors = ops.convert_to_tensor(normals(4, 5))
    value, slope = stateless.gradient_at(height, vectors)
    np.testing.assert_allclose(value, np.sum(weights * entries**2, -1), rtol=1e-4)
    np.testing.assert_allclose(slope, 2 * weights * entries, rtol=1e-4)


@pytest.mark.parametrize("normalised", [False, True])
def test_the_nearest_entry_is_chosen(normalised):
    model = vq(normalised=normalised)
    book = np.asarray(model.looked_up(np.arange(7)))
    vectors = np.asarray(model.of_length_1(normals(3, 4, 4, 5)))
    distances = np.square(vectors[..., None, :] - book).sum(-1)
    np.testing.assert_array_equal(model.nearest(vectors), distances.argmin(-1))
    x = np.full((2, 16, 16, 3), 0.4, "float32")
    distortion, pulls, indices = model.terms(x)
    np.testing.assert_array_equal(indices, model.encode(x))
    nearest = np.asarray(model.looked_up(indices))
    vectors = np.asarray(model.of_length_1(model.encoder(x)))
    expected = np.square(nearest - vectors).sum(-1).mean((1, 2))
    np.testing.assert_allclose(pulls, 1.25 * expected, rtol=1e-3)
    decoded = model.decoder(nearest)
    np.testing.assert_allclose(distortion, colour_nats(x, decoded), rtol=1e-3)
    assert model.decode(indices).shape == x.shape


def test_perplexity_counts_what_is_used():
    assert models.perplexity([0, 1, 2, 3], 9) == pytest.approx(4)
    assert models.perplexity(np.zeros(5, int), 9) == pytest.approx(1)


def test_the_prior_sees_what_came_before_only():
    model = prior()
    maps = RNG.integers(0, 4, (1, 2, 3))
    before = np.asarray(model(maps))
    maps[0, 1, 0] = (maps[0, 1, 0] + 1) % 4  # the fourth place
    after = np.asarray(model(maps))
    np.testing.assert_allclose(after[:, :4], before[:, :4], atol=1e-5)
    assert np.abs(after[:, 4:] - before[:, 4:]).max(-1).min() > 1e-3


def test_the_prior_s_probabilities_add_up_and_samples_are_as_likely_as_it_says():
    """The mean of samples' -ln p is the prior's entropy."""
    model = prior()
    every = np.stack(np.meshgrid(*[np.arange(4)] * 6), -1).reshape(-1, 2, 3)
    nats = ops.convert_to_numpy(model.nats(every))
    assert np.exp(-nats).sum() == pytest.approx(1, rel=1e-3)
    compiled = model.compiled_nats()
    for n in (20, len(every)):
        np.testing.assert_allclose(compiled(every[:n]), nats[:n], rtol=1e-5)
    entropy, count = np.sum(np.exp(-nats) * nats), 1000
    spread = math.sqrt(np.sum(np.exp(-nats) * nats**2) - entropy**2)
    drawn = ops.convert_to_numpy(model.nats(model.sample(count, seed=1)))
    assert drawn.mean() == pytest.approx(entropy, abs=4 * spread / math.sqrt(count))


def test_an_untrained_denoiser_only_turns_the_noise():
    model, steps = denoiser(), 10
    codes = normals(50, 2, 2, 3) * [1, 2, 3] + [3, 2, 1]
    model.fit_to(codes.astype("float32"))
    z = model.standardised(model.sample(4, steps, seed=5))
    noise = keras.random.normal((4, 2, 2, 3), seed=5)
    factor = math.cos(math.pi / 2 / steps) ** steps
    np.testing.assert_allclose(z, factor * np.asarray(noise), atol=1e-4)


def test_velocity_is_the_same_compiled_for_few_codes_and_for_many():
    model = denoiser()
    compiled = model.compiled_velocity()
    for count in (3, 5, 40, 40):  # it reads new weights, too
        z, t = normals(count, 2, 2, 3).astype("float32"), np.full(count, 0.3, "float32")
        for weight in model.network.weights:
            weight.assign(0.3 * normals(*weight.shape))
        plain = np.asarray(model.velocity(z, t))
        assert plain.std() > 0.01
        np.testing.assert_allclose(compiled(z, t), plain, rtol=1e-3, atol=1e-4)


def test_noise_leads_back_to_the_codes():
    model = denoiser()
    for weight in model.network.trainable_variables:
        weight.assign(weight + 0.05 * normals(*weight.shape))
    codes = normals(5, 2, 2, 3)
    noise = model.to_noise(codes, 50)
    np.testing.assert_allclose(model.from_noise(noise, 50), codes, atol=0.15)
    assert np.abs(noise - codes).max() > 0.1


def test_what_is_known_stays_when_the_rest_is_filled():
    model, codes = denoiser(), normals(5, 2, 2, 3)
    known = np.array([[True, False], [True, False]])[..., None]
    filled = model.fill(codes, known, 10)
    np.testing.assert_allclose(filled[:, :, 0], codes[:, :, 0], atol=1e-4)
    assert np.abs(filled[:, :, 1] - codes[:, :, 1]).min() > 1e-3


@pytest.mark.parametrize("build", [vae, vq, prior, denoiser])
def test_weights_go_round(build, tmp_path):
    one, other = build(), build()
    for weight in one.weights:
        weight.assign(weight + 0.1 * normals(*weight.shape))
    models.save_weights(one, tmp_path / "weights.npz")
    models.load_weights(other, tmp_path / "weights.npz")
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("length", [{"steps": 200}, {"seconds": 9}])
def test_a_training_ends_with_the_best_weights(length, monkeypatch, tmp_path):
    """By the clock as well, which says here that 25 steps take a second."""
    clock = vars(time) | {"perf_counter": itertools.count().__next__}
    monkeypatch.setattr(stepping, "time", SimpleNamespace(**clock))
    monkeypatch.setattr(latent_training, "folder", lambda: tmp_path)
    monkeypatch.setattr(latent_training, "AVERAGED", {True: 0.9, False: 0.9})
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    x = normals(500, 2)
    data = latent_parts.fixed(x)

    def batch(seeds):
        rows = stateless.integers((32,), seeds, len(x))
        return (ops.take(ops.convert_to_tensor(data), rows, axis=0),)

    def loss(x):
        return ops.mean(ops.square(model(x)[:, 0] - 3 * x[:, 0] + x[:, 1] - 0.5))

    training = latent_training.Training(
        "line", model, batch, loss, lambda: {"loss": float(loss(x))}, [data], 0.1
    )
    training.go(**length)
    best = min(row["loss"] for row in training.rows)
    assert float(loss(x)) == pytest.approx(best, rel=1e-3)
    assert best < 0.1
    assert float(training.optimizer.learning_rate) < 0.06


def test_the_rate_rises_and_ends_at_0():
    rates = [latent_training.cycle(p) for p in (0, 0.05, 0.5, 1.0)]
    assert rates == pytest.approx([0.1, 1, 0.5 + 0.5 * math.cos(math.pi * 9 / 19), 0])


def test_both_ways_are_mirror_images():
    x = RNG.integers(0, 255, (2, 8, 8, 3)).astype("uint8")
    made = latent_parts.both_ways(x)
    np.testing.assert_array_equal(made[:2], x)
    np.testing.assert_array_equal(made[2:], x[:, :, ::-1])


def test_unused_entries_are_revived():
    book, vectors = normals(4, 2), normals(3, 3, 2)
    after = latent_parts.revived(book, vectors, np.array([0, 2, 2]), seed=0)
    np.testing.assert_array_equal(after[[0, 2]], book[[0, 2]])
    for entry in after[[1, 3]]:
        assert (vectors.reshape(-1, 2) == entry).all(-1).any()


def test_the_nearest_photograph_is_found_mirrored_or_not():
    train = RNG.uniform(size=(30, 8, 8, 3)).astype("float32")
    x = np.concatenate([train[:2] + 0.1, train[2:4, :, ::-1]])
    away = latent_judged.nearest_of(x, train)
    np.testing.assert_allclose(away, [0.1, 0.1, 0, 0], atol=1e-3)


def test_one_normal_draws_what_is_spread_like_the_codes(monkeypatch):
    monkeypatch.setattr(latent_judged, "COUNT", 20_000)
    model = vae()
    mean = np.random.default_rng(5).normal(size=(4000, 4, 4, 3)).astype("float32")
    mean[..., 1] = 3 + 0.8 * mean[..., 0] + 0.6 * mean[..., 1]  # tied to the first
    logs = np.full_like(mean, np.log(0.25))
    rows = iter(range(0, 4000, 100))

    def posterior(x):
        row = next(rows)
        return mean[row : row + 100], logs[row : row + 100]

    monkeypatch.setattr(model, "posterior", posterior)
    drawn = latent_judged.one_normal(model, np.zeros((4000, 16, 16, 3), "float32"))
    assert drawn.shape == (20_000, 4, 4, 3)
    first, second = drawn[:, 0, 0, 0], drawn[:, 0, 0, 1]
    assert second.mean() == pytest.approx(3, abs=0.1)
    assert second.var() == pytest.approx(1.25, abs=0.1)  # of codes, not of their means
    assert np.cov(first, second)[0, 1] == pytest.approx(0.9 * 0.8, abs=0.06)


def test_the_page_of_results_names_the_prior_s_chosen_step():
    rows = results.read_csv(results.RESULTS / "latent_cats.csv")
    (row,) = (row for row in rows if row["name"] == "prior")
    text = " ".join((results.RESULTS / "README.md").read_text("utf-8").split())
    chosen, steps = (int(row[name]) for name in ("chosen_step", "steps"))
    assert f"after {chosen:,} of its {steps:,} steps (`chosen_step`)" in text
