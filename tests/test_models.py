"""helpers/models.py: builders, the autoencoder and the VAE as ordinary Keras models."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import families, layers, likelihoods, models, training
from helpers.engine import budgets

SHAPES = [(28, 28, 1), (17, 23, 3), (64, 64, 3)]
ARCHITECTURES = ["dense", "conv"]


def random_pictures(count, shape, seed=0):
    return np.random.default_rng(seed).random((count, *shape)).astype("float32")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_vae_of_any_picture_size(shape, architecture):
    vae = models.build_vae(shape, latent_size=3, architecture=architecture)
    x = random_pictures(2, shape)
    assert vae.latent_size == 3
    assert [head.shape for head in vae.encoder(x)] == [(2, 3), (2, 3)]
    assert vae.encoder.input_shape == (None, *shape)
    assert vae.decoder.output_shape == (None, *shape)
    for mean in (vae.predict(x, verbose=0), vae.reconstruct(x), vae.generate(2)):
        assert mean.shape == (2, *shape)
        assert mean.min() >= 0
        assert mean.max() <= 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_an_autoencoder_of_any_picture_size(shape, architecture):
    autoencoder = models.build_autoencoder(
        shape, latent_size=3, architecture=architecture
    )
    x = random_pictures(2, shape)
    assert autoencoder.encode(x).shape == (2, 3)
    raw = autoencoder.predict(x, verbose=0)
    assert raw.shape == x.shape
    np.testing.assert_allclose(
        autoencoder.reconstruct(x), np.clip(raw, 0, 1), atol=1e-5
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_whole_life(architecture, tmp_path):
    """compile, fit with validation and callbacks, evaluate, predict, save, load."""
    shape = (12, 9, 2)
    keras.utils.set_random_seed(0)
    vae = models.build_vae(shape, latent_size=2, architecture=architecture)
    x = random_pictures(16, shape)
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(logs)
    )
    vae.compile(optimizer=keras.optimizers.Adam(1e-3))
    vae.fit(
        x, validation_data=(x,), epochs=2, batch_size=8, callbacks=[callback], verbose=0
    )
    assert len(seen) == 2
    assert {
        "loss",
        "rate",
        "distortion",
        "val_loss",
        "val_rate",
        "val_distortion",
    } == set(seen[0])
    results = vae.evaluate(x, verbose=0, return_dict=True)
    assert set(results) == {"loss", "rate", "distortion"}
    assert vae.predict(x, verbose=0).shape == x.shape
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.encode(x), vae.encode(x))
    np.testing.assert_array_equal(loaded.reconstruct(x), vae.reconstruct(x))
    again = loaded.evaluate(x, verbose=0, return_dict=True)
    assert again["rate"] == pytest.approx(results["rate"], rel=1e-5)


def test_a_saved_vae_keeps_its_parts(make_vae, pictures, tmp_path):
    vae = make_vae(
        family="laplace",
        likelihood=likelihoods.Gaussian(0.3),
        beta=training.warm_up(10, end=3.0),
    )
    vae.compile("adam")
    vae.fit(pictures, epochs=1, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert isinstance(loaded.family, families.Laplace)
    assert isinstance(loaded.likelihood, likelihoods.Gaussian)
    assert loaded.likelihood.sigma == 0.3
    assert loaded.sampling.family.name == loaded.kl_divergence.family.name == "laplace"
    assert int(loaded.kl_divergence.step) == int(vae.kl_divergence.step)
    loaded.kl_divergence.step.assign(10)
    assert float(loaded.kl_divergence.current_beta()) == 3


def test_training_goes_on_after_loading(make_vae, pictures, tmp_path):
    """Two epochs, saved and loaded, two more: the weights of four in a row."""
    saved, straight = make_vae(), make_vae()
    for vae, epochs in ((saved, 2), (straight, 4)):
        keras.utils.set_random_seed(1)
        vae.compile(keras.optimizers.Adam(0.01))
        vae.fit(pictures, epochs=epochs, shuffle=False, verbose=0)
    saved.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    steps = int(loaded.optimizer.iterations)
    assert steps == int(saved.optimizer.iterations) > 0
    noise = saved.sampling.seed_generator.state  # a loaded model draws noise of its own
    loaded.sampling.seed_generator.state.assign(noise)
    loaded.fit(pictures, epochs=2, shuffle=False, verbose=0)
    assert int(loaded.optimizer.iterations) == 2 * steps
    for one, other in zip(loaded.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_an_autoencoder_is_compiled_on_mse_like_any_model(make_autoencoder, pictures):
    autoencoder = make_autoencoder()
    autoencoder.compile("adam", "mse")
    before = autoencoder.evaluate(pictures, pictures, verbose=0)
    mse = np.mean((pictures - autoencoder.predict(pictures, verbose=0)) ** 2)
    assert before == pytest.approx(mse, rel=1e-4)
    autoencoder.fit(pictures, pictures, epochs=20, verbose=0)
    assert autoencoder.evaluate(pictures, pictures, verbose=0) < before


def test_a_loaded_autoencoder_is_compiled_and_goes_on(
    make_autoencoder, pictures, tmp_path
):
    """Two epochs, saved and loaded, two more: the weights of four in a row."""
    saved, straight = make_autoencoder(), make_autoencoder()
    for autoencoder, epochs in ((saved, 2), (straight, 4)):
        autoencoder.compile(keras.optimizers.Adam(0.01), "mse")
        autoencoder.fit(pictures, pictures, epochs=epochs, shuffle=False, verbose=0)
    saved.save(tmp_path / "autoencoder.keras")
    loaded = keras.saving.load_model(tmp_path / "autoencoder.keras")
    np.testing.assert_array_equal(
        loaded.reconstruct(pictures), saved.reconstruct(pictures)
    )
    assert loaded.compiled
    assert loaded.loss == "mse"
    steps = int(saved.optimizer.iterations)
    assert int(loaded.optimizer.iterations) == steps > 0
    loaded.fit(pictures, pictures, epochs=2, shuffle=False, verbose=0)
    assert int(loaded.optimizer.iterations) == 2 * steps
    for one, other in zip(loaded.get_weights(), straight.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_call_says_whether_it_trains(make_vae, pictures):
    """The warm-up's step and the optimal sigma move in training only."""
    vae = make_vae(
        likelihood=likelihoods.Gaussian("optimal"), beta=training.warm_up(10)
    )
    before = float(vae.likelihood.log_sigma)
    vae(pictures)
    vae(pictures, training=False)
    assert int(vae.kl_divergence.step) == 0
    assert float(vae.likelihood.log_sigma) == before
    vae(pictures, training=True)
    assert int(vae.kl_divergence.step) == 1
    assert float(vae.likelihood.log_sigma) != before


def test_loading_needs_nothing_but_the_import(make_vae, pictures, tmp_path):
    vae = make_vae(family="exponential")
    vae.save(tmp_path / "vae.keras")
    np.save(tmp_path / "x.npy", pictures)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import helpers.models, keras, numpy as np\n"
        "vae = keras.saving.load_model('vae.keras')\n"
        "np.save('y.npy', vae.reconstruct(np.load('x.npy')))\n"
    )
    command = [sys.executable, "-c", code, str(budgets.ROOT)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_allclose(
        np.load(tmp_path / "y.npy"), vae.reconstruct(pictures), rtol=1e-5, atol=1e-6
    )


def test_encoder_and_decoder_are_models_of_their_own(make_vae, pictures, tmp_path):
    vae = make_vae()
    z = np.array([[0.5, -1.0]], "float32")
    for part, argument in ((vae.encoder, pictures), (vae.decoder, z)):
        part.save(tmp_path / "part.keras")
        loaded = keras.saving.load_model(tmp_path / "part.keras")
        first, second = (
            part.predict(argument, verbose=0),
            loaded.predict(argument, verbose=0),
        )
        np.testing.assert_array_equal(np.asarray(first), np.asarray(second))


def test_a_vae_decodes_through_a_sigmoid_and_an_autoencoder_clips(
    make_vae, make_autoencoder
):
    z = np.array([[9.0, -8.0], [0.0, 7.0]], "float32")
    vae, autoencoder = make_vae(), make_autoencoder()
    logits = vae.decoder(z).numpy()
    np.testing.assert_allclose(vae.decode(z), 1 / (1 + np.exp(-logits)), rtol=1e-4)
    outputs = autoencoder.decoder(z).numpy()
    assert outputs.min() < 0
    np.testing.assert_allclose(autoencoder.decode(z), np.clip(outputs, 0, 1), atol=1e-6)


def test_predict_decodes_a_sample_not_the_mean(make_vae, pictures):
    vae = make_vae()
    first, second = vae.predict(pictures, verbose=0), vae.predict(pictures, verbose=0)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(vae.reconstruct(pictures), vae.reconstruct(pictures))


@pytest.mark.parametrize("prior", list(families.registry()))
def test_encode_returns_the_posterior_means(make_vae, pictures, prior):
    vae = make_vae(family=prior)
    mean = vae.family.posterior_mean(vae.posterior(tf.constant(pictures)))
    np.testing.assert_allclose(vae.encode(pictures), mean, rtol=1e-4, atol=1e-6)


def test_generate_repeats_with_its_seed(make_vae):
    vae = make_vae()
    np.testing.assert_array_equal(vae.generate(4, seed=1), vae.generate(4, seed=1))
    assert not np.array_equal(vae.generate(4, seed=1), vae.generate(4, seed=2))


@pytest.mark.parametrize("prior", list(families.registry()))
def test_generate_scales_around_the_priors_mean(make_vae, monkeypatch, prior):
    vae = make_vae(family=prior)
    monkeypatch.setattr(vae, "decode", lambda z: np.asarray(z))
    codes = vae.generate(5, seed=3)
    np.testing.assert_allclose(codes, vae.family.sample_prior((5, 2), 3), rtol=1e-6)
    mean = vae.family.prior_mean(2)
    halved = vae.generate(5, temperature=0.5, seed=3)
    np.testing.assert_allclose(halved - mean, 0.5 * (codes - mean), atol=1e-6)


def test_codes_of_a_sphere_are_generated_on_it(make_vae, monkeypatch):
    vae = make_vae(family="power_spherical", latent_size=5)
    monkeypatch.setattr(vae, "decode", lambda z: np.asarray(z))
    for temperature in (1.0, 0.5):
        lengths = np.linalg.norm(vae.generate(9, temperature=temperature), axis=1)
        np.testing.assert_allclose(lengths, temperature, rtol=1e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("prior", list(families.registry()))
def test_the_decoder_takes_codes_in_units_of_their_prior(prior, architecture):
    """So a network learns as fast from a narrow prior as from a wide one."""
    vae = models.build_vae((12, 9, 1), 4, prior, architecture=architecture)
    names = [layer.name for layer in vae.decoder.layers]
    if isinstance(vae.family, families.Normal):
        assert "standardised" not in names
    else:
        z = vae.family.sample_prior((20_000, 4), seed=0)
        inputs = vae.decoder.get_layer("standardised")(z).numpy()
        np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=0.05)
        np.testing.assert_allclose(inputs.std(axis=0), 1, atol=0.1)
    x = random_pictures(8, (12, 9, 1))
    assert vae.reconstruct(x).shape == x.shape


def test_the_wrong_number_of_heads_is_refused():
    decoder = models.dense_decoder((8, 8, 1), 2, hidden=(4,))
    for names in (("z_mean",), ("a", "b", "c")):
        encoder = models.dense_encoder((8, 8, 1), 2, names, hidden=(4,))
        with pytest.raises(ValueError, match="the encoder must return"):
            models.VAE(encoder, decoder, "normal")


def test_heads_of_another_size_are_refused():
    encoder = models.dense_encoder((8, 8, 1), 3, ("z_mean", "z_log_var"), hidden=(4,))
    decoder = models.dense_decoder((8, 8, 1), 2, hidden=(4,))
    with pytest.raises(ValueError, match=r"each \(batch, 2\)"):
        models.VAE(encoder, decoder, "normal")


@pytest.mark.parametrize("build", [models.build_vae, models.build_autoencoder])
@pytest.mark.parametrize("size", [0, -1])
def test_a_latent_size_below_one_is_refused(build, size):
    with pytest.raises(ValueError, match="latent_size must be at least 1"):
        build((8, 8, 1), latent_size=size)


@pytest.mark.parametrize("build", [models.build_vae, models.build_autoencoder])
def test_an_unknown_architecture_is_refused(build):
    with pytest.raises(ValueError, match=r"architecture must be one of.*'transformer'"):
        build((8, 8, 1), latent_size=2, architecture="transformer")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prior": "gauss"}, "prior must be one of"),
        ({"likelihood": "poisson"}, "likelihood must be one of"),
        ({"beta": -1.0}, "beta must be at least 0"),
    ],
)
def test_unknown_names_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        models.build_vae((8, 8, 1), latent_size=2, **arguments)


def test_the_size_of_the_dense_vae():
    vae = models.build_vae((28, 28, 1), latent_size=32)
    encoder = 784 * 512 + 512 + 512 * 256 + 256 + 2 * (256 * 32 + 32)
    decoder = 32 * 256 + 256 + 256 * 512 + 512 + 2 * (512 * 512 + 512) + 512 * 784 + 784
    assert (vae.encoder.count_params(), vae.decoder.count_params()) == (
        encoder,
        decoder,
    )


def test_a_hidden_layer_as_wide_as_the_one_before_adds_to_it():
    """But the first never adds to the code or the picture, however wide."""
    for network in (
        models.dense_encoder((2, 2, 1), 3, hidden=(4, 4, 6, 6)),
        models.dense_decoder((8, 8, 1), 4, hidden=(4, 4, 6, 6)),
    ):
        hidden = [network.get_layer(f"hidden_{index}") for index in (1, 2, 3, 4)]
        adds = [isinstance(layer, layers.ResidualDense) for layer in hidden]
        assert adds == [False, True, False, True]


def test_convolutions_keep_maps_small_and_go_back_the_same_way():
    """Maps at a picture's full or half size would take most of a training step."""
    vae = models.build_vae((64, 64, 3), 64, likelihood="gaussian", architecture="conv")
    for network, names in (
        (vae.encoder, ("down_1", "down_2")),
        (vae.decoder, ("widen", "up_1")),
    ):
        sides = sorted(network.get_layer(name).output.shape[1] for name in names)
        assert sides == [8, 16]
    encoder = (
        8 * 8 * 3 * 64
        + 64
        + 4 * 4 * 64 * 128
        + 128
        + 128 * 48
        + 48
        + 2 * (3072 * 64 + 64)
    )
    decoder = (
        64 * 3072 + 3072 + 48 * 128 + 128 + 4 * 4 * 128 * 64 + 64 + 8 * 8 * 64 * 3 + 3
    )
    assert (vae.encoder.count_params(), vae.decoder.count_params()) == (
        encoder,
        decoder,
    )
    deeper = models.conv_encoder((64, 64, 3), 2, filters=(8, 16, 16))
    assert deeper.get_layer("down_3").output.shape[1:] == (4, 4, 16)
