import sys


def pytest_sessionfinish() -> None:
    assert "torch" not in sys.modules, "both frameworks in one process"
