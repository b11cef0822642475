"""Cat portraits drawn with NumPy from known factors: the stand-in for photographs.

A cat is a stack of soft-edged shapes, each a field of signed distances (negative
inside), so that edges are smooth at every size. The head is an ellipsoid that turns as
in space; stripes, eyes and muzzle lie on it. Lengths are in halves of a picture, x runs
to the right and y upwards from its centre.

Inside this file a factor has shape (n, 1, 1), a field (n, size, size), a colour (3, n,
1, 1) or (3, 1, 1, 1), and a picture (3, n, size, size).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FACTORS: dict[str, tuple[float, float]] = {  # name to its range
    "fur_warmth": (0.0, 1.0),  # from blue-grey over brown to ginger
    "fur_lightness": (0.0, 1.0),  # from nearly black to cream
    "stripes": (0.0, 1.0),  # how dark they are
    "white": (0.0, 1.0),  # how far muzzle, blaze and bib reach
    "eye_colour": (0.0, 1.0),  # from amber over green to blue
    "eye_size": (0.11, 0.18),  # half the iris's width
    "pupil_width": (0.15, 0.95),  # as a share of its height
    "ear_length": (0.32, 0.62),  # from the middle of the base to the tip
    "ear_angle": (-10.0, 38.0),  # degrees away from upright, outwards
    "head_width": (0.54, 0.72),  # half of it
    "turn": (-28.0, 28.0),  # degrees about the upright axis, to the picture's right
    "tilt": (-18.0, 18.0),  # degrees in the plane of the picture, clockwise
    "background_hue": (0.0, 300.0),  # degrees on the wheel, from red to magenta
    "light": (-65.0, 65.0),  # degrees away from the front, to the right
}
BATCH = 2  # pictures drawn at once: small fields stay in the cache, and reuse memory

HEAD_HEIGHT = 0.51  # half of it
HEAD_UP, NECK_UP = -0.04, -0.45  # heights of its centre, of what it tilts about
EYE_OUT, EYE_UP = 0.43, 0.05  # from its centre: a share of its width, a height

FURS = (  # from cold to warm, each from dark to light
    ((0.13, 0.14, 0.17), (0.43, 0.47, 0.53), (0.82, 0.85, 0.89)),
    ((0.17, 0.14, 0.12), (0.52, 0.44, 0.37), (0.89, 0.84, 0.77)),
    ((0.27, 0.13, 0.07), (0.82, 0.47, 0.19), (0.98, 0.82, 0.58)),
)
IRISES = (  # from amber to blue
    (0.80, 0.42, 0.12),
    (0.93, 0.74, 0.20),
    (0.66, 0.78, 0.27),
    (0.36, 0.72, 0.50),
    (0.32, 0.66, 0.86),
    (0.30, 0.46, 0.88),
)
INK, PINK, WHITE = (0.09, 0.06, 0.06), (0.90, 0.55, 0.53), (0.98, 0.96, 0.93)


def random_factors(count: int, seed: int = 0) -> np.ndarray:
    """Return factors, uniform and independent in their ranges: (count, factors)."""
    low, high = np.array(list(FACTORS.values())).T
    rng = np.random.default_rng(seed)
    return rng.uniform(low, high, size=(count, len(FACTORS))).astype(np.float32)


def draw(factors: np.ndarray, size: int = 64) -> np.ndarray:
    """Return a picture for each row of factors: float32 in [0, 1], (n, size, size, 3).

    Args:
        factors: (n, factors), in the order, units and ranges of ``FACTORS``.
        size: pixels per side.

    Raises:
        ValueError: the factors have another shape or leave their ranges, or size is
            below 1.
    """
    factors = np.asarray(factors, np.float32)
    check_factors(factors)
    if size < 1:
        raise ValueError(f"size must be at least 1 pixel, and is {size}")
    pictures = np.empty((len(factors), size, size, 3), np.float32)
    for first in range(0, len(factors), BATCH):
        batch = draw_batch(factors[first : first + BATCH], size)
        pictures[first : first + BATCH] = np.clip(np.moveaxis(batch, 0, -1), 0, 1)
    return pictures


def check_factors(factors: np.ndarray) -> None:
    """Raise ValueError unless the factors have the right shape and keep to ranges."""
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(
            f"factors must have shape (n, {len(FACTORS)}), one column for each of "
            f"{list(FACTORS)}, and have shape {factors.shape}"
        )
    for (name, (low, high)), column in zip(FACTORS.items(), factors.T, strict=True):
        wrong = column[~((column >= np.float32(low)) & (column <= np.float32(high)))]
        if wrong.size:
            span = f"[{low:g}, {high:g}]"
            raise ValueError(f"{name} must lie in {span}, and is {wrong[0]:g}: clip it")


def draw_batch(factors: np.ndarray, size: int) -> np.ndarray:
    """Return pictures (3, n, size, size), from the background to the whiskers."""
    f = dict(zip(FACTORS, factors.T[..., np.newaxis, np.newaxis], strict=True))
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size * 2 - 1
    x, y = axis[np.newaxis, :], -axis[:, np.newaxis]
    rows = [blend([rgb(stop) for stop in row], f["fur_lightness"]) for row in FURS]
    fur, wall = blend(rows, f["fur_warmth"]), paint_background(f, x, y)
    scene = Scene(f, x, y, picture=wall, fur=fur, edge=2.6 / size)
    paint_body(scene)
    head = place_head(scene)
    for paint in (paint_ears, paint_head, paint_eyes, paint_muzzle, paint_whiskers):
        paint(scene, head)
    return scene.picture


# Colours and shapes


def rgb(stop: Sequence[float]) -> np.ndarray:
    """Return red, green and blue as a colour (3, 1, 1, 1)."""
    return np.asarray(stop, np.float32).reshape(3, 1, 1, 1)


def mix(first, second, share):
    """Return ``first`` where the share is 0, ``second`` where it is 1."""
    return first + share * (second - first)


def blend(stops: Sequence[np.ndarray], share: np.ndarray) -> np.ndarray:
    """Return the colour at a share in [0, 1] of the way along evenly spaced stops."""
    last = len(stops) - 1
    shares = [np.maximum(0, 1 - np.abs(share * last - i)) for i in range(len(stops))]
    return sum(stop * part for stop, part in zip(stops, shares, strict=True))


def from_hue(hue: np.ndarray, saturation: float, value: float) -> np.ndarray:
    """Return the colour (3, n, 1, 1) of a hue in degrees (n, 1, 1), as HSV does."""
    sector = (rgb([5, 3, 1]) + hue / 60) % 6
    return value * (1 - saturation * np.clip(np.minimum(sector, 4 - sector), 0, 1))


def smooth(x, low, high):
    """Return 0 for x below ``low``, 1 above ``high``, and a smooth step between."""
    t = np.clip((x - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def norm(x, y):
    """Return the length of (x, y); ``np.hypot`` is slower, as it guards overflow."""
    return np.sqrt(x * x + y * y)


def ellipse(x, y, a, b):
    """Return about the signed distance from an ellipse with half axes a and b.

    To first order k (k - 1) / |(x / a^2, y / b^2)|, with k = |(x / a, y / b)|: Quilez,
    "2D distance functions" (iquilezles.org).
    """
    x, y = x / a, y / b
    scaled = norm(x, y)
    return scaled * (scaled - 1) / (norm(x / a, y / b) + 1e-6)


def almond(x, y, a, b):
    """Return the signed distance from a lens of two arcs, 2 a wide, 2 b high; a > b."""
    radius = (a * a + b * b) / (2 * b)
    return norm(x, np.abs(y) + radius - b) - radius


def right_of(x, y, p, q):
    """Return the signed distance from the line of two points, negative on its left."""
    along_x, along_y = q[0] - p[0], q[1] - p[1]
    return ((x - p[0]) * along_y - (y - p[1]) * along_x) / norm(along_x, along_y)


# The parts of a cat


@dataclass
class Scene:
    """What all parts share."""

    f: dict[str, np.ndarray]  # factor name to values (n, 1, 1)
    x: np.ndarray  # the pixels' places, (1, size)
    y: np.ndarray  # and (size, 1)
    picture: np.ndarray  # what has been painted so far, (3, n, size, size)
    fur: np.ndarray  # its colour in full light, (3, n, 1, 1)
    edge: float  # the width over which a shape fades out

    def paint(self, distance, colour, opacity=1.0, softness=0.0) -> None:
        """Paint a shape over the picture; ``softness`` widens its edge."""
        cover = np.clip(0.5 - distance * (1 / (self.edge + softness)), 0, 1) * opacity
        self.picture += cover * (colour - self.picture)

    def lit(self, x, y):
        """Return how bright a round part is; (x, y) in the unit disc is its normal."""
        towards, front = toward_light(self.f), np.sqrt(np.maximum(1 - x * x - y * y, 0))
        facing = 0.9 * towards[0] * x + 0.43 * y + 0.9 * towards[1] * front
        return 0.52 + 0.58 * np.maximum(facing, 0)


@dataclass
class Head:
    """A tilted and turned head."""

    x: np.ndarray  # the pixels' places in the tilted head, from its centre
    y: np.ndarray
    lit: np.ndarray  # its brightness
    outline: np.ndarray  # the signed distance from it
    u: np.ndarray  # the place on the face that a pixel shows, -1 to 1 across the head
    v: np.ndarray
    aside: np.ndarray  # the sine of the turn; what stands out of the face moves with it
    ahead: np.ndarray  # the cosine of the turn


def toward_light(f):
    """Return the sine and the cosine of the light's angle."""
    angle = np.radians(f["light"])
    return np.sin(angle), np.cos(angle)


def paint_background(f, x, y) -> np.ndarray:
    """Return a wall in one hue, (3, n, size, size), brighter towards the light."""
    glow = 1 - 0.5 * norm(x - 1.1 * toward_light(f)[0], y - 0.6)
    return from_hue(f["background_hue"], 0.38, 0.93) * np.clip(0.60 + 0.45 * glow, 0, 1)


def paint_body(scene: Scene) -> None:
    """Paint shoulders and chest with their stripes and a white bib."""
    x, y, white = scene.x, scene.y, scene.f["white"]
    u, v = x / 0.62, (y + 1.12) / 0.72
    inside = ellipse(x, y + 1.12, 0.62, 0.72)
    shadow = 0.72 + 0.28 * smooth(-y, 0.45, 0.85)  # of the head
    lit = scene.lit(u, v) * shadow
    scene.paint(inside, scene.fur * lit)
    bands = smooth(np.sin(17 * (v + 0.35 * u * u) + 0.6), 0, 0.7)
    bands = bands * smooth(np.abs(u), 0.2, 0.45)
    scene.paint(inside, 0.4 * scene.fur * lit, scene.f["stripes"] * bands)
    bib = ellipse(x, y + 0.95 + 0.2 * white, 0.10 + 0.32 * white, 0.15 + 0.5 * white)
    bib = np.maximum(bib, inside + 0.06)
    scene.paint(bib, rgb(WHITE) * lit, smooth(white, 0, 0.4), 0.1)


def place_head(scene: Scene) -> Head:
    """Return the head where the factors put it."""
    f, width = scene.f, scene.f["head_width"]
    tilt, turn = np.radians(f["tilt"]), np.radians(f["turn"])
    aside, ahead = np.sin(turn), np.cos(turn)
    up = scene.y - NECK_UP
    x = np.cos(tilt) * scene.x - np.sin(tilt) * up
    y = np.sin(tilt) * scene.x + np.cos(tilt) * up + NECK_UP - HEAD_UP
    jowls = 1 + 0.1 * np.clip(-y / HEAD_HEIGHT, -1, 1)  # wider below than above
    u, v = x / (width * jowls), y / HEAD_HEIGHT
    tufts = np.abs(np.sin(13 * np.arctan2(y, np.abs(x))))
    tufts = 0.035 * tufts * smooth(-v, -0.1, 0.35) * smooth(np.abs(x) / width, 0.5, 0.8)
    outline = ellipse(x / jowls, y, width, HEAD_HEIGHT) - tufts
    front = np.sqrt(np.maximum(1 - u * u - v * v, 0))
    turned = u * ahead - front * aside  # back, on the ellipsoid
    return Head(x, y, scene.lit(u, v), outline, turned, v, aside, ahead)


def paint_ears(scene: Scene, head: Head) -> None:
    """Paint two ears, triangles whose feet stand on the head."""
    f = scene.f
    x = head.x + 0.07 * head.aside  # they sit behind the axis that the head turns about
    side, x = np.sign(x), np.abs(x)
    span = f["head_width"] * head.ahead
    inner, outer = (0.20 * span, 0.90 * HEAD_HEIGHT), (0.88 * span, 0.38 * HEAD_HEIGHT)
    angle, length = np.radians(f["ear_angle"]), f["ear_length"]
    tip_x = (inner[0] + outer[0]) / 2 + length * np.sin(angle)
    tip = (tip_x, (inner[1] + outer[1]) / 2 + length * np.cos(angle))
    back, front = right_of(x, head.y, outer, tip), right_of(x, head.y, tip, inner)
    base = right_of(x, head.y, inner, outer)
    sides = (back + front + norm(back - front, 0.05)) / 2  # their maximum, rounded
    ear = np.maximum(sides, base)
    lit = 0.80 + 0.20 * side * toward_light(f)[0]
    scene.paint(ear, 0.92 * scene.fur * lit)
    skin = mix(rgb(PINK), scene.fur, 0.3) * lit
    skin = skin * mix(0.7, 1.0, smooth(-base, 0.05, 0.4))
    scene.paint(ear + 0.05, skin, softness=0.02)


def paint_head(scene: Scene, head: Head) -> None:
    """Paint the head with its stripes and a white blaze."""
    f, u, v = scene.f, head.u, head.v
    scene.paint(head.outline, scene.fur * head.lit)
    out = np.abs(u)
    crown = smooth(np.cos(15.5 * u), 0.05, 0.6) * smooth(v, 0.38, 0.55)
    crown = crown * smooth(-out, -0.52, -0.45)
    cheeks = smooth(np.sin(14 * (v + 0.35 * out) + 2.2), 0.1, 0.6)
    cheeks = cheeks * smooth(out, 0.58, 0.75) * smooth(-np.abs(v + 0.15), -0.55, -0.4)
    stripes = f["stripes"] * np.maximum(crown, cheeks)
    scene.paint(head.outline, 0.4 * scene.fur * head.lit, stripes)
    white = f["white"]
    x, y = u * f["head_width"] - 0.10 * head.aside, v * HEAD_HEIGHT
    top = mix(-0.16, 0.36, white)
    half_width = mix(0.12, 0.32, white) * smooth(-y, -top, 0.55 - top) + 0.015
    blaze = np.maximum(0.8 * (np.abs(x) - half_width), y - top)
    blaze = np.maximum(blaze, head.outline + 0.03)
    scene.paint(blaze, rgb(WHITE) * head.lit, smooth(white, 0, 0.25), 0.07)


def paint_eyes(scene: Scene, head: Head) -> None:
    """Paint two slanting eyes: rim, iris, pupil and a spark."""
    f, size = scene.f, scene.f["eye_size"]
    middle = EYE_OUT * f["head_width"]
    x, y = head.u * f["head_width"], head.v * HEAD_HEIGHT - EYE_UP
    side, out = np.sign(x), np.abs(x) - middle
    slant = np.radians(11.0).astype(np.float32)
    along = np.cos(slant) * out + np.sin(slant) * y
    across = np.cos(slant) * y - np.sin(slant) * out
    lid, face = almond(along, across, 1.12 * size, 0.88 * size), head.outline + 0.012
    scene.paint(np.maximum(lid - 0.026, face), rgb(INK), 0.92)
    lid = np.maximum(lid, face)
    iris = blend([rgb(stop) for stop in IRISES], f["eye_colour"])
    scene.paint(lid, iris * mix(1.10, 0.72, smooth(y, -0.6 * size, 0.8 * size)))
    pupil = ellipse(out, y, 0.8 * size * f["pupil_width"], 0.8 * size)
    scene.paint(np.maximum(pupil, lid), rgb((0.03, 0.03, 0.05)))
    spark = norm(x - side * middle + 0.3 * size, y - 0.32 * size) - 0.2 * size
    scene.paint(np.maximum(spark, face), rgb((1, 1, 1)), 0.95)


def paint_muzzle(scene: Scene, head: Head) -> None:
    """Paint chin, whisker pads, mouth and nose; they stand out of the face."""
    white = scene.f["white"]
    x = np.abs(head.u * scene.f["head_width"] - 0.17 * head.aside)
    y = head.v * HEAD_HEIGHT + 0.17  # from the nose
    fur = mix(scene.fur, rgb(WHITE), 0.12 + 0.80 * white) * (0.26 + 0.77 * head.lit)
    scene.paint(ellipse(x, y + 0.185, 0.085, 0.07), 0.93 * fur, softness=0.02)
    scene.paint(ellipse(x - 0.085, y + 0.09, 0.125, 0.095), fur, softness=0.03)
    smile = np.abs(norm(x - 0.062, y + 0.055) - 0.062) - 0.004
    scene.paint(np.maximum(smile, y + 0.055), rgb(INK), 0.75)
    scene.paint(np.maximum(x - 0.004, np.abs(y + 0.035) - 0.03), rgb(INK), 0.7)
    nose = np.maximum(0.8 * x - 0.6 * y - 0.042, y - 0.03) - 0.012
    scene.paint(nose, 0.92 * mix(rgb(PINK), scene.fur, 0.25))


def paint_whiskers(scene: Scene, head: Head) -> None:
    """Paint three whiskers per side, which hang a little."""
    out = np.abs(head.x - 0.44 * scene.f["head_width"] * head.aside)
    span = np.abs(out - 0.5) - 0.36
    fading = 0.55 * smooth(-out, -0.9, -0.5)
    sag = 0.25 * np.square(out - 0.15)
    for slope in (-0.22, 0.0, 0.22):
        away = np.abs(head.y - (-0.29 + 0.23 * slope + slope * (out - 0.15) - sag))
        scene.paint(np.maximum(away - 0.002, span), rgb(WHITE), fading)
