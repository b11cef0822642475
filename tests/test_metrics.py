"""helpers/metrics: bounds against hand-computed values, figures against definitions."""

import keras
import numpy as np
import pytest
import scipy.stats
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from helpers import families, likelihoods, metrics, models

DEPENDENT = [n for n, family in families.registry().items() if not family.factorised]


@pytest.fixture
def binary(pictures):
    return (pictures > 0.5).astype("float32")


@pytest.fixture
def pair():
    return tuple(np.random.default_rng(0).random((2, 4, 12, 13, 1), "float32"))


def without_weights(vae):
    """Return a VAE whose codes are the prior and whose pictures are grey."""
    for weight in vae.trainable_variables:
        weight.assign(0 * weight)
    return vae


def test_the_bound_is_minus_rate_and_distortion():
    bound = metrics.Bound(rate=25.5, distortion=80.0)
    assert bound.elbo == -105.5
    assert str(bound) == "ELBO -105.50 nats = -(rate 25.50 + distortion 80.00)"


def test_the_elbo_by_hand(make_vae, pictures):
    vae = make_vae(beta=7.0)
    vae.compile("adam")
    mean, log_var = (p.numpy().astype("float64") for p in vae.posterior(pictures))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var)
    rng = np.random.default_rng(0)
    distortions = []
    for _ in range(100):
        z = mean + np.exp(log_var / 2) * rng.normal(size=mean.shape)
        logits = vae.decoder(z.astype("float32")).numpy().astype("float64")
        nll = np.logaddexp(0, logits) - pictures * logits
        distortions.append(nll.sum(axis=(1, 2, 3)).mean())
    bounds = [metrics.elbo(vae, pictures) for _ in range(10)]
    assert bounds[0].rate == pytest.approx(kl.sum(axis=1).mean(), rel=1e-4)
    error = np.std(distortions) / np.sqrt(10)
    found = np.mean([bound.distortion for bound in bounds])
    assert found == pytest.approx(np.mean(distortions), abs=5 * error)
    rates = metrics.rate_per_latent(vae, pictures)
    np.testing.assert_allclose(rates, kl.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("order", [1, -1])
def test_the_elbo_is_the_mean_over_pictures_whatever_the_batches(make_vae, order):
    """A batch of 1,000 black pictures and one of 500 white; the decoder says 3/4."""
    vae = without_weights(make_vae((28, 28, 1)))
    vae.decoder.get_layer("pixels").bias.assign(np.full(784, np.log(3)))
    x = np.repeat(np.float32([0, 1]), [1000, 500])[::order]
    x = np.tile(x.reshape(-1, 1, 1, 1), (28, 28, 1))
    expected = 784 * (2 * np.log(4) + np.log(4 / 3)) / 3
    assert metrics.elbo(vae, x).distortion == pytest.approx(expected, rel=1e-6)
    rate, distortion = metrics.elbo_terms(vae, x)
    assert distortion.mean() == pytest.approx(expected, rel=1e-6)
    assert (rate == 0).all()


def test_the_elbo_leaves_an_uncompiled_model_uncompiled(make_vae, pictures):
    vae = make_vae()
    first, again = metrics.elbo(vae, pictures), metrics.elbo(vae, pictures)
    assert first.rate == again.rate and first.distortion != again.distortion
    with pytest.raises(ValueError, match="compile"):
        vae.fit(pictures, verbose=0)


def test_the_terms_of_single_pictures_add_up_to_the_elbo(make_vae, pictures):
    vae = make_vae()
    rate, distortion = metrics.elbo_terms(vae, pictures)
    assert rate.shape == distortion.shape == (40,)
    bound = metrics.elbo(vae, pictures)  # of other samples of z
    assert rate.mean() == pytest.approx(bound.rate, rel=1e-4)
    assert distortion.mean() == pytest.approx(bound.distortion, rel=0.02)
    assert metrics.elbo_terms(vae, pictures[7:8])[0] == pytest.approx(rate[7], rel=1e-4)
    assert len(set(np.round(distortion, 4))) > 30


def test_the_rates_of_the_latents_sum_to_the_rate(make_vae, pictures):
    vae = make_vae(latent_size=3, family="exponential")
    rates = metrics.rate_per_latent(vae, pictures)
    assert rates.shape == (3,)
    assert rates.sum() == pytest.approx(metrics.elbo(vae, pictures).rate, rel=1e-4)


@pytest.mark.parametrize("family", DEPENDENT)
def test_the_rates_of_dependent_latents_are_refused(make_vae, pictures, family):
    with pytest.raises(ValueError, match=family):
        metrics.rate_per_latent(make_vae(family=family), pictures)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["student_t", *DEPENDENT])
def test_iwae_with_one_sample_is_the_elbo(make_vae, binary, family):
    vae = make_vae(family=family)
    elbos = [metrics.elbo(vae, binary).elbo for _ in range(8)]
    bounds = [metrics.iwae_bound(vae, binary, 1, seed) for seed in range(8)]
    error = np.hypot(np.std(elbos), np.std(bounds)) / np.sqrt(8)
    assert np.mean(bounds) == pytest.approx(np.mean(elbos), abs=5 * error)


def test_iwae_repeats_with_its_seed(make_vae, binary):
    vae = make_vae()
    first, again, other = (metrics.iwae_bound(vae, binary, 3, s) for s in (1, 1, 2))
    assert first == again != other


def linear_gaussian(raw=(0.0, 0.0), sigma=0.5):
    """A VAE with x ~ N(0, W W' + sigma^2 I), and one q for every x; and p(x).

    ``raw`` are q's mean and log-variance; at (0, 0) it is the prior.
    """

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
    covariance = weights.T @ weights + sigma**2 * np.eye(4)
    return vae, scipy.stats.multivariate_normal(np.zeros(4), covariance)


@pytest.mark.slow
@pytest.mark.parametrize("raw", [(0.0, 0.0), (0.5, 0.4)])
def test_iwae_approaches_the_exact_likelihood_from_below(raw):
    """Whatever q is: the weights make up for it."""
    vae, exact = linear_gaussian(raw)
    x = exact.rvs(100, random_state=0).reshape(-1, 2, 2, 1).astype("float32")
    truth = exact.logpdf(x.reshape(-1, 4)).mean()
    one, ten, many = (metrics.iwae_bound(vae, x, samples) for samples in (1, 10, 1000))
    assert one < ten < many < truth + 0.02
    assert many == pytest.approx(truth, abs=0.05)
    assert one < truth - 0.05


@pytest.mark.parametrize("samples", [500, 2500])
def test_iwae_is_the_mean_over_all_pictures(samples):
    """Cut into batches of four and three, or with more samples than a batch."""
    vae, exact = linear_gaussian()
    x = exact.rvs(7, random_state=1).reshape(-1, 2, 2, 1).astype("float32")
    truth = exact.logpdf(x.reshape(-1, 4)).mean()
    assert metrics.iwae_bound(vae, x, samples) == pytest.approx(truth, abs=0.1)


@pytest.mark.parametrize("value", [0.5, 2.0, -1.0])
def test_iwae_refuses_a_pixel_that_is_neither_0_nor_1(make_vae, binary, value):
    binary[3, 2, 1] = value
    with pytest.raises(ValueError, match=f"{value:g}: .*binarised"):
        metrics.iwae_bound(make_vae(), binary, samples=2)
    gaussian = make_vae(likelihood="gaussian")
    assert np.isfinite(metrics.iwae_bound(gaussian, binary, samples=2))


def test_binarised_tosses_coins_with_the_grey():
    grey = np.tile(np.float32([0, 0.25, 0.9, 1]).reshape(1, 2, 2, 1), (4000, 1, 1, 1))
    coins = metrics.binarised(grey, seed=1)
    assert coins.dtype == np.float32
    assert set(np.unique(coins)) == {0, 1}
    np.testing.assert_allclose(coins.mean(axis=0).ravel(), [0, 0.25, 0.9, 1], atol=0.03)
    np.testing.assert_array_equal(coins, metrics.binarised(grey, seed=1))
    assert not np.array_equal(coins, metrics.binarised(grey, seed=2))


@pytest.mark.parametrize("family", ["laplace", "kumaraswamy", "mixture"])
def test_active_units_vary_in_units_of_the_prior(
    make_vae, monkeypatch, pictures, family
):
    vae = make_vae(latent_size=3, family=family)
    units = vae.family.prior_variance(3)
    codes = np.random.default_rng(0).normal(size=(1000, 3))
    codes = codes * np.sqrt(units * [0.1, 0.02, 0.005]) + [0, 0, 3]
    monkeypatch.setattr(vae, "encode", lambda x: codes)
    assert metrics.active_units(vae, pictures) == 2
    assert metrics.active_units(vae, pictures, threshold=0.05) == 1
    assert metrics.active_units(vae, pictures, threshold=1e-5) == 3


def test_bits_per_dimension_of_a_decoder_that_knows_nothing(make_vae, pictures):
    """The normal density at 0.5, with sigma 1."""
    vae = without_weights(make_vae(likelihood=likelihoods.Gaussian(1.0)))
    rounded = np.round(255 * pictures) / 255
    noisy = (255 * rounded + np.random.default_rng(5).random(pictures.shape)) / 256
    nats = 0.5 * np.log(2 * np.pi) + 0.5 * np.mean((noisy - 0.5) ** 2)
    found = metrics.bits_per_dimension(vae, rounded.astype("float32"), seed=5)
    assert found == pytest.approx(nats / np.log(2) + 8, rel=1e-5)


def test_bits_per_dimension_of_a_bernoulli_decoder_are_refused(make_vae, pictures):
    with pytest.raises(ValueError, match="gaussian"):
        metrics.bits_per_dimension(make_vae(), pictures)


def test_mse_and_psnr_by_definition(pair):
    x, y = pair
    expected = [((a - b) ** 2).sum() / (12 * 13) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(metrics.mse(x, y), expected, rtol=1e-5)
    decibels = -10 * np.log10(expected)
    np.testing.assert_allclose(metrics.psnr(x, y), decibels, rtol=1e-4)


@pytest.mark.parametrize("place", [0, 3, 7])
@pytest.mark.parametrize("axis", [1, 2])
def test_block_ratio_finds_a_grid_wherever_it_lies(place, axis):
    """Steps of 2 every 8 pixels along one axis, and of 1 elsewhere."""
    steps = np.where(np.arange(63) % 8 == place, 2.0, 1.0) * np.array([1, -1] * 32)[:63]
    line = np.concatenate([[0], np.cumsum(steps)]) / 20 + 0.5
    shape = [1, 1, 1, 1]
    shape[axis] = 64
    x = np.broadcast_to(line.reshape(shape), (3, 64, 64, 3)).astype("float32")
    assert metrics.block_ratio(x) == pytest.approx(2, rel=1e-4)
    assert metrics.block_ratio(x, side=5) < 1.3  # a grid of other blocks


def test_block_ratio_of_what_has_no_blocks(pictures):
    noise = np.random.default_rng(0).random((200, 32, 32, 1))
    assert 1 <= metrics.block_ratio(noise) < 1.02
    blocks = np.kron(noise[:, :4, :4], np.ones((1, 8, 8, 1)))
    assert metrics.block_ratio(blocks) > 1e6
    assert metrics.block_ratio(np.ones((1, 9, 9, 1))) == 0
    with pytest.raises(ValueError, match=r"larger than 8 x 8, .* \(8, 8, 1\)"):
        metrics.block_ratio(pictures[:, :8, :8])


def test_ssim_by_definition(pair):
    """Of constant pictures the luminance is left: (2ab + c) / (a^2 + b^2 + c)."""
    a, b, c = 0.2, 0.6, 0.01**2
    flat = (np.full((1, 16, 16, 1), value, "float32") for value in (a, b))
    expected = (2 * a * b + c) / (a**2 + b**2 + c)
    assert metrics.ssim(*flat)[0] == pytest.approx(expected, rel=1e-3)
    x, y = pair
    np.testing.assert_allclose(metrics.ssim(x, x), 1, rtol=1e-5)
    assert metrics.ssim(x, y).shape == (4,)
    assert (metrics.ssim(x, y) < 0.5).all()


def test_quality_is_the_mean_of_each(pair):
    quality = metrics.quality(*pair)
    assert list(quality) == ["mse", "psnr", "ssim"]
    for name, value in quality.items():
        assert value == pytest.approx(getattr(metrics, name)(*pair).mean())


@pytest.mark.slow
def test_tracked_quality_is_that_of_every_round(make_vae, pictures):
    large = np.tile(pictures, (1, 2, 2, 1))  # SSIM needs 11 pixels
    x, held_out = large[:30], large[30:]
    vae = make_vae((16, 16, 1))
    vae.compile("adam", run_eagerly=True)
    track = metrics.TrackQuality(x, held_out)
    log = vae.fit(x, epochs=2, callbacks=[track], verbose=0).history
    for prefix, shown in (("", x), ("val_", held_out)):
        for name, value in metrics.quality(shown, vae.reconstruct(shown)).items():
            first, last = log[prefix + name]
            assert last == pytest.approx(value)
            assert first != last


def in_pixels(points):
    """Points of the plane as pictures of two pixels."""
    return np.asarray(points, "float32").reshape(-1, 1, 2, 1)


# ten of each class at 0 and at 1; at 0.6, on the way, nine of one and one of the other
REAL = np.repeat([[0, 0], [1, 1], [0.6, 0.6]], 10, axis=0)
CLASSES = np.array([3] * 10 + [7] * 10 + [3] * 9 + [7])
SAMPLES = np.array([[0.1, 0.0], [0.9, 1.0], [0.6, 0.6], [-0.1, 0.1]])


def test_knn_accuracy_is_the_share_of_votes_that_are_right():
    """At 0.6 the ten neighbours vote 9 to 1 for class 3; of all thirty, 19 are."""
    codes = REAL, CLASSES, SAMPLES
    for labels, neighbours, share in (
        ([3, 7, 3, 3], 10, 1),
        ([3, 3, 7, 3], 10, 0.5),
        ([3, 7, 3, 3], 30, 0.75),
    ):
        assert metrics.knn_accuracy(*codes, labels, neighbours) == share
    with pytest.raises(ValueError, match="31"):
        metrics.knn_accuracy(*codes, np.zeros(4), neighbours=31)


@pytest.mark.parametrize(
    ("name", "kurtosis", "sparsity"),
    [("normal", 0, 0.238), ("laplace", 3, 0.335), ("exponential", 6, 0.334)],
)
def test_kurtosis_and_sparsity_of_known_distributions(name, kurtosis, sparsity):
    codes = getattr(np.random.default_rng(0), name)(size=(20_000, 32))
    assert metrics.excess_kurtosis(codes) == pytest.approx(kurtosis, abs=0.2)
    assert metrics.hoyer_sparsity(codes) == pytest.approx(sparsity, abs=2e-3)


def test_hoyer_sparsity_by_its_ends():
    one, even = np.eye(5)[:2] * -3, np.full((2, 5), 0.7)
    assert metrics.hoyer_sparsity(one) == pytest.approx(1)
    assert metrics.hoyer_sparsity(even) == pytest.approx(0, abs=1e-12)
    assert metrics.hoyer_sparsity(0 * even) == 0
    assert metrics.hoyer_sparsity(np.concatenate([one, even])) == pytest.approx(0.5)


UNIT_SQUARE = [[0, 0], [1, 1]]


def test_emptiness_counts_the_cells_that_hold_less_than_a_tenth_of_an_even_share():
    """Of four cells one has 390 codes, one 9 to 11, two none; even shares are 100."""
    for few, empty in ((9, 3), (11, 2)):
        codes = np.repeat([[0.2, 0.2], [0.2, 0.7]], [400 - few, few], axis=0)
        assert metrics.emptiness(codes, UNIT_SQUARE, cells=2) == empty / 4


def test_emptiness_of_known_distributions():
    """Of a normal one by integrals of its density over the cells."""
    codes = np.random.default_rng(0).normal(size=(200_000, 2))
    end = scipy.stats.norm.ppf(0.995)
    masses = np.diff(scipy.stats.norm.cdf(np.linspace(-end, end, 21)))
    expected = np.mean(np.outer(masses, masses) < 0.1 * 0.99**2 / 400)
    window = np.array([[-end, -end], [end, end]])
    assert metrics.emptiness(codes, window) == pytest.approx(expected, abs=0.01)
    scaled = metrics.emptiness(codes * [2, -30], window * [2, 30])
    assert scaled == pytest.approx(expected, abs=0.01)
    assert metrics.emptiness(scipy.stats.norm.cdf(codes), UNIT_SQUARE) == 0
    half = np.abs(codes) * [1, -1]
    assert metrics.emptiness(scipy.stats.norm.cdf(half), UNIT_SQUARE) == 0.75


def test_emptiness_takes_fewer_cells_where_codes_are_few():
    codes = np.random.default_rng(0).random((500, 2)) * [1, 0.5]
    assert metrics.emptiness(codes, UNIT_SQUARE) == 0.4  # two rows of five
    with pytest.raises(ValueError, match="500 for 20 x 20"):
        metrics.emptiness(codes, UNIT_SQUARE, cells=20)


def test_emptiness_forgets_what_is_outside_the_window():
    inside = np.random.default_rng(0).random((20_000, 2))
    outside = inside + np.array([1, 0])
    half = [[0, 0], [2, 1]]
    assert metrics.emptiness(inside, UNIT_SQUARE) == 0
    assert metrics.emptiness(np.concatenate([inside, outside]), UNIT_SQUARE) == 0
    assert metrics.emptiness(inside, half) == 0.5


@pytest.mark.parametrize(
    ("codes", "window", "words"),
    [
        (np.zeros((9000, 3)), UNIT_SQUARE, r"\(9000, 3\)"),
        (np.zeros((9000, 2)), [0, 1], r"\[0, 1\]"),
        (np.zeros((9000, 2)), [[1, 1], [0, 0]], r"\[1, 1\]"),
        (np.full((79, 2), 0.5), UNIT_SQUARE, "79"),
        (np.full((9000, 2), np.nan), UNIT_SQUARE, "NaN"),
    ],
)
def test_emptiness_says_what_it_cannot_measure(codes, window, words):
    with pytest.raises(ValueError, match=words):
        metrics.emptiness(codes, window)


def test_information_and_its_gap():
    """One latent that is a factor, one half of each of two, one of noise."""
    rng = np.random.default_rng(0)
    factors = rng.random((20_000, 2))
    noise = rng.normal(size=20_000)
    codes = np.stack([np.exp(factors[:, 0]), noise, factors.sum(axis=1)], axis=1)
    shares = metrics.information(codes, factors)
    assert shares.shape == (2, 3)
    assert shares[0, 0] == pytest.approx(1)
    assert shares[:, 1] == pytest.approx(0, abs=0.01)
    assert 0.05 < shares[0, 2] == pytest.approx(shares[1, 2], abs=0.02)
    gap = metrics.mutual_information_gap(shares)
    expected = (1 - shares[0, 2] + shares[1, 2] - shares[1].min()) / 2
    assert gap == pytest.approx(expected, abs=0.01)
    shares = np.array([[0.2, 0.9, 0.1], [0.5, 0.5, 0.4]])
    assert metrics.mutual_information_gap(shares) == pytest.approx(0.35)


@pytest.mark.parametrize(
    "counts", [(50, 50), (97, 3), (3, 97), (30, 40, 35), (1, 98, 2)]
)
def test_a_factor_of_few_values_is_told_by_its_values(counts):
    """Whatever their order; a constant latent tells nothing."""
    factor = np.repeat(np.arange(len(counts)), counts)
    order = np.random.default_rng(0).permutation(len(factor))
    codes = np.stack([factor, -factor, np.sin(9 * factor), 0 * factor], axis=1)
    for rows in (slice(None), order):
        shares = metrics.information(codes[rows], factor[rows, np.newaxis])
        assert shares[0] == pytest.approx([1, 1, 1, 0])


def test_equal_values_among_many_share_a_bin():
    """Half of the codes are 0, in the first ten bins; the others tell their factor."""
    factor = np.arange(2000.0)[:, np.newaxis]
    codes = np.maximum(factor - 1000, 0)
    shares = metrics.information(codes[::-1], factor[::-1], bins=20)
    expected = 1 - 0.5 * np.log(10) / np.log(20)
    assert shares == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("count", "bins"), [(5000, 20), (2000, 10)])
def test_few_codes_seem_to_tell_what_they_do_not(count, bins):
    codes, factors = np.random.default_rng(0).normal(size=(2, count, 4))
    found = metrics.information(codes, factors, bins).mean()
    assert found == pytest.approx((bins - 1) ** 2 / (2 * count * np.log(bins)), rel=0.1)


@pytest.mark.parametrize(
    ("factors", "bins"), [(np.ones((9, 1)), 5), (np.eye(9), 1), (np.eye(8), 5)]
)
def test_factors_that_nothing_can_tell_are_refused(factors, bins):
    with pytest.raises(ValueError, match=f"{len(factors)}.*{bins}"):
        metrics.information(np.eye(9), factors, bins)


@pytest.mark.slow
@pytest.mark.parametrize(("away", "tolerance"), [(0.0, 0.06), (1.0, 0.05), (4.0, 0.03)])
def test_the_overlap_of_normals_is_known(away, tolerance):
    """Two normals a distance apart share 2 Phi(-distance / 2)."""
    codes, others = np.random.default_rng(0).normal(size=(2, 2000, 3))
    others[:, 0] += away
    expected = 2 * scipy.stats.norm.cdf(-away / 2)
    with threadpool_limits(1):  # on a busy machine BLAS's threads wait for each other
        found = metrics.overlap(codes, others)
        if away == 1:
            assert metrics.overlap(codes, others) == found
    assert found <= 1
    assert found == pytest.approx(expected, abs=tolerance)


@pytest.mark.slow
def test_the_overlap_sees_what_latents_hide_singly():
    """Every latent is standard normal, but the codes lie on the diagonal."""
    codes, *others = np.random.default_rng(0).normal(size=(3, 800, 1))
    with threadpool_limits(1):
        assert metrics.overlap(np.tile(codes, 2), np.hstack(others)) < 0.2


@pytest.mark.slow
def test_auc_by_scikit_learn_and_its_interval_by_repetition():
    rng = np.random.default_rng(0)
    labels, values = np.repeat([0, 1], [80, 60]), []
    for _ in range(200):
        scores = np.round(labels + rng.normal(size=140), 1)
        normal, foreign = scores[:80], scores[80:]
        estimate = metrics.auc(normal, foreign, resamples=20)
        assert estimate.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-6)
        assert estimate.low < estimate.value < estimate.high
        values.append(estimate.value)
    true_width = np.subtract(*np.quantile(values, [0.975, 0.025]))
    estimate = metrics.auc(normal, foreign, resamples=2000)
    assert estimate.high - estimate.low == pytest.approx(true_width, rel=0.3)
    assert str(estimate).startswith(f"{estimate.value:.3f} [{estimate.low:.3f}, ")


@pytest.mark.parametrize(
    ("normal", "foreign"), [([], [1.0]), ([1.0], []), ([1.0, np.nan], [2.0])]
)
def test_auc_refuses_what_has_none(normal, foreign):
    with pytest.raises(ValueError, match="nan"):
        metrics.auc(np.array(normal), np.array(foreign))


def test_the_covered_share_of_points_on_a_line():
    """The radii to the second neighbour are 3, 2, 3 and 6."""
    centres = np.array([[0.0], [1.0], [3.0], [7.0]])
    points = np.array([[-3.0], [-3.1], [13.0], [13.1], [5.0]])
    assert metrics.covered_share(points, centres, neighbours=2) == pytest.approx(3 / 5)
    assert metrics.covered_share(centres, centres, neighbours=1) == 1
    assert metrics.covered_share(centres + 100, centres) == 0


def test_a_table_is_as_wide_as_its_entries():
    rows = {
        "normal": {"ELBO": -104.256, "active": 12, "of": "digits"},
        "a long name": {"ELBO": -9.5, "bits": 3},
    }
    formats = {"ELBO": ".1f", "bits": ".2f"}
    assert metrics.table(rows, formats, corner="nats").splitlines() == [
        "nats            ELBO   active       of   bits",
        "normal        -104.3       12   digits",
        "a long name     -9.5                     3.00",
    ]
    assert metrics.table(rows, ".0f").splitlines()[1:] == [
        "normal        -104       12   digits",
        "a long name    -10                        3",
    ]


def test_a_claim_that_fails_says_whether_more_steps_might_help(monkeypatch):
    said = {"a rises": np.bool_(True), "b falls": False}
    for budget, failed in (("full", "fails here"), ("short", "needs the full budget")):
        monkeypatch.setenv("VAE_COURSE_BUDGET", budget)
        lines = metrics.claims(said).splitlines()
        assert lines == ["holds here: a rises", f"{failed}: b falls"]
