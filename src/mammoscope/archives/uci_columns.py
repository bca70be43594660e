"""What the columns of UCI's four tables mean: names, units, scales and spelled-out codes.

Source: the `.names` files beside the tables (Wolberg 1992; Street 1995; Elter 2007).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import polars as pl

Role = Literal["id", "feature", "target"]
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes
    ----------
    name : its name in the table, with its unit where it has one
    meaning : what was measured
    role : "id" (never a feature), "feature" or "target"
    dtype : its polars type
    unit : unit; "" where there is none or none is stated
    scale : what its values are, in words
    low, high : ends of the scale; None where it has none
    codes : published code -> our word; empty where values are numbers
    """

    name: str
    meaning: str
    role: Role = "feature"
    dtype: pl.DataType | type[pl.DataType] = pl.Float64
    unit: str = ""
    scale: str = "number"
    low: float | None = None
    high: float | None = None
    codes: Mapping[str, str] = field(default_factory=lambda: _NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table: its published file, its size, its columns in order.

    `target` is the name of the column to be told, `stated` what the `.names` file says of a
    column's range where real rows depart from it: (source, low, high).
    """

    file: str
    rows: int
    target: str
    columns: tuple[Column, ...]
    stated: Mapping[str, tuple[str, int, int]] = field(default_factory=lambda: MappingProxyType({}))


def _coded(name: str, meaning: str, codes: Mapping[str, str], role: Role = "feature") -> Column:
    return Column(
        name=name,
        meaning=meaning,
        role=role,
        dtype=pl.Enum(list(codes.values())),
        scale=", ".join(codes.values()),
        codes=MappingProxyType(dict(codes)),
    )


def _number(name: str) -> Column:
    return Column(name=name, meaning="sample code number", role="id", dtype=pl.Int64, scale="id")


def _graded(name: str, meaning: str) -> Column:
    return Column(name=name, meaning=meaning, dtype=pl.Int8, scale="grades 1 to 10", low=1, high=10)


WISCONSIN = (
    _number("sample_id"),
    _graded("clump_thickness", "clump thickness"),
    _graded("cell_size_uniformity", "uniformity of cell size"),
    _graded("cell_shape_uniformity", "uniformity of cell shape"),
    _graded("marginal_adhesion", "marginal adhesion"),
    _graded("epithelial_cell_size", "single epithelial cell size"),
    _graded("bare_nuclei", "bare nuclei"),
    _graded("bland_chromatin", "bland chromatin"),
    _graded("normal_nucleoli", "normal nucleoli"),
    _graded("mitoses", "mitoses"),
    _coded("pathology", "class", {"2": "benign", "4": "malignant"}, "target"),
)
_NUCLEUS = {
    "radius": "mean distance from the centre to points on the perimeter",
    "texture": "standard deviation of grey levels",
    "perimeter": "perimeter",
    "area": "area",
    "smoothness": "local variation in radius lengths",
    "compactness": "perimeter squared / area - 1",
    "concavity": "severity of concave portions of the contour",
    "concave_points": "number of concave portions of the contour",
    "symmetry": "symmetry",
    "fractal_dimension": "coastline approximation - 1",
}
_STATISTICS = {
    "mean": "mean over the nuclei of one picture",
    "se": "standard error over the nuclei of one picture",
    "worst": "mean of the three largest values of one picture",
}
# The unit of lengths and areas is not stated anywhere, so none is given.
NUCLEI = tuple(
    Column(
        name=f"{name}_{statistic}",
        meaning=f"{meaning}; {how}",
        scale="number from 0",
        low=0,
        high=1e9,
    )
    for statistic, how in _STATISTICS.items()
    for name, meaning in _NUCLEUS.items()
)
DIAGNOSIS = _coded("pathology", "diagnosis", {"B": "benign", "M": "malignant"}, "target")
RECURRENCE = (
    _coded("outcome", "recurred or not", {"N": "nonrecurrent", "R": "recurrent"}, "target"),
    Column(
        name="time_months",
        meaning="time to recurrence where it recurred, else time free of disease",
        # Part of the outcome: to know it is to know how long the patient was followed.
        role="target",
        dtype=pl.Int16,
        unit="month",
        scale="months from 0",
        low=0,
        high=1200,
    ),
)
TUMOUR = (
    Column(
        name="tumour_diameter_cm",
        meaning="diameter of the excised tumour",
        unit="cm",
        scale="centimetres from 0",
        low=0,
        high=50,
    ),
    Column(
        name="positive_lymph_nodes",
        meaning="positive axillary lymph nodes seen at surgery",
        dtype=pl.Int16,
        scale="a count",
        low=0,
        high=100,
    ),
)
MASSES = (
    Column(
        name="assessment",
        meaning="BI-RADS assessment: what the reader thought",
        dtype=pl.Int8,
        scale="the BI-RADS categories 0 to 6",
        low=0,
        high=6,
    ),
    Column(
        name="age_years",
        meaning="age of the patient",
        dtype=pl.Int16,
        unit="year",
        scale="years from 0 to 120",
        low=0,
        high=120,
    ),
    _coded(
        "shape",
        "shape of the mass",
        {"1": "round", "2": "oval", "3": "lobular", "4": "irregular"},
    ),
    _coded(
        "margin",
        "margin of the mass",
        {
            "1": "circumscribed",
            "2": "microlobulated",
            "3": "obscured",
            "4": "ill-defined",
            "5": "spiculated",
        },
    ),
    _coded(
        "density",
        "density of the mass",
        {"1": "high", "2": "iso", "3": "low", "4": "fat-containing"},
    ),
    _coded("pathology", "severity", {"0": "benign", "1": "malignant"}, "target"),
)

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        "wisconsin-original": Table(
            file="breast-cancer-wisconsin.data", rows=699, target="pathology", columns=WISCONSIN
        ),
        "wdbc": Table(
            file="wdbc.data",
            rows=569,
            target="pathology",
            columns=(_number("sample_id"), DIAGNOSIS, *NUCLEI),
        ),
        "wpbc": Table(
            file="wpbc.data",
            rows=198,
            target="outcome",
            columns=(_number("sample_id"), *RECURRENCE, *NUCLEI, *TUMOUR),
        ),
        "mammographic-mass": Table(
            file="mammographic_masses.data",
            rows=961,
            target="pathology",
            columns=MASSES,
            stated=MappingProxyType({"assessment": ("mammographic_masses.names", 1, 5)}),
        ),
    }
)
"""The tables by the names that `Archive.tables` has them under."""
