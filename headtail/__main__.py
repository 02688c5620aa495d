"""`python -m headtail <job>` is the command `headtail <job>`."""

import importlib

if __name__ == "__main__":
    importlib.import_module("jobs.cli").main()
