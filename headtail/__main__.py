"""`python -m headtail <job>` is the command `headtail <job>`."""

from headtail.start import main

if __name__ == "__main__":
    main()
