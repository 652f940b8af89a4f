"""The isolated process that runs a package, and the client that a worker talks to it with."""
