"""Never run; see pyproject.toml."""

app = None
