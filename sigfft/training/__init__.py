"""Training, evaluation and checking of models with a head; `run` does all of it for one config."""

from sigfft.extras import needs

with needs("train", "sigfft.training"):
    from sigfft.training.cluster import Cluster as Cluster
    from sigfft.training.command import launch as launch
    from sigfft.training.config import Config as Config
    from sigfft.training.config_checks import check_overrides as check_overrides
    from sigfft.training.deployment import export_run as export_run
    from sigfft.training.experiment import run as run
    from sigfft.training.finished import load_model as load_model
    from sigfft.training.processes import is_first_process as is_first_process
    from sigfft.training.sweep import Grid as Grid
    from sigfft.training.sweep import run_sweep as run_sweep
    from sigfft.training.sweep import tables_of as tables_of
    from sigfft.training.workdir import CONTENTS as CONTENTS
