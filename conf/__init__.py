"""Every setting and preset of the jobs.

Open `compose.py` first: it makes a job's configuration of the schema, the YAML files and the command line. `schema/`
declares each setting with its default, meaning, unit and range; `<topic>/<name>.yaml` is a preset.
"""
