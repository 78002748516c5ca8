"""What the `jconv` command and the scripts share: their options, errors and devices."""
