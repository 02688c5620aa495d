# A package of headtail (headtail/names.py).
"""Every setting and preset of the jobs.

Open `compose.py` first: it builds a job's configuration from the schema, the presets and the command line. `schema/`
declares each setting with its default, help text, unit and range; `<topic>/<name>.yaml` is a preset of a topic.
"""
