"""What can go wrong in a run, apart from bugs: each ends in one clear message, without a traceback."""


class ExperimentError(Exception):
    """A run that cannot begin: a bad experiment file, a folder that is taken. Exit status 2."""


class AgentError(Exception):
    """An agent failed: raised an error, or returned something that is no action."""


class StorageError(Exception):
    """Results could not be written. What was finished before is intact."""


class WorkerError(Exception):
    """Worker processes kept dying."""
