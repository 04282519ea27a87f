"""Contents given back with what was found masked, hashed or tokenised."""
