"""Deployment manifests and templates: read, merged with layers, filled in and checked, every complaint with its line.

    deployment = load_deployment(Path("deployment.template.json"))   # ManifestError: every reason, file:line:column
    deployment.modules["camera"].image, deployment.routes, deployment.twins["camera"]
    deployment.effective()                                           # modulesContent as edgeAgent and edgeHub get it

`python -m localhub lint` (lint.py) asks far more than running needs; its rules stand in `rules/`.
"""

from localhub.manifest.deployment import Deployment, ModuleSpec, load_deployment
from localhub.manifest.environment import Environment
from localhub.manifest.manifest import Manifest, read_manifest
from localhub.manifest.problem import ManifestError, Place, Problem, Severity

__all__ = [
    "Deployment",
    "Environment",
    "Manifest",
    "ManifestError",
    "ModuleSpec",
    "Place",
    "Problem",
    "Severity",
    "load_deployment",
    "read_manifest",
]
