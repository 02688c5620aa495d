"""The settings of the jobs. Open `schema.py` first: it declares each of them; YAML holds values and presets."""
