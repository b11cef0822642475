"""Small files of trained weights: float16, without pickles, written whole or not at all."""

from pathlib import Path

import keras
import numpy as np
from keras import ops

from helpers.engine import archives, budgets, files

FOLDER = budgets.ROOT / "data" / "weights"


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
    with files.whole(path) as file:
        np.savez_compressed(file, **arrays)


def load_weights(model: keras.Model, path: Path) -> None:
    """Give a model the weights of a file that ``save_weights`` wrote.

    Raises:
        ValueError: the file can't be read, its arrays are not the model's in number and
            shape, or hold anything but finite numbers; the model is left as it was.
        FileNotFoundError: there is no such file.
    """
    expected = [tuple(weight.shape) for weight in model.weights]
    try:
        with archives.stored_arrays(path) as stored:
            names = sorted(stored)
            found = [stored[name].shape for name in names]
            if found == expected:
                arrays = [stored[name].read() for name in names]
    except ValueError as error:
        raise ValueError(
            f"{path} is not a readable file of weights ({error}): fetch it anew"
        ) from error
    if found != expected:
        differing = [
            pair for pair in zip(expected, found, strict=False) if pair[0] != pair[1]
        ]
        raise ValueError(
            f"{path} holds {len(found)} arrays for a model with {len(expected)} weights; the first "
            f"difference (expected, found) is {(differing or ['none but the number'])[0]}: build "
            "the model with the arguments that it was trained with"
        )
    values = [
        finite_numbers(array, weight, path)
        for array, weight in zip(arrays, model.weights, strict=True)
    ]
    for weight, value in zip(model.weights, values, strict=True):
        weight.assign(value)


def finite_numbers(array: np.ndarray, weight: keras.Variable, path: Path) -> np.ndarray:
    """Return an array in the type of a weight.

    Raises:
        ValueError: it holds anything but numbers that are finite in that type.
    """
    with np.errstate(over="ignore"):  # what overflows is found in the next line
        value = array.astype(weight.dtype) if array.dtype.kind in "fiu" else None
    if value is None or not np.isfinite(value).all():
        raise ValueError(
            f"{path} must hold finite numbers, and those of {weight.path} ({array.dtype}) are not: "
            "fetch it anew, or train and save the model again"
        )
    return value
