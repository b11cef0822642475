md("weights", r"""
## 5. What the loss weighs

A denoising term is, whatever the data, a squared error times a difference of SNRs (01, section 9); in finer and finer steps the sum becomes an integral over the log SNR $\lambda$:

$$\tfrac12 \sum_{t=2}^T \big[\mathrm{SNR}(t - 1) - \mathrm{SNR}(t)\big]\, |\hat x - x_0|^2 \;\longrightarrow\; \tfrac12 \int \mathrm{SNR}\, |\hat x - x_0|^2\, d\lambda \;=\; \tfrac12 \int |\hat\epsilon - \epsilon|^2\, d\lambda$$

Two things follow (Kingma et al. 2021). **In continuous time the schedule does not matter**: the integral runs over $\lambda$, and only its ends remain. And **the bound weighs the noise's error alike at every $\lambda$**.

For the two modes all of this is an integral in one dimension. The best guess's error of the noise is $1 - (1 - A_t)\,E[\text{score}^2]$. *Predict: three schedules between the same ends, 20 steps or infinitely many: which bounds differ?*
""")
code("continuous", r"""
def noise_error(level, **wrong):
    '''Return E|noise^ - noise|^2 at a log SNR, for the best guess or a wrong one.'''
    kept, x_t = special.expit(level), np.linspace(-8, 8, 1601)
    density = np.exp(special.logsumexp(mixture_parts(x_t, kept)[0], axis=-1))
    best = mixture_score(x_t, kept)
    excess = (mixture_score(x_t, kept, **wrong) - best) ** 2  # 0 if nothing is wrong
    squares = integrate.trapezoid(density * (best**2 - excess), x_t)
    return 1 - (1 - kept) * squares


levels = np.linspace(LOW, HIGH, 401)
errors = np.array([noise_error(level) for level in levels])
ends = 0.5 * (np.log(2 * np.pi) - HIGH + errors[-1])  # reconstruction
kept, square = special.expit(LOW), np.sum(SHARES * MODES**2) + SPREAD**2
ends += 0.5 * (kept * (square - 1) - np.log1p(-kept))  # prior matching
whole = ends + 0.5 * integrate.trapezoid(errors, levels)
print(f"minus the bound in continuous time: {whole:.4f} nats")
print(f"the data's own -E ln q(x):          {entropy:.4f} nats")
""", check=True)
code("schedules", r"""
t = np.linspace(0, 1, 200_001)[1:-1]
by_time = {
    "even log SNR": HIGH - (HIGH - LOW) * t,
    "cosine": -2 * np.log(np.tan(np.pi * t / 2)),
    "linear": -np.log(np.expm1(0.1 * t + 9.95 * t**2)),
}
by_time = {n: path[(path < HIGH) & (path > LOW)] for n, path in by_time.items()}
rows, densities, rng = {}, {}, np.random.default_rng(0)
for name, path in by_time.items():
    rows[name] = {}
    for steps in (20, 1000):
        chosen = path[np.linspace(0, len(path) - 1, steps).astype(int)]
        snr, error = np.exp(chosen), np.interp(chosen, levels, errors)
        terms = 0.5 * (snr[:-1] / snr[1:] - 1) * error[1:]
        rows[name][f"T = {steps}"] = ends + terms.sum()
    rows[name]["continuous"] = ends + 0.5 * integrate.trapezoid(
        np.interp(-path, -levels[::-1], errors[::-1]), -path
    )
    densities[name] = np.histogram(path, 85, (LOW, HIGH), density=True)[0]
print(metrics.table(rows, ".3f", "minus the bound, nats"))
""", check=True)
md("schedules-note", r"""
(*Cosine* is Nichol and Dhariwal's schedule of 2021, *linear* that of Ho et al. 2020; both cut at our two ends.) With few steps the schedule decides how much is lost; in continuous time all three give the same number, and it is the data's own.

**The usual loss** draws $t$ evenly and averages $|\hat\epsilon - \epsilon|^2$ as it is (Ho et al. 2020). In terms of $\lambda$ that is $\int |\hat\epsilon - \epsilon|^2\, w(\lambda)\, d\lambda$, where $w$ is the density of $\lambda$ that the schedule makes of even $t$: the bound's integral, reweighted, and a bound no longer. Does it matter? Plant two mistakes that cost the same, in a model whose guesses are the best for slightly wrong data: once with modes too wide, once with equal shares. In continuous time the bound's excess must be $\mathrm{KL}(\text{data}, \text{model})$.
""")
code("planted", r"""
weights = np.interp(levels, np.linspace(LOW, HIGH, 86)[:-1] + 0.1, densities["cosine"])
rows = {}
mistakes = {
    "modes too wide": {"spread": 0.549},
    "equal shares": {"shares": np.array([0.5, 0.5])},
}
for name, wrong in mistakes.items():
    excess = [noise_error(level, **wrong) for level in levels] - errors
    ratio = log_mixture(line) - log_mixture(line, **wrong)
    kl = integrate.trapezoid(np.exp(log_mixture(line)) * ratio, line)
    rows[name] = {"KL(data, model)": kl}
    rows[name]["bound's excess"] = 0.5 * integrate.trapezoid(excess, levels)
    rows[name]["usual loss's"] = integrate.trapezoid(weights * excess, levels)
print(metrics.table(rows, ".4f", "nats, and squared noise"))
wide, equal = (row["usual loss's"] for row in rows.values())
print(f"by the usual loss the second is {equal / wide:.2f} times as bad as the first")
""", check=True)
code("weights-figure", r"""
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5))
axes[0].plot(levels, errors / 2, color=BLUE)
axes[0].set(xlabel="log SNR $\\lambda$", ylabel="nats per unit of $\\lambda$")
axes[0].set_title("Where two modes cost nats")
middles = np.linspace(LOW, HIGH, 86)[:-1] + 0.1
for (name, density), colour in zip(
    densities.items(), (BLUE, ORANGE, GREEN), strict=True
):
    label = "the bound's: even" if name == "even log SNR" else f"usual loss, {name}"
    axes[1].plot(middles, density, color=colour, label=label)
axes[1].set(xlabel="log SNR $\\lambda$", ylabel="weight", ylim=(0, 0.34))
axes[1].set_title("How much each loss looks there")
axes[1].legend(loc="upper left", fontsize=9)
near = 3
share = densities["cosine"][np.abs(middles) < near].sum() * 0.2
plots.describe(
    "Left: the bound's integrand for two modes: highest where there is least noise, "
    f"{errors[-1] / 2:.2f} nats per unit of log SNR, and next to nothing where all is "
    "noise. Right: the bound weighs every log SNR alike; the usual loss with the "
    f"cosine schedule has {share:.0%} of its weight from {-near} to {near}."
)
plt.show()
""")
code("weights-claim", r"""
values = list(rows.values())
print(
    metrics.claims(
        {
            "the bound's excess is the KL, within 1%": all(
                abs(row["bound's excess"] / row["KL(data, model)"] - 1) < 0.01
                for row in values
            ),
            "the usual loss minds one mistake more than the other": equal > 1.1 * wide,
        }
    )
)
""", tags=["claim"])
md("weights-note", r"""
The bound's excess *is* the KL, mistake by mistake. The usual loss sees both mistakes too, and is least for the same best guess; but it counts the wrong shares for more than the wrong width, which shows at high SNR only, where it hardly looks. That is its appeal for pictures: fine grain costs many nats and the eye little. It is also why a low usual loss is no likelihood. (One can have both: weights that never rise with the SNR make a loss that is a bound again, on data with noise added; Kingma and Gao 2023.)
""")
md("samplers", r"""
## 6. Two ways back

To draw from the decoder is to walk the chain down: **ancestral sampling**. Each step draws from $q(x_{t-1} \mid x_t, \hat x)$. The same step can be written with $\hat\epsilon$, the noise that goes with $\hat x$:

$$x_{t-1} = \sqrt{A_{t-1}}\,\hat x + \sqrt{1 - A_{t-1} - s^2}\;\hat\epsilon + s\,\text{noise}, \qquad s^2 = \frac{(1 - a_t)(1 - A_{t-1})}{1 - A_t}$$

In this form $s$ is free: with any $s$, if $\hat x$ were $x_0$, $x_{t-1}$ has the mean and variance that it should have given the data. With $s = 0$ nothing random is left but the start: the **deterministic sampler** (Song, Meng and Ermon 2021). In fine steps it follows a differential equation whose solutions have the density $q(x_t)$ at every $t$ (Song et al. 2021).
""")
code("sampler", r"""
def sample(denoise, x, kept, rng=None, film=None, scale=np.sqrt):
    '''Walk from noise x to data along A_T, ..., A_1; without rng, deterministically.'''
    for now, before in pairwise(kept[::-1]):
        guess = denoise(x, now)
        noise = (x - np.sqrt(now) * guess) / np.sqrt(1 - now)
        variance = 0.0 if rng is None else (1 - now / before) * (1 - before) / (1 - now)
        x = np.sqrt(before) * guess + np.sqrt(1 - before - variance) * noise
        if rng is not None:
            x = x + scale(variance) * rng.normal(size=x.shape)
        if film is not None:
            film.append(x)
    return denoise(x, kept[0])


def data_cdf(x):
    return stats.norm.cdf((x[..., np.newaxis] - MODES) / SPREAD) @ SHARES


before, now, x_t, x_0 = 0.6, 0.5, -0.8, 1.3  # the new form against Exercise 1's
kept, noise = now / before, (x_t - np.sqrt(now) * x_0) / np.sqrt(1 - now)
variance = (1 - kept) * (1 - before) / (1 - now)
mean = np.sqrt(before) * x_0 + np.sqrt(1 - before - variance) * noise
formula = np.sqrt(kept) * (1 - before) * x_t + np.sqrt(before) * (1 - kept) * x_0
report("mean of a step, both forms", mean - formula / (1 - now), 1e-12)
""", check=True)
md("sampler-known", r"""
Again a known answer. In one dimension the deterministic walk is a rising curve from noise to data, so it must take the noise's quantiles to the data's: the median to the median, the highest percent to the highest percent. And the ancestral samples' distribution function can be held against the data's: the largest difference (Kolmogorov and Smirnov's) stays below 0.01 for most sets of 20,000 right draws.
""")
code("sampler-check", r"""
rng, u = np.random.default_rng(0), np.linspace(0.001, 0.999, 999)
right = stats.kstest(data_cdf(x_modes), "uniform").statistic
rows = {"real data": {"ancestral": right}}
for steps in (10, 30, 100, 300, 1000):
    walked = sample(mixture_guess, stats.norm.ppf(u), schedule(steps))
    drawn = sample(mixture_guess, rng.normal(size=COUNT), schedule(steps), rng)
    row = {"deterministic": np.abs(data_cdf(walked) - u).max()}
    row["ancestral"] = stats.kstest(data_cdf(drawn), "uniform").statistic
    rows[f"T = {steps}"] = row
print(metrics.table(rows, ".4f", "largest difference"))
""")
code("paths", r"""
kept, start = schedule(300), stats.norm.ppf((np.arange(12) + 0.5) / 12)
space, shown = np.linspace(-3.6, 3.6, 181), np.linspace(LOW, HIGH, 120)
density = [
    np.exp(special.logsumexp(mixture_parts(space, special.expit(level))[0], axis=-1))
    for level in shown
]
films = {"Ancestral": [start], "Deterministic": [start]}
for film, noise in zip(films.values(), (np.random.default_rng(4), None), strict=True):
    sample(mixture_guess, start, kept, noise, film)
moved = {n: np.sum((f[-1] < 0) != (f[0] < f[0][4])) for n, f in films.items()}
disorder = {n: np.sum(np.diff(f, axis=1) <= 0) for n, f in films.items()}
""")
code("paths-figure", r"""
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True)
for ax, (name, film) in zip(axes, films.items(), strict=True):
    ax.pcolormesh(shown, space, np.transpose(density) ** 0.5, cmap="Greys", vmax=1.4)
    ax.plot(special.logit(kept[::-1]), film, color=BLUE, lw=1.1)
    ax.set(xlabel="log SNR $\\lambda$", title=name, ylim=(-3.6, 3.6))
axes[0].set_ylabel("$x_t$")
plots.set_title(figure, "Same starts: without fresh noise, paths never cross")
plots.describe(
    f"{len(start)} paths from noise to two modes. Ancestral ones wander: "
    f"{moved['Ancestral']} end in another mode than their start's rank would say. "
    f"Deterministic ones are smooth and keep their order at every step: "
    f"{moved['Deterministic']} do, and {np.sum(films['Deterministic'][-1] < 0)} end in "
    "the left mode."
)
plt.show()
""")
code("paths-claim", r"""
short, long = rows["T = 10"], rows["T = 1000"]
print(
    metrics.claims(
        {
            "both come near the data with 1,000 steps": max(long.values()) < 0.02,
            "both are off by more than 0.05 with 10": min(short.values()) > 0.05,
            "deterministic paths keep their order": disorder["Deterministic"] == 0,
        }
    )
)
""", tags=["claim"])
md("paths-note", r"""
Both walks end in the right distribution, and both need steps: with ten they are far off, with hundreds as good as the data's own draws. Fresh noise lets a path change its mind; without it, all is decided by the start, which makes $x_T$ a *code* of $x_0$: encode by walking up, decode by walking down, interpolate in between.

For later, `helpers.diffusion` keeps the same formulas for tensors of any shape. Its time runs from 0 to 1 along the cosine schedule, $A_t = \cos^2(\pi t / 2)$; at a few times:
""")
code("helpers-check", r"""
rng, t, s = np.random.default_rng(0), 0.6, 0.55
x, noise = np.float32(rng.normal(size=(2, 5, 3)))
times, (now, before) = np.full(5, t), np.cos(np.pi / 2 * np.array([t, s])) ** 2
x_t = diffusion.noised(x, times, noise)
report("x_t", x_t - noised(x, now, noise), 1e-5)
velocity = diffusion.target(x, times, noise, "velocity")
report("velocity", velocity - (np.sqrt(now) * noise - np.sqrt(1 - now) * x), 1e-5)
both = diffusion.picture_and_noise(velocity, x_t, times)
report("picture and noise from it", np.stack(both) - np.stack([x, noise]), 1e-5)
mean, deviation = diffusion.posterior(x, x_t, t, s)
variance = (1 - now / before) * (1 - before) / (1 - now)
formula = np.sqrt(before) * x + np.sqrt(1 - before - variance) * noise
report("a step's mean", mean - formula, 1e-5)
report("its deviation", deviation - np.sqrt(variance), 1e-5)
slope = np.diff(diffusion.log_snr(np.float32([t - 0.01, t + 0.01])))[0] / 0.02
weight = diffusion.bound_weight(np.float32([t]), "noise")[0]
print(f"weight of the noise's error {weight:.2f},", end=" ")
print(f"minus half the slope of the log SNR {-slope / 2:.2f}")
""", check=True)
md("break", r"""
## 7. Break it on purpose

The guess stays the best there is; whatever goes wrong is the walk's fault. *Predict what each fault does to two modes of 30% and 70%.*

1. **A schedule that ends with signal left**: the last $\lambda$ is -2, so that 12% of the variance of $x_T$ is signal. Sampling starts from $N(0, I)$ all the same.
2. **A wrong variance**: the noise of each step is multiplied by $s^2$ in place of $s$, the slip of 01's section 10.
""")
code("broken", r"""
rng, start = np.random.default_rng(5), np.random.default_rng(6).normal(size=COUNT)
ended, kept = schedule(300, low=-2.0), schedule(300)

drawn = {
    "sound": sample(mixture_guess, start, kept, rng),
    "signal left at the end": sample(mixture_guess, start, ended, rng),
    "variance as deviation": sample(mixture_guess, start, kept, rng, scale=np.abs),
}
rows = {"data": {"on the right": 0.7, "their spread": SPREAD}}
for name, x in drawn.items():
    row = {"on the right": np.mean(x > 0), "their spread": np.std(x[x > 0])}
    row["largest difference"] = stats.kstest(data_cdf(x), "uniform").statistic
    rows[name] = row
print(metrics.table(rows, ".3f"))
last, mean = ended[-1], np.sum(SHARES * MODES**2) + SPREAD**2
nats = 0.5 * (last * mean - last - np.log1p(-last))
print(f"prior matching, signal left at the end: {nats:.3f} nats")
""")
code("broken-figure", r"""
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.2), sharex=True)
line = np.linspace(-4, 4, 801)
for ax, (name, x) in zip(axes, drawn.items(), strict=True):
    colour = BLUE if name == "sound" else ORANGE
    ax.hist(x, bins=80, range=(-4, 4), density=True, color=colour, alpha=0.6)
    ax.plot(line, np.exp(log_mixture(line)), color="k", lw=1.2)
    share = rows[name]["on the right"]
    ax.set(title=name.capitalize(), yticks=[], xlabel=f"$x_0$; {share:.0%} on the right")
axes[0].set_ylabel("density")
left, squared = (rows[name] for name in list(drawn)[1:])
plots.describe(
    "Histograms of samples over the data's density. Sound: they agree. Signal left at "
    f"the end: both modes, but {left['on the right']:.0%} on the right in place of "
    f"{SHARES[1]:.0%}. Variance as deviation: needles of spread "
    f"{squared['their spread']:.2f} in place of {SPREAD}, "
    f"{squared['on the right']:.0%} on the right."
)
plt.show()
""")
code("broken-claim", r"""
print(
    metrics.claims(
        {
            "signal left: too much of the rarer mode": left["on the right"] < 0.67,
            "wrong variance: the modes become needles": squared["their spread"] < 0.2,
            "the sound sampler has neither fault": rows["sound"]["largest difference"]
            < 0.02,
        }
    )
)
""", tags=["claim"])
md("broken-note", r"""
Both faults leave samples that *look* like data, one by one. The first moves shares towards what an even start would give: the pictures of such models are never quite dark nor quite bright (Lin et al. 2024). The bound sees it: prior matching, otherwise next to nothing, costs a quarter of a nat for each number, and pictures have thousands. The second makes every sample too typical: needles at the modes, and the rarer mode lost. The bound can't see it, since it never samples. Of the two faults one is the model's, one the sampler's; look at both.
""")
