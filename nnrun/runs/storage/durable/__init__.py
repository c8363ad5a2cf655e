"""Files that appear whole or not at all and survive a power cut, and locks on folders."""
