"""Runs a script in a Python environment of its own, in pinned versions, which is made at the first run."""
import os
import subprocess
import sys
import venv

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def run_within(name, packages, packages_alone):
    """Returns where the environment is; elsewhere it starts the script again within it.

    `packages_alone` come without what they ask for: they need it for parts that are not used here.
    """
    folder = os.path.realpath(os.path.join(ROOT, ".cache", name))
    python = os.path.join(folder, "bin", "python")
    stamp = os.path.join(folder, "packages.txt")
    wanted = "\n".join([*packages, *packages_alone])
    if os.path.realpath(sys.prefix) == folder:
        return
    if not (os.path.exists(stamp) and open(stamp).read() == wanted):
        print(f"making a Python environment in .cache/{name}", file=sys.stderr, flush=True)
        venv.create(folder, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, *packages], check=True)
        subprocess.run([*install, "--no-deps", *packages_alone], check=True)
        with open(stamp, "w") as file:
            file.write(wanted)
    os.execv(python, [python, *sys.argv])
