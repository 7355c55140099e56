"""What shows how an installation is doing: numbers, conditions, alerts, traces, the terminal view."""
