"""D1: a controller of five homes' batteries, judged by CityLearn in an environment of its own."""
