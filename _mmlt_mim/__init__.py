"""Where onedl-mim finds the configs and tools of mmlt; holds no code.

onedl-mim takes the folder of the first file in an installed distribution's
record for the package. ``mmlt-<version>.dist-info`` sorts before ``mmlt/``,
and this folder sorts before both.
"""
