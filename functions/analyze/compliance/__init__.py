"""What the frameworks ask and what was judged: gaps, crosswalks, released versions and their differences."""
