"""By which numbers the doctor calls what by name: thresholds, and sentences.

A rule is a function of the numbers of ``examination`` that returns a sentence, or None
if there is nothing to say. They stand in the order of causes, then effects. What could
not be measured is nan, and breaks no rule.
"""

import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

Numbers = dict[str, float]
Says = Callable[[Numbers], str | None]
SEVERITIES = ("wrong", "poor", "note")
LIMITS = {  # fixed on one half of data/results/diagnose.csv, for the other to judge
    "noise": 0.1,  # by which a variance may miss 1
    "ratio": 1.1,  # times its own value, for a KL or a distortion
    "copied": 0.1,  # of the held-out rows, beyond what is usual among training rows
    "shift": 0.5,  # standard deviations, and
    "shift_errors": 6.0,  # standard errors
    "scale": 1.5,  # times the other part's deviation
    "column_spread": 20.0,  # times the smallest column's deviation
    "sigma_ratio": 2.0,  # times the mean squared error
    "beta": 2.0,  # times 1
    "rate": 0.5,  # nats, and
    "told": 1.0,  # nats that another row's code costs more: below both nothing is told
    "variety": 0.05,  # of the rows' variance
    "learned": 0.5,  # of what PCA learns of the training rows
    "gap": 0.3,  # of all that was learned of the training rows, and
    "gap_errors": 4.0,  # standard errors
    "prior_gain": 0.4,  # nats, and
    "prior_share": 0.2,  # of the rate
    "slack": 1.0,  # nats, and
    "slack_share": 0.6,  # of the rate
    "dead": 0.5,  # of the latents
    "full": 2.0,  # nats of the latent that pays least
}


@dataclass(frozen=True)
class Finding:
    """What the doctor found.

    Attributes:
        name: of the fault, one word.
        severity: ``"wrong"``: a mistake, by which the model's figures mean something
            else; ``"poor"``: it is what it says, and could be better; ``"note"``.
        sentence: what is so, by which number, and what to do.
        numbers: the measured ones that say so, by name.
        see: the notebook and the section that explain it.
    """

    name: str
    severity: str
    sentence: str
    numbers: Numbers = field(default_factory=dict)
    see: str = ""

    def __str__(self) -> str:
        return f"{self.severity:5s}  {self.name}: {self.sentence}. [{self.see}]"


RULES: list[Callable[[Numbers], Finding | None]] = []
SECTIONS: dict[str, str] = {}  # of each finding's name, what explains it


def rule(name: str, severity: str, see: str, *shows: str) -> Callable[[Says], Says]:
    """Return what makes a rule of a function: its name and what its finding shows."""

    def register(says: Says) -> Says:
        def judge(numbers: Numbers) -> Finding | None:
            sentence = says(numbers)
            if sentence is None:
                return None
            shown = {key: numbers[key] for key in shows}
            return Finding(name, severity, sentence, shown, see)

        RULES.append(judge)
        SECTIONS[name] = see
        return says

    return register


def judged(numbers: Numbers) -> list[Finding]:
    """Return what these numbers show, worst first; one that is missing is nan."""
    numbers = defaultdict(lambda: math.nan, numbers)
    found = [finding for judge in RULES if (finding := judge(numbers)) is not None]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def unlike(value: float, limit: float) -> bool:
    """Return whether a ratio leaves [1 / limit, limit]; not if it is nan."""
    return value < 1 / limit or value > limit


def noisy(n: Numbers) -> bool:
    """Return whether samples are not as far from their mean as q says."""
    return abs(n["noise"] - 1) > LIMITS["noise"]


def collapsed(n: Numbers) -> bool:
    """Return whether codes cost nothing, and tell nothing."""
    return abs(n["rate"]) < LIMITS["rate"] and n["told"] < LIMITS["told"]


def in_nats(n: Numbers) -> bool:
    """Return whether KL and distortion are what they say: else nats are none."""
    ratios = n["kl_ratio"], n["distortion_ratio"]
    return not noisy(n) and not any(unlike(ratio, LIMITS["ratio"]) for ratio in ratios)


# The layers


@rule("weights", "wrong", "03, section 13", "weights_finite")
def of_weights(n: Numbers) -> str | None:
    if not n["weights_finite"] < 1:
        return None
    share = 1 - n["weights_finite"]
    return (
        f"{share:.0%} of the arrays of weights hold nan or infinite numbers: the "
        "training diverged. Build the model anew, and halve the learning rate"
    )


@rule("sampling", "wrong", "01, section 10", "noise", "noise_slope")
def of_noise(n: Numbers) -> str | None:
    if not noisy(n):
        return None
    if n["noise"] < 0.01:
        return "the sampling layer draws no noise: its codes are posterior means"
    if n["noise_slope"] > 0.75:
        return (
            f"the noise grows as the variance to the power {n['noise_slope']:.2f}, and "
            "a standard deviation as the power 0.50: take exp(z_log_var / 2)"
        )
    return f"samples vary {n['noise']:.2f} times as much as q(z|x) says"


@rule("kl", "wrong", "03, section 3", "kl_ratio")
def of_kl(n: Numbers) -> str | None:
    if noisy(n) or not unlike(n["kl_ratio"], LIMITS["ratio"]):
        return None
    averaged = not unlike(n["kl_ratio"] * n["latents"], 1.2)
    guess = "a mean over latents where a sum belongs" if averaged else "another formula"
    return (
        f"the KL is {n['kl_ratio']:.3g} times what draws from q say, mean ln q - ln p: "
        f"{guess}"
    )


@rule("distortion", "wrong", "03, section 13", "distortion_ratio", "values")
def of_distortion(n: Numbers) -> str | None:
    if not unlike(n["distortion_ratio"], LIMITS["ratio"]):
        return None
    averaged = not unlike(n["distortion_ratio"] * n["values"], 1.2)
    guess = ", as their mean is" if averaged else ""
    return (
        f"the distortion is {n['distortion_ratio']:.3g} times the sum over a row's "
        f"{n['values']:.0f} values{guess}: beside a KL in nats that is a hidden beta "
        f"of {1 / n['distortion_ratio']:.3g}. Sum over values, average over rows"
    )


@rule("squashed", "wrong", "03, section 4", "reach_low", "reach_high")
def of_reach(n: Numbers) -> str | None:
    low, high = n["reach_low"], n["reach_high"]
    inside = -1.001 <= low < high - 0.1 and high <= 1.001
    if not (n["bounded"] and inside):
        return None
    ends = (1 / (1 + math.exp(-end)) for end in (low, high))
    return (
        f"the decoder's outputs stay in [{low:.2f}, {high:.2f}] for any code, and the "
        "likelihood takes their sigmoid: no pixel leaves "
        f"[{', '.join(f'{end:.2f}' for end in ends)}]. Leave the last layer linear"
    )


# The data


@rule("leak", "wrong", "04, section 11", "copied", "copied_within")
def of_copies(n: Numbers) -> str | None:
    if not n["copied"] - n["copied_within"] > LIMITS["copied"]:
        return None
    return (
        f"{n['copied']:.0%} of the held-out rows are near copies of a training row "
        f"({n['copied_within']:.0%} of the training rows are of another one): group "
        "what is the same, and split groups"
    )


@rule("parts", "wrong", "04, section 11", "shift", "shift_errors", "scale")
def of_parts(n: Numbers) -> str | None:
    moved = n["shift"] > LIMITS["shift"] and n["shift_errors"] > LIMITS["shift_errors"]
    if not moved and not unlike(n["scale"], LIMITS["scale"]):
        return None
    return (
        f"training and held-out rows differ as sets: in a mean by {n['shift']:.2f} "
        f"deviations ({n['shift_errors']:.0f} standard errors), in spread by a factor "
        f"of {n['scale']:.2f}. Scale both alike, and shuffle before the split"
    )


@rule("columns", "poor", "01, section 7", "column_spread")
def of_columns(n: Numbers) -> str | None:
    if not n["column_spread"] > LIMITS["column_spread"]:
        return None
    return (
        f"one column varies {n['column_spread']:.0f} times as much as another: the "
        "large ones take the whole distortion. Standardise each"
    )


# The loss


@rule("sigma", "poor", "01, section 7", "sigma", "sigma_ratio")
def of_sigma(n: Numbers) -> str | None:
    if not unlike(n["sigma_ratio"], LIMITS["sigma_ratio"]):
        return None
    return (
        f"sigma is {n['sigma']:.3g}, and its square {n['sigma_ratio']:.3g} times the "
        "mean squared error, which works like a beta of that size. Let sigma be "
        "'optimal' or 'learned'"
    )


@rule("beta", "poor", "03, section 11", "beta")
def of_beta(n: Numbers) -> str | None:
    if not unlike(n["beta"], LIMITS["beta"]):
        return None
    return (
        f"the KL weighs {n['beta']:.3g} in the loss, not 1: what was trained is no "
        "bound. If beta was to rise, it has not arrived"
    )


@rule("collapse", "poor", "03, section 11", "rate", "told")
def of_rate(n: Numbers) -> str | None:
    if not collapsed(n):
        return None
    return (
        f"the code tells next to nothing: the rate is {n['rate']:.2f} nats, and with "
        f"another row's code a row costs {n['told']:.2f} nats more. Lower beta, or "
        "raise it slowly (training.warm_up)"
    )


@rule("variety", "poor", "03, section 8", "variety", "sample_variety", "told")
def of_variety(n: Numbers) -> str | None:
    unread = n["variety"] < LIMITS["variety"] or n["told"] < LIMITS["told"]
    if not (in_nats(n) and unread and n["rate"] >= LIMITS["rate"]):
        return None
    return (
        f"the decoder does not read its code, which pays {n['rate']:.1f} nats: with "
        f"another row's a row costs {n['told']:.1f} nats more, and decoded codes vary "
        f"{n['variety']:.0%} as much as rows do. Is it trained, were its weights "
        "loaded, is a layer dead?"
    )


# What was learned


@rule("constant", "poor", "03, section 6", "constant_held_out", "held_out")
def of_constant(n: Numbers) -> str | None:
    if not in_nats(n) or not n["held_out"] >= n["constant_held_out"]:
        return None
    return (
        f"a constant does as well: it needs {n['constant_held_out']:.1f} nats for a "
        f"held-out row, and the model {n['held_out']:.1f}"
    )


@rule("underfitting", "poor", "03, section 6", "train", "linear_train")
def of_underfitting(n: Numbers) -> str | None:
    learned, by_line = (n["constant_train"] - n[k] for k in ("train", "linear_train"))
    caused = collapsed(n) or unlike(n["beta"], LIMITS["beta"])  # named already
    if not in_nats(n) or caused or not learned < LIMITS["learned"] * by_line:
        return None
    return (
        f"of its own training rows it has learned {max(0.0, learned):.1f} nats beyond "
        f"a constant, PCA with as many latents {by_line:.1f}. Train longer, at another "
        "learning rate, or with a wider network"
    )


@rule("overfitting", "poor", "03, section 10", "train", "held_out", "gap_error")
def of_overfitting(n: Numbers) -> str | None:
    gap, learned = n["held_out"] - n["train"], n["constant_train"] - n["train"]
    clear = gap > LIMITS["gap_errors"] * n["gap_error"]
    if not in_nats(n) or not clear or not gap > LIMITS["gap"] * learned > 0:
        return None
    return (
        f"held-out rows cost {gap:.1f} nats more than training rows "
        f"({gap / n['gap_error']:.0f} standard errors), {gap / learned:.0%} of what "
        "was learned: it knows training rows by heart. Stop earlier, take a smaller "
        "network, weight decay, or more rows"
    )


@rule("prior", "poor", "03, section 9", "prior_gain", "rate")
def of_prior(n: Numbers) -> str | None:
    clear = n["prior_gain"] > LIMITS["prior_gain"]
    clear = clear and not noisy(n) and not unlike(n["kl_ratio"], LIMITS["ratio"])
    if not clear or n["prior_gain"] <= LIMITS["prior_share"] * n["rate"]:
        return None
    return (
        f"the prior misses the codes: a density fitted to them would win "
        f"{n['prior_gain']:.1f} nats of a rate of {n['rate']:.1f}, and samples come "
        "from where no code is. Fit one after training, learn the prior, or raise beta"
    )


@rule("slack", "poor", "03, section 10", "slack", "rate")
def of_slack(n: Numbers) -> str | None:
    clear = in_nats(n) and n["slack"] > LIMITS["slack"]
    if not clear or n["slack"] <= LIMITS["slack_share"] * n["rate"]:
        return None
    return (
        f"the encoder is not up to its decoder: a hundred weighted samples lift the "
        f"bound by {n['slack']:.1f} nats, beside a rate of {n['rate']:.1f}. Train it "
        "on, make it wider, and don't mix parts of two runs"
    )


# Notes


@rule("linear", "note", "02, section 2", "linear_held_out", "held_out")
def of_line(n: Numbers) -> str | None:
    if not in_nats(n) or not n["linear_held_out"] <= n["held_out"] + n["lead_error"]:
        return None
    return (
        f"PCA would do: with as many latents it needs {n['linear_held_out']:.1f} nats "
        f"for a held-out row, and the model {n['held_out']:.1f}"
    )


@rule("dead", "note", "03, section 8", "dead", "latents")
def of_dead(n: Numbers) -> str | None:
    if not n["dead"] > LIMITS["dead"]:
        return None
    count = round(n["dead"] * n["latents"])
    return f"{count} of {n['latents']:.0f} latents are not used: fewer would do"


@rule("full", "note", "05, section 7", "smallest_rate", "latents")
def of_full(n: Numbers) -> str | None:
    if not n["smallest_rate"] > LIMITS["full"]:
        return None
    return (
        f"every latent is full: of {n['latents']:.0f}, the one that pays least pays "
        f"{n['smallest_rate']:.1f} nats. More of them would carry more"
    )


@rule("grey", "note", "03, section 12", "grey")
def of_grey(n: Numbers) -> str | None:
    if not n["grey"] > 0.02:
        return None
    return (
        f"{n['grey']:.0%} of the values are grey, and Bernoulli has no density of "
        "them: its nats compare with those of other Bernoulli models only"
    )
