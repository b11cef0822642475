"""Mixed precision: fast networks; losses, KL and sampling in float32 all the same."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

from helpers import families, likelihoods, metrics, models

pytestmark = pytest.mark.slow

BOUND = 0.002  # of the ELBO in float32, after the same training
HALVES = ["mixed_bfloat16", "mixed_float16"]


@pytest.fixture(scope="module")
def digits():
    """1,792 real digits, (1792, 8, 8, 1)."""
    return (load_digits().images[:1792, ..., np.newaxis] / 16).astype("float32")


@pytest.fixture
def policy():
    """A function that sets the policy for one test."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def trained(x):
    keras.utils.set_random_seed(0)
    vae = models.build_vae(x.shape[1:], 4, hidden=(64,))
    vae.compile(keras.optimizers.Adam(3e-3))
    history = vae.fit(x, epochs=4, batch_size=64, shuffle=False, verbose=0).history
    assert all(np.isfinite(values).all() for values in history.values())
    return vae


@pytest.fixture(scope="module")
def full(digits):
    """The bound after a training in full precision."""
    return metrics.elbo(trained(digits), digits)


@pytest.mark.parametrize("half", HALVES)
def test_the_elbo_is_that_of_full_precision(digits, full, policy, half):
    policy(half)
    vae = trained(digits)
    assert vae.encoder.get_layer("hidden_1").compute_dtype in half
    found = metrics.elbo(vae, digits)
    assert found.elbo == pytest.approx(full.elbo, rel=BOUND)
    # what is measured by hand, in float32, is what the model reports
    terms = metrics.elbo_terms(vae, digits)
    assert sum(terms).mean() == pytest.approx(-found.elbo, rel=0.005)
    arrays = (vae.encode(digits), vae.reconstruct(digits), vae.generate(3), *terms)
    for array in arrays:
        assert array.dtype == "float32"
        assert np.isfinite(array).all()


@pytest.mark.parametrize("name", list(families.registry()))
def test_every_family_computes_in_float32(policy, pictures, name):
    policy("mixed_bfloat16")
    keras.utils.set_random_seed(0)
    likelihood = likelihoods.Gaussian("learned")
    vae = models.build_vae(pictures.shape[1:], 3, name, likelihood, hidden=(8,))
    mean, parameters = vae(pictures), vae.posterior(pictures)
    for tensor in (mean, *parameters, vae.sampling(parameters), *vae.losses):
        assert keras.backend.standardize_dtype(tensor.dtype) == "float32"
    assert np.isfinite(float(sum(vae.losses)))
    assert np.isfinite(vae.generate(2)).all()


@pytest.mark.parametrize("architecture", ["dense", "conv"])
def test_the_likelihood_sees_the_pictures_as_they_are(policy, pictures, architecture):
    """Not rounded to a bfloat16's eight bits, nor the pixels that it compares with."""
    policy("mixed_bfloat16")
    vae = models.build_vae(pictures.shape[1:], 2, architecture=architecture)
    seen = []
    call = vae.likelihood.negative_log_likelihood
    vae.likelihood.negative_log_likelihood = lambda x, output: (
        seen.extend((np.array(x), np.array(output))) or call(x, output)
    )
    vae(pictures)
    np.testing.assert_array_equal(seen[0], pictures)
    rounded = keras.ops.cast(keras.ops.cast(seen[1], "bfloat16"), "float32")
    assert (seen[1] != np.array(rounded)).mean() > 0.5


def test_a_conditional_vae_in_mixed_precision(policy, pictures):
    policy("mixed_bfloat16")
    x = (pictures, np.arange(40) % 3)
    vae = models.build_conditional_vae((8, 8, 1), 2, 3, hidden=(8,))
    vae.compile("adam")
    assert np.isfinite(vae.fit(x, epochs=2, verbose=0).history["loss"]).all()
    assert vae.reconstruct(x).dtype == "float32"


@pytest.mark.parametrize("half", HALVES)
def test_a_mixed_model_is_saved_and_loaded(policy, pictures, tmp_path, half):
    policy(half)
    vae = models.build_vae((8, 8, 1), 2, hidden=(8,))
    vae.save(tmp_path / "vae.keras")
    policy("float32")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    assert loaded.encoder.get_layer("hidden_1").compute_dtype in half
    assert loaded.likelihood.compute_dtype == "float32"
    np.testing.assert_array_equal(
        loaded.reconstruct(pictures), vae.reconstruct(pictures)
    )
