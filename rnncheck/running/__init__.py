"""A cell run as it was found to be called: step after step, with what it computed on the way."""
