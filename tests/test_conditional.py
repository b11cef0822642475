"""helpers/conditional.py: the class goes to encoder and decoder, the code keeps the rest."""

import keras
import numpy as np
import pytest

from helpers import metrics, models, training

CLASSES = 3


@pytest.fixture
def make_conditional(pictures):
    """A function that builds a small conditional VAE with seeded weights."""

    def make(latent_size=2, seed=0, **arguments):
        keras.utils.set_random_seed(seed)
        return models.build_conditional_vae(
            pictures.shape[1:], latent_size, CLASSES, hidden=(16,), **arguments
        )

    return make


@pytest.fixture
def labels():
    return np.arange(40) % CLASSES


def test_sizes(make_conditional, pictures, labels):
    vae = make_conditional()
    assert (vae.latent_size, vae.classes) == (2, CLASSES)
    assert vae.encode((pictures, labels)).shape == (40, 2)
    for mean in (vae.reconstruct((pictures, labels)), vae.generate(labels)):
        assert mean.shape == pictures.shape
        assert mean.min() >= 0
        assert mean.max() <= 1
    assert vae.predict((pictures, labels), verbose=0).shape == pictures.shape


def test_the_class_is_seen_by_encoder_and_decoder(make_conditional, pictures, labels):
    vae = make_conditional()
    other = (labels + 1) % CLASSES
    codes = vae.encode((pictures, labels))
    assert np.abs(codes - vae.encode((pictures, other))).min(axis=0).max() > 1e-4
    change = np.abs(vae.decode(codes, labels) - vae.decode(codes, other))
    assert change.max(axis=(1, 2, 3)).min() > 1e-4


def test_encode_is_the_mean_of_the_posterior(make_conditional, pictures, labels):
    vae = make_conditional()
    z_mean, z_log_var = vae.posterior((pictures, labels))
    np.testing.assert_allclose(vae.encode((pictures, labels)), z_mean, atol=1e-6)
    assert z_log_var.shape == (40, 2)


def test_any_number_of_pictures(make_conditional, pictures, labels):
    vae = make_conditional()
    many = (
        np.tile(pictures, (30, 1, 1, 1)),
        np.tile(labels, 30),
    )  # more than a batch of 1,000
    codes = vae.encode(many)
    np.testing.assert_allclose(codes[:40], vae.encode((pictures, labels)), atol=1e-5)
    np.testing.assert_allclose(codes[-40:], codes[:40], atol=1e-5)
    assert vae.decode(codes, many[1]).shape == many[0].shape


def test_the_loss_is_a_rate_and_a_distortion(make_conditional, pictures, labels):
    vae = make_conditional(beta=2.0)
    x = (pictures, labels)
    history = training.train(
        vae, x, steps=6, held_out=x, batch_size=8, rounds=2, verbose=False
    )
    assert {"loss", "rate", "distortion", "val_rate"} <= set(history)
    np.testing.assert_allclose(
        history["loss"], history["distortion"] + 2 * history["rate"], rtol=1e-5
    )
    z_mean, z_log_var = map(np.asarray, vae.posterior(x))
    kl = 0.5 * np.sum(z_mean**2 + np.exp(z_log_var) - 1 - z_log_var, axis=1)
    assert metrics.elbo(vae, x).rate == pytest.approx(kl.mean(), rel=1e-4)


def test_the_distortion_is_that_of_the_pictures_class(
    make_conditional, pictures, labels
):
    """With codes that say nothing the distortion must still be of picture and class together."""
    vae = make_conditional()
    for weight in vae.encoder.weights:
        weight.assign(np.zeros(weight.shape))
    vae.encoder.get_layer("z_log_var").bias.assign(
        [-60.0, -60.0]
    )  # z is 0, without noise
    vae.compile()
    outputs = vae.decoder(vae.with_class(np.zeros((40, 2), "float32"), labels))
    expected = np.mean(vae.likelihood.negative_log_likelihood(pictures, outputs))
    assert metrics.elbo(vae, (pictures, labels)).distortion == pytest.approx(
        expected, rel=1e-4
    )


def test_it_learns_what_the_class_says():
    """Where the class says all, nothing is left for the code, and the class is drawn."""
    templates = np.zeros((CLASSES, 8, 8, 1), "float32")
    for label, template in enumerate(templates):
        template[:, 2 * label : 2 * label + 2] = 1
    labels = np.arange(120) % CLASSES
    keras.utils.set_random_seed(0)
    vae = models.build_conditional_vae((8, 8, 1), 2, CLASSES, hidden=(16,))
    x = (templates[labels], labels)
    training.train(vae, x, steps=300, learning_rate=0.02, batch_size=40, verbose=False)
    drawn = vae.generate(np.arange(CLASSES), seed=1)
    np.testing.assert_allclose(drawn, templates, atol=0.25)
    assert (
        metrics.elbo(vae, x).rate < 0.5 < np.log(CLASSES)
    )  # the class itself is ln 3 nats


def test_samples_repeat_by_seed_and_shrink_with_temperature(make_conditional, labels):
    vae = make_conditional()
    np.testing.assert_array_equal(
        vae.generate(labels, seed=1), vae.generate(labels, seed=1)
    )
    assert not np.array_equal(
        vae.generate(labels, seed=1), vae.generate(labels, seed=2)
    )
    cold = vae.generate(labels, temperature=0.0)
    np.testing.assert_allclose(cold, vae.decode(np.zeros((40, 2)), labels), atol=1e-6)


def test_it_is_saved_and_loaded(make_conditional, pictures, labels, tmp_path):
    vae = make_conditional(beta=0.5)
    vae.compile()
    vae.save(tmp_path / "conditional.keras")
    loaded = keras.saving.load_model(tmp_path / "conditional.keras")
    assert type(loaded) is models.ConditionalVAE
    assert loaded.kl_divergence.beta == 0.5
    x = (pictures, labels)
    np.testing.assert_array_equal(loaded.encode(x), vae.encode(x))


@pytest.mark.parametrize(
    "labels", [np.zeros(39, int), np.full(40, CLASSES), np.full(40, -1)]
)
def test_labels_that_fit_no_picture_are_refused(make_conditional, pictures, labels):
    vae = make_conditional()
    with pytest.raises(ValueError, match=r"labels must be 40 integers from 0 to 2"):
        vae.encode((pictures, labels))
    with pytest.raises(ValueError, match=r"labels must be 40 integers from 0 to 2"):
        vae.decode(np.zeros((40, 2)), labels)


def test_parts_that_disagree_about_the_classes_are_refused():
    names = ("z_mean", "z_log_var")
    encoder = models.dense_encoder((64 + 3,), 2, names, hidden=(4,))
    for extra in (0, 2):
        decoder = models.dense_decoder((8, 8, 1), 2 + extra, hidden=(4,))
        with pytest.raises(ValueError, match="the same number of classes"):
            models.ConditionalVAE(encoder, decoder)


def test_a_tuples_arrays_stay_beside_each_other_in_batches():
    x = np.arange(12, dtype="float32").reshape(12, 1, 1, 1)
    batches = training.endless_batches((x, np.arange(12)), None, batch_size=5, seed=0)
    seen = []
    for (pictures, labels), targets in batches.take(12):
        np.testing.assert_array_equal(pictures[:, 0, 0, 0], labels)
        np.testing.assert_array_equal(targets[1], labels)
        seen += list(labels.numpy())
    assert sorted(seen) == sorted(list(range(12)) * 5)
