"""The compute wing: the only home of torch and transformers. Its door is ``execute``."""
