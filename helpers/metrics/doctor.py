"""``diagnose``: look at a trained VAE and its data, and say what is wrong with them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from helpers.datasets import Dataset
from helpers.metrics.examination import Numbers, examined
from helpers.metrics.rules import Finding, judged
from helpers.models import VAE, ConditionalVAE

FEWEST = 20  # rows of each part


@dataclass(frozen=True)
class Diagnosis:
    """What was found, worst first; printed, a line each.

    Attributes:
        findings: of which the doctor is sure enough to name them.
        numbers: all that was measured, by name, also where nothing was found.
    """

    findings: tuple[Finding, ...]
    numbers: Numbers

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what is wrong or poor, worst first; without notes."""
        return tuple(f.name for f in self.findings if f.severity != "note")

    def __str__(self) -> str:
        lines = [str(finding) for finding in self.findings]
        if not self.names:
            lines.insert(0, "Nothing is wrong that was looked for.")
        return "\n".join(lines)


def diagnose(
    vae: VAE,
    data: Dataset | tuple[np.ndarray, np.ndarray],
    rows: int = 1000,
    seed: int = 0,
) -> Diagnosis:
    """Return what is wrong with a trained VAE, or with its data, worst first.

    It looks at the data (type, shape, nan, range; parts that differ, copies in both),
    at each layer (sampler, KL, distortion, decoder), at the loss (beta, sigma), at the
    codes (rate, collapse, prior) and at the bound (a constant, PCA, held-out rows,
    slack). The model stays as it is, and nothing is trained. What it
    measured on planted faults and on sound models is in ``data/results/diagnose.csv``.

    Held out here are validation rows: what the doctor finds is mended, and test rows
    must know nothing of that.

    Args:
        vae: of the course's classes; its encoder, decoder, family and likelihood may
            be the reader's own.
        data: a data set, or (training rows, held-out rows), each (n, ...).
        rows: of each part to look at, drawn at random.
        seed: of the draw, and of all noise.

    Raises:
        ValueError: the model is another, or ``rows`` below 20. Wrong data are no error,
            but a finding.
    """
    if not isinstance(vae, VAE) or isinstance(vae, ConditionalVAE):
        raise ValueError(
            f"diagnose takes a VAE of data alone, and got a {type(vae).__name__}"
        )
    if rows < FEWEST:
        raise ValueError(f"rows must be at least {FEWEST}, and are {rows}")
    if isinstance(data, Dataset):
        data = (data.x_train, data.x_validation)
    parts = dict(zip(("training", "held-out"), data, strict=True))
    found = [f for name, x in parts.items() if (f := of_data(vae, x, name))]
    if found:
        return Diagnosis(tuple(found), {})
    x_train, x_held_out = (vae.checked(x) for x in parts.values())
    finite = np.mean([np.isfinite(weight).all() for weight in vae.get_weights()])
    numbers = {"weights_finite": float(finite)}
    if finite == 1:
        numbers |= examined(vae, x_train, x_held_out, rows, seed)
    return Diagnosis(tuple(judged(numbers)), numbers)


def of_data(vae: VAE, x: Any, part: str) -> Finding | None:
    """Return what makes rows unfit for the model, or None."""
    shape = vae.decoder.output_shape[1:]

    def wrong(name: str, sentence: str, see: str = "03, section 12") -> Finding:
        return Finding(name, "wrong", f"{part} rows: {sentence}", {}, see)

    try:
        array = np.asarray(x)
    except ValueError as error:
        return wrong("type", f"they are no array ({error}); pad them, or cut")
    if array.dtype.kind not in "fiub":
        return wrong(
            "type", f"they are {array.dtype}, and must be numbers; codes for words"
        )
    if array.shape[1:] != shape:
        return wrong(
            "shape",
            f"they are {array.shape}, and the model takes (n, "
            f"{', '.join(map(str, shape))}); x[..., np.newaxis] adds a channel axis",
        )
    if len(array) < FEWEST:
        return wrong("few", f"they are {len(array)}, and {FEWEST} are the fewest")
    odd = ~np.isfinite(array)
    if odd.any():
        rows = np.flatnonzero(odd.reshape(len(odd), -1).any(axis=1))
        return wrong(
            "nan",
            f"{len(rows):,} of {len(array):,} hold nan or infinite numbers, the first "
            f"is row {rows[0]}; fill them, or leave those rows out",
        )
    try:
        vae.checked(array, purpose="train")
    except ValueError as error:
        return wrong("range", str(error))
    return None
