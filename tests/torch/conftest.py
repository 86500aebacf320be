import sys


def pytest_sessionfinish() -> None:
    assert "tensorflow" not in sys.modules, "both frameworks in one process"
