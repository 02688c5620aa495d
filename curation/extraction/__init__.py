"""Image links become pairs: URL rules, text rules, language, duplicates within a file.

Open `extract.py` first: it runs the rules over one file, and counts a reason for every drop. The rules of URLs are in
`urls.py` and `hosts.py` (`judge_host` drops private hosts), those of texts in `text_rules.py`.
"""
