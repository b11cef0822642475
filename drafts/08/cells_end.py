md("plane", r"""
## 8. In the plane: a network that guesses

Now nothing is known any more but 20,000 points. A small network is given $x_t$, with sines and cosines of it for fine detail, and the log SNR, as eighteen smooth bumps of which it wakes one or two, and answers with a velocity. The loss is the bound's, one $\lambda$ and one draw of noise per point (spread evenly over each batch, with a random shift, which makes the average less noisy); in terms of the velocity, $|\hat\epsilon - \epsilon|^2 = A_t\, |\hat v - v|^2$.
""")
code("plane-network", r"""
def bumps(log_snr):
    '''Return a log SNR, (n, 1), as 18 smooth bumps, (n, 18), for a network to read.'''
    centres = ops.expand_dims(ops.linspace(LOW, HIGH, 18), 0)
    return ops.exp(-0.5 * ops.square(log_snr - centres))


def waves(x_t):
    '''Return points (n, 2) and 32 sines and cosines of them, to see fine detail.'''
    angles = [x_t * float(k) for k in range(1, 9)]
    return ops.concatenate([x_t, *map(ops.sin, angles), *map(ops.cos, angles)], axis=1)


def plane_network(units=128):
    x_t, log_snr = keras.Input((2,)), keras.Input((1,))
    level = bumps(log_snr)
    features = ops.concatenate([waves(x_t), level], axis=1)
    hidden = keras.layers.Dense(units, "silu")(features)
    for _ in range(3):
        both = ops.concatenate([hidden, level], axis=1)
        hidden = hidden + keras.layers.Dense(units, "silu")(both)
    return keras.Model([x_t, log_snr], keras.layers.Dense(2)(hidden))
""")
code("plane-model", r"""
def evenly(count, seeds):
    '''Return numbers (n, 1) in (0, 1), an even grid with one random shift.'''
    grid = ops.cast(ops.arange(count), "float32") + keras.random.uniform((), seed=seeds)
    return ops.expand_dims(grid / ops.cast(count, "float32"), 1)


class PlaneDiffusion(keras.Model):
    '''Train a network to predict velocities; the loss is the bound's third term.'''

    def __init__(self, network):
        super().__init__()
        self.network, self.seeds = network, keras.random.SeedGenerator(0)

    def call(self, x):
        even = evenly(ops.shape(x)[0], self.seeds)
        log_snr = LOW + (HIGH - LOW) * even
        noise = keras.random.normal(ops.shape(x), seed=self.seeds)
        signal, rest = ops.sqrt(ops.sigmoid(log_snr)), ops.sqrt(ops.sigmoid(-log_snr))
        velocity = self.network([signal * x + rest * noise, log_snr])
        wrong = ops.square(velocity - (signal * noise - rest * x))
        nats = 0.5 * (HIGH - LOW) * ops.sum(ops.square(signal) * wrong, axis=1)
        self.add_loss(ops.mean(nats))
        return nats
""")
code("plane-fit", r"""
def fit(model, inputs, epochs, batch_size, peak):
    '''Train with Adam, compiled, with a rate that rises to a peak and falls again.'''
    steps = epochs * (len(keras.tree.flatten(inputs)[0]) // batch_size)
    adam = keras.optimizers.Adam(training.one_cycle(steps, peak), beta_2=0.99)
    model.compile(adam, jit_compile=True, steps_per_execution=8)
    return model.fit(inputs, batch_size=batch_size, epochs=epochs, verbose=0).history
""")
code("plane-train", r"""
EPOCHS = training.by_budget(full=50, short=6, quick=1)
networks, points = {}, {}
for name in ("moons", "spirals"):
    keras.utils.set_random_seed(0)
    points[name] = draw_points(name, 20_000, np.random.default_rng(0))
    networks[name] = plane_network()
    model, x = PlaneDiffusion(networks[name]), points[name].astype("float32")
    loss = fit(model, x, EPOCHS, 250, 1e-2)
    print(f"{name}: loss of the last epoch {loss['loss'][-1]:.2f} nats")


def guess_by(network):
    '''Return a network's guess of x_0 as a function of x_t (n, 2) and A_t.'''

    def guess(x_t, kept):
        level = np.full((len(x_t), 1), special.logit(kept), "float32")
        velocity = network.predict_on_batch([x_t.astype("float32"), level])
        return np.sqrt(kept) * x_t - np.sqrt(1 - kept) * velocity

    return guess
""")
md("plane-bound-text", r"""
How good is it? The data's own density is known (by the sum over the curve), so the bound has a ceiling in nats. Beside it, something simpler on the same points: a mixture of normals, as many as serve 5,000 other points best.
""")
code("plane-bound", r"""
STEPS = training.by_budget(full=300, short=100, quick=5)
few, most = training.by_budget(full=500, quick=50), training.by_budget(full=80, short=20, quick=20)
counts = [count for count in (20, 40, 80) if count <= most]


def missing_nats(name, network):
    '''Return ln q(x) minus a bound or density on 3,000 fresh points, by model.'''
    choice, x = (draw_points(name, 3000, np.random.default_rng(s)) for s in (1, 2))
    truth, kept, found = log_density(name, x)[0], schedule(STEPS), {}
    ways = {"best guess": lambda x_t, kept: log_density(name, x_t, kept)[1]}
    for way, guess in (ways | {"network": guess_by(network)}).items():
        use = slice(few if way == "best guess" else None)
        found[way] = truth[use] + sum(
            bound_terms(guess, x[use], kept, np.random.default_rng(3))
        )
    fits = [GaussianMixture(k, random_state=0).fit(points[name]) for k in counts]
    best = max(fits, key=lambda fit: fit.score(choice))
    found["mixture of normals"] = truth - best.score_samples(x)
    return found


missed = {name: missing_nats(name, network) for name, network in networks.items()}
""")
code("plane-table", r"""
rows = {}
for name, found in missed.items():
    for way, nats in found.items():
        error = nats.std() / np.sqrt(len(nats))
        rows.setdefault(way, {})[name] = f"{nats.mean():.3f} ± {error:.3f}"
print(metrics.table(rows, corner="missing nats per point"))
""")
code("plane-on-curve", r"""
def on_curve(name, x):
    '''Return the share of points (n, 2) within two widths of the curve.'''
    arm = curve(name, np.linspace(0, 1, 1000))
    return np.mean(cdist(x, np.concatenate([arm, -arm])).min(axis=1) < 2 * WIDTH)
""")
code("plane-score", r"""
def both_scores(x_t, kept):
    '''Return the spirals' score at points (n, 2), exact and by the network.'''
    guesses = [log_density("spirals", x_t, kept)[1]]
    guesses += [guess_by(networks["spirals"])(x_t, kept)]
    return [(np.sqrt(kept) * guess - x_t) / (1 - kept) for guess in guesses]


x, wrong = draw_points("spirals", 2000, np.random.default_rng(7)), {}
noise = np.random.default_rng(8).normal(size=x.shape)
for level in (5, 2, -2):
    kept = special.expit(level)
    exact, found = both_scores(noised(x, kept, noise), kept)
    wrong[level] = np.mean((found - exact) ** 2) / np.mean(exact**2)
    print(f"log SNR {level:2}: squared error {wrong[level]:.1%} of the score's square")
""")
code("plane-score-figure", r"""
figure, axes = plt.subplots(1, 3, figsize=(10, 3.7), sharex=True, sharey=True)
side, fine = np.linspace(-2.6, 2.6, 21), np.linspace(-2.7, 2.7, 109)
places, square = (np.stack(np.meshgrid(s, s), -1).reshape(-1, 2) for s in (side, fine))
for ax, level in zip(axes, wrong, strict=True):
    kept = special.expit(level)
    density = np.exp(log_density("spirals", square, kept)[0]).reshape(109, 109)
    ax.pcolormesh(fine, fine, density, cmap="Greys", vmax=1.5 * density.max())
    score = both_scores(places, kept)[1]
    score = score / np.linalg.norm(score, axis=1, keepdims=True)  # its direction
    ax.quiver(*places.T, *score.T, color=BLUE, width=0.004, scale=30)
    ax.set(title=f"$\\lambda$ = {level}", xticks=[], yticks=[], aspect="equal")
plots.set_title(figure, "The learnt score points to where noisy data are dense")
plots.describe(
    "The spirals' learnt score as arrows over the exact density of noisy data, at "
    "three levels of noise: arrows lead to the dark places. Its squared error there is "
    + ", ".join(f"{share:.1%} at log SNR {level}" for level, share in wrong.items())
    + " of the exact score's square."
)
plt.show()
""")
code("plane-paths", r"""
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1), sharex=True, sharey=True)
kept, drawn = schedule(training.by_budget(full=200, quick=5)), {}
for (ax, other), name in zip(axes.reshape(2, 2), networks, strict=True):
    start, film = np.random.default_rng(9).normal(size=(60, 2)), []
    guess, rng = guess_by(networks[name]), np.random.default_rng(10)
    sample(guess, start, kept, film=film)
    ax.plot(*np.array([start, *film]).transpose(2, 0, 1), color=GREY, lw=0.6)
    ax.plot(*film[-1].T, "o", ms=3, color=ORANGE)
    drawn[name] = sample(guess, rng.normal(size=(2000, 2)), kept, rng)
    other.plot(*drawn[name].T, ".", ms=2, color=BLUE)
    ax.set(title=f"{name.capitalize()}: 60 paths", xlim=(-2.9, 2.9), ylim=(-2.9, 2.9))
    other.set_title("2,000 ancestral draws")
plt.setp(axes, xticks=[], yticks=[], aspect="equal")
plots.set_title(figure, "From noise to the curves: smoothly, or with fresh noise")
real = {n: draw_points(n, 2000, np.random.default_rng(11)) for n in drawn}
sets = {n: (drawn[n], real[n], rng.normal(size=(2000, 2))) for n in drawn}
near = {n: [on_curve(n, x) for x in three] for n, three in sets.items()}
said = [f"{n} {a:.1%} (real points {b:.1%}, noise {c:.1%})" for n, (a, b, c) in near.items()]
plots.describe(
    "Paths of the deterministic sampler run from noise to the curves, and ancestral "
    "draws beside them. Within two widths of a curve lie: " + ", ".join(said)
)
plt.show()
""")
code("plane-claim", r"""
means = {n: {way: x.mean() for way, x in f.items()} for n, f in missed.items()}
print(
    metrics.claims(
        {
            "the network misses less than 0.3 nats more than the best guess": all(
                f["network"] - f["best guess"] < 0.3 for f in means.values()
            ),
            "the mixture of normals misses less than the network": all(
                f["mixture of normals"] < f["network"] for f in means.values()
            ),
            "draws lie near the curves more often than noise does": all(
                new > noise + 0.05 for new, _, noise in near.values()
            ),
        }
    )
)
""", tags=["claim"])
md("plane-note", r"""
The network misses little more than the best guess does with as many steps: most of what is missing is the price of the steps. Its score is nearly exact where there is much noise, and least so where there is little, where the curves are thin. The mixture of normals misses next to nothing: **in the plane the older tool wins**, and nobody needs a network there. We came to see the parts move: the loss is a bound in nats whose end is known, the score points the way, the paths run smoothly, and most draws lie where the data do.
""")
md("digits", r"""
## 9. Binary digits

Pixels of 0 and 1 again, as in section 10 of 03, each drawn with its grey as the probability, and now written as $x_0 = \pm 1$. Noise is added as before. What should the last step, to pixels, be? A coin per pixel: **a Bernoulli last step**. Then the bound is one on the probability of binary pictures, in the same nats as a VAE's.

For such data the best guess has a special form. By Bayes' rule the log-odds of ink in one pixel are what the *other* pixels say about it, plus what it says itself. The second part needs no network.
""")
md("ex-logit", r"""
### Exercise 3: what a pixel says about itself

One pixel, $x_0 = \pm 1$ with equal probability, $x_t = \sqrt{A_t}\, x_0 + \sqrt{1 - A_t}\, \epsilon$. Write the log-odds $\ln \frac{p(x_0 = 1 \mid x_t)}{p(x_0 = -1 \mid x_t)}$.
""")
code("ex-logit-stub", r"""
def own_logit(x_t, kept):
    '''Return the log-odds of ink, (n,), from noisy pixels (n,); kept is A_t.'''
    raise NotImplementedError("your turn")
""")
code("ex-logit-check", r"""
print(checks.check_own_logit(own_logit))
""", check=True)
md("ex-logit-solution", r"""
<details><summary>Solution</summary>

The difference of two normal log densities with equal variance; the squares of $x_t$ cancel:
$-\frac{(x_t - \sqrt{A})^2 - (x_t + \sqrt{A})^2}{2(1 - A)} = \frac{4 \sqrt{A}\, x_t}{2 (1 - A)}$.

```python
def own_logit(x_t, kept):
    return 2 * np.sqrt(kept) / (1 - kept) * x_t
```

</details>
""")
md("digits-network-text", r"""
So let the network answer with logits $o$ for all pixels, add each pixel's own, and guess $\hat x = \tanh(o / 2)$, the mean of $\pm 1$ under these log-odds. The last step uses the same $o$. Dense layers, as in 03; the label comes in beside $\lambda$ (class 10 means "not told": section 10 will want it).

Where does $\lambda$ matter? Not beyond 3: there a pixel's own log-odds leave no doubt. And few nats lie below -6. So $\lambda$ is drawn more often in the middle, by a logistic distribution cut off at -9 and 3, and each draw is divided by its density: the same integral with less noise (Kingma et al. 2021).
""")
code("digits-data", r"""
data, MIDDLE, TOP = datasets.load_mnist(), -1.0, 3.0
print(data)
held_out = training.by_budget(full=10_000, short=2000, quick=500)
held_out = np.random.default_rng(0).permutation(len(data.x_test))[:held_out]
binary = 2 * metrics.binarised(data.x_test, seed=0)[held_out].reshape(-1, 784) - 1
y_test = np.int32(data.y_test[held_out])
untold = np.full(len(binary), 10, "int32")
FIRST, LAST = special.expit([LOW - MIDDLE, TOP - MIDDLE])


def drawn_level(even):
    '''Return log SNRs, more of them in the middle, and 1 / density; even in (0, 1).'''
    place = FIRST + (LAST - FIRST) * even
    log_odds = ops.log(place) - ops.log(1 - place)
    return MIDDLE + log_odds, (LAST - FIRST) / (place * (1 - place))
""")
code("digits-network", r"""
def digits_network(hidden=512, blocks=2):
    '''Return a model from x_t, log SNR and label to the logits of ink, (n, 784).'''
    x_t, log_snr = keras.Input((784,)), keras.Input((1,))
    label = keras.Input((), dtype="int32")
    signal, rest = ops.sqrt(ops.sigmoid(log_snr)), ops.sigmoid(-log_snr)
    own = 2 * signal / rest * x_t
    level = keras.layers.Dense(128, "silu")(bumps(log_snr))
    level = level + keras.layers.Embedding(11, 128)(label)
    features = ops.concatenate([x_t, ops.tanh(own / 2)], axis=1)
    stream = keras.layers.Dense(hidden)(features)
    for _ in range(blocks):
        inner = keras.layers.LayerNormalization()(stream)
        inner = keras.layers.Dense(hidden)(inner) + keras.layers.Dense(hidden)(level)
        out = keras.layers.Dense(hidden, kernel_initializer="zeros")
        stream = stream + out(ops.silu(inner))
    stream = keras.layers.LayerNormalization()(stream)
    stream = ops.silu(stream + keras.layers.Dense(hidden)(level))
    return keras.Model([x_t, log_snr, label], keras.layers.Dense(784)(stream) + own)
""")
code("digits-model", r"""
class DigitDiffusion(keras.Model):
    '''Train a network to guess binary digits; half of the labels are not told.'''

    def __init__(self, network):
        super().__init__()
        self.network, self.seeds = network, keras.random.SeedGenerator(0)

    def call(self, inputs):
        grey, label = inputs
        coins = keras.random.uniform(ops.shape(grey), seed=self.seeds)
        x = ops.where(coins < grey, 1.0, -1.0)  # new coins in every epoch
        hidden = keras.random.uniform(ops.shape(label), seed=self.seeds) < 0.5
        label = ops.where(hidden, 10, label)
        log_snr, share = drawn_level(evenly(ops.shape(grey)[0], self.seeds))
        noise = keras.random.normal(ops.shape(x), seed=self.seeds)
        signal, rest = ops.sqrt(ops.sigmoid(log_snr)), ops.sqrt(ops.sigmoid(-log_snr))
        logits = self.network([signal * x + rest * noise, log_snr, label])
        error = ops.sum(ops.square(ops.tanh(logits / 2) - x), axis=1, keepdims=True)
        nats = 0.5 * ops.exp(log_snr) * share * error
        self.add_loss(ops.mean(nats))
        return nats
""")
code("digits-train", r"""
keras.utils.set_random_seed(0)
EPOCHS, BATCH = training.by_budget(full=7, short=1, quick=1), 125
seen = slice(training.by_budget(full=50_000, quick=1000, short=25_000))
denoiser = digits_network()
history = fit(
    DigitDiffusion(denoiser),
    (data.x_train[seen].reshape(-1, 784), np.int32(data.y_train[seen])),
    EPOCHS,
    BATCH,
    3e-3,
)
steps = EPOCHS * len(data.x_train[seen]) // BATCH
print(f"{denoiser.count_params():,} weights, {steps:,} steps of {BATCH} digits; the loss,")
print("label told or not:", ", ".join(f"{loss:.1f}" for loss in history["loss"]))
""")
code("digits-logits", r"""
def logits_of(x_t, kept, label):
    '''Return the network's logits, (n, 784), at x_t (n, 784), A_t and labels (n,).'''
    level = np.broadcast_to(special.logit(kept), (len(x_t), 1)).astype("float32")
    inputs = [x_t.astype("float32"), level, np.int32(label)]
    parts = range(0, len(x_t), 1000)
    cut = ([array[i : i + 1000] for array in inputs] for i in parts)
    return np.concatenate([denoiser.predict_on_batch(part) for part in cut])
""")
md("digits-guess-text", r"""
What does it guess? Three test digits, drawn at random, under less and less noise.
""")
code("digits-guess", r"""
levels, noise = np.array([-5, -3, -2, -1, 0, 1]), np.random.default_rng(1)
chosen = np.random.default_rng(0).choice(len(binary), 3, replace=False)
kept, rows, vague = special.expit(levels)[:, np.newaxis], {}, []
for number, x in enumerate(binary[chosen], start=1):
    x_t = noised(x, kept, noise.normal(size=(6, 784)))
    guess = special.expit(logits_of(x_t, kept, untold[:6]))
    vague.append(np.mean((guess > 0.1) & (guess < 0.9), axis=1))
    rows[f"{number}, noisy"] = np.clip(0.5 + 0.25 * x_t, 0, 1).reshape(-1, 28, 28, 1)
    rows[f"{number}, guess"] = guess.reshape(-1, 28, 28, 1)
title = f"Log SNR {levels[0]} to {levels[-1]}: a vague mean becomes a digit"
plots.image_rows(rows, title)
share = np.mean(vague, axis=0)
plots.describe(
    "Three test digits under less and less noise, each with the network's guess below. "
    f"At log SNR {levels[0]} the guess is a blur, {share[0]:.0%} of its pixels neither "
    f"surely ink nor surely paper; at {levels[-1]} it is a digit, with {share[-1]:.0%}."
)
plt.show()
""")
