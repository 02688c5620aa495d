"""All figures of an estimate, measured in one sitting: `make bench NAME=figures`."""
