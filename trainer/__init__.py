"""Offline training: data in, checked model files out. Never imported by the service."""
