"""promote: give a candidate of the model more calls, or none, by what is measured of it."""
