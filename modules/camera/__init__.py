"""Pictures in, only the ones worth looking at out."""
