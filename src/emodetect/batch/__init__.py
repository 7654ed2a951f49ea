"""Many inputs as one job: photos and clips, read in parallel, resumable, on one machine or on many.

An input is known by the SHA-256 of its content, and a run by a fingerprint of its settings and models. ``manifest.jsonl`` lists
all inputs and what became of each. Readings go to files in ``parts/``: one for each clip, renamed once it is complete, and
numbered ones for photos, sealed whole. A part counts once the manifest refers to it. So an input may be read twice after a kill,
and is still reported once. At the end the readings of all parts are written in the order of their paths: the same bytes, whatever
happened on the way.
"""
