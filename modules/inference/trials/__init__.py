"""A challenger beside the model that speaks: tried on real inputs, promoted or taken back."""
