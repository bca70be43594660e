"""What the script of each network feeds it and trains it with.

From method facts 3 and 4. What these do not tell of a network of the paper is as 1.0.0.35 has it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal

Kind = Literal["tile", "grid", "dense"]
Scaling = Literal["raw", "unit", "centred"]
WHITE = 255.0
PAPER_MEAN = 104.1353
"""Mean grey level of the author's training tiles, which 1.0.0.45 and .46 subtract."""
VALUE_RANGES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "raw": (0.0, WHITE),
        "unit": (0.0, 1.0),
        "centred": (-PAPER_MEAN / WHITE, (WHITE - PAPER_MEAN) / WHITE),
    }
)
"""What black and white become under each scaling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkFacts:
    """How a network is fed and trained where the user says nothing else.

    Attributes
    ----------
    kind : "tile" answers once a tile, "grid" once a tile and for a larger scan at every place of a
        grid, "dense" for every pixel or place
    side_px : side of its tiles in pixels
    scaling : what its script feeds: "raw" grey levels 0 to 255, "unit" these / 255, "centred"
        (x - 104.1353) / 255
    conv_l2, dense_l2 : strength of the weight penalty, see `mammoscope.models.penalty`
    epochs_a_stair : epochs between two cuts of the learning rate
    decay : factor of such a cut
    positive_weight : weight of an abnormal tile's loss; 1 is as a normal one's
    batch_size : tiles
    source : where this is from
    """

    kind: Kind = "tile"
    side_px: int = 299
    scaling: Scaling = "unit"
    conv_l2: float = 0.0
    dense_l2: float = 0.0
    epochs_a_stair: int = 5
    decay: float = 0.80
    positive_weight: float = 1.0
    batch_size: int = 32
    source: str = "mammoscope"


_35 = NetworkFacts(
    conv_l2=1e-5, dense_l2=2.5e-3, positive_weight=2.0, source="Scuccimarra 2018, 1.0.0.35"
)
_45 = replace(_35, scaling="centred", conv_l2=1e-4)
_101 = replace(_35, conv_l2=1e-4, decay=0.85, batch_size=64)
_103 = replace(_35, conv_l2=1e-4, dense_l2=2e-3)
_VGG = replace(_35, conv_l2=0.0, epochs_a_stair=10)
_INCEPTION = replace(_35, conv_l2=0.0)
_PAPER = {
    "DDSM_2": replace(_35, positive_weight=4.0, decay=0.85, epochs_a_stair=25),
    "0.0.2.06b": _35,
    "1.0.0.1": _35,
    "1.0.0.2": _35,
    "1.0.0.24": replace(
        _35, conv_l2=1e-4, dense_l2=2e-3, decay=0.85, positive_weight=1.0, batch_size=64
    ),
    "1.0.0.28": replace(_35, scaling="raw", positive_weight=3.0, epochs_a_stair=10),
    "1.0.0.28.2": _35,
    "1.0.0.29": replace(_35, scaling="raw", epochs_a_stair=10),
    "1.0.0.30": _35,
    "1.0.0.35": _35,
    "1.0.0.45": _45,
    "1.0.0.46": _45,
    "1.0.1.32": _101,
    "1.0.1.39d": _101,
    "1.0.1.39f": _101,
    "1.0.1.39n": _101,
    "1.0.1.40": _101,
    "1.0.1.44a": replace(_101, batch_size=32),
    "1.0.2.02": _35,
    "1.0.2.06": _35,
    "1.0.3.02": _103,
    "1.0.3.04": _103,
    "1.0.4.01": _35,
    "1.0.5.01": _35,
    "1.1.0.01": _35,
    "1.1.0.40": _35,
    "1.1.1.01": _35,
    "1.1.2.06": replace(_35, conv_l2=0.0),
    "1.2.0.01": _35,
    "1.3.0.03n": replace(_35, positive_weight=1.0),
    "1.3.1.01n": _35,
    "1.4.0.01": replace(_35, positive_weight=4.0),
    "1.4.1.04": _35,
    "vgg_16": _VGG,
    "vgg_16.2": replace(_VGG, scaling="centred"),
    "vgg_16.3": _VGG,
    "vgg_16.3.01": replace(_VGG, scaling="raw", positive_weight=1.0),
    "vgg_16.paper": _VGG,
    "inception_v4.05": _INCEPTION,
    "inception_v4.paper": _INCEPTION,
    # Their script centres by 127; the nearest that is offered centres by 104.1353.
    "2.0.0.35": replace(_35, kind="grid", scaling="centred", positive_weight=6.0),
    "2.0.0.36": replace(_35, kind="grid", scaling="centred", positive_weight=7.0),
    "3.9.4.01": replace(_35, kind="dense", side_px=640, conv_l2=0.0, positive_weight=15.0),
}
FACTS: Mapping[str, NetworkFacts] = MappingProxyType(
    {
        "lite0-dense": NetworkFacts(kind="dense"),
        "lite0-local": NetworkFacts(kind="dense"),
        "tilenet-dense": NetworkFacts(kind="dense"),
        **{
            name: replace(facts, source=f"Scuccimarra 2018, {name}")
            for name, facts in _PAPER.items()
        },
    }
)
"""Networks that are not here have what `NetworkFacts` has by itself."""
