"""The base of every stage: files, tables, receipts, schemas, draws, uids, errors, progress, languages.

Open `tables.py` first: it defines tables and parts.
"""
