"""Verification: training a run again and comparing its numbers; checking gradients."""
