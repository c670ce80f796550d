"""What this machine can do: seconds a run takes, whether bf16 pays, what hardware there is."""
