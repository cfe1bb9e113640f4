"""Runs the sample registers: builds the population register's file, then serves the tax register."""

import argparse
import signal
import sys
from pathlib import Path

from examples.registers import people, population, tax


def main() -> None:
    """`python -m examples.registers --data DIR --port N --config DIR` (the folder with `personas.toml`)."""
    parser = argparse.ArgumentParser(description="Sample registers: population (a file) and tax (a web service).")
    parser.add_argument("--data", type=Path, required=True, help="where population.db and the tax client's secret lie")
    parser.add_argument("--port", type=int, required=True, help="where the tax register listens, on 127.0.0.1")
    parser.add_argument("--config", type=Path, default=Path("openid-config"), help="the folder with personas.toml")
    given = parser.parse_args()
    everyone = people.read(given.config / "personas.toml")
    population.build(given.data / "population.db", everyone)
    register = tax.TaxRegister(everyone, tax.secret(given.data / "tax-client-secret"), port=given.port)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        register.serve()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
