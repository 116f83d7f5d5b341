"""The app's pages: a house for them, words, parts, and live numbers."""
