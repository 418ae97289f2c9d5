"""The library of models as the editor and the command line show and change it."""
