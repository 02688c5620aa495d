"""The whole chain beside the tools that a user would chain by hand: `make bench NAME=chain`."""
