"""What several tests share: tiny pictures, tiny models, Matplotlib without a screen."""

import functools
import gc
import inspect
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("OMP_NUM_THREADS", "1")  # `make test` has three workers; the
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # threads of each would wait

import numpy as np
import pytest

from helpers.engine import paths

os.environ.setdefault(  # tests, and the notebooks in them, compile more than they run
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true "
    "--xla_cpu_use_fusion_emitters=false",  # their code takes twice as long to compile
)
if os.name != "posix":  # marks need processes with limits
    collect_ignore = ["test_grading.py", "test_kit.py", "test_pack.py"]
SHAPE = (8, 8, 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect tests, and what they import, while no garbage is: nearly all stays."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collectstart():
    """Start TensorFlow before a test imports Keras.

    Where tests are collected: what only hands them to workers starts without, sooner.
    """
    start()


@functools.cache
def start():
    """Start TensorFlow quietly, and Matplotlib without a screen."""
    import matplotlib

    import helpers.engine.quiet_start  # noqa: F401

    matplotlib.use("Agg")


@pytest.fixture
def pictures():
    """Forty smooth grey pictures in [0, 1], (40, 8, 8, 1)."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:8, 0:8]
    centres = rng.uniform(1, 6, size=(40, 2, 1, 1))
    squared = (rows - centres[:, 0]) ** 2 + (columns - centres[:, 1]) ** 2
    return np.exp(-squared / 4)[..., np.newaxis].astype("float32")


@pytest.fixture
def make_vae():
    """A function that builds a small seeded VAE; arguments as for ``VAE``."""

    import keras

    from helpers import families, models

    def make(
        image_shape=SHAPE,
        latent_size=2,
        family="normal",
        seed=0,
        hidden=(16,),
        **others,
    ):
        keras.utils.set_random_seed(seed)
        names = families.get_family(family).parameter_names
        encoder = models.dense_encoder(image_shape, latent_size, names, hidden=hidden)
        decoder = models.dense_decoder(image_shape, latent_size, hidden=hidden)
        return models.VAE(encoder, decoder, family, **others)

    return make


@pytest.fixture
def make_autoencoder():
    """A function that builds a small seeded autoencoder."""

    import keras

    from helpers import models

    def make(image_shape=SHAPE, latent_size=2, seed=0):
        keras.utils.set_random_seed(seed)
        return models.build_autoencoder(image_shape, latent_size, hidden=(16,))

    return make


@pytest.fixture
def no_xla(monkeypatch):
    """TensorFlow traces a study's functions, and leaves out XLA, which takes longer."""
    from helpers.engine import stateless

    for name in ("compiled", "repeated"):
        make = getattr(stateless, name)

        def traced(*args, make=make, **options):
            given = inspect.signature(make).bind(*args, **options).arguments
            return make(**given | {"xla": False})

        monkeypatch.setattr(stateless, name, traced)


@pytest.fixture
def eager():
    """A function that tells TensorFlow whether to compile; other backends always do."""
    import keras

    if keras.backend.backend() != "tensorflow":
        yield lambda _: None
        return
    import tensorflow as tf

    yield tf.config.run_functions_eagerly
    tf.config.run_functions_eagerly(False)


@pytest.fixture(autouse=True)
def xla_where_asked(monkeypatch):
    """Have short trainings compiled too, if a test asks for that."""
    from helpers import training

    monkeypatch.setattr(training, "XLA_FROM", 1)


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test drew."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def root():
    """The repository's folder."""
    return paths.ROOT
