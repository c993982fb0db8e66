"""Whether a line still shows a model what it was made for: inputs and scores against the card's reference."""
