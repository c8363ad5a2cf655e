"""Small networks that train in memory while one looks, and whose settings change on the way."""
