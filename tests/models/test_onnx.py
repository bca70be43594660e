"""Every network of the zoo answers through ONNX Runtime as it does itself."""

import pytest
import torch

from mammoscope.models import zoo
from mammoscope.models.export import export_onnx
from mammoscope.models.onnx_run import OnnxNetwork

# Networks that are one and the same are tried once.
DISTINCT = sorted({place: name for name, place in sorted(zoo.NETWORKS.places.items())}.values())
MULTIPLES = {"lite0-dense": 32, "lite0-local": 32, "tilenet-dense": 32, "3.9.4.01": 32}
CLASSES = {"3.9.4.01": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", DISTINCT)
def test_a_network_answers_the_same_from_its_file(tmp_path, name):
    torch.manual_seed(2)
    network = zoo.channels_last(zoo.build(name, CLASSES.get(name, 2))).eval()
    multiple = MULTIPLES.get(name)
    side = zoo.facts(name).side_px if multiple is None else 4 * multiple
    export_onnx(network, tmp_path / "n.onnx", side_px=side, multiple_px=multiple)
    # Another number of images than the exporter saw, and for whole scans other sides.
    columns = side if multiple is None else 2 * multiple
    x = torch.rand(1, 1, side, columns, generator=torch.Generator().manual_seed(4))
    with torch.inference_mode():
        expected = network(x)
    # Fresh weights make small answers in deep networks; a share of the largest is asked for.
    largest = float(expected.abs().max())
    assert largest > 0
    found = OnnxNetwork(tmp_path / "n.onnx")(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4 * largest)
