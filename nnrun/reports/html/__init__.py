"""The HTML report on many runs: its content as values, then their markup."""
