"""The index of training lesions that `read --explain` compares a marked place with.

Usage: python benchmarks/lesion_index.py CBIS_800_DIR FILE

Takes the features of every boxed lesion of CBIS-DDSM (training part) from the shipped model, and
writes their vectors, ids and pathologies; no picture. Make it again whenever the weights change:
an index of other weights is not used. Prints as JSON how often a lesion's nearest five of other
patients have its pathology, against chance; that is no measure of the model, only of the index.
"""

import json
import sys
from pathlib import Path

import numpy as np

from mammoscope.archives.open import open_archive
from mammoscope.core.geometry import Box
from mammoscope.models.weights import load_model
from mammoscope.read.explain_nearest import features_of, make_index, write_index
from mammoscope.scans.load import load

NEAR = 5


def main(folder: Path, out: Path) -> None:
    """Make the index of the shipped model."""
    model = load_model("default")
    rows, names, natures, patients = [], [], [], []
    for scan in open_archive("cbis-ddsm-800", folder).scans():
        loaded = load(scan)
        if loaded.spacing_mm is None:
            continue
        prepared = model.prepare(loaded.image, loaded.spacing_mm)
        for finding in scan.findings or ():
            if not isinstance(finding.roi, Box):
                continue
            found = features_of(model, prepared, prepared.box_from_scan(finding.roi))
            if found is None:
                raise SystemExit("the model is of a kind whose features are not known")
            rows.append(found)
            names.append(finding.finding_id)
            natures.append(str(finding.pathology.name) if finding.pathology else "")
            patients.append(scan.patient_id)
    index = make_index(np.array(rows), tuple(names), tuple(natures), model.digest)
    write_index(out, index)
    agree, chance = agreement(index.vectors.astype(np.float32), natures, patients)
    told = {"lesions": len(rows), "bytes": out.stat().st_size}
    print(json.dumps({**told, "same pathology": agree, "by chance": chance}, indent=1))


def agreement(vectors: np.ndarray, natures: list[str], patients: list[str]) -> tuple[float, float]:
    """Share of the nearest of other patients that have a lesion's own pathology, and chance."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = unit @ unit.T
    whose, nature = np.array(patients), np.array(natures)
    alike[whose[:, None] == whose[None, :]] = -2
    nearest = np.argsort(-alike, axis=1)[:, :NEAR]
    share = float((nature[nearest] == nature[:, None]).mean())
    _, counts = np.unique(nature, return_counts=True)
    return round(share, 4), round(float(((counts / counts.sum()) ** 2).sum()), 4)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
