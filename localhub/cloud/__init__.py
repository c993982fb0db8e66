"""The cloud of one machine: keeps every message that reached `$upstream`, owns the twins, calls methods."""
