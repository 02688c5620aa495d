"""What is said about scale, measured on one machine: `make bench NAME=scale`."""
