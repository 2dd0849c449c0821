"""Adapters to reinforcement-learning libraries; each needs the library that it is named after."""
