"""Everything that touches models and data.

The light half (config, rundir, hardware, datasets, models and the modules beside this one) starts in milliseconds and
serves the editor. The heavy half (training, inference, export) is imported only inside worker processes.
"""
