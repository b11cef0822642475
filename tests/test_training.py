"""helpers/training.py: the same training everywhere, and the same twice."""

import functools
import gc
import random
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import datasets, likelihoods, models, training
from helpers.engine import stateless

slow = pytest.mark.slow
QUIET = {"batch_size": 8, "rounds": 2, "verbose": False}
FIGURES = ("loss", "rate", "distortion")


@pytest.fixture
def make_vae(make_vae):
    """Without hidden layers a step is sooner traced."""
    return functools.partial(make_vae, hidden=())


def same_weights(one, other):
    return all(map(np.array_equal, one.get_weights(), other.get_weights()))


def nearly_same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.allclose(a, b, rtol=1e-5, atol=1e-5) for a, b in pairs)


def trained(make_vae, pictures, noise_seed=0, steps=12, **options):
    """Train; NumPy's and Python's own random numbers have no part in it.

    The VAE's ``traces`` has a 0 for every time that a step was traced, its ``heard``
    one for every call of ``on_train_batch_end``.
    """
    vae = make_vae()
    vae.traces, vae.heard = [], []
    sample = vae.family.sample_posterior
    vae.family.sample_posterior = lambda *given: vae.traces.append(0) or sample(*given)
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: vae.heard.append(0)
    )
    keras.utils.set_random_seed(noise_seed)
    np.random.seed(None)
    random.seed(None)
    options |= {"callbacks": [callback], "steps": steps}
    training.train(vae, pictures, **QUIET, **options)
    return vae


USUAL = []


@pytest.fixture
def usual(make_vae, pictures):
    """A VAE that was trained for 12 steps, once, and is only looked at."""
    if not USUAL:
        USUAL.append(trained(make_vae, pictures))
    return USUAL[0]


@slow
def test_training_repeats_bit_for_bit(make_vae, pictures, usual):
    assert same_weights(usual, trained(make_vae, pictures))


@slow
def test_a_compiled_training_repeats_bit_for_bit_and_is_traced_once(make_vae, pictures):
    first, second = (trained(make_vae, pictures, jit_compile=True) for _ in range(2))
    assert same_weights(first, second)
    assert first.jit_compile and first.traces == second.traces == [0]


def test_the_step_is_traced_once(usual):
    assert usual.traces == [0]


@slow
def test_a_seed_fixes_order_and_noise(make_vae, pictures):
    def weights_of(noise_seed, seed):
        return trained(make_vae, pictures, noise_seed, steps=2, seed=seed)

    vae = make_vae()
    history = training.train_seeded(vae, pictures, steps=2, seed=3, **QUIET)
    assert history["step"][-1] == 2
    assert same_weights(vae, weights_of(noise_seed=3, seed=3))
    assert not same_weights(vae, weights_of(noise_seed=0, seed=3))
    assert not same_weights(vae, weights_of(noise_seed=3, seed=0))


@slow
def test_how_many_steps_run_at_once_changes_nothing(make_vae, pictures, usual):
    assert len(usual.heard) == 12
    vae = trained(make_vae, pictures, steps_per_execution=4)
    assert nearly_same_weights(vae, usual)
    assert int(vae.optimizer.iterations) == 12
    assert len(vae.heard) == 4  # 4 doesn't divide a round of 6, 3 does
    assert training.divided(12, 2, 50) == (2, 6, 6)


@slow
def test_a_compiled_step_changes_nothing_but_roundings(
    make_autoencoder, pictures, monkeypatch
):
    """Where there is no noise: XLA draws other random numbers."""
    expected, compiled = make_autoencoder(), make_autoencoder()
    training.train(expected, pictures, steps=12, **QUIET)
    monkeypatch.setattr(training, "XLA_FROM", 12)
    monkeypatch.setattr(training, "LOOP_FROM", 12)
    training.train(compiled, pictures, steps=12, jit_compile=True, **QUIET)
    assert compiled.jit_compile and not expected.jit_compile
    assert (compiled.steps_per_execution, expected.steps_per_execution) == (6, 1)
    assert nearly_same_weights(compiled, expected)


def test_few_steps_are_neither_looped_over_nor_compiled(
    make_autoencoder, pictures, monkeypatch
):
    monkeypatch.setattr(training, "XLA_FROM", 3)
    monkeypatch.setattr(training, "LOOP_FROM", 3)
    model = make_autoencoder()
    options = {**QUIET, "rounds": 1, "jit_compile": True}
    training.train(model, pictures, steps=2, **options)
    assert (model.jit_compile, model.steps_per_execution) == (False, 1)


def test_few_steps_are_not_traced_and_train_the_same(make_vae, pictures, monkeypatch):
    traced, written = make_vae(), make_vae()
    monkeypatch.setattr(stateless, "EAGER_BELOW", 1)
    expected = training.train(traced, pictures, steps=2, held_out=pictures, **QUIET)
    monkeypatch.setattr(stateless, "EAGER_BELOW", 3)
    seen, forward = set(), written.posterior
    written.posterior = lambda x: seen.add(tf.executing_eagerly()) or forward(x)
    history = training.train(written, pictures, steps=2, held_out=pictures, **QUIET)
    assert seen == {True}
    assert nearly_same_weights(written, traced)
    assert history["val_loss"] == pytest.approx(expected["val_loss"], rel=1e-5)
    training.train(written, pictures, steps=3, **QUIET)
    assert seen == {True, False}  # a longer one is traced again


def test_fit_is_keras_fit_on_endless_batches(make_vae, pictures, capsys):
    pair = make_vae(), make_vae()
    for model, eager in zip(pair, (False, True), strict=True):
        model.compile(keras.optimizers.Adam(0.01), run_eagerly=eager)
        batches = training.endless_batches(pictures, None, 8, seed=0)
        keras.utils.set_random_seed(0)
        if eager:
            model.fit(batches, steps_per_epoch=3, shuffle=False, verbose=0)
        else:
            training.fit(model, batches, 3)
        assert int(model.optimizer.iterations) == 3
    assert same_weights(*pair)
    assert not pair[0].run_eagerly
    assert not capsys.readouterr().out


@slow
@pytest.mark.parametrize(
    ("steps", "rounds", "expected"),
    [
        (2, 10, [1, 2]),
        (1, 1, [1]),
        (3, 2, [2, 4]),  # rounded up to whole rounds
    ],
)
def test_the_history_and_the_rate_by_steps_and_rounds(
    make_vae, pictures, capsys, steps, rounds, expected
):
    vae = make_vae(beta=2.0)
    options = {"learning_rate": 0.05, "held_out": pictures, "verbose": False}
    history = training.train(
        vae, pictures, steps=steps, rounds=rounds, batch_size=8, **options
    )
    np.testing.assert_array_equal(history["step"], expected)
    assert history["seconds"] > 0
    assert not capsys.readouterr().out
    names = [prefix + name for prefix in ("", "val_") for name in FIGURES]
    assert set(history) == {"step", "seconds", *names}
    assert all(history[name].shape == (len(expected),) for name in names)
    beta_elbo = history["distortion"] + 2 * history["rate"]
    np.testing.assert_allclose(history["loss"], beta_elbo, rtol=1e-5)
    assert int(vae.optimizer.iterations) == expected[-1]
    rate, cycle = vae.optimizer._learning_rate, training.one_cycle(expected[-1], 0.05)
    for step in range(expected[-1] + 1):
        assert float(rate(step)) == float(cycle(step))


def test_any_other_model_is_trained_on_the_mean_squared_error(pictures):
    keras.utils.set_random_seed(0)
    parts = [keras.layers.Flatten(), keras.layers.Dense(64)]
    plain = keras.Sequential([*parts, keras.layers.Reshape(pictures.shape[1:])])
    history = training.train(plain, pictures, steps=4, held_out=pictures, **QUIET)
    mse = np.mean((pictures - plain.predict(pictures, verbose=0)) ** 2)
    assert history["val_loss"][-1] == pytest.approx(mse, rel=1e-4)


@slow
def test_the_held_out_figures_are_those_of_evaluate(make_autoencoder, pictures):
    model, held_out = make_autoencoder(), pictures[32:]
    history = training.train(model, pictures[:32], steps=4, held_out=held_out, **QUIET)
    expected = model.evaluate(held_out, held_out, verbose=0)
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    assert history["val_loss"][-1] != pytest.approx(history["loss"][-1], rel=1e-3)


@slow
def test_targets_are_what_the_outputs_are_compared_with(make_autoencoder, pictures):
    """Trained to paint everything black, an autoencoder does."""
    autoencoder, options = make_autoencoder(), {"steps": 150, "learning_rate": 0.03}
    black = np.zeros_like(pictures)
    training.train(autoencoder, pictures, targets=black, **options, **QUIET)
    assert np.abs(autoencoder.reconstruct(pictures)).mean() < 0.05


@slow
def test_weight_decay_shrinks_what_nothing_else_moves(make_vae, pictures):
    plain, decayed = make_vae(), make_vae()
    options = QUIET | {"steps": 4, "learning_rate": 0.02}
    training.train(plain, pictures, **options)
    training.train(decayed, pictures, weight_decay=1.0, **options)
    sizes = [np.linalg.norm(vae.encoder.get_weights()[0]) for vae in (plain, decayed)]
    rates = [float(training.one_cycle(4, 0.02)(step)) for step in range(4)]
    shrunk = np.prod(1 - np.array(rates))
    assert shrunk < 0.96
    assert sizes[1] / sizes[0] == pytest.approx(shrunk, abs=0.005)


@slow
def test_the_loss_falls_on_real_digits():
    data = datasets.digits_stand_in()
    keras.utils.set_random_seed(0)
    options = {"batch_size": 64, "rounds": 3, "held_out": data.x_test[:300]}
    model = models.build_vae(latent_size=8, hidden=(64,))
    history = training.train(model, data.x_train, steps=60, verbose=False, **options)
    assert (np.diff(history["loss"]) < 0).all()
    assert history["val_loss"][-1] < 0.97 * history["val_loss"][0]


# When the loss makes no sense


class Spoil(keras.callbacks.Callback):
    """Overwrite a bias of the decoder after the first batch of the second round."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def on_epoch_end(self, epoch, logs=None):
        self.good = self.model.get_weights()

    def on_train_batch_begin(self, batch, logs=None):
        if hasattr(self, "good"):
            bias = self.model.decoder.get_layer("pixels").bias
            bias.assign(np.full(bias.shape, self.value))


@slow
@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (-1e9, "e\\+")])
def test_a_loss_that_makes_no_sense_stops_the_training(make_vae, pictures, value, said):
    vae, spoil = make_vae(), Spoil(value)
    options = {"steps": 4, "callbacks": [spoil], "steps_per_execution": 1}
    with pytest.raises(training.DivergedError, match=f"{said}.* 3 .*2.*1"):
        training.train(vae, pictures, **options, **QUIET)
    assert int(vae.optimizer.iterations) == 3
    for weight, good in zip(vae.get_weights(), spoil.good, strict=True):
        np.testing.assert_array_equal(weight, good)


class Bottomless(likelihoods.Bernoulli):
    """A likelihood that can be made infinite."""

    def __init__(self):
        super().__init__()
        self.depth = self.add_weight(initializer="zeros", trainable=False, name="depth")

    def negative_log_likelihood(self, x, output):
        return super().negative_log_likelihood(x, output) - self.depth


@slow
@pytest.mark.parametrize("depth", [np.inf, -np.inf])
def test_an_infinite_loss_stops_the_training(make_vae, pictures, depth):
    vae = make_vae(likelihood=Bottomless())
    fall = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: vae.likelihood.depth.assign(
            depth if epoch else 0
        )
    )
    with pytest.raises(training.DivergedError, match=f" {-depth} at step 3 "):
        training.train(vae, pictures, steps=4, callbacks=[fall], **QUIET)


@slow
def test_a_loss_below_zero_is_no_reason_to_stop(make_vae, pictures):
    vae = make_vae(likelihood=likelihoods.Gaussian(0.1))  # whose densities exceed one
    history = training.train(vae, 0 * pictures, steps=4, learning_rate=2.0, **QUIET)
    assert history["loss"][0] > 0 > -10 > history["loss"][-1]


# Batches

NUMBERS = np.arange(12, dtype="float32").reshape(12, 1, 1, 1)


def first_values(batches, count):
    return np.concatenate([x.numpy().ravel() for x, _ in batches.take(count)])


def test_batches_cover_every_picture_once_a_pass_in_a_new_order():
    def values(seed):
        batches = training.endless_batches(NUMBERS, NUMBERS, batch_size=4, seed=seed)
        return list(first_values(batches, 6))

    first, second = values(0)[:12], values(0)[12:]
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(range(12)) != first != second
    assert values(0) == first + second != values(1)


@pytest.mark.parametrize("skip", [0, 1, 2, 3, 7])  # in the first pass, later, at ends
def test_batches_that_are_skipped_change_nothing_of_the_others(skip):
    order = tf.data.Dataset.range(12).shuffle(12, seed=0).repeat().batch(5)
    values = np.concatenate([chosen.numpy() for chosen in order.take(9)])
    batches = training.endless_batches(NUMBERS, NUMBERS, 5, seed=0, skip=skip)
    np.testing.assert_array_equal(first_values(batches, 9 - skip), values[5 * skip :])


def test_batches_are_skipped_without_a_look_at_the_pictures(monkeypatch):
    picked, plain = [], tf.numpy_function

    def counted(pick, rows, types):
        return plain(lambda rows: picked.append(0) or pick(rows), rows, types)

    monkeypatch.setattr(tf, "numpy_function", counted)
    next(iter(training.endless_batches(NUMBERS, None, 4, seed=0, skip=1000)))
    assert 1 <= len(picked) < 100  # one, and what is fetched ahead


def test_batches_come_from_the_array_itself_and_from_no_copy():
    x = np.zeros((12, 1, 1, 1), "float32")
    batches = training.endless_batches(x, None, batch_size=4, seed=0)
    x[:] = 1
    assert first_values(batches, 3).min() == 1


@slow
def test_training_lets_go_of_its_pictures(make_vae, pictures):
    copy = pictures.copy()
    alive = weakref.ref(copy)
    training.train(make_vae(), copy, steps=2, **QUIET)
    del copy
    gc.collect()
    assert alive() is None


def test_batches_keep_targets_and_labels_beside_their_pictures():
    pair = NUMBERS, np.arange(12)
    seen = []
    for targets in (None, 10 * NUMBERS):
        batches = training.endless_batches(pair, targets, batch_size=5, seed=0)
        for (pictures, labels), target in batches.take(12):
            assert pictures.shape == (5, 1, 1, 1)
            np.testing.assert_array_equal(pictures[:, 0, 0, 0], labels)
            expected = labels if targets is None else 10 * pictures
            given = target[1] if targets is None else target
            np.testing.assert_array_equal(given, expected)
            seen += list(labels.numpy())
    assert sorted(seen) == sorted(list(range(12)) * 10)


# Schedules and the report


def test_one_cycle_rises_to_the_peak_and_falls_to_zero():
    rate = training.one_cycle(1000, peak=0.01)
    values = np.array([float(rate(step)) for step in range(0, 1001, 10)])
    assert values[0] == pytest.approx(0.001)
    assert values.argmax() == 10  # step 100, a tenth of the way
    assert values.max() == pytest.approx(0.01)
    assert (np.diff(values[:11]) > 0).all()
    assert (np.diff(values[10:]) < 0).all()
    assert values[-1] == pytest.approx(0, abs=1e-8)


def test_warm_up_is_a_straight_line_that_stays():
    beta = training.warm_up(10, end=4.0)
    values = [float(beta(step)) for step in (0, 5, 10, 50)]
    np.testing.assert_allclose(values, [0, 2, 4, 4], atol=1e-6)
    assert float(training.warm_up(10)(10)) == 1


@slow
def test_the_report_has_a_line_per_round_with_every_figure(make_vae, pictures, capsys):
    options = {"batch_size": 8, "rounds": 2, "held_out": pictures[:8]}
    history = training.train(make_vae(), pictures, steps=4, **options)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for index, line in enumerate(lines):
        assert int(line.split(":")[0].split()[-1]) == 2 * index + 2
        for name in FIGURES:
            shown = f"{name} {history[name][index]:.4g} "
            assert shown in line
            assert f"{history['val_' + name][index]:.4g}" in line.split(shown)[1]


# Snapshots


def snapshots_of(vae, pictures, steps=5, train_steps=32, callbacks=(), **arguments):
    arguments.setdefault("codes_of", pictures)
    kept = training.Snapshots(steps, steps_an_epoch=len(pictures) / 8, **arguments)
    options = {"callbacks": [kept, *callbacks], "steps_per_execution": 1}
    training.train_seeded(vae, pictures, steps=train_steps, **options, **QUIET)
    return kept


def test_snapshots_keep_what_they_are_told_to(make_autoencoder, pictures):
    z = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    model = make_autoencoder()

    def views():
        few = model.reconstruct(pictures[:6])
        return model.encode(pictures), few, model.decode(z)

    before = views()
    kept = snapshots_of(model, pictures, pictures_of=pictures[:6], samples_at=z)
    found = (kept.codes, kept.pictures, kept.samples)
    for frames, first, last in zip(found, before, views(), strict=True):
        assert frames.shape == (5, *first.shape)
        np.testing.assert_array_equal(frames[0], first)
        np.testing.assert_array_equal(frames[-1], last)
        moves = np.abs(np.diff(frames, axis=0)).reshape(4, -1).max(axis=1)
        assert (moves > 0).all()
    # dense at the start, and by the epoch: 40 pictures, 8 per batch
    np.testing.assert_array_equal(kept.step, [0, 2, 8, 18, 32])
    np.testing.assert_allclose(kept.epoch, kept.step / 5)


def test_snapshots_are_of_the_model_at_their_step_and_once_a_step(make_vae, pictures):
    vae, z, seen = make_vae(), np.eye(2, dtype="float32"), []
    look = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(
            (vae.encode(pictures), vae.decode(z))
        )
    )
    chosen = {"steps": [3, 0, 2, 2], "callbacks": [look], "samples_at": z}
    kept = snapshots_of(vae, pictures, train_steps=4, **chosen)
    np.testing.assert_array_equal(kept.step, [0, 2, 3])
    codes, samples = zip(*seen, strict=True)
    np.testing.assert_array_equal(kept.codes[1:], codes[1:3])
    np.testing.assert_array_equal(kept.samples[1:], samples[1:3])
    many = snapshots_of(make_vae(), pictures, steps=50, train_steps=4)
    np.testing.assert_array_equal(many.step, range(5))
    assert many.samples is None is many.pictures


@slow
def test_snapshots_leave_the_training_alone(make_vae, pictures):
    watched, alone = make_vae(), make_vae()
    views = {"pictures_of": pictures, "samples_at": np.zeros((1, 2))}
    snapshots_of(watched, pictures, train_steps=4, **views)
    options = {"steps": 4, "steps_per_execution": 1}
    training.train_seeded(alone, pictures, **options, **QUIET)
    assert same_weights(watched, alone)


def test_a_step_that_is_passed_between_two_calls_is_kept_at_the_next(
    make_vae, pictures
):
    vae = make_vae()
    kept = training.Snapshots([0, 1, 4, 6], steps_an_epoch=5, codes_of=pictures)
    vae.compile("sgd", steps_per_execution=3)
    vae.fit(pictures[:36], batch_size=4, epochs=1, callbacks=[kept], verbose=0)
    np.testing.assert_array_equal(kept.step, [0, 3, 6])
