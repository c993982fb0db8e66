"""One modulesContent out of a manifest and the layered deployments on top of it.

A layer has dotted keys, `"$edgeAgent": {"properties.desired.modules.camera": {...}}`, each of which sets one part of a
module's desired properties; `properties.desired` alone sets the whole of them. The later layer wins, and every part
remembers the file it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from localhub.manifest.positions import Document, Path
from localhub.manifest.problem import Place, Problem, error, warning

DESIRED: Final = "properties.desired"
AGENT: Final = "$edgeAgent"
HUB: Final = "$edgeHub"


class Tree:
    """The merged modulesContent: module -> {"properties.desired": {...}}, and where each part stands."""

    def __init__(self, root: Place) -> None:
        self.value: dict[str, dict[str, Any]] = {}
        self.root = root
        self.sections: list[list[str]] = []  # the keys of each module section that was merged
        self._origins: dict[Path, tuple[Document, Path]] = {}

    def set(self, path: Path, value: Any, document: Document, origin: Path) -> bool:
        """Puts a value at `path`, objects made on the way; False where something else than an object is in the way."""
        here: Any = self.value
        for depth, step in enumerate(path[:-1], 1):
            if not isinstance(here, dict):
                return False
            if step not in here:
                here[step] = {}
                self._origins[path[:depth]] = (document, origin)
            here = here[step]
        if not isinstance(here, dict):
            return False
        for known in [known for known in self._origins if known[: len(path)] == path]:
            del self._origins[known]
        here[path[-1]] = value
        self._origins[path] = (document, origin)
        return True

    def get(self, path: Path) -> Any:
        """The value at a path of member names, None where there is none."""
        here: Any = self.value
        for step in path:
            if not isinstance(here, dict) or step not in here:
                return None
            here = here[step]
        return here

    def _origin(self, path: Path) -> tuple[Document, Path] | None:
        for length in range(len(path), 0, -1):
            if (found := self._origins.get(path[:length])) is not None:
                return found[0], (*found[1], *path[length:])
        return None

    def place(self, path: Path) -> Place:
        """Where a part stands, or the nearest part round it that there is."""
        origin = self._origin(path)
        return self.root if origin is None else origin[0].place(origin[1])

    def inside(self, path: Path, offset: int) -> Place:
        """Where a character of a string value stands; its whole where the value was not written as a string."""
        origin = self._origin(path)
        if origin is None:
            return self.root
        document, at = origin
        return document.inside(at, offset) if at in document.spans else document.place(at)

    def raw(self, path: Path) -> str:
        """A value as it stands in its file, placeholders and all; empty where it stands in none."""
        origin = self._origin(path)
        return "" if origin is None or origin[1] not in origin[0].spans else origin[0].raw(origin[1])


def content_of(document: Document) -> tuple[Path, list[Problem]]:
    """The path of modulesContent in a file, and what is wrong on the way; the path is empty where there is none."""
    value: Any = document.value
    path: Path = ()
    root = document.place(())
    if not isinstance(value, dict):
        return (), [error("content", root, "a manifest is a JSON object", 'write {"modulesContent": {...}}')]
    if isinstance(value.get("content"), dict):
        value, path = value["content"], ("content",)
    if "modulesContent" in value:
        return (*path, "modulesContent"), []
    if "moduleContent" in value:
        found = warning(
            "content", document.place((*path, "moduleContent")), "moduleContent is the old name", "write modulesContent"
        )
        return (*path, "moduleContent"), [found]
    hint = "write modulesContent with $edgeAgent, $edgeHub and a section for each module's twin"
    return (), [error("content", root, "modulesContent is missing", hint)]


def priority_of(document: Document) -> int | None:
    """The priority a layered deployment gives itself, None where it gives none."""
    value = document.value.get("priority") if isinstance(document.value, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def merge(documents: list[Document]) -> tuple[Tree, list[Problem]]:
    """The base and its layers, lowest first, as one tree."""
    tree = Tree(documents[0].place(()))
    problems: list[Problem] = []
    for document in documents:
        at, found = content_of(document)
        problems += found
        if not at:
            continue
        content: Any = document.value
        for step in at:
            content = content[step]
        problems += _merge_content(tree, document, at, content)
    return tree, problems


def _merge_content(tree: Tree, document: Document, at: Path, content: Any) -> Iterator[Problem]:
    if not isinstance(content, dict):
        yield error("content", document.place(at), "modulesContent must be an object", "write {} around its modules")
        return
    for module, sections in content.items():
        here = (*at, module)
        if not isinstance(sections, dict):
            hint = f'write {{"{DESIRED}": {{...}}}}'
            yield error("section", document.place(here), f"the section of {module} must be an object", hint)
            continue
        tree.sections.append(list(sections))
        for key, value in sections.items():
            place = document.place((*here, key))
            if key != DESIRED and not key.startswith(DESIRED + "."):
                hint = f"write {DESIRED}, or {DESIRED}.NAME in a layered deployment"
                yield error("section", place, f"{key!r} is no part of a deployment", hint)
                continue
            steps = (module, DESIRED, *(step for step in key[len(DESIRED) + 1 :].split(".") if step))
            if not tree.set(steps, value, document, (*here, key)):
                yield error(
                    "section", place, f"{key!r} leads into something that is no object", "check the layer below"
                )
