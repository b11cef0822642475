md("cats-diffusion", r"""
## 12. A diffusion of codes

Now the VAE stays as it is, and a diffusion learns the density of its codes. The noise does what it did to points in the plane; the network that takes it away is a transformer, for which every place of the map is a token.
""")
md("denoiser-text", r"""
### Noise into codes

The network is `models.CodeDiffusion`: a transformer over 64 tokens that predicts the velocity, trained on codes of training cats and of their mirror images, each drawn anew from its $q(z \mid x)$ whenever it is seen. Sampling takes 40 steps of the deterministic sampler and one pass through the decoder.
""")
code("denoiser", r"""
denoiser = shipped(models.CodeDiffusion(), "denoiser")
COUNT = training.by_budget(full=16, quick=2)
STEPS = training.by_budget(full=40, quick=4)
denoiser.sample(COUNT, 1)  # compiles
start = time.perf_counter()
new_cats = vae.decode(denoiser.sample(COUNT, STEPS, seed=1))
print(f"{COUNT} cats in {time.perf_counter() - start:.1f} s")
""")
code("cats-sampled", r"""
parts = {"reg_covar": 1e-3, "tol": 0.1, "random_state": 0}
codes = ops.convert_to_numpy(
    fog.family.sample_posterior(fog.posterior_arrays(cats.x_train), 0)
)
mixture = GaussianMixture(10, **parts).fit(codes)
rng = np.random.default_rng(0)
fitted = rng.permutation(mixture.sample(COUNT)[0]).astype("float32")
from_prior = rng.normal(size=(6, *vae.code_shape)).astype("float32")
pictures = {
    "real,\nheld out": x_cats[six],
    "04, prior": fog.generate(6, seed=3),
    "04, density\nfitted": fog.decode(fitted)[:6],
    "map, prior": vae.decode(from_prior),
    "map,\ndiffusion": new_cats[:6],
}
plots.image_rows(pictures, "Cats of a diffusion of codes, beside what came before")
plots.describe(
    "Rows of six: held-out cats; samples of 04's prior and of the density fitted to "
    "its codes; the map's own prior; and samples of the diffusion of its codes."
)
plt.show()
""", tags=["image:cats_diffusion"])
md("samples-note", r"""
NOTE_SAMPLES
""")
code("cats-film", r"""
moments, frames = [], []


def look(t, z, x):
    '''Keep what the network takes the picture for, at this time.'''
    moments.append(t)
    frames.append(vae.decode(ops.convert_to_numpy(denoiser.restored(x))))


keep = {"watch": look, "seed": 1}
last = vae.decode(denoiser.sample(8, training.by_budget(full=40, quick=3), **keep))
frames = np.stack([*frames, last])
chosen = np.linspace(0, len(frames) - 1, 6).astype(int)
times = [*moments, 0.0]
rows = {f"t = {times[i]:.2f}": frames[i, :6] for i in chosen}
plots.image_rows(rows, "What the network takes the noise for, from t = 1 to 0")
plots.describe(
    "Six samples on their way from noise, as the network sees them at six times from 1 "
    "to 0: an average first, then colours and places, at last fur."
)
plt.show()
""")
md("judged", r"""
### Judged

By eye that is an opinion. 04's judge is a small network, trained anew to tell two sets of pictures apart and asked about others: right half the time if it finds no difference. From *photographs* it tells whatever is blurred, so it is also asked to tell samples from test cats that **the same decoder has given back**. Precision and recall say, among the codes of 04's VAE, how many samples lie where photographs do, and how much of the photographs' range they reach. And a model that copies would do well in all of these: so the last two columns measure how far the nearest *training* photograph is, mirrored ones included, for samples and, as a control, for validation cats given back by the same decoder. (`data/results/latent_judged.csv`; a thousand pictures of each kind.)
""")
code("judged-table", r"""
results = root / "data" / "results"
read = {"delimiter": ",", "names": True, "dtype": None, "encoding": "utf-8"}
judged = np.genfromtxt(results / "latent_judged.csv", **read)
rows = {}
for row in judged:
    shown = rows[row["name"].replace("_", " ")] = {}
    for what in ("photographs", "decoded"):
        if not np.isnan(row[what]):
            ends = f"[{row[f'{what}_low']:.2f}, {row[f'{what}_high']:.2f}]"
            shown[f"from {what}"] = f"{row[what]:.2f} {ends}"
    shown |= {w: f"{row[w]:.2f}" for w in ("precision", "recall")}
    shown["nearest"] = f"{row['nearest']:.3f}"
    if not np.isnan(row["copied"]):
        shown["control"] = f"{row['nearest_decoded']:.3f}"
print(metrics.table(rows, corner="mean of three judges [least, most]"))
""")
md("judged-note", r"""
NOTE_JUDGED
""")
code("cats-nearest", r"""
both_ways = np.concatenate([cats.x_train, cats.x_train[:, :, ::-1]])
nearest = NearestNeighbors(n_neighbors=1).fit(datasets.flat(both_ways))
away, found = nearest.kneighbors(datasets.flat(new_cats[:6]))
away = away[:, 0] / np.sqrt(new_cats[0].size)  # root mean squared, per value
pictures = {"diffusion": new_cats[:6], "nearest\nphotograph": both_ways[found[:, 0]]}
plots.image_rows(pictures, "The nearest training photographs are other cats")
plots.describe(
    "Six samples of the diffusion above the training photographs nearest to them, "
    f"{away.min():.2f} to {away.max():.2f} away, root mean squared, of a range of 1."
)
plt.show()
""")
md("cats-between-text", r"""
### From one cat to another, through the noise

The deterministic path runs both ways: upwards it turns a code into *its* noise, and noise is normal in all 1,024 numbers, so that there the way between two points is an arc (05). Half-way codes that are mixed on a straight line are no cat's; half-way noise is noise like any other, and comes back as the model's idea of a cat.
""")
code("cats-between", r"""
steps, shares = training.by_budget(full=60, quick=3), np.linspace(0, 1, 6)
pair = np.random.default_rng(8).choice(len(x_cats), 2, replace=False)
ends = vae.encode(x_cats[pair])
noise = denoiser.to_noise(ends, steps)
arc = models.arc(*noise.reshape(2, -1), shares).reshape(-1, *vae.code_shape)
line = models.straight(*ends, shares)
pictures = {
    "pixels": models.straight(*vae.decode(ends), shares),
    "codes,\nstraight": vae.decode(line),
    "noise,\nan arc": vae.decode(denoiser.from_noise(arc.astype("float32"), steps)),
}
back = pictures["noise,\nan arc"][[0, -1]]
print(f"there and back: {metrics.psnr(vae.decode(ends), back).mean():.1f} dB")
plots.image_rows(pictures, "Through the noise, every stop is the model's own cat")
plots.describe(
    "From one test cat to another in six steps: mixed pixels, mixed codes, and codes "
    "that come back from an arc between the two cats' noise."
)
plt.show()
""", tags=["image:cats_between"])
md("between-note", r"""
NOTE_BETWEEN
""")
md("cats-filled-text", r"""
### Half a cat

What is known can be put back after each step, with as much noise as belongs there; the steps then fill the rest so that it goes with it (Lugmayr et al., 2022). Here the left half of the map is known: the codes of a test cat whose right half was covered by its last known column, so that nothing of it could pass through the encoder.
""")
code("cats-filled", r"""
left = x_cats[six].copy()
left[:, :, 32:] = left[:, :, 31:32]  # covered, before it is encoded
known = np.zeros((*vae.code_shape[:2], 1), bool)
known[:, :4] = True
pictures = {"held out": x_cats[six], "what is\ngiven": left}
codes = vae.encode(left)
for seed in (1, 2):
    filled = denoiser.fill(codes, known, training.by_budget(full=60, quick=3), seed)
    pictures[f"filled,\nseed {seed}"] = vae.decode(filled)
plots.image_rows(pictures, "The left half is given, the right half is made up to match")
plots.describe(
    "Six test cats; their left halves, the right ones covered; and twice what the "
    "diffusion fills in, with two seeds."
)
plt.show()
""")
md("filled-note", r"""
NOTE_FILLED
""")
