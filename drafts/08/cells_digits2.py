code("digits-bound", r"""
def digit_schedule(steps):
    '''Return A_1, ..., A_T, with the steps where training drew its log SNRs.'''
    levels = drawn_level(np.linspace(1, 0, steps))[0]
    return special.expit(np.float64(ops.convert_to_numpy(levels)))


def digit_terms(kept, label, repeats):
    '''Return the bound's three terms for the test digits, nats, each (n,) or a number.

    The sum over steps is estimated from a few of them per digit, all equally often.
    '''
    rng, n, steps = np.random.default_rng(0), len(binary), len(kept) - 1
    snr, denoising = kept / (1 - kept), np.zeros(n)
    for _ in range(repeats):
        t = 1 + ((rng.permutation(n) + rng.random()) * steps / n).astype(int)
        now = kept[t][:, np.newaxis]
        x_t = noised(binary, now, rng.normal(size=binary.shape))
        guess = np.tanh(logits_of(x_t, now, label) / 2)
        squares = np.sum((guess - binary) ** 2, axis=1)
        denoising += 0.5 * (snr[t - 1] - snr[t]) * squares * steps / repeats
    x_1 = noised(binary, kept[0], rng.normal(size=binary.shape))
    logits = logits_of(x_1, kept[0], label)
    reconstruction = np.sum(np.logaddexp(0, -binary * logits), axis=1)
    return reconstruction, -0.5 * 784 * np.log1p(-kept[-1]), denoising
""")
code("digits-table", r"""
repeats, kept_rows, kept_nats = training.by_budget(full=3, short=1, quick=1), {}, {}
runs = {"T = 30": (30, untold), "T = 100": (100, untold), "T = 1000": (1000, untold)}
runs["T = 1000, label told"] = (1000, y_test)
for name, (steps, label) in runs.items():
    terms = digit_terms(digit_schedule(steps), label, repeats)
    row = {n: np.mean(t) for n, t in zip(names, terms, strict=True)}
    kept_nats[name] = sum(terms)
    row["minus the bound"] = kept_nats[name].mean()
    row["standard error"] = kept_nats[name].std() / np.sqrt(len(binary))
    kept_rows[name] = row
print(metrics.table(kept_rows, ".2f", "nats per binary test digit"))
gain = kept_nats["T = 1000"] - kept_nats["T = 1000, label told"]
error = gain.std() / np.sqrt(len(gain))
print(f"told the label: {gain.mean():.2f} ± {error:.2f} nats fewer, same noise")
""")
code("digits-profile", r"""
levels, sums = np.arange(-7.5, 3, 1.0), []
few = np.random.default_rng(2).choice(len(binary), min(500, len(binary)), replace=False)
for level in levels:
    kept = special.expit(level)
    noise = np.random.default_rng(3).normal(size=(len(few), 784))
    logits = logits_of(noised(binary[few], kept, noise), kept, untold[few])
    squares = np.sum((np.tanh(logits / 2) - binary[few]) ** 2, axis=1)
    sums.append(0.5 * np.exp(level) * squares.mean())
figure, ax = plt.subplots(figsize=(7, 3.3))
ax.bar(levels, sums, 0.9, color=BLUE)
ax.set(xlabel="log SNR $\\lambda$", ylabel="nats per unit of $\\lambda$")
low, high = -4, 1
most = np.sum(np.array(sums)[(levels > low) & (levels < high)]) / np.sum(sums)
ax.set_title(f"{most:.0%} of a digit's nats stand between {low} and {high}")
plots.describe(
    f"The bound's integrand over the log SNR for {len(few)} test digits: a hill with "
    f"its top near {levels[np.argmax(sums)]:.1f}, {max(sums):.0f} nats per unit, and"
    f" {most:.0%} of its area between {low} and {high}."
)
plt.show()
""")
code("digits-way", r"""
def digit_guess(label, weight=0.0):
    '''Return a guess of x_0 that leans on labels (n,); 0 ignores them, 1 is told.'''

    def guess(x_t, kept):
        free = np.tanh(logits_of(x_t, kept, np.full(len(x_t), 10)) / 2)
        if weight == 0:
            return free
        told = np.tanh(logits_of(x_t, kept, label) / 2)
        return np.clip(free + weight * (told - free), -1, 1)

    return guess
""")
code("digits-samples", r"""
def alone(x):
    '''Return the share of ink pixels of (n, 28, 28) without ink at any of 4 sides.'''
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    sides = padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1]
    sides = sides + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]
    return np.mean(sides[x == 1] == 0)


start = np.random.default_rng(0).normal(size=(100, 784))
rows = {"real": (binary[few[:100]] + 1) / 2}
for steps in (10, 50, training.by_budget(full=250, short=100, quick=5)):
    rng = np.random.default_rng(1)
    chance = sample(digit_guess(None), start, digit_schedule(steps), rng) / 2 + 0.5
    rows[f"T = {steps}"] = np.where(rng.random(chance.shape) < chance, 1.0, 0.0)
rows = {name: x.reshape(-1, 28, 28) for name, x in rows.items()}
lonely = {name: alone(x) for name, x in rows.items()}
title = "Digits from noise; ink that stands alone: "
title += ", ".join(f"{name} {share:.1%}" for name, share in lonely.items())
plots.image_rows({name: x[:12, ..., np.newaxis] for name, x in rows.items()}, title)
plots.describe(
    "Twelve real digits and twelve from noise for each number of steps, most of them "
    f"legible, some broken. {title}."
)
plt.show()
""")
code("digits-claim", r"""
minus = {name: nats.mean() for name, nats in kept_nats.items()}
print(
    metrics.claims(
        {
            "more steps, a better bound": minus["T = 30"]
            > minus["T = 100"]
            > minus["T = 1000"],
            "told the label, a better one yet": gain.mean() > 3 * error,
            "nearly all nats stand in the third term": 0.99 * minus["T = 1000"]
            < kept_rows["T = 1000"]["denoising"],
        }
    )
)
""", tags=["claim"])
md("digits-note", r"""
All but a few hundredths of a nat stand in the third term: the last coins cost nothing, since at $\lambda = 3$ hardly a pixel is in doubt, and prior matching as good as nothing. Few steps are dear, thirty more so than a hundred; with a thousand we are near the continuous limit.

**How good is that?** The unit is that of a VAE's ELBO, and the 10,000 binary digits are those of 03, section 10. There the VAE with 32 latents needed about 93 nats, after 2,000 steps of 256 digits: it is ahead of this network. (One training each.) Both saw some hundred thousand digits, a few minutes each: a diffusion model is no shortcut to a better bound. Told the label it needs two to three nats less; a label holds $\ln 10 = 2.3$.

The profile says what the nats are for: most go to log SNRs around zero, where the guesses above have long decided on a digit, and not yet on its outline. The digits drawn from noise are mostly legible and rough at the edges. (These are coins: each pixel is drawn for itself in the last step, and only there.) With more steps less ink stands alone, though more than in real digits.
""")
md("guidance", r"""
## 10. Guidance: more than the label asks

Half of the time the network was told the label, half of the time not. The difference between its two guesses is what the label says, here and now. **Classifier-free guidance** (Ho and Salimans 2022) exaggerates it:

$$\hat x_w = \hat x(x_t) + w\,\big[\hat x(x_t, y) - \hat x(x_t)\big]$$

$w = 0$ ignores the label, $w = 1$ believes it, $w > 1$ asks for digits that are *more* like a 3 than digits of class 3 are. In terms of scores the difference is $\nabla \ln p(y \mid x_t)$: the gradient of a classifier that nobody trained. (Papers also write $1 + w$ for our $w$; look before you compare.)
""")
md("ex-guided", r"""
### Exercise 4: guidance

Write it for predictions of noise. Mind the direction.
""")
code("ex-guided-stub", r"""
def guided(without, told, weight):
    '''Return the guided noise (n, d) from predictions without and with the label.'''
    raise NotImplementedError("your turn")
""")
code("ex-guided-check", r"""
print(checks.check_guided(guided))
""", check=True)
md("ex-guided-solution", r"""
<details><summary>Solution</summary>

The noise is linear in the picture, so the formula is the same.

```python
def guided(without, told, weight):
    return without + weight * (told - without)
```

</details>
""")
code("guidance-draws", r"""
each = training.by_budget(full=40, short=10, quick=2)  # digits per class
asked, drawn, rng = np.tile(np.arange(10), each), {}, np.random.default_rng(3)
start = rng.normal(size=(len(asked), 784))
kept = digit_schedule(training.by_budget(full=60, short=30, quick=5))
for weight in (0, 1, 3, 6):
    chance = sample(digit_guess(asked, weight), start, kept, rng) / 2 + 0.5
    drawn[weight] = 2.0 * (rng.random(chance.shape) < chance) - 1
""")
code("guidance-table", r"""
known = np.random.default_rng(4).permutation(len(data.x_train))[:10_000]
seen = 2 * metrics.binarised(data.x_train[known], seed=1).reshape(-1, 784) - 1
votes = KNeighborsClassifier(5).fit(seen, data.y_train[known])
order = np.random.default_rng(5).permutation(len(binary))
real = np.concatenate([order[y_test[order] == k][:each] for k in range(10)])


def judged(x, labels):
    '''Return how many (n, 784) are recognised, and a pixel's variance in a class.'''
    spread = np.mean([x[labels == k].var(axis=0).mean() for k in range(10)])
    return {"recognised": np.mean(votes.predict(x) == labels), "spread": spread}


rows = {"real digits": judged(binary[real], y_test[real])}
for weight, x in drawn.items():
    rows[f"w = {weight}"] = judged(x, asked)
print(metrics.table(rows, ".3f", f"{len(asked)} digits each"))
""")
code("guidance-figure", r"""
shown = {f"w = {w}": (x[:10].reshape(-1, 28, 28, 1) + 1) / 2 for w, x in drawn.items()}
plots.image_rows(shown, "Asked for 0 to 9: the more guidance, the plainer")
plots.describe(
    "Ten digits asked for, 0 to 9, without guidance and with three weights. Recognised "
    "as asked and spread within a class: "
    + "; ".join(
        f"{n} {row['recognised']:.0%}, {row['spread']:.2f}" for n, row in rows.items()
    )
)
plt.show()
""")
code("guidance-claim", r"""
free, told, more, most = (rows[f"w = {w}"] for w in (0, 1, 3, 6))
print(
    metrics.claims(
        {
            "told the label, more digits are as asked": told["recognised"]
            > free["recognised"] + 0.3,
            "guidance beyond 1 narrows a class": more["spread"] < told["spread"],
        }
    )
)
""", tags=["claim"])
md("guidance-note", r"""
Without guidance the ten are anything (one in ten is right by chance). Told the label at $w = 1$, most are as asked; at $w = 3$ nearly all are, more even than of real digits, and at 6 they are plain enough for a stamp. What it costs stands in the last column: digits of one class vary less and less, and below what real ones do. Guidance is no better model of the data: it leaves out what is rare. (The judge is five nearest neighbours among 10,000 training digits; it errs on some real ones too.)

""")
md("cats", r"""
## 11. Cats

CATS COME HERE
""")
md("summary", r"""
## 12. What to take away

- A diffusion model is a hierarchical VAE with three restrictions: latents as large as the data, an encoder that only adds noise, a last latent that is standard normal. The ELBO stays; its third term is a sum of weighted squared errors.
- Guessing the picture, the noise, the velocity or the score is one task; the four differ by factors of the SNR, and by what an error costs where.
- In continuous time the bound weighs the noise's error alike at every log SNR, and no schedule between the same ends changes it. The usual loss weighs by its schedule's density: good for pictures, and no likelihood.
- Ancestral and deterministic sampling are one formula with another variance. Both need short steps; the deterministic one makes noise a code.
- Test samplers where the best guess is known: then every fault is the sampler's. Let the schedule end in noise, and mind variance against deviation.
- For binary data a Bernoulli last step makes the bound comparable with a VAE's. Bounds on grey or continuous data are in another unit.
- Guidance trades variety for recognisability.

### Symbols

| symbol | meaning |
|---|---|
| $x_0$, $x_t$, $T$ | the data, the latent of layer $t$, the number of layers |
| $a_t$, $A_t$ | share of variance kept in step $t$; their product, the share that is signal |
| SNR, $\lambda$ | $A_t / (1 - A_t)$, and its logarithm |
| $\hat x$, $\hat\epsilon$, $\hat v$ | guesses of the data, of the noise, of the velocity |
| $s$ | standard deviation of the noise of a sampler's step |
| $w$ | a loss's weight by $\lambda$; in section 10 the strength of guidance |

### Further reading

- C. Luo, *Understanding diffusion models: a unified perspective*, 2022, [arXiv 2208.11970](https://arxiv.org/abs/2208.11970): the road of sections 1 to 5, with every derivation.
- J. Sohl-Dickstein et al., *Deep unsupervised learning using nonequilibrium thermodynamics*, 2015, [arXiv 1503.03585](https://arxiv.org/abs/1503.03585): the idea.
- J. Ho, A. Jain and P. Abbeel, *Denoising diffusion probabilistic models*, 2020, [arXiv 2006.11239](https://arxiv.org/abs/2006.11239): the loss that everybody uses.
- D. P. Kingma et al., *Variational diffusion models*, 2021, [arXiv 2107.00630](https://arxiv.org/abs/2107.00630): the SNR form and continuous time; D. P. Kingma and R. Gao, *Understanding diffusion objectives as the ELBO with simple data augmentation*, 2023, [arXiv 2303.00848](https://arxiv.org/abs/2303.00848).
- Y. Song et al., *Score-based generative modeling through stochastic differential equations*, 2021, [arXiv 2011.13456](https://arxiv.org/abs/2011.13456); J. Song, C. Meng and S. Ermon, *Denoising diffusion implicit models*, 2021, [arXiv 2010.02502](https://arxiv.org/abs/2010.02502): the deterministic sampler.
- A. Nichol and P. Dhariwal, *Improved denoising diffusion probabilistic models*, 2021, [arXiv 2102.09672](https://arxiv.org/abs/2102.09672): the cosine schedule; S. Lin et al., *Common diffusion noise schedules and sample steps are flawed*, 2024, [arXiv 2305.08891](https://arxiv.org/abs/2305.08891): signal left at the end.
- T. Salimans and J. Ho, *Progressive distillation for fast sampling of diffusion models*, 2022, [arXiv 2202.00512](https://arxiv.org/abs/2202.00512): the velocity; J. Ho and T. Salimans, *Classifier-free diffusion guidance*, 2022, [arXiv 2207.12598](https://arxiv.org/abs/2207.12598).
- Y. Lipman et al., *Flow matching for generative modeling*, 2023, [arXiv 2210.02747](https://arxiv.org/abs/2210.02747).
- R. Rombach et al., *High-resolution image synthesis with latent diffusion models*, 2022, [arXiv 2112.10752](https://arxiv.org/abs/2112.10752); A. van den Oord, O. Vinyals and K. Kavukcuoglu, *Neural discrete representation learning*, 2017, [arXiv 1711.00937](https://arxiv.org/abs/1711.00937): diffusion on a VAE's codes, and codes that are discrete.
""")
