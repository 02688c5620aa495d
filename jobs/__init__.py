"""The jobs: each is run by spark-submit, by `python -m jobs.<job>` and by `headtail <job>`."""
