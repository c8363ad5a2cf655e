"""Searches: settings that are proposed by the results of earlier ones, and the best of them."""
