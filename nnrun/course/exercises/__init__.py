"""The exercises: what each asks for, and how that is measured."""
