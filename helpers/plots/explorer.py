"""Explore trained VAEs by hand: sliders in a notebook, or one page for any browser.

``write_explorer`` puts the weights of dense models into ``explorer_template.html``,
with a plane to drag over, sliders, and a pad to draw on: one file that needs neither a
network nor a server, on a phone as in a lecture hall.
"""

import helpers.engine.quiet_start  # noqa: F401  (TensorFlow, before Keras)

# isort: split
import base64
import hashlib
import io
import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import keras
import numpy as np
from keras import layers, ops
from PIL import Image

from helpers import metrics
from helpers.engine import files
from helpers.layers import ResidualDense
from helpers.models import VAE
from helpers.plots.style import DIGIT_COLOURS

TEMPLATE = Path(__file__).with_name("explorer_template.html")
LARGEST = 3_000_000  # bytes of a page
SLIDERS = 10
SIDE = 224  # of the picture beside a notebook's sliders, in dots
ACTIVATIONS = ("linear", "relu", "silu", "tanh")
FAMILIES = ("normal", "laplace")  # whose first parameter is the mean
SHAPE = (28, 28, 1)


def sliders(vae: VAE, code: np.ndarray, latents: Sequence[int]):
    """Return sliders for some latents of a code (d,), and the picture that follows.

    As an ``ipywidgets.HBox``, for a notebook alone.

    A slider reaches from the 0.5% to the 99.5% quantile of its latent's prior.

    Raises:
        ValueError: a latent is none of the code's.
    """
    if not np.isin(latents, range(vae.latent_size)).all():
        raise ValueError(
            f"latents must be from 0 to {vae.latent_size - 1}, and are {latents}"
        )
    import ipywidgets  # of the extra [notebooks]; the page below does without

    code = np.array(code, np.float32)
    picture = ipywidgets.Image(width=SIDE, height=SIDE)

    def follow(latent, change):
        code[latent] = change["new"]
        picture.value = png(vae.decode(code[np.newaxis])[0])

    rows = []
    ends = vae.prior_quantiles(np.array([0.005, 0.995])).astype(float)
    for latent in latents:
        low, high = ends[:, latent]
        start = np.clip(float(code[latent]), low, high)
        options = {"step": 0.01, "description": f"latent {latent}"}
        rows.append(ipywidgets.FloatSlider(start, min=low, max=high, **options))
        rows[-1].observe(partial(follow, latent), "value")
    picture.value = png(vae.decode(code[np.newaxis])[0])
    return ipywidgets.HBox([ipywidgets.VBox(rows), picture])


def png(picture: np.ndarray) -> bytes:
    """Return a picture (h, w, channels) in [0, 1] as a PNG; grey is ink on white."""
    shown = 1 - picture[..., 0] if picture.shape[-1] == 1 else picture
    image, file = Image.fromarray(np.uint8(np.round(255 * shown))), io.BytesIO()
    image = image.resize((SIDE, SIDE), Image.Resampling.NEAREST)
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def write_explorer(
    path: str | Path,
    plane: VAE,
    pictures: np.ndarray,
    labels: np.ndarray,
    many: VAE | None = None,
) -> Path:
    """Write a page to explore one or two VAEs of digits with; return its path.

    Weights travel as whole numbers with a scale per unit: 16 bits in decoders, whose
    pictures then differ from Keras's by less than a grey level, 8 bits in encoders. A
    plane model with ``hidden=(256, 256, 256)`` and a second one with ``(256, 256)``
    make a page of 2.6 MB; the builders' own would be too large.

    Args:
        plane: a VAE with two latents, made with ``dense_encoder``, ``dense_decoder``.
        pictures, labels: held-out digits, (n, 28, 28, 1) and (n,): the plane's dots.
        many: a VAE with more latents, for the sliders.

    Raises:
        ValueError: a model is none that the page can run, pictures and labels don't
            fit, or the page would be larger than 3 MB.
    """
    if plane.latent_size != 2:
        raise ValueError(f"plane must have 2 latents, and has {plane.latent_size}")
    if pictures.shape != (*labels.shape, *SHAPE):
        raise ValueError(
            "pictures must be (n, 28, 28, 1) with n labels, and have the shapes "
            f"{pictures.shape} and {labels.shape}"
        )
    if labels.dtype.kind not in "iu" or not np.isin(labels, range(10)).all():
        raise ValueError(f"labels must be digits, and are {np.unique(labels)}")
    data = {
        "plane": model_data(plane, pictures),
        "many": model_data(many, pictures) if many else None,
        "codes": np.round(plane.encode(pictures), 2).tolist(),
        "labels": labels.tolist(),
        "colours": DIGIT_COLOURS,
        "digits": encoded(np.round(255 * some_of_each(pictures, labels)), "u1"),
    }
    page = filled(TEMPLATE.read_text(encoding="utf-8"), data)
    if len(page) > LARGEST:
        raise ValueError(
            f"the page would have {len(page) / 1e6:.1f} MB, and {LARGEST / 1e6:.0f} MB "
            "is the largest: train smaller models for it, such as hidden=(256, 256)"
        )
    with files.whole(Path(path)) as file:
        file.write(page)
    return Path(path)


def filled(template: str, data: dict) -> bytes:
    """Return the template with the data, and a policy that allows its own code alone.

    The policy forbids all else, a connection or a picture from elsewhere too. JSON in
    which no ``<`` is left can't end its element.
    """
    policy = "default-src 'none'; base-uri 'none'; form-action 'none'"
    for kind, code in re.findall(r"<(style|script)>(.*?)</\1>", template, re.S):
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        policy += f"; {kind}-src 'sha256-{digest}'"
    try:
        text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ValueError(
            f"the page needs finite codes and rates ({error}): check the weights with "
            "np.isfinite, or train again with a lower learning rate"
        ) from error
    page = template.replace("{{policy}}", policy)
    return page.replace("{{data}}", text.replace("<", "\\u003c")).encode()


def model_data(vae: VAE, pictures: np.ndarray) -> dict:
    """Return what the page needs to run a VAE, or raise ValueError where it can't."""
    if vae.family.name not in FAMILIES:
        raise ValueError(f"family must be in {FAMILIES}, and is {vae.family.name!r}")
    if vae.encoder.input_shape[1:] != SHAPE:
        raise ValueError(
            f"the page draws {SHAPE}, and the VAE takes {vae.encoder.input_shape[1:]}"
        )
    rates = metrics.rate_per_latent(vae, pictures)
    return {
        "latents": vae.latent_size,
        "family": vae.family.name,
        "reach": round(float(vae.prior_quantiles(np.array([0.999])).max()), 1),
        "rates": np.round(rates, 2).tolist(),
        "sliders": np.argsort(-rates)[:SLIDERS].tolist(),
        "encoder": chain_data(vae.encoder, bits=8),
        "decoder": chain_data(vae.decoder, bits=16),
    }


def chain_data(model: keras.Model, bits: int) -> list[dict]:
    """Return the dense layers from input to first output, as JSON takes them."""
    data, scale, offset = [], 1.0, 0.0
    for layer in chain(model):
        if isinstance(layer, layers.Rescaling):
            scale, offset = layer.scale, layer.offset
        elif isinstance(layer, layers.Dense):
            data.append(dense_data(layer, bits, scale, offset))
            scale, offset = 1.0, 0.0
    return data


def chain(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers from input to first output, or raise ValueError: no chain."""
    found = keras.Model(model.inputs, model.outputs[0]).layers
    handed_on = [*(layer.input for layer in found[1:]), model.outputs[0]]
    links = zip(found, handed_on, strict=True)
    wrong = [layer for layer in found if not can_run(layer)]
    wrong += [layer for layer, output in links if layer.output is not output]
    if wrong:
        raise ValueError(
            "the page runs chains of Flatten, Reshape and Dense layers "
            f"({', '.join(ACTIVATIONS)}), and cannot run the layer {wrong[0].name!r} "
            f"({type(wrong[0]).__name__}): use dense_encoder and dense_decoder"
        )
    return found


def can_run(layer: keras.layers.Layer) -> bool:
    """Return whether the page has what the layer does."""
    if isinstance(layer, layers.Dense):
        return layer.activation.__name__ in ACTIVATIONS
    shaping = layers.InputLayer | layers.Flatten | layers.Reshape | layers.Rescaling
    return isinstance(layer, shaping)


def dense_data(
    layer: layers.Dense, bits: int, rescaled: float = 1, offset: float = 0
) -> dict:
    """Return a dense layer, its kernel (units, inputs) as whole numbers with scales.

    A rescaling before it, ``rescaled * input + offset``, becomes part of its weights.
    """
    kernel = ops.convert_to_numpy(layer.kernel).T
    bias = 0 if layer.bias is None else ops.convert_to_numpy(layer.bias)
    bias, kernel = bias + (offset * kernel).sum(axis=1), rescaled * kernel
    largest = np.abs(kernel).max(axis=1)
    scale = np.where(largest > 0, largest, 1) / (2 ** (bits - 1) - 1)
    return {
        "activation": layer.activation.__name__,
        "residual": isinstance(layer, ResidualDense),
        "inputs": kernel.shape[1],
        "bits": bits,
        "kernel": encoded(np.round(kernel / scale[:, np.newaxis]), f"i{bits // 8}"),
        "scale": encoded(scale, "f4"),
        "bias": encoded(bias, "f4"),
    }


def encoded(array: np.ndarray, kind: str) -> str:
    """Return an array's little-endian bytes, of NumPy's type ``kind``, as base64."""
    return base64.b64encode(array.astype(f"<{kind}").tobytes()).decode()


def some_of_each(pictures: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the first three pictures of each label, in the labels' order."""
    first = [np.flatnonzero(labels == label)[:3] for label in np.unique(labels)]
    return pictures[np.concatenate(first)]
