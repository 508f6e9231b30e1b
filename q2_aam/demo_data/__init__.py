"""The small real study behind ``make demo`` and the usage examples."""
