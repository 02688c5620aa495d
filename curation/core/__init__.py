"""What every stage stands on: files, tables, receipts, schemas, draws, uids, errors, progress, languages.

Open `tables.py` first: it says what a table, a part and a recipe are.
"""
