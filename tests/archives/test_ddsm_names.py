"""DDSM's names: which case a path belongs to, what is left over, and the whole real listing."""

import lzma
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mammoscope.archives.ddsm_names import is_name, sort_paths

CASE = "/pub/DDSM/cases/cancers/cancer_08/case1509"


def only_case(*paths):
    (case,) = sort_paths(paths).cases
    return case


def told(*paths):
    return {stray.path: f"{stray.what}: {stray.remedy}" for stray in sort_paths(paths).strays}


def test_the_files_of_a_case_are_sorted_by_what_they_are():
    names = ["A-1509-1.ics", "A_1509_1.LEFT_CC.LJPEG", "A_1509_1.LEFT_CC.OVERLAY"]
    case = only_case(*(f"{CASE}/{name}" for name in (*names, "TAPE_A_1509_1.COMB.16_PGM")))
    assert (case.exam_id, case.name, case.kind) == ("cancer_08/A_1509", "A_1509", "cancer")
    assert case.ics == f"{CASE}/A-1509-1.ics"
    assert case.images == {"LEFT_CC": f"{CASE}/A_1509_1.LEFT_CC.LJPEG"}
    assert case.overlays == {"LEFT_CC": f"{CASE}/A_1509_1.LEFT_CC.OVERLAY"}
    assert case.tape == f"{CASE}/TAPE_A_1509_1.COMB.16_PGM"


@pytest.mark.parametrize(
    ("path", "exam_id", "kind"),
    [
        ("benigns/benign_02/case1123/A-1123-1.ics", "benign_02/A_1123", "benign"),
        ("benign_02/case1123/A-1123-1.ics", "benign_02/A_1123", "benign"),
        ("Benign-02/CASE1123/a_1123_1.ICS", "benign_02/A_1123", "benign"),
        ("benign_02/A-1123-1.ics", "benign_02/A_1123", "benign"),
        ("normals/case1123/A-1123-1.ics", "A_1123", "normal"),
        ("case1123/A-1123-1.ics", "A_1123", None),
        ("A-1123-1.ics", "A_1123", None),
        (
            "benign_without_callbacks/benign_without_callback_01/case3162/B-3162-1.ics",
            "benign_without_callback_01/B_3162",
            "benign_without_callback",
        ),
        (r"cases\normals\normal_01\case0002\A-0002-1.ics", "normal_01/A_0002", "normal"),
    ],
)
def test_levels_of_folders_may_be_missing(path, exam_id, kind):
    case = only_case(path)
    assert (case.exam_id, case.kind) == (exam_id, kind)


def test_a_folder_of_ones_own_does_not_say_what_a_case_is():
    case = only_case("/home/me/cancer/cancer_01/work/case1123/A-1123-1.ics")
    assert (case.volume, case.kind) == (None, None)


@pytest.mark.parametrize(
    "name",
    ["a_1509_1.left_cc.ljpeg", "A-1509-1.LEFT_CC.LJPEG", "A_1509_1.LEFT_CC.LJPEG.gz"],
)
def test_capitals_hyphens_and_packing_do_not_matter(name):
    assert only_case(f"{CASE}/{name}").images == {"LEFT_CC": f"{CASE}/{name}"}


def test_of_a_file_and_its_packed_copy_the_file_is_used():
    name = f"{CASE}/A_1509_1.LEFT_CC.LJPEG"
    assert only_case(f"{name}.gz", name).images == {"LEFT_CC": name}
    assert "the same file as" in told(f"{name}.gz", name)[f"{name}.gz"]


def test_a_number_that_stands_in_two_volumes_is_two_cases():
    paths = ("cancer_08/case1500/A-1500-1.ics", "benign_05/case1500/A-1500-1.ics")
    cases = sort_paths(paths).cases
    assert [case.exam_id for case in cases] == ["benign_05/A_1500", "cancer_08/A_1500"]


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("A_1509_1.LEFT_CC.LJPEG.1", "a decoded image"),
        ("A-1509-1.html~", "a backup"),
        ("A-1509-1.ics~", "a backup"),
        ("#mv.sh#", "a backup"),
        ("jpeg", "the program"),
        ("/home/captiva2/chang/bin/jpeg", "the program"),
        ("A_1509_1.RIGHT_MLO.OVERLAYu", "rename it"),
        ("TAPE_A-1509-1.ics", "no file of DDSM"),
        ("notes.txt", "no file of DDSM"),
    ],
)
def test_what_does_not_belong_into_a_case_is_named(name, what):
    path = f"{CASE}/{name}"
    assert what in told(f"{CASE}/A-1509-1.ics", path)[path]


def test_files_above_the_cases_are_no_strays():
    paths = sort_paths(["cases/README", "cases/cancers/cancer_08/notes", "case1509", "cancer_08"])
    assert paths.strays == paths.cases == ()
    assert len(paths.others) == 4


def test_a_file_in_the_folder_of_another_case_goes_to_the_case_of_its_name():
    other = "cancer_04/case1045"
    wrong = "cancer_03/case1059/A_1045_1.RIGHT_MLO.OVERLAY"
    paths = (f"{other}/A-1045-1.ics", "cancer_03/case1059/A-1059-1.ics", wrong)
    by_id = {case.exam_id: case for case in sort_paths(paths).cases}
    assert by_id["cancer_04/A_1045"].overlays == {"RIGHT_MLO": wrong}
    assert by_id["cancer_03/A_1059"].overlays == {}
    assert "it is used there" in told(*paths)[wrong]


def test_it_does_not_push_out_the_file_that_the_case_has():
    own = "cancer_10/case1585/A_1585_1.RIGHT_MLO.OVERLAY"
    wrong = "cancer_11/case1826/A_1585_1.RIGHT_MLO.OVERLAY"
    assert only_case(own, wrong).overlays == {"RIGHT_MLO": own}
    assert "has one already" in told(own, wrong)[wrong]


@pytest.mark.parametrize(
    ("others", "what"),
    [
        ((), "that case is not here"),
        (("benign_01/case1045/A-1045-1.ics", "cancer_04/case1045/A-1045-1.ics"), "several volumes"),
    ],
)
def test_it_is_left_out_where_its_case_is_not_sure(others, what):
    wrong = "cancer_03/case1059/A_1045_1.RIGHT_MLO.OVERLAY"
    assert what in told(*others, wrong)[wrong]
    assert all(not case.overlays for case in sort_paths((*others, wrong)).cases)


def test_of_two_cases_of_its_number_the_one_of_its_volume_is_meant():
    wrong = "cancer_04/case1059/A_1045_1.RIGHT_MLO.OVERLAY"
    paths = ("benign_01/case1045/A-1045-1.ics", "cancer_04/case1045/A-1045-1.ics", wrong)
    (owner,) = [case for case in sort_paths(paths).cases if case.overlays]
    assert owner.exam_id == "cancer_04/A_1045"


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("A-1509-1.ics", True),
        ("A_1509_1.LEFT_CC.LJPEG", True),
        ("A_1509_1.LEFT_CC.LJPEG.1", False),
        ("E_1509_1.LEFT_CC.LJPEG", False),
        ("A_1509_1.COMB.16_PGM", False),
    ],
)
def test_a_name_of_the_archive_is_recognised(name, is_one):
    assert is_name(name) == is_one


names = st.one_of(
    st.from_regex(
        r"[A-D]_000[12]_1\.(LEFT|RIGHT)_(CC|MLO)\.(LJPEG|OVERLAY)(\.gz)?", fullmatch=True
    ),
    st.from_regex(r"(TAPE_)?[A-D]_000[12]_1\.COMB\.16_PGM", fullmatch=True),
    st.from_regex(r"[A-D]-000[12]-1\.ics~?", fullmatch=True),
    st.text("abA.~#_0", min_size=1),
)
folders = st.sampled_from(["", "normals/normal_01/", "normal_01/", "cancer_02/"])
places = st.sampled_from(["", "case0001/", "case0002/", "case0001/deeper/"])


@given(st.lists(st.tuples(folders, places, names).map("".join), unique=True))
def test_every_path_is_used_or_named(paths):
    found = sort_paths(paths)
    used = [
        path
        for case in found.cases
        for path in (case.ics, case.tape, *case.images.values(), *case.overlays.values())
        if path is not None
    ]
    named = [stray.path for stray in found.strays]
    assert len(used) == len(set(used))
    assert len(named) == len(set(named))
    assert {*used, *named, *found.others} == set(paths)
    assert not set(found.others) & {*used, *named}


@pytest.mark.real
def test_the_whole_real_listing_is_sorted_with_every_stray_named(shared_data):
    with lzma.open(shared_data / "ddsm/genuine/listing/ddsm_paths.txt.xz", "rt") as stream:
        lines = stream.read().splitlines()
    found = sort_paths(lines)
    assert len(lines) == 22_328
    assert len(found.cases) == len({case.exam_id for case in found.cases}) == 2604
    assert len({case.volume for case in found.cases}) == 43
    assert Counter(case.kind for case in found.cases) == {
        "normal": 695,
        "benign": 855,
        "benign_without_callback": 141,
        "cancer": 913,
    }
    assert sum(len(case.images) for case in found.cases) == 10_416
    # One of 4,029 has a twin in another case's folder; five small views lie in the wrong folder.
    assert sum(len(case.overlays) for case in found.cases) == 4028
    assert sum(case.tape is not None for case in found.cases) == 2599
    assert all(case.ics for case in found.cases)
    names = Counter(case.name for case in found.cases)
    assert sum(count > 1 for count in names.values()) == 18
    assert len(found.strays) == 22 + 7
    assert sum("lies in the folder of case" in stray.what for stray in found.strays) == 7
    # Every line is somewhere: the rest are names of folders, and the end of the program's report.
    files = sum(
        len(case.images) + len(case.overlays) + (case.tape is not None) + 1 for case in found.cases
    )
    misplaced_and_used = 1
    assert files + len(found.strays) - misplaced_and_used == 19_675
    folder = re.compile(r"case\d{4}|(normal|cancer|benign(_without_callback)?)(s|_\d\d)")
    assert [o for o in found.others if not folder.fullmatch(o)] == ["Success!!!!!!!!!!!!!!"]
