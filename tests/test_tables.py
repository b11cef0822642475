"""Models of tables, signals and counts: measures, wrong data at every door, noise."""

import functools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import likelihoods, metrics, models, training

ROWS = 24
RNG = np.random.default_rng(0)
SHORT = {"steps": 2, "rounds": 1, "batch_size": 8, "verbose": False}
LABELS = np.arange(ROWS) % 3
CLASSES = np.eye(3)[LABELS]
GREYS = RNG.integers(256, size=(ROWS, 6)) / 255
COUNTS = RNG.poisson(300, (ROWS, 6))
REAL = 3 * RNG.normal(size=(ROWS, 6))
COLUMNS = {
    "weight": RNG.normal(size=ROWS),
    "visits": RNG.poisson(5, ROWS),
    "colour": LABELS,
    "spend": RNG.poisson(50, ROWS),
    "share": RNG.random(ROWS),
}


def mixed():
    return likelihoods.Mixed(
        {
            "weight": likelihoods.Gaussian("learned", bounded=False),
            "visits": likelihoods.Poisson(),
            "colour": likelihoods.Categorical(3),
            "spend": likelihoods.NegativeBinomial(),
            "share": likelihoods.ContinuousBernoulli(),
        }
    )


TABLE = mixed().join(COLUMNS)
DATA = {  # a likelihood, and data for it
    "bernoulli": (lambda: "bernoulli", GREYS > 0.5),
    "continuous Bernoulli": (lambda: "continuous_bernoulli", GREYS),
    "discretised logistic": (lambda: "discretised_logistic", GREYS),
    "gaussian": (lambda: "gaussian", GREYS),
    "standardised": (lambda: likelihoods.Gaussian(bounded=False), REAL),
    "poisson": (lambda: "poisson", COUNTS),
    "negative binomial": (lambda: "negative_binomial", COUNTS),
    "categorical": (lambda: likelihoods.Categorical(3), CLASSES),
    "sequences": (
        lambda: likelihoods.Categorical(4),
        np.eye(4)[RNG.integers(4, size=(ROWS, 9))],
    ),
    "mixed": (mixed, TABLE),
}


def built(likelihood, x, **options):
    keras.utils.set_random_seed(0)
    shape = np.shape(x)[1:]
    return models.build_vae(shape, 2, likelihood=likelihood, hidden=(4,), **options)


@pytest.mark.parametrize("name", DATA)
def test_every_measure_that_is_not_of_pictures(name):
    make, x = DATA[name]
    vae = built(make(), x)
    rate, distortion = metrics.elbo_terms(vae, x)
    assert rate.shape == distortion.shape == (ROWS,)
    assert (rate >= 0).all() and (rate < 1e3).all()  # counts too, seen as logarithms
    each = metrics.rate_per_latent(vae, x)
    assert each.sum() == pytest.approx(rate.mean(), rel=1e-4)
    assert metrics.active_units(vae, x) in (0, 1, 2)
    coins = (x > 0.5) if name == "bernoulli" else x
    assert metrics.iwae_bound(vae, coins, 20) > -(rate + distortion).mean() - 1
    codes = vae.encode(x)
    assert 0 <= metrics.knn_accuracy(codes, LABELS, codes, LABELS, 3) <= 1
    assert vae.generate(5).shape == (5, *x.shape[1:])
    assert vae.reconstruct(x).shape == x.shape


@pytest.mark.slow
def test_a_mixed_table_is_trained_measured_and_saved(tmp_path):
    make, x = DATA["mixed"]
    vae = built(make(), x)
    history = training.train(vae, x, held_out=x, **SHORT)
    bound, terms = metrics.elbo(vae, x), metrics.elbo_terms(vae, x)
    assert set(history) == {"step", "seconds"} | {
        prefix + figure
        for prefix in ("", "val_")
        for figure in ("loss", "rate", "distortion")
    }
    assert bound.rate == pytest.approx(terms[0].mean(), rel=1e-4)
    assert bound.distortion == pytest.approx(terms[1].mean(), rel=0.3)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    weights = vae.likelihood.get_weights()
    before = built(make(), x).likelihood.get_weights()
    assert all(w != v for w, v in zip(weights, before, strict=True))
    for one, other in zip(loaded.likelihood.get_weights(), weights, strict=True):
        assert one == other
    np.testing.assert_array_equal(loaded.reconstruct(x), vae.reconstruct(x))


def test_what_is_of_pictures_refuses_a_table():
    vae = built("poisson", COUNTS)
    for refuse, said in (
        (lambda: metrics.psnr(GREYS, GREYS), "(n, height, width, channels)"),
        (lambda: metrics.ssim(GREYS, GREYS), "(n, height, width, channels)"),
        (lambda: metrics.quality(GREYS, GREYS), "(24, 6)"),
        (lambda: metrics.two_sample_test(GREYS, GREYS), "(n, height, width, channels)"),
        (lambda: metrics.sample_distance(GREYS, GREYS), "(n, 28, 28, 1)"),
        (lambda: metrics.bits_per_dimension(vae, COUNTS), "Poisson"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            refuse()


def test_bits_of_8_bit_pictures_are_of_their_probabilities():
    vae = built("discretised_logistic", GREYS)
    for weight in vae.trainable_variables:
        weight.assign(0 * weight)
    vae.likelihood.log_scale.assign(np.log(0.2))
    vae.decoder.get_layer("pixels").bias.assign(np.full(6, 0.4))
    location, x = np.full(GREYS.shape, 0.4, "float32"), GREYS.astype("float32")
    nats = vae.likelihood.negative_log_likelihood(x, location).numpy()
    bits = metrics.bits_per_dimension(vae, GREYS)
    assert bits == pytest.approx(nats.mean() / 6 / np.log(2), rel=1e-5)
    assert 7 < bits < 9


# Wrong data, at every door

WRONG = {  # a likelihood, data that it has no density for, and what the error must name
    "bytes of coins": ("bernoulli", 255 * GREYS, "divide by 255"),
    "greys beyond": ("continuous_bernoulli", 2 * GREYS, "[0, 1]"),
    "between greys": ("discretised_logistic", GREYS * 0.9987, "multiples of 0.003922"),
    "bytes": ("discretised_logistic", np.uint8(255 * GREYS), "divide by 255"),
    "not standardised": ("standardised", 1e4 * REAL, "standardise"),
    "infinite": ("standardised", REAL + np.inf, "inf"),
    "negative counts": ("poisson", COUNTS - 400, "must lie in [0, 1e+06]"),
    "halves": ("negative_binomial", COUNTS + 0.5, "whole"),
    "shares": ("poisson", COUNTS / 1000, "whole"),
    "huge counts": ("poisson", 1e6 * COUNTS, "1e+06"),
    "nan counts": ("poisson", np.where(COUNTS > 300, np.nan, COUNTS), "nan"),
    "probabilities": ("categorical", 0.5 * CLASSES, "whole"),
    "no class": ("categorical", CLASSES * (LABELS > 0)[:, np.newaxis], "0 in a row"),
    "two classes": ("categorical", np.maximum(CLASSES, [1, 0, 0]), "2 in a row"),
    "labels": ("categorical", np.stack([LABELS] * 3, axis=1), "[0, 2]"),
    "mixed halves": ("mixed", TABLE + 0.5 * np.eye(7)[1], "column 'visits'"),
    "mixed class": ("mixed", TABLE * (1 - np.eye(7)[3]), "column 'colour'"),
    "mixed nan": ("mixed", TABLE * np.where(np.eye(7)[6], np.nan, 1), "nan"),
    "fewer columns": ("mixed", TABLE[:, 1:], "(n, 7)"),
    "one row": ("poisson", COUNTS[0], "(n, 6)"),
}
DOORS = {
    "fit": lambda vae, x: vae.fit(x, verbose=0),
    "validation": lambda vae, x: vae.fit(vae.good, validation_data=(x,), verbose=0),
    "evaluate": lambda vae, x: vae.evaluate(x, verbose=0),
    "train_on_batch": lambda vae, x: vae.train_on_batch(x),
    "predict": lambda vae, x: vae.predict(x, verbose=0),
    "train": lambda vae, x: training.train(vae, x, **SHORT),
    "held_out": lambda vae, x: training.train(vae, vae.good, held_out=x, **SHORT),
    "encode": lambda vae, x: vae.encode(x),
    "reconstruct": lambda vae, x: vae.reconstruct(x),
    "elbo": metrics.elbo,
    "elbo_terms": metrics.elbo_terms,
    "iwae_bound": lambda vae, x: metrics.iwae_bound(vae, x, 2),
    "a generator": lambda vae, x: vae.fit(iter([(x,)]), verbose=0),
}
PIXELS = ("bernoulli", "continuous_bernoulli", "discretised_logistic")
NOISY = ("predict", "encode", "reconstruct")  # which take noisy pictures


@functools.cache
def refusing(likelihood):
    """A compiled model that all its wrong data leave as it is."""
    plain = GREYS if likelihood in PIXELS else COUNTS
    make, good = DATA.get(likelihood, (lambda: likelihood, plain))
    vae = built(make(), good)
    vae.compile("adam")
    vae.good = vae.checked(good)
    return vae


@pytest.mark.parametrize("name", WRONG)
def test_what_has_no_density_is_refused_at_every_door(name):
    likelihood, x, said = WRONG[name]
    vae = refusing(likelihood)
    for door, give in DOORS.items():
        if likelihood in PIXELS and door in NOISY and np.asarray(x).dtype.kind == "f":
            continue
        with pytest.raises(ValueError, match=re.escape(said)) as error:
            give(vae, x)
        assert len(str(error.value)) > 50


def test_a_data_set_of_classes_is_let_in_and_looked_at():
    """Though a batch of zeros, by which its shapes are checked, has no class."""
    vae = built(likelihoods.Categorical(3), CLASSES)
    vae.compile("adam", run_eagerly=True)
    batches = tf.data.Dataset.from_tensor_slices((CLASSES,)).batch(8)
    assert np.isfinite(vae.evaluate(batches, verbose=0, return_dict=True)["loss"])
    hidden = tf.data.Dataset.from_tensor_slices((0 * CLASSES,)).batch(8)
    with pytest.raises(ValueError, match="0 in a row"):
        vae.evaluate(hidden, verbose=0)
    wide = tf.data.Dataset.from_tensor_slices((np.eye(4)[LABELS],)).batch(8)
    with pytest.raises(ValueError, match=r"\(n, 3\)"):
        vae.evaluate(wide, verbose=0)


# Mixed


def test_named_columns_make_rows_and_come_back():
    table = mixed()
    assert table.width == TABLE.shape[1] == 7 and TABLE.dtype == np.float32
    parts = table.split(TABLE)
    assert list(parts) == list(COLUMNS)
    for name, column in COLUMNS.items():
        back = parts[name].argmax(axis=1) if name == "colour" else parts[name][:, 0]
        np.testing.assert_allclose(back, column, rtol=1e-6)
    again = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(table)
    )
    assert list(again.kinds) == list(COLUMNS)
    assert not again.kinds["weight"].bounded
    np.testing.assert_array_equal(again.join(COLUMNS), TABLE)


def test_the_nats_of_a_row_are_the_sum_over_its_columns():
    table, output = mixed(), RNG.normal(size=TABLE.shape).astype("float32")
    parts, places = table.split(TABLE), table.split(output)
    nats = [
        table.kinds[name].negative_log_likelihood(parts[name], places[name])
        for name in COLUMNS
    ]
    found = table.negative_log_likelihood(TABLE, output)
    np.testing.assert_allclose(found, np.sum(nats, axis=0), rtol=1e-5)
    mean = table.split(table.mean(output))
    np.testing.assert_allclose(mean["weight"], places["weight"])
    np.testing.assert_allclose(mean["colour"].numpy().sum(axis=1), 1, rtol=1e-5)


def test_optimal_sigmas_of_columns_follow_their_own_errors():
    sizes = {"low": 0.1, "high": 10.0}
    kinds = {name: likelihoods.Gaussian(bounded=False) for name in sizes}
    table = likelihoods.Mixed(kinds)
    x = table.join({name: s * RNG.normal(size=400) for name, s in sizes.items()})
    for kind in kinds.values():
        kind.momentum = 0.0
    table.follow(x, np.zeros_like(x))
    for name, size in sizes.items():
        assert np.exp(kinds[name].log_sigma) == pytest.approx(size, rel=0.1)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"colour": LABELS + 1}, "colour must be 24 integers from 0 to 2"),
        ({"colour": LABELS - 1}, "[-1"),
        ({"visits": COLUMNS["visits"] - 9}, "column 'visits'"),
        ({"share": COLUMNS["share"] + 1}, "column 'share'"),
        ({"weight": COLUMNS["weight"][:9]}, "weight (9,)"),
        ({"weight": COLUMNS["weight"] * np.nan}, "nan"),
    ],
)
def test_a_wrong_column_is_named(change, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        mixed().join(COLUMNS | change)
    with pytest.raises(ValueError, match="spend"):
        mixed().join({n: c for n, c in COLUMNS.items() if n != "spend"})


@pytest.mark.parametrize("kinds", [{}, {"age": "gaussian"}, {"age": keras.layers.ReLU}])
def test_what_is_no_kind_is_refused(kinds):
    with pytest.raises(ValueError, match=re.escape(str(kinds))):
        likelihoods.Mixed(kinds)


# Models that don't fit together


def ending(activation, width=3):
    codes = keras.Input((2,))
    return keras.Model(codes, keras.layers.Dense(width, activation)(codes))


def test_shapes_and_ends_that_do_not_fit_are_named():
    encoder = models.dense_encoder((3,), 2, ("z_mean", "z_log_var"), hidden=(4,))
    classes = likelihoods.Categorical(3)
    for refuse, said in (
        (lambda: models.build_vae(42), "42"),
        (lambda: models.build_vae(()), "()"),
        (lambda: models.build_vae((0,)), "(0,)"),
        (lambda: models.build_autoencoder((None, 3)), "(None, 3)"),
        (lambda: models.build_conditional_vae((2.5,)), "(2.5,)"),
        (lambda: models.build_vae((42,), architecture="conv"), "(42,)"),
        (lambda: models.build_autoencoder((50, 3), 2, "conv"), "(50, 3)"),
        (lambda: models.build_vae((4,), likelihood=likelihoods.Categorical(3)), "4)"),
        (lambda: models.build_vae((8,), likelihood=mixed()), "7 wide"),
        (lambda: models.VAE(encoder, ending(None, 4)), "(None, 3)"),
        (lambda: models.VAE(encoder, ending("softmax"), "normal", classes), "softmax"),
        (lambda: models.VAE(encoder, ending("relu"), "normal", "poisson"), "Poisson"),
        (lambda: likelihoods.Categorical(1), "at least 2"),
        (lambda: likelihoods.Categorical(3)(np.eye(4), np.eye(4)), "(4, 4)"),
        (lambda: models.build_vae((4,), likelihood="cauchy"), "poisson"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            refuse()
    models.VAE(encoder, ending("relu"), "normal", likelihoods.Gaussian(bounded=False))


def test_a_conditional_vae_of_counts_sees_their_logarithms_and_the_class():
    vae = models.build_conditional_vae((6,), 2, 3, likelihood="poisson", hidden=(4,))
    seen = np.hstack([np.log1p(COUNTS), CLASSES]).astype("float32")
    codes = vae.encode((COUNTS, LABELS))
    np.testing.assert_allclose(codes, vae.encoder(seen)[0], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="whole"):
        vae.encode((COUNTS + 0.5, LABELS))


@pytest.mark.parametrize("shape", [(6,), (5, 2)])
def test_a_prior_of_pseudo_data_of_any_shape(shape):
    vae = built("poisson", np.zeros((1, *shape)), family="vamp")
    assert vae.generate(3).shape == (3, *shape)


def test_an_autoencoder_of_standardised_data_is_not_clipped():
    keras.utils.set_random_seed(0)
    model = models.build_autoencoder((6,), 6, hidden=(), bounded=False)
    training.train(model, REAL, learning_rate=0.05, **SHORT | {"steps": 150})
    np.testing.assert_allclose(model.reconstruct(REAL), REAL, atol=1)
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(model)
        ).bounded
        is False
    )
    with pytest.raises(ValueError, match="standardise"):
        model.encode(1e4 * REAL)
    bounded = models.build_autoencoder((6,), 2, hidden=())
    with pytest.raises(ValueError, match=re.escape("[0, 1]")):
        training.train(bounded, REAL, **SHORT)


# Noise

NOISE = GREYS + RNG.normal(size=GREYS.shape)


def denoising(likelihood="bernoulli", x=GREYS):
    """One whose posterior is so narrow that a sample is its mean."""
    vae = built(likelihood, x, denoising=True)
    vae.encoder.get_layer("z_log_var").bias.assign([-30.0, -30.0])
    vae.compile(keras.optimizers.SGD(0.01))
    return vae


def expected_terms(vae, noisy, clean):
    """The rate of the noisy, the distortion of the clean, of each row."""
    codes = vae.encode(noisy)
    outputs = vae.decoder(codes)
    nats = vae.likelihood.negative_log_likelihood(clean.astype("float32"), outputs)
    return metrics.elbo_terms(vae, noisy.clip(0, 1))[0], nats.numpy()


@pytest.mark.slow
def test_a_denoising_vae_sees_noisy_rows_and_is_judged_by_clean_ones():
    vae, noisy = denoising(), NOISE.clip(0, 1)
    vae.run_eagerly = True
    rates, nats = expected_terms(vae, noisy, GREYS)
    weights = np.arange(ROWS) % 3
    options = {"verbose": 0, "return_dict": True}
    batches = tf.data.Dataset.from_tensor_slices(((noisy, GREYS),)).batch(7)
    for found in (
        vae.evaluate(noisy, GREYS, **options),
        vae.evaluate((noisy, GREYS), **options),
        vae.evaluate(batches, **options),
    ):
        assert found["rate"] == pytest.approx(rates.mean(), rel=1e-4)
        assert found["distortion"] == pytest.approx(nats.mean(), rel=1e-4)
    found = vae.evaluate(noisy, GREYS, sample_weight=weights, **options)
    assert found["distortion"] == pytest.approx((weights * nats).mean(), rel=1e-4)
    assert metrics.elbo(vae, (noisy, GREYS)).distortion == pytest.approx(
        nats.mean(), rel=1e-4
    )


@pytest.mark.slow
def test_targets_are_learned_from_noise_and_the_model_saved(tmp_path):
    vae = denoising()
    vae.run_eagerly = True
    history = vae.fit(NOISE, GREYS, validation_data=(NOISE, GREYS), verbose=0).history
    assert np.isfinite(history["val_loss"]).all()
    trained = training.train(
        vae, NOISE, targets=GREYS, held_out=(NOISE, GREYS), **SHORT
    )
    assert {"distortion", "val_distortion"} < set(trained)
    assert vae.reconstruct(NOISE).shape == vae.predict(NOISE, verbose=0).shape
    vae.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert isinstance(loaded, models.DenoisingVAE)
    np.testing.assert_array_equal(loaded.reconstruct(NOISE), vae.reconstruct(NOISE))


@pytest.mark.slow
def test_training_with_other_targets_gives_other_weights():
    """As one step of gradient descent on the targets' own distortion."""
    moved = []
    for targets in (GREYS, 1 - GREYS):
        vae = denoising()
        vae.run_eagerly = True
        vae.fit(NOISE, targets, batch_size=ROWS, shuffle=False, verbose=0)
        moved.append(vae.decoder.get_layer("pixels").bias.numpy())
    away = np.sign((GREYS - 0.5).mean(axis=0))
    assert (np.sign(moved[0] - moved[1]) == away).all()


def test_what_a_denoising_vae_may_be_shown_and_what_not():
    hidden = CLASSES * (LABELS > 0)[:, np.newaxis]
    vae = denoising(likelihoods.Categorical(3), CLASSES)
    vae.run_eagerly = True
    assert np.isfinite(vae.evaluate(hidden, CLASSES, verbose=0)).all()
    for refuse, said in (
        (lambda: vae.fit(CLASSES, hidden), "0 in a row"),
        (lambda: vae.fit(hidden), "0 in a row"),
        (lambda: vae.fit(CLASSES, CLASSES[:5]), "(5, 3)"),
        (lambda: vae.fit(np.nan * CLASSES, CLASSES), "nan"),
        (lambda: training.train(vae, CLASSES, targets=2 * CLASSES, **SHORT), "targets"),
        (lambda: vae.fit(iter([(hidden, CLASSES)])), "((noisy, clean),)"),
        (lambda: vae.fit((hidden, CLASSES), hidden), "targets"),
        (lambda: built("poisson", COUNTS).evaluate(COUNTS, COUNTS + 1), "denoising"),
    ):
        with pytest.raises(ValueError, match=re.escape(said)):
            refuse()
