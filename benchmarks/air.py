"""How dark the air round the breast is on real scans: the ground of the photograph guard.

Usage: python benchmarks/air.py NAME DIR [NAME DIR ...]

For each archive prints, as JSON, the largest and the 99th percentile of the two shares that
`mammoscope.scans.load` compares with its limits.
"""

import json
import sys
from pathlib import Path

import numpy as np

from mammoscope.archives.open import open_archive
from mammoscope.scans.load import air_of, load


def main(arguments: list[str]) -> None:
    """Measure the archives named in pairs of name and folder."""
    result = {}
    for name, folder in zip(arguments[::2], arguments[1::2], strict=True):
        scans = open_archive(name, Path(folder)).scans()
        shares = np.array([air_of(load(scan).image) for scan in scans])
        result[name] = {
            "scans": len(scans),
            "largest": shares.max(axis=0).round(4).tolist(),
            "99th percentile": np.percentile(shares, 99, axis=0).round(4).tolist(),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
