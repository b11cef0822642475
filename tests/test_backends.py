"""The model code on Keras's other backends, each in a process without TensorFlow.

By hand, in any environment with Keras, SciPy and JAX or PyTorch:
``KERAS_BACKEND=jax python tests/test_backends.py``.
"""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ("loss", "rate", "distortion")


def every_family(folder):
    """Train, save and load a small VAE with each family; return how many there were."""
    import keras
    import numpy as np

    from helpers import families, layers, likelihoods, models

    assert "tensorflow" not in sys.modules
    x = np.zeros((64, 8, 8, 1), "float32")
    x[np.arange(64), np.arange(64) % 8] = 1  # one row of eight is lit

    def trained(vae, x, held_out=None):
        """Fit; rate and distortion must be reported, and their sum fall."""
        vae.compile(keras.optimizers.Adam(0.01))
        options = {"validation_data": held_out, "batch_size": 16, "verbose": 0}
        history = vae.fit(x, epochs=6, **options).history
        for prefix in ("", "val_") if held_out else ("",):
            loss, rate, distortion = (
                np.array(history[prefix + name]) for name in FIGURES
            )
            assert (rate > 0).all()
            assert loss[-1] < loss[0]
            np.testing.assert_allclose(loss, rate + distortion, rtol=1e-4)

    def live(vae, x, given=None, held_out=None):
        """Fit, encode, decode, save and load."""
        trained(vae, x if given is None else given, held_out)
        codes, pictures = vae.encode(x), vae.reconstruct(x)
        assert codes.shape == (64, 3)
        vae.save(folder / "vae.keras")
        loaded = keras.saving.load_model(folder / "vae.keras")
        close = {"rtol": 1e-4, "atol": 1e-5}
        np.testing.assert_allclose(loaded.encode(x), codes, **close)
        np.testing.assert_allclose(loaded.reconstruct(x), pictures, **close)

    keras.utils.set_random_seed(0)
    for index, name in enumerate(families.registry()):
        vae = models.build_vae((8, 8, 1), 3, name, hidden=())
        if index % 2:
            learned = likelihoods.Gaussian("learned")
            vae = models.VAE(vae.encoder, vae.decoder, name, learned)
        live(vae, x)
        assert vae.generate(2).shape == (2, 8, 8, 1)
    assert vae.predict(x, verbose=0).shape == x.shape
    encoder = models.conv_encoder((8, 8, 1), 3, ("z_mean", "z_log_var"), (8,))
    decoder = models.conv_decoder((8, 8, 1), 3, (8,))
    vae = models.DenoisingVAE(encoder, decoder, likelihood="gaussian")
    live(vae, x, given=(x[::-1], x))

    labels = np.arange(64) % 3
    vae = models.build_conditional_vae((8, 8, 1), 3, 3, hidden=(16,))
    live(vae, (x, labels), held_out=((x, labels),))
    assert vae.generate(labels[:5]).shape == (5, 8, 8, 1)

    kinds = {kind: likelihoods.get_likelihood(kind) for kind in likelihoods.NAMED}
    kinds |= {"colour": likelihoods.Categorical(3)}
    kinds |= {"weight": likelihoods.Gaussian("learned", bounded=False)}
    table = likelihoods.Mixed(kinds)
    rows = table.join(dict.fromkeys(kinds, labels > 0) | {"colour": labels})
    vae = models.build_vae((table.width,), 3, likelihood=table, hidden=())
    live(vae, rows)

    autoencoder = models.build_autoencoder((8, 8, 1), 3, hidden=(16,))
    autoencoder.compile("adam", "mse")
    autoencoder.fit(x, x, epochs=1, verbose=0)
    assert autoencoder.reconstruct(x).shape == x.shape

    if keras.backend.backend() == "jax":
        trained_and_gone_on_with(x, folder)

    flat = keras.Input((64,))  # a model of your own; the last batch is short
    parameters = [keras.layers.Dense(3)(flat) for _ in range(2)]
    z = layers.Sampling()(parameters)
    parameters = layers.KLDivergence()(parameters, z)
    means = likelihoods.Bernoulli()(flat, keras.layers.Dense(64)(z))
    trained(
        likelihoods.ReportingModel(flat, [means, *parameters]),
        x[:60].reshape(60, 64),
        held_out=(x.reshape(64, 64),),
    )
    assert "tensorflow" not in sys.modules
    return len(families.registry())


def trained_and_gone_on_with(x, folder):
    """Train; a training that was interrupted ends with the same weights."""
    import keras
    import numpy as np

    from helpers import models, training

    class Interrupted(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def weights(callbacks=(), backup=None):
        keras.utils.set_random_seed(1)
        vae = models.build_vae((8, 8, 1), 3, hidden=())
        options = {"batch_size": 16, "rounds": 2, "held_out": x, "verbose": False}
        options |= {"callbacks": callbacks, "backup": backup}
        history = training.train(vae, x, steps=40, learning_rate=0.02, **options)
        assert history["val_loss"][1] < history["val_loss"][0]
        return vae.get_weights()

    whole = weights()
    try:
        weights([Interrupted()], folder / "backup")
        raise AssertionError("it was not interrupted")
    except KeyboardInterrupt:
        assert any((folder / "backup").iterdir())
    for one, other in zip(whole, weights((), folder / "backup"), strict=True):
        np.testing.assert_array_equal(one, other)


class NotInstalled:
    """Finds no TensorFlow, also where there is one."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.meta_path.insert(0, NotInstalled())
    with tempfile.TemporaryDirectory() as folder:
        print(every_family(Path(folder)), "families live")
else:
    import pytest

    @pytest.mark.slow
    @pytest.mark.parametrize("backend", ["jax", "torch"])
    def test_the_model_code_runs_on_another_backend(backend):
        if backend == "torch" and not importlib.util.find_spec("torch"):
            pytest.skip("PyTorch is not installed here; JAX always is")
        quick = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}  # it compiles more than it runs
        run = subprocess.run(
            [sys.executable, __file__],
            env={**os.environ, **quick, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        assert "families live" in run.stdout
