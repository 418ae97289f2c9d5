"""`python -m peft_daemon` is the `peftw` command."""

from peft_daemon.cli.main import main

if __name__ == "__main__":
    main()
