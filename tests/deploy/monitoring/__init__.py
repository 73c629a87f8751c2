"""Rules, dashboard and scrape jobs, with a real Prometheus.

Start reading in `test_monitoring`.
"""
