"""What people see, as values: pure functions of a community and a seat, on which the API and the pages both stand."""
