"""helpers/models/conditional.py: both networks know the class, the code the rest."""

import keras
import numpy as np
import pytest

from helpers import metrics, models, training

CLASSES = 3


@pytest.fixture
def x(pictures):
    """Pictures and their labels."""
    return pictures, np.arange(40) % CLASSES


@pytest.fixture
def make_conditional():
    """A function that builds a small conditional VAE with seeded weights."""

    def make(**arguments):
        keras.utils.set_random_seed(0)
        return models.build_conditional_vae(
            (8, 8, 1), 2, CLASSES, hidden=(16,), **arguments
        )

    return make


def test_sizes(make_conditional, x):
    vae = make_conditional()
    assert (vae.latent_size, vae.classes) == (2, CLASSES)
    assert vae.encode(x).shape == (40, 2)
    predicted = vae.predict(x, verbose=0)
    for mean in (vae.reconstruct(x), vae.generate(x[1]), predicted):
        assert mean.shape == (40, 8, 8, 1)
        assert 0 <= mean.min() <= mean.max() <= 1


def test_the_class_is_seen_by_encoder_and_decoder(make_conditional, x):
    vae = make_conditional()
    pictures, labels = x
    other = (labels + 1) % CLASSES
    codes = vae.encode(x)
    assert np.abs(codes - vae.encode((pictures, other))).min(axis=0).max() > 1e-4
    change = np.abs(vae.decode(codes, labels) - vae.decode(codes, other))
    assert change.max(axis=(1, 2, 3)).min() > 1e-4


def test_encode_is_the_posteriors_mean_of_any_number_of_pictures(make_conditional, x):
    vae = make_conditional()
    z_mean, z_log_var = vae.posterior(x)
    assert z_log_var.shape == (40, 2)
    many = np.tile(x[0], (30, 1, 1, 1)), np.tile(x[1], 30)  # more than one batch
    codes = vae.encode(many)
    np.testing.assert_allclose(codes, np.tile(z_mean, (30, 1)), atol=1e-5)
    assert vae.decode(codes, many[1]).shape == many[0].shape


@pytest.mark.slow
def test_the_loss_is_a_rate_and_a_distortion(make_conditional, x):
    vae = make_conditional(beta=2.0)
    options = {"batch_size": 8, "rounds": 2, "verbose": False}
    history = training.train(vae, x, steps=4, held_out=x, **options)
    for prefix in ("", "val_"):
        loss, rate, distortion = (
            history[prefix + name] for name in ("loss", "rate", "distortion")
        )
        np.testing.assert_allclose(loss, distortion + 2 * rate, rtol=1e-5)
    z_mean, z_log_var = map(np.asarray, vae.posterior(x))
    kl = 0.5 * np.sum(z_mean**2 + np.exp(z_log_var) - 1 - z_log_var, axis=1)
    assert metrics.elbo(vae, x).rate == pytest.approx(kl.mean(), rel=1e-4)


def test_the_distortion_is_that_of_the_pictures_class(make_conditional, x):
    """With codes that say nothing it must still be of picture and class together."""
    vae = make_conditional()
    for weight in vae.encoder.weights:
        weight.assign(np.zeros(weight.shape))
    vae.encoder.get_layer("z_log_var").bias.assign([-60.0, -60.0])  # z is 0
    vae.compile()
    outputs = vae.decoder(vae.with_class(np.zeros((40, 2), "float32"), x[1]))
    expected = np.mean(vae.likelihood.negative_log_likelihood(x[0], outputs))
    assert metrics.elbo(vae, x).distortion == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_it_learns_what_the_class_says():
    """Where the class says all, the code says nothing, and the class is drawn."""
    templates = np.zeros((CLASSES, 8, 8, 1), "float32")
    for label, template in enumerate(templates):
        template[:, 2 * label : 2 * label + 2] = 1
    labels = np.arange(30) % CLASSES
    keras.utils.set_random_seed(0)
    vae = models.build_conditional_vae((8, 8, 1), 2, CLASSES, hidden=(16,))
    x, options = (templates[labels], labels), {"batch_size": 30, "verbose": False}
    training.train(vae, x, steps=200, learning_rate=0.03, rounds=1, **options)
    drawn = vae.generate(np.arange(CLASSES), seed=1)
    np.testing.assert_allclose(drawn, templates, atol=0.25)
    assert metrics.elbo(vae, x).rate < 0.5  # of the class's own ln 3 nats


def test_samples_repeat_by_seed_and_shrink_with_temperature(make_conditional, x):
    vae, labels = make_conditional(), x[1]
    first = vae.generate(labels, seed=1)
    np.testing.assert_array_equal(first, vae.generate(labels, seed=1))
    assert not np.array_equal(first, vae.generate(labels, seed=2))
    cold = vae.generate(labels, temperature=0.0)
    np.testing.assert_allclose(cold, vae.decode(np.zeros((40, 2)), labels), atol=1e-6)


def test_it_is_saved_and_loaded(make_conditional, x, tmp_path):
    vae = make_conditional(beta=0.5)
    vae.compile()
    vae.save(tmp_path / "conditional.keras")
    loaded = keras.saving.load_model(tmp_path / "conditional.keras")
    assert type(loaded) is models.ConditionalVAE
    assert loaded.kl_divergence.beta == 0.5
    np.testing.assert_array_equal(loaded.encode(x), vae.encode(x))
