"""helpers/metrics/samples.py: what each measure must rank, and by how much."""

import re

import keras
import numpy as np
import pytest
from scipy import ndimage

from helpers import datasets, metrics, models, training
from helpers.datasets.dataset import find_file
from helpers.metrics import samples, train_classifier

pytestmark = pytest.mark.slow

rng = np.random.default_rng


def blurred(x):
    """Pictures whose pixels are means of 3 x 3."""
    return ndimage.uniform_filter(x, (0, 3, 3, 0))


def chosen(x, count, seed=0):
    """So many pictures, at random and with repetition."""
    return x[rng(seed).integers(len(x), size=count)]


def class_means(x, y):
    """For every picture the mean of its class."""
    return np.stack([x[y == label].mean(axis=0) for label in range(10)])[y]


def spread(estimate):
    """The standard deviation over five sets, from the interval of their mean."""
    return (estimate.high - estimate.low) / 2 * np.sqrt(5) / 2.776


def altered(x, y, few=100):
    """What real digits become when quality or variety falls."""
    count = len(x)
    return {
        "blurred": blurred(x),
        "means": class_means(x, y),
        "one": np.repeat(x[:1], count, axis=0),
        "noise": rng(0).random(x.shape, "float32"),
        "half the classes": chosen(x[y < 5], count),
        "a few": chosen(x[:few], count),
        "threes": chosen(x[y == 3], count),
    }


def check_order(found, real):
    """Quality and variety cost more than the intervals' width, in the right order."""
    for better, worse in (
        (real, found["blurred"]),
        (found["blurred"], found["means"]),
        (found["means"], found["noise"]),
        (found["one"], found["noise"]),
        (real, found["half the classes"]),
        (real, found["a few"]),
        (found["half the classes"], found["threes"]),
        (found["a few"], found["one"]),
    ):
        assert better.high < worse.low
    assert abs(real.value) < found["half the classes"].low / 10


SHIFTS = (1, 1), (-1, 2), (-1, 1), (1, 2)  # by so much along which axis


def check_shifts(x, reference, real, most, shifts=SHIFTS):
    """A pixel's shift moves the value by less than ``most``."""
    for step, axis in shifts:
        moved = metrics.sample_distance(np.roll(x, step, axis), reference)
        assert abs(moved.value - real.value) < most


@pytest.fixture(scope="module")
def digits():
    """The stand-in's digits, 3,500 and 1,000."""
    return datasets.digits_stand_in()


@pytest.mark.slow
def test_the_distance_ranks_what_became_of_a_few_digits(digits):
    x, y, reference = digits.x_test, digits.y_test, digits.x_train
    sets = altered(x, y, few=20)
    found = {n: metrics.sample_distance(s, reference) for n, s in sets.items()}
    real = metrics.sample_distance(x, reference)
    check_order(found, real)
    check_shifts(x, reference, real, spread(real), SHIFTS[:2])


@pytest.fixture(scope="module")
def mnist():
    """MNIST's validation digits and test digits, with the labels of the latter."""
    path = find_file("mnist.npz")
    if path is None:
        pytest.skip("MNIST is not at hand")
    with np.load(path) as archive:
        parts = archive["x_train"], archive["x_test"], archive["y_test"]
    train, test = ((x / 255).astype("float32")[..., np.newaxis] for x in parts[:2])
    return train[:10_000], train[10_000:], test, parts[2]


@pytest.mark.slow
def test_the_distance_ranks_samples_between_real_and_blurred_digits(mnist):
    """Of a VAE with 32 latents, briefly trained; blurred samples are worse than it."""
    validation, train, test, labels = mnist
    vae = models.build_vae(latent_size=32)
    options = {"batch_size": 256, "learning_rate": 7e-3, "verbose": False}
    training.train_seeded(vae, train, steps=800, **options)
    drawn = vae.generate(5000, seed=0)
    found = {
        name: metrics.sample_distance(x, validation)
        for name, x in altered(test, labels).items()
    }
    real = metrics.sample_distance(test, validation)
    check_order(found, real)
    assert found["blurred"].high < found["one"].low  # of 5,000 digits not every one
    check_shifts(test, validation, real, most=spread(real) / 2)
    of_vae = metrics.sample_distance(drawn, validation)
    assert real.high < of_vae.low
    assert of_vae.high < found["blurred"].low
    assert of_vae.high < metrics.sample_distance(blurred(drawn), validation).low


@pytest.mark.slow
def test_the_distance_sees_strokes_and_not_whether_they_make_a_digit(mnist):
    """The docstring's figures, to half an interval."""
    validation, _, test, _ = mnist
    others = test[np.random.default_rng(0).permutation(len(test))]
    halves = np.concatenate([test[:, :14], others[:, 14:]], axis=1)
    found = {"upside down": test[:, ::-1, ::-1], "halves": halves}
    found |= {"mirrored": test[:, :, ::-1], "paler": 0.8 * test}
    said = {"upside down": 0.10, "halves": 0.31, "mirrored": 1.4, "paler": 1.5}
    for name, x in found.items():
        distance = metrics.sample_distance(x, validation).value
        assert distance == pytest.approx(said[name], abs=0.05)


@pytest.mark.slow
def test_the_shipped_classifier_knows_test_digits(mnist):
    _, _, test, labels = mnist
    share = train_classifier.accuracy(samples.shipped_classifier(), test, labels)
    assert share > 0.985


def test_the_shipped_classifier_is_small_and_read_once():
    assert samples.CLASSIFIER.stat().st_size < 100_000
    assert samples.shipped_classifier() is samples.shipped_classifier()


@pytest.fixture
def features(monkeypatch):
    """In the place of the classifier's features two pixels, times a hundred."""
    monkeypatch.setattr(
        samples, "digit_features", lambda x: 100.0 * x[:, 0, :2, 0].astype("float64")
    )


def test_the_squared_mmd_by_its_definition():
    """By loops over all pairs; 0 on average for equal distributions."""
    a, b = rng(0).normal(size=(7, 3)), rng(1).normal(1, 2, size=(5, 3))

    def kernel(u, v):
        return (u @ v / 3 + 1) ** 3

    def mean(us, vs):
        values = [kernel(u, v) for u in us for v in vs if u is not v]
        return np.mean(values)

    a, b = list(a), list(b)
    expected = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    assert samples.squared_mmd(np.array(a), np.array(b)) == pytest.approx(expected)
    values = [samples.squared_mmd(*rng(s).normal(size=(2, 10, 3))) for s in range(2000)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(2000)


def test_the_interval_covers_the_value_that_is_known(features):
    """For normals of mean 0 and 1 in one feature: kernel means by their moments.

    E (xy + 1)^3 = E x^3 E y^3 + 3 E x^2 E y^2 + 3 E x E y + 1; the other feature is 0,
    so that the products are halved.
    """
    spike, small = 0.3, 0.01  # pixels are 0.01 with these probabilities, else 0
    covered = 0
    for seed in range(200):
        pair = np.zeros((2, 500, 28, 28, 1), "float32")
        for x, share in zip(pair, (spike, 0.5), strict=True):
            x[:, 0, 0, 0] = small * (rng((seed, int(10 * share))).random(500) < share)
        found = metrics.sample_distance(*pair, size=50, seed=seed)
        # a feature is 1 or 0: the kernel is 1.5^3 for two ones, else 1
        expected = (1.5**3 - 1) * (spike - 0.5) ** 2
        covered += found.low < expected < found.high
    assert 0.9 * 200 < covered < 0.995 * 200


def test_the_distance_has_sets_of_equal_size_that_share_no_picture(
    features, monkeypatch
):
    seen = []
    monkeypatch.setattr(
        samples, "squared_mmd", lambda a, b: seen.append((a, b)) or float(len(seen))
    )
    x = np.zeros((130, 28, 28, 1), "float32")
    x[:, 0, 0, 0] = np.arange(130) / 1000
    found = metrics.sample_distance(x, np.tile(x, (2, 1, 1, 1))[:200], size=30)
    assert found.value == 3
    assert [len(a) == len(b) == 26 for a, b in seen] == [True] * 5
    rows = np.concatenate([a[:, 0] for a, _ in seen])
    assert len(np.unique(rows)) == 130
    half = 2.776 * np.sqrt(2.5 / 5)
    assert found.high - found.value == pytest.approx(half, rel=1e-3)
    assert found.value - found.low == pytest.approx(half, rel=1e-3)


def test_the_same_seed_gives_the_same_distance_and_another_a_near_one(features):
    x = rng(0).random((2, 500, 28, 28, 1), "float32")
    pair = x[0] / 2, x[1]
    found, again, other = (
        metrics.sample_distance(*pair, size=50, seed=s) for s in (0, 0, 1)
    )
    assert again == found != other
    assert other.value == pytest.approx(found.value, rel=0.2)


def test_windows_are_at_random_places():
    """Each is a part of its own picture; all places come up."""
    x = np.arange(400 * 9 * 12 * 2).reshape(400, 9, 12, 2)
    found = samples.windows(x, rng(0))
    assert found.shape == (400, 7, 9, 2)
    corners = found[:, 0, 0, 0]
    assert (corners // (9 * 12 * 2) == np.arange(400)).all()
    rows, columns = np.divmod(corners % (9 * 12 * 2) // 2, 12)
    places = {(row, column) for row in range(3) for column in range(4)}
    assert set(zip(rows, columns, strict=True)) == places
    picture = x[7, rows[7] : rows[7] + 7, columns[7] : columns[7] + 9]
    np.testing.assert_array_equal(found[7], picture)


def test_digits_are_moved_as_a_whole():
    x = np.zeros((300, 9, 9, 1), "float32")
    x[:, 4, 4] = 1
    moved = train_classifier.moved(x, rng(0))
    assert moved.shape == x.shape
    places = np.argwhere(moved[..., 0])
    assert (places[:, 0] == np.arange(300)).all()
    assert set(places[:, 1]) == set(places[:, 2]) == {2, 3, 4, 5, 6}


@pytest.mark.slow
def test_the_classifier_learns_and_its_features_are_standardised(digits):
    x, y = digits.x_train[:1000], digits.y_train[:1000]
    classifier = train_classifier.train_classifier(x, y, epochs=3)
    asked = digits.x_test[:300], digits.y_test[:300]
    assert train_classifier.accuracy(classifier, *asked) > 0.4  # of ten classes
    features = models.in_batches(classifier, x)["features"]
    np.testing.assert_allclose(features.mean(axis=0), 0, atol=1e-2)
    for layer in np.split(features, [32, 96], axis=1):
        assert layer.var(axis=0).mean() == pytest.approx(1, rel=1e-2)


RED = np.float32([0.1, 0, 0])
WORSE = {  # what a judge must find, after how many steps, and how often
    "a hundred": (lambda x: chosen(x[:100], len(x)), 150, 0.57, 0.9),
    "redder": (lambda x: np.clip(x + RED, 0, 1), 100, 0.85, 1),
    "blurred": (blurred, 100, 0.9, 1),
    "one": (lambda x: np.repeat(x[:1], len(x), axis=0), 60, 0.95, 1),
}


@pytest.fixture(scope="module")
def cats():
    """Two sets of drawn cats, each pixel a mean of four."""
    x = datasets.drawn_cats_stand_in(1000).x_train
    return np.split(x.reshape(-1, 32, 2, 32, 2, 3).mean(axis=(2, 4)), 2)


@pytest.fixture(scope="module")
def small_cats(cats):
    """The same, each pixel a mean of 16."""
    return [x.reshape(-1, 16, 2, 16, 2, 3).mean(axis=(2, 4)) for x in cats]


@pytest.mark.slow
def test_a_judge_cannot_tell_cats_from_cats(small_cats):
    """The state of Keras's generator stays as it is, and does not matter."""
    keras.utils.set_random_seed(1)
    before = keras.random.uniform(())
    found = metrics.two_sample_test(*small_cats, steps=150)
    keras.utils.set_random_seed(1)
    assert float(keras.random.uniform(())) == float(before)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.1
    again = [metrics.two_sample_test(*small_cats, steps=2) for _ in range(2)]
    assert again[0] == again[1]


@pytest.mark.slow
def test_a_judge_sees_no_shift_by_a_pixel(cats):
    """By less than the interval is wide; of windows at one place it finds 0.64."""
    moved, others = (x[:, :, first : 31 + first] for first, x in enumerate(cats))
    found = metrics.two_sample_test(moved, others, steps=60)
    assert abs(found.value - 0.5) < found.high - found.low


@pytest.mark.slow
@pytest.mark.parametrize("what", WORSE)
def test_a_judge_tells_cats_from_what_became_of_others(small_cats, what):
    real, others = small_cats
    change, steps, least, most = WORSE[what]
    found = metrics.two_sample_test(change(others), real, steps=steps)
    assert least < found.value <= most
    assert 0.5 < found.low < found.value <= found.high <= 1


def test_a_judge_is_asked_about_pictures_that_it_was_not_trained_on(monkeypatch):
    """And about as many of either kind, whatever there is."""
    trained, asked = [], []

    def logits(x):
        asked.extend(x[:, 0, 0, 0])
        return x[:, :1, 0, 0] - 0.5

    def judge(drawn, real, steps, generator):
        trained.extend([*drawn[:, 0, 0, 0], *real[:, 0, 0, 0]])
        return logits

    monkeypatch.setattr(samples, "trained_judge", judge)
    drawn, real = (
        np.tile(greys[:, np.newaxis, np.newaxis, np.newaxis], (1, 9, 9, 1))
        for greys in (np.linspace(0.6, 1, 120), np.linspace(0, 0.4, 101))
    )
    found = metrics.two_sample_test(drawn, real)
    assert len(set(trained)) == len(set(asked)) == 100
    assert not set(trained) & set(asked)
    assert sum(value > 0.5 for value in trained) == 50
    assert found.value == found.high == 1
    assert found.low == pytest.approx(100 / (100 + 1.96**2), abs=1e-3)  # Wilson's
    assert metrics.two_sample_test(real, drawn).value == 0


GREY = np.full((100, 28, 28, 1), 0.5, "float32")
WRONG = {
    "no channels": (GREY[..., 0], "(100, 28, 28)"),
    "too few": (GREY[:99], "99"),
    "bytes": (np.uint8(255 * GREY), "[127, 127]"),
    "negative": (GREY - 1, "[-0.5, -0.5]"),
    "nan": (GREY * np.nan, "[nan, nan]"),
    "another size": (GREY[:, 1:], "27, 28, 1)"),
    "text": (GREY.astype(str), "<U"),
}


@pytest.mark.parametrize(("x", "value"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("name", ["sample_distance", "two_sample_test"])
@pytest.mark.parametrize("first", [True, False])
def test_wrong_sets_are_refused(name, x, value, first):
    with pytest.raises(ValueError, match=re.escape(value)):
        getattr(metrics, name)(*((x, GREY) if first else (GREY, x)))


def test_wrong_sizes_and_steps_are_refused():
    with pytest.raises(ValueError, match="19"):
        metrics.sample_distance(GREY, GREY, size=19)
    with pytest.raises(ValueError, match="0"):
        metrics.two_sample_test(GREY, GREY, steps=0)
    with pytest.raises(ValueError, match=re.escape("(100, 28, 28, 3)")):
        metrics.sample_distance(GREY, np.repeat(GREY, 3, axis=-1))


def test_a_reference_that_stays_is_looked_at_once(monkeypatch):
    looked, features = [], samples.digit_features
    monkeypatch.setattr(
        samples, "digit_features", lambda x: looked.append(len(x)) or features(x)
    )
    samples.kept_features.cache_clear()
    reference = rng(0).random((200, 28, 28, 1), "float32")
    others = [rng(seed).random((150, 28, 28, 1), "float32") for seed in (1, 2, 3)]
    first, *_ = [metrics.sample_distance(x, reference, size=30) for x in others]
    assert looked == [150] * 4  # once the reference, three times the others
    samples.kept_features.cache_clear()
    assert metrics.sample_distance(others[0], reference, size=30) == first
