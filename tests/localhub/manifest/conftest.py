"""A small sound solution to break in one place at a time."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TEMPLATE = """{
  "$schema-template": "4.0.0",
  "modulesContent": {
    "$edgeAgent": {
      "properties.desired": {
        "schemaVersion": "1.1",
        "runtime": {
          "type": "docker",
          "settings": {
            "minDockerVersion": "v1.25",
            "registryCredentials": {
              "site": {"username": "$REGISTRY_USER", "password": "${REGISTRY_PASSWORD}", "address": "registry:5000"}
            }
          }
        },
        "systemModules": {
          "edgeAgent": {
            "type": "docker",
            "settings": {"image": "mcr.example/azureiotedge-agent:1.5", "createOptions": {}}
          },
          "edgeHub": {
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "settings": {"image": "mcr.example/azureiotedge-hub:1.5", "createOptions": {"HostConfig": {}}}
          }
        },
        "modules": {
          "press": {
            "version": "1.0",
            "type": "docker",
            "status": "running",
            "restartPolicy": "always",
            "startupOrder": 2,
            "env": {"PACE": {"value": 1.5}, "LOUD": {"value": true}},
            "settings": {
              "image": "${MODULES.press}",
              "createOptions": {"HostConfig": {"Binds": ["/data:/data"]}}
            }
          },
          "oven": {
            "version": "1.0",
            "type": "docker",
            "status": "running",
            "restartPolicy": "on-failure",
            "settings": {"image": "${MODULES.oven.arm32v7}"}
          }
        }
      }
    },
    "$edgeHub": {
      "properties.desired": {
        "schemaVersion": "1.1",
        "routes": {
          "pressToOven": "FROM /messages/modules/press/outputs/heat INTO BrokeredEndpoint('/modules/oven/inputs/heat')",
          "up": {
            "route": "FROM /messages/modules/oven/outputs/* WHERE kind = 'alert' INTO $upstream",
            "priority": 0,
            "timeToLiveSecs": 3600
          }
        },
        "storeAndForwardConfiguration": {"timeToLiveSecs": 7200}
      }
    },
    "press": {
      "properties.desired": {"settings": {"pace": 3}}
    }
  }
}
"""

MAIN = "client.send_message_to_output(message, 'heat')\n"
DOCKERFILE = """FROM amd64/python:3.11-slim
WORKDIR /app
ENV PYTHONUNBUFFERED=1 NAME="two words"
COPY . .
CMD ["python3", "-u", "/app/main.py"]
"""


class Solution:
    """A folder with a template, two modules and an .env file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.template = folder / "deployment.template.json"
        self.template.write_text(TEMPLATE)
        (folder / ".env").write_text('REGISTRY_USER=me\nREGISTRY_PASSWORD="se\\"cret"  # hush\n')
        for name in ("press", "oven"):
            self.module(name)

    def module(self, name: str) -> Path:
        """A module's folder in the cookiecutter layout."""
        path = self.folder / "modules" / name
        path.mkdir(parents=True)
        platforms = {"amd64": "./Dockerfile.amd64", "arm32v7": "./Dockerfile.amd64"}
        image = {"repository": "${REGISTRY}/" + name.title(), "tag": {"version": "0.2.0", "platforms": platforms}}
        (path / "module.json").write_text(json.dumps({"$schema-version": "0.0.1", "image": image}, indent=2))
        (path / "Dockerfile.amd64").write_text(DOCKERFILE)
        (path / "main.py").write_text(MAIN)
        return path

    def replace(self, old: str, new: str) -> int:
        """Changes the template in one place; the line of the place."""
        text = self.template.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        self.template.write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def layer(self, content: dict[str, Any], **wrapper: Any) -> Path:
        """A layered deployment beside the template."""
        path = self.folder / f"layer{len(list(self.folder.glob('layer*')))}.json"
        path.write_text(json.dumps({"content": {"modulesContent": content}, **wrapper}, indent=2))
        return path


@pytest.fixture
def solution(tmp_path: Path) -> Solution:
    return Solution(tmp_path)


@pytest.fixture
def make_solution(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Solution]:
    return lambda: Solution(tmp_path_factory.mktemp("solution"))
