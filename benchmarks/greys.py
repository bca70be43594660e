"""How much archives differ in grey scale inside the breast: the ground of the grey rule.

Usage: python benchmarks/greys.py NAME DIR [NAME DIR ...]

For every sixth scan of each archive maps the rule's two percentiles to 0 and 1 without bending, and
prints, as JSON, mean and spread over scans of the median inside the breast, and of the strength of
fine detail (spread of what a Gaussian of 2 pixels takes away).
"""

import json
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from mammoscope.archives.open import open_archive
from mammoscope.core.contract import InputSpec
from mammoscope.scans.load import load
from mammoscope.scans.prepare import prepare

UNBENT = InputSpec(
    spacing_mm=0.3,
    grey_rule="breast-percentiles",
    grey_numbers={"low": 2.0, "high": 99.5, "middle": 0.5, "bend": 1.0},
)


def main(arguments: list[str]) -> None:
    """Measure the archives named in pairs of name and folder."""
    result = {}
    for name, folder in zip(arguments[::2], arguments[1::2], strict=True):
        rows = []
        for scan in open_archive(name, Path(folder)).scans()[::6]:
            loaded = load(scan)
            assert loaded.spacing_mm is not None
            prepared = prepare(UNBENT, loaded.image, loaded.spacing_mm)
            fine = prepared.image - ndimage.gaussian_filter(prepared.image, 2)
            rows.append((np.median(prepared.image[prepared.breast]), fine[prepared.breast].std()))
        mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
        result[name] = {
            "scans": len(rows),
            "median": {"mean": round(float(mean[0]), 3), "spread": round(float(spread[0]), 3)},
            "detail": {"mean": round(float(mean[1]), 4), "spread": round(float(spread[1]), 4)},
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
