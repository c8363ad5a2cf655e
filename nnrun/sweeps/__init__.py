"""Many runs: what they are, who trains them, and the tables that come of them."""
