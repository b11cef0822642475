"""helpers/metrics.py: bounds against hand-computed values, quality against definitions."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats

from helpers import likelihoods, metrics, models


@pytest.fixture
def binary(pictures):
    return (pictures > 0.5).astype("float32")


def posterior_of(vae, x):
    return [parameter.numpy().astype("float64") for parameter in vae.posterior(x)]


def test_the_bound_is_minus_rate_and_distortion():
    bound = metrics.Bound(rate=25.5, distortion=80.0)
    assert bound.elbo == -105.5
    assert str(bound) == "ELBO -105.50 nats = -(rate 25.50 + distortion 80.00)"


def test_the_elbo_by_hand(make_vae, pictures):
    vae = make_vae(beta=7.0)
    vae.compile("adam")
    mean, log_var = posterior_of(vae, pictures)
    rate = (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).sum(axis=1).mean()
    rng = np.random.default_rng(0)
    distortions = []
    for _ in range(200):
        z = mean + np.exp(log_var / 2) * rng.normal(size=mean.shape)
        logits = vae.decoder(z.astype("float32")).numpy().astype("float64")
        nll = np.logaddexp(0, logits) - pictures * logits
        distortions.append(nll.sum(axis=(1, 2, 3)).mean())
    bounds = [metrics.elbo(vae, pictures) for _ in range(10)]
    assert bounds[0].rate == pytest.approx(rate, rel=1e-4)
    error = np.std(distortions) / np.sqrt(10)
    found = np.mean([bound.distortion for bound in bounds])
    assert found == pytest.approx(np.mean(distortions), abs=5 * error)
    assert bounds[0].elbo == -(bounds[0].rate + bounds[0].distortion)


def test_the_rates_of_the_latents_sum_to_the_rate(make_vae, pictures):
    for prior in ("normal", "exponential"):
        vae = make_vae(latent_size=3, prior=prior)
        vae.compile("adam")
        rates = metrics.rate_per_latent(vae, pictures)
        assert rates.shape == (3,)
        assert rates.sum() == pytest.approx(metrics.elbo(vae, pictures).rate, rel=1e-4)
    mean, log_var = posterior_of(make_vae(), pictures)
    expected = (0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)).mean(axis=0)
    np.testing.assert_allclose(metrics.rate_per_latent(make_vae(), pictures), expected, rtol=1e-4)


def test_iwae_with_one_sample_is_the_elbo(make_vae, binary):
    vae = make_vae()
    vae.compile("adam")
    elbos = [metrics.elbo(vae, binary).elbo for _ in range(12)]
    bounds = [metrics.iwae_bound(vae, binary, samples=1, seed=seed) for seed in range(12)]
    error = np.hypot(np.std(elbos), np.std(bounds)) / np.sqrt(12)
    assert np.mean(bounds) == pytest.approx(np.mean(elbos), abs=5 * error)


def test_iwae_repeats_with_its_seed(make_vae, binary):
    vae = make_vae()
    first, again, other = (metrics.iwae_bound(vae, binary, 3, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def linear_gaussian(sigma=0.5, pixels=4, raw=(0.0, 0.0)):
    """A VAE whose exact ln p(x) is known, x ~ N(0, W W' + sigma^2 I), with one q for every x.

    ``raw`` are q's mean and log-variance; at (0, 0) it is the prior.
    """

    @keras.saving.register_keras_serializable("tests")
    class LinearGaussian(likelihoods.Gaussian):
        def mean(self, output):
            return output

    keras.utils.set_random_seed(0)
    shape = (2, 2, 1)
    encoder = models.dense_encoder(shape, 2, ("z_mean", "z_log_var"), hidden=())
    decoder = models.dense_decoder(shape, 2, hidden=())
    vae = models.VAE(encoder, decoder, likelihood=LinearGaussian(sigma))
    for name, value in zip(("z_mean", "z_log_var"), raw, strict=True):
        head = encoder.get_layer(name)
        head.kernel.assign(0 * head.kernel)
        head.bias.assign([value, value])
    weights = decoder.get_layer("pixels").kernel.numpy()
    covariance = weights.T @ weights + sigma**2 * np.eye(pixels)
    return vae, scipy.stats.multivariate_normal(np.zeros(pixels), covariance)


@pytest.mark.parametrize("raw", [(0.0, 0.0), (0.5, 0.4)])
def test_iwae_approaches_the_exact_likelihood_from_below(raw):
    """Whatever q is: the weights make up for it."""
    vae, exact = linear_gaussian(raw=raw)
    x = exact.rvs(200, random_state=0).reshape(-1, 2, 2, 1).astype("float32")
    truth = exact.logpdf(x.reshape(-1, 4)).mean()
    one, ten, many = (metrics.iwae_bound(vae, x, samples) for samples in (1, 10, 1000))
    assert one < ten < many < truth + 0.02
    assert many == pytest.approx(truth, abs=0.05)
    assert one < truth - 0.05


@pytest.mark.parametrize("samples", [500, 2500])
def test_iwae_is_the_mean_over_all_pictures(samples):
    """However the pictures are cut into batches: four, or one with more samples than a batch."""
    vae, exact = linear_gaussian()
    x = exact.rvs(7, random_state=1).reshape(-1, 2, 2, 1).astype("float32")
    truth = exact.logpdf(x.reshape(-1, 4)).mean()
    assert metrics.iwae_bound(vae, x, samples) == pytest.approx(truth, abs=0.1)


def test_iwae_refuses_grey_targets(make_vae, pictures):
    with pytest.raises(ValueError, match=r"call binarised\(x\) first"):
        metrics.iwae_bound(make_vae(), pictures, samples=2)
    bound = metrics.iwae_bound(make_vae(likelihood="gaussian"), pictures, samples=2)
    assert np.isfinite(bound)


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
def test_the_error_names_a_pixel_that_is_neither_0_nor_1(make_vae, binary, value):
    binary[3, 2, 1] = value
    with pytest.raises(ValueError, match=rf"such as {value:g}: call binarised"):
        metrics.iwae_bound(make_vae(), binary, samples=2)


def test_binarised_tosses_coins_with_the_grey():
    grey = np.broadcast_to(
        np.array([0, 0.25, 0.9, 1], "float32").reshape(1, 2, 2, 1), (4000, 2, 2, 1)
    )
    coins = metrics.binarised(grey, seed=1)
    assert coins.dtype == np.float32
    assert set(np.unique(coins)) == {0, 1}
    np.testing.assert_allclose(coins.mean(axis=0).ravel(), [0, 0.25, 0.9, 1], atol=0.03)
    np.testing.assert_array_equal(coins, metrics.binarised(grey, seed=1))
    assert not np.array_equal(coins, metrics.binarised(grey, seed=2))


def test_active_units_counts_latents_whose_mean_varies(make_vae, monkeypatch, pictures):
    vae = make_vae(latent_size=3)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(1000, 3)) * [1.0, 0.2, 0.05] + [0, 0, 3]
    monkeypatch.setattr(vae, "encode", lambda x: codes)
    assert metrics.active_units(vae, pictures) == 2
    assert metrics.active_units(vae, pictures, threshold=0.1) == 1
    assert metrics.active_units(vae, pictures, threshold=1e-5) == 3


@pytest.fixture
def pair():
    x, y = np.random.default_rng(0).random((2, 4, 12, 13, 1)).astype("float32")
    return x, y


def test_mse_by_definition(pair):
    x, y = pair
    expected = [((a - b) ** 2).sum() / (12 * 13) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(metrics.mse(x, y), expected, rtol=1e-5)


def test_psnr_by_definition(pair):
    x, y = pair
    np.testing.assert_allclose(metrics.psnr(x, y), -10 * np.log10(metrics.mse(x, y)), rtol=1e-4)
    flat = np.full((1, 12, 12, 1), 0.1, "float32")
    assert metrics.psnr(flat, 0 * flat)[0] == pytest.approx(20, rel=1e-4)


def test_ssim_by_definition():
    """For constant pictures only the luminance term is left: (2ab + c) / (a^2 + b^2 + c)."""
    a, b, c = 0.2, 0.6, 0.01**2
    x, y = (np.full((1, 16, 16, 1), value, "float32") for value in (a, b))
    expected = (2 * a * b + c) / (a**2 + b**2 + c)
    assert metrics.ssim(x, y)[0] == pytest.approx(expected, rel=1e-3)


def test_ssim_of_equal_and_of_unrelated_pictures(pair):
    x, y = pair
    np.testing.assert_allclose(metrics.ssim(x, x), 1, rtol=1e-5)
    assert metrics.ssim(x, y).shape == (4,)
    assert (metrics.ssim(x, y) < 0.5).all()


def test_quality_is_the_mean_of_each(pair):
    x, y = pair
    quality = metrics.quality(x, y)
    assert list(quality) == ["mse", "psnr", "ssim"]
    assert quality["mse"] == pytest.approx(metrics.mse(x, y).mean())
    assert quality["psnr"] == pytest.approx(metrics.psnr(x, y).mean())
    assert quality["ssim"] == pytest.approx(metrics.ssim(x, y).mean())


def in_pixels(points):
    """Points of the plane as pictures of two pixels."""
    return np.asarray(points, "float32").reshape(-1, 1, 2, 1)


def test_a_picture_is_recognisable_if_its_neighbours_agree():
    """Ten of each class at 0 and at 1; at 0.6, on the way, nine of one and one of the other."""
    x_train = in_pixels([[0, 0]] * 10 + [[1, 1]] * 10 + [[0.6, 0.6]] * 10)
    y_train = np.array([3] * 10 + [7] * 10 + [3] * 9 + [7])
    pictures = in_pixels([[0.1, 0.0], [0.9, 1.0], [0.6, 0.6], [-0.1, 0.1]])
    assert metrics.recognisable_share(pictures, x_train, y_train) == 0.75
    assert metrics.recognisable_share(pictures[2:3], x_train, y_train) == 0
    assert metrics.recognisable_share(pictures, x_train, y_train, neighbours=1) == 1
    assert metrics.recognisable_share(pictures, x_train, y_train, neighbours=30) == 0


def test_neighbours_are_near_in_squared_distance():
    """(0.6, 0.6) is nearer to the origin than (1, 0), though not in the sum over pixels."""
    x_train = in_pixels([[0.6, 0.6], [0.6, 0.6], [1, 0], [1, 0]])
    labels = np.array([0, 0, 0, 1])
    assert metrics.recognisable_share(in_pixels([[0, 0]]), x_train, labels, neighbours=2) == 1


def test_recognisable_looks_at_the_first_ten_thousand_training_pictures():
    x_train = in_pixels(np.concatenate([np.ones((10_000, 2)), np.zeros((10, 2))]))
    labels = np.concatenate([np.zeros(10_000, int), np.arange(10)])
    assert metrics.recognisable_share(in_pixels([[0, 0]]), x_train, labels) == 1
