"""How good samples and scores are: recognisable shares, ROC areas, precision and recall."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from helpers.metrics.codes import check_codes


def recognisable_share(
    pictures: np.ndarray, x_train: np.ndarray, y_train: np.ndarray, neighbours: int = 10
) -> float:
    """Return the share of pictures that real ones agree about.

    A picture counts if its nearest ``neighbours`` among the first 10,000 training
    pictures, by squared distance of pixels, are all of one class. Pictures are (n,
    height, width, channels).

    Raises:
        ValueError: ``neighbours`` is below 1, or more than the training pictures.
    """
    check_neighbours(neighbours, len(x_train))
    flat = [array.reshape(len(array), -1) for array in (x_train[:10_000], pictures)]
    classifier = KNeighborsClassifier(neighbours).fit(flat[0], y_train[:10_000])
    return float(np.mean(classifier.predict_proba(flat[1]).max(axis=1) == 1))


def check_neighbours(neighbours: int, most: int) -> None:
    """Raise ValueError unless there are so many neighbours to be had."""
    if not 1 <= neighbours <= most:
        raise ValueError(
            f"neighbours must be from 1 to {most}, as many as there are to find, and is "
            f"{neighbours}: give more pictures, or lower it"
        )


@dataclass(frozen=True)
class Estimate:
    """A figure from a sample, and the bounds of its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def auc(
    normal: np.ndarray, foreign: np.ndarray, resamples: int = 500, seed: int = 0
) -> Estimate:
    """Return the area under the ROC curve of scores (n,) and (m,), with a bootstrap
    interval.

    The area is the probability that a foreign picture scores above a normal one, ties
    half; both sets are resampled. Source: Efron and Tibshirani (1993), "An introduction
    to the bootstrap".

    Raises:
        ValueError: one of the two is empty, or a score is not a number.
    """
    if not (len(normal) and len(foreign)) or np.isnan([*normal, *foreign]).any():
        raise ValueError(
            f"both sets need scores that are numbers, and have {len(normal)} and {len(foreign)}, "
            f"{np.isnan([*normal, *foreign]).sum()} of them nan: leave those pictures out"
        )
    against = foreign[:, np.newaxis]
    wins = np.float32(against > normal) + 0.5 * np.float32(against == normal)
    rng = np.random.default_rng(seed)
    weights = [
        rng.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float32)
        / count
        for count in wins.shape
    ]
    areas = np.sum((weights[0] @ wins) * weights[1], axis=1)
    return Estimate(float(wins.mean()), *map(float, np.quantile(areas, [0.025, 0.975])))


def covered_share(
    points: np.ndarray, centres: np.ndarray, neighbours: int = 3
) -> float:
    """Return the share of points (n, d) that lie in the ball of at least one centre (m,
    d).

    The ball of a centre reaches to its ``neighbours``-th nearest other centre. With
    features of real and invented pictures, the share of invented ones in balls of real
    ones is the precision, and the share of real ones in balls of invented ones the
    recall. Compare sets of equal size.

    Source: Kynkäänniemi, Karras, Laine, Lehtinen and Aila (2019), "Improved precision
        and recall
    metric for assessing generative models", section 2.

    Raises:
        ValueError: points or centres are not finite, or the centres no more than
            ``neighbours``.
    """
    check_codes(points)
    check_codes(centres)
    check_neighbours(neighbours, len(centres) - 1)
    radii = np.sort(cdist(centres, centres), axis=1)[:, neighbours]  # place 0 is itself
    return float(np.mean((cdist(points, centres) <= radii).any(axis=1)))
