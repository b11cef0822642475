"""What users do with models: each trouble once seen, through every door it has."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from test_uses import Pieces, as_dataset, as_generator

from helpers import families, layers, likelihoods, metrics, models, training

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)
X = np.random.default_rng(0).random((40, *SHAPE)).astype("float32")
BINARY = (X > 0.5).astype("float32")
LABELS = np.arange(40) % 3
SHORT = {"steps": 2, "rounds": 1, "batch_size": 16, "verbose": False}
SOURCES = {"dataset": as_dataset, "generator": as_generator, "PyDataset": Pieces}


def built(**arguments):
    keras.utils.set_random_seed(0)
    vae = models.build_vae(SHAPE, 2, hidden=(4,), **arguments)
    vae.compile(keras.optimizers.SGD(0.01))
    return vae


def autoencoder():
    keras.utils.set_random_seed(0)
    model = models.build_autoencoder(SHAPE, 2, hidden=(4,))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


def trained_weights(model):
    return [keras.ops.convert_to_numpy(v) for v in model.trainable_variables]


@pytest.fixture(scope="module")
def vae():
    """A VAE to be used wrongly, or only asked."""
    return built()


def dense(shape=SHAPE, names=("z_mean", "z_log_var")):
    return models.dense_encoder(shape, 2, names, hidden=(4,))


def drawing(shape=SHAPE):
    return models.dense_decoder(shape, 2, hidden=(4,))


# Pictures of another shape, type or range

SQUEEZED = {
    "fit": lambda vae, x: vae.fit(x, verbose=0),
    "validation": lambda vae, x: vae.fit(X, validation_data=(x,), verbose=0),
    "evaluate": lambda vae, x: vae.evaluate(x, verbose=0),
    "predict": lambda vae, x: vae.predict(x, verbose=0),
    "train_on_batch": lambda vae, x: vae.train_on_batch(x),
    "test_on_batch": lambda vae, x: vae.test_on_batch(x),
    "predict_on_batch": lambda vae, x: vae.predict_on_batch(x),
    "train": lambda vae, x: training.train(vae, x, **SHORT),
    "held_out": lambda vae, x: training.train(vae, X, held_out=x, **SHORT),
    "targets": lambda _, x: training.train(autoencoder(), X, targets=x, **SHORT),
    "fit's targets": lambda _, x: autoencoder().fit(X, x, verbose=0),
    "a dataset": lambda vae, x: vae.fit(as_dataset((x,), 16), verbose=0),
    "a generator": lambda vae, x: vae.fit(as_generator((x,), 16), verbose=0),
    "a PyDataset": lambda vae, x: vae.evaluate(Pieces((x,), 16), verbose=0),
    "snapshots": lambda _, x: training.train(
        built(),
        X,
        callbacks=[training.Snapshots(2, steps_an_epoch=1, codes_of=x)],
        **SHORT,
    ),
    "quality": lambda vae, x: metrics.quality(X, x),
    "elbo": metrics.elbo,
}


@pytest.mark.parametrize("door", SQUEEZED.values(), ids=SQUEEZED)
def test_a_missing_axis_is_named_at_every_door(vae, door):
    with pytest.raises(ValueError, match=r"8, 8\).*axis"):
        door(vae, X[..., 0])


def test_shapes_that_would_be_broadcast_are_refused_in_every_layer():
    z, wide = np.zeros((4, 3), "float32"), np.zeros((4, 1), "float32")
    kl, draw = layers.KLDivergence(), layers.Sampling()
    for given in ([z, wide], [z[:1], z], [z], [z, z, z]):
        for layer in (kl, draw):
            with pytest.raises(ValueError, match=r"\(4, 3\)|\(1, 3\)"):
                layer(given)
    with pytest.raises(ValueError, match=r"\(4, 1\)"):
        kl([z, z], wide)
    for likelihood in (likelihoods.Bernoulli(), likelihoods.Gaussian()):
        for x in (X[..., 0], X[:1], X[:, :1], X[:, :, :, 0, np.newaxis, np.newaxis]):
            with pytest.raises(ValueError, match=r"\(40, 8, 8, 1\)"):
                likelihood(x, X, training=True)


@pytest.mark.parametrize("door", ["held_out", "targets"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (255 * X, "divide by 255"),
        ((255 * X).astype("uint8"), "0, 1"),
        (np.where(X > 0.9, np.nan, X), "nan"),
        (X[:0], "(0, 8, 8, 1)"),
        (X[..., 0], "axis"),
        (X[:, :7], "(40, 7, 8, 1)"),
        (X.astype(str), "<U"),
        (LABELS, "(40,)"),
        (2 * X - 1, "[-0.99"),
    ],
)
def test_what_train_compares_with_is_checked_as_x_is(vae, door, wrong, said):
    plain = keras.Sequential([keras.Input(SHAPE), keras.layers.Dense(1)])
    for model in (autoencoder(), plain, *([vae] if door == "held_out" else [])):
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            training.train(model, X, **{door: wrong}, **SHORT)
        assert door in str(error.value)


def test_fewer_targets_or_labels_than_pictures_are_refused():
    for refuse in (
        lambda: training.train(autoencoder(), X, targets=X[:39], **SHORT),
        lambda: autoencoder().fit(X, X[:39], verbose=0),
        lambda: training.endless_batches(X, X[:39], 16, seed=0),
        lambda: training.endless_batches((X, LABELS[:39]), None, 16, seed=0),
    ):
        with pytest.raises(ValueError, match="39"):
            refuse()


TYPES = [bool, "uint8", "int64", "float16", "float64", "longdouble", list, tf.constant]
ASKED = {
    "encode": lambda vae, x: vae.encode(x),
    "elbo": lambda vae, x: metrics.elbo(vae, x).rate,
    "elbo_terms": metrics.elbo_terms,
    "iwae_bound": lambda vae, x: metrics.iwae_bound(vae, x, 2),
    "rate_per_latent": metrics.rate_per_latent,
    "binarised": lambda vae, x: metrics.binarised(x),
    "quality": lambda vae, x: list(metrics.quality(tiled(x), tiled(X)).values()),
    "quality of": lambda vae, x: list(metrics.quality(tiled(X), tiled(x)).values()),
    "call": lambda vae, x: vae.posterior(np.asarray(x)),
    "constant_nats": lambda vae, x: metrics.constant_nats(vae, x, x),
    "linear_nats": lambda vae, x: metrics.linear_nats(vae, x, x),
    "PCA": lambda vae, x: models.PrincipalComponents(x, 2).squared_errors(x),
}


def tiled(x):
    return np.tile(np.asarray(x), (1, 2, 2, 1))


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED)
def test_pictures_of_any_type_are_taken(vae, ask, kind):
    x = BINARY.tolist() if kind is list else None
    x = kind(BINARY) if kind is tf.constant else x
    x = BINARY.astype(kind) if x is None else x
    np.testing.assert_allclose(ask(vae, x), ask(vae, BINARY), rtol=1e-6)


def test_the_figures_of_bytes_once_they_are_divided():
    flat = np.full((2, *SHAPE), 200, "uint8")
    gaussian = models.build_vae(SHAPE, 2, likelihood=likelihoods.Gaussian(0.1))
    for weight in gaussian.trainable_variables:
        weight.assign(0 * weight)
    bits = metrics.bits_per_dimension(gaussian, flat / 255)
    assert bits == pytest.approx(11.7894, abs=2e-3)  # of noise within a 256th
    ten, thirty = flat // 20, flat // 20 * 3
    assert metrics.psnr(ten / 255, thirty / 255) == pytest.approx(22.11, abs=5e-3)
    for refuse in (
        lambda: metrics.bits_per_dimension(gaussian, flat),
        lambda: metrics.psnr(ten, thirty),
        lambda: metrics.mse(ten / 255, thirty),
        lambda: metrics.quality(ten, thirty),
        lambda: metrics.binarised(ten),
        lambda: metrics.elbo(gaussian, flat),
        lambda: metrics.constant_nats(gaussian, flat, flat / 255),
        lambda: metrics.linear_nats(gaussian, flat / 255, flat),
        lambda: models.PrincipalComponents(flat, 1),
        lambda: gaussian.encode(np.full((2, *SHAPE), 3, "uint8")),
    ):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
            refuse()


@pytest.mark.parametrize("source", [None, *SOURCES.values()])
def test_fit_refuses_pixels_that_train_refuses(source):
    vae = built()
    before = trained_weights(vae)
    for x, said in (
        (255 * X, "divide by 255"),
        (np.where(X > 0.5, 1, -1).astype("float32"), "[-1, 1]"),
        (np.where(X > 0.99, np.nan, X), "nan"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            vae.fit(x if source is None else source((x,), 40), verbose=0)
        assert all(map(np.array_equal, trained_weights(vae), before))


def test_the_look_at_a_data_set_leaves_its_batches_alone():
    """Also their order: a shuffled data set gives other batches in a second pass."""
    x = np.arange(20, dtype="float32").reshape(20, 1) / 20
    seen, plain = [], keras.Model.fit

    def batches():
        tf.random.set_seed(0)
        return tf.data.Dataset.from_tensor_slices(x).shuffle(20, seed=3).batch(6)

    vae = models.build_vae((1,), 1, hidden=())
    vae.compile("sgd")
    call = vae.likelihood.negative_log_likelihood
    vae.likelihood.negative_log_likelihood = lambda x, output: (
        (tf.py_function(lambda x: seen.append(x.numpy()), [x], []) and None)
        or call(x, output)
    )
    for fit in (plain, type(vae).fit):
        fit(vae, batches(), epochs=2, verbose=0)
    assert len(seen) == 16
    for one, other in zip(seen[:8], seen[8:], strict=True):
        np.testing.assert_array_equal(one, other)


# Models that don't fit together


@pytest.mark.parametrize("kind", [models.VAE, models.Autoencoder])
@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 1, 1), (8, 7, 1), (64,)])
def test_a_decoder_of_other_pictures_is_refused(kind, shape):
    names = ("z_mean", "z_log_var") if kind is models.VAE else ("code",)
    with pytest.raises(ValueError, match=r"8, 8, 1\).*" + str(shape).strip("(),")):
        kind(dense(names=names), drawing(shape))


def ending(*ends):
    """A decoder that ends in some layers or functions."""
    codes = keras.Input((2,))
    tensor = keras.layers.Dense(64)(codes)
    for end in ends:
        tensor = end(tensor)
    return keras.Model(codes, keras.layers.Reshape(SHAPE)(tensor))


BOUNDED = {
    "sigmoid": [keras.layers.Dense(64, "sigmoid")],
    "a layer": [keras.layers.Activation("sigmoid"), keras.layers.Flatten()],
    "a function": [keras.ops.sigmoid],
    "a network": [keras.Sequential([keras.layers.Dense(64, "sigmoid")])],
    "tanh": [keras.layers.Dense(64, "tanh")],
    "relu": [keras.layers.ReLU()],
}


class AsItIs(likelihoods.Gaussian):
    """A likelihood whose mean picture is the output."""

    def mean(self, output):
        return output


@pytest.mark.parametrize("ends", BOUNDED.values(), ids=BOUNDED)
def test_a_decoder_that_bounds_its_outputs_is_refused(ends):
    for likelihood in ("bernoulli", "gaussian"):
        with pytest.raises(ValueError, match="logits"):
            models.VAE(dense(), ending(*ends), likelihood=likelihood)
    models.VAE(dense(), ending(*ends), likelihood=AsItIs(0.1))
    models.Autoencoder(dense(names=("code",)), ending(*ends))


def test_an_unbounded_decoder_is_welcome():
    ends = [keras.layers.ReLU(), keras.layers.Dense(64)]
    models.VAE(dense(), ending(*ends))
    models.VAE(dense(), ending(keras.layers.Activation("linear")))


@pytest.mark.parametrize(
    "given", [{"loss": "mse"}, {"loss": {}}, {"loss_weights": [1.0]}]
)
def test_a_vae_takes_no_loss_of_others(given):
    with pytest.raises(ValueError, match=re.escape(str(*given.values()))):
        built().compile("adam", **given)
    with pytest.raises(ValueError, match="mse"):
        built().compile("adam", "mse")


def test_a_vae_takes_metrics():
    vae = built()
    vae.compile("adam", metrics=["mse"], run_eagerly=True)
    found = vae.evaluate(X, verbose=0, return_dict=True)
    assert found["mse"] == pytest.approx(np.mean((X - vae.predict(X)) ** 2), rel=0.05)
    assert found["loss"] == pytest.approx(found["rate"] + found["distortion"], rel=1e-6)


@pytest.mark.parametrize(
    ("shape", "likelihood"),
    [
        ((784,), "gaussian"),
        ((28, 28), "bernoulli"),
        ((50, 3), "gaussian"),
        ((2, 3, 4, 1), "bernoulli"),
    ],
)
def test_tables_signals_and_sequences(shape, likelihood):
    x = np.random.default_rng(0).random((20, *shape))
    vae = models.build_vae(shape, 2, likelihood=likelihood, hidden=(4,))
    history = training.train(vae, x, held_out=x, **SHORT)
    assert np.isfinite(history["val_loss"]).all()
    assert vae.generate(3).shape == (3, *shape) == vae.reconstruct(x[:3]).shape
    vae.encoder.get_layer("z_log_var").bias.assign([-30.0, -30.0])  # hardly any noise
    bound, (rate, distortion) = metrics.elbo(vae, x), metrics.elbo_terms(vae, x)
    assert bound.rate == pytest.approx(rate.mean(), rel=1e-4)
    assert bound.distortion == pytest.approx(distortion.mean(), rel=1e-4)


# Targets, weights, losses


def with_targets(y):
    """Ways to give a VAE pictures and targets."""
    yield lambda vae: vae.fit(X, y, verbose=0)
    yield lambda vae: vae.evaluate(X, y, verbose=0)
    yield lambda vae: vae.train_on_batch(X, y)
    yield lambda vae: vae.test_on_batch(X, y)
    yield lambda vae: vae.fit(X, validation_data=(X, y), verbose=0)
    for source in SOURCES.values():
        yield lambda vae, source=source: vae.fit(source((X, y), 20), verbose=0)
    if np.shape(y) == X.shape:
        yield lambda vae: training.train(vae, X, targets=y, **SHORT)


@pytest.mark.parametrize("y", [X[::-1], LABELS, 0 * X, X[..., 0]])
def test_a_vae_refuses_targets_that_are_not_its_pictures(vae, y):
    for give in with_targets(y):
        with pytest.raises(ValueError, match="targets"):
            give(vae)


def test_a_vae_takes_its_own_pictures_for_targets(eager):
    eager(True)
    vae = built()
    for give in with_targets(X.copy()):
        give(vae)
    assert np.isfinite(metrics.elbo(vae, X).elbo)


def test_an_autoencoder_learns_clean_pictures_from_noisy_ones():
    noisy = X + np.random.default_rng(1).normal(size=X.shape)
    model = autoencoder()
    model.fit(noisy, X, verbose=0)
    with pytest.raises(ValueError, match="targets"):
        model.fit(X, noisy, verbose=0)
    training.train(model, noisy, targets=X, **SHORT)


FIGURES = ("loss", "rate", "distortion")


@pytest.mark.parametrize(
    ("source", "batch_size"),
    [(None, 40), (None, 7), (as_dataset, 16), (as_generator, 9), (Pieces, 16)],
)
def test_weights_weigh_each_picture_whatever_the_batches(source, batch_size, eager):
    """With posteriors so narrow that a sample is their mean."""
    eager(batch_size != 7)
    vae = built()
    vae.encoder.get_layer("z_log_var").bias.assign([-30.0, -30.0])
    rate, distortion = metrics.elbo_terms(vae, X)
    weights = np.random.default_rng(0).integers(0, 4, 40).astype("float32")
    options = {"verbose": 0, "return_dict": True}
    if source is None:
        options |= {"batch_size": batch_size, "sample_weight": weights}
    given = X if source is None else source((X, X, weights), batch_size)
    found = vae.evaluate(given, **options)
    expected = np.mean(weights * rate), np.mean(weights * distortion)
    assert found["rate"] == pytest.approx(expected[0], rel=1e-4)
    assert found["distortion"] == pytest.approx(expected[1], rel=1e-4)
    assert found["loss"] == pytest.approx(found["rate"] + found["distortion"], rel=1e-5)


def test_a_measure_within_a_training_leaves_its_figures_alone():
    vae = built()
    vae.compile(keras.optimizers.SGD(0.0))
    vae.encoder.get_layer("z_log_var").bias.assign([-30.0, -30.0])
    whole = metrics.elbo(vae, X)
    ask = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: metrics.elbo(vae, X[:8])
    )
    found = vae.fit(X, batch_size=16, callbacks=[ask], verbose=0).history
    assert found["rate"][0] == pytest.approx(whole.rate, rel=1e-4)
    assert found["distortion"][0] == pytest.approx(whole.distortion, rel=1e-4)
    assert found["loss"][0] == pytest.approx(-whole.elbo, rel=1e-4)


@pytest.mark.parametrize("source", [None, as_dataset])
def test_pictures_of_weight_zero_teach_nothing(source, eager):
    eager(source is None)
    vae = built()
    before = trained_weights(vae)
    weights = np.zeros(40, "float32")
    if source is None:
        history = vae.fit(X, sample_weight=weights, verbose=0).history
    else:
        history = vae.fit(source((X, X, weights), 20), verbose=0).history
    assert [history[name] for name in FIGURES] == [[0], [0], [0]]
    assert all(map(np.array_equal, trained_weights(vae), before))


def test_weights_that_are_none_are_refused(vae):
    for weights in (-np.ones(40), np.nan * np.ones(40), np.ones(39), np.ones((40, 64))):
        with pytest.raises(ValueError, match="sample_weight"):
            vae.fit(X, sample_weight=weights, verbose=0)
        with pytest.raises(ValueError, match="sample_weight"):
            autoencoder().fit(X, X, sample_weight=weights, verbose=0)
    for give in (vae.fit, vae.train_on_batch):
        with pytest.raises(ValueError, match=re.escape("{0: 1.0}")):
            give(X, class_weight={0: 1.0})


# What stays, and what comes after training


def test_beta_and_sigma_stay_and_a_schedule_moves_beta(tmp_path):
    vae = built(beta=2.0, likelihood=likelihoods.Gaussian(0.2))
    for layer, name, value in (
        (vae.kl_divergence, "beta", 2.0),
        (vae.likelihood, "sigma", 0.2),
    ):
        with pytest.raises(AttributeError, match=r"0\.5"):
            setattr(layer, name, 0.5)
        assert getattr(layer, name) == value
    with pytest.raises(ValueError, match="Variable"):
        built(beta=keras.Variable(1.0))
    vae = built(beta=training.warm_up(4, end=2.0))
    for expected in (0.0, 0.5, 1.0, 1.5, 2.0, 2.0):
        found = vae.train_on_batch(X, return_dict=True)
        beta = (found["loss"] - found["distortion"]) / found["rate"]
        assert beta == pytest.approx(expected, abs=2e-3)
        vae.reset_metrics()
    vae.save(tmp_path / "vae.keras")
    assert keras.saving.load_model(tmp_path / "vae.keras").kl_divergence.step == 6


@pytest.mark.parametrize(
    ("kind", "steps", "rounds"),
    [("vae", 4, 2), ("autoencoder", 1, 1), ("not built", 1, 1)],
)
def test_after_a_training_that_diverges_all_weights_are_finite(kind, steps, rounds):
    model = built() if kind == "vae" else autoencoder()
    if kind == "not built":
        model = keras.Sequential([keras.layers.Dense(9), keras.layers.Dense(1)])
    options = {"rounds": rounds, "batch_size": 16, "verbose": False}
    with pytest.raises(training.DivergedError, match="finite"):
        training.train(model, X, steps=steps, learning_rate=1e30, **options)
    assert model.get_weights()
    assert all(np.abs(weight).max() < 10 for weight in model.get_weights())
    training.train(model, X, **SHORT)


def test_a_model_that_is_spoilt_is_not_trained():
    model = built()
    model.decoder.weights[0].assign(np.full(model.decoder.weights[0].shape, np.nan))
    with pytest.raises(ValueError, match="round 1"):
        training.train(model, X, **SHORT)


def test_numpys_numbers_are_numbers():
    two = np.int64(2)
    assert likelihoods.Gaussian(X.std()).sigma == pytest.approx(X.std())
    hidden = (np.int64(4), np.int32(3))
    vae = models.build_vae(SHAPE, two, hidden=hidden, beta=np.float32(0.5))
    assert vae.latent_size == 2 and vae.kl_divergence.beta == 0.5
    assert vae.generate(two).shape == (2, *SHAPE)
    kept = training.Snapshots(np.int64(3), steps_an_epoch=1, codes_of=X)
    training.train(vae, X, callbacks=[kept], **SHORT)
    assert kept.codes.shape == (2, 40, 2)  # before and after
    pictures = keras.Input(SHAPE)
    heads = [keras.layers.Dense(2)(keras.layers.Flatten()(pictures)) for _ in "ab"]
    vae = models.VAE(keras.Model(pictures, tuple(heads)), drawing())
    assert vae.encode(X).shape == (40, 2)


@pytest.mark.parametrize("make", [built, autoencoder])
def test_after_train_the_rate_is_spent_and_there_are_ways_to_go_on(make, tmp_path):
    model = make()
    training.train(model, X, **SHORT)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    targets = {} if make is built else {"y": X}
    for spent in (model, loaded):
        with pytest.raises(ValueError, match="after 2 steps"):
            spent.fit(X, **targets, epochs=3, verbose=0)
        with pytest.raises(ValueError, match="after 2 steps"):
            spent.train_on_batch(X, **targets)
    before = loaded.get_weights()
    training.train(loaded, X, **SHORT)
    assert not np.array_equal(before[0], loaded.get_weights()[0])
    loss = None if make is built else "mse"
    loaded.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True)
    before = loaded.get_weights()
    loaded.fit(X, **targets, verbose=0)
    assert not np.array_equal(before[0], loaded.get_weights()[0])


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.ReduceLROnPlateau(),
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3),
    ],
)
def test_train_sets_the_learning_rate_alone(vae, callback):
    with pytest.raises(ValueError, match=type(callback).__name__):
        training.train(vae, X, callbacks=[callback], **SHORT)


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_train_takes_arrays_and_says_so(vae, source):
    batches = source((X,), 16)
    for give in ({"x": batches}, {"x": X, "held_out": batches}):
        with pytest.raises(ValueError, match=f"{type(batches).__name__}.* fit"):
            training.train(vae, **give, **SHORT)
    training.train(built(), X.tolist(), **SHORT)


def test_labels_are_checked_at_every_door():
    vae = models.build_conditional_vae(SHAPE, 2, 3, hidden=(4,))
    vae.compile("adam", run_eagerly=True)
    for labels, said in (
        (LABELS + 1, "3]"),
        (LABELS / 2, "0.5"),
        (LABELS[:39], "(39,)"),
        (LABELS[:, np.newaxis], "(40, 1)"),
    ):
        pair = X, labels
        for refuse in (
            lambda pair=pair: vae.fit(pair, verbose=0),
            lambda pair=pair: vae.evaluate(pair, verbose=0),
            lambda pair=pair: vae.train_on_batch(pair),
            lambda pair=pair: training.train(vae, pair, **SHORT),
            lambda pair=pair: metrics.elbo(vae, pair),
        ):
            with pytest.raises(ValueError, match=re.escape(said)):
                refuse()
    with pytest.raises(ValueError, match="pictures, labels"):
        vae.fit(X, LABELS, verbose=0)
    with pytest.raises(ValueError, match="pictures, labels"):
        vae.fit(as_dataset((X, LABELS), 16), verbose=0)
    found = [
        vae.evaluate((X, LABELS.astype(kind)), verbose=0, return_dict=True)["rate"]
        for kind in ("int64", "uint8", "float32")
    ]
    assert found == pytest.approx([found[0]] * 3)


@pytest.mark.parametrize("name", list(families.registry()))
def test_loss_is_rate_and_distortion_in_every_family(name):
    keras.utils.set_random_seed(0)
    vae = models.build_vae(SHAPE, 2, name, beta=2.0, hidden=(4,))
    vae.compile("adam", run_eagerly=True)
    weights = np.linspace(0, 2, 40)
    options = {"batch_size": 25, "verbose": 0, "return_dict": True}
    found = vae.evaluate(X, sample_weight=weights, **options)
    expected = 2 * found["rate"] + found["distortion"]
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
