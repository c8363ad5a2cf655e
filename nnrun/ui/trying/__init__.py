"""Networks that are tried in the browser: forms, answers, the outputs of layers."""
