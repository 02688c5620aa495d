"""Downloaded images become shards: filters, duplicates, the second balance, tars.

Open `write.py` first: it writes one shard.
"""
