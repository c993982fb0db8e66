import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from localhub import state


@pytest.fixture(scope="session", autouse=True)
def no_folders_left() -> Iterator[None]:
    """Removes the folders of sockets: a test's own folder is too deep for one, and most tests end no `localhub run`."""
    make, made = state._run_folder, list[Path]()

    def recorded(root: Path) -> Path:
        made.append(make(root))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_run_folder", recorded)
        yield
    for folder in made:
        shutil.rmtree(folder, ignore_errors=True)
