"""The training loop and its parts. Nothing here prints or touches a file."""
