"""The one tree of errors.

    MammoscopeError
        ArchiveError        MissingFileError, LayoutError, AnnotationError
        FormatError         UnknownFormatError, CorruptFileError, MissingDecoderError
        ScanError           SpacingMissingError, LateralityMissingError
        ContractError       SpacingError, RangeError, ShapeError, WeightsError
        ConfigError         UnknownKeyError, BadValueError, UnknownNameError
        TrainingError       CollapseError, NotFiniteError

Each message is one sentence that names what was wrong, in which file, and what to do. The command
line shows that sentence alone and ends with exit code 2 (or 1 where other inputs were done);
anything that is not a `MammoscopeError` is a bug of ours and shows its trace.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MammoscopeError(Exception):
    """Root of every error that a user can cause or mend."""


class ArchiveError(MammoscopeError):
    """An archive's folder is not as its keepers publish it."""


class MissingFileError(ArchiveError):
    """A file or folder that was named is not there."""


class LayoutError(ArchiveError):
    """A folder does not hold what its kind of archive holds."""


class AnnotationError(ArchiveError):
    """A line of an annotation file cannot be understood."""


class FormatError(MammoscopeError):
    """The bytes of a file cannot be turned into an image or a table."""


class UnknownFormatError(FormatError):
    """A file is of no kind that can be read here."""


class CorruptFileError(FormatError):
    """A file is of a known kind but damaged or cut short."""


class MissingDecoderError(FormatError):
    """A file needs a decoder that is not installed."""


class ScanError(MammoscopeError):
    """A file was read but is not a scan that can be analysed."""


class SpacingMissingError(ScanError):
    """The size of a pixel is not known."""


class LateralityMissingError(ScanError):
    """It is not known which breast a scan shows."""


class ContractError(MammoscopeError):
    """A scan, tensor or set of weights does not fit the model's contract."""


class SpacingError(ContractError):
    """A spacing is outside what the contract takes."""


class RangeError(ContractError):
    """Values are outside the contract's range."""


class ShapeError(ContractError):
    """An array has a shape that the contract does not take."""


class WeightsError(ContractError):
    """A weight file is missing, damaged, or of another architecture."""


class ConfigError(MammoscopeError):
    """Settings that were given cannot be used."""


class UnknownKeyError(ConfigError):
    """A settings file holds a key that does not exist."""


class BadValueError(ConfigError):
    """A setting has a value outside its range."""


class UnknownNameError(ConfigError):
    """A name (of a model, an archive, a recipe) is not known."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> "UnknownNameError":
        """Make the error for `name`, naming the nearest known names of its `kind`."""
        names = sorted(known)
        near = get_close_matches(name, names, n=3) or names
        return cls(f"There is no {kind} called {name!r}; known are: {', '.join(near)}.")


class TrainingError(MammoscopeError):
    """Training cannot go on usefully."""


class CollapseError(TrainingError):
    """Every prediction is one class."""


class NotFiniteError(TrainingError):
    """The loss is not a finite number."""
