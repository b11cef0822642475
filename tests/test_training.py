"""helpers/training.py: the same training everywhere, and the same twice."""

import gc
import random
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import datasets, likelihoods, models, training

QUIET = {"batch_size": 8, "rounds": 2, "verbose": False}


def same_weights(one, other):
    return all(
        np.array_equal(a, b)
        for a, b in zip(one.get_weights(), other.get_weights(), strict=True)
    )


def trained(make_vae, pictures, weights_seed=0, order_seed=0, noise_seed=0, **options):
    vae = make_vae(seed=weights_seed)
    keras.utils.set_random_seed(noise_seed)
    training.train(vae, pictures, steps=12, seed=order_seed, **QUIET, **options)
    return vae


def test_training_repeats_bit_for_bit(make_vae, pictures):
    first, second = trained(make_vae, pictures), trained(make_vae, pictures)
    assert same_weights(first, second)


def test_numpy_and_python_have_no_part_in_the_order_or_the_noise(make_vae, pictures):
    first, second = make_vae(), make_vae()
    for vae, seed in ((first, 1), (second, 2)):
        keras.utils.set_random_seed(0)
        np.random.seed(seed)
        random.seed(seed)
        training.train(vae, pictures, steps=12, held_out=pictures[:9], **QUIET)
    assert same_weights(first, second)


@pytest.mark.parametrize("together", [1, 3, 4, 50])
def test_how_many_steps_run_at_once_changes_nothing(make_vae, pictures, together):
    calls = []
    heard = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: calls.append(0)
    )
    expected, vae = trained(make_vae, pictures), make_vae(seed=0)
    keras.utils.set_random_seed(0)
    options = {"callbacks": [heard], "steps_per_execution": together, **QUIET}
    training.train(vae, pictures, steps=12, **options)
    for weight, other in zip(vae.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5)
    assert int(vae.optimizer.iterations) == 12
    assert (
        len(calls) == {1: 12, 3: 4, 4: 4, 50: 2}[together]
    )  # 4 does not divide a round of 6


def test_a_compiled_step_changes_nothing_but_roundings(make_autoencoder, pictures):
    """Where there is no noise: XLA draws other random numbers."""
    expected, compiled = make_autoencoder(), make_autoencoder()
    training.train(expected, pictures, steps=12, **QUIET)
    training.train(compiled, pictures, steps=12, jit_compile=True, **QUIET)
    assert compiled.jit_compile and not expected.jit_compile
    for weight, other in zip(
        compiled.get_weights(), expected.get_weights(), strict=True
    ):
        np.testing.assert_allclose(weight, other, atol=1e-5)


def test_compiled_training_repeats_bit_for_bit(make_vae, pictures):
    first, second = (trained(make_vae, pictures, jit_compile=True) for _ in range(2))
    assert same_weights(first, second)


@pytest.mark.parametrize("jit_compile", ["auto", True])
def test_the_step_is_traced_once(make_vae, pictures, jit_compile):
    vae, calls = make_vae(), []
    sample = vae.family.sample
    vae.family.sample = lambda *arguments: calls.append(0) or sample(*arguments)
    training.train(vae, pictures, steps=12, jit_compile=jit_compile, **QUIET)
    assert len(calls) == 1


@pytest.mark.parametrize("seed", ["weights_seed", "order_seed"])
def test_another_seed_trains_another_model(make_vae, pictures, seed):
    first, second = (
        trained(make_vae, pictures),
        trained(make_vae, pictures, **{seed: 1}),
    )
    assert not same_weights(first, second)


def test_the_history_has_one_value_a_round(make_vae, pictures):
    history = training.train(
        make_vae(),
        pictures,
        steps=12,
        batch_size=8,
        rounds=3,
        held_out=pictures,
        verbose=False,
    )
    figures = {"loss", "rate", "distortion"}
    assert set(history) == {"step", "seconds"} | figures | {
        f"val_{name}" for name in figures
    }
    np.testing.assert_array_equal(history["step"], [4, 8, 12])
    assert history["seconds"] > 0
    for name in figures:
        assert history[name].shape == history[f"val_{name}"].shape == (3,)


@pytest.mark.parametrize(("steps", "rounds"), [(12, 3), (3, 10), (1, 1)])
def test_steps_are_counted_exactly(make_vae, pictures, steps, rounds):
    vae = make_vae()
    history = training.train(
        vae, pictures, steps=steps, rounds=rounds, batch_size=8, verbose=False
    )
    assert int(vae.optimizer.iterations) == steps == history["step"][-1]
    assert len(history["loss"]) == min(steps, rounds)


@pytest.mark.parametrize(
    ("steps", "rounds", "expected"), [(10, 3, [4, 8, 12]), (5, 4, [2, 4, 6, 8])]
)
def test_steps_are_rounded_up_to_whole_rounds(
    make_vae, pictures, steps, rounds, expected
):
    vae = make_vae()
    history = training.train(
        vae, pictures, steps=steps, rounds=rounds, batch_size=8, verbose=False
    )
    np.testing.assert_array_equal(history["step"], expected)
    assert int(vae.optimizer.iterations) == history["step"][-1]
    last_rate = float(vae.optimizer._learning_rate(expected[-1]))
    assert last_rate == pytest.approx(0, abs=1e-8)
    assert float(vae.optimizer._learning_rate(expected[-1] - 1)) > 1e-5


def test_any_other_model_is_trained_on_the_mean_squared_error(pictures):
    keras.utils.set_random_seed(0)
    plain = keras.Sequential(
        [
            keras.Input(pictures.shape[1:]),
            keras.layers.Flatten(),
            keras.layers.Dense(64),
            keras.layers.Reshape(pictures.shape[1:]),
        ]
    )
    history = training.train(plain, pictures, steps=4, held_out=pictures, **QUIET)
    mse = np.mean((pictures - plain.predict(pictures, verbose=0)) ** 2)
    assert history["val_loss"][-1] == pytest.approx(mse, rel=1e-4)


def test_a_vae_brings_its_own_loss(make_vae, pictures):
    vae = make_vae(beta=2.0)
    history = training.train(vae, pictures, steps=4, **QUIET)
    np.testing.assert_allclose(
        history["loss"], history["distortion"] + 2 * history["rate"], rtol=1e-5
    )


def test_the_held_out_figures_are_those_of_evaluate(make_autoencoder, pictures):
    autoencoder = make_autoencoder()
    history = training.train(
        autoencoder, pictures[:32], steps=4, held_out=pictures[32:], **QUIET
    )
    expected = autoencoder.evaluate(pictures[32:], pictures[32:], verbose=0)
    assert history["val_loss"][-1] == pytest.approx(expected, rel=1e-5)
    assert history["val_loss"][-1] != pytest.approx(history["loss"][-1], rel=1e-3)


def test_a_small_set_is_passed_many_times(make_vae, pictures):
    vae = make_vae()
    history = training.train(vae, pictures[:8], steps=30, **QUIET)
    assert int(vae.optimizer.iterations) == 30
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("name", ["steps", "rounds", "steps_per_execution"])
def test_counts_below_one_are_refused(make_vae, pictures, name):
    arguments = {"steps": 2, **QUIET, name: 0}
    with pytest.raises(ValueError, match="at least 1"):
        training.train(make_vae(), pictures, **arguments)


class Spoil(keras.callbacks.Callback):
    """Overwrite a bias of the decoder at the beginning of a round."""

    def __init__(self, round_number, value):
        super().__init__()
        self.round_number, self.value = round_number, value

    def on_epoch_begin(self, epoch, logs=None):
        if epoch + 1 == self.round_number:
            self.good = self.model.get_weights()
            bias = self.model.decoder.get_layer("pixels").bias
            bias.assign(np.full(bias.shape, self.value))


@pytest.mark.parametrize(("value", "said"), [(np.nan, "nan"), (-1e9, "e\\+")])
def test_a_loss_that_makes_no_sense_stops_the_training(make_vae, pictures, value, said):
    vae, spoil = make_vae(), Spoil(2, value)
    with pytest.raises(training.DivergedError, match=said) as error:
        training.train(vae, pictures, steps=12, callbacks=[spoil], **QUIET)
    assert "round 2, batch" in str(error.value)
    assert "learning_rate" in str(error.value)
    assert int(vae.optimizer.iterations) < 13
    for weight, good in zip(vae.get_weights(), spoil.good, strict=True):
        np.testing.assert_array_equal(weight, good)


class Bottomless(likelihoods.Bernoulli):
    """A likelihood that can be made infinite."""

    def __init__(self):
        super().__init__()
        self.depth = self.add_weight(initializer="zeros", trainable=False, name="depth")

    def negative_log_likelihood(self, x, output):
        return super().negative_log_likelihood(x, output) - self.depth


@pytest.mark.parametrize("depth", [np.inf, -np.inf])
def test_an_infinite_loss_stops_the_training(make_vae, pictures, depth):
    vae = make_vae(likelihood=Bottomless())
    fall = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: vae.likelihood.depth.assign(
            depth if epoch else 0
        )
    )
    with pytest.raises(
        training.DivergedError, match=f"is {-depth} at step 12 .round 2"
    ):
        training.train(vae, pictures, steps=12, callbacks=[fall], **QUIET)


def test_a_loss_below_zero_is_no_reason_to_stop(make_vae, pictures):
    vae = make_vae(likelihood="gaussian")  # whose densities exceed one
    history = training.train(vae, pictures * 0, steps=300, learning_rate=0.02, **QUIET)
    assert history["loss"][-1] < -10


def first_values(batches, count):
    return np.concatenate([x.numpy().ravel() for x, _ in batches.take(count)])


def test_batches_cover_every_picture_once_a_pass_in_a_new_order():
    x = np.arange(12, dtype="float32").reshape(12, 1, 1, 1)
    values = first_values(training.endless_batches(x, x, batch_size=4, seed=0), 6)
    first, second = values[:12], values[12:]
    assert sorted(first) == sorted(second) == list(range(12))
    assert list(first) != list(range(12))
    assert list(first) != list(second)
    again = first_values(training.endless_batches(x, x, batch_size=4, seed=0), 6)
    other = first_values(training.endless_batches(x, x, batch_size=4, seed=1), 6)
    assert list(values) == list(again)
    assert list(values) != list(other)


def test_batches_that_are_skipped_change_nothing_of_the_others():
    x = np.arange(12, dtype="float32").reshape(12, 1, 1, 1)
    order = tf.data.Dataset.range(12).shuffle(12, seed=0).repeat().batch(5)
    values = np.concatenate([chosen.numpy() for chosen in order.take(9)])
    for skip in (
        0,
        1,
        2,
        3,
        7,
    ):  # 12 pictures are a pass: in the first, at its end, in the third
        batches = training.endless_batches(x, x, batch_size=5, seed=0, skip=skip)
        np.testing.assert_array_equal(
            first_values(batches, 9 - skip), values[5 * skip :]
        )


def test_batches_are_skipped_without_a_look_at_the_pictures(monkeypatch):
    picked, plain = [], tf.numpy_function

    def counted(pick, rows, types):
        return plain(lambda rows: picked.append(0) or pick(rows), rows, types)

    monkeypatch.setattr(tf, "numpy_function", counted)
    x = np.zeros((12, 1, 1, 1), "float32")
    next(iter(training.endless_batches(x, None, batch_size=4, seed=0, skip=1000)))
    assert 1 <= len(picked) < 100  # one, and what is fetched ahead


def test_batches_come_from_the_array_itself_and_from_no_copy():
    x = np.zeros((12, 1, 1, 1), "float32")
    batches = training.endless_batches(x, None, batch_size=4, seed=0)
    x[:] = 1
    assert first_values(batches, 3).min() == 1


def test_training_lets_go_of_its_pictures(make_vae, pictures):
    copy = pictures.copy()
    alive = weakref.ref(copy)
    training.train(make_vae(), copy, steps=2, **QUIET)
    del copy
    gc.collect()
    assert alive() is None


def test_batches_keep_targets_beside_their_pictures():
    x = np.arange(12, dtype="float32").reshape(12, 1, 1, 1)
    batches = training.endless_batches(x, 10 * x, batch_size=5, seed=0)
    for pictures, targets in batches.take(7):
        assert pictures.shape == (5, 1, 1, 1)
        np.testing.assert_array_equal(targets, 10 * pictures)


def test_targets_are_what_the_outputs_are_compared_with(make_autoencoder, pictures):
    """Trained to paint everything black, an autoencoder does."""
    autoencoder = make_autoencoder()
    training.train(
        autoencoder,
        pictures,
        targets=np.zeros_like(pictures),
        steps=150,
        learning_rate=0.03,
        **QUIET,
    )
    assert np.abs(autoencoder.reconstruct(pictures)).mean() < 0.05


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x * 255, "divide by 255"),
        (lambda x: x - 0.5, "must lie in"),
        (lambda x: x * np.nan, "must lie in"),
        (lambda x: x[..., 0], "missing axis"),
        (lambda x: x[:7], "lower batch_size"),
    ],
)
def test_unfit_pictures_are_refused(make_vae, pictures, spoil, message):
    with pytest.raises(ValueError, match=message):
        training.train(make_vae(), spoil(pictures), steps=2, **QUIET)


def test_one_cycle_rises_to_the_peak_and_falls_to_zero():
    rate = training.one_cycle(1000, peak=0.01)
    values = np.array([float(rate(step)) for step in range(0, 1001, 10)])
    assert values[0] == pytest.approx(0.001)
    assert values.argmax() == 10  # step 100, a tenth of the way
    assert values.max() == pytest.approx(0.01)
    assert (np.diff(values[:11]) > 0).all()
    assert (np.diff(values[10:]) < 0).all()
    assert values[-1] == pytest.approx(0, abs=1e-8)


def test_train_follows_the_one_cycle(make_vae, pictures):
    vae = make_vae()
    training.train(vae, pictures, steps=20, learning_rate=0.05, **QUIET)
    schedule = vae.optimizer._learning_rate
    expected = training.one_cycle(20, 0.05)
    assert [float(schedule(s)) for s in (0, 2, 20)] == [
        float(expected(s)) for s in (0, 2, 20)
    ]


def test_weight_decay_shrinks_what_nothing_else_moves(make_vae, pictures):
    plain, decayed = make_vae(), make_vae()
    training.train(plain, pictures, steps=20, **QUIET)
    training.train(decayed, pictures, steps=20, weight_decay=1.0, **QUIET)
    sizes = [np.linalg.norm(vae.encoder.get_weights()[0]) for vae in (plain, decayed)]
    assert 0.9 < sizes[1] / sizes[0] < 0.99


def test_warm_up_is_a_straight_line_that_stays():
    beta = training.warm_up(10, end=4.0)
    values = [float(beta(step)) for step in (0, 5, 10, 50)]
    np.testing.assert_allclose(values, [0, 2, 4, 4], atol=1e-6)
    assert float(training.warm_up(10)(10)) == 1


def test_the_report_prints_a_line_a_round(make_vae, pictures, capsys):
    training.train(
        make_vae(), pictures, steps=6, batch_size=8, rounds=3, held_out=pictures
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0].split()[-1] for line in lines] == ["2", "4", "6"]
    assert all(line.count("held out") == 3 for line in lines)


def test_verbose_false_prints_nothing(make_vae, pictures, capfd):
    training.train(make_vae(), pictures, steps=4, held_out=pictures, **QUIET)
    assert capfd.readouterr().out == ""


def test_callbacks_see_every_round(make_vae, pictures):
    rounds = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rounds.append(epoch)
    )
    training.train(make_vae(), pictures, steps=6, callbacks=[callback], **QUIET)
    assert rounds == [0, 1]


def test_without_an_interruption_a_backup_changes_nothing(make_vae, pictures, tmp_path):
    plain, backed = make_vae(), make_vae()
    for vae, backup in ((plain, None), (backed, tmp_path / "backup")):
        keras.utils.set_random_seed(0)
        training.train(vae, pictures, steps=6, backup=backup, **QUIET)
    assert same_weights(plain, backed)


@pytest.mark.parametrize("build", [models.build_autoencoder, models.build_vae])
def test_the_loss_falls_on_real_digits(build):
    data = datasets.digits_stand_in(1, 1)
    keras.utils.set_random_seed(0)
    history = training.train(
        build(latent_size=8),
        data.x_train,
        steps=60,
        batch_size=64,
        rounds=3,
        held_out=data.x_test,
        verbose=False,
    )
    assert (np.diff(history["loss"]) < 0).all()
    assert history["val_loss"][-1] < 0.97 * history["val_loss"][0]


# Snapshots


def snapshots_of(vae, pictures, steps=5, train_steps=32, **arguments):
    arguments.setdefault("codes_of", pictures)
    kept = training.Snapshots(steps, steps_an_epoch=len(pictures) / 8, **arguments)
    keras.utils.set_random_seed(0)
    every_step = {"callbacks": [kept], "steps_per_execution": 1}
    training.train(vae, pictures, steps=train_steps, **every_step, **QUIET)
    return kept


def test_snapshots_keep_what_they_are_told_to(make_vae, pictures):
    z = np.random.default_rng(0).normal(size=(3, 2)).astype("float32")
    vae = make_vae()
    untrained = vae.encode(pictures), vae.reconstruct(pictures[:6]), vae.decode(z)
    kept = snapshots_of(vae, pictures, pictures_of=pictures[:6], samples_at=z)
    trained_now = vae.encode(pictures), vae.reconstruct(pictures[:6]), vae.decode(z)
    for frames, first, last in zip(
        (kept.codes, kept.pictures, kept.samples), untrained, trained_now, strict=True
    ):
        assert frames.shape == (5, *first.shape)
        np.testing.assert_array_equal(frames[0], first)
        np.testing.assert_array_equal(frames[-1], last)
        moves = np.abs(np.diff(frames, axis=0)).reshape(4, -1).max(axis=1)
        assert (moves > 0).all()


def test_snapshots_are_dense_at_the_start_and_know_their_epoch(make_vae, pictures):
    kept = snapshots_of(make_vae(), pictures)
    np.testing.assert_array_equal(kept.step, [0, 2, 8, 18, 32])
    np.testing.assert_allclose(kept.epoch, kept.step / 5)  # 40 pictures, 8 a batch


def test_snapshots_are_taken_in_the_middle_of_a_round_and_once_a_step(
    make_vae, pictures
):
    kept = snapshots_of(make_vae(), pictures, steps=[7, 0, 3, 3], train_steps=8)
    np.testing.assert_array_equal(kept.step, [0, 3, 7])
    many = snapshots_of(make_vae(), pictures, steps=50, train_steps=8)
    np.testing.assert_array_equal(many.step, range(9))
    assert many.samples is None is many.pictures


def test_a_snapshot_in_the_middle_is_the_model_at_that_step(make_vae, pictures):
    kept = snapshots_of(make_vae(), pictures, steps=[0, 3, 8], train_steps=8)

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise KeyboardInterrupt

    stopped = make_vae()
    keras.utils.set_random_seed(0)
    with pytest.raises(KeyboardInterrupt):
        every_step = {"callbacks": [Stop()], "steps_per_execution": 1}
        training.train(stopped, pictures, steps=8, **every_step, **QUIET)
    np.testing.assert_array_equal(kept.codes[1], stopped.encode(pictures))


def test_snapshots_leave_the_training_alone(make_vae, pictures):
    watched = make_vae()
    snapshots_of(watched, pictures, pictures_of=pictures, samples_at=np.zeros((1, 2)))
    alone = make_vae()
    keras.utils.set_random_seed(0)
    training.train(alone, pictures, steps=32, steps_per_execution=1, **QUIET)
    assert same_weights(watched, alone)


def test_a_step_that_is_passed_between_two_calls_is_kept_at_the_next(
    make_vae, pictures
):
    vae = make_vae()
    kept = training.Snapshots([0, 1, 4, 6], steps_an_epoch=5, codes_of=pictures)
    vae.compile("adam", steps_per_execution=3)
    vae.fit(pictures[:36], batch_size=4, epochs=1, callbacks=[kept], verbose=0)
    np.testing.assert_array_equal(kept.step, [0, 3, 6])


def test_snapshots_of_a_plain_autoencoder(make_autoencoder, pictures):
    autoencoder = make_autoencoder()
    kept = snapshots_of(autoencoder, pictures, pictures_of=pictures[:2])
    np.testing.assert_array_equal(kept.codes[-1], autoencoder.encode(pictures))
    np.testing.assert_array_equal(
        kept.pictures[-1], autoencoder.reconstruct(pictures[:2])
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": 1}, "two or more, from 0 on, and are 1"),
        ({"steps": [5]}, "two or more"),
        ({"steps": [-1, 4]}, "from 0 on"),
        ({"steps_an_epoch": 0}, "len\\(x\\) / batch_size, and is 0"),
        ({"codes_of": None}, "give codes_of, pictures_of or samples_at"),
    ],
)
def test_wrong_snapshots_are_explained(pictures, arguments, message):
    with pytest.raises(ValueError, match=message):
        training.Snapshots(**({"steps_an_epoch": 5, "codes_of": pictures} | arguments))
