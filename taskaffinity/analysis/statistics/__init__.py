"""Standard errors, tests, verdicts, power, and sequential designs. Arrays in, arrays out."""
