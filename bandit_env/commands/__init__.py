"""The commands of `bandit-env`, a file each: its arguments, its help, and what it calls.

A command's module has HELP (one line), DESCRIPTION (help with an example), `add_arguments(parser)` and
`main(options)`, which returns the exit status. Nothing heavy is imported before `main` runs.
"""
