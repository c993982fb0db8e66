"""The gateway explains itself: REST, events, metrics and one page."""
