"""tf.train.Example: bytes by hand, the protobuf library as reference, and what damage is told."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mammoscope.core.errors import CorruptFileError
from mammoscope.formats.tf_example import format_example, parse_example


def same(read, expected):
    if isinstance(expected, np.ndarray):
        return isinstance(read, np.ndarray) and np.array_equal(read, expected)
    return read == tuple(expected)


@pytest.fixture(scope="module")
def example_class():
    """The message's class, made by the protobuf library from its published description."""
    descriptor_pb2 = pytest.importorskip(
        "google.protobuf.descriptor_pb2", reason="extra `train`: protobuf comes with TensorBoard"
    )
    from google.protobuf import descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="t", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto

    def add(owner, name, number, kind, label=field.LABEL_OPTIONAL, type_name=None):
        return owner.field.add(
            name=name, number=number, type=kind, label=label, type_name=type_name
        )

    for name, kind in (
        ("BytesList", field.TYPE_BYTES),
        ("FloatList", field.TYPE_FLOAT),
        ("Int64List", field.TYPE_INT64),
    ):
        add(file.message_type.add(name=name), "value", 1, kind, field.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, name in enumerate(("BytesList", "FloatList", "Int64List"), start=1):
        one = add(feature, name.lower(), number, field.TYPE_MESSAGE, type_name=f".t.{name}")
        one.oneof_index = 0
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    add(entry, "key", 1, field.TYPE_STRING)
    add(entry, "value", 2, field.TYPE_MESSAGE, type_name=".t.Feature")
    add(
        features,
        "feature",
        1,
        field.TYPE_MESSAGE,
        field.LABEL_REPEATED,
        ".t.Features.FeatureEntry",
    )
    add(
        file.message_type.add(name="Example"),
        "features",
        1,
        field.TYPE_MESSAGE,
        type_name=".t.Features",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


FEATURES = st.dictionaries(
    st.text(max_size=5),
    st.one_of(
        st.lists(st.binary(max_size=20), max_size=3),
        st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5).map(
            lambda values: np.array(values, dtype=np.int64)
        ),
        st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=5).map(
            lambda values: np.array(values, dtype=np.float32)
        ),
    ),
    max_size=4,
)


def test_a_message_worked_by_hand():
    # features { feature { key "a" value { int64_list { value 3 } } } }
    data = bytes.fromhex("0a0c 0a0a 0a0161 1205 1a03 0a0103".replace(" ", ""))
    assert same(parse_example(data)["a"], np.array([3]))
    assert format_example({"a": np.array([3])}) == data


def test_numbers_that_are_not_packed_are_read_too():
    # int64_list { value 3 value 300 }: field 1 as plain numbers, 08 03 08 ac02
    data = bytes.fromhex("0a0e 0a0c 0a0161 1207 1a05 0803 08ac02".replace(" ", ""))
    assert parse_example(data)["a"].tolist() == [3, 300]


@given(features=FEATURES)
@settings(max_examples=100, deadline=None)
def test_what_was_written_is_read_again(features):
    read = parse_example(format_example(features))
    assert read.keys() == features.keys()
    assert all(same(read[name], features[name]) for name in features)


@given(features=FEATURES)
@settings(max_examples=100, deadline=None)
def test_the_protobuf_library_understands_what_we_write_and_we_what_it_writes(
    example_class, features
):
    theirs = example_class()
    theirs.ParseFromString(format_example(features))
    assert set(theirs.features.feature) == set(features)
    for name, values in features.items():
        feature = theirs.features.feature[name]
        kind = feature.WhichOneof("kind")
        assert kind is not None
        assert list(getattr(feature, kind).value) == list(values)
    read = parse_example(theirs.SerializeToString())
    assert all(same(read[name], features[name]) for name in features)


def test_of_two_values_for_a_name_the_last_counts():
    twice = format_example({"a": np.array([1])}) + format_example({"a": np.array([2])})
    assert parse_example(twice)["a"].tolist() == [2]


def test_an_error_names_what_was_read():
    with pytest.raises(CorruptFileError, match=r"^x\.tfrecords: record 3 is no tf\.train\.Example"):
        parse_example(b"\xff" * 30, "x.tfrecords: record 3")


def test_mutated_messages_end_in_a_result_or_in_one_of_our_errors():
    whole = format_example(
        {"label": np.array([3]), "image": [bytes(40)], "f": np.array([1.5, 2.5])}
    )
    generator = np.random.default_rng(11)
    told = 0
    for _ in range(10_000):
        damaged = bytearray(whole[: generator.integers(1, len(whole) + 1)])
        for place in generator.integers(0, len(damaged), generator.integers(1, 4)):
            damaged[place] = generator.integers(0, 256)
        try:
            parse_example(bytes(damaged))
        except CorruptFileError:
            told += 1
    assert told > 3000
