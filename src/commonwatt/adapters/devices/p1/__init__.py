"""Smart meters by their P1 port: a telegram every second or ten, read over TCP."""
