"""The face of the workbench: commands, screens, and the composition root that wires the floors together."""

__version__ = "0.1.0"
