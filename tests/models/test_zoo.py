"""The whole zoo, network by network; counts are those of method facts 3."""

from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, save

from mammoscope.core.errors import BadValueError, UnknownNameError
from mammoscope.models import zoo
from mammoscope.models.facts import FACTS
from mammoscope.models.layers import DenseDropout, PoolDropout

COUNTS = {
    ("DDSM_2", 2): 7_464_770,
    ("0.0.2.06b", 2): 25_476_130,
    ("1.0.0.1", 2): 32_013_698,
    ("1.0.0.2", 2): 1_918_322,
    ("1.0.0.24", 2): 32_198_594,
    ("1.0.0.28", 2): 32_198_594,
    ("1.0.0.28.2", 2): 32_198_594,
    ("1.0.0.29", 2): 32_198_594,
    ("1.0.0.30", 2): 32_226_338,
    ("1.0.0.35", 2): 32_198_594,
    ("1.0.0.35", 3): 32_200_643,
    ("1.0.0.35", 5): 32_204_741,
    ("1.0.0.45", 2): 32_198_594,
    ("1.0.0.46", 2): 32_198_594,
    ("1.0.0.46", 5): 32_204_741,
    ("1.0.1.32", 2): 13_085_282,
    ("1.0.1.39d", 2): 13_085_282,
    ("1.0.1.39n", 2): 13_085_282,
    ("1.0.1.44a", 2): 24_492_130,
    ("1.0.2.02", 2): 32_743_010,
    ("1.0.2.06", 2): 32_743_010,
    ("1.0.3.02", 2): 21_576_674,
    ("1.0.3.04", 2): 27_752_098,
    ("1.0.4.01", 2): 18_463_858,
    ("1.0.5.01", 2): 5_825_186,
    ("1.1.0.01", 2): 12_988_434,
    ("1.1.0.40", 2): 13_610_082,
    ("1.1.1.01", 2): 6_667_970,
    ("1.1.2.06", 2): 12_057_634,
    ("1.2.0.01", 5): 32_320_005,
    ("1.3.0.03n", 2): 36_512_482,
    ("1.3.1.01n", 2): 35_157_442,
    ("1.4.0.01", 2): 20_273_986,
    ("vgg_16", 2): 123_199_682,
    ("vgg_16.2", 2): 44_556_482,
    ("vgg_16.3", 2): 15_815_042,
    ("vgg_16.3", 5): 15_816_581,
    ("vgg_16.3.01", 2): 44_556_482,
    ("inception_v4.05", 2): 8_531_410,
    ("2.0.0.35", 2): 32_198_594,
    ("2.0.0.36", 2): 32_198_594,
    ("3.9.4.01", 1): 11_502_625,
}
ONLY_CLASSES = {"3.9.4.01": 1}
LARGE = {"inception_v4.paper", "vgg19", "vgg_16", "vgg_16.2", "vgg_16.3.01"}
"""Over 40 million parameters: tried without values but for one answer of the largest."""
# Networks that are one and the same are tried once.
DISTINCT = sorted({place: name for name, place in sorted(zoo.NETWORKS.places.items())}.values())
CLASSIFIERS = [name for name in zoo.NETWORKS.names if zoo.facts(name).kind != "dense"]


def classes_of(name):
    return ONLY_CLASSES.get(name, 2)


@cache
def on_meta(name, classes):
    with torch.device("meta"):
        return zoo.build(name, classes)


def count(network):
    return sum(p.numel() for p in network.parameters())


def tiles_for(name, number):
    facts = zoo.facts(name)
    # A dense network takes whole scans; a small corner of one is enough here.
    side = 64 if facts.kind == "dense" else facts.side_px
    generator = torch.Generator().manual_seed(5)
    return torch.rand(number, 1, side, side, generator=generator)


def is_answer(name, answer, tiles):
    classes = classes_of(name)
    if zoo.facts(name).kind == "dense":
        return answer.shape[:2] == (len(tiles), classes) and answer.ndim == 4
    return answer.shape == (len(tiles), classes)


@pytest.mark.parametrize(("name", "classes"), COUNTS, ids=lambda v: str(v))
def test_a_network_has_the_published_number_of_parameters(name, classes):
    assert count(on_meta(name, classes)) == COUNTS[name, classes]


def test_what_is_missing_of_1_0_1_40_is_as_much_as_the_table_of_the_docs_says():
    # The facts tell of 13 convolutions and describe 11; see docs/models/zoo.md.
    assert count(on_meta("1.0.1.40", 2)) - 14_067_954 == -457_872


@pytest.mark.parametrize("name", DISTINCT)
def test_a_batch_is_trained_on_with_an_answer_for_each_tile(name):
    network = on_meta(name, classes_of(name)).train()
    tiles = tiles_for(name, 2).to("meta")
    answer = network(tiles)
    assert is_answer(name, answer, tiles)
    network.zero_grad(set_to_none=True)
    answer.sum().backward()
    without = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert without == []


@pytest.mark.parametrize("name", [name for name in DISTINCT if name not in LARGE])
def test_a_tile_alone_moves_every_parameter_and_saved_weights_answer_the_same(name):
    classes = classes_of(name)
    torch.manual_seed(1)
    network = zoo.channels_last(zoo.build(name, classes)).eval()
    tile = tiles_for(name, 1)
    answer = network(tile)
    assert is_answer(name, answer, tile)
    assert answer.isfinite().all()
    # In evaluation a norm takes nothing away from biases, so that every slope counts.
    answer.square().sum().backward()
    still = [
        n
        for n, p in network.named_parameters()
        if p.requires_grad and (p.grad is None or not p.grad.any())
    ]
    assert still == []
    with torch.inference_mode():
        again = load_again(network, name, classes)
        torch.testing.assert_close(again(tile), answer, rtol=1e-5, atol=1e-6)


def load_again(network, name, classes):
    tensors = {key: value.contiguous() for key, value in network.state_dict().items()}
    with torch.device("meta"):
        again = zoo.build(name, classes)
    again.load_state_dict(load(save(tensors)), assign=True)
    return zoo.channels_last(again).eval()


def test_the_largest_answers_too():
    largest = max(DISTINCT, key=lambda name: count(on_meta(name, classes_of(name))))
    with torch.device("meta"):
        network = zoo.build(largest)
    network = network.to_empty(device="cpu").eval()
    with torch.inference_mode():
        for tensor in network.state_dict().values():
            tensor.fill_(0.001 if tensor.is_floating_point() else 0)
        assert network(tiles_for(largest, 1)).isfinite().all()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_classifier_ends_in_logits(name):
    network = on_meta(name, 5)
    assert network.logits.weight.shape[0] == 5


def test_shares_to_drop_reach_the_network():
    with torch.device("meta"):
        network = zoo.build("1.0.0.35", pool_dropout=0.25, dense_dropout=0.7)
    assert {m.p for m in network.modules() if isinstance(m, PoolDropout)} == {0.25}
    assert {m.p for m in network.modules() if isinstance(m, DenseDropout)} == {0.7}


def test_a_share_for_a_dropout_that_is_not_there_is_refused():
    with torch.device("meta"):
        with pytest.raises(
            BadValueError, match=r"'inception_v4\.05' has no dropout on pooled maps"
        ):
            zoo.build("inception_v4.05", pool_dropout=0.1)
        # Nothing to drop is what it does.
        zoo.build("inception_v4.05", pool_dropout=0.0)


@pytest.mark.parametrize(("name", "classes"), [("1.0.0.35", 0), ("lite0-dense", 5)])
def test_a_number_of_answers_that_cannot_be_is_refused(name, classes):
    with pytest.raises(ValueError, match=f"{classes}"):
        zoo.build(name, classes)


def test_an_unknown_name_is_answered_with_names_near_it():
    for ask in (zoo.build, zoo.facts):
        with pytest.raises(UnknownNameError, match=r"1\.0\.0\.35"):
            ask("1.0.0.36")


def test_facts_are_of_networks_that_are_there():
    assert FACTS.keys() <= set(zoo.NETWORKS.names)


@pytest.mark.parametrize(
    ("name", "scaling", "conv_l2", "stair", "weight"),
    [
        # Method facts 3.1, the table of differences.
        ("1.0.0.28", "raw", 1e-5, 10, 3.0),
        ("1.0.0.28.2", "unit", 1e-5, 5, 2.0),
        ("1.0.0.29", "raw", 1e-5, 10, 2.0),
        ("1.0.0.35", "unit", 1e-5, 5, 2.0),
        ("1.0.0.45", "centred", 1e-4, 5, 2.0),
        ("1.0.0.46", "centred", 1e-4, 5, 2.0),
    ],
)
def test_one_architecture_is_fed_in_six_ways(name, scaling, conv_l2, stair, weight):
    facts = zoo.facts(name)
    found = (facts.scaling, facts.conv_l2, facts.epochs_a_stair, facts.positive_weight)
    assert found == (scaling, conv_l2, stair, weight)
    assert (facts.dense_l2, facts.decay, facts.batch_size) == (2.5e-3, 0.80, 32)
    assert (facts.kind, facts.side_px) == ("tile", 299)


def test_the_page_of_the_zoo_has_every_network_as_it_is():
    page = Path(__file__).parents[2] / "docs" / "models" / "zoo.md"
    rows = [line.split("|") for line in page.read_text(encoding="utf-8").splitlines()]
    told = {row[1].strip(" `"): row for row in rows if len(row) == 11 and "`" in row[1]}
    assert told.keys() == set(zoo.NETWORKS.names)
    for name, row in told.items():
        facts = zoo.facts(name)
        parameters = f"{count(on_meta(name, classes_of(name))):,}"
        assert [cell.strip() for cell in row[2:5:2]] == [parameters, facts.scaling], name
        if row[5].strip() != "-":
            assert row[5].strip() == f"{facts.conv_l2:g} / {facts.dense_l2:g}", name
