"""Publishers played from recordings: each format over a real socket, with faults on demand."""
