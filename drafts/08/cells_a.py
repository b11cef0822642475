md("cats", r"""
## 11. Cats need a code first

A picture of a cat has twelve thousand numbers, and every step that takes noise away would go through all of them. *Latent diffusion* (Rombach et al., 2022) divides the work: a VAE squeezes the picture into a code that leaves out what nobody looks at, and the diffusion learns the density of such codes. 04's code of 64 numbers is too short for that: whatever is drawn from it is a blur. Wanted is a code that is a **map**: here 8 × 8 places of 16 numbers, each of which speaks for its part of the picture, and a convolutional decoder that reads its neighbours too.

Two such codes are compared here, on cats that neither has seen. One is a VAE's, as you know them. The other is made of **words**.
""")
code("cats-load", r"""
cats = datasets.load_cats(limit=training.by_budget(full=40_000, quick=1_500))
REAL = cats.name == "cats"  # the shipped weights know photographs, and no drawings
x_cats = cats.x_test[: training.by_budget(full=1000, quick=20)]
print(cats)


def shipped(model, name):
    '''Give a model the weights that ship, and return it.'''
    file = models.WEIGHTS / f"cats_{name}.npz"
    models.load_weights(model, file)
    size = file.stat().st_size / 1e6
    print(f"{name}: {model.count_params():,} weights, {size:.1f} MB")
    return model


fog = shipped(models.build_cat_vae(), "normal")  # of 04: 64 numbers
vae = shipped(models.SpatialVAE(), "vae")
vq = shipped(models.VQVAE(), "vq")
""")
md("vq", r"""
### A code that is a list of words

A **VQ-VAE** (van den Oord et al., 2017) has the same networks and another bottleneck. The encoder's map is 16 × 16 places of 8 numbers; each place is replaced by the nearest entry of a **codebook**, here 512 learned vectors. So a picture's code is 256 whole numbers: words, of which a language model could learn the order.

Three things are new.

- *The nearest entry has no useful gradient*: move a vector a little, and the same entry stays. So the gradient of what follows is handed to the encoder **as if nothing had happened**, "straight through": $z = v + \mathrm{sg}[e - v]$, where sg stops gradients.
- *The codebook learns by two pulls*: each entry towards the vectors that chose it, $|\mathrm{sg}[v] - e|^2$, and, a quarter as strongly, the vectors towards their entries (**commitment**), so that they don't wander off.
- *The rate is fixed*: if all entries are equally likely, a code costs $256 \log_2 512 = 2{,}304$ bits, whatever the picture. A prior that knows which words follow which would make it cheaper, and could be sampled; it is learned afterwards, as the diffusion of a VAE's codes is.
""")
md("colours-text", r"""
### A likelihood of 8-bit colours

04's likelihoods are *densities* of grey values, and a density's bits can't stand beside a file's. The decoders of both maps give every 8-bit value a **probability**: a logistic variable around the decoder's guess, cut at half steps, with a scale of its own at every value, so that fur may be unsure and the sky sure. And one thing more. Where a network errs, it errs in *brightness*: in red, green and blue alike. So by how much red misses its guess moves the guess of green, and both move that of blue (Salimans et al., 2017): one error is paid for once, and not three times.

*Predict: as lossless PNGs these pictures take 5.6 bits for each of their values, as WebPs 3.8. Where will the two models be, their codes included?*
""")
code("bits", r"""
def file_bits(x, kind, **options):
    '''Return bits per value of pictures as lossless files, headers included.'''
    total = 0
    for picture in np.round(255 * x).astype("uint8"):
        memory = io.BytesIO()
        Image.fromarray(picture).save(memory, kind, **options)
        total += 8 * len(memory.getvalue())
    return total / x.size


def vae_bits(x, size=100):
    '''Return rate and distortion of the spatial VAE, in bits per value.'''
    rng, sums = np.random.default_rng(0), np.zeros(2)
    for part in np.split(x, range(size, len(x), size)):
        noise = rng.normal(size=(len(part), *vae.code_shape)).astype("float32")
        sums += [float(ops.sum(term)) for term in vae.terms(part, noise)]
    return sums / np.log(2) / x.size


rate, distortion = vae_bits(x_cats)
vq_nats = [float(ops.sum(vq.terms(part)[0])) for part in np.array_split(x_cats, 10)]
vq_rate = np.log2(vq.entries) * np.prod(vq.code_shape[:2]) / x_cats[0].size
""")
code("bits-table", r"""
rows = {
    "04, a density": {"in all": metrics.bits_per_dimension(fog, x_cats)},
    "PNG": {"in all": file_bits(x_cats, "PNG", optimize=True)},
    "WebP": {"in all": file_bits(x_cats, "WebP", lossless=True, method=6)},
    "spatial VAE": {"code": rate, "rest": distortion},
    "VQ-VAE": {"code": vq_rate, "rest": sum(vq_nats) / np.log(2) / x_cats.size},
}
for row in rows.values():
    row.setdefault("in all", sum(row.values()))
shown = {name: {k: f"{v:.2f}" for k, v in row.items()} for name, row in rows.items()}
print(metrics.table(shown, corner=f"bits per value, {len(x_cats):,} test cats"))
in_all = {name: row["in all"] for name, row in rows.items()}
""")
code("bits-claim", r"""
print(
    metrics.claims(
        {
            "both models take fewer bits than PNG": REAL
            and max(in_all["spatial VAE"], in_all["VQ-VAE"]) < in_all["PNG"],
            "and more than WebP": REAL
            and min(in_all["spatial VAE"], in_all["VQ-VAE"]) > in_all["WebP"],
        }
    )
)
""", tags=["claim"])
md("bits-note", r"""
The VAE takes 3.99 bits for each value and the VQ-VAE 4.39, codes included: well below PNG, and above WebP. So a model that has seen cats, and gives probabilities, packs better than a filter that looks at neighbouring pixels; WebP, which chooses among many ways to guess a pixel from those before it, is better still. Once the code is known, the decoders take pixels that lie side by side for independent, and whatever the code leaves out is paid for pixel by pixel: more than nine tenths of the bill. (These photographs are JPEG copies, and what JPEG has smoothed helps every packer. 04's density stands in the table for its size alone: it is no probability.)

A VAE that sends its code *and* the rest could be built into such a packer; its bits are a promise that *bits back* coding keeps (Townsend et al., 2019).
""")
code("cats-given-back", r"""
six = np.random.default_rng(1).choice(len(x_cats), 6, replace=False)
given_back = {"held out": x_cats}
for label, model in (("04: 64\nnumbers", fog), ("map of\n8 × 8 × 16", vae)):
    given_back[label] = model.reconstruct(x_cats)
given_back["16 × 16\nindices"] = vq.reconstruct(x_cats)
near = {n: metrics.psnr(x_cats, x).mean() for n, x in list(given_back.items())[1:]}
pictures = {label: x[six] for label, x in given_back.items()}
plots.image_rows(pictures, "Maps give back the pose and fur that 64 numbers forget")
plots.describe(
    "Six test cats drawn at random, and what three codes give back. Mean PSNR over "
    f"{len(x_cats):,} test cats: "
    + ", ".join(f"{n} {db:.1f} dB".replace("\n", " ") for n, db in near.items())
)
plt.show()
print({name.replace("\n", " "): f"{db:.2f} dB" for name, db in near.items()})
""", tags=["image:cats_maps"])
md("given-back-note", r"""
Both maps keep where the cat is, which way it looks and how its fur is coloured, also where 04 shows a blur: 24.5 and 23.7 dB against 21.6 (one training each, and 04's network had another task with its 64 numbers). Sharp they are not: what is finer than a place of the map is left to the scales, which say only how unsure the decoder is.

Is the codebook in use?
""")
code("vq-use", r"""
indices = vq.encode(x_cats)
shares = np.sort(np.bincount(indices.ravel(), minlength=vq.entries))[::-1]
used = models.perplexity(indices, vq.entries)
figure, ax = plt.subplots(figsize=(9, 3))
ax.bar(np.arange(vq.entries), shares / shares.sum() * vq.entries, 1.0, color=BLUE)
ax.axhline(1, color=GREY, lw=2)
ax.set(xlabel="entries, in the order of their use", ylabel="use, 1 = fair share")
ax.set_title(f"{vq.entries} entries, as varied as {used:.0f} in equal use")
plots.describe(
    f"How often each of {vq.entries} entries is used for {len(x_cats):,} test cats, in "
    f"falling order: from {shares[0] / shares.mean():.1f} times a fair share to "
    f"{shares[-1] / shares.mean():.2f}; the perplexity is {used:.0f}."
)
plt.show()
""")
md("collapse", r"""
### Break it on purpose: a codebook that collapses

An entry learns only if it is chosen. Start the codebook far from the vectors, and the few entries that happen to be nearest take them all; the others are never chosen, never move, and stay where they are for ever. In the plane this can be watched. The mend used for the cats: now and then, give every entry that nobody chose the place of a random vector.
""")
code("collapse", r"""
def learned_codebook(vectors, revived, entries=64, steps=1500):
    '''Return a codebook (entries, 2) that began far off, and how many are in use.'''
    rng = np.random.default_rng(0)
    book = rng.normal(4, 0.5, size=(entries, 2))
    for step in range(steps):
        batch = vectors[rng.integers(len(vectors), size=256)]
        chosen = cdist(batch, book).argmin(axis=1)
        for entry in np.unique(chosen):  # those that were chosen, and no others
            book[entry] += 0.1 * (batch[chosen == entry].mean(axis=0) - book[entry])
        if revived and step % 100 == 0 and step < steps / 2:
            unused = np.setdiff1d(np.arange(entries), chosen)
            book[unused] = batch[rng.integers(len(batch), size=len(unused))]
    return book, len(np.unique(cdist(vectors, book).argmin(axis=1)))


rng = np.random.default_rng(0)
angle = rng.uniform(0, 2 * np.pi, 2000)
ring = np.stack([np.cos(angle), np.sin(angle)], 1) + rng.normal(0, 0.1, (2000, 2))
books = {name: learned_codebook(ring, name) for name in (False, True)}
""")
code("collapse-figure", r"""
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharex=True, sharey=True)
for ax, (revived, (book, used)) in zip(axes, books.items(), strict=True):
    ax.scatter(*ring.T, s=4, color=GREY)
    ax.scatter(*book.T, s=40, color=ORANGE, edgecolor="white")
    said = "unused ones get a new place" if revived else "each learns if it is chosen"
    ax.set(title=f"{said}: {used} of {len(book)} in use", aspect="equal")
few, many = (used for _, used in books.values())
plots.describe(
    f"A ring of points and a codebook of 64 entries that began beside it. Left, {few} "
    f"entries have reached the ring and the rest lie where they began; right, {many}."
)
plt.show()
""")
md("vq-note", r"""
Nothing warns of the collapse: the loss falls all the same, since the few entries that are in use serve all points as well as so few can. Watch the **perplexity**, the number of equally frequent entries that would be as varied; for the cats it is printed above. Other mends are vectors and entries of length 1, which this VQ-VAE has besides (Yu et al., 2022), and entries that follow the running mean of the vectors that chose them (van den Oord et al., 2017).
""")
