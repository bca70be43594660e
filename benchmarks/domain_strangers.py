"""Pictures that are no mammograms, for the fit of the domain guard.

Nothing here makes what `domain_spoils.OTHERS` makes: the guard is judged by other families of
pictures than it was fitted on. Every maker gives a picture and its spacing in millimetres.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.cbook import get_sample_data
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

Picture = NDArray[np.float32]
Spacing = tuple[float, float]
Rng = np.random.Generator


def _sized(picture: NDArray[Any], rng: Rng) -> tuple[Picture, Spacing]:
    """Say that a picture is 150 to 420 mm high; its greys are those of 0 to 255."""
    low, high = float(picture.min()), float(picture.max())
    unit = (picture - low) / max(high - low, 1e-6)
    side = float(rng.uniform(150, 420)) / picture.shape[0]
    return np.asarray(np.round(255 * unit), dtype=np.float32), (side, side)


def _shape(rng: Rng) -> tuple[int, int]:
    high = int(rng.integers(400, 701))
    return high, int(high * rng.uniform(0.6, 1.4))


def cloud(rng: Rng) -> tuple[Picture, Spacing]:
    """Noise whose power falls with the frequency, as in clouds, under a slant of light."""
    high, wide = _shape(rng)
    rows, columns = np.fft.fftfreq(high)[:, None], np.fft.rfftfreq(wide)[None, :]
    frequency = np.maximum(np.hypot(rows, columns), 1 / max(high, wide))
    wave = np.fft.rfft2(rng.normal(size=(high, wide))) * frequency ** -rng.uniform(0.5, 2.0)
    made = np.fft.irfft2(wave, (high, wide))
    made = (made - made.mean()) / made.std()
    slant = np.add.outer(np.linspace(-1, 1, high), np.linspace(-1, 1, wide) * rng.normal())
    made = np.clip(made + float(rng.normal(0, 0.7)) * slant, -3, 3)
    return _sized(np.exp(made * rng.uniform(0, 0.7)) if rng.random() < 0.4 else made, rng)


def leaves(rng: Rng) -> tuple[Picture, Spacing]:
    """Plates of all sizes that hide one another, as things in a photograph do."""
    high, wide = _shape(rng)
    sheet = Image.new("F", (wide, high), float(rng.uniform(0, 1)))
    draw = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(15, 250))):
        side = min(high, wide) * 0.5 * rng.uniform(0.02, 1) ** 2 + 3
        x, y = rng.uniform(0, wide), rng.uniform(0, high)
        tall = side * rng.uniform(0.3, 1)
        corners = (x - side, y - tall, x + side, y + tall)
        fill = float(rng.uniform(0, 1))
        if rng.random() < 0.6:
            draw.ellipse(corners, fill=fill)
        else:
            turns = np.sort(rng.uniform(0, 2 * np.pi, 4))
            draw.polygon([(x + side * np.cos(t), y + tall * np.sin(t)) for t in turns], fill=fill)
    made = ndimage.gaussian_filter(np.asarray(sheet), rng.uniform(0, 3))
    made = made + ndimage.gaussian_filter(rng.normal(size=made.shape), 2) * rng.uniform(0, 0.4)
    made = (made - made.min()) / (made.max() - made.min())
    return _sized(made ** rng.uniform(0.4, 3), rng)


def page(rng: Rng) -> tuple[Picture, Spacing]:
    """Return a page, a form or windows on a screen, drawn by Pillow, dark or light."""
    high, wide = _shape(rng)
    back = int(rng.integers(0, 60)) if rng.random() < 0.6 else int(rng.integers(190, 256))
    ink = 255 - back
    sheet = Image.new("L", (wide, high), back)
    draw = ImageDraw.Draw(sheet)
    for _ in range(int(rng.integers(1, 8))):
        x, y = int(rng.integers(0, wide - 90)), int(rng.integers(0, high - 90))
        right, bottom = int(rng.integers(x + 60, wide + 1)), int(rng.integers(y + 60, high + 1))
        draw.rectangle((x, y, right, bottom), fill=int(rng.integers(0, 256)), outline=ink)
        for line in range(y + 6, bottom - 12, int(rng.integers(12, 30))):
            count = int(rng.integers(1, max(2, (right - x) // 7)))
            text = "".join(rng.choice(list("etaoin shrdlu 0123"), count))
            draw.text((x + 5, line), text, fill=ink if rng.random() < 0.8 else 128)
    for _ in range(int(rng.integers(0, 6))):
        draw.line([tuple(rng.integers(0, (wide, high))) for _ in range(12)], fill=ink, width=3)
    return _sized(np.asarray(sheet, dtype=np.float64), rng)


def sample_picture(rng: Rng) -> tuple[Picture, Spacing]:
    """Cut a part of matplotlib's samples: a portrait, two maps of heights, a slice of MR."""
    kind = int(rng.integers(4))
    if kind == 0:
        with get_sample_data("grace_hopper.jpg") as file:
            whole = np.asarray(Image.open(file), dtype=np.float64) @ rng.dirichlet([3, 3, 3])
    elif kind == 1:
        whole = get_sample_data("topobathy.npz")["topo"].astype(np.float64)
    elif kind == 2:
        whole = get_sample_data("jacksboro_fault_dem.npz")["elevation"].astype(np.float64)
    else:
        with get_sample_data("s1045.ima.gz") as file:
            whole = np.frombuffer(file.read(), np.uint16).reshape(256, 256).astype(np.float64)
    whole = np.rot90(whole, int(rng.integers(4)))
    high, wide = (int(side * rng.uniform(0.5, 1)) for side in whole.shape)
    top, left = (
        int(rng.integers(0, s - n + 1)) for s, n in zip(whole.shape, (high, wide), strict=True)
    )
    part = whole[top : top + high, left : left + wide]
    part = (part - part.min()) / max(float(np.ptp(part)), 1e-6)
    part = ndimage.zoom(part, 500 / high, order=1) ** rng.uniform(0.5, 2.5)
    return _sized(1 - part if rng.random() < 0.2 else part, rng)


def limbs(rng: Rng) -> tuple[Picture, Spacing]:
    """Rods with denser cores at random places on black, as limbs with bones in an X-ray."""
    high, wide = _shape(rng)
    y, x = np.mgrid[0:high, 0:wide] / high
    flesh, bone = np.zeros((high, wide)), np.zeros((high, wide))
    for _ in range(int(rng.integers(1, 9))):
        start, end = rng.uniform(-0.1, 1.1, 2), rng.uniform(-0.1, 1.1, 2)
        thick = float(rng.uniform(0.02, 0.22))
        line = end - start
        along = np.clip(((y - start[0]) * line[0] + (x - start[1]) * line[1]) / (line @ line), 0, 1)
        far = np.hypot(y - start[0] - along * line[0], x - start[1] - along * line[1])
        flesh = np.maximum(flesh, np.sqrt(np.clip(1 - (far / thick) ** 2, 0, None)) * thick * 3)
        core = thick * float(rng.uniform(0.2, 0.6))
        bone += (far < core) * rng.uniform(0.3, 1)
    made = flesh + bone * float(rng.uniform(0.3, 1.2))
    made = ndimage.gaussian_filter(made, 1.5) + rng.normal(0, 0.01, made.shape)
    made = np.clip(made, 0, np.percentile(made, 99.8))
    return _sized(made ** rng.uniform(0.4, 1.5), rng)


def trunk(rng: Rng) -> tuple[Picture, Spacing]:
    """Ellipses in an ellipse with beams across: a trunk, a head, a test object."""
    high, wide = _shape(rng)
    y, x = np.mgrid[0:high, 0:wide].astype(float)
    y, x = y / high - 0.5, x / wide - 0.5
    body = (np.abs(x) / rng.uniform(0.25, 0.6)) ** 2.5 + (np.abs(y) / rng.uniform(0.3, 0.7)) ** 2.5
    made = np.where(body < 1, rng.uniform(0.3, 0.7), rng.uniform(0, 0.1))
    if rng.random() < 0.5:
        made[(body < 1) & (body > rng.uniform(0.7, 0.92))] = rng.uniform(0.7, 1)
    for _ in range(int(rng.integers(2, 9))):
        at, size = rng.uniform(-0.35, 0.35, 2), rng.uniform(0.03, 0.25, 2)
        organ = ((y - at[0]) / size[0]) ** 2 + ((x - at[1]) / size[1]) ** 2 < 1
        made[organ] = rng.uniform(0.05, 1)
        if rng.random() < 0.5:
            mirror = ((y - at[0]) / size[0]) ** 2 + ((x + at[1]) / size[1]) ** 2 < 1
            made[mirror] = made[organ][0] if organ.any() else 0.5
    if rng.random() < 0.4:
        made[np.abs(x - rng.normal(0, 0.05)) < rng.uniform(0.02, 0.08)] = rng.uniform(0.6, 1)
    if rng.random() < 0.4:
        made += 0.15 * (np.sin((y + x * x) * rng.uniform(40, 120)) > 0.6) * (body < 1)
    made = ndimage.gaussian_filter(made, 1.5) + rng.normal(0, 0.01, made.shape)
    return _sized(np.clip(made, 0, 1) ** rng.uniform(0.5, 1.5), rng)


STRANGERS: dict[str, Callable[[Rng], tuple[Picture, Spacing]]] = {
    "cloud": cloud,
    "leaves": leaves,
    "page": page,
    "sample picture": sample_picture,
    "limbs": limbs,
    "trunk": trunk,
}
