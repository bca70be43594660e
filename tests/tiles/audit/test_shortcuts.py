"""Planted shortcuts are told; honest sets are not; everything goes by patient."""

import io
import os

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import ndimage

from mammoscope.tiles.audit.pictures import COLUMNS, Pictures
from mammoscope.tiles.audit.shortcuts import TELLING, measure_shortcuts

PATIENTS, EACH, SIDE = 60, 2, 64


def make_tissue(rng):
    smooth = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 5)
    level = rng.uniform(80, 150) + 30 * smooth / smooth.std() + rng.normal(0, 3, (SIDE, SIDE))
    return np.clip(level, 0, 255).astype(np.uint8)


def jpeg(image):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=60)
    return np.asarray(Image.open(stream))


def make_set(change=lambda image, _sick: image, patients=PATIENTS, **columns):
    """Two tiles a patient; every second patient is abnormal; `columns` are functions of a number.

    Whatever `change` does to an abnormal tile is planted.
    """
    rng = np.random.default_rng(5)
    images, rows = [], []
    for number in range(patients):
        for _ in range(EACH):
            sick = number % 2 == 1
            images.append(change(make_tissue(rng), sick))
            rows.append(
                {
                    **dict.fromkeys(COLUMNS),
                    "patient_id": f"p{number}",
                    "label": "MALIGNANT_mass" if sick else "NORMAL",
                    "split": "train",
                    **{name: value(number) for name, value in columns.items()},
                }
            )
    table = pl.DataFrame(rows, schema=COLUMNS)
    return Pictures(source="made", table=table, reader=lambda i: images[i])


def figure(shortcuts, question, group):
    (one,) = (t for t in shortcuts.told if (t.question, t.group) == (question, group))
    return one


def test_compression_of_one_class_is_told_from_its_traces():
    found = measure_shortcuts(make_set(lambda image, sick: jpeg(image) if sick else image))
    told = figure(found, "abnormal", "compression")
    assert told.low > 0.9
    assert told.low <= told.value <= told.high
    assert told.value > told.chance
    assert (told.n, told.n_patients) == (PATIENTS * EACH, PATIENTS)


def test_a_source_that_goes_with_the_label_in_three_of_four_is_told_in_three_of_four():
    # Of 40 patients of each archive 30 have its usual label; folds are stratified, so that each
    # compares 6 + 2 patients with 2 + 6: .75 * .75 won, 2 * .75 * .25 tied, the rest lost.
    def archive(number):
        return "one" if (number // 2 % 4 > 0) == (number % 2 == 1) else "two"

    found = measure_shortcuts(make_set(patients=80, archive=archive))
    told = figure(found, "abnormal", "archive")
    assert told.value == pytest.approx(0.75**2 + 0.75 * 0.25)
    assert told.low > 0.6


def test_nothing_is_told_of_labels_that_nothing_goes_with():
    found = measure_shortcuts(make_set())
    assert {told.question for told in found.told} == {"abnormal"}
    assert all(told.low < 0.62 for told in found.told)


def test_knowing_patients_again_is_not_taken_for_knowing_labels():
    rng = np.random.default_rng(0)
    own = {number: rng.uniform(40, 200) for number in range(PATIENTS)}
    pictures = make_set()
    plain = [
        np.full((SIDE, SIDE), own[i // EACH], np.uint8) + (make_tissue(rng) // 20)
        for i in range(len(pictures))
    ]
    alike = Pictures(source="made", table=pictures.table, reader=lambda i: plain[i])
    # Folds by picture would tell labels from the patient's own grey level, nearly always.
    assert figure(measure_shortcuts(alike), "abnormal", "grey").value < 0.65


def test_within_one_source_nothing_is_left_of_what_the_source_told():
    def archive(number):
        # Nine of ten abnormal patients are of the second archive, and one of ten normal ones.
        return "second" if (number % 2 == 1) != (number % 20 in (0, 1)) else "first"

    rng = np.random.default_rng(1)
    pictures = make_set(archive=archive, patients=200)
    names = pictures.table["archive"]
    images = [
        (make_tissue(rng) // (2 if names[i] == "second" else 1)) for i in range(len(pictures))
    ]
    found = measure_shortcuts(
        Pictures(source="made", table=pictures.table, reader=lambda i: images[i])
    )
    told = figure(found, "abnormal", "grey")
    assert told.value > 0.8
    assert told.within == pytest.approx(0.5, abs=0.13)
    assert figure(found, "abnormal", "archive").value == pytest.approx(0.9, abs=0.05)
    assert figure(found, "archive", "grey").value > 0.98


def test_the_same_seed_gives_the_same_figures_and_another_one_others():
    pictures = make_set()
    assert measure_shortcuts(pictures, seed=3) == measure_shortcuts(pictures, seed=3)
    assert measure_shortcuts(pictures, seed=3) != measure_shortcuts(pictures, seed=4)


def test_a_sample_is_drawn_of_a_large_set_and_said():
    found = measure_shortcuts(make_set(), most=90)
    assert (found.n, found.of) == (90, PATIENTS * EACH)


def test_too_few_patients_are_said_not_measured():
    found = measure_shortcuts(make_set(patients=12))
    assert found.told == ()
    assert "whether features tell the label" in found.not_measured[0]


def test_the_pictures_that_are_told_best_are_of_both_classes_and_different_patients():
    pictures = make_set(lambda image, sick: jpeg(image) if sick else image)
    telling = figure(measure_shortcuts(pictures), "abnormal", "compression").telling
    patients = [position // EACH for position in telling]
    assert len(set(patients)) == len(telling) == 2 * TELLING
    assert [patient % 2 for patient in patients] == [0] * TELLING + [1] * TELLING


def test_spacing_that_goes_with_the_label_is_told_by_a_number_alone():
    pictures = make_set(
        spacing_row_mm=lambda number: 0.2 + 0.01 * (number % 2), spacing_column_mm=lambda _: 0.2
    )
    told = figure(measure_shortcuts(pictures), "abnormal", "spacing")
    assert told.value == 1.0
    assert told.feature == "row spacing"


def test_figures_as_json_have_no_nan(tmp_path):
    one = figure(measure_shortcuts(make_set()), "abnormal", "grey").to_json()
    assert one["within_source"] is None
    assert {"value", "low", "high", "n", "n_patients", "method"} <= set(one)


@pytest.mark.real
@pytest.mark.slow
def test_the_set_as_the_paper_built_it_shows_its_shortcut(shared_data):
    """Abnormal of CBIS-DDSM and normal of DDSM at 299 pixels: .999 from grey statistics alone."""
    from mammoscope.archives.open import open_archive

    number = 150
    normal = [
        s for s in open_archive("ddsm-299", shared_data / "ddsm-299").scans() if s.findings == ()
    ]
    folder = shared_data / "cbis-ddsm" / "mass-800"
    abnormal = list(open_archive("cbis-ddsm-800", folder).scans())
    rng = np.random.default_rng(0)
    chosen = [
        part[i] for part in (normal, abnormal) for i in rng.choice(len(part), number, replace=False)
    ]
    rows = [
        {
            **dict.fromkeys(COLUMNS),
            "patient_id": scan.patient_id,
            "archive": scan.archive,
            "label": "NORMAL" if scan.archive == "ddsm-299" else "abnormal",
        }
        for scan in chosen
    ]

    def read(position):
        picture = Image.open(os.fspath(chosen[position].path)).convert("L")
        return np.asarray(picture.resize((299, 299), Image.Resampling.BILINEAR))

    table = pl.DataFrame(rows, schema=COLUMNS)
    found = measure_shortcuts(Pictures(source="paper", table=table, reader=read))
    assert figure(found, "abnormal", "grey").value > 0.99
    assert figure(found, "archive", "grey").value > 0.99
