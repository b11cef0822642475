"""Small files of trained weights: float16, without pickles, written whole or not at all."""

import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from helpers import files, runtime

FOLDER = runtime.ROOT / "data" / "weights"


def save_weights(model: keras.Model, path: Path) -> None:
    """Write a model's weights to a compressed ``.npz``, in the model's order.

    Arrays of more than one number lose half their digits (float16, a relative error of about
    0.0005); single numbers, such as a learned sigma, keep theirs. The file appears when it is
    complete.

    Raises:
        ValueError: a weight is not finite in float16; nothing is written then.
    """
    arrays = {}
    for index, weight in enumerate(model.weights):
        array = ops.convert_to_numpy(weight)
        with np.errstate(over="ignore"):  # what overflows is found in the next line
            halve = array.dtype == np.float32 and array.size > 1
            small = array.astype(np.float16) if halve else array
        if not np.isfinite(small).all():
            raise ValueError(
                f"weights must lie within +-65504, and {weight.path} does not: lower the learning "
                "rate, or save the model with model.save(...)"
            )
        arrays[f"{index:03d}"] = small
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(path) as file:
        np.savez_compressed(file, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a model the weights of a file that ``save_weights`` wrote.

    Raises:
        ValueError: the file can't be read, or its arrays are not the model's in number and shape;
            the model is left as it was.
        FileNotFoundError: there is no such file.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = [archive[key] for key in sorted(archive.files)]
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path} is not a readable file of weights ({error}): fetch it anew"
        ) from error
    expected = [tuple(weight.shape) for weight in model.weights]
    found = [array.shape for array in arrays]
    if found != expected:
        differing = [pair for pair in zip(expected, found, strict=False) if pair[0] != pair[1]]
        raise ValueError(
            f"{path} holds {len(found)} arrays for a model with {len(expected)} weights; the first "
            f"difference (expected, found) is {(differing or ['none but the number'])[0]}: build "
            "the model with the arguments that it was trained with"
        )
    for weight, array in zip(model.weights, arrays, strict=True):
        weight.assign(array.astype(weight.dtype))
