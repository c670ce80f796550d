"""Texts with mentions and relations at offsets: their formats, sentences, words and masks."""
