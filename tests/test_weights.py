"""helpers/weights.py: small files of weights, whole or not at all; and the files that ship."""

import numpy as np
import pytest
from keras import ops

from helpers import likelihoods, models
from helpers.engine import weights

SHIPPED = sorted(weights.FOLDER.glob("*.npz"))


@pytest.fixture
def vae(make_vae):
    return make_vae(likelihood=likelihoods.Gaussian("learned"))


def arrays_of(model):
    return [ops.convert_to_numpy(weight) for weight in model.weights]


def test_weights_come_back(vae, make_vae, pictures, tmp_path):
    vae.likelihood.log_sigma.assign(-2.3456789)
    weights.save_weights(vae, tmp_path / "new" / "small.npz")
    other = make_vae(likelihood=likelihoods.Gaussian("learned"), seed=1)
    assert not np.allclose(
        other.reconstruct(pictures), vae.reconstruct(pictures), atol=1e-2
    )
    weights.load_weights(other, tmp_path / "new" / "small.npz")
    np.testing.assert_allclose(
        other.reconstruct(pictures), vae.reconstruct(pictures), atol=1e-3
    )
    assert float(other.likelihood.log_sigma) == float(vae.likelihood.log_sigma)
    assert [a.dtype for a in arrays_of(other)] == [a.dtype for a in arrays_of(vae)]


def test_the_file_is_half_as_large(vae, tmp_path):
    weights.save_weights(vae, tmp_path / "small.npz")
    numbers = sum(array.size for array in arrays_of(vae))
    with np.load(tmp_path / "small.npz") as archive:
        assert sum(archive[key].nbytes for key in archive.files) < 2 * numbers + 200


def test_a_weight_beyond_float16_is_refused_and_nothing_written(vae, tmp_path):
    vae.encoder.weights[0].assign(np.full(vae.encoder.weights[0].shape, 1e5))
    with pytest.raises(ValueError, match=r"within \+-65504"):
        weights.save_weights(vae, tmp_path / "small.npz")
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_the_old_file_alone(vae, tmp_path, monkeypatch):
    path = tmp_path / "small.npz"
    weights.save_weights(vae, path)
    before = path.read_bytes()

    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez_compressed", full_disk)
    with pytest.raises(OSError, match="no space"):
        weights.save_weights(vae, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["small.npz"]


def test_another_models_weights_are_refused_and_nothing_changes(
    vae, make_vae, tmp_path
):
    weights.save_weights(make_vae(latent_size=3), tmp_path / "other.npz")
    before = arrays_of(vae)
    with pytest.raises(ValueError, match=r"first difference .*\(16, 2\), \(16, 3\)"):
        weights.load_weights(vae, tmp_path / "other.npz")
    for array, old in zip(arrays_of(vae), before, strict=True):
        np.testing.assert_array_equal(array, old)


def test_too_few_weights_are_refused(vae, make_vae, tmp_path):
    weights.save_weights(make_vae(), tmp_path / "other.npz")
    with pytest.raises(ValueError, match="arrays for a model with"):
        weights.load_weights(vae, tmp_path / "other.npz")


@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", b"PK\x03\x04 cut off"]
)
def test_a_damaged_file_is_refused(vae, tmp_path, content):
    (tmp_path / "bad.npz").write_bytes(content)
    with pytest.raises(ValueError, match="not a readable file of weights"):
        weights.load_weights(vae, tmp_path / "bad.npz")


def test_a_pickle_is_never_opened(vae, tmp_path):
    np.savez(tmp_path / "bad.npz", **{"000": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(ValueError, match="not a readable file of weights"):
        weights.load_weights(vae, tmp_path / "bad.npz")


def test_a_missing_file_is_named(vae, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        weights.load_weights(vae, tmp_path / "none.npz")


def test_what_ships_is_small():
    assert SHIPPED
    assert sum(path.stat().st_size for path in SHIPPED) < 12e6


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_ships_fits_the_model_and_draws_cats(path):
    kind = path.stem.removeprefix("cats_")
    prior = "normal" if kind in ("sigma_one", "sigma_learned") else kind
    sigma = {"sigma_one": 1.0, "sigma_learned": "learned"}
    vae = models.build_vae(
        (64, 64, 3),
        64,
        prior,
        likelihoods.Gaussian(sigma.get(kind, "optimal")),
        architecture="conv",
    )
    weights.load_weights(vae, path)
    cats = vae.generate(20)
    assert np.isfinite(cats).all()
    # pictures: each smooth, compared with the differences between distant pixels
    steps = np.abs(np.diff(cats, axis=1)).mean()
    assert steps < 0.4 * np.abs(cats[:, :32] - cats[:, 32:]).mean()
