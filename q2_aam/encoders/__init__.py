"""The encoder that ships with q2-aam: data only; its build script is not in the wheel."""
