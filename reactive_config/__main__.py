"""`python -m reactive_config` is the command `reactive-config`."""

from reactive_config._cli import main

if __name__ == "__main__":
    main()
