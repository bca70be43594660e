"""Read mammograms with convolutional networks, and say how far the answer can be trusted.

Research software, not a medical device. Every public name is imported on first use, so that
``import mammoscope`` is quick.
"""

from typing import TYPE_CHECKING, Any

from mammoscope.core.registry import Registry

if TYPE_CHECKING:
    from mammoscope.archives.open import open_archive
    from mammoscope.formats.ljpeg import decode_ljpeg
    from mammoscope.models.weights import load_model
    from mammoscope.read.evaluate import evaluate
    from mammoscope.read.exam import read_exam
    from mammoscope.scans.load import read_scan
    from mammoscope.tiles.build import build_tiles
    from mammoscope.tiles.store import load_tiles
    from mammoscope.training.run import train

__version__ = "0.1.0"

__all__ = [
    "build_tiles",
    "decode_ljpeg",
    "evaluate",
    "load_model",
    "load_tiles",
    "open_archive",
    "read_exam",
    "read_scan",
    "train",
]

_PLACES = Registry(
    "public name",
    {
        "build_tiles": "mammoscope.tiles.build:build_tiles",
        "decode_ljpeg": "mammoscope.formats.ljpeg:decode_ljpeg",
        "evaluate": "mammoscope.read.evaluate:evaluate",
        "load_model": "mammoscope.models.weights:load_model",
        "load_tiles": "mammoscope.tiles.store:load_tiles",
        "open_archive": "mammoscope.archives.open:open_archive",
        "read_exam": "mammoscope.read.exam:read_exam",
        "read_scan": "mammoscope.scans.load:read_scan",
        "train": "mammoscope.training.run:train",
    },
)


def __getattr__(name: str) -> Any:
    if name not in _PLACES.places:
        raise AttributeError(f"module 'mammoscope' has no attribute {name!r}")
    found = _PLACES.get(name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
