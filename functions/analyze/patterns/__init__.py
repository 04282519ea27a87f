"""What the rows of a period show: bursts, changes, rates, seasons, lags, lifts, anomalies, with evidence."""
