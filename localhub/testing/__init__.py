"""Test your own modules against a running localhub: captured outputs, twins, methods and faults, in a few lines.

    pytest_plugins = ["localhub.testing.plugin"]        # in conftest.py

    def test_hot(hub):
        alerts = hub.watch("filter/alerts")
        hub.send("filter/readings", {"temperature": 99})
        assert alerts.one().json["temperature"] == 99

See docs/guides/testing-modules.md. Without pytest: `with running(manifest) as hub: ...`.
"""

from localhub.testing.capture import Captured, Message, NotInTimeError
from localhub.testing.hub import Answer, Hub, HubFailedError, running
from localhub.testing.manifest import write_manifest

__all__ = ["Answer", "Captured", "Hub", "HubFailedError", "Message", "NotInTimeError", "running", "write_manifest"]
