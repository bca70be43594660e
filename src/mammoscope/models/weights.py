"""Weights and their contract in one safetensors file, and the models made from them."""

import hashlib
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import torch
from numpy import generic
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mammoscope.core.contract import ModelContract
from mammoscope.core.errors import UnknownNameError, WeightsError
from mammoscope.core.records import Spacing
from mammoscope.formats.files import write_atomic
from mammoscope.models import zoo
from mammoscope.scans.prepare import Prepared, prepare

SHIPPED = {"default": "Dense EfficientNet-lite0, masses, trained on CBIS-DDSM (CC BY 3.0)"}
"""Models in the package, with what they are."""
HEADER_KEY = "contract"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A network with the contract that says what it takes, answers and came from.

    Attributes
    ----------
    contract : see `mammoscope.core.contract`
    network : in evaluation mode, single precision
    digest : SHA-256 of the weight file
    """

    contract: ModelContract
    network: nn.Module
    digest: str

    def prepare(self, image: NDArray[generic], spacing_mm: Spacing) -> Prepared:
        """Turn a scan into this model's input, see `mammoscope.scans.prepare.prepare`."""
        return prepare(self.contract.input, image, spacing_mm)

    def _repr_html_(self) -> str:
        c = self.contract
        return (
            f"<b>{c.name} {c.version}</b> ({c.architecture}, {c.input.spacing_mm:g} mm), "
            f"answers {', '.join(c.output.targets)}; research software, not a medical device"
        )


def save_weights(path: Path, network: nn.Module, contract: ModelContract) -> None:
    """Write weights in half precision with their contract, whole or not at all."""
    tensors = {
        key: value.detach()
        .to(torch.float16 if value.is_floating_point() else value.dtype)
        .clone(memory_format=torch.contiguous_format)
        for key, value in network.state_dict().items()
    }
    write_atomic(path, save(tensors, metadata={HEADER_KEY: contract.to_json()}))


def load_model(name_or_path: str | Path = "default") -> Model:
    """Load a shipped model by name, or one from a weight file.

    Raises
    ------
    UnknownNameError
        When it is neither a name nor a file.
    WeightsError
        When the file is missing, damaged, or not of the architecture its contract names.
    """
    if str(name_or_path) in SHIPPED:
        with as_file(
            files("mammoscope.models") / "shipped" / f"{name_or_path}.safetensors"
        ) as path:
            return _load(path)
    path = Path(name_or_path)
    if path.suffix == ".safetensors" or path.exists():
        return _load(path)
    raise UnknownNameError.among("model", str(name_or_path), SHIPPED)


def model_card(name: str) -> str:
    """Return the card of a shipped model: Markdown."""
    if name not in SHIPPED:
        raise UnknownNameError.among("model", name, SHIPPED)
    return (files("mammoscope.models") / "shipped" / f"{name}.md").read_text(encoding="utf-8")


def _load(path: Path) -> Model:
    if not path.is_file():
        raise WeightsError(
            f"{path}: the weight file is missing; install the package again, "
            "or give the path of a .safetensors file."
        )
    try:
        with safe_open(path, framework="pt") as stored:
            text = (stored.metadata() or {}).get(HEADER_KEY)
            tensors: dict[str, Tensor] = {k: stored.get_tensor(k) for k in stored.keys()}  # noqa: SIM118 no iterator
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(
            f"{path}: no whole safetensors file ({error}); get the weights again."
        ) from error
    if text is None:
        raise WeightsError(
            f"{path}: these weights carry no contract, so it is not known what they take; "
            "use weights that mammoscope wrote."
        )
    contract = ModelContract.from_json(text)
    network = zoo.build(contract.architecture, len(contract.output.targets))
    try:
        network.load_state_dict(
            {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
        )
    except RuntimeError as error:
        raise WeightsError(
            f"{path}: the weights do not fit the architecture {contract.architecture} that their "
            f"contract names; get the weights again."
        ) from error
    network.eval()
    return Model(
        contract=contract,
        network=zoo.channels_last(network),
        digest=hashlib.sha256(path.read_bytes()).hexdigest(),
    )
