"""The servers that this service is compared with, each written as its own documentation shows."""
