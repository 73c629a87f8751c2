"""What reaches a person: rules, a real Prometheus, a real Alertmanager, receivers that keep what they get.

Start reading in `test_pager.py`.
"""
