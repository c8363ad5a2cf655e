"""How often verdicts err, where the truth is known because it was made."""
