"""The detectors that come with this function: one file each, each with ``build(settings) -> Detector``.

A file imports its third party inside ``load()`` only, so that listing detectors costs nothing and a deployment needs
only the packages of the detectors it runs.
"""
