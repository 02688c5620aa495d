"""The declaration of every setting: type, default, help text, unit and range. YAML files hold only values.

Open `topics/` first: it declares the settings of each topic. `jobs/` declares the topics and settings of each job.
"""
