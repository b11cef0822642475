md("title", r"""
# 08 · Towards diffusion

**Give a VAE's latents latents of their own, a thousand deep; let the encoder learn nothing and only add noise. What is left to learn is to take noise away, and the ELBO you know is its loss.**

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/vae-course/blob/v0.1.0/notebooks/08_towards_diffusion.ipynb)

At the end you will be able to

- say by which three restrictions a hierarchical VAE becomes a diffusion model, and write its bound term by term;
- turn a prediction of noise into one of the picture or of the velocity, and say what the usual loss weighs differently;
- write the two common samplers, test them where the answer is known, and recognise two classic faults;
- train a diffusion model on points and on binary digits, state its bound in nats, and guide it by labels.

**You need** [03 · The variational autoencoder](03_variational_autoencoder.ipynb); section 9 of [01](01_paper_math.ipynb) derives the bound that is taken up here. **It takes** about two hours to read and play with; to run, about ten minutes on two cores, or less than a minute with `VAE_COURSE_BUDGET=quick`.
""")
boot()
code("imports", r"""
from itertools import pairwise

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from scipy import integrate, special, stats
from scipy.spatial.distance import cdist
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsClassifier

from helpers import checks, datasets, diffusion, metrics, plots, training
from helpers.plots import BLUE, GREEN, GREY, ORANGE

plots.use_style()


def report(what, differences, limit):
    '''Print the largest absolute difference, and whether it stays below a limit.'''
    largest = np.max(np.abs(differences))
    below = largest < limit
    print(f"{what}: largest difference {largest:.1e}, below {limit:g}: {below}")
""")
md("deeper", r"""
## 1. A VAE whose latents have latents

A VAE's prior is simple, and its codes are not: in 03 and 04 samples suffered where the two did not match. One cure is to model the codes as we model the pictures, by a VAE of their own: $z_2 \to z_1 \to x$. Nothing in the derivation of the ELBO changes:

$$\ln p(x) \ge E_q\left[\ln \frac{p(z_2)\, p(z_1 \mid z_2)\, p(x \mid z_1)}{q(z_1 \mid x)\, q(z_2 \mid z_1)}\right]$$

This is a **hierarchical VAE**, here a *Markov* one: each variable depends on its neighbour alone, down the chain and up. Does an encoder that goes up step by step lose anything against one that looks at $x$ in every step? No: given $z_1$, the picture says nothing more about $z_2$, so that the exact posterior is such a chain too. In a linear model with all noise of variance 1, where everything is known:
""")
code("deeper-check", r"""
rng = np.random.default_rng(0)
a, b = 0.8, 1.5  # z_2 ~ N(0, 1), z_1 = a z_2 + noise, x = b z_1 + noise
spread = a**2 + 1  # of z_1
x = np.sqrt(b**2 * spread + 1) * rng.normal(size=100_000)
truth = stats.norm.logpdf(x, 0, np.sqrt(b**2 * spread + 1))


def two_layer_bound(top):
    '''Return one sample of the bound for each x, nats; top(z_1) is q(z_2|z_1).'''
    below = stats.norm(b * x / (b**2 + 1 / spread), (b**2 + 1 / spread) ** -0.5)
    z_1 = below.mean() + below.std() * rng.normal(size=x.shape)
    above = top(z_1)
    z_2 = above.mean() + above.std() * rng.normal(size=x.shape)
    log_p = stats.norm.logpdf(z_2) + stats.norm.logpdf(z_1, a * z_2)
    log_p += stats.norm.logpdf(x, b * z_1)
    return log_p - below.logpdf(z_1) - above.logpdf(z_2)


exact = two_layer_bound(lambda z_1: stats.norm(a * z_1 / spread, spread**-0.5))
report("exact chain of posteriors, bound minus ln p(x)", exact - truth, 1e-9)
blind = two_layer_bound(lambda z_1: stats.norm(0 * z_1, 1))
print(f"a top encoder that looks at nothing loses {np.mean(truth - blind):.3f} nats,")
print(f"and its KL to the exact one is {0.5 * (2 * a**2 - np.log(spread)):.3f}")
""", check=True)
md("restrictions", r"""
Two layers can be ten, or a thousand; $x_0$ will be the data point, $x_1, \dots, x_T$ its latents. But a thousand encoders and decoders that must be trained together are a thousand ways to fail: upper layers tend to be ignored, as the second encoder above ignores its input. **Diffusion models** (Sohl-Dickstein et al. 2015; Ho, Jain and Abbeel 2020) buy depth with three restrictions (we follow Luo 2022):

| | restriction | what it buys |
|---|---|---|
| 1 | every latent has as many numbers as the data | one network can serve all layers |
| 2 | the encoder is fixed: $q(x_t \mid x_{t-1}) = N\big(\sqrt{a_t}\, x_{t-1},\, (1 - a_t) I\big)$ | nothing to learn on the way up, and any layer is reached in one jump |
| 3 | the last latent is standard normal, $p(x_T) = N(0, I)$, and the $a_t$ see to it that $q(x_T \mid x_0)$ is too | the prior matches by construction: no holes to sample from |

What they cost: no compression, and as many steps to draw a sample as there are layers.

## 2. Noise that learns nothing

With $A_t = a_1 a_2 \cdots a_t$ the jump from the data to layer $t$ is (01 derives it)

$$q(x_t \mid x_0) = N\big(\sqrt{A_t}\, x_0,\; (1 - A_t) I\big), \qquad \mathrm{SNR}(t) = \frac{A_t}{1 - A_t}, \qquad \lambda_t = \ln \mathrm{SNR}(t).$$

$A_t$ is how much of the variance is signal, the SNR how it compares with the noise. The *schedule* says how the SNR falls. Ours is the plainest: its logarithm $\lambda$ falls in even steps, from 8 (three thousand times more signal than noise) to -9 (eight thousand times less).
""")
code("schedule", r"""
HIGH, LOW = 8.0, -9.0


def schedule(steps, high=HIGH, low=LOW):
    '''Return A_1, ..., A_T: the log SNR falls evenly from high to low.'''
    return special.expit(np.linspace(high, low, steps))


def noised(x, kept, noise):
    '''Return x_t, a draw from q(x_t|x_0), where kept is A_t.'''
    return np.sqrt(kept) * x + np.sqrt(1 - kept) * noise


A, x_t = schedule(100), np.full(200_000, 1.7)
for kept in np.append(A[0], A[1:] / A[:-1]):  # a_1, ..., a_T: one step at a time
    x_t = noised(x_t, kept, rng.normal(size=x_t.shape))
    if kept == A[51] / A[50]:
        jump = np.sqrt(A[51]) * 1.7, np.sqrt(1 - A[51])
        print(f"after 52 steps: mean {x_t.mean():.3f}, std {x_t.std():.3f}")
        print(f"in one jump:    mean {jump[0]:.3f}, std {jump[1]:.3f}")
print(f"after 100 steps: mean {x_t.mean():.3f}, std {x_t.std():.3f}")
""", check=True)
md("plane-data-text", r"""
To see it, two sets of points in the plane: **moons** and **spirals**, each a curve and its mirror image, thickened by a little normal noise. Four hundred points along each arm make the density a sum that a computer can do, so that here too $\ln q(x_t)$ is known at every layer.
""")
code("plane-data", r"""
WIDTH = 0.1


def curve(name, u):
    '''Return points (n, 2) of one arm at u (n,) in [0, 1]; the other is -points.'''
    if name == "moons":
        return 1.2 * np.stack([np.cos(np.pi * u) - 0.5, np.sin(np.pi * u) - 0.25], -1)
    angle = 4 * np.pi * np.sqrt(0.05 + 0.95 * u)
    return 0.15 * angle[:, np.newaxis] * np.stack([np.cos(angle), np.sin(angle)], -1)


def draw_points(name, count, rng):
    points = curve(name, rng.random(count)) * rng.choice([-1, 1], (count, 1))
    return points + WIDTH * rng.normal(size=(count, 2))


def log_density(name, x, kept=1.0):
    '''Return ln q(x_t) at points (n, 2), (n,), and the exact mean of x_0, (n, 2).'''
    arm = curve(name, (np.arange(400) + 0.5) / 400)
    centres, spread = np.concatenate([arm, -arm]), kept * WIDTH**2 + 1 - kept
    logs = -cdist(x, np.sqrt(kept) * centres, "sqeuclidean") / (2 * spread)
    weights = special.softmax(logs, axis=1)  # (n, 800)
    mean = (weights @ centres * (1 - kept) + np.sqrt(kept) * WIDTH**2 * x) / spread
    return special.logsumexp(logs, axis=1) - np.log(1600 * np.pi * spread), mean
""")
code("dissolve", r"""
figure, axes = plt.subplots(2, 5, figsize=(10, 4.4), sharex=True, sharey=True)
levels, gaps = (8, 3, 0, -2, -9), {}
for row, name in zip(axes, ("moons", "spirals"), strict=True):
    x = draw_points(name, 1500, np.random.default_rng(1))
    for ax, level in zip(row, levels, strict=True):
        kept = special.expit(level)
        x_t = noised(x, kept, np.random.default_rng(2).normal(size=x.shape))
        normal = stats.norm.logpdf(x_t).sum(axis=1)
        gap = np.mean(log_density(name, x_t, kept)[0] - normal)
        gaps[name, level] = abs(gap)
        ax.plot(*x_t.T, ".", ms=2, color=BLUE, alpha=0.5)
        ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal")
        ax.set(xticks=[], yticks=[])
        if name == "moons":
            ax.set_title(f"$\\lambda$ = {level}")
    row[0].set_ylabel(name)
plots.set_title(figure, "From data to noise: both sets end as one standard normal")
plots.describe(
    "Points of moons and spirals under more and more noise. Their KL from the standard "
    f"normal falls from {gaps['moons', 8]:.1f} and {gaps['spirals', 8]:.1f} nats to "
    f"{gaps['moons', -9]:.3f} and {gaps['spirals', -9]:.3f}."
)
plt.show()
""")
md("dissolve-note", r"""
The decoder's task is this film backwards. And the encoder needs no training: whatever the data are, enough noise makes them standard normal.
""")
md("ex-step", r"""
### Exercise 1: one step back, if you knew the data

Given $x_t$ and $x_0$, the layer below is normal again (01, section 9, by multiplying two normal densities). Write its mean from $A_{t-1}$ (`before`) and $A_t$ (`now`):

$$E[x_{t-1} \mid x_t, x_0] = \frac{\sqrt{a_t}\,(1 - A_{t-1})\,x_t + \sqrt{A_{t-1}}\,(1 - a_t)\,x_0}{1 - A_t}, \qquad a_t = \frac{A_t}{A_{t-1}}$$
""")
code("ex-step-stub", r"""
def step_mean(x_t, x_0, before, now):
    '''Return the mean (n, d) of q(x_{t-1}|x_t, x_0); before and now are numbers.'''
    raise NotImplementedError("your turn")
""")
code("ex-step-check", r"""
print(checks.check_step_mean(step_mean))
""", check=True)
md("ex-step-solution", r"""
<details><summary>Solution</summary>

```python
def step_mean(x_t, x_0, before, now):
    kept = now / before
    on_x_t = np.sqrt(kept) * (1 - before)
    on_x_0 = np.sqrt(before) * (1 - kept)
    return (on_x_t * x_t + on_x_0 * x_0) / (1 - now)
```

</details>
""")
md("terms", r"""
## 3. The bound, term by term

Write the ELBO of the chain, turn the encoder round by Bayes' rule, and three kinds of terms remain (01, section 9):

$$-\mathcal{L} = \underbrace{-E_q \ln p(x_0 \mid x_1)}_{\text{reconstruction}} + \underbrace{\mathrm{KL}\big(q(x_T \mid x_0),\, p(x_T)\big)}_{\text{prior matching}} + \sum_{t=2}^T \underbrace{E_q\, \mathrm{KL}\big(q(x_{t-1} \mid x_t, x_0),\, p(x_{t-1} \mid x_t)\big)}_{\text{denoising matching}}$$

The first two are a VAE's distortion and rate. The third is new: each layer of the decoder is compared with what it should do if it knew $x_0$. So let the decoder do just that, with a guess: $p(x_{t-1} \mid x_t) = q\big(x_{t-1} \mid x_t, \hat x(x_t, t)\big)$. Both are normal with the same variance, so the KL is their means' squared distance over twice the variance. **The whole decoder is one function that guesses the data from noisy data.**

For the last step, to $x_0$ itself, we take $N\big(\hat x,\, \frac{1 - A_1}{A_1}\big)$: the variance that $x_1$ alone would leave.
""")
code("bound-terms", r"""
def bound_terms(denoise, x, kept, rng):
    '''Return the three terms in nats, each (n,), one draw of noise per step.

    x are data (n,) or (n, d), kept is A_1, ..., A_T, and denoise(x_t, A_t) guesses x_0.
    '''
    x_1 = noised(x, kept[0], rng.normal(size=x.shape))
    scale = np.sqrt((1 - kept[0]) / kept[0])
    reconstruction = -stats.norm.logpdf(x, denoise(x_1, kept[0]), scale)
    last = kept[-1]
    prior = 0.5 * (last * x**2 - last - np.log1p(-last))
    denoising = np.zeros_like(x)
    for before, now in pairwise(kept):
        x_t = noised(x, now, rng.normal(size=x.shape))
        on_x_0 = np.sqrt(before) * (1 - now / before) / (1 - now)
        variance = (1 - now / before) * (1 - before) / (1 - now)
        away = on_x_0 * (denoise(x_t, now) - x)  # of the two means
        denoising += away**2 / (2 * variance)
    terms, inner = (reconstruction, prior, denoising), tuple(range(1, x.ndim))
    return [np.sum(nats, axis=inner) for nats in terms]
""")
md("known-normal", r"""
Two cases with a known answer. First 01's normal data, $x_0 \sim N(m, v)$. The best guess is the posterior mean, linear in $x_t$, and its squared error is the posterior variance, so every term's mean has a formula.
""")
code("known-normal-check", r"""
m, v = 1.5, 0.2


def normal_guess(x_t, kept):
    return m + np.sqrt(kept) * v / (kept * v + 1 - kept) * (x_t - np.sqrt(kept) * m)


def normal_terms(kept):
    '''Return the three terms' means over the data, from formulas.'''
    error = v * (1 - kept) / (kept * v + 1 - kept)  # of the best guess, squared
    snr = kept / (1 - kept)
    first = 0.5 * (np.log(2 * np.pi / snr[0]) + error[0] * snr[0])
    prior = 0.5 * (kept[-1] * (m**2 + v) - kept[-1] - np.log1p(-kept[-1]))
    return first, prior, 0.5 * np.sum((snr[:-1] - snr[1:]) * error[1:])
""")
code("known-normal-table", r"""
COUNT = training.by_budget(full=20_000, short=5000, quick=1000)
x, rows = rng.normal(m, np.sqrt(v), size=COUNT), {}
names = "reconstruction", "prior matching", "denoising"
for steps in (10, 100, 1000):
    sampled = bound_terms(normal_guess, x, schedule(steps), rng)
    both = {"sampled": sampled, "formulas": normal_terms(schedule(steps))}
    for way, terms in both.items():
        row = {name: np.mean(term) for name, term in zip(names, terms, strict=True)}
        rows[f"T = {steps}, {way}"] = row | {"sum": np.mean(sum(terms))}
rows["-E ln p(x)"] = {"sum": 0.5 * np.log(2 * np.pi * np.e * v)}
print(metrics.table(rows, ".3f", "nats"))
""")
md("known-normal-note", r"""
Sampled and computed terms agree to the second decimal, and the sum comes down to the data's own entropy as the steps get finer: with a thousand of them, hundredths of a nat are missing. (01's chain had *no* gap, even with one step: there each step had the variance of the true reverse step. Here it is that of $q(x_{t-1} \mid x_t, x_0)$, which needs no knowledge of the data, and which short steps forgive.)

Second, data in **two modes** of unequal shares: 30% at -2, 70% at 2. Under noise they stay a mixture, so the **score** $\nabla \ln q(x_t)$, the direction in which the noisy data become denser, has a formula, and it yields the best guess (Tweedie's formula):

$$\hat x = E[x_0 \mid x_t] = \frac{x_t + (1 - A_t)\, \nabla \ln q(x_t)}{\sqrt{A_t}}$$

To denoise, to know the score, to be a decoder: one thing.
""")
code("two-modes", r"""
MODES, SHARES, SPREAD = np.array([-2.0, 2.0]), np.array([0.3, 0.7]), 0.4


def mixture_parts(x_t, kept, shares=SHARES, spread=SPREAD):
    '''Return ln of both parts' share of q(x_t), (n, 2), and distances, (n, 2).'''
    away = x_t[..., np.newaxis] - np.sqrt(kept) * MODES
    scale = np.sqrt(kept * spread**2 + 1 - kept)
    return np.log(shares) + stats.norm.logpdf(away, 0, scale), away


def mixture_score(x_t, kept, **wrong):
    logs, away = mixture_parts(x_t, kept, **wrong)
    variance = kept * wrong.get("spread", SPREAD) ** 2 + 1 - kept
    return np.sum(special.softmax(logs, axis=-1) * -away, axis=-1) / variance


def mixture_guess(x_t, kept, **wrong):
    return (x_t + (1 - kept) * mixture_score(x_t, kept, **wrong)) / np.sqrt(kept)


def log_mixture(x, **wrong):
    return special.logsumexp(mixture_parts(x, 1.0, **wrong)[0], axis=-1)
""")
code("two-modes-check", r"""
x_t, kept, step = np.linspace(-4, 4, 41), 0.6, 1e-5
beside = [mixture_parts(x_t + s, kept)[0] for s in (step, -step)]
slope = np.subtract(*special.logsumexp(beside, axis=-1)) / (2 * step)
report("score, formula against differences", mixture_score(x_t, kept) - slope, 1e-8)

line = np.linspace(-6, 6, 4001)
weight = np.exp(log_mixture(line)) * stats.norm.pdf(
    x_t[:, np.newaxis], np.sqrt(kept) * line, np.sqrt(1 - kept)
)
mean = weight @ line / weight.sum(axis=1)
report("best guess, by score against Bayes", mixture_guess(x_t, kept) - mean, 1e-8)
entropy = -np.sum(np.exp(log_mixture(line)) * log_mixture(line)) * (line[1] - line[0])
print(f"the data's own -E ln q(x): {entropy:.4f} nats")
""", check=True)
code("lengths", r"""
x_modes = rng.choice(MODES, COUNT, p=SHARES) + SPREAD * rng.normal(size=COUNT)
lengths, rows, missing = (10, 30, 100, 300, 1000), {}, {"normal": [], "two modes": []}
least = 0.5 * np.log(2 * np.pi * np.e * v)
for steps in lengths:
    found = bound_terms(mixture_guess, x_modes, schedule(steps), rng)
    short = sum(found) + log_mixture(x_modes)  # -bound + ln q(x), nats
    missing["two modes"].append(short.mean())
    missing["normal"].append(sum(normal_terms(schedule(steps))) - least)
    row = dict(zip(names, map(np.mean, found), strict=True))
    error = short.std() / np.sqrt(len(short))
    rows[f"T = {steps}"] = row | {"missing": short.mean(), "standard error": error}
print(metrics.table(rows, ".3f", "two modes, nats"))
""")
code("lengths-figure", r"""
figure, ax = plt.subplots(figsize=(7, 3.6))
for (name, values), colour in zip(missing.items(), (GREY, BLUE), strict=True):
    ax.plot(lengths, values, "o-", color=colour, label=name)
ax.plot(lengths, 40 / np.array(lengths), "k:", lw=1, label="a slope of 1/T")
ax.set(xscale="log", yscale="log", xlabel="steps T", ylabel="missing (nats)")
ax.legend()
tenfold = missing["normal"][4] / missing["normal"][2]
ax.set_title(f"From 100 to 1,000 steps, normal data miss {tenfold:.0%} as much")
plots.describe(
    "What the bound misses of the data's own log density, against the number of steps: "
    f"two modes fall from {missing['two modes'][0]:.1f} to "
    f"{missing['two modes'][-1]:.3f} nats, normal data from {missing['normal'][0]:.1f} "
    f"to {missing['normal'][-1]:.3f}, both about as 1/T."
)
plt.show()
""")
code("lengths-claim", r"""
print(
    metrics.claims(
        {
            "more steps miss less, in both cases": all(
                later < before
                for values in missing.values()
                for before, later in pairwise(values)
            ),
            "prior matching costs less than 0.001 nats": rows["T = 10"][names[1]]
            < 0.001,
        }
    )
)
""", tags=["claim"])
md("lengths-note", r"""
The data lie in two heaps, each step of the decoder is one normal, and still the bound closes: what is missing shrinks in proportion to the step. Nearly all nats stand in the third term. The first would shrink to nothing if $\lambda$ began higher, the second if it ended lower.
""")
md("predictions", r"""
## 4. Picture, noise, velocity: one thing, three names

What should a network put out? The picture $\hat x$, as above; or the noise in $x_t$, $\hat\epsilon$ (Ho et al. 2020); or the **velocity** $\hat v = \sqrt{A_t}\,\hat\epsilon - \sqrt{1 - A_t}\,\hat x$ (Salimans and Ho 2022), the rate at which $x_t$ turns from picture to noise. Since $x_t = \sqrt{A_t}\, x_0 + \sqrt{1 - A_t}\, \epsilon$ is known, each gives the others. Think of $(\sqrt{A_t}, \sqrt{1 - A_t})$ as cosine and sine of an angle: $(x_t, \hat v)$ is $(\hat x, \hat\epsilon)$ turned by it.
""")
md("ex-velocity", r"""
### Exercise 2: from velocity to the others

Write picture and noise from $x_t$ and the velocity: turn back.
""")
code("ex-velocity-stub", r"""
def from_velocity(x_t, velocity, kept):
    '''Return picture and noise, (2, n, d), from arrays (n, d); kept is A_t.'''
    raise NotImplementedError("your turn")
""")
code("ex-velocity-check", r"""
print(checks.check_from_velocity(from_velocity))
""", check=True)
md("ex-velocity-solution", r"""
<details><summary>Solution</summary>

```python
def from_velocity(x_t, velocity, kept):
    cosine, sine = np.sqrt(kept), np.sqrt(1 - kept)
    picture = cosine * x_t - sine * velocity
    noise = sine * x_t + cosine * velocity
    return np.stack([picture, noise])
```

</details>
""")
md("errors-text", r"""
One thing to know, three things to train: what a network gets wrong by a little it gets wrong by more in the other two. The errors differ by factors that only the SNR decides,

$$|\hat\epsilon - \epsilon|^2 = \mathrm{SNR}\,|\hat x - x_0|^2, \qquad |\hat v - v|^2 = \frac{|\hat x - x_0|^2}{1 - A_t}.$$

Below, a network whose output is off by 0.1, and what that makes of the picture. With flow matching (Lipman et al. 2023) there is a fourth name: on the straight line $(1 - s)\, x_0 + s\, \epsilon$ the velocity is $\epsilon - x_0$, and at equal SNR that line's points are our $x_t$, rescaled.
""")
code("errors", r"""
rng, rows = np.random.default_rng(0), {}
x, noise, guess = rng.normal(size=(3, 1000))
for level in (8, 0, -9):
    kept = special.expit(level)
    cosine, sine = np.sqrt(kept), np.sqrt(1 - kept)
    x_t = cosine * x + sine * noise
    noise_guess = (x_t - cosine * guess) / sine
    velocities = cosine * noise - sine * x, cosine * noise_guess - sine * guess
    error = (guess - x) ** 2
    of_noise = (noise_guess - noise) ** 2 - kept / (1 - kept) * error
    of_velocity = np.subtract(*velocities) ** 2 - error / (1 - kept)
    scale = np.max(error) / (1 - kept)
    both = [of_noise / scale, of_velocity / scale]
    report(f"log SNR {level:2}, both factors", both, 1e-9)
    off = {"picture": 0.1, "noise": 0.1 * sine / cosine, "velocity": 0.1 * sine}
    rows[f"log SNR {level}"] = off
share = sine / (cosine + sine)  # s of the straight line at this SNR
straight = (1 - share) * x + share * noise - x_t / (cosine + sine)
report("points of the straight line against x_t, rescaled", straight, 1e-12)
print(metrics.table(rows, ".3f", "error of the picture, output off by 0.1"))
""", check=True)
md("errors-note", r"""
A prediction of noise says nothing about the picture where there is next to no signal: an error of 0.1 becomes one of 9. A prediction of the picture says little about the noise at the other end. The velocity is tame at both, which is why we shall use it where the data are points; for binary pixels there is something better still.
""")
