"""The commands of CONTRIBUTING.md; `nox --list` shows them. They run in the active environment, which has the extra `dev`."""

from __future__ import annotations

import os

import nox

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "site", "tests"]

PARALLEL = ["-n", str(min(8, 2 * (os.cpu_count() or 1))), "--dist", "worksteal"]
"""Two processes for each core, since many tests wait. Each takes tests that follow one another, which share what they make."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and types."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation site in the folder site; a warning is an error."""
    session.run("mkdocs", "build", "--quiet", "--site-dir", "site", env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def quick(session: nox.Session) -> None:
    """Run the tests that start no processes; arguments after -- go to pytest."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", "-m", "not slow", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run all tests, and those that fail once more; arguments after -- go to pytest."""
    session.run("pytest", *PARALLEL, "--reruns", "1", *session.posargs)


@nox.session
def shuffled(session: nox.Session) -> None:
    """Run all tests in two random orders, which are printed as seeds; `-- --random-order-seed=N` repeats one."""
    session.run("pytest", *PARALLEL, "--random-order", "--random-order-bucket=global", *session.posargs)
    session.run("pytest", *PARALLEL, "--random-order", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines the tests run, child processes included."""
    session.run("pytest", *PARALLEL, "--cov", "--cov-fail-under=92", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Read damaged files, 1000 of each kind."""
    for door in ("image", "crop", "clip", "onnx", "h5", "keras", "labels", "data", "votes", "run", "cascade", "config"):
        session.run("fuzz/mutate", door, "--count", "1000", external=True)
