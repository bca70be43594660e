"""What should not be read: real scans spoiled by code, and pictures that are no mammograms.

Every maker draws its strength from the generator that it is given. Dense tissue is bright in what
it takes and in what it gives, as in `mammoscope.scans.load.LoadedScan`.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mammoscope.scans.breast import breast_mask, chest_wall_is_left

Picture = NDArray[np.float32]
Spacing = tuple[float, float]
Rng = np.random.Generator


def _unit(image: NDArray[Any]) -> Picture:
    low, high = float(image.min()), float(image.max())
    return np.asarray((image.astype(np.float32) - low) / max(high - low, 1e-6), dtype=np.float32)


def _quick_mask(image: Picture, spacing: Spacing) -> NDArray[np.bool_]:
    """Find the breast on the picture's own grid, by way of a coarse one."""
    step = max(1, round(0.8 / max(spacing)))
    small = np.ascontiguousarray(image[::step, ::step])
    mask = breast_mask(small, max(spacing) * step)
    whole = np.repeat(np.repeat(mask, step, axis=0), step, axis=1)
    return whole[: image.shape[0], : image.shape[1]]


def inverted(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Black and white exchanged, at full or at lower contrast."""
    return _unit(1 - _unit(image)) * np.float32(rng.choice([1.0, 0.7, 0.5])), spacing


def twice_as_large(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Say that a pixel is twice as large as it is."""
    return image, (2 * spacing[0], 2 * spacing[1])


def half_as_large(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Say that a pixel is half as large as it is."""
    return image, (spacing[0] / 2, spacing[1] / 2)


def raw_counts(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Return a detector's linear counts (FOR PROCESSING, LIN), with either sign.

    30 to 60 mm of fat take away ``exp(-1.4)`` to ``exp(-2.7)`` of the beam, and glandular tissue
    0.35 more a centimetre (0.456 and 0.802 a centimetre at 20 keV: Johns and Yaffe, Phys. Med.
    Biol. 32 (1987) 675), so the whole breast lies in a narrow range far from the open beam, which
    itself may saturate the detector. The breast is round at its edge over half its thickness.
    """
    mask = _quick_mask(image, spacing)
    low, high = (float(v) for v in np.percentile(image[mask], (2, 99.5)))
    dense = np.clip((image - low) / max(high - low, 1e-6), 0, 1.2)
    thickness_cm = float(rng.uniform(3, 6))
    step = max(1, round(0.8 / max(spacing)))
    padded = np.pad(mask, 1, mode="edge")[::step, ::step]
    far = ndimage.distance_transform_edt(padded, sampling=[side * step for side in spacing])
    far = np.repeat(np.repeat(far, step, axis=0), step, axis=1)[1:, 1:]
    far = np.pad(far, ((0, 2 * step), (0, 2 * step)), mode="edge")[: mask.shape[0], : mask.shape[1]]
    share = np.sqrt(1 - (1 - np.clip(far / (5 * thickness_cm), 0, 1)) ** 2) * mask
    gland = float(rng.uniform(0.25, 0.6))
    taken = thickness_cm * share * (0.456 + 0.346 * gland * dense)
    # Lead markers beside the breast stop the whole beam.
    marker = ~mask & (image > low + 0.8 * (high - low))
    counts = np.where(marker, 0.0, np.exp(-taken))
    counts += rng.normal(0, 0.004, counts.shape) * np.sqrt(counts)
    counts = np.minimum(counts, np.exp(-float(rng.choice([0.0, 0.3, 0.7]))))
    counts = np.maximum(counts, 0)
    if rng.random() < 0.5:
        return np.asarray(counts, dtype=np.float32), spacing
    return np.asarray(counts.max() - counts, dtype=np.float32), spacing


def clipped_high(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Turn the breast's brightest 30, 45 or 60 per cent into plain white."""
    mask = _quick_mask(image, spacing)
    return np.minimum(image, np.percentile(image[mask], 100 - rng.choice([30, 45, 60]))), spacing


def clipped_low(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Turn the breast's darkest 30, 45 or 60 per cent into plain black."""
    mask = _quick_mask(image, spacing)
    return np.maximum(image, np.percentile(image[mask], rng.choice([30, 45, 60]))), spacing


def rotated_90(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Return a quarter turn, either way."""
    turned = np.rot90(image, int(rng.choice([1, 3])))
    return np.ascontiguousarray(turned), (spacing[1], spacing[0])


def rotated_180(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Half a turn."""
    return np.ascontiguousarray(image[::-1, ::-1]), spacing


def implant(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Return a scan with a smooth bright dome with a sharp rim at the chest wall."""
    mask = _quick_mask(image, spacing)
    left = chest_wall_is_left(mask)
    work = image if left else image[:, ::-1]
    held = mask if left else mask[:, ::-1]
    rows, columns = np.flatnonzero(held.any(axis=1)), np.flatnonzero(held.any(axis=0))
    reach_mm = (columns[-1] - columns[0]) * spacing[1]
    wide = float(np.clip(rng.choice([0.5, 0.65, 0.8]) * reach_mm, 25, 90))
    high = wide * float(rng.uniform(0.9, 1.3))
    middle = (rows[0] + rows[-1]) / 2 + float(rng.uniform(-0.08, 0.08)) * (rows[-1] - rows[0])
    y = (np.arange(work.shape[0]) - middle)[:, None] * spacing[0] / high
    x = (np.arange(work.shape[1]) - columns[0])[None, :] * spacing[1] / wide
    radius = np.hypot(y, x)
    inside = np.clip((1 - radius) * wide / 1.5, 0, 1) * held
    top = float(np.percentile(work[held], 99.5))
    bottom = float(np.percentile(work, 1))
    level = bottom + (top - bottom) * float(rng.choice([0.85, 0.95, 1.05]))
    dome = level * (1 - 0.06 * np.clip(radius, 0, 1) ** 2)
    made = np.asarray(work * (1 - inside) + dome * inside, dtype=np.float32)
    return (made if left else np.ascontiguousarray(made[:, ::-1])), spacing


def bright_border(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Lay strips of bare light box beside the film, 8, 15 or 25 mm wide, on one to four sides."""
    made = image.copy()
    white = float(image.max())
    width = float(rng.choice([8, 15, 25]))
    down, across = round(width / spacing[0]), round(width / spacing[1])
    strips = [np.s_[:down], np.s_[-down:], np.s_[:, :across], np.s_[:, -across:]]
    for number in rng.permutation(4)[: int(rng.integers(1, 5))]:
        made[strips[number]] = white
    return made, spacing


SPOILS: dict[str, Callable[[Picture, Spacing, Rng], tuple[Picture, Spacing]]] = {
    "inverted": inverted,
    "spacing doubled": twice_as_large,
    "spacing halved": half_as_large,
    "raw detector counts": raw_counts,
    "highlights clipped": clipped_high,
    "shadows clipped": clipped_low,
    "turned by 90 degrees": rotated_90,
    "turned by 180 degrees": rotated_180,
    "implant": implant,
    "film border": bright_border,
}


def varied(image: Picture, spacing: Spacing, rng: Rng) -> tuple[Picture, Spacing]:
    """Return a scan as another scanner could have given it: other greys, padding, noise."""
    made = _unit(image) ** np.float32(np.exp(rng.uniform(-0.5, 0.5)))
    made = made * (1 - np.float32(rng.choice([0.0, 0.03]))) + np.float32(rng.choice([0.0, 0.02]))
    made += rng.normal(0, float(rng.choice([0.0, 0.01])), made.shape).astype(np.float32)
    made = np.clip(made, 0, 1)
    if rng.random() < 0.5:
        pad = [
            (0, round(float(rng.uniform(0, 20)) / spacing[0])),
            (round(float(rng.uniform(0, 30)) / spacing[1]),) * 2,
        ]
        made = np.pad(made, pad, constant_values=float(made.min()))
    return np.asarray(made, dtype=np.float32), spacing


def photograph(rng: Rng) -> tuple[Picture, Spacing]:
    """Cut a part of one of scikit-learn's two sample photographs, turned and darkened."""
    from sklearn.datasets import load_sample_images

    colour = load_sample_images().images[int(rng.integers(2))]
    grey = colour.astype(np.float32) @ rng.dirichlet([3, 3, 3]).astype(np.float32)
    grey = np.rot90(grey, int(rng.integers(4)))
    high, wide = (int(side * rng.uniform(0.55, 1)) for side in grey.shape)
    top, left = (
        int(rng.integers(0, s - n + 1)) for s, n in zip(grey.shape, (high, wide), strict=True)
    )
    part = _unit(grey[top : top + high, left : left + wide]) ** np.float32(rng.uniform(0.5, 2.5))
    side = float(rng.uniform(150, 300)) / high
    return np.ascontiguousarray(part, dtype=np.float32), (side, side)


def screenshot(rng: Rng) -> tuple[Picture, Spacing]:
    """Return a page of text, curves and pictures, light or dark, drawn by matplotlib."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    dark = rng.random() < 0.5
    back, ink = ("#101418", "#e8ecf0") if dark else ("#ffffff", "#202428")
    page = Figure(figsize=(9, 12) if rng.random() < 0.5 else (12, 8), dpi=80, facecolor=back)
    axes = page.subplots(2, 2)
    for place in axes.flat:
        place.set_facecolor(back)
        place.tick_params(colors=ink)
        kind = rng.integers(3)
        if kind == 0:
            place.plot(np.cumsum(rng.normal(size=(80, 3)), axis=0))
        elif kind == 1:
            place.imshow(ndimage.gaussian_filter(rng.random((60, 60)), 3), cmap="gray")
        else:
            place.axis("off")
            words = "\n".join("".join(rng.choice(list("abcdefg hij"), 34)) for _ in range(14))
            place.text(0, 0, words, color=ink, fontsize=9)
    page.suptitle("window " * 4, color=ink)
    stream = BytesIO()
    page.savefig(stream, format="png", facecolor=back)
    grey = np.asarray(Image.open(stream).convert("L"), dtype=np.float32)
    side = float(rng.uniform(150, 300)) / grey.shape[0]
    return grey, (side, side)


def body_part(rng: Rng) -> tuple[Picture, Spacing]:
    """Return a phantom of another X-ray: hand, chest, knee or skull."""
    part = (_hand, _chest, _knee, _skull)[int(rng.integers(4))](rng)
    part = ndimage.gaussian_filter(part, 1.2) + rng.normal(0, 0.01, part.shape)
    part = np.clip(part, 0, 1) ** rng.uniform(0.6, 1.5)
    side = float(rng.uniform(180, 420)) / part.shape[0]
    return np.asarray(part, dtype=np.float32), (side, side)


def _grid(high: int = 640, wide: int = 540) -> tuple[NDArray[Any], NDArray[Any]]:
    y, x = np.mgrid[0:high, 0:wide]
    return y / high, x / wide


def _capsule(y: Any, x: Any, start: Any, end: Any, radius: float) -> NDArray[np.bool_]:
    line = np.subtract(end, start)
    along = np.clip(((y - start[0]) * line[0] + (x - start[1]) * line[1]) / (line @ line), 0, 1)
    return np.asarray(
        np.hypot(y - start[0] - along * line[0], x - start[1] - along * line[1]) < radius
    )


def _hand(rng: Rng) -> NDArray[Any]:
    y, x = _grid()
    made = np.zeros(y.shape)
    palm = ((y - 0.68) / 0.2) ** 2 + ((x - 0.5) / 0.2) ** 2 < 1
    made[palm] = 0.45
    for number, angle in enumerate(np.radians([-48, -18, -4, 9, 22]) + rng.normal(0, 0.05)):
        length = (0.3, 0.48, 0.53, 0.49, 0.4)[number]
        start = (0.68, 0.5 + 0.03 * (number - 2))
        end = (start[0] - length * np.cos(angle), start[1] + length * np.sin(angle))
        made[_capsule(y, x, start, end, 0.045)] = 0.45
    for number, angle in enumerate(np.radians([-48, -18, -4, 9, 22])):
        length = (0.28, 0.46, 0.51, 0.47, 0.38)[number]
        start = (0.68, 0.5 + 0.03 * (number - 2))
        for a, b in ((0.05, 0.45), (0.5, 0.7), (0.74, 0.95)):
            first, last = [
                (start[0] - s * length * np.cos(angle), start[1] + s * length * np.sin(angle))
                for s in (a, b)
            ]
            made[_capsule(y, x, first, last, 0.016)] = 0.9
    made[_capsule(y, x, (0.85, 0.45), (1.0, 0.44), 0.05)] = 0.9
    made[_capsule(y, x, (0.85, 0.57), (1.0, 0.58), 0.04)] = 0.9
    return made


def _chest(rng: Rng) -> NDArray[Any]:
    y, x = _grid(560, 560)
    made = np.where(((x - 0.5) / 0.5) ** 4 + ((y - 0.6) / 0.62) ** 4 < 1, 0.55, 0.05)
    for side in (-1, 1):
        lung = ((x - 0.5 - side * 0.2) / 0.15) ** 2 + ((y - 0.48) / 0.32) ** 2 < 1
        made[lung] = 0.15 + 0.05 * rng.random()
        for rib in range(8):
            curve = 0.2 + rib * 0.075 + 0.5 * (x - 0.5 - side * 0.2) ** 2 * 6
            made[(np.abs(y - curve) < 0.012) & (np.abs(x - 0.5 - side * 0.2) < 0.2)] += 0.2
    made[np.abs(x - 0.5) < 0.05] = 0.85
    made[((x - 0.56) / 0.13) ** 2 + ((y - 0.62) / 0.15) ** 2 < 1] = 0.75
    return made


def _knee(rng: Rng) -> NDArray[Any]:
    y, x = _grid(640, 440)
    made = np.where(np.abs(x - 0.5) < 0.33 + 0.03 * np.sin(6 * y), 0.4, 0.02)
    thigh = np.abs(x - 0.5) < 0.12 + 0.12 * np.exp(-(((y - 0.45) / 0.08) ** 2))
    made[thigh & (y < 0.48)] = 0.85
    shin = np.abs(x - 0.5) < 0.11 + 0.13 * np.exp(-(((y - 0.52) / 0.08) ** 2))
    made[shin & (y > 0.5)] = 0.85
    made[(np.hypot(x - 0.5, (y - 0.4) * 1.2) < 0.09 + 0.01 * rng.random())] = 0.97
    return made


def _skull(rng: Rng) -> NDArray[Any]:
    y, x = _grid(600, 560)
    radius = np.hypot((x - 0.5) / 0.38, (y - 0.42) / 0.36)
    made = np.where(radius < 1, 0.5, 0.03)
    made[(radius < 1) & (radius > 0.92)] = 0.95
    made[(y > 0.6) & (np.abs(x - 0.5) < 0.22) & (y < 0.95)] = 0.6
    for side in (-1, 1):
        made[np.hypot(x - 0.5 - side * 0.15, y - 0.55) < 0.07 + 0.01 * rng.random()] = 0.25
    made[(np.abs(y - 0.82) < 0.03) & (np.abs(x - 0.5) < 0.13)] = 0.98
    return made


OTHERS: dict[str, Callable[[Rng], tuple[Picture, Spacing]]] = {
    "photograph": photograph,
    "screenshot": screenshot,
    "other body part": body_part,
}
