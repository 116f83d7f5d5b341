"""The API, version 1: thin routes over views; ours speaks nouns as they are, integers in base units, UTC seconds."""
