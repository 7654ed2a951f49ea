"""Many inputs as one job: photos and clips, read in parallel, resumable, on one machine or on many.

An input is identified by the SHA-256 of its content, and a run by a fingerprint of its settings and models. ``manifest.jsonl``
lists all inputs with their states. Readings go to files in ``parts/``: one per clip, renamed once it is complete, and numbered
ones for photos, written atomically. A part counts once the manifest refers to it. An input may thus be read twice after a kill,
but is reported once. At the end the readings of all parts are merged in the order of their paths, so that the result is the same
bytes whatever happened before.
"""
