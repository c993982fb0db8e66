"""Lists of points: used whole, or refused with the line that is wrong."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from modules.common.listed import ListFile
from modules.common.settings import SettingsError
from modules.sensors.lists import load, parse
from modules.sensors.registers import ModbusPoint

CSV = """name,address,kind,order,scale,unit,interval_s
press/oil,holding/0,int16,,0.1,Cel,
"press/force",holding/1,float32,CDAB,,N,0.5
"""


def test_a_table_and_json_say_the_same() -> None:
    objects = [
        {"name": "press/oil", "address": "holding/0", "kind": "int16", "scale": 0.1, "unit": "Cel"},
        {
            "name": "press/force",
            "address": "holding/1",
            "kind": "float32",
            "order": "CDAB",
            "unit": "N",
            "interval_s": 0.5,
        },
    ]
    table = parse(CSV, ModbusPoint)
    assert table == parse(json.dumps(objects, indent=1), ModbusPoint)
    assert table == parse("\n".join(map(json.dumps, objects)), ModbusPoint)
    assert table[0] == ModbusPoint(name="press/oil", address="holding/0", scale=0.1, unit="Cel")


def test_a_thousand_points() -> None:
    lines = "\n".join(f"hall/{n},holding/{n}" for n in range(1000))
    assert len(parse(f"name,address\n{lines}\n", ModbusPoint)) == 1000


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\na\n", "line 1: the columns are name, address and any of"),
        ("name,address,colour\n", "line 1: the columns"),
        ("name,address,scale\na,holding/1,1\nb,holding/2,0\n", "line 3: Value error, scale 0"),
        ("name,address,scale\na,holding/1,much\n", "line 2: scale: Input should be a valid number"),
        ("name,address\na,holding/1\na,holding/2\n", "line 3: a again, first on line 2"),
        ("name,address\na\n", "line 2: 1 cells, the first line has 2"),
        ('name,address\n"a,holding/1\n', "line 2: unexpected end of data"),
        ('[\n {"name": "a", "address": "holding/1"},\n {"name": "b"}\n]', "line 3: address: Field required"),
        ('[\n {"name": "a", "address": "holding/1"},\n {"name": }\n]', "line 3: Expecting value"),
        ('[\n {"name": "a", "address": "holding/1"}\n', "the array has no end"),
        ("[1]", "line 1: Input should be a valid dictionary"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(text, ModbusPoint)
    assert said in str(refused.value)


def test_the_file_is_the_one_that_the_twin_means(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_text(CSV)
    wanted = ListFile(file="points.csv", sha256=sha256(CSV.encode()).hexdigest())
    assert len(load(tmp_path, wanted, ModbusPoint)) == 2
    (tmp_path / "points.csv").write_text(CSV.replace("0.1", "0.2"))
    with pytest.raises(SettingsError, match=r"points\.csv: its SHA-256 is"):
        load(tmp_path, wanted, ModbusPoint)
