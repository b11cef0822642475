"""A good citizen of Keras: what ``book/keras.md`` says works does, or is refused."""

import ast
import functools
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from helpers import likelihoods, metrics, models, training

pytestmark = pytest.mark.slow

SHAPE = (8, 8, 1)
X = np.random.default_rng(0).random((48, *SHAPE)).astype("float32")
LABELS = np.arange(48) % 3


def built(**arguments):
    keras.utils.set_random_seed(0)
    vae = models.build_vae(SHAPE, 2, hidden=(4,), **arguments)
    vae.compile(keras.optimizers.SGD(0.01))
    return vae


# The table


def rows(root):
    """The rows of the table: what is used, and the tests that are named beside it."""
    text = (root / "book" / "keras.md").read_text()
    lines = [
        line.split("|")[1:-1]
        for line in text.splitlines()
        if line[:1] == "|" and "::" in line
    ]
    return {
        cells[0].strip(): re.findall(r"`(\w+)::(\w+)`", cells[-1]) for cells in lines
    }


def test_every_row_of_the_table_names_a_test_that_is_there(root):
    @functools.cache
    def functions(file):
        tree = ast.parse((root / "tests" / f"{file}.py").read_text())
        return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}

    found = rows(root)
    assert len(found) > 20
    for use, tests in found.items():
        assert tests, use
        for file, name in tests:
            assert name in functions(file), (use, file, name)


# Callbacks, by fit


class Heard(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.logs = []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))


def test_callbacks_hear_all_figures(tmp_path):
    """All of them at once, of which each has a say."""
    vae, heard, kinds = built(), Heard(), keras.callbacks
    together = [
        kinds.EarlyStopping(patience=5, restore_best_weights=True),
        kinds.ModelCheckpoint(tmp_path / "best.keras"),
        kinds.ModelCheckpoint(
            tmp_path / "best.weights.h5", save_weights_only=True, save_best_only=True
        ),
        kinds.LearningRateScheduler(lambda epoch: 0.01 / (epoch + 1)),
        kinds.ReduceLROnPlateau(patience=1),
        kinds.CSVLogger(tmp_path / "log.csv"),
        kinds.TerminateOnNaN(),
        kinds.BackupAndRestore(tmp_path / "backup"),
        kinds.LambdaCallback(),
        training.Snapshots(2, steps_an_epoch=3, codes_of=X[:4]),
        heard,
    ]
    options = {"validation_data": (X[:16],), "batch_size": 16, "verbose": 0}
    history = vae.fit(X, epochs=2, callbacks=together, **options).history
    for log in (heard.logs[-1], history):
        for figure in ("loss", "rate", "distortion"):
            assert {figure, f"val_{figure}"} <= log.keys()
    last = heard.logs[-1]
    assert last["loss"] == pytest.approx(last["rate"] + last["distortion"], rel=1e-5)
    assert last["learning_rate"] == pytest.approx(0.005)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    np.testing.assert_array_equal(loaded.encode(X), vae.encode(X))
    assert "val_rate" in (tmp_path / "log.csv").read_text()
    assert (tmp_path / "best.weights.h5").exists()
    assert together[-2].codes.shape == (2, 4, 2)


# Compile


@pytest.mark.parametrize(
    "options",
    [
        {"steps_per_execution": 2, "jit_compile": False, "weighted_metrics": ["mae"]},
        {"run_eagerly": True, "auto_scale_loss": False},
        {"jit_compile": True},
    ],
    ids=str,
)
def test_compile_takes_what_makes_sense(options):
    vae = built()
    vae.compile(keras.optimizers.SGD(0.01), **options)
    before = vae.evaluate(X, verbose=0, return_dict=True)["loss"]
    history = vae.fit(X, epochs=2, batch_size=16, verbose=0).history
    assert history["loss"][-1] < before


@pytest.mark.parametrize(
    "kind, loss, together", [("vae", None, 1), ("autoencoder", "mse", 2)]
)
def test_a_step_is_traced_once(kind, loss, together, monkeypatch):
    """Twice, where it makes the optimiser's variables: a second of each training."""
    model = getattr(models, f"build_{kind}")(SHAPE, 2, hidden=(4,))
    step, traces = model.train_step, []
    monkeypatch.setattr(
        model, "train_step", lambda data: traces.append(1) or step(data)
    )
    model.compile(keras.optimizers.Adam(0.01), loss, steps_per_execution=together)
    model.fit(X, X, batch_size=16, epochs=2, verbose=0)
    assert len(traces) == 1


class Two:
    """A strategy for two devices."""

    num_replicas_in_sync = 2


def test_a_compiled_step_on_several_devices_is_refused(monkeypatch):
    vae, autoencoder = built(), models.build_autoencoder(SHAPE, 2, hidden=(4,))
    for model in (vae, autoencoder):
        monkeypatch.setattr(type(model), "distribute_strategy", Two(), raising=False)
        loss = None if model is vae else "mse"
        with pytest.raises(ValueError, match="2 replicas of Two"):
            model.compile("adam", loss, jit_compile=True)
        model.compile("adam", loss)


MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
import keras
import numpy as np
from helpers import models
keras.utils.set_random_seed(0)
with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
    vae = models.build_vae((8, 8, 1), 2, hidden=())
    vae.compile(keras.optimizers.SGD(0.01))
x = np.random.default_rng(0).random((64, 8, 8, 1)).astype("float32")
history = vae.fit(x, epochs=3, batch_size=32, verbose=0).history
assert history["loss"][-1] < history["loss"][0], history
try:
    vae.compile("adam", jit_compile=True)
except ValueError as error:
    assert "2 replicas of MirroredStrategy" in str(error), error
else:
    raise SystemExit("a step was compiled for two devices")
"""


def test_two_devices_train_one_model(root):
    run = subprocess.run(
        [sys.executable, "-c", MIRRORED], cwd=root, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]


# Saving, copying, exporting


@pytest.mark.parametrize("name", ["model.h5", "model.HDF5"])
def test_the_old_format_is_refused_and_says_what_to_do(tmp_path, name):
    for model in (built(), models.build_autoencoder(SHAPE, 2, hidden=(4,))):
        with pytest.raises(ValueError, match=r"\.keras"):
            model.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_weights_are_saved_and_loaded_alone(tmp_path, eager):
    eager(True)
    vae, other = built(), models.build_vae(SHAPE, 2, hidden=(4,))
    vae.fit(X, verbose=0)
    vae.save_weights(tmp_path / "vae.weights.h5")
    assert not np.array_equal(other.encode(X), vae.encode(X))
    other.load_weights(tmp_path / "vae.weights.h5")
    np.testing.assert_array_equal(other.encode(X), vae.encode(X))
    assert metrics.elbo(other, X).rate == metrics.elbo(vae, X).rate


@pytest.mark.parametrize("likelihood", ["bernoulli", likelihoods.Gaussian("learned")])
def test_a_clone_has_the_same_parts_and_weights_of_its_own(likelihood):
    vae = built(likelihood=likelihood, beta=2.0)
    clone = keras.models.clone_model(vae)
    assert type(clone) is type(vae) and clone.kl_divergence.beta == 2.0
    assert type(clone.likelihood) is type(vae.likelihood)
    clone.set_weights(vae.get_weights())
    np.testing.assert_array_equal(clone.encode(X), vae.encode(X))
    clone.compile("adam", run_eagerly=True)
    clone.fit(X, verbose=0)
    assert not np.array_equal(clone.encode(X), vae.encode(X))


def test_both_parts_are_exported_and_served(tmp_path):
    vae = built()
    vae.encoder.export(tmp_path / "encoder", verbose=False)
    vae.decoder.export(tmp_path / "decoder", verbose=False)
    encoder = tf.saved_model.load(tmp_path / "encoder")  # which has the weights
    decoder = tf.saved_model.load(tmp_path / "decoder")
    mean, log_var = encoder.serve(X)
    for served, own in zip((mean, log_var), vae.posterior(X), strict=True):
        np.testing.assert_allclose(served, own, atol=1e-5)
    pictures = vae.likelihood.mean(decoder.serve(mean))
    np.testing.assert_allclose(pictures, vae.reconstruct(X), atol=1e-5)


def test_both_parts_run_in_tflite():
    vae = models.build_vae(SHAPE, 2, architecture="conv")
    z = vae.encode(X[:1])
    for part, given, expected in (
        (vae.encoder, X[:1], z),
        (vae.decoder, z, np.asarray(vae.decoder(z))),
    ):
        content = tf.lite.TFLiteConverter.from_keras_model(part).convert()
        interpreter = tf.lite.Interpreter(model_content=content)
        interpreter.allocate_tensors()
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
        interpreter.invoke()
        places = [each["index"] for each in interpreter.get_output_details()]
        found = [interpreter.get_tensor(place) for place in places]
        errors = [np.abs(f - expected).max() for f in found]
        assert min(errors) < 1e-4


# Settings of the reader's keras.json


@pytest.fixture
def keras_json():
    """Sets what a keras.json sets, and takes it back."""
    kept = keras.config.floatx(), keras.config.image_data_format()
    yield
    keras.config.set_floatx(kept[0])
    keras.config.set_image_data_format(kept[1])


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_channels_first_in_keras_json_changes_nothing(keras_json, architecture):
    found = []
    for data_format in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(data_format)
        keras.utils.set_random_seed(0)
        vae = models.build_vae((12, 8, 3), 2, architecture=architecture)
        x = np.random.default_rng(0).random((4, 12, 8, 3)).astype("float32")
        found.append(vae.reconstruct(x))
    np.testing.assert_array_equal(*found)


def test_channels_first_changes_no_distance_of_samples(keras_json):
    from helpers.metrics import samples

    x = np.random.default_rng(0).random((6, 28, 28, 1)).astype("float32")
    found = []
    for data_format in ("channels_last", "channels_first"):
        keras.config.set_image_data_format(data_format)
        samples.shipped_classifier.cache_clear()
        found.append(samples.digit_features(x))
        judge = samples.new_judge((20, 20, 3), np.random.default_rng(0))
        assert judge(np.zeros((2, 20, 20, 3), "float32")).shape == (2, 1)
    samples.shipped_classifier.cache_clear()
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_another_floatx_trains_all_the_same(keras_json, floatx):
    keras.config.set_floatx(floatx)
    vae = models.build_vae(SHAPE, 2, hidden=(4,))
    history = training.train(
        vae, X, steps=4, rounds=2, batch_size=16, held_out=X, verbose=False
    )
    assert np.isfinite(history["val_loss"]).all()
    bound = metrics.elbo(vae, X)
    assert history["val_loss"][-1] == pytest.approx(-bound.elbo, rel=0.02)
    assert vae.generate(3).shape == (3, *SHAPE)


# A conditional VAE where a plain one is meant


def test_a_conditional_vae_says_what_it_needs():
    vae = models.build_conditional_vae(SHAPE, 2, 3, hidden=(4,))
    for ask in (
        lambda: vae.generate(10),
        lambda: vae.generate(np.int64(2)),
        lambda: vae.generate(LABELS[:, np.newaxis]),
    ):
        with pytest.raises(ValueError, match="for each label"):
            ask()
    for measure in (
        lambda: metrics.elbo_terms(vae, (X, LABELS)),
        lambda: metrics.iwae_bound(vae, (X, LABELS), 2),
        lambda: metrics.bits_per_dimension(vae, (X, LABELS)),
        lambda: metrics.diagnose(vae, (X, X)),
    ):
        with pytest.raises(ValueError, match=r"pictures alone|data alone|density"):
            measure()
    assert vae.generate(LABELS[:4]).shape == (4, *SHAPE)
