"""Transformers over the places of a code: one takes noise away, one says what is next.

Networks compute in the dtype policy that holds when they are built, and return float32.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from helpers import diffusion
from helpers.engine import stateless
from helpers.families.base import register

HEAD = 32  # numbers per attention head
WIDER = 4  # times the width, between a block's two dense layers
MANY = 32  # codes at a time, for which XLA pays


@register
class Block(layers.Layer):
    """A transformer's block: attention among places (n, places, width), a dense part.

    It adds nothing at first. With ``modulated`` it is called on tokens and six vectors
    per picture, (n, 6, width): shift, scale and gate of each of its two parts.

    Args:
        causal: True lets no place see a later one.
        dropout: the share of what is added that is dropped in training.

    Source: Vaswani et al. (2017), "Attention is all you need"; Peebles and Xie (2023),
    "Scalable diffusion models with transformers", for the modulation.
    """

    def __init__(
        self,
        width: int,
        causal: bool = False,
        modulated: bool = False,
        dropout: float = 0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width, self.causal, self.modulated = width, causal, modulated
        self.rate, self.heads = dropout, width // HEAD
        self.norms = [layers.RMSNormalization(name=f"norm_{i}") for i in (1, 2)]
        self.triple = layers.Dense(3 * width, use_bias=False, name="triple")
        zeros = {"kernel_initializer": "zeros"}
        self.joined = layers.Dense(width, **zeros, name="joined")
        self.wide = layers.Dense(WIDER * width, "gelu", name="wide")
        self.narrow = layers.Dense(width, **zeros, name="narrow")
        self.drop = layers.Dropout(dropout)

    def build(self, input_shape):
        shape = (None, None, self.width)
        for layer in (*self.norms, self.triple, self.wide):
            layer.build(shape)
        self.joined.build(shape)
        self.narrow.build((None, None, WIDER * self.width))
        if self.modulated:
            self.table = self.add_weight((6, self.width), "zeros", name="table")
        self.built = True

    def call(self, tokens, vectors=None, training=False):
        return self.go(tokens, vectors, None, training)[0]

    def compute_output_shape(self, input_shape, *others):
        return input_shape

    def go(self, tokens, vectors=None, cache=None, training=False):
        """Return tokens and the cache after this block.

        Args:
            cache: None, or keys and values of all places (2, n, heads, places, HEAD)
                and the place of the one token that comes.
        """
        parts = [None] * 6
        if vectors is not None:
            table = ops.cast(self.table, self.compute_dtype)
            vectors = ops.cast(vectors, self.compute_dtype) + table
            parts = [vectors[:, i : i + 1] for i in range(6)]
        seen, cache = self.attention(moved(self.norms[0](tokens), *parts[:2]), cache)
        tokens = tokens + gated(self.drop(seen, training=training), parts[2])
        inner = self.wide(moved(self.norms[1](tokens), *parts[3:5]))
        added = self.drop(self.narrow(inner), training=training)
        return tokens + gated(added, parts[5]), cache

    def attention(self, tokens, cache):
        """Return what each place gathers from those that it sees, and the cache."""
        count = ops.shape(tokens)[1]
        shape = (-1, count, 3, self.heads, HEAD)
        triple = ops.transpose(ops.reshape(self.triple(tokens), shape), (2, 0, 3, 1, 4))
        query, key, value = triple[0], triple[1], triple[2]  # (n, heads, count, HEAD)
        if cache is not None:
            kept, place = cache
            new = ops.stack([key, value])
            kept = ops.slice_update(kept, (0, 0, 0, place, 0), new)
            key, value, cache = kept[0], kept[1], kept
        weights = ops.matmul(query, ops.swapaxes(key, -1, -2)) / math.sqrt(HEAD)
        weights = ops.cast(weights, "float32")
        if self.causal:
            places = ops.arange(key.shape[2])
            rows = ops.arange(count) if cache is None else ops.reshape(place, (1,))
            weights = ops.where(rows[:, None] >= places[None, :], weights, -1e9)
        shares = ops.cast(ops.softmax(weights), value.dtype)
        gathered = ops.transpose(ops.matmul(shares, value), (0, 2, 1, 3))
        joined = self.joined(ops.reshape(gathered, (-1, count, self.width)))
        return joined, cache

    def get_config(self):
        config = {"width": self.width, "causal": self.causal}
        config |= {"modulated": self.modulated, "dropout": self.rate}
        return {**super().get_config(), **config}


def compiled(function: Callable, variables: Sequence[keras.Variable]) -> Callable:
    """Return a compiled function of arrays (n, ...): by XLA from ``MANY`` on.

    For each n XLA takes seconds longer at first, and a third to two thirds less later.
    """
    few, many = (stateless.compiled(function, variables, xla) for xla in (False, True))
    return lambda first, *rest: (many if len(first) >= MANY else few)(first, *rest)


def moved(tokens, shift, scale):
    """Return tokens scaled and shifted, or as they are."""
    return tokens if shift is None else tokens * (1 + scale) + shift


def gated(added, gate):
    """Return what a block adds, by its gate if it has one (1 where the gate says 0)."""
    return added if gate is None else added * (1 + gate)


@register
class Places(layers.Layer):
    """Adds to each place (n, places, width) a learned vector that says where it is."""

    def build(self, input_shape):
        start = keras.initializers.RandomNormal(stddev=0.02, seed=0)
        self.vectors = self.add_weight(input_shape[1:], start, name="vectors")

    def call(self, tokens):
        return tokens + ops.cast(self.vectors, tokens.dtype)


@register
class Waves(layers.Layer):
    """Times (n,) as cosines and sines of many frequencies, (n, width), float32."""

    def __init__(self, width: int, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.width = width

    def call(self, t):
        rates = np.exp(np.linspace(0, math.log(500), self.width // 2), dtype="float32")
        angles = t[:, None] * ops.convert_to_tensor(math.pi * rates)
        return ops.concatenate([ops.cos(angles), ops.sin(angles)], axis=-1)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def token_network(
    code_shape: Sequence[int], width: int, blocks: int, dropout: float = 0.0
) -> keras.Model:
    """Return a transformer from noisy codes (n, rows, columns, c) and times (n,).

    Its output, of the codes' shape, starts at 0. Every place is a token. One dense
    layer turns the time into what modulates all blocks alike, to which each adds a
    table of its own. Source: Chen et al. (2024), "PixArt-alpha", section 2.3.
    """
    rows, columns, channels = code_shape
    z = keras.Input(code_shape, name="z")
    t = keras.Input((), name="t")
    time = layers.Dense(width, "silu", name="time_1")(Waves(width, name="waves")(t))
    time = layers.Dense(width, "silu", name="time_2")(time)
    zeros = {"kernel_initializer": "zeros"}
    vectors = layers.Dense(6 * width, **zeros, name="time_all")(time)
    vectors = layers.Reshape((6, width), name="vectors")(vectors)
    tokens = layers.Reshape((rows * columns, channels), name="tokens")(z)
    tokens = layers.Dense(width, name="in")(tokens)
    tokens = Places(name="places")(tokens)
    for block in range(1, blocks + 1):
        layer = Block(width, modulated=True, dropout=dropout, name=f"block_{block}")
        tokens = layer(tokens, vectors)
    tokens = layers.RMSNormalization(name="norm")(tokens)
    last = layers.Dense(channels, dtype="float32", **zeros, name="out")(tokens)
    shaped = layers.Reshape(code_shape, dtype="float32", name="velocity")(last)
    return keras.Model([z, t], shaped, name="token_network")


class CodeDiffusion(keras.Model):
    """A diffusion model of codes: a ``token_network`` that predicts the velocity.

    It sees codes less their ``centre``, in units of their ``spread``, which ``fit_to``
    takes from codes, each by channel.

    Args:
        code_shape: (rows, columns, channels).
        width, blocks, dropout: of the network.
    """

    def __init__(
        self,
        code_shape: Sequence[int] = (8, 8, 16),
        width: int = 160,
        blocks: int = 8,
        dropout: float = 0.0,
    ):
        super().__init__(name="code_diffusion")
        self.code_shape = tuple(code_shape)
        self.kept_velocity: diffusion.Network | None = None
        self.network = token_network(code_shape, width, blocks, dropout)
        fixed = {"trainable": False, "dtype": "float32"}
        size = (self.code_shape[-1],)
        self.centre = self.add_weight(size, "zeros", name="centre", **fixed)
        self.spread = self.add_weight(size, "ones", name="spread", **fixed)
        self.built = True

    def fit_to(self, codes: np.ndarray) -> None:
        """Take mean and standard deviation of each channel of codes (n, ..., c)."""
        axes = tuple(range(codes.ndim - 1))
        self.centre.assign(codes.mean(axes))
        self.spread.assign(codes.std(axes))

    def velocity(self, z: Any, t: Any, training: bool = False) -> Any:
        """Return the predicted velocity at noisy standardised codes, and times."""
        return self.network([z, t], training=training)

    def standardised(self, codes: Any) -> Any:
        """Return codes in the network's units."""
        return (codes - self.centre) / self.spread

    def restored(self, z: Any) -> Any:
        """Return codes, of what is in the network's units."""
        return z * self.spread + self.centre

    def compiled_velocity(self) -> diffusion.Network:
        """Return ``velocity``, compiled once: by XLA for many codes at a time."""
        if self.kept_velocity is None:
            self.kept_velocity = compiled(self.velocity, self.network.variables)
        return self.kept_velocity

    def sample(
        self, count: int, steps: int = 40, seed: int = 0, **options
    ) -> np.ndarray:
        """Return new codes (count, rows, columns, channels).

        Args:
            options: of ``diffusion.sample``.
        """
        shape = (count, *self.code_shape)
        z = diffusion.sample(self.compiled_velocity(), shape, steps, seed, **options)
        return ops.convert_to_numpy(self.restored(z))

    def to_noise(self, codes: np.ndarray, steps: int = 60) -> np.ndarray:
        """Return the noise (n, ...) that leads to codes on the deterministic path."""
        z, times = self.standardised(codes), np.linspace(0, 1, steps + 1)
        return ops.convert_to_numpy(diffusion.path(self.compiled_velocity(), z, times))

    def from_noise(self, noise: np.ndarray, steps: int = 60) -> np.ndarray:
        """Return the codes (n, ...) to which noise leads on the deterministic path."""
        times = np.linspace(1, 0, steps + 1)
        z = diffusion.path(self.compiled_velocity(), noise, times)
        return ops.convert_to_numpy(self.restored(z))

    def fill(
        self, codes: np.ndarray, known: np.ndarray, steps: int = 60, seed: int = 0
    ) -> np.ndarray:
        """Return codes (n, ...) with new numbers where they are not known.

        After each ancestral step what is known is put back, with as much noise as
        belongs there. Source: Lugmayr et al. (2022), "RePaint", without its repeats.

        Args:
            known: True where the codes are, (rows, columns, 1).
        """
        x, rng = self.standardised(codes), np.random.default_rng(seed)

        def put_back(z, t):
            noise = rng.normal(size=codes.shape).astype("float32")
            return ops.where(known, diffusion.noised(x, np.float32(t), noise), z)

        options = {"ancestral": True, "change": put_back}
        return self.sample(len(codes), steps, seed, **options)


class IndexPrior(keras.Model):
    """A transformer that predicts each index from those before it, row by row.

    Args:
        rows, columns: of the maps of indices.
        entries: of the codebook.
        width, blocks, dropout: of the network.

    Source: van den Oord et al. (2017), section 3.3, with attention for masked
    convolutions.
    """

    def __init__(
        self,
        rows: int = 16,
        columns: int = 16,
        entries: int = 512,
        width: int = 128,
        blocks: int = 5,
        dropout: float = 0.0,
    ):
        super().__init__(name="index_prior")
        self.rows, self.columns, self.entries, self.width = (
            rows,
            columns,
            entries,
            width,
        )
        places = rows * columns
        self.embedding = layers.Embedding(entries + 1, width, name="embedding")
        self.where = Places(name="places")
        self.drop = layers.Dropout(dropout)
        self.blocks = [
            Block(width, causal=True, dropout=dropout, name=f"block_{i}")
            for i in range(1, blocks + 1)
        ]
        self.norm = layers.RMSNormalization(name="norm")
        self.head = layers.Dense(entries, dtype="float32", name="head")
        self.kept_step: Callable | None = None
        self.embedding.build((None, places))
        for layer in (self.where, *self.blocks, self.norm, self.head):
            layer.build((None, places, width))
        self.built = True

    def call(self, indices, training=False):
        """Return logits (n, places, entries) of indices (n, rows, columns)."""
        flat = ops.reshape(ops.cast(indices, "int32"), (-1, self.rows * self.columns))
        begin = ops.full_like(flat[:, :1], self.entries)
        tokens = self.embedding(ops.concatenate([begin, flat[:, :-1]], axis=1))
        tokens = self.drop(self.where(tokens), training=training)
        for block in self.blocks:
            tokens = block(tokens, training=training)
        return self.head(self.norm(tokens))

    def nats(self, indices: Any, training: bool = False) -> Any:
        """Return -ln p of maps of indices (n, rows, columns), in nats, (n,)."""
        logits = self(indices, training=training)
        flat = ops.reshape(ops.cast(indices, "int32"), (-1, self.rows * self.columns))
        log_shares = ops.log_softmax(logits, axis=-1)
        chosen = ops.take_along_axis(log_shares, flat[..., None], axis=-1)
        return -ops.sum(chosen, axis=(1, 2))

    def compiled_nats(self) -> Callable:
        """Return ``nats``, compiled: by XLA for many maps at a time."""
        return compiled(self.nats, self.variables)

    def next_logits(self, index, place, caches):
        """Return logits (n, entries) of one place, and the caches (blocks, ...)."""
        token = self.embedding(index[:, None])
        vectors = ops.convert_to_tensor(self.where.vectors)
        where = ops.slice(vectors, (place, 0), (1, self.width))
        token = token + ops.cast(where, token.dtype)
        kept = []
        for block, cache in zip(self.blocks, caches, strict=True):
            token, cache = block.go(token, cache=(cache, place))
            kept.append(cache)
        return self.head(self.norm(token))[:, 0], kept

    def sample(self, count: int, seed: int = 0, temperature: float = 1.0) -> np.ndarray:
        """Return new maps of indices (count, rows, columns), int32.

        Each index is drawn from what the network says, its logits divided by
        ``temperature``.
        """
        places, heads = self.rows * self.columns, self.width // HEAD
        shape = (2, count, heads, places, HEAD)
        dtype = self.blocks[0].compute_dtype
        caches = [ops.zeros(shape, dtype) for _ in self.blocks]
        if self.kept_step is None:
            logits_of = self.next_logits
            self.kept_step = stateless.compiled(logits_of, self.variables, xla=False)
        rng = np.random.default_rng(seed)
        index, chosen = np.full(count, self.entries, "int32"), []
        for place in range(places):
            place = ops.convert_to_tensor(place, "int32")
            logits, caches = self.kept_step(ops.convert_to_tensor(index), place, caches)
            # the largest of logits and Gumbel noise is a draw from the softmax
            noise = rng.gumbel(size=(count, self.entries))
            noisy = ops.convert_to_numpy(logits) / temperature + noise
            index = noisy.argmax(axis=-1).astype("int32")
            chosen.append(index)
        return np.stack(chosen, axis=1).reshape(count, self.rows, self.columns)
