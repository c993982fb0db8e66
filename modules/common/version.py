"""The version that every module reports; it moves with pyproject.toml, and a test holds the two together."""

VERSION = "0.1.0"
