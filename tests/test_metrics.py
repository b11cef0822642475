"""helpers/metrics.py: bounds against hand-computed values, quality against definitions."""

import keras
import numpy as np
import pytest
import scipy.special
import scipy.stats
from sklearn.metrics import roc_auc_score

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
    np.testing.assert_allclose(
        metrics.rate_per_latent(make_vae(), pictures), expected, rtol=1e-4
    )


def test_the_rates_of_dependent_latents_are_refused(make_vae, pictures):
    for prior in ("power_spherical", "mixture", "vamp"):
        with pytest.raises(
            ValueError, match=rf"the prior '{prior}' belongs to whole codes"
        ):
            metrics.rate_per_latent(make_vae(family=prior), pictures)


@pytest.mark.parametrize(
    "prior", ["normal", "student_t", "power_spherical", "mixture", "vamp"]
)
def test_iwae_with_one_sample_is_the_elbo(make_vae, binary, prior):
    vae = make_vae(family=prior)
    vae.compile("adam")
    elbos = [metrics.elbo(vae, binary).elbo for _ in range(12)]
    bounds = [
        metrics.iwae_bound(vae, binary, samples=1, seed=seed) for seed in range(12)
    ]
    error = np.hypot(np.std(elbos), np.std(bounds)) / np.sqrt(12)
    assert np.mean(bounds) == pytest.approx(np.mean(elbos), abs=5 * error)


def test_iwae_repeats_with_its_seed(make_vae, binary):
    vae = make_vae()
    first, again, other = (
        metrics.iwae_bound(vae, binary, 3, seed) for seed in (1, 1, 2)
    )
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


@pytest.mark.parametrize(
    "prior", ["laplace", "kumaraswamy", "power_spherical", "mixture"]
)
def test_active_units_are_counted_in_units_of_the_prior(
    make_vae, monkeypatch, pictures, prior
):
    vae = make_vae(latent_size=3, prior=prior)
    units = vae.family.prior_variance(3)
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(1000, 3)) * np.sqrt(units * [0.1, 0.02, 0.005])
    monkeypatch.setattr(vae, "encode", lambda x: codes)
    assert metrics.active_units(vae, pictures) == 2
    assert metrics.active_units(vae, pictures, threshold=0.05) == 1


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
    np.testing.assert_allclose(
        metrics.psnr(x, y), -10 * np.log10(metrics.mse(x, y)), rtol=1e-4
    )
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
    assert (
        metrics.recognisable_share(in_pixels([[0, 0]]), x_train, labels, neighbours=2)
        == 1
    )


def test_recognisable_looks_at_the_first_ten_thousand_training_pictures():
    x_train = in_pixels(np.concatenate([np.ones((10_000, 2)), np.zeros((10, 2))]))
    labels = np.concatenate([np.zeros(10_000, int), np.arange(10)])
    assert metrics.recognisable_share(in_pixels([[0, 0]]), x_train, labels) == 1


def test_bits_per_dimension_of_a_decoder_that_knows_nothing(make_vae, pictures):
    """A grey decoder with sigma 1, and codes that are the prior: the normal density at 0.5."""
    vae = make_vae(likelihood=likelihoods.Gaussian(1.0))
    for weight in vae.weights:
        if weight.dtype == "float32":
            weight.assign(np.zeros(weight.shape))
    vae.compile("adam")
    rounded = np.round(255 * pictures) / 255
    noisy = (255 * rounded + np.random.default_rng(5).random(pictures.shape)) / 256
    nats = 0.5 * np.log(2 * np.pi) + 0.5 * np.mean((noisy - 0.5) ** 2)
    found = metrics.bits_per_dimension(vae, rounded.astype("float32"), seed=5)
    assert found == pytest.approx(nats / np.log(2) + 8, rel=1e-5)


def test_the_elbo_of_a_model_that_was_never_compiled(make_vae, pictures):
    vae = make_vae()
    assert np.isfinite(metrics.elbo(vae, pictures).elbo)


def test_bits_per_dimension_of_a_bernoulli_decoder_is_refused(make_vae, pictures):
    with pytest.raises(ValueError, match="likelihood='gaussian'"):
        metrics.bits_per_dimension(make_vae(), pictures)


def test_excess_kurtosis_of_known_distributions():
    rng = np.random.default_rng(0)
    shape = (200_000, 2)
    assert metrics.excess_kurtosis(rng.normal(size=shape)) == pytest.approx(0, abs=0.05)
    assert metrics.excess_kurtosis(rng.uniform(size=shape)) == pytest.approx(
        -1.2, abs=0.02
    )
    assert metrics.excess_kurtosis(rng.laplace(size=shape)) == pytest.approx(3, abs=0.3)


def test_hoyer_sparsity_by_its_ends_and_by_known_distributions():
    one, even = np.eye(5)[:2] * -3, np.full((2, 5), 0.7)
    assert metrics.hoyer_sparsity(one) == pytest.approx(1)
    assert metrics.hoyer_sparsity(even) == pytest.approx(0, abs=1e-12)
    assert metrics.hoyer_sparsity(np.concatenate([one, even])) == pytest.approx(0.5)
    rng = np.random.default_rng(0)
    references = {"normal": 0.238, "laplace": 0.335, "exponential": 0.334}
    for name, expected in references.items():
        codes = getattr(rng, name)(size=(20_000, 32))
        assert metrics.hoyer_sparsity(codes) == pytest.approx(expected, abs=2e-3)


def test_information_and_its_gap():
    """One latent that is a factor, one half of each of two, one of noise."""
    rng = np.random.default_rng(0)
    factors = rng.random((20_000, 2))
    noise = rng.normal(size=20_000)
    codes = np.stack(
        [np.exp(factors[:, 0]), noise, factors[:, 1] + factors[:, 0]], axis=1
    )
    shares = metrics.information(codes, factors)
    assert shares.shape == (2, 3)
    assert shares[0, 0] == pytest.approx(1)
    assert shares[:, 1] == pytest.approx(0, abs=0.01)
    assert 0.05 < shares[0, 2] == pytest.approx(shares[1, 2], abs=0.02)
    gap = metrics.mutual_information_gap(shares)
    assert gap == pytest.approx(
        (1 - shares[0, 2] + shares[1, 2] - shares[1].min()) / 2, abs=0.01
    )
    assert metrics.mutual_information_gap(
        np.array([[0.2, 0.9, 0.1], [0.5, 0.5, 0.4]])
    ) == (pytest.approx(0.35))


def test_tracked_quality_is_that_of_every_round(make_vae, pictures):
    large = np.tile(pictures, (1, 2, 2, 1))  # SSIM needs 11 pixels
    x, held_out = large[:30], large[30:]
    vae = make_vae((16, 16, 1))
    vae.compile("adam")
    log = vae.fit(
        x, epochs=2, callbacks=[metrics.TrackQuality(x, held_out)], verbose=0
    ).history
    for prefix, shown in (("", x), ("val_", held_out)):
        for name, value in metrics.quality(shown, vae.reconstruct(shown)).items():
            first, last = log[prefix + name]
            assert last == pytest.approx(value)
            assert first != last


@pytest.mark.parametrize(("away", "tolerance"), [(0.0, 0.05), (1.0, 0.05), (4.0, 0.03)])
def test_the_overlap_of_normals_is_known(away, tolerance):
    """Two normals a distance apart share 2 Phi(-distance / 2)."""
    rng = np.random.default_rng(0)
    codes, others = rng.normal(size=(2, 4000, 3))
    others[:, 0] += away
    expected = 2 * scipy.stats.norm.cdf(-away / 2)
    assert metrics.overlap(codes, others) == pytest.approx(expected, abs=tolerance)


def test_the_overlap_sees_what_latents_hide_singly():
    """Every latent is standard normal, but the codes lie on the diagonal."""
    rng = np.random.default_rng(0)
    codes = np.repeat(rng.normal(size=(3000, 1)), 2, axis=1)
    assert metrics.overlap(codes, rng.normal(size=(3000, 2))) < 0.2


def test_the_overlap_is_at_most_one_and_the_same_again():
    codes, others = np.random.default_rng(1).normal(size=(2, 400, 2))
    found = metrics.overlap(codes, others)
    assert 0.8 < found <= 1
    assert metrics.overlap(codes, others) == found


def test_the_overlap_needs_equal_shapes():
    with pytest.raises(ValueError, match=r"same shape.*\(4, 2\) and \(5, 2\)"):
        metrics.overlap(np.zeros((4, 2)), np.zeros((5, 2)))


def test_the_terms_of_single_pictures_add_up_to_the_elbo(make_vae, pictures):
    vae = make_vae()
    vae.compile()
    rate, distortion = metrics.elbo_terms(vae, pictures)
    assert rate.shape == distortion.shape == (40,)
    bound = metrics.elbo(vae, pictures)
    assert rate.mean() == pytest.approx(bound.rate, rel=1e-4)
    assert distortion.mean() == pytest.approx(
        bound.distortion, rel=0.02
    )  # other samples of z
    alone = metrics.elbo_terms(vae, pictures[7:8])
    assert alone[0] == pytest.approx(rate[7:8], rel=1e-4)
    assert len(set(np.round(distortion, 4))) > 30


def test_auc_by_scikit_learn_and_its_interval_by_repetition():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(300):
        normal, foreign = (
            np.round(rng.normal(size=80), 1),
            np.round(rng.normal(1, 1, size=60), 1),
        )
        estimate = metrics.auc(normal, foreign, resamples=50)
        labels = np.repeat([0, 1], [80, 60])
        expected = roc_auc_score(labels, np.concatenate([normal, foreign]))
        assert estimate.value == pytest.approx(expected, abs=1e-6)
        assert estimate.low < estimate.value < estimate.high
        values.append(estimate.value)
    true_width = np.subtract(*np.quantile(values, [0.975, 0.025]))
    estimate = metrics.auc(normal, foreign, resamples=2000)
    assert estimate.high - estimate.low == pytest.approx(true_width, rel=0.3)
    assert str(estimate).startswith(f"{estimate.value:.3f} [{estimate.low:.3f}, ")


def test_auc_of_scores_that_part_and_of_scores_that_do_not():
    assert metrics.auc(np.zeros(5), np.ones(4)).value == 1
    assert metrics.auc(np.ones(5), np.zeros(4)).value == 0
    assert metrics.auc(np.ones(5), np.ones(4)).value == 0.5


@pytest.mark.parametrize(
    ("normal", "foreign"), [([], [1.0]), ([1.0], []), ([1.0, np.nan], [2.0])]
)
def test_auc_refuses_what_has_none(normal, foreign):
    with pytest.raises(ValueError, match="scores that are numbers"):
        metrics.auc(np.array(normal), np.array(foreign))


def test_the_covered_share_of_points_on_a_line():
    centres = np.array(
        [[0.0], [1.0], [3.0], [7.0]]
    )  # radii to the second neighbour: 3, 2, 3, 6
    points = np.array([[-3.0], [-3.1], [13.0], [13.1], [5.0]])
    assert metrics.covered_share(points, centres, neighbours=2) == pytest.approx(3 / 5)
    assert metrics.covered_share(centres, centres, neighbours=1) == 1
    assert metrics.covered_share(centres + 100, centres) == 0


def test_precision_and_recall_of_a_narrow_and_a_wide_copy():
    rng = np.random.default_rng(0)
    real, narrow, wide = (
        scale * rng.normal(size=(500, 3)) for scale in (1.0, 0.3, 3.0)
    )
    assert (
        metrics.covered_share(narrow, real)
        > 0.95
        > 0.5
        > metrics.covered_share(real, narrow)
    )
    assert (
        metrics.covered_share(wide, real)
        < 0.5
        < 0.9
        < metrics.covered_share(real, wide)
    )
