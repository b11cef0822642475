"""Likelihoods of counts and classes, and of tables whose columns are of many kinds."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

from helpers.engine import checked
from helpers.engine.numerics import bounded, log_gamma_ratio
from helpers.likelihoods.base import Likelihood, register, total


@register
class Poisson(Likelihood):
    """Counts are independent Poisson numbers; outputs are the logarithms of rates.

    An encoder sees ln(1 + x), which is of a network's size whatever the counts.
    """

    span = checked.COUNTS
    takes_logits = True

    def negative_log_likelihood(self, x, output):
        log_factorial = log_gamma_ratio(ops.ones_like(x), x)
        return total(self.mean(output) - x * output + log_factorial)

    def mean(self, output):
        """Return the rate."""
        return ops.exp(bounded(output))

    def features(self, x):
        return ops.log1p(checked.float32(x))


@register
class NegativeBinomial(Poisson):
    """Counts that vary more than Poisson's: of mean m, their variance is m + m^2 / r.

    Poisson counts whose rate is itself drawn, from a gamma distribution of shape r.
    Outputs are ln m; ``log_r`` is one weight for all counts, and ``Mixed`` has one for
    each column. Source: Lopez et al. (2018), "Deep generative modeling for single-cell
    transcriptomics".
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.log_r = self.add_weight((), "zeros", name="log_r")

    def negative_log_likelihood(self, x, output):
        log_r = bounded(self.log_r, -10, 10)
        r = ops.exp(log_r) * ops.ones_like(x)
        # minus the logarithms of r / (r + m) and of m / (r + m)
        ends, goes_on = ops.softplus(output - log_r), ops.softplus(log_r - output)
        ways = log_gamma_ratio(r, x) - log_gamma_ratio(ops.ones_like(x), x)
        return total(r * ends + x * goes_on - ways)


@register
class Categorical(Likelihood):
    """One of some classes, in as many columns: 1 in its own (the last axis), 0 else.

    ``one_hot`` makes such rows of labels. Outputs are logits, and the mean is each
    class's probability, their softmax.

    Args:
        classes: how many there are, at least 2; ValueError else.
    """

    span = checked.CLASSES
    takes_logits = True

    def __init__(self, classes: int, **kwargs):
        super().__init__(**kwargs)
        if classes < 2:
            raise ValueError(f"classes must be at least 2, and are {classes!r}")
        self.width = self.classes = int(classes)

    def negative_log_likelihood(self, x, output):
        return total(-x * ops.log_softmax(output))

    def mean(self, output):
        """Return the probability of each class."""
        return ops.softmax(output)

    def one_hot(self, labels: np.ndarray, name: str = "labels") -> np.ndarray:
        """Return rows (n, classes) of labels (n,), whole from 0 on, or ValueError."""
        labels = checked.labels(labels, len(np.atleast_1d(labels)), self.classes, name)
        return np.eye(self.classes, dtype="float32")[labels]

    def checked(self, x, shape=None, purpose="measure", name=None, **options):
        x = super().checked(x, shape, purpose, name=name, **options)
        ones = np.round(x.sum(axis=-1))
        if purpose != "noisy" and not (ones == 1).all():  # noise may hide a class
            raise checked.ContentError(
                f"{name or 'x'} must have a 1 for one of {self.classes} classes, and "
                f"has {ones[ones != 1][0]:g} in a row: likelihood.one_hot(labels) "
                f"makes rows of labels from 0 to {self.classes - 1}"
            )
        return x

    def get_config(self):
        return {**super().get_config(), "classes": self.classes}


@register
class Mixed(Likelihood):
    """Rows of a table whose columns are of several kinds, each with its likelihood.

    The last axis of x, and of a decoder's outputs, has the columns in their order: one
    place each, but for classes, which have a place for each. ``join`` makes x of named
    columns, ``split`` cuts it, or what a model returns, again.

    Args:
        kinds: each column's likelihood by its name; each a layer of its own.

    Raises:
        ValueError: there is no column, or a kind is no likelihood.

    Source: Nazábal et al. (2020), "Handling incomplete heterogeneous data using VAEs".
    """

    span = checked.FINITE
    takes_logits = True

    def __init__(self, kinds: Mapping[str, Likelihood], **kwargs):
        super().__init__(**kwargs)
        wrong = {n: k for n, k in kinds.items() if not isinstance(k, Likelihood)}
        if wrong or not kinds:
            raise ValueError(
                "Mixed takes a likelihood for each column by its name, such as "
                f"{{'visits': Poisson()}}, and got {wrong or kinds}"
            )
        self.kinds = dict(kinds)
        for kind in self.kinds.values():
            kind.reports, kind.built = False, True  # Keras calls Mixed alone
        self.width = sum(kind.width or 1 for kind in self.kinds.values())

    def split(self, x: Any) -> dict[str, Any]:
        """Return each column's places of x (..., width): (..., 1) or (..., classes)."""
        parts, start = {}, 0
        for name, kind in self.kinds.items():
            end = start + (kind.width or 1)
            parts[name], start = x[..., start:end], end
        return parts

    def join(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return rows x (n, width), float32, of columns (n,) by name, or of a frame.

        Raises:
            ValueError: a column is missing or of another length, or holds what its
                kind has no density for; classes are integers from 0 on.
        """
        if missing := [name for name in self.kinds if name not in columns]:
            raise ValueError(
                f"columns must be {list(self.kinds)}, {missing} is missing"
            )
        given = {name: checked.numbers(columns[name], name) for name in self.kinds}
        arrays = {name: np.atleast_1d(column) for name, column in given.items()}
        checked.same_shape(**arrays)
        rows = [
            kind.one_hot(arrays[name], name)
            if isinstance(kind, Categorical)
            else arrays[name][:, np.newaxis]
            for name, kind in self.kinds.items()
        ]
        return self.checked(np.concatenate(rows, axis=1), (self.width,))

    def each(self, function: str, *arrays):
        """Return what each kind's function makes of its places of the arrays."""
        cut = [self.split(array).values() for array in arrays]
        parts = zip(self.kinds.values(), *cut, strict=True)
        return [getattr(kind, function)(*places) for kind, *places in parts]

    def negative_log_likelihood(self, x, output):
        return sum(self.each("negative_log_likelihood", x, output))

    def mean(self, output):
        return ops.concatenate(self.each("mean", output), axis=-1)

    def features(self, x):
        return ops.concatenate(self.each("features", x), axis=-1)

    def follow(self, x, output):
        self.each("follow", x, output)

    def checked(self, x, shape=None, purpose="measure", name=None, **options):
        x = super().checked(x, shape, purpose, name=name, **options)
        for column, part in self.split(x).items():
            about = f"column {column!r} of {name or 'x'}"
            self.kinds[column].checked(part, None, purpose, name=about)
        return x

    def get_config(self):
        kinds = {
            name: keras.saving.serialize_keras_object(kind)
            for name, kind in self.kinds.items()
        }
        return {**super().get_config(), "kinds": kinds}

    @classmethod
    def from_config(cls, config):
        restore = keras.saving.deserialize_keras_object
        kinds = {name: restore(kind) for name, kind in config["kinds"].items()}
        return cls(**{**config, "kinds": kinds})
