"""The training loop and its parts. Nothing here prints, and nothing here touches a file."""
