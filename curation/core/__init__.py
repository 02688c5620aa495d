"""The base of every stage: files, tables, receipts, schemas, draws, uids, errors, progress, languages.

Open `tables.py` first, then `parts.py`: they define tables and their parts.
"""
