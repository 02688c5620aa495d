"""Image links become pairs: URL rules, text rules, language, duplicates within a file.

`extract.py` runs the rules over one file and counts a reason for every drop. `urls.py` and `hosts.py` have the rules of
URLs (`hosts.judge_host` drops private hosts), `text_rules.py` those of texts, `drop_reasons.py` the names of reasons.
"""
