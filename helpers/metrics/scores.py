"""How good samples and scores are: neighbours' votes, ROC areas, coverage."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import check_array


def knn_accuracy(
    codes: np.ndarray,
    labels: np.ndarray,
    test_codes: np.ndarray,
    test_labels: np.ndarray,
    neighbours: int = 10,
) -> float:
    """Return the share of test codes (m, d) whose nearest codes (n, d) vote rightly.

    Raises:
        ValueError: labels are not (n,), or ``neighbours`` not from 1 to n.
    """
    classifier = KNeighborsClassifier(neighbours).fit(codes, labels)
    return float(classifier.score(test_codes, test_labels))


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
    """Return the area under the ROC curve of scores (n,) and (m,), bootstrapped.

    The probability that a foreign picture scores above a normal one, ties half; both
    sets are resampled. Source: Efron and Tibshirani (1993), "An introduction to the
    bootstrap".

    Raises:
        ValueError: one of the two is empty, or a score is not a number.
    """
    missing = np.isnan([*normal, *foreign]).sum()
    if not (len(normal) and len(foreign)) or missing:
        raise ValueError(
            f"both sets need scores, and have {len(normal)} and {len(foreign)}, "
            f"{missing} of them nan: leave those pictures out"
        )
    against = foreign[:, np.newaxis]
    wins = (against > normal) + 0.5 * (against == normal).astype("float32")  # (m, n)
    # one matrix product for all resamples, which SciPy's bootstrap would count in turn
    rng = np.random.default_rng(seed)
    weights = [
        rng.multinomial(n, np.full(n, 1 / n), resamples).astype("float32") / n
        for n in wins.shape
    ]
    areas = np.sum((weights[0] @ wins) * weights[1], axis=1)
    return Estimate(float(wins.mean()), *map(float, np.quantile(areas, [0.025, 0.975])))


def covered_share(
    points: np.ndarray, centres: np.ndarray, neighbours: int = 3
) -> float:
    """Return the share of points (n, d) that lie in the ball of a centre, of (m, d).

    A ball reaches to its centre's ``neighbours``-th nearest other centre. With features
    of real and invented pictures, the share of invented ones in balls of real ones is
    the precision, the share of real ones in balls of invented ones the recall. Compare
    sets of equal size. Source: Kynkäänniemi et al. (2019), "Improved precision and
    recall metric for assessing generative models", section 2.

    Raises:
        ValueError: a code is not finite, or ``neighbours`` not from 1 to m - 1.
    """
    points, centres = check_array(points), check_array(centres)
    if not 1 <= neighbours < len(centres):
        raise ValueError(
            f"neighbours must be from 1 to {len(centres) - 1}, and is {neighbours}"
        )
    radii = np.sort(cdist(centres, centres), axis=1)[:, neighbours]  # place 0 is itself
    return float(np.mean((cdist(points, centres) <= radii).any(axis=1)))
