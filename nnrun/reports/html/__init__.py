"""One HTML file over many runs: first the values of its sections, then the markup around them."""
