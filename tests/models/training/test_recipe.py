from pathlib import Path

from models.training import recipe


def test_the_digest_follows_names_and_contents_and_not_their_order(tmp_path: Path) -> None:
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("1")
    second.write_text("2")
    before = recipe.digest([first, second])
    assert recipe.digest([second, first]) == before
    second.write_text("3")
    assert recipe.digest([first, second]) != before
    second.write_text("2")
    assert recipe.digest([first, second.rename(tmp_path / "third.py")]) != before
    assert recipe.digest([first]) != before


def test_what_fits_is_part_of_the_recipe_and_what_tells_is_not() -> None:
    folder = Path(recipe.__file__).parent
    names = {file.stem for file in folder.glob("*.py")}
    assert set(recipe._TELLS) < names
    assert {"marks", "whole", "crops", "nets", "jobs", "fitting"} <= names - set(recipe._TELLS)
