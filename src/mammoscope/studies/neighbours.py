"""k nearest neighbours on frozen features of whole MIAS scans: as the paper did it, and done right.

The paper (method facts 6.5) resized each image, took features of a network trained on ImageNet,
divided 322 images 257 to 65 whatever the patient, and chose k and the distance's power by the
accuracy in five folds. It gives accuracies near the majority's and recalls near 0. Done right, the
two scans of a patient stay together, features are scaled by the training part, the choice is made
by area under the curve, every patient is tested once, and figures have intervals over patients.
Needs scikit-learn (extra ``studies``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mammoscope.archives.archive import Archive
from mammoscope.core.errors import ArchiveError, MissingDecoderError, UnknownNameError
from mammoscope.core.records import Scan
from mammoscope.evaluation.metrics import binary_figures, to_json
from mammoscope.formats.raster import read_raster
from mammoscope.scans.load import load

NETWORKS = ("lite0", "vgg19", "inception_v3")
PICTURES = (".png", ".pgm", ".tif", ".tiff", ".jpg", ".jpeg")
SIDE_PX = 224
NEIGHBOURS = (10, 15, 20, 25, 30)
POWERS = (1, 2)
FOLDS = 5
TEST_SHARE = 0.2
"""Of 322 images that is the paper's 65."""
AT_ONCE = 16
FEWEST_PATIENTS = 20
SHOWN = ("accuracy", "majority", "recall", "specificity", "auc")
Features = NDArray[np.float32]
OnDone = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Described:
    """Whole scans as rows of numbers.

    Attributes
    ----------
    features : ndarray of shape (scans, numbers), float32
    truth : ndarray of shape (scans,), bool: has a finding
    patients : of each scan
    network : what the features are of
    """

    features: Features
    truth: NDArray[np.bool_]
    patients: tuple[str, ...]
    network: str


def describe(
    archive: Archive,
    network: str = "lite0",
    weights: Path | None = None,
    on_done: OnDone = lambda _done, _total: None,
) -> Described:
    """Compute frozen ImageNet features of every scan whose findings are known.

    Parameters
    ----------
    network : "lite0" (with the extra ``train``), or "vgg19" or "inception_v3" with `weights`
    weights : torchvision's weight file
    on_done : told (scans done, scans in all)

    Raises
    ------
    UnknownNameError
        When `network` is none of `NETWORKS`.
    ArchiveError
        When there are too few patients with and without findings.
    MammoscopeError
        When weights or scans cannot be read.
    """
    if network not in NETWORKS:
        raise UnknownNameError.among("network with ImageNet features", network, NETWORKS)
    scans = [scan for scan in archive.scans() if scan.findings is not None]
    truth = np.array([bool(scan.findings) for scan in scans], dtype=np.bool_)
    patients = tuple(scan.patient_id for scan in scans)
    for wanted in (True, False):
        count = len({p for p, so in zip(patients, truth, strict=True) if so == wanted})
        if count < FEWEST_PATIENTS:
            said = "with" if wanted else "without"
            raise ArchiveError(
                f"{archive.folder}: {count} patients of {archive.name} have scans {said} findings, "
                f"and nearest neighbours need {FEWEST_PATIENTS}; take a larger archive."
            )
    extract = _extractor(network, weights)
    rows = []
    for start in range(0, len(scans), AT_ONCE):
        some = scans[start : start + AT_ONCE]
        rows.append(extract(np.stack([_small(_image_of(scan)) for scan in some])))
        on_done(min(start + AT_ONCE, len(scans)), len(scans))
    return Described(np.concatenate(rows), truth, patients, network)


def as_the_paper(described: Described) -> dict[str, Any]:
    """Repeat the paper's test: images divided at random, features as they are, one choice.

    Returns
    -------
    dict
        `k`, `power`, `validation` (best mean accuracy in five folds), `accuracy` and `recall` of
        the test images, `baseline` and `train_baseline`, `test` and `train` (images), and
        `shared_patients`: patients with an image in both parts.
    """
    _require_sklearn()
    from sklearn.model_selection import GridSearchCV, train_test_split
    from sklearn.neighbors import KNeighborsClassifier

    places = np.arange(len(described.truth))
    train, test = train_test_split(places, test_size=TEST_SHARE, random_state=0)
    search = GridSearchCV(
        KNeighborsClassifier(), {"n_neighbors": list(NEIGHBOURS), "p": list(POWERS)}, cv=FOLDS
    )
    search.fit(described.features[train], described.truth[train])
    called, truth = search.predict(described.features[test]), described.truth[test]
    names = np.asarray(described.patients)
    return {
        "k": int(search.best_params_["n_neighbors"]),
        "power": int(search.best_params_["p"]),
        "validation": float(search.best_score_),
        "accuracy": float((called == truth).mean()),
        "recall": float(called[truth].mean()),
        "baseline": float(max(truth.mean(), 1 - truth.mean())),
        "train_baseline": _majority(described.truth[train]),
        "test": len(test),
        "train": len(train),
        "shared_patients": len(set(names[train]) & set(names[test])),
    }


def done_right(described: Described, seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """Test every patient once: five outer folds by patient, each with its own scaling and choice.

    Parameters
    ----------
    seed : deals the patients to folds
    resamples : of the bootstrap over patients, at least 40

    Returns
    -------
    dict
        The figures of `SHOWN` with their intervals at threshold .5, and `chosen`: k and power of
        each fold.
    """
    _require_sklearn()
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    x, y, groups = described.features, described.truth, np.asarray(described.patients)
    scores = np.zeros(len(y))
    chosen = []
    outer = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for train, test in outer.split(x, y, groups):
        inner = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed + 1)
        search = GridSearchCV(
            Pipeline([("scale", StandardScaler()), ("model", KNeighborsClassifier())]),
            {"model__n_neighbors": list(NEIGHBOURS), "model__p": list(POWERS)},
            cv=inner,
            scoring="roc_auc",
        )
        search.fit(x[train], y[train], groups=groups[train])
        scores[test] = search.predict_proba(x[test])[:, 1]
        best: Mapping[str, Any] = search.best_params_
        chosen.append([int(best["model__n_neighbors"]), int(best["model__p"])])
    figures = binary_figures(scores, y, described.patients, 0.5, resamples=resamples, seed=seed)
    return {
        "scans": len(y),
        "patients": len(set(described.patients)),
        "chosen": chosen,
        **to_json({name: figures[name] for name in SHOWN}),
    }


def study(described: Described, seed: int = 0, resamples: int = 1000) -> dict[str, Any]:
    """Return both tests, and what was described, as one plain record."""
    return {
        "network": described.network,
        "numbers": int(described.features.shape[1]),
        "paper_way": as_the_paper(described),
        "done_right": done_right(described, seed, resamples),
    }


def _extractor(network: str, weights: Path | None) -> Callable[[NDArray[np.uint8]], Features]:
    """Make what turns grey pictures into rows: the input of the network's output layer."""
    import torch

    from mammoscope.models import zoo
    from mammoscope.models.transfer import load_features

    made = zoo.build(network, 2)
    load_features(made, weights)
    made.eval()
    # The rest of the network is then the features alone, averaged over places as it does.
    made.logits = torch.nn.Identity()

    @torch.inference_mode()
    def extract(pictures: NDArray[np.uint8]) -> Features:
        batch = torch.from_numpy(pictures)[:, None].float() / 255
        return np.asarray(made(batch).numpy(), dtype=np.float32)

    return extract


def _image_of(scan: Scan) -> NDArray[Any]:
    """Read a scan; pictures of 299 pixels are too small for `load`, which is for reading."""
    return read_raster(scan.path) if scan.path.suffix.lower() in PICTURES else load(scan).image


def _small(image: NDArray[Any]) -> NDArray[np.uint8]:
    if image.dtype != np.uint8:
        # The upper eight of the bits that are used: 16 bits often hold 10 or 12.
        image = (image >> max(0, int(image.max()).bit_length() - 8)).astype(np.uint8)
    small = Image.fromarray(image).resize((SIDE_PX, SIDE_PX), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.uint8)


def _majority(truth: NDArray[np.bool_]) -> float:
    share = float(truth.mean())
    return max(share, 1 - share)


def _require_sklearn() -> None:
    if find_spec("sklearn") is None:
        raise MissingDecoderError(
            "Nearest neighbours need scikit-learn, which is missing; install it with: "
            "pip install 'mammoscope[studies]'"
        )


PUBLISHED: tuple[Mapping[str, Any], ...] = tuple(
    {"network": network, "layer": layer, "k": k, "power": power, "validation": validation,
     "accuracy": accuracy, "recall": recall}
    for network, layer, k, power, validation, accuracy, recall in (
        ("VGG-19", "pool5", 30, 2, 0.6303, 0.7076, 0.0),
        ("VGG-19", "pool4", 30, 2, 0.6225, 0.6769, 0.05),
        ("VGG-19", "pool3", 10, 1, 0.6246, 0.6769, 0.05),
        ("VGG-19", "pool2", 30, 2, 0.6303, 0.7076, 0.0),
        ("VGG-19", "pool1", 15, 1, 0.6225, 0.5846, 0.05),
        ("VGG-19", "fc6", 30, 1, 0.6246, 0.7076, 0.0),
        ("Inception", "PreLogits", 30, 2, 0.6186, 0.7076, 0.05),
        ("Inception", "Mixed_3a", 10, 1, 0.6264, 0.6615, 0.05),
        ("Inception", "Mixed_4a", 10, 2, 0.6303, 0.6615, 0.05),
        ("Inception", "Mixed_5a", 30, 1, 0.6342, 0.6923, 0.0),
        ("Inception", "Mixed_5e", 10, 1, 0.6303, 0.6615, 0.1),
        ("Inception", "Mixed_6a", 20, 1, 0.6186, 0.6769, 0.05),
        ("Inception", "Mixed_6h", 15, 1, 0.6264, 0.6461, 0.157),
        ("Inception", "Mixed_7a", 30, 1, 0.6186, 0.6923, 0.0),
        ("Inception", "Mixed_7d", 30, 1, 0.6108, 0.6923, 0.05),
    )
)  # fmt: skip
"""The author's own results (Results.xlsx; method facts 6.5)."""
PUBLISHED_BASELINES = {"train": 0.6264, "test": 0.7076}
"""Accuracy of always normal in the author's two parts."""
