"""The settings of the jobs: what they mean in schema.py, their values and presets in YAML."""
