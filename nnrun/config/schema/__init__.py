"""The config language: its blocks and fields, their validation and their JSON Schema."""
