"""Small files of trained weights: float16, without pickles, whole or not at all."""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import itertools
import zipfile
from pathlib import Path

import keras
import numpy as np

from helpers import REPOSITORY
from helpers.engine import files, paths

FOLDER = paths.data_folder() / "weights"


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights to a compressed ``.npz``, in the model's order.

    Arrays of more than one number lose half their digits (float16, a relative error of
    about 0.0005); single numbers, such as a learned sigma, keep theirs. The file
    appears when it is complete.

    Raises:
        ValueError: a weight is not finite in float16; nothing is written then.
    """
    arrays = {}
    for index, weight in enumerate(model.weights):
        array = keras.ops.convert_to_numpy(weight)
        halve = array.dtype == np.float32 and array.size > 1
        dtype = "float16" if halve else array.dtype
        arrays[f"{index:03d}"] = converted(array, dtype, weight.path)
    with files.whole(Path(path)) as file:
        np.savez_compressed(file, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a model the weights of a file that ``save_weights`` wrote.

    Raises:
        ValueError: the file can't be read, its arrays are not the model's in number and
            shape, or hold anything but finite numbers; the model is left as it was.
        FileNotFoundError: there is no such file.
    """
    arrays = read_arrays(Path(path))
    expected = [tuple(weight.shape) for weight in model.weights]
    found = [array.shape for array in arrays]
    if found != expected:
        pairs = itertools.zip_longest(expected, found)
        first = next(pair for pair in pairs if pair[0] != pair[1])
        raise ValueError(
            f"{path} holds {len(found)} arrays for a model with {len(expected)} "
            f"weights; the first difference (expected, found) is {first}: build the "
            "model with the arguments that it was trained with"
        )
    values = [
        converted(array, weight.dtype, f"{weight.path} in {path}")
        for array, weight in zip(arrays, model.weights, strict=True)
    ]
    for weight, value in zip(model.weights, values, strict=True):
        weight.assign(value)


def read_arrays(path: Path) -> list[np.ndarray]:
    """Return the arrays of a file of weights; raise as ``load_weights`` does."""
    if not path.exists() and path.parent == FOLDER:
        raise FileNotFoundError(
            f"{path} is missing. The weights ship with the repository, and not with "
            f"the package: copy data/weights of https://github.com/{REPOSITORY} there"
        )
    with path.open("rb") as file:
        try:
            if not zipfile.is_zipfile(file):  # NumPy reads a bare array's header whole
                raise ValueError("no archive")
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                if damaged := archive.zip.testzip():  # NumPy may read less than all
                    raise ValueError(damaged)
                return [np.asarray(archive[name]) for name in sorted(archive)]
        except Exception as error:  # NumPy and zipfile raise many kinds
            raise ValueError(
                f"{path} is not a readable file of weights ({error}): fetch it anew"
            ) from error


def converted(array: np.ndarray, dtype: np.typing.DTypeLike, name: str) -> np.ndarray:
    """Return an array in another type; raise ValueError if it is not finite in that."""
    with np.errstate(over="ignore"):  # what overflows is found in the next line
        value = array.astype(dtype) if array.dtype.kind in "fiu" else None
    if value is None or not np.isfinite(value).all():
        raise ValueError(
            f"{name} must be finite numbers of {dtype} (float16 ends at 65504), and is "
            f"{array.dtype}: lower the learning rate, or use model.save(...)"
        )
    return value
