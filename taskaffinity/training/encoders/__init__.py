"""Check and load the folders of encoders."""
