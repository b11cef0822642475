"""helpers/engine/weights.py: small files of weights, and those that ship."""

import numpy as np
import pytest

import helpers
from helpers import likelihoods, models
from helpers.engine import weights
from helpers.engine.studies import latent_cats, latent_parts

SHIPPED = sorted(weights.FOLDER.glob("*.npz"))
CODES = [path for path in SHIPPED if path.stem.endswith("_codes")]
MAPS = [weights.FOLDER / f"cats_{run['name']}.npz" for run in latent_cats.RUNS]
OTHER = {*CODES, *MAPS}
CATS = [p for p in SHIPPED if p.stem.startswith("cats_") and p not in OTHER]


@pytest.fixture
def vae(make_vae):
    return make_vae(likelihood=likelihoods.Gaussian("learned"))


@pytest.fixture
def path(vae, tmp_path):
    """A file of the model's weights, in a new folder."""
    vae.likelihood.log_sigma.assign(-2.3456789)
    models.save_weights(vae, tmp_path / "new" / "small.npz")
    return tmp_path / "new" / "small.npz"


def test_weights_come_back_from_a_file_of_half_their_size(
    vae, path, make_vae, pictures
):
    other = make_vae(likelihood=likelihoods.Gaussian("learned"), seed=1)
    expected, types = vae.reconstruct(pictures), [w.dtype for w in other.get_weights()]
    assert not np.allclose(other.reconstruct(pictures), expected, atol=1e-2)
    models.load_weights(other, path)
    np.testing.assert_allclose(other.reconstruct(pictures), expected, atol=1e-3)
    assert float(other.likelihood.log_sigma) == float(vae.likelihood.log_sigma)
    assert [weight.dtype for weight in other.get_weights()] == types
    with np.load(path) as archive:
        size = sum(archive[key].nbytes for key in archive.files)
    assert size < 2 * vae.count_params() + 200


def test_a_file_that_cannot_be_written_leaves_the_old_one(vae, path, monkeypatch):
    def full_disk(file, **arrays):
        file.write(b"half")
        raise OSError("no space left on device")

    before, weight = path.read_bytes(), vae.encoder.weights[0]
    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space"):
        patch.setattr(np, "savez_compressed", full_disk)
        models.save_weights(vae, path)
    weight.assign(np.full(weight.shape, 1e5))  # beyond float16
    with pytest.raises(ValueError, match=weight.path):
        models.save_weights(vae, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


NAN, HUGE = np.full((64, 16), np.nan), np.full((64, 16), 1e300)
SPOILT = {
    "nan": ({"000": NAN}, "float64"),
    "too large": ({"000": HUGE}, "float64"),
    "text": ({"000": np.full((64, 16), "a")}, "<U1"),
    "complex": ({"000": np.full((64, 16), 1j)}, "complex128"),
    "objects": ({"000": np.full((64, 16), None)}, "small"),
    "wrong shape": ({"000": np.zeros((64, 3))}, r"\(64, 16\), \(64, 3\)"),
    "one more": ({"999": np.zeros(3)}, "holds"),
}


@pytest.mark.parametrize(("arrays", "named"), SPOILT.values(), ids=SPOILT)
def test_other_arrays_are_refused_and_nothing_changes(vae, path, arrays, named):
    with np.load(path) as archive:
        arrays = dict(archive) | arrays
    np.savez(path, **arrays)
    before = vae.get_weights()
    with pytest.raises(ValueError, match=named):
        models.load_weights(vae, path)
    for array, old in zip(vae.get_weights(), before, strict=True):
        np.testing.assert_array_equal(array, old)


DAMAGE = {
    "nothing": lambda content: b"",
    "cut short": lambda content: content[:-1],
    "fewer bytes per number": lambda content: content.replace(b"<f2", b"|i1", 1),
    "one array": lambda content: content[content.index(b"\x93NUMPY") :],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_is_refused(make_vae, tmp_path, damage):
    vae, path = make_vae((16, 16, 1)), tmp_path / "small.npz"
    arrays = [weight.astype("float16") for weight in vae.get_weights()]
    np.savez(path, **{f"{index:03d}": array for index, array in enumerate(arrays)})
    models.load_weights(vae, path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"small\.npz"):
        models.load_weights(vae, path)


def test_a_missing_file_is_named_and_of_what_ships_the_address(
    vae, tmp_path, monkeypatch
):
    for said in (r"none\.npz", helpers.REPOSITORY):
        with pytest.raises(FileNotFoundError, match=said):
            models.load_weights(vae, tmp_path / "none.npz")
        monkeypatch.setattr(weights, "FOLDER", tmp_path)


def test_what_ships_is_small():
    assert (len(CATS), len(CODES), len({*MAPS})) == (6, 4, 4)
    digits = {path for path in SHIPPED if path.stem.startswith(("paper", "ladder"))}
    assert len(digits) == 5
    assert sum(path.stat().st_size for path in digits) < 8e6
    assert sum(path.stat().st_size for path in {*MAPS}) < 12e6
    assert sum(path.stat().st_size for path in {*SHIPPED} - digits - {*MAPS}) < 24e6


@pytest.mark.parametrize("path", CODES, ids=lambda path: path.stem)
def test_shipped_codes_are_a_family_s_own(path):
    with np.load(path) as archive:
        codes = archive["codes"].astype("float32")
    assert codes.shape == (3000, 64) and np.isfinite(codes).all()
    assert (codes.min() > 0) == ("exponential" in path.stem)


@pytest.mark.parametrize("path", CATS, ids=lambda path: path.stem)
def test_what_ships_fits_the_model_and_draws_cats(path):
    kind = path.stem.removeprefix("cats_")
    sigma = {"sigma_one": 1.0, "sigma_learned": "learned"}.get(kind, "optimal")
    family = "normal" if kind.startswith("sigma_") else kind
    vae = models.build_cat_vae(family=family, sigma=sigma)
    models.load_weights(vae, path)
    cats = vae.generate(8)
    assert np.isfinite(cats).all()
    # pictures: each smooth, compared with the differences between distant pixels
    steps = np.abs(np.diff(cats, axis=1)).mean()
    assert steps < 0.4 * np.abs(cats[:, :32] - cats[:, 32:]).mean()


@pytest.mark.parametrize("name", sorted({run["name"] for run in latent_cats.RUNS}))
def test_what_ships_for_maps_fits_its_model(name):
    model = latent_parts.built(name)
    before = [np.array(weight) for weight in model.get_weights()]
    models.load_weights(model, latent_cats.shipped_file(name))
    after = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in after)
    assert any(np.abs(b - a).max() > 0.1 for b, a in zip(before, after, strict=True))
