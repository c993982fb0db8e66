"""New versions of model packages, by The Update Framework: the twin names one, TUF proves it, a child fetches it."""
