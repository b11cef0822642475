md("title", r"""
# 09 · Your own data

**From a folder, a table or a signal to a VAE that is known to be sound: ten lines each to get there, and a doctor for when you didn't.**

[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/your-name/vae-course/blob/v0.1.0/notebooks/09_your_own_data.ipynb)

At the end you will be able to

- load a folder of pictures, a table with holes or a set of signals, in three parts that share nothing;
- say by one held-out figure whether a VAE of them is better than a constant, and better than PCA;
- recognise the usual ways to be wrong, by figures and not by the look of samples, and repair them;
- write down what you made so that somebody else can judge it.

**You need** [03 · The variational autoencoder](03_variational_autoencoder.ipynb). **It takes** an hour to read and play with; to run, about five minutes on two cores, or less than two with `VAE_COURSE_BUDGET=quick`.
""")
code("bootstrap", "pass")
code("imports", r"""
import csv
import pathlib
import tempfile

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import ops
from PIL import Image
from sklearn import datasets as offline

from helpers import checks, datasets, families, likelihoods, metrics, models, plots
from helpers import training
from helpers.datasets import drawn_cats

plots.use_style()
rng = np.random.default_rng(9)
folder = pathlib.Path(tempfile.mkdtemp())
""")
md("pictures", r"""
## 1. A folder of pictures

You have a folder. Here it is one of drawn cats, light ones and dark ones, written as files so that nothing is given away; and, as in life, it also holds a text file and a picture that was cut off.
""")
code("pictures-written", r"""
count = training.by_budget(full=2000, quick=300)
factors = drawn_cats.random_factors(count, seed=9)
light = list(drawn_cats.FACTORS).index("fur_lightness")
for index, picture in enumerate(drawn_cats.draw(factors, 32)):
    kind = "light" if factors[index, light] > 0.5 else "dark"
    path = folder / "cats" / kind / f"{index}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.uint8(np.round(255 * picture))).save(path)
(folder / "cats" / "notes.txt").write_text("the third from the left is Minka")
broken = (folder / "cats" / "dark" / path.name).with_name("broken.png")
broken.write_bytes(path.read_bytes()[:200])
print(f"{count:,} pictures in two folders, and two files that are none")
""")
code("pictures-loaded", r"""
cats = datasets.load_folder(
    folder / "cats", (32, 32), labels="folders", duplicates="equal"
)
print(cats)
print("labels:", dict(enumerate(cats.class_names)))
""")
md("pictures-note", r"""
What can't be read was named. Eight pictures in ten are for training, one in ten for what you choose, one in ten for the figure at the end; a picture's part depends on its name alone, so that tomorrow's split is today's. (`duplicates="equal"` because these are drawings, which resemble each other far more than photographs do; for photographs leave it out, and near-duplicates are grouped as well.)

Ten lines to a model. The pictures are in colour, so the likelihood is a normal around the mean picture, whose $\sigma$ follows the error.
""")
code("pictures-trained", r"""
STEPS = training.by_budget(full=2000, quick=60)


def trained(data, likelihood, latents, hidden=(256,), steps=STEPS, seed=0, **options):
    keras.utils.set_random_seed(seed)
    vae = models.build_vae(
        data.image_shape, latents, likelihood=likelihood, hidden=hidden
    )
    best = keras.callbacks.EarlyStopping(patience=30, restore_best_weights=True)
    options = {"learning_rate": 3e-3, "batch_size": 64, "rounds": 20} | options
    options |= {"callbacks": [best], "held_out": data.x_validation}
    training.train(vae, data.x_train, steps=steps, seed=seed, verbose=False, **options)
    return vae


cat_vae = trained(cats, "gaussian", 12)
print(f"test pictures: {metrics.elbo(cat_vae, cats.x_test)}")
""")
md("pictures-samples", r"""
(The weights that stay are those of the round with the best validation loss.) Look at it: pictures and their reconstructions, samples, and the codes in a plane.
""")
code("pictures-shown", r"""
shown = cats.x_test[:10]
rows = {"test pictures": shown, "reconstructed": cat_vae.reconstruct(shown)}
rows["samples"] = cat_vae.generate(10)
plots.image_rows(rows, "Cats of your own: seen, given back, and made up")
error = metrics.mse(shown, rows["reconstructed"]).mean()
plots.describe(
    f"Ten test pictures, their reconstructions (squared error {error:.4f} per value) "
    "and ten samples: blurred cats, in the colours of the drawn ones."
)
plt.show()
""")
code("pictures-map", r"""
def latent_map(vae, data, title):
    '''Show test codes along the two directions in which they vary most.'''
    codes = vae.encode(data.x_test)
    centred = codes - codes.mean(axis=0)
    plane = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    names = np.array(data.class_names)[data.y_test]
    plots.code_scatter(plane, names, title)
    kinds = {name: plane[names == name] for name in data.class_names}
    middles = [points.mean(axis=0) for points in kinds.values()]
    apart = np.linalg.norm(middles[0] - middles[1])
    plots.describe(
        f"Codes of {len(codes)} test rows in the plane of largest variance. The means "
        f"of {' and '.join(data.class_names[:2])} lie {apart:.2f} apart."
    )


latent_map(cat_vae, cats, "The code knows light from dark, untold")
plt.show()
""")
md("table", r"""
## 2. A table

569 tumours, 30 measured columns, one label: the breast cancer data that come with scikit-learn, written as a CSV file, with a few cells lost.
""")
code("table-written", r"""
found = offline.load_breast_cancer(as_frame=False)
lost = np.random.default_rng(0).random(found.data.shape) < 0.002
cells = np.where(lost, "", found.data.astype(str))
names = np.array(found.target_names)[found.target]
lines = [",".join([*found.feature_names, "diagnosis"])]
lines += [",".join([*row, name]) for row, name in zip(cells, names, strict=True)]
(folder / "tumours.csv").write_text("\n".join(lines))
print(f"{lost.sum()} of {lost.size:,} cells are empty")
try:
    datasets.load_table(folder / "tumours.csv", label="diagnosis")
except ValueError as error:
    print("refused:", str(error).replace(str(folder), "")[:200])
""")
code("table-trained", r"""
tumours = datasets.load_table(
    folder / "tumours.csv", label="diagnosis", missing="fill"
)
print(tumours)
normal = likelihoods.Gaussian("optimal", bounded=False)
table_vae = trained(tumours, normal, 5, hidden=(64,), steps=STEPS // 3)
print(f"test rows: {metrics.elbo(table_vae, tumours.x_test)}")
""")
md("table-note", r"""
The loader does not guess: it says where values are missing, and fills them (by the median of the *training* rows) only when told to. Columns are standardised by the training rows, since one $\sigma$ serves all columns: in the file's own units the areas, in the hundreds, would be all that counts.
""")
exercise("standardise", "Exercise 1: in training units",
r"""Write `standardise(train, new)`: rows (m, k) in units of the training rows (n, k), each column by its own mean and standard deviation. A column that never changes is only centred.""",
"standardise(train, new)",
"""def standardise(train, new):
    deviation = train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1)
    return (new - train.mean(axis=0)) / deviation""")
code("table-map", r"""
latent_map(table_vae, tumours, "Benign and malignant part, though no label was shown")
plt.show()
""")
md("signal", r"""
## 3. A signal

Two thousand heartbeats, say; here sums of two waves with noise, 64 points each. An array is enough. A signal is (n, steps, channels), and the same model takes it.
""")
code("signal-drawn", r"""
count = training.by_budget(full=2000, quick=300)
time = np.arange(64) / 64
period, size = rng.uniform(1, 4, (count, 1)), rng.uniform(0.5, 1.5, (count, 1))
phases = rng.uniform(0, 2 * np.pi, (2, count, 1))
waves = np.sin(2 * np.pi * period * time + phases[0])
waves = waves + 0.5 * size * np.sin(2 * np.pi * 6 * time + phases[1])
noisy = waves + rng.normal(0, 0.1, waves.shape)
signals = datasets.from_arrays(noisy[..., np.newaxis], name="waves")
print(signals)
signal_vae = trained(signals, likelihoods.Gaussian("optimal", bounded=False), 8)
sigma = float(ops.exp(signal_vae.likelihood.log_sigma))
print(f"test signals: {metrics.elbo(signal_vae, signals.x_test)}")
print(f"sigma {sigma:.3f}; the noise that was drawn has 0.100")
""")
code("signal-shown", r"""
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8), sharey=True)
given = signals.x_test[:4]
panels = {"Test signals": given, "Given back": signal_vae.reconstruct(given)}
panels["Samples"] = signal_vae.generate(4)
for ax, (title, lines) in zip(axes, panels.items(), strict=True):
    ax.plot(time, lines[..., 0].T)
    ax.set(title=title, xlabel="time")
plots.set_title(figure, "Given back, waves lose their noise")
rough = {t: np.diff(x[..., 0], axis=1).std() for t, x in panels.items()}
plots.describe(
    "Four test signals, their reconstructions and four samples. Steps from point to "
    "point have the deviation "
    + ", ".join(f"{value:.2f} ({title})" for title, value in rough.items())
)
plt.show()
""")
md("baselines", r"""
## 4. Would something simpler do?

A bound alone says nothing: −60 nats may be marvellous for one table and poor for another. Two figures make a scale. A **constant**: the training rows' mean for everything, with the best $\sigma$. And **PCA with as many latents**, as a density: probabilistic PCA, whose $\ln p(x)$ is exact (Tipping and Bishop, 1999). All three are in nats per test row, under the same kind of likelihood. **Predict** for which of the three data sets PCA would do.
""")
code("baselines-table", r"""
three = {
    "cats": (cat_vae, cats),
    "tumours": (table_vae, tumours),
    "waves": (signal_vae, signals),
}
rows, leads = {}, {}
for name, (vae, data) in three.items():
    x = data.x_test
    costs = np.sum(metrics.elbo_terms(vae, x), axis=0)
    by_line = metrics.linear_nats(vae, data.x_train, x)
    lead = by_line - costs
    half = 1.96 * lead.std() / len(lead) ** 0.5
    leads[name] = lead.mean(), half
    rows[name] = {
        "constant": -metrics.constant_nats(vae, data.x_train, x).mean(),
        "PCA": -by_line.mean(),
        "VAE": -costs.mean(),
        "VAE ahead by": f"{lead.mean():.1f} ± {half:.1f}",
    }
print(metrics.table(rows, ".1f", "nats per test row, higher is better"))
""")
md("baselines-note", r"""
BASELINES_NOTE
""")
code("baselines-claim", r"""
statements = {
    "the VAE of the cats is ahead of PCA": leads["cats"][0] > leads["cats"][1],
    "the VAE of the waves is ahead of PCA": leads["waves"][0] > leads["waves"][1],
    "the VAE of the tumours is not": leads["tumours"][0] < leads["tumours"][1],
}
print(metrics.claims(statements))
""", "claim")
md("doctor", r"""
## 5. The doctor

`metrics.diagnose` looks at a trained VAE and its data, and says what it found, worst first, with the section of this course that explains it. It is no oracle: it measures some thirty figures, and has thresholds, which were fixed on three data sets and judged on three others with planted faults (section 7).
""")
code("doctor-asked", r"""
for name, (vae, data) in three.items():
    print(f"--- {name}")
    print(metrics.diagnose(vae, data))
""")
md("museum", r"""
## 6. The bug museum

Fourteen VAEs of scikit-learn's small digits (8 x 8), each made from a trouble that people really have. Every one of them trains, and its loss falls. The code stands here, the *order* is shuffled: exhibits carry letters. Look at curves, pictures and figures, write your diagnoses down, then ask the doctor.

First the wrong layers.
""")
code("museum-data", r"""
found = offline.load_digits()
digits = datasets.from_arrays(
    found.images[..., np.newaxis], found.target, 16, "equal", name="small digits"
)
print(digits)
PLAIN = training.by_budget(full=1000, quick=60)


def fitted(vae, x=digits.x_train, steps=PLAIN, rate=3e-3):
    return training.train_seeded(
        vae,
        x,
        steps=steps,
        learning_rate=rate,
        batch_size=min(64, len(x)),
        held_out=digits.x_validation,
        rounds=min(10, steps),
        verbose=False,
    )
""")
code("museum-layers", r"""
class MeanBernoulli(likelihoods.Bernoulli):
    def negative_log_likelihood(self, x, output):
        return super().negative_log_likelihood(x, output) / np.prod(x.shape[1:])


class MeanKL(families.Normal):
    def kl_divergence(self, parameters, z=None):
        return super().kl_divergence(parameters, z) / parameters[0].shape[-1]


class VarianceForDeviation(families.Normal):
    def sample_posterior(self, parameters, seed=None):
        z_mean, z_log_var = parameters
        noise = keras.random.normal(ops.shape(z_mean), seed=seed)
        return z_mean + ops.exp(z_log_var) * noise


class Squash(keras.layers.Layer):
    def call(self, outputs):
        return ops.sigmoid(outputs)
""")
code("museum-models", r"""
def small(seed=0, hidden=(128,), **options):
    keras.utils.set_random_seed(seed)
    return models.build_vae(digits.image_shape, 8, hidden=hidden, **options)


def squashed():
    vae = small()
    decoder = keras.Model(vae.decoder.input, Squash()(vae.decoder.output))
    return models.VAE(vae.encoder, decoder)


def dead():
    vae, codes = small(), keras.Input((8,))
    asleep = keras.initializers.Constant(-100)
    features = keras.layers.Dense(64, "relu", bias_initializer=asleep)(codes)
    pixels = keras.layers.Dense(64)(features)
    output = keras.layers.Reshape(digits.image_shape)(pixels)
    return models.VAE(vae.encoder, keras.Model(codes, output))
""")
code("museum-trained", r"""
sound, other = small(), small(1)
log = fitted(sound)
fitted(other)
built = {
    "sound": sound,
    "a mean over pixels": small(likelihood=MeanBernoulli()),
    "a mean over latents": small(family=MeanKL()),
    "the variance for a deviation": small(family=VarianceForDeviation()),
    "two sigmoids": squashed(),
    "a beta of 100": small(beta=100.0),
    "a warm-up that never arrives": small(beta=training.warm_up(30 * PLAIN)),
    "a dead decoder": dead(),
    "few pictures by heart": small(hidden=(256, 256)),
    "a dozen steps": small(),
}
special = {
    "few pictures by heart": {"x": digits.x_train[:80], "steps": 2 * PLAIN},
    "a dozen steps": {"steps": 12},
}
logs = {"sound": log}
for name, vae in [*built.items()][1:]:
    logs[name] = fitted(vae, **special.get(name, {}))
""")
code("museum-mixed", r"""
mixed, unloaded = small(), small(2)
mixed.set_weights(sound.get_weights())
mixed.encoder.set_weights(other.encoder.get_weights())
unloaded.encoder.set_weights(sound.encoder.get_weights())
built |= {"two runs mixed": mixed, "a decoder not loaded": unloaded}
x, new = digits.x_train, digits.x_validation
data = dict.fromkeys(built, (x, new))
data["few pictures by heart"] = x[:80], new
leaky = np.concatenate([x[: len(new) // 2], new[len(new) // 2 :]])
for name, parts in {
    "copies in both parts": (x, leaky),
    "another scale": (x, new / 2),
    "pixels from -1 to 1": (2 * x - 1, 2 * new - 1),
}.items():
    built[name], data[name] = sound, parts
order = np.random.default_rng(4).permutation(len(built))
letters = dict(zip("ABCDEFGHIJKLMNO", (list(built)[i] for i in order), strict=True))
print(f"{len(letters)} exhibits: {', '.join(letters)}")
""")
code("museum-curves", r"""
figure, axes = plt.subplots(3, 5, figsize=(9.5, 5.2))
for ax, (letter, name) in zip(axes.flat, letters.items(), strict=True):
    if name in logs:
        for key, colour in (("loss", plots.BLUE), ("val_loss", plots.ORANGE)):
            ax.plot(logs[name]["step"], logs[name][key], color=colour)
    else:
        ax.text(0.5, 0.5, "not trained\nanew", ha="center", va="center")
        ax.set(xticks=[], yticks=[])
    ax.set_title(letter)
plots.set_title(figure, "Every loss falls: training blue, validation orange")
falls = sum(log["loss"][-1] < log["loss"][0] for log in logs.values())
plots.describe(
    f"Fifteen panels. Of {len(logs)} exhibits that were trained, the training loss of "
    f"{falls} falls from the first round to the last."
)
plt.show()
""")
code("museum-pictures", r"""
shown, rows = digits.x_validation[:6], {"digits": None}
blank = np.zeros_like(shown[:1])
for letter, name in letters.items():
    vae = built[name]
    parts = [vae.reconstruct(shown), blank, vae.generate(6)]
    rows[letter] = np.concatenate(parts)
rows["digits"] = np.concatenate([shown, blank, digits.x_validation[6:12]])
plots.image_rows(rows, "Left reconstructions, right samples: most look like something")
spread = {k: float(images[7:].var(axis=0).sum()) for k, images in rows.items()}
flat = [k for k, value in spread.items() if value < 0.2 * spread["digits"]]
plots.describe(
    "Rows of six reconstructions and six samples per exhibit, under real digits. "
    f"Samples vary by less than a fifth of the digits' variance in {', '.join(flat)}."
)
plt.show()
""")
code("museum-figures", r"""
FIGURES = ("noise", "kl_ratio", "distortion_ratio", "beta", "rate", "prior_gain")
FIGURES += ("train", "held_out", "slack", "copied")
seen = {k: metrics.diagnose(built[n], data[n]) for k, n in letters.items()}
rows = {
    letter: {
        name: f"{found.numbers[name]:.3g}" if name in found.numbers else "-"
        for name in FIGURES
    }
    for letter, found in seen.items()
}
print(metrics.table(rows, corner=""))
""")
md("museum-predict", r"""
What the columns are: `noise`, the variance of samples around their mean over the posterior's own (1 is right); `kl_ratio`, the family's KL over the same by sampling (1); `distortion_ratio`, the loss's distortion over a sum over pixels (1); `beta`, what a nat of KL weighs in the loss; `rate`, in nats; `prior_gain`, the nats that a density fitted to the codes would win; `train` and `held_out`, minus the ELBO; `slack`, by how much a hundred weighted samples lift the bound; `copied`, the share of held-out rows with a near copy in training.

**Diagnose** every letter before you go on: one is sound. Then compare.
""")
code("museum-answers", r"""
missed = []
for letter, name in letters.items():
    found = seen[letter]
    first = next(iter(found), None)
    says = str(first) if found.names else "nothing wrong that was looked for"
    print(f"{letter}: {name}\n     {says}")
    if bool(found.names) == (name == "sound"):
        missed.append(letter)
print(f"\nthe doctor was wrong about {len(missed)} of {len(letters)}: {missed}")
""")
md("museum-note", r"""
MUSEUM_NOTE
""")
code("museum-repaired", r"""
def bound(name):
    '''Return the ELBO that a sound model with these networks would report.'''
    vae = small(hidden=(256, 256)) if "heart" in name else small()
    vae.set_weights(built[name].get_weights())
    return metrics.elbo(vae, digits.x_test).elbo


repairable = ("a mean over pixels", "a mean over latents", "a beta of 100")
repairable += ("a warm-up that never arrives", "few pictures by heart")
repairable += ("a dozen steps", "two runs mixed", "a decoder not loaded")
whole = bound("sound")
rows = {name: {"broken": bound(name), "repaired": whole} for name in repairable}
print(metrics.table(rows, ".1f", "ELBO of test digits, nats"))
""")
md("museum-repaired-note", r"""
The repair is the same for all: the sound model, trained as long, with the right sum, weight, data or decoder; so the right column is one number. What the fault costs is the difference, measured by the *right* bound. Some cost little. That is why they live so long.
""")
exercise("hidden_sigma", "Exercise 2: the sigma you did not choose",
r"""Much code has for its loss the *mean* squared error over the $D$ values of a row, plus the KL in nats. Up to a constant that is a VAE with a Gaussian likelihood of some $\sigma$, since $-\ln p(x \mid z) = \sum_i (x_i - m_i)^2 / 2\sigma^2 + \dots$ Write `hidden_sigma(values)`: which one, for $D$ = `values`?""",
"hidden_sigma(values)",
"""def hidden_sigma(values):
    return np.sqrt(values / 2)""",
"The two agree if $1/D = 1/2\\sigma^2$. For a digit of 784 pixels in [0, 1] that is a $\\sigma$ of 20: no wonder that nothing but the mean is learned.\n\n")
exercise("copied", "Exercise 3: seen before",
r"""Write `copied(known, new)`: the share of new rows (m, D) that are at most half as far (Euclidean) from the nearest known row (n, D) as from the second nearest. A row that stands twice among the known ones counts as copied too.""",
"copied(known, new)",
"""def copied(known, new):
    squared = np.sum((new[:, np.newaxis] - known) ** 2, axis=-1)
    first, second = np.sort(np.sqrt(squared), axis=1)[:, :2].T
    return np.mean(first <= 0.5 * second)""")
exercise("prior_gain", "Exercise 4: what another density would win",
r"""Write `prior_gain(z_train, z)`: fit a normal density, with its whole covariance (`np.cov(..., ddof=0)`), to training codes (n, d); return by how many nats per code it is ahead of $N(0, I)$ on other codes (m, d), on average.""",
"prior_gain(z_train, z)",
"""def prior_gain(z_train, z):
    mean, covariance = z_train.mean(axis=0), np.cov(z_train, rowvar=False, ddof=0)
    apart = z - mean
    squared = np.sum(apart * np.linalg.solve(covariance, apart.T).T, axis=1)
    fitted = -0.5 * (squared + np.linalg.slogdet(covariance)[1])
    return np.mean(fitted + 0.5 * np.sum(z**2, axis=1))""",
"The constants with $\\ln 2\\pi$ are the same in both, and drop out.\n\n")
md("matrix", r"""
## 7. How good is the doctor?

A doctor who always says "collapse" is right about every collapse. So its thresholds were fixed on planted faults in three data sets (small digits, signals, tumours), and judged on three others with other seeds (MNIST's digits, drawn cats, wines): `data/results/diagnose.csv`, made by `python -m helpers.engine.results diagnose`. Here is the half that it was *not* fixed on. A fault is found if one of its own names is among those that are wrong or poor; a false alarm is any such name for a sound model.
""")
code("matrix-table", r"""
path = pathlib.Path(datasets.__file__).parents[2] / "data/results/diagnose.csv"
with path.open(newline="") as file:
    table = [row for row in csv.DictReader(file) if row["half"] == "judge"]


def named(row):
    '''Return the names of what is wrong or poor in a row, by today's thresholds.'''
    if row["of_data"]:
        return set(row["of_data"].split())
    skipped = {"data", "seed", "half", "fault", "expected", "of_data"}
    numbers = {k: float(v) for k, v in row.items() if v and k not in skipped}
    return {f.name for f in metrics.judged(numbers) if f.severity != "note"}


rows = {}
for row in table:
    found, right = named(row), set(row["expected"].split())
    cell = rows.setdefault(row["fault"].replace("_", " "), {"of": 0, "found": 0})
    cell["of"] += 1
    cell["found"] += bool(found & right) if right else not found
print(metrics.table(rows, corner="fault (sound: left in peace)"))
""")
md("matrix-note", r"""
MATRIX_NOTE
""")
md("card", r"""
## 8. A model card

What you hand on is not the weights alone. `metrics.model_card` writes what somebody needs to judge them (Mitchell et al., 2019): data and split, sizes, bounds with their spread over seeds, baselines, and what is known to be wrong. Test rows are measured here, once, at the end.
""")
code("card-written", r"""
seeds = [table_vae]
for seed in (1, 2):
    fresh = likelihoods.Gaussian("optimal", bounded=False)
    options = {"hidden": (64,), "steps": STEPS // 3, "seed": seed}
    seeds.append(trained(tumours, fresh, 5, **options))
card = metrics.model_card(
    seeds,
    tumours,
    "Tumours, 30 columns",
    f"{STEPS // 3} steps of 64 rows, Adam, one cycle up to 0.003; the best of 20 "
    "rounds by validation loss; seeds 0, 1 and 2.",
    limits=["For teaching; not a medical device, and not tested as one."],
)
(folder / "card.md").write_text(card)
print(card)
""")
md("break", r"""
## 9. Break it on purpose: standardise before the split

The mildest leak: mean and deviation of *all* rows, test rows among them. **Predict** what it changes, with all the tumours and with thirty.
""")
code("break-code", r"""
rows = {}
for size in (30, len(found_rows := np.array(offline.load_breast_cancer().data))):
    gains = []
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(len(found_rows))[:size]
        known, asked = np.split(found_rows[order], [int(0.8 * size)])
        honest = (asked - known.mean(0)) / known.std(0)
        both = np.concatenate([known, asked])
        leaky = (asked - both.mean(0)) / both.std(0)
        gains.append(np.mean(honest**2) - np.mean(leaky**2))
    rows[f"{size} rows"] = {
        "mean": np.mean(gains),
        "largest": np.max(gains),
        "smallest": np.min(gains),
    }
print("mean square of test rows: honest less leaky, twenty splits")
print(metrics.table(rows, ".3f"))
""")
md("break-note", r"""
BREAK_NOTE
""")
md("end", r"""
## 10. What to take away

- Split first, by what is the same; scale by the training rows; choose on validation rows; measure test rows once.
- One likelihood for each kind of data, its nats *summed* over a row. Then a bound can be held against a constant and against PCA.
- PCA is no straw man. For a small table it may be all you need.
- A falling loss and nice pictures exclude little. A dozen figures, each with a value that it ought to have, exclude much.
- Write a card while you still know what you did.

### Symbols

| symbol | meaning |
|---|---|
| $x$ | a picture, a row of a table, a signal |
| $D$ | the values in it |
| $z$, $q(z \mid x)$, $p(z)$ | code, posterior, prior |
| $\sigma$ | the standard deviation of a Gaussian likelihood |

### Further reading

- M. E. Tipping and C. M. Bishop, *Probabilistic principal component analysis*, 1999.
- P. Ghosh et al., *From variational to deterministic autoencoders*, 2020: a density fitted to the codes afterwards.
- M. Mitchell et al., *Model cards for model reporting*, 2019.
""")
