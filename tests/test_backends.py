"""The model code on Keras's other backends, each in a process of its own that has no TensorFlow.

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


def every_family(folder):
    """Train, save and load a small VAE with each family; return how many there were."""
    import keras
    import numpy as np

    from helpers import families, likelihoods, models

    assert "tensorflow" not in sys.modules
    x = np.zeros((64, 8, 8, 1), "float32")
    x[np.arange(64), np.arange(64) % 8] = 1  # one row of eight is lit

    def live(vae, x):
        """Compile, fit, encode, decode, generate, save and load."""
        vae.compile(keras.optimizers.Adam(0.01))
        before = vae.evaluate(x, verbose=0, return_dict=True)
        history = vae.fit(
            x, validation_data=(x,), epochs=6, batch_size=16, verbose=0
        ).history
        after = vae.evaluate(x, verbose=0, return_dict=True)
        assert (
            after["rate"] + after["distortion"] < before["rate"] + before["distortion"]
        )
        for prefix in ("", "val_"):
            loss, rate, distortion = (
                np.array(history[prefix + name])
                for name in ("loss", "rate", "distortion")
            )
            assert (rate > 0).all()
            np.testing.assert_allclose(loss, rate + distortion, rtol=1e-4)
        assert vae.predict(x, verbose=0).shape == (64, 8, 8, 1)
        codes, pictures = vae.encode(x), vae.reconstruct(x)
        assert codes.shape == (64, 3)
        vae.save(folder / "vae.keras")
        loaded = keras.saving.load_model(folder / "vae.keras")
        np.testing.assert_allclose(loaded.encode(x), codes, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            loaded.reconstruct(x), pictures, rtol=1e-4, atol=1e-5
        )

    keras.utils.set_random_seed(0)
    for index, name in enumerate(families.registry()):
        vae = models.build_vae((8, 8, 1), 3, name, hidden=(16, 16))
        if index % 2:
            vae = models.VAE(
                vae.encoder, vae.decoder, name, likelihoods.Gaussian("learned")
            )
        live(vae, x)
        assert (
            vae.decode(np.zeros((2, 3))).shape == vae.generate(2).shape == (2, 8, 8, 1)
        )
    live(models.build_vae((8, 8, 1), 3, likelihood="gaussian", architecture="conv"), x)
    labels = np.arange(64) % 3
    vae = models.build_conditional_vae((8, 8, 1), 3, 3, hidden=(16, 16))
    live(vae, (x, labels))
    assert vae.generate(labels[:5]).shape == (5, 8, 8, 1)
    autoencoder = models.build_autoencoder((8, 8, 1), 3, hidden=(16, 16))
    autoencoder.compile("adam", "mse")
    autoencoder.fit(x, x, epochs=1, verbose=0)
    assert autoencoder.reconstruct(x).shape == x.shape
    return len(families.registry())


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"{os.environ['KERAS_BACKEND']}: {every_family(Path(folder))} families live"
        )
else:
    import pytest

    @pytest.mark.parametrize(
        ("backend", "package"), [("jax", "jax"), ("torch", "torch")]
    )
    def test_the_model_code_runs_on_another_backend(backend, package):
        if not importlib.util.find_spec(package):
            pytest.skip(f"{package} is not installed here")
        run = subprocess.run(
            [sys.executable, __file__],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        assert "families live" in run.stdout
