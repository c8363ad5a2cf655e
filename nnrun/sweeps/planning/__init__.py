"""What a sweep will do: configs times grid times seeds, checked before any run starts."""
