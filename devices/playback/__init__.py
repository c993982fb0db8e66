"""The whole line on recorded data: what it said against what is known, what it sent, what it lost."""
