"""helpers/models: autoencoders and VAEs as ordinary Keras models, walks, and PCA."""

import keras
import numpy as np
import pytest

from helpers import families, layers, likelihoods, models, training

SHAPES = [(28, 28, 1), (17, 23, 3), (64, 64, 3)]
ARCHITECTURES = ["dense", "conv"]
FAMILIES = list(families.registry())
CATS = {  # what ships, and how it is built
    "normal": {},
    "laplace": {"family": "laplace"},
    "exponential": {"family": "exponential"},
    "shifted_exponential": {"family": "shifted_exponential"},
    "sigma_one": {"sigma": 1.0},
    "sigma_learned": {"sigma": "learned"},
}


def random_pictures(count, shape, seed=0):
    return np.random.default_rng(seed).random((count, *shape)).astype("float32")


def same(one, other):
    for a, b in zip(one, other, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("shape", SHAPES)
def test_models_of_any_picture_size(shape, architecture):
    vae = models.build_vae(shape, latent_size=3, architecture=architecture)
    autoencoder = models.build_autoencoder(shape, 3, architecture)
    x = random_pictures(2, shape)
    assert vae.latent_size == autoencoder.latent_size == 3
    assert [head.shape for head in vae.encoder(x)] == [(2, 3), (2, 3)]
    assert autoencoder.encode(x).shape == vae.encode(x).shape == (2, 3)
    drawn = (np.asarray(vae(x)), vae.reconstruct(x), vae.generate(2))
    for mean in (*drawn, autoencoder.reconstruct(x)):
        assert mean.shape == x.shape
        assert 0 <= mean.min() <= mean.max() <= 1
    raw = autoencoder(x)
    expected = np.clip(raw, 0, 1)
    np.testing.assert_allclose(autoencoder.reconstruct(x), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture", ["dense", pytest.param("conv", marks=pytest.mark.slow)]
)
def test_a_whole_life(architecture, tmp_path):
    """compile, fit with validation and callbacks, evaluate, predict, save, load."""
    shape = (12, 9, 2)
    keras.utils.set_random_seed(0)
    eager = architecture == "conv"  # the life of a dense one is traced
    hidden = None if eager else (8, 8)
    vae = models.build_vae(shape, 2, architecture=architecture, hidden=hidden)
    x = random_pictures(16, shape)
    vae.compile(keras.optimizers.SGD(1e-3), run_eagerly=eager)
    seen = vae.fit(x, validation_data=(x,), epochs=2, batch_size=8, verbose=0).history
    names = {"loss", "rate", "distortion"}
    assert set(seen) == names | {f"val_{name}" for name in names}
    results = vae.evaluate(x, verbose=0, return_dict=True)
    assert set(results) == names
    assert vae.predict(x, verbose=0).shape == x.shape
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(loaded.encode(x), vae.encode(x))
    np.testing.assert_array_equal(loaded.reconstruct(x), vae.reconstruct(x))
    again = loaded.evaluate(x, verbose=0, return_dict=True)
    assert again["rate"] == pytest.approx(results["rate"], rel=1e-5)


@pytest.mark.slow
def test_a_saved_vae_keeps_its_parts(make_vae, pictures, tmp_path):
    likelihood, beta = likelihoods.Gaussian(0.3), training.warm_up(10, end=3.0)
    vae = make_vae(family="laplace", likelihood=likelihood, beta=beta)
    vae.compile("adam", run_eagerly=True)
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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["vae", "autoencoder"])
def test_training_goes_on_after_loading(
    make_vae, make_autoencoder, pictures, tmp_path, kind
):
    """An epoch, saved and loaded, another: the weights of two in a row."""
    is_vae = kind == "vae"
    make, loss = (make_vae, None) if is_vae else (make_autoencoder, "mse")
    fit = {"x": pictures, "shuffle": False, "verbose": 0}
    fit |= {} if is_vae else {"y": pictures}
    saved, straight = make(), make()
    for model, epochs in ((saved, 1), (straight, 2)):
        keras.utils.set_random_seed(1)
        model.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True)
        model.fit(epochs=epochs, **fit)
    saved.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    steps = int(loaded.optimizer.iterations)
    assert steps == int(saved.optimizer.iterations) > 0
    if is_vae:  # a loaded model draws noise of its own
        noise = saved.sampling.seed_generator.state
        loaded.sampling.seed_generator.state.assign(noise)
    loaded.fit(epochs=1, **fit)
    assert int(loaded.optimizer.iterations) == 2 * steps
    same(loaded.get_weights(), straight.get_weights())


def test_a_call_says_whether_it_trains(make_vae, pictures):
    """The warm-up's step and the optimal sigma move in training only."""
    beta = training.warm_up(10)
    vae = make_vae(likelihood=likelihoods.Gaussian("optimal"), beta=beta)
    before = float(vae.likelihood.log_sigma)
    vae(pictures)
    vae(pictures, training=False)
    assert int(vae.kl_divergence.step) == 0
    assert float(vae.likelihood.log_sigma) == before
    vae(pictures, training=True)
    assert int(vae.kl_divergence.step) == 1
    assert float(vae.likelihood.log_sigma) != before


def test_a_vae_decodes_through_a_sigmoid_and_an_autoencoder_clips(
    make_vae, make_autoencoder
):
    z = np.array([[9.0, -8.0], [0.0, 7.0]], "float32")
    vae, autoencoder = make_vae(), make_autoencoder()
    logits = vae.decoder(z).numpy()
    np.testing.assert_allclose(vae.decode(z), 1 / (1 + np.exp(-logits)), rtol=1e-4)
    outputs = autoencoder.decoder(z).numpy()
    assert outputs.min() < 0
    same([autoencoder.decode(z)], [np.clip(outputs, 0, 1)])


def test_predict_decodes_a_sample_not_the_mean(make_vae, pictures):
    vae = make_vae()
    first, second = vae.predict(pictures, verbose=0), vae.predict(pictures, verbose=0)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(vae.reconstruct(pictures), vae.reconstruct(pictures))


@pytest.mark.parametrize("family", FAMILIES)
def test_codes_are_posterior_means_and_samples_scale_around_the_priors(
    make_vae, pictures, monkeypatch, family
):
    vae = make_vae(family=family)
    mean = vae.family.posterior_mean(vae.posterior(pictures))
    np.testing.assert_allclose(vae.encode(pictures), mean, rtol=1e-4, atol=1e-6)
    monkeypatch.setattr(vae, "decode", np.asarray)
    codes = vae.generate(5, seed=3)
    np.testing.assert_allclose(codes, vae.family.sample_prior((5, 2), 3), rtol=1e-6)
    assert not np.array_equal(codes, vae.generate(5, seed=4))
    middle = vae.family.prior_mean(2)
    halved = vae.generate(5, temperature=0.5, seed=3)
    np.testing.assert_allclose(halved - middle, 0.5 * (codes - middle), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "architecture"),
    [("normal", "conv"), *((f, ARCHITECTURES[i % 2]) for i, f in enumerate(FAMILIES))],
)
def test_the_decoder_takes_codes_in_units_of_their_prior(family, architecture):
    """So a network learns as fast from a narrow prior as from a wide one."""
    vae = models.build_vae((12, 9, 1), 4, family, architecture=architecture)
    if isinstance(vae.family, families.Normal):
        assert "standardised" not in [layer.name for layer in vae.decoder.layers]
    else:
        z = vae.family.sample_prior((20_000, 4), seed=0)
        inputs = vae.decoder.get_layer("standardised")(z).numpy()
        np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=0.05)
        np.testing.assert_allclose(inputs.std(axis=0), 1, atol=0.1)
    x = random_pictures(8, (12, 9, 1))
    assert vae.reconstruct(x).shape == x.shape


# Networks


def test_the_size_of_the_dense_vae():
    vae = models.build_vae((28, 28, 1), latent_size=32)
    encoder = 784 * 512 + 512 + 512 * 256 + 256 + 2 * (256 * 32 + 32)
    decoder = 32 * 256 + 256 + 256 * 512 + 512 + 2 * (512 * 512 + 512) + 512 * 784 + 784
    assert vae.encoder.count_params() == encoder
    assert vae.decoder.count_params() == decoder


def test_convolutions_keep_maps_small_and_go_back_the_same_way():
    """Maps at a picture's full or half size would take most of a training step."""
    vae = models.build_cat_vae(filters=(64, 128), blocks=(1, 2))
    for network, names in (
        (vae.encoder, ("down_1", "down_2")),
        (vae.decoder, ("widen", "up_1")),
    ):
        sides = sorted(network.get_layer(name).output.shape[1] for name in names)
        assert sides == [8, 16]

    def stage(filters, blocks):
        """Two 3 x 3 convolutions and a norm per block."""
        return blocks * (2 * (9 * filters + 1) * filters + filters)

    patches, narrow = 8 * 8 * 3 * 64, 4 * 4 * 64 * 128
    encoder = patches + 64 + narrow + 128 + 128 * 48 + 48 + 2 * (3072 * 64 + 64)
    decoder = 64 * 3072 + 3072 + 48 * 128 + 128 + narrow + 64
    decoder += 8 * 8 * 64 * 16 + 16 + 3 * 3 * 16 * 3 + 3  # at the full size
    for network, plain, blocks in (
        (vae.encoder, encoder, 1),
        (vae.decoder, decoder, 2),
    ):
        added = stage(64, blocks) + stage(128, blocks)
        assert network.count_params() == plain + added
    vae = models.build_cat_vae(filters=(64, 128), blocks=(0, 0))
    assert vae.encoder.count_params() == encoder
    assert vae.decoder.count_params() == decoder
    deeper = models.conv_encoder((64, 64, 3), 2, filters=(8, 16, 16))
    assert deeper.get_layer("down_3").output.shape[1:] == (4, 4, 16)


def test_a_residual_block_adds_nothing_at_first():
    decoder = models.conv_decoder((16, 16, 3), 4, filters=(8, 6), blocks=2)
    z = random_pictures(2, (4,))
    stages = [
        keras.Model(decoder.inputs, decoder.get_layer(name).output)
        for name in ("widen", "decoder_1_2", "up_1", "decoder_2_2")
    ]
    for before, after in (stages[:2], stages[2:]):
        np.testing.assert_array_equal(before(z), after(z))
        assert np.abs(before(z)).max() > 0
    decoder.get_layer("decoder_2_1_b").bias.assign(np.ones(6))
    np.testing.assert_allclose(stages[3](z), stages[2](z) + 1, rtol=1e-5)


def test_no_normalisation_looks_at_other_pictures():
    encoder = models.conv_encoder((16, 16, 3), 4, filters=(8, 6), blocks=1)
    x = random_pictures(5, (16, 16, 3))
    alone = np.concatenate([encoder(x[i : i + 1], training=True) for i in range(5)])
    np.testing.assert_allclose(alone, encoder(x), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", CATS)
def test_the_cats_model_fits_what_ships(name):
    vae = models.build_cat_vae(**CATS[name])
    models.load_weights(vae, models.WEIGHTS / f"cats_{name}.npz")
    assert vae.reconstruct(random_pictures(2, (64, 64, 3))).std() > 0.005


def test_a_hidden_layer_as_wide_as_the_one_before_adds_to_it():
    """But the first never adds to the code or the picture, however wide."""
    for network in (
        models.dense_encoder((2, 2, 1), 3, hidden=(4, 4, 6, 6)),
        models.dense_decoder((8, 8, 1), 4, hidden=(4, 4, 6, 6)),
    ):
        hidden = [network.get_layer(f"hidden_{index}") for index in (1, 2, 3, 4)]
        adds = [isinstance(layer, layers.ResidualDense) for layer in hidden]
        assert adds == [False, True, False, True]


def test_the_decoders_widths_are_the_encoders_in_reverse():
    for model in (
        models.build_vae((8, 8, 1), 2, hidden=(7, 5)),
        models.build_autoencoder((8, 8, 1), 2, hidden=[7, 5]),
        models.build_conditional_vae((8, 8, 1), 2, 3, hidden=(7, 5)),
    ):
        widths = [
            [layer.units for layer in part.layers if layer.name.startswith("hidden")]
            for part in (model.encoder, model.decoder)
        ]
        assert widths == [[7, 5], [5, 7]]
    linear = models.build_vae((8, 8, 1), 2, hidden=())
    assert len(linear.encoder.weights) == 4  # two heads only


# Walks and PCA

FIRST, LAST = np.array([3.0, 0.0, 4.0]), np.array([0.0, 5.0, 0.0])
SHARES = np.linspace(0, 1, 5)


@pytest.mark.parametrize("walk", [models.straight, models.arc])
def test_a_walk_begins_and_ends_at_its_codes(walk):
    way = walk(FIRST, LAST, SHARES)
    assert way.shape == (5, 3)
    same(way[[0, -1]], [FIRST, LAST])
    same(walk(LAST, FIRST, SHARES), way[::-1])


def test_an_arc_keeps_length_and_pace_where_a_straight_line_cuts_the_corner():
    way = models.arc(FIRST, LAST, SHARES)
    same(np.linalg.norm(way, axis=1), np.full(5, 5.0))
    angles = np.arccos(np.sum(way[1:] * way[:-1], axis=1) / 25)
    same(angles, np.full(4, np.pi / 8))
    middle = np.linalg.norm(models.straight(FIRST, LAST, [0.5]))
    assert middle == pytest.approx(5 / np.sqrt(2))


def test_pictures_mix_on_a_straight_way():
    black, white = np.zeros((2, 2, 1)), np.ones((2, 2, 1))
    way = models.straight(black, white, SHARES)
    assert way.shape == (5, 2, 2, 1)
    same(way[:, 1, 0, 0], SHARES)


@pytest.mark.parametrize("last", [2 * FIRST, -FIRST, 0 * FIRST])
def test_without_one_arc_there_is_none(last):
    with pytest.raises(ValueError, match="1"):  # the cosine
        models.arc(FIRST, last, SHARES)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_traversal_moves_one_latent_through_its_prior(make_vae, family):
    vae = make_vae(family=family)
    shares = np.array([0.1, 0.5, 0.9])
    codes = models.traversal(vae, np.array([7, 8]), 1, shares)
    assert codes.shape == (3, 2)
    np.testing.assert_array_equal(codes[:, 0], 7)
    u = np.stack([shares, shares], axis=1)
    same(codes[:, 1], vae.family.prior_quantile(u)[:, 1].astype("float32"))
    assert (np.diff(codes[:, 1]) > 0).all()


@pytest.mark.parametrize(
    ("code", "latent", "value"),
    [([0, 0, 0], 0, r"\(3,\)"), ([0, 0], 2, "2"), ([0, 0], -1, "-1")],
)
def test_a_traversal_of_what_is_not_there_is_refused(make_vae, code, latent, value):
    with pytest.raises(ValueError, match=value):
        models.traversal(make_vae(), np.array(code), latent, SHARES)


def test_pca_is_the_best_linear_autoencoder(pictures):
    pca = models.PrincipalComponents(pictures, 3)
    z, back = pca.encode(pictures), pca.reconstruct(pictures)
    assert z.shape == (40, 3)
    assert (back.shape, back.dtype) == (pictures.shape, np.float32)
    assert 0 <= back.min() <= back.max() <= 1
    np.testing.assert_array_equal(back, pca.decode(z))
    flat = pictures.reshape(40, -1).astype("float64")
    rest = np.linalg.svd(flat - flat.mean(axis=0), compute_uv=False)[3:]
    assert pca.squared_errors(pictures).sum() == pytest.approx(
        np.sum(rest**2), rel=1e-4
    )
